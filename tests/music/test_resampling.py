"""Resampling: tones that both rates hold survive, the others are gone, and time stays where it was."""

import numpy as np
import pytest

from seqaudio.errors import OptionError
from seqaudio.music import Waveform
from seqaudio.music.resampling import resample


def tone(hz, rate, seconds=1.0):
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44100, 22050), (8000, 22050), (16000, 11025)])
def test_a_tone_is_the_same_tone(from_hz, to_hz):
    made = resample(tone(1000, from_hz), from_hz, to_hz)
    inner = slice(to_hz // 10, -to_hz // 10)  # the ends have silence beside them
    assert np.abs(made - tone(1000, to_hz))[inner].max() < 1e-4


def test_what_the_lower_rate_cannot_hold_is_gone():
    made = resample(tone(9000, 44100), 44100, 16000)
    assert np.abs(made[1600:-1600]).max() < 1e-4


def test_rows_are_resampled_each_for_itself():
    rows = np.random.default_rng(0).normal(size=(2, 11, 300)).astype(np.float32)
    made = resample(rows, 300, 200)
    assert made.shape == (2, 11, 200)
    assert np.array_equal(made[1, 10], resample(rows[1, 10], 300, 200))


@pytest.mark.parametrize("length", [0, 1, 2, 9, 10, 1001])
def test_lengths_are_rounded_up(length):
    waveform = Waveform(np.ones((1, length)), 44100).resampled(16000)
    assert len(waveform) == int(np.ceil(length * 160 / 441))
    assert waveform.sample_rate == 16000


def test_the_same_rate_is_the_same_sound():
    waveform = Waveform([0.5, 2.0], 8000)
    assert waveform.resampled(8000) is waveform


@pytest.mark.parametrize(("from_hz", "to_hz"), [(0, 8000), (8000, -1), (8, 8001), (8_000_001, 8000)])
def test_rates_too_far_apart_are_refused(from_hz, to_hz):
    with pytest.raises(OptionError, match="cannot resample"):
        resample(np.zeros(10, np.float32), from_hz, to_hz)


def test_within_a_peak():
    loud = Waveform([[0.5, -2.0], [0.0, 1.0]], 8000)
    assert loud.peak == 2
    assert loud.within().samples.tolist() == [[0.25, -1], [0, 0.5]]
    assert loud.within(2) is loud
    assert Waveform([], 8000).peak == 0
    for level in (1.1, 1.7, 3.3, 1e30):  # rounding must not leave it beyond
        assert Waveform([level, 0.3], 8000).within(0.9).peak <= 0.9
