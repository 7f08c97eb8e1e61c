"""Which tempos can be written, and where does a tempo map change on the grid?

The tempos are the marks of a metronome, 16 to the octave, from 20 to 304 quarter notes per minute. A tempo goes to the
mark of nearest ratio, at the nearest step. Without a tempo 120 holds, as in a MIDI file, so a piece that begins at 120
needs no token for it.
"""

from __future__ import annotations

from itertools import pairwise
from math import isqrt

import numpy as np

from seqaudio.compiled import compiled
from seqaudio.music.score import DEFAULT_TEMPO_US, IntArray
from seqaudio.tokens.bars.metre import STEPS_PER_QUARTER

_OCTAVE = (40, 42, 44, 46, 48, 50, 52, 54, 56, 58, 60, 63, 66, 69, 72, 76)  # Maelzel's numbers
MARKS_QPM = tuple(mark * octave for octave in (0.5, 1, 2, 4) for mark in _OCTAVE)
MARKS_US = np.array([round(6e7 / mark) for mark in MARKS_QPM])  # microseconds per quarter, falling
PLAIN_MARK = MARKS_US.tolist().index(DEFAULT_TEMPO_US)
_BOUNDS_US = np.sort([isqrt(us * faster) for us, faster in pairwise(MARKS_US.tolist())])  # up to here the faster one


@compiled
def tempos_on_grid(tempos: IntArray, ticks_per_quarter: int, end: int) -> tuple[IntArray, int, int]:
    """The changes of tempo before the step ``end``, as step and index of a mark, shape (changes, 2).

    ``tempos`` are tick and microseconds per quarter, sorted by tick. Of several changes at one step the last holds.

    Returns:
        The changes; how many rows of ``tempos`` went to another tempo; how many are left out.
    """
    changes = np.empty((len(tempos), 2), np.int64)
    count = rounded = dropped = 0
    mark = PLAIN_MARK
    last_tick = end * ticks_per_quarter // STEPS_PER_QUARTER  # no tick behind it is multiplied, lest it overflow
    for i in range(len(tempos)):
        tick, us = int(tempos[i, 0]), int(tempos[i, 1])
        step = _step(tick, ticks_per_quarter) if tick <= last_tick else end
        replaced = i + 1 < len(tempos) and tempos[i + 1, 0] <= last_tick
        if step >= end or (replaced and _step(int(tempos[i + 1, 0]), ticks_per_quarter) == step):
            dropped += 1
            continue
        nearest = len(_BOUNDS_US) - int(np.searchsorted(_BOUNDS_US, us))
        rounded += us != MARKS_US[nearest]
        if nearest != mark:
            changes[count, 0], changes[count, 1] = step, nearest
            mark = nearest
            count += 1
    return changes[:count], rounded, dropped


def _step(tick: int, ticks_per_quarter: int) -> int:
    """The nearest step, halves up."""
    return (2 * STEPS_PER_QUARTER * tick + ticks_per_quarter) // (2 * ticks_per_quarter)
