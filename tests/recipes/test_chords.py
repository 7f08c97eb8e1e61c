"""How many beats of a piece are chords, of pieces made by hand."""

import numpy as np
import pytest

from seqaudio.music import Score
from tests.recipes.loading import loaded

BEAT = 480


@pytest.fixture(scope="module")
def chord_rate():
    with loaded("chords") as recipe:
        yield recipe.chord_rate


def beats(*chords):
    """A score with a chord on each beat."""
    onset = np.concatenate([[i * BEAT] * len(chord) for i, chord in enumerate(chords)])
    return Score.from_notes(onset, BEAT, np.concatenate(chords), ticks_per_quarter=BEAT)


@pytest.mark.parametrize(
    ("chords", "expected"),
    [
        ([[60, 64, 67], [57, 60, 64, 69]], 1.0),
        ([[62, 65, 69, 72], [67, 71, 74, 77], [60, 60, 60]], 1.0),
        ([[60, 64, 67], [60, 61, 62]], 0.5),
        ([[60, 64, 67, 66]], 0.0),
        ([[48, 55]], 1.0),
    ],
)
def test_triads_sevenths_and_their_parts_are_chords(chord_rate, chords, expected):
    score = beats(*chords)
    assert chord_rate(score) == expected
    assert chord_rate(score.transposed(5)) == expected


def test_what_sounds_on_counts_and_silence_does_not(chord_rate):
    held = Score.from_notes([0, BEAT, 3 * BEAT], [2 * BEAT, BEAT, BEAT], [60, 61, 64], ticks_per_quarter=BEAT)
    assert chord_rate(held) == 1.0  # a second is a part of a seventh chord
    held = Score.from_notes([0, 0, BEAT], [2 * BEAT, 2 * BEAT, BEAT], [60, 62, 61], ticks_per_quarter=BEAT)
    assert chord_rate(held) == 0.5
    assert np.isnan(chord_rate(Score.from_notes([], 1, [], ticks_per_quarter=BEAT)))
