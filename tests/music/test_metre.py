"""Laws of gathered beats: bars of single beats become bars of three or four, everything else stays as it is."""

import numpy as np
import pytest

from seqaudio.music import Score
from seqaudio.music.metre import with_gathered_beats

BEATS = [(0, 1, 4)]


def waltz_or_march(beats: int, pickup: int = 0, bars: int = 12, tpq: int = 480, **facts: object) -> Score:
    """Bars of a long note and short ones, behind ``pickup`` short beats."""
    onset = [*range(pickup)]
    length = [0.5] * pickup
    for bar in range(bars):
        first = pickup + bar * beats
        onset += [first, *range(first + 2, first + beats)]
        length += [1.9, *[0.5] * (beats - 2)]
    return Score.from_notes(
        np.array(onset) * tpq, (np.array(length) * tpq).astype(int), 60 + np.arange(len(onset)) % 7,
        ticks_per_quarter=tpq, time_signatures=BEATS, **facts,
    )  # fmt: skip


@pytest.mark.parametrize("tpq", [96, 480])
@pytest.mark.parametrize(("beats", "pickup"), [(3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 3)])
def test_bars_begin_with_the_long_notes(beats: int, pickup: int, tpq: int) -> None:
    gathered = with_gathered_beats(waltz_or_march(beats, pickup, tpq=tpq))
    expected = [[0, pickup, 4], [pickup * tpq, beats, 4]] if pickup else [[0, beats, 4]]
    assert gathered.time_signatures.tolist() == expected


def test_only_the_metre_changes() -> None:
    score = waltz_or_march(3, 1, velocity=50, tempos=[(0, 400_000)])
    assert with_gathered_beats(score).replaced(time_signatures=np.array(BEATS)) == score


def test_it_is_done_once() -> None:
    gathered = with_gathered_beats(waltz_or_march(3, 1))
    assert with_gathered_beats(gathered) is gathered


@pytest.mark.parametrize("metre", [[], [(0, 3, 4)], [(0, 1, 4), (480, 2, 4)], [(0, 1, 4), (480, 1, 8)]])
def test_a_real_metre_is_left_alone(metre: list[tuple[int, int, int]]) -> None:
    score = waltz_or_march(3).replaced(time_signatures=np.array(metre, dtype=np.int64).reshape(-1, 3))
    assert with_gathered_beats(score) is score


def test_nothing_and_little_to_go_by() -> None:
    empty = Score.from_notes([], 1, 60, time_signatures=BEATS)
    assert with_gathered_beats(empty) is empty
    one = Score.from_notes([0], [480], [60], time_signatures=BEATS)
    assert with_gathered_beats(one).time_signatures.tolist() == [[0, 4, 4]]
    coarse = Score.from_notes([0], [1], [60], ticks_per_quarter=1, time_signatures=[(0, 1, 8)])
    assert with_gathered_beats(coarse) is coarse
