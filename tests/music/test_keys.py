"""Keys from pitch classes: scales and chords of a key tell it, in every transposition."""

import numpy as np

from seqaudio.music.keys import NO_KEY, keys_of

MAJOR_SCALE, MINOR_SCALE = [0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 11]


def weights(classes, tonic=0):
    """One for each class, one more for those of the tonic's triad."""
    row = np.zeros(12)
    row[(np.array(classes) + tonic) % 12] += 1
    row[(np.array([classes[0], classes[2], classes[4]]) + tonic) % 12] += 1
    return row


def test_a_scale_with_its_triad_is_in_its_key():
    for tonic in range(12):
        assert keys_of(weights(MAJOR_SCALE, tonic)) == tonic
        assert keys_of(weights(MINOR_SCALE, tonic)) == 12 + tonic


def test_the_profile_is_compared_as_a_correlation():
    """Independent of how much sounds, and equal to numpy's own correlation with each profile."""
    from seqaudio.music.keys import MAJOR, MINOR

    rows = np.random.default_rng(1).random((50, 12))
    slow = [
        int(np.argmax([np.corrcoef(row, np.roll(p, t))[0, 1] for p in (MAJOR, MINOR) for t in range(12)]))
        for row in rows
    ]
    assert keys_of(rows).tolist() == slow
    assert keys_of(1000 * rows + 7).tolist() == slow


def test_silence_and_all_classes_alike_have_no_key():
    assert keys_of(np.zeros((2, 12))).tolist() == [NO_KEY, NO_KEY]
    assert keys_of(np.ones(12)) == NO_KEY
