"""A rate changes as soxr changes it; as a filter in torch too, which is linear and has gradients."""

import librosa
import numpy as np
import pytest
import torch

from seqaudio.errors import OptionError
from seqaudio.features import resample
from seqaudio.features.resampling import decimation
from tests.features.sounds import tones


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("samples", [1, 7, 1000, 20_001])
def test_the_filter_is_soxrs(factor, samples):
    noise = np.random.default_rng(0).standard_normal((2, samples))
    theirs = librosa.resample(noise, orig_sr=factor, target_sr=1, scale=True)
    ours = decimation(factor)(torch.from_numpy(noise)).numpy()
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 3e-6 * np.abs(noise).max()


def test_a_tone_below_the_cutoff_survives_and_one_above_does_not():
    time = np.arange(44_100) / 44_100
    for hertz, kept in ((1000, True), (8000, True), (15_000, False)):
        sound = np.sin(2 * np.pi * hertz * time)
        made = resample(sound, 44_100, 22_050)
        middle = made[1000:-1000]
        assert len(made) == 22_050
        if kept:
            assert np.abs(middle - np.sin(2 * np.pi * hertz * np.arange(22_050) / 22_050)[1000:-1000]).max() < 1e-4
        else:
            assert np.abs(middle).max() < 1e-4


def test_kind_shape_and_precision_stay():
    sound = tones(0.5).astype(np.float32)
    made = resample(torch.from_numpy(np.stack([sound, sound])), 22_050, 16_000)
    assert made.shape == (2, int(np.ceil(len(sound) * 16_000 / 22_050)))
    assert made.dtype == torch.float32
    assert np.array_equal(made[0].numpy(), resample(sound, 22_050, 16_000))
    precise = resample(sound.astype(np.float64), 22_050, 16_000)
    assert precise.dtype == np.float64
    np.testing.assert_allclose(
        precise, librosa.resample(sound.astype(np.float64), orig_sr=22_050, target_sr=16_000), atol=1e-9
    )
    with pytest.raises(OptionError, match="cannot resample from 0 to 16,000 Hz"):
        resample(sound, 0, 16_000)
    with pytest.raises(OptionError, match="there are no samples"):
        resample(sound[:0], 22_050, 16_000)
