"""Where does the sustain pedal stand among the notes of a grid?

Conventions: on the grid a pedal belongs to a voice (see ``notes.py``), so the pedals of several tracks of one
program become one, which is down while any of them is. Drums have no pedal.
"""

from __future__ import annotations

import numpy as np

from seqaudio.music.pedals import spans_of_voices
from seqaudio.music.score import IntArray, Score
from seqaudio.music.spans import joined
from seqaudio.music.steps import nearest_steps
from seqaudio.tokens.bars.metre import STEPS_PER_QUARTER
from seqaudio.tokens.bars.notes import LAST_STEP


def spans_on_grid(score: Score, voice: IntArray, end: int) -> tuple[IntArray, int, int]:
    """The pedal spans of every voice before the step ``end``: steps of down and up, and the voice, shape (spans, 3).

    Sorted by voice and time; the spans of a voice do not overlap. One that is still down at ``end`` lifts there. A span
    counts once for each voice that its track plays, and once if it plays none.

    Returns:
        The spans; how many of them were moved; how many of the score's are no spans of their own.
    """
    row, voice, silent = spans_of_voices(score, voice)
    ticks = score.pedals[row, :2].T  # (2, spans): down and up
    ticks[1] += ticks[0]
    order = np.lexsort((ticks[1], ticks[0], voice))
    ticks, voice = ticks[:, order], voice[order]
    tpq = score.ticks_per_quarter
    steps = nearest_steps(np.minimum(ticks, LAST_STEP // STEPS_PER_QUARTER * tpq), tpq, STEPS_PER_QUARTER)
    steps[1] = np.minimum(np.maximum(steps[1], steps[0] + 1), end)
    off = ticks * STEPS_PER_QUARTER != steps * tpq
    moved = off[0] | off[1]
    count = len(row) + silent
    kept = steps[0] < end
    if not kept.all():
        steps, voice, moved = steps[:, kept], voice[kept], moved[kept]
    first, up = joined(voice, steps[0], steps[1], False)
    spans = np.stack([steps[0][first], up, voice[first]], axis=1)
    return spans, int(moved[first].sum()), count - len(spans)
