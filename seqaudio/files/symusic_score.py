"""How does a symusic score become ours?

Conventions: ticks as in the source. symusic clips nothing, so what a Score cannot hold is settled here: notes and
pedals of 0 ticks last 1, velocity 0 becomes 1, and time signatures without beats are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.files.midi_scan import clean_name
from seqaudio.music.score import Score

if TYPE_CHECKING:
    from symusic.core import ScoreTick


def score_from_symusic(source: ScoreTick) -> Score:
    """A score from a ``symusic.Score`` in ticks: one track for each of its tracks, in order.

    Raises:
        OptionError: it holds ticks below 0.
    """
    tracks = source.tracks
    lengths = [len(track.notes) for track in tracks]
    notes = _columns([track.notes for track in tracks], ("time", "duration", "pitch", "velocity"))
    pedals = _columns([track.pedals for track in tracks], ("time", "duration"))
    pedal_track = np.repeat(np.arange(len(tracks)), [len(track.pedals) for track in tracks])
    metres = [(m.time, m.numerator, m.denominator) for m in source.time_signatures]
    return Score.from_notes(
        notes[0],
        np.maximum(notes[1], 1),
        notes[2],
        velocity=np.maximum(notes[3], 1),
        program=np.repeat(np.array([track.program for track in tracks], dtype=np.int64), lengths),
        is_drum=np.repeat(np.array([track.is_drum for track in tracks], dtype=np.bool_), lengths),
        track=np.repeat(np.arange(len(tracks)), lengths),
        ticks_per_quarter=source.ticks_per_quarter,
        tempos=[(tempo.time, tempo.mspq) for tempo in source.tempos if tempo.mspq > 0],
        time_signatures=[metre for metre in metres if min(metre[1:]) > 0],
        pedals=np.column_stack([pedals[0], np.maximum(pedals[1], 1), pedal_track]),
        track_names=[clean_name(track.name) for track in tracks],
    )


def _columns(lists: list[Any], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Named columns of symusic lists, end to end, shape (names, entries)."""
    arrays = [events.numpy() for events in lists]
    empty = np.zeros(0, dtype=np.int64)
    return np.stack([np.concatenate([empty, *(array[name] for array in arrays)]) for name in names])
