"""Laws of straight notes: what is straight stays, what was played goes to the nearest grid, and it is done once."""

import numpy as np
import pytest
from hypothesis import given

from seqaudio.music import Score
from seqaudio.music.straight import share_between, share_ended_between, straightened
from tests.contracts.any_scores import scores
from tests.samples import song, tune

TPQ = 480


def quarters(score: Score) -> list[float]:
    return np.round(score.onset / score.ticks_per_quarter, 3).tolist()


def bars(starts: list[float], lasting: float = 0.25, tpq: int = TPQ, **facts: object) -> Score:
    """Notes that begin so many quarters behind the first."""
    onset = np.rint(np.array(starts) * tpq).astype(int)
    pitch = 40 + np.arange(len(onset)) % 60
    return Score.from_notes(onset, round(lasting * tpq), pitch, ticks_per_quarter=tpq, **facts)


@pytest.mark.parametrize("tpq", [12, 96, 480, 1001])
@pytest.mark.parametrize(
    "starts",
    [[0, 0.25, 0.5, 0.75, 1, 1.5], [0, 1 / 3, 2 / 3, 1, 4 / 3, 2], [0, 0.5, 1, 4 / 3, 5 / 3, 2.25, 3.75]],
    ids=["sixteenths", "triplets", "both"],
)
def test_what_is_straight_stays(starts: list[float], tpq: int) -> None:
    score = bars(starts, tpq=tpq)
    assert share_between(score) == 0
    moved = straightened(score)
    assert np.abs(moved.onset - score.onset).max() <= tpq / 1000
    assert moved.replaced(onset=score.onset, duration=score.duration) == score


def test_what_was_played_goes_to_the_nearest_grid_of_its_quarter() -> None:
    played = bars([0.02, 0.54, 0.97, 1.36, 1.69, 2.21, 2.93])
    assert share_between(played) == pytest.approx(1 / 7)  # of the nearest twelfths only the last is between
    assert quarters(straightened(played)) == [0, 0.5, 1, 1.333, 1.667, 2.25, 3]


@pytest.mark.parametrize("late", [-0.04, 0.04])
def test_a_line_played_late_or_early_is_the_line(late: float) -> None:
    rng = np.random.default_rng(0)
    written = tune(8)
    moved = np.maximum(written.onset + np.rint(TPQ * (late + rng.normal(0, 0.02, len(written)))).astype(int), 0)
    played = written.replaced(onset=np.sort(moved), duration=np.rint(written.duration * 0.93).astype(int))
    straight = straightened(played)
    assert (straight.onset == written.onset).mean() > 0.98
    assert (straight.duration == written.duration).mean() > 0.9


def test_positions_count_from_bar_lines() -> None:
    """Of 7/16 every second bar line lies on half a sixteenth of the quarters counted from the beginning."""
    score = bars([0, 0.25, 1.75, 2.0, 3.5], time_signatures=[(0, 7, 16)])
    assert straightened(score) == score
    thirds = bars([1.75 + 1 / 3, 1.75 + 2 / 3], time_signatures=[(0, 7, 16)])
    assert share_between(thirds) == 0
    assert straightened(thirds).onset.tolist() == thirds.onset.tolist()


@given(scores())
def test_it_is_done_once_and_leaves_nothing_between(score: Score) -> None:
    straight = straightened(score)
    assert len(straight) == len(score)
    assert not len(score) or straight.duration.min() > 0
    assert sorted(straight.pitch.tolist()) == sorted(score.pitch.tolist())
    assert np.array_equal(straight.time_signatures, score.time_signatures)
    if score.ticks_per_quarter % 12 == 0 and (np.diff(straight.bars()) * 4 % score.ticks_per_quarter == 0).all():
        assert share_between(straight) == 0


def test_each_onset_of_the_piece_counts() -> None:
    """Two of 66, though in each bar the others lie where they lay in the one before."""
    quarters_of_16_bars = np.arange(64) * TPQ
    ornaments = np.array([5 * TPQ + 75, 40 * TPQ + 75])
    onset = np.sort(np.append(quarters_of_16_bars, ornaments))
    assert share_between(Score.from_notes(onset, 60, 60)) == pytest.approx(2 / 66)
    assert share_between(Score.from_notes([], [], [])) == 0


@pytest.mark.parametrize("part", [8, 12, 24])
def test_short_notes_of_scores_were_not_played(part: int) -> None:
    written = bars([bar + step / part for bar in range(4) for step in range(part)], 1 / part)
    assert share_between(written) == 0
    assert share_between(written.replaced(onset=written.onset + 7)) > 0.3


def test_ends_are_on_the_grid_of_their_quarter() -> None:
    played = bars([0.01, 0.34, 0.66, 1.02, 1.27], 0.31)
    straight = straightened(played)
    ends = np.round((straight.onset + straight.duration) / TPQ, 3).tolist()
    assert ends == [0.333, 0.667, 1.0, 1.25, 1.5]


def test_quarters_of_neighbouring_bars_have_grids_of_their_own() -> None:
    """Of 7/8, whose second bar begins between the quarters counted from the beginning."""
    score = bars([3, 3.25, 3.5, 3.5 + 1 / 3, 3.5 + 2 / 3], time_signatures=[(0, 7, 8)])
    assert straightened(score).onset.tolist() == score.onset.tolist()


def test_only_what_is_heard_says_which_grid_is_nearer() -> None:
    score = bars([0, 0.34, 0.56, 0.66])
    assert quarters(straightened(score)) == [0, 0.333, 0.667, 0.667]
    assert quarters(straightened(score, np.array([True, False, True, False])))[2] == 0.5


@pytest.mark.parametrize("share", [0.8, 0.85, 0.9, 0.95, 0.97, 1.03])
def test_detached_notes_are_the_notes(share: float) -> None:
    """A tune above held chords, each note shortened as a player or a program does, is as it was written."""
    written = song(8)
    played = written.replaced(duration=np.rint(share * written.duration).astype(int))
    assert share_between(played) == share_ended_between(written) == 0
    assert share_ended_between(played) > 0.2
    assert straightened(played) == written
    assert straightened(written) == written


def test_rests_stay_rests() -> None:
    """A note far from the next is not made longer, nor one that ends where scores let notes end."""
    far = bars([0, 2], 1.1)
    assert share_ended_between(far) == 1
    assert straightened(far).duration.tolist() == [TPQ, TPQ]
    for lasting in (0.5, 0.75, 1):
        written = bars([0, 1, 2, 3], lasting)
        assert share_ended_between(written) == 0
        assert straightened(written) == written
    assert share_ended_between(bars([0, 1], 11 / 24)) == 0  # to the tick on a 24th, as ornaments are
    assert share_ended_between(Score.from_notes([], [], [])) == 0
