"""Moving frames along the keyboard."""

import numpy as np
import pytest

from seqaudio.music.frames import transposed_frames


@pytest.mark.parametrize("semitones", range(-6, 7))
def test_every_note_moves_and_what_leaves_is_lost(semitones):
    frames = np.random.default_rng(0).random((7, 5)) < 0.5
    steps, keys = np.nonzero(frames)
    stays = (keys + semitones >= 0) & (keys + semitones < 5)
    expected = np.zeros_like(frames)
    expected[steps[stays], keys[stays] + semitones] = True
    np.testing.assert_array_equal(transposed_frames(frames, semitones), expected)
