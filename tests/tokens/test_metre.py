"""Laws of writable metres: what can be written stays, the rest goes to the nearest bar, changes stand on bar lines."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.tokens.bars import metre as room
from seqaudio.tokens.bars.metre import LONGEST_BAR, METRES, SHORTEST_BAR, bar_steps, nearest_metre

metres = st.tuples(st.integers(1, 300), st.integers(1, 70)) | st.sampled_from(METRES)


def writable_metres(rows: np.ndarray, end: int) -> tuple[np.ndarray, int]:
    written, changed = room.writable_metres(rows.tolist(), end)
    return np.array(written), changed


@st.composite
def metre_maps(draw: st.DrawFn) -> np.ndarray:
    steps = [0, *sorted(draw(st.lists(st.integers(1, 900), max_size=6, unique=True)))]
    return np.array([(step, *draw(metres)) for step in steps])


def test_the_metres_are_all_whole_steps_up_to_two_whole_notes() -> None:
    expected = {
        (n, d) for d in (1, 2, 4, 8, 16) for n in range(1, 200) if n * 48 % d == 0 and n * 48 // d <= LONGEST_BAR
    }
    assert set(METRES) == expected
    assert len(METRES) == len(expected)
    assert {(4, 4), (3, 4), (6, 8), (2, 2), (12, 8), (5, 16)} <= expected


@given(metres)
def test_no_metre_is_nearer(metre: tuple[int, int]) -> None:
    n, d = nearest_metre(*metre)
    assert (n, d) in METRES
    if metre in METRES:
        assert (n, d) == metre
    off = abs(n * 48 / d - metre[0] * 48 / metre[1])
    assert all(off <= abs(a * 48 / b - metre[0] * 48 / metre[1]) + 1e-9 for a, b in METRES)


@pytest.mark.parametrize(
    ("metre", "nearest"), [((9, 4), (8, 4)), ((1, 32), (1, 16)), ((6, 32), (3, 16)), ((3, 3), (4, 4)), ((9, 1), (8, 4))]
)
def test_known_nearest_metres(metre: tuple[int, int], nearest: tuple[int, int]) -> None:
    assert nearest_metre(*metre) == nearest


@settings(max_examples=500, deadline=None)
@given(metre_maps(), st.integers(0, 1200))
def test_every_change_stands_on_a_bar_line(rows: np.ndarray, end: int) -> None:
    written, changed = writable_metres(rows, end)
    assert written[0, 0] == 0
    assert {(n, d) for _, n, d in written.tolist()} <= set(METRES)
    assert (np.diff(written[:, 0]) > 0).all()
    for (at, n, d), (after, *metre) in zip(written[:-1].tolist(), written[1:].tolist(), strict=True):
        assert (after - at) % bar_steps(n, d) == 0
        assert [n, d] != metre
    again, changed_again = writable_metres(written, end)
    assert again.tolist() == written.tolist()
    assert changed_again == 0
    inside = rows[rows[:, 0] < max(end, 1)]
    assert 0 <= changed <= len(inside)


@settings(max_examples=200, deadline=None)
@given(metre_maps(), st.integers(901, 1200))
def test_bar_lines_are_moved_by_less_than_a_cut_bar(rows: np.ndarray, end: int) -> None:
    """Each time signature takes effect where it stood, give or take rounding to sixteenths and bars that ran over."""
    rows = np.array([(at // SHORTEST_BAR * SHORTEST_BAR, *nearest_metre(n, d)) for at, n, d in rows.tolist()])
    rows = rows[np.append(np.diff(rows[:, 0]) > 0, True)]
    if rows[0, 0] != 0:
        return
    written, changed = writable_metres(rows, end)
    if (bar_lengths(rows) % SHORTEST_BAR == 0).all():  # then every cut bar is a whole number of sixteenths
        assert changed == 0
        in_force = {at: (n, d) for at, n, d in written.tolist()}
        for at, n, d in rows.tolist():
            before = max(step for step in in_force if step <= at)
            length = bar_steps(*in_force[before])
            assert (at - before) % length == 0
            assert (n, d) == in_force[before] or length < bar_steps(n, d)


def bar_lengths(rows: np.ndarray) -> np.ndarray:
    return np.array([bar_steps(n, d) for _, n, d in rows.tolist()])


@pytest.mark.parametrize(
    ("rows", "end", "expected", "changed"),
    [
        ([(0, 4, 4)], 0, [(0, 4, 4)], 0),
        ([(0, 3, 4), (36, 6, 8)], 100, [(0, 3, 4), (36, 6, 8)], 0),
        ([(0, 3, 4), (100, 6, 8)], 100, [(0, 3, 4)], 0),  # a change at the end changes nothing
        ([(0, 4, 4), (60, 3, 4)], 100, [(0, 4, 4), (48, 1, 4), (60, 3, 4)], 0),  # cut short by a quarter
        ([(0, 4, 4), (30, 3, 4)], 100, [(0, 5, 8), (30, 3, 4)], 0),  # never complete: 30 steps are 5/8
        ([(0, 4, 4), (15, 3, 4)], 100, [(0, 5, 16), (15, 3, 4)], 0),
        ([(0, 4, 4), (49, 3, 4)], 100, [(0, 4, 4), (48, 1, 16), (51, 3, 4)], 1),  # moved to the sixteenth
        ([(0, 4, 4), (48, 4, 4)], 100, [(0, 4, 4)], 0),
        ([(0, 17, 32), (96, 4, 4)], 200, [(0, 2, 4), (96, 4, 4)], 1),
    ],
)
def test_known_maps(rows: list, end: int, expected: list, changed: int) -> None:
    written, count = writable_metres(np.array(rows), end)
    assert ([tuple(row) for row in written.tolist()], count) == (expected, changed)
