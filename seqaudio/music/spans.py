"""Which stretches of time stay when overlapping ones of one key become one?

Conventions: a span is ``[start, end)`` in whole steps or ticks, with an integer key (a pitch, a track, a program) that
says which spans concern each other. Columns have shape (spans,).
"""

from __future__ import annotations

import numpy as np

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
    if not len(key):
        return key, start, end
    order = np.lexsort((start, key))
    key, start, end = key[order], start[order], end[order]
    beyond = int(end.max()) + 1
    group = np.unique(key, return_inverse=True)[1].reshape(-1)
    reach = np.maximum.accumulate(end + group * beyond)  # the keys' reaches cannot mix: each has a range of its own
    gap = start + group * beyond - np.append(-1, reach[:-1])
    first = np.flatnonzero((gap > 0 if touching else gap >= 0) | np.append(True, key[1:] != key[:-1]))
    last = np.append(first[1:], len(key)) - 1
    return key[first], start[first], reach[last] - group[last] * beyond
