"""A recording is a value with channels, a rate and a length."""

import numpy as np
import pytest

from seqaudio.errors import OptionError
from seqaudio.music.waveform import Waveform


def test_channels_rate_and_length():
    sound = Waveform(np.arange(6).reshape(2, 3) / 10, 3)
    assert (sound.channels, len(sound), sound.seconds, sound.samples.dtype) == (2, 3, 1.0, np.float32)
    np.testing.assert_allclose(sound.mono().samples, [[0.15, 0.25, 0.35]], rtol=1e-6)
    assert Waveform([0.5, 0.25], 8000).samples.shape == (1, 2)


def test_it_cannot_be_changed():
    samples = np.zeros(4, np.float32)
    sound = Waveform(samples, 4)
    samples[0] = 1.0
    assert sound.samples.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        sound.samples[0, 0] = 1.0


def test_cuts_are_in_seconds_and_put_together_the_whole():
    sound = Waveform(np.linspace(-1, 1, 100), 10)
    parts = [sound.cut(0, 2.5), sound.cut(2.5, 9), sound.cut(9)]
    assert [len(part) for part in parts] == [25, 65, 10]
    np.testing.assert_array_equal(np.concatenate([part.samples for part in parts], axis=1), sound.samples)
    assert len(sound.cut(20, 30)) == len(sound.cut(5, 4)) == 0


@pytest.mark.parametrize("samples", [np.zeros((1, 2, 3)), np.zeros((0, 5)), [0.0, np.nan], [np.inf]])
def test_what_is_no_sound_is_refused(samples):
    with pytest.raises(OptionError, match=r"samples .*; give"):
        Waveform(samples, 8000)


def test_integers_beyond_full_scale_are_not_taken_for_samples():
    with pytest.raises(
        OptionError, match="samples are int16; divide by their full scale, such as 32768, to have -1 to 1"
    ):
        Waveform(np.array([0, -32768], np.int16), 8000)
    assert Waveform([0, 1, -1], 8000).samples.tolist() == [[0, 1, -1]]
    assert len(Waveform(np.zeros(0, np.int16), 8000)) == 0


def test_a_rate_below_one_is_refused():
    with pytest.raises(OptionError, match="sample rate is 0, it must be 1 Hz or more"):
        Waveform([0.0], 0)
