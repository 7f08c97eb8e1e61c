"""Which stretches of time stay when overlapping ones of one key become one?

Conventions: a span is ``[start, end)`` in whole steps or ticks, with an integer key (a pitch, a track, a program) that
says which spans concern each other. Columns have shape (spans,).
"""

from __future__ import annotations

import numpy as np

from seqaudio.compiled import compiled
from seqaudio.music.score import IntArray


def merged_spans(
    key: IntArray, start: IntArray, end: IntArray, *, touching: bool
) -> tuple[IntArray, IntArray, IntArray]:
    """The spans of each key without overlaps, sorted by (key, start): those that overlap become one.

    Args:
        key: what the spans belong to.
        start: where they begin, in any order.
        end: where they end, at least 1 behind ``start``.
        touching: whether a span that begins where another ends becomes one with it too.
    """
    order = np.lexsort((start, key))
    key, start = key[order], start[order]
    first, reach = joined(key, start, end[order], touching)
    return key[first], start[first], reach


def joined(key: IntArray, start: IntArray, end: IntArray, touching: bool) -> tuple[IntArray, IntArray]:
    """Of spans sorted by (key, start): which of them begin a stretch, and where each stretch ends."""
    # copies are of one kind, contiguous and writable, so one machine code serves all callers
    return _joined(key.copy(), start.copy(), end.copy(), touching)


@compiled
def _joined(key: IntArray, start: IntArray, end: IntArray, touching: bool) -> tuple[IntArray, IntArray]:
    first, reach = np.empty(len(key), np.int64), np.empty(len(key), np.int64)
    count = 0
    for i in range(len(key)):
        if count and key[i] == key[first[count - 1]] and start[i] < reach[count - 1] + touching:
            reach[count - 1] = max(reach[count - 1], end[i])
        else:
            first[count], reach[count] = i, end[i]
            count += 1
    return first[:count], reach[:count]
