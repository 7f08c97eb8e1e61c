"""What is a lead sheet of a piece? Its melody, and beside it all other pitched notes: the chords, or what plays them.

Conventions: the two have programs of their own, so that tokens which hold instruments tell them apart whatever the
piece calls its tracks; the melody is a line. Drums are left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqaudio.music.chords import CHORD_TRACK
from seqaudio.music.melody import cut_where_next_begins, find_melody_notes
from seqaudio.music.score import Score

MELODY_PROGRAM, CHORDS_PROGRAM = 73, 0  # flute and piano, which sound well together where nothing else is known
MELODY_TRACK = "melody"


def lead_sheet(score: Score) -> Score:
    """A piece as two tracks, ``melody`` and ``chords``, the second empty where there is nothing but the melody.

    Raises:
        NoNotesError: the score has no pitched notes.
    """
    is_melody, _ = find_melody_notes(score)
    melody = cut_where_next_begins(score.notes(is_melody))
    beside = score.notes(~is_melody & ~score.is_drum)

    def column(name: str) -> NDArray[np.int64]:
        both: NDArray[np.int64] = np.concatenate([getattr(melody, name), getattr(beside, name)])
        return both

    of_melody = np.repeat([True, False], [len(melody), len(beside)])
    return score.replaced(
        **{name: column(name) for name in ("onset", "duration", "pitch", "velocity")},
        program=np.where(of_melody, MELODY_PROGRAM, CHORDS_PROGRAM),
        is_drum=np.zeros(len(of_melody), dtype=bool),
        track=np.where(of_melody, 0, 1),
        track_names=(MELODY_TRACK, CHORD_TRACK),
        pedals=np.zeros((0, 3), np.int64),  # they belong to tracks, which are others now
    )


def with_names(score: Score) -> Score:
    """A lead sheet that comes from tokens, a track for each program, with the names of its tracks."""
    tracks = range(len(score.track_names))
    sung = set(score.track[score.program == MELODY_PROGRAM].tolist())
    return score.replaced(track_names=tuple(MELODY_TRACK if track in sung else CHORD_TRACK for track in tracks))
