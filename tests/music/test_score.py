"""Laws of a score: order, bars under mixed metres, and time."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.errors import OptionError
from seqaudio.music import Score

metres = st.tuples(st.integers(0, 3000), st.integers(1, 13), st.sampled_from([1, 2, 4, 8, 16]))
tempos = st.tuples(st.integers(0, 3000), st.integers(1_000, 2**24 - 1))


def score_of(length: int, ticks_per_quarter: int = 24, **maps: object) -> Score:
    return Score.from_notes([0], [length], [60], ticks_per_quarter=ticks_per_quarter, **maps)


def slow_bars(score: Score) -> list[int]:
    """Bar by bar: each starts where the one before ended, or at a new metre if that comes first."""
    changes = {0: (4, 4)} | {tick: (n, d) for tick, n, d in score.time_signatures.tolist()}
    boundaries, metre, since, count = [], None, 0, 0
    tick = 0
    while not boundaries or tick < score.end:
        boundaries.append(tick)
        if tick in changes and changes[tick] != metre:
            metre, since, count = changes[tick], tick, 0
        count += 1
        after = since + count * metre[0] * 4 * score.ticks_per_quarter // metre[1]
        cuts = [t for t, m in changes.items() if tick < t < min(after, score.end) and m != in_force(changes, t)]
        tick = min([after, *cuts])
    return [*boundaries, tick]


def in_force(changes: dict[int, tuple[int, int]], before: int) -> tuple[int, int]:
    return changes[max(tick for tick in changes if tick < before)]


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 4000), st.lists(metres, max_size=5))
def test_bars_are_those_of_a_slow_walk(length: int, signatures: list[tuple[int, int, int]]) -> None:
    score = score_of(length, time_signatures=signatures)
    bars = score.bars()
    assert bars.tolist() == slow_bars(score)
    assert (np.diff(bars) > 0).all()
    assert bars[0] == 0
    assert bars[-1] >= score.end


def test_bars_by_hand() -> None:
    score = score_of(24 * 9, time_signatures=[(0, 3, 4), (24 * 4, 7, 8)])
    assert score.bars().tolist() == [0, 72, 96, 180, 264]
    assert score_of(1).bars().tolist() == [0, 96]


@settings(max_examples=200, deadline=None)
@given(st.lists(tempos, max_size=5), st.lists(st.integers(0, 10_000), min_size=1, max_size=20))
def test_ticks_are_the_inverse_of_seconds(changes: list[tuple[int, int]], ticks: list[int]) -> None:
    score = score_of(10, ticks_per_quarter=480, tempos=changes)
    seconds = score.seconds(ticks)
    assert score.ticks(seconds).tolist() == ticks
    assert seconds.tolist() == pytest.approx([slow_seconds(score, tick) for tick in ticks], rel=1e-12, abs=1e-12)


def slow_seconds(score: Score, until: int) -> float:
    """The sum of the spans between tempo changes."""
    total, now, us = 0, 0, 500_000
    for tick, tempo_us in [*score.tempos.tolist(), (until, 0)]:
        total += max(0, min(tick, until) - now) * us
        now, us = max(now, min(tick, until)), tempo_us
    return total / 480e6


def test_seconds_by_hand() -> None:
    score = score_of(10, ticks_per_quarter=100, tempos=[(200, 1_000_000)])
    assert score.seconds([0, 100, 200, 300]).tolist() == [0, 0.5, 1, 2]
    assert (score.tempo_qpm(199), score.tempo_qpm(200)) == (120, 60)


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_notes_does_not_matter(order: list[int]) -> None:
    onset, pitch, track = np.arange(12) // 4, 60 + np.arange(12) % 4, np.arange(12) % 2
    columns = np.array([onset, np.arange(1, 13), pitch, track])
    build = lambda o, d, p, t: Score.from_notes(o, d, p, track=t, track_names=["a", "b"])  # noqa: E731
    assert build(*columns[:, order]) == build(*columns)


def test_transposing_moves_pitches_and_leaves_drums() -> None:
    score = Score.from_notes([0, 0], 480, [60, 36], is_drum=[False, True], track=[0, 1], track_names=["", ""])
    assert score.transposed(12).pitch.tolist() == [72, 36]
    assert score.transposed(12).transposed(-12) == score
    with pytest.raises(OptionError, match=r"pitches must be 0\.\.127"):
        score.transposed(68)


def test_a_score_is_frozen() -> None:
    score = score_of(10)
    with pytest.raises(ValueError, match="read-only"):
        score.onset[0] = 1
    assert len(score.notes(np.array([False]))) == 0


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"onset": [-1]}, "onsets"),
        ({"duration": [0]}, "durations"),
        ({"pitch": [128]}, "pitches"),
        ({"velocity": [0]}, "velocities"),
        ({"track": [1]}, "tracks"),
        ({"tempos": [(0, 0)]}, "tempos"),
        ({"time_signatures": [(0, 0, 4)]}, "time signatures"),
        ({"pedals": [(0, 0, 0)]}, "pedal spans"),
        ({"ticks_per_quarter": 0}, "ticks_per_quarter"),
        ({"onset": [2**40 + 1]}, "at most 1,099,511,627,776"),
        ({"duration": [2**62]}, "ticks and durations"),
        ({"tempos": [(2**62, 1)]}, "ticks and durations"),
        ({"onset": [0.5]}, "whole ticks"),
        ({"onset": [float("nan")]}, "whole ticks"),
        ({"onset": [float("inf")]}, "whole ticks"),
        ({"onset": [1e300]}, "whole ticks"),
        ({"onset": [2**70]}, "whole ticks"),
        ({"tempos": [(0, 4, 4)]}, r"tempos of shape \(1, 3\); a score has 2 numbers"),
    ],
)
def test_values_out_of_range_are_named(columns: dict[str, object], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        Score.from_notes(**({"onset": [0], "duration": [1], "pitch": [60]} | columns))


def test_a_score_does_not_change_with_what_it_was_made_from() -> None:
    onset = np.array([0, 480])
    base = np.tile([0, 3, 4], (2, 1))
    view = base[:]
    view.setflags(write=False)
    score = Score.from_notes(onset, 480, 60, time_signatures=view)
    onset[:] = 7
    base[:] = 7
    assert score.onset.tolist() == [0, 480]
    assert score.time_signatures.tolist() == [[0, 3, 4], [0, 3, 4]]
    assert score.replaced(duration=np.array([1, 2])).onset is score.onset  # what cannot change is shared


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3, st.integers(1, 3)), max_size=12))
def test_notes_are_sorted_by_onset_track_pitch_and_duration(notes: list[tuple[int, int, int, int]]) -> None:
    onset, track, pitch, duration = np.array(notes, dtype=np.int64).reshape(-1, 4).T
    score = Score.from_notes(onset, duration, pitch, track=track, track_names=["a", "b", "c"])
    assert list(zip(score.onset, score.track, score.pitch, score.duration, strict=True)) == sorted(notes)
