"""Is a seam inaudible? What joins two sounds, one law at a time."""

import librosa
import numpy as np
import pytest

from seqaudio.continuation.seams import best_shift, burg, ended, extended, faded, quietest

RATE = 22050
RNG = np.random.default_rng


def chord(count, *hertz):
    return sum(np.sin(2 * np.pi * f * np.arange(count) / RATE + f) for f in hertz).astype(np.float32)[None] / 4


def test_prediction_goes_on_with_tones():
    truth = chord(8000, 220, 331.7, 1234)
    told = extended(truth[:, :7000], 300)
    np.testing.assert_array_equal(told[:, :7000], truth[:, :7000])
    np.testing.assert_allclose(told[:, 7000:7050], truth[:, 7000:7050], atol=0.1)
    assert 0.03 < np.square(told[:, 7000:]).mean() < 0.2, "0.09 is the power of the chord"


def test_prediction_never_runs_away_and_is_silent_behind_silence():
    assert not extended(np.zeros((2, 500), np.float32), 50)[:, 500:].any()
    for count in (1, 3, 70, 5000):
        noise = RNG(count).normal(size=(1, count)).astype(np.float32)
        assert np.abs(extended(noise, 2000)).max() <= 3 * np.abs(noise).max()


def test_the_weights_are_those_of_another_library():
    samples = (chord(3000, 300, 700)[0] + 0.1 * RNG(0).normal(size=3000)).astype(np.float64)
    np.testing.assert_allclose(burg(samples, 12), -librosa.lpc(samples, order=12)[1:], atol=1e-6)


def test_a_shift_is_found_again():
    wave = RNG(1).normal(size=900)
    for shift in (-40, -3, 0, 17, 40):
        around = wave[300 - 40 : 700 + 40]
        assert best_shift(wave[300 + shift : 700 + shift], around) == shift
    assert best_shift(np.zeros(50), np.zeros(70)) == 0
    assert best_shift(np.ones(50), np.ones(70)) == 0, "of equal places the nearest"


def test_the_quietest_place_is_that_of_a_slow_loop():
    power = RNG(2).random(200)
    sums = [power[begin : begin + 30].sum() for begin in range(171)]
    assert quietest(power, 30) == int(np.argmin(sums))


def test_a_fade_between_equals_changes_nothing_and_begins_and_ends_in_one_of_both():
    wave = chord(400, 500)
    np.testing.assert_allclose(faded(wave, wave, 1.0), wave, atol=1e-6)
    other = chord(400, 777)
    mixed = faded(wave, other, 10.0)
    np.testing.assert_allclose(mixed[:, 0], wave[:, 0], atol=0.01)
    np.testing.assert_allclose(mixed[:, -1], other[:, -1], atol=0.01)


def test_the_power_of_a_fade_is_level():
    old, new = (RNG(seed).normal(size=(500, 400)) for seed in (0, 1))
    rows = np.stack(
        [faded(o[None].astype(np.float32), n[None].astype(np.float32), 1e9)[0] for o, n in zip(old, new, strict=True)]
    )
    power = np.square(rows).mean(axis=0)  # (samples,) over 500 fades
    assert power.min() > 0.7
    assert power.max() < 1.3


def test_no_sample_of_a_fade_is_beyond_the_ceiling():
    wave = np.full((1, 300), 0.9, np.float32)
    unlike = wave * np.sign(RNG(0).normal(size=(1, 300))).astype(np.float32)
    assert np.abs(faded(wave, unlike, 9.0)).max() > 1.0, "at a level power it would be"
    assert np.abs(faded(wave, unlike, 0.9)).max() <= 0.9 + 1e-6
    assert faded(wave[:, :0], wave[:, :0], 1.0).shape == (1, 0)
    assert faded(wave, np.zeros_like(wave), 0.9) == pytest.approx(faded(wave, np.zeros_like(wave), 9.0))


def test_the_last_moment_fades_out_and_nothing_else_changes():
    wave = np.ones((2, RATE), np.float32)
    told, kept = ended(wave, RATE), RATE - int(0.005 * RATE)
    assert (told[:, :kept] == 1).all()
    assert (np.diff(told[:, kept:]) < 0).all()
    assert (told[:, -1] == 0).all()
    assert (wave == 1).all()
    assert ended(wave[:, :3], RATE).shape == (2, 3)
