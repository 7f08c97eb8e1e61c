"""Running medians are those of a slow loop, of any odd size; what sounds on is told from what strikes."""

import numpy as np
import pytest
import torch

from seqaudio.features import feature
from seqaudio.features.separation import merged, running_median
from tests.features.sounds import RATE


@pytest.mark.parametrize("size", [1, 3, 5, 7, 9, 11, 17, 31, 33])
@pytest.mark.parametrize("shape", [(40, 3), (300, 70), (4, 2)])
def test_the_running_median_is_the_median_of_each_window(size, shape):
    """Also where many numbers are equal, where tiles meet, and where a window is longer than the line."""
    values = np.random.default_rng(size).integers(0, 9, shape).astype(np.float64)
    padded = np.pad(values, [(size // 2, size // 2), (0, 0)], mode="symmetric")
    slow = np.median(np.lib.stride_tricks.sliding_window_view(padded, size, 0), axis=-1)
    assert np.array_equal(running_median(torch.from_numpy(values), size).numpy(), slow)


@pytest.mark.parametrize("left", range(7))
@pytest.mark.parametrize("right", range(7))
def test_two_sorted_lists_become_one(left, right):
    generator = np.random.default_rng(10 * left + right)
    lists = [np.sort(generator.integers(0, 6, (count, 50)), axis=0) for count in (left, right)]
    made = merged(*[[torch.from_numpy(each) for each in numbers] for numbers in lists])
    assert len(made) == left + right
    if made:
        assert np.array_equal(torch.stack(made).numpy(), np.sort(np.concatenate(lists), axis=0))


def test_a_tone_is_harmonic_and_clicks_are_percussive():
    time = np.arange(2 * RATE) / RATE
    tone, clicks = 0.5 * np.sin(2 * np.pi * 440 * time), np.zeros(len(time))
    clicks[RATE // 4 :: RATE // 2] = 1.0
    found = feature("hpss", RATE)
    for sound, part in ((tone, 0), (clicks, 1)):
        energy = found(torch.from_numpy(sound)).square().sum((-1, -2))
        assert energy[part] > 0.95 * energy.sum()
    both = found(torch.from_numpy(tone + clicks))
    whole = feature("spectrogram", RATE, power=1.0)(torch.from_numpy(tone + clicks))
    assert torch.allclose(both.sum(0), whole)
