"""Where does the sustain pedal stand among the notes of a grid?

Conventions: on the grid a pedal belongs to a voice (see ``bars_notes.py``), so the pedals of several tracks of one
program become one, which is down while any of them is. Drums have no pedal.
"""

from __future__ import annotations

import numpy as np

from seqaudio.compiled import compiled
from seqaudio.music.pedals import VOICES
from seqaudio.music.score import IntArray, Score
from seqaudio.tokens.bars_notes import LAST_STEP
from seqaudio.tokens.metre import STEPS_PER_QUARTER, to_steps


def spans_on_grid(score: Score, voice: IntArray, end: int) -> tuple[IntArray, int, int]:
    """The pedal spans of every voice before the step ``end``: steps of down and up, and the voice, shape (spans, 3).

    Sorted by voice and time; the spans of a voice do not overlap. One that is still down at ``end`` lifts there. A span
    counts once for each voice that its track plays, and once if it plays none.

    Returns:
        The spans; how many of them were moved; how many of the score's are no spans of their own.
    """
    pairs = np.unique((score.track * VOICES + voice)[~score.is_drum])  # each voice of each track
    tick, duration, track = score.pedals.T
    low = np.searchsorted(pairs // VOICES, track, side="left")
    copies = np.searchsorted(pairs // VOICES, track, side="right") - low
    nth = np.arange(copies.sum()) - np.repeat(np.cumsum(copies) - copies, copies)
    voice_of = pairs[np.repeat(low, copies) + nth] % VOICES
    tpq = score.ticks_per_quarter
    ticks = np.column_stack([tick, tick + duration]).repeat(copies, axis=0)
    steps = to_steps(np.minimum(ticks, LAST_STEP // STEPS_PER_QUARTER * tpq), tpq)
    rows = np.column_stack([steps, voice_of, (ticks * STEPS_PER_QUARTER != steps * tpq)])
    rows = rows[np.lexsort((ticks[:, 1], ticks[:, 0], voice_of))]
    spans, moved = _joined(rows, end)
    return spans, moved, len(rows) + int((copies == 0).sum()) - len(spans)


@compiled
def _joined(rows: IntArray, end: int) -> tuple[IntArray, int]:
    """Spans of at least a step from rows (down, up, voice, was down moved, was up moved), sorted by voice and time.

    Returns:
        The spans, and how many of them are not where their first row was.
    """
    spans = np.empty((len(rows), 3), np.int64)
    count = moved = 0
    for i in range(len(rows)):
        down, up, voice = int(rows[i, 0]), int(rows[i, 1]), int(rows[i, 2])
        if down >= end:
            continue
        lifted = min(max(up, down + 1), end)
        if count and spans[count - 1, 2] == voice and down < spans[count - 1, 1]:
            spans[count - 1, 1] = max(int(spans[count - 1, 1]), lifted)
            continue
        spans[count, 0], spans[count, 1], spans[count, 2] = down, lifted, voice
        moved += rows[i, 3] != 0 or rows[i, 4] != 0 or lifted != up
        count += 1
    return spans[:count], moved
