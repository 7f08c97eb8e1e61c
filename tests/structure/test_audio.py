"""Laws of recurrence in audio: cosines; a form stands above its shuffle, and noise, loops and held chords near null."""

import numpy as np
import pytest

from seqaudio.errors import OptionError
from seqaudio.structure.audio import chroma_recurrence, phase_randomised, stripe_energy
from tests.structure.pieces import EIGHTH, Bar, bars_of_tune, passage, shuffled


def played(bars: list[Bar], seed: int = 0) -> np.ndarray:
    """A chromagram of 16 frames to the bar: each note with its fifth and octave, and noise."""
    roll = np.zeros((16 * len(bars), 12))
    for number, bar in enumerate(bars):
        for onset, length, pitch in bar:
            span = slice(16 * number + 2 * onset // EIGHTH, 16 * number + 2 * (onset + length) // EIGHTH)
            roll[span, pitch % 12] += 1.0
            roll[span, (pitch + 7) % 12] += 0.4
    return roll + 0.3 * np.random.default_rng(seed).random(roll.shape)


def test_recurrence_is_the_cosine_of_what_is_beyond_the_mean() -> None:
    frames = np.random.default_rng(0).random((20, 12))
    apart = frames - frames.mean(axis=0)
    slow = [[a @ b / np.sqrt((a @ a) * (b @ b)) for b in apart] for a in apart]
    np.testing.assert_allclose(chroma_recurrence(frames), slow, atol=1e-6)


def test_surrogates_keep_spectra_and_mean_similarity_at_every_lag() -> None:
    frames = played(bars_of_tune("AABA", 0))[:257]
    for rows in (frames, frames[:256]):
        other = phase_randomised(rows, np.random.default_rng(1))
        assert np.abs(other - rows).max() > 0.5
        np.testing.assert_allclose(other.mean(axis=0), rows.mean(axis=0))
        a, b = rows - rows.mean(axis=0), other - rows.mean(axis=0)
        np.testing.assert_allclose(np.abs(np.fft.rfft(a, axis=0)), np.abs(np.fft.rfft(b, axis=0)), atol=1e-9)
        for lag in (1, 16, 128):
            np.testing.assert_allclose((a * np.roll(a, lag, axis=0)).sum(), (b * np.roll(b, lag, axis=0)).sum())


def test_a_form_is_above_its_shuffle_and_loops_and_far_above_held_chords_and_noise() -> None:
    found: dict[str, list[float]] = {"real": [], "shuffled": [], "loop": [], "held": [], "noise": []}
    for seed in range(6):
        bars = bars_of_tune("AABA", seed)
        found["real"].append(stripe_energy(played(bars)))
        found["shuffled"].append(stripe_energy(played(shuffled(bars, seed))))
        found["loop"].append(stripe_energy(played(passage(2, np.random.default_rng(seed)) * 16)))
        found["held"].append(stripe_energy(played([[(0, 8 * EIGHTH, 60)]] * 32)))
        found["noise"].append(stripe_energy(np.random.default_rng(seed).random((512, 12))))
    mean = {name: float(np.mean(values)) for name, values in found.items()}
    assert mean["shuffled"] < mean["real"] - 0.08
    assert min(found["real"]) > 0.25
    assert mean["loop"] < mean["real"] - 0.08
    for flat in ("held", "noise"):
        assert max(np.abs(found[flat])) < 0.02, flat


def slow_best_stripes(frames: np.ndarray) -> float:
    matrix = chroma_recurrence(frames)
    return float(
        np.mean([max(np.mean([matrix[a + i, b + i] for i in range(5)]) for a in range(b - 6)) for b in range(7, 36)])
    )


def test_it_is_the_mean_over_passages_of_the_best_earlier_one() -> None:
    frames = np.random.default_rng(2).random((40, 3))
    chance = np.random.default_rng(9)
    nulls = [slow_best_stripes(phase_randomised(frames, chance)) for _ in range(2)]
    found = stripe_energy(frames, window=5, min_lag=7, surrogates=2, seed=9)
    expected = (slow_best_stripes(frames) - np.mean(nulls)) / (1 - np.mean(nulls))
    assert found == pytest.approx(expected, abs=1e-6)


def test_loudness_key_and_a_constant_change_nothing() -> None:
    frames = played(bars_of_tune("AABA", 1))
    energy = stripe_energy(frames)
    for other in (1000 * frames, np.roll(frames, 5, axis=1), frames + 7):
        assert stripe_energy(other) == pytest.approx(energy, abs=1e-4)


def test_silence_and_little_are_nothing() -> None:
    for frames in (np.zeros((200, 12)), np.full((200, 12), 0.1), np.ones((79, 12)), np.zeros((0, 12))):
        assert stripe_energy(frames) == 0
        assert not chroma_recurrence(frames).any()


def test_what_cannot_be_is_refused_in_words() -> None:
    for wrong in (np.zeros(5), np.full((5, 2), np.nan)):
        with pytest.raises(OptionError, match=r"finite numbers of shape \(steps, features\)"):
            stripe_energy(wrong)
    with pytest.raises(OptionError, match="9,000 frames; at most 8,192"):
        chroma_recurrence(np.zeros((9000, 2)))
    with pytest.raises(OptionError, match="window is 0; allowed: 1 or more"):
        stripe_energy(np.zeros((5, 2)), window=0)
