"""Which part of the primer plays which new note, where a model knows the notes of all parts together?

Conventions: the parts of a piece are its tracks that have notes, from the lowest to the highest by the middle pitch of
their last notes. Notes that begin together are given to parts in that order, no part above one that is lower; each is
as near as may be to the last pitch of its part, and a part that still sounds, or already has a note, takes another one
only where the way to a free part is longer than two octaves. It is the best way through a small table, note by note.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqaudio.music.score import IntArray, Score

RECENT_NOTES = 32  # of each part tell where it lies
CLASH = 24  # semitones: what a second note at a time costs a part


def parts(voice: Score) -> IntArray:
    """The tracks with notes, the lowest part first, shape (parts,)."""
    tracks = np.unique(voice.track)
    middle = [np.median(voice.pitch[voice.track == track][-RECENT_NOTES:]) for track in tracks.tolist()]
    lowest_first: IntArray = tracks[np.argsort(middle, kind="stable")]
    return lowest_first


def part_columns(voice: Score, new: Score) -> dict[str, object]:
    """Track, program and track names of new notes: a track for each of the :func:`parts`, in their order."""
    tracks = parts(voice)
    last = [np.flatnonzero(voice.track == track)[-1] for track in tracks.tolist()]
    part = given_to(voice.pitch[last], new)
    names = [voice.track_names[track] for track in tracks.tolist()]
    return {"track": part, "program": voice.program[last][part], "track_names": names}


def given_to(last_pitches: IntArray, new: Score) -> IntArray:
    """The part of each new note, shape (notes,), given the last pitch of each part, the lowest part first."""
    part = np.zeros(len(new), dtype=np.int64)
    pitches, sounds_until = last_pitches.astype(float), np.zeros(len(last_pitches))
    order = np.lexsort((new.pitch, new.onset))
    for group in np.split(order, np.flatnonzero(np.diff(new.onset[order])) + 1):
        if not len(group):
            continue
        busy = CLASH * (sounds_until > new.onset[group[0]])
        chosen = _best(np.abs(new.pitch[group, None] - pitches) + busy)
        part[group] = chosen
        pitches[chosen] = new.pitch[group]
        sounds_until[chosen] = np.maximum(sounds_until[chosen], (new.onset + new.duration)[group])
    return part


def _best(costs: NDArray[np.float64]) -> IntArray:
    """The cheapest part of each note, never falling from note to note: (notes, parts) -> (notes,)."""
    notes, count = costs.shape
    from_part = np.triu(np.zeros((count, count)) + np.diag(np.full(count, CLASH)))  # from the lower note's part
    from_part[np.tril_indices(count, -1)] = np.inf
    total, came = costs[0], np.zeros((notes, count), dtype=np.int64)
    for note in range(1, notes):
        ways = total[:, None] + from_part
        came[note] = ways.argmin(axis=0)
        total = ways.min(axis=0) + costs[note]
    chosen = [int(total.argmin())]
    for note in range(notes - 1, 0, -1):
        chosen.append(int(came[note, chosen[-1]]))
    return np.array(chosen[::-1])
