"""Laws of the similarity of bars: that of sets of notes; a form shows at its lag; loops and held notes stand out."""

import numpy as np
import pytest

from seqaudio.errors import OptionError
from seqaudio.music import Score
from seqaudio.structure import (
    Bars,
    mean_curve,
    return_lag,
    return_strength,
    similarity_curve,
    similarity_error,
    similarity_matrix,
)
from tests.structure.pieces import BAR, bars_of_tune, joined, passage, shuffled, tune


def slow_matrix(bars: Bars) -> np.ndarray:
    sets: list[set] = [set() for _ in range(len(bars))]
    for bar, *note in zip(bars.bar.tolist(), bars.start.tolist(), bars.stop.tolist(), bars.pitch.tolist(), strict=True):
        sets[bar].add(tuple(note))
    return np.array([[len(a & b) / len(a | b) if a | b else 0.0 for b in sets] for a in sets])


@pytest.mark.parametrize("seed", range(5))
def test_the_matrix_is_that_of_sets_of_notes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.random.default_rng(seed).random((90, 10)) < [0.1, 0.3, 0.5, 0.0, 0.9][seed]
    frames[40:60] = frames[8:28]
    bars = Bars.of_frames(frames, 4)
    monkeypatch.setattr("seqaudio.structure.similarity._CHUNK", 7)  # many parts
    np.testing.assert_allclose(similarity_matrix(bars), slow_matrix(bars), atol=1e-12)


def test_the_curve_is_the_mean_over_pairs() -> None:
    matrix = similarity_matrix(tune("AB", part_bars=3))
    curve = similarity_curve(matrix, 8)
    for lag in range(1, 6):
        assert curve[lag - 1] == pytest.approx(np.mean([matrix[i, i + lag] for i in range(6 - lag)]))
    assert np.isnan(curve[5:]).all()


@pytest.mark.parametrize(("form", "lag"), [("AABB", 8), ("AAAA", 8), ("ABABABAB", 16)])
def test_a_form_returns_at_its_lag(form: str, lag: int) -> None:
    for seed in range(5):
        assert return_lag(tune(form, seed, varied=0)) == lag


def test_a_return_beyond_half_of_the_piece_is_too_few_bars_to_tell() -> None:
    assert np.nanargmax(similarity_curve(tune("ABCA", 1, varied=0), 31)) + 1 == 24
    assert return_lag(tune("ABCA", 1, varied=0), 31) <= 16


def test_a_loop_returns_at_its_length_and_more_than_a_tune() -> None:
    loop = passage(4, np.random.default_rng(0)) * 8
    assert return_lag(joined(loop)) == 4
    assert return_strength(joined(loop)) > max(return_strength(tune("AABB", seed)) for seed in range(10))


def test_strength_tells_a_tune_from_its_bars_shuffled_and_from_a_held_note() -> None:
    held = joined([[(0, BAR, 60)]] * 32)
    assert return_strength(held) == 0
    assert return_lag(held) == 1
    for seed in range(10):
        bars = bars_of_tune("AABA", seed)
        assert return_strength(joined(bars)) > 2 * return_strength(joined(shuffled(bars, seed)))


def test_silence_is_no_return() -> None:
    gap = Score.from_notes([0, 40 * BAR], 480, [60, 61])
    matrix = similarity_matrix(gap)
    assert matrix.sum() == 2
    assert matrix[0, 0] == matrix[40, 40] == 1
    assert (return_lag(gap), return_strength(gap)) == (0, 0.0)


def test_error_is_zero_to_itself_and_two_sided() -> None:
    real = mean_curve(similarity_curve(tune("AABA", seed)) for seed in range(40))
    other = mean_curve(similarity_curve(tune("AABA", seed)) for seed in range(40, 80))
    floor = similarity_error(other, real)
    assert similarity_error(real, real) == 0
    too_little = mean_curve(similarity_curve(joined(shuffled(bars_of_tune("AABA", s), s))) for s in range(40))
    too_much = mean_curve(similarity_curve(joined(bars_of_tune("A", s, part_bars=4) * 8)) for s in range(40))
    held = similarity_curve(joined([[(0, BAR, 60)]] * 32))
    for wrong in (too_little, too_much, held):
        assert similarity_error(wrong, real) > 4 * floor


def test_pieces_too_short_for_a_lag_have_no_part_in_its_mean() -> None:
    short, long = similarity_curve(tune("A", part_bars=4), 8), similarity_curve(tune("AA", part_bars=4), 8)
    mean = mean_curve([short, long])
    np.testing.assert_allclose(mean[:3], (short[:3] + long[:3]) / 2)
    np.testing.assert_array_equal(mean[3:], long[3:])
    assert similarity_error(short, long) == pytest.approx(np.abs(short - long)[:3].mean())


def test_nothing_returns_to_nothing() -> None:
    for score in (Score.from_notes([], 1, 60), Score.from_notes([0], 480, 60)):
        assert similarity_curve(score, 4).tolist() == [0, 0, 0, 0]
        assert (return_lag(score), return_strength(score)) == (0, 0.0)
    assert similarity_matrix(Score.from_notes([], 1, 60)).shape == (0, 0)


def test_what_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(OptionError, match="max_lag is 0; allowed: 1 or more bars"):
        similarity_curve(tune(), 0)
    with pytest.raises(OptionError, match="curves of 4 and 5 lags"):
        similarity_error(np.zeros(4), np.zeros(5))
    with pytest.raises(OptionError, match="no lag in common"):
        similarity_error(np.full(4, np.nan), np.zeros(4))
    with pytest.raises(OptionError, match="no curves"):
        mean_curve([])
    with pytest.raises(OptionError, match=r"5,000 bars; at most 4,096"):
        similarity_matrix(Score.from_notes([0, 4999 * BAR], 480, 60))
