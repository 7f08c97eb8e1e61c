"""Which piece does each of several parallel streams read, and when?

Pieces are dealt in random order, each to the stream that is free first. A piece of n tokens has n - 1 places to learn
from: each input with the token that follows it. Unless ``packed``, a piece begins at the beginning of a window, so a
model's state needs setting back between windows only, and the places behind its end stay empty. ``packed`` leaves empty
the place of each piece's last token alone, which nothing follows, and sets back inside windows.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StreamPlan:
    """One epoch of parallel streams.

    Attributes:
        starts, pieces: for each stream the places where its pieces begin, rising, and the number of each piece.
        windows: windows until every stream is at its end.
    """

    starts: tuple[list[int], ...]
    pieces: tuple[list[int], ...]
    windows: int

    def parts(self, stream: int, begin: int, end: int) -> list[tuple[int, int]]:
        """The pieces that begin before ``end`` and may reach past ``begin`` in a stream: (number, its start)."""
        starts, pieces = self.starts[stream], self.pieces[stream]
        first = max(bisect_right(starts, begin) - 1, 0)
        last = bisect_right(starts, end - 1, first)
        return [(pieces[i], starts[i]) for i in range(first, last)]


def deal(
    lengths: NDArray[np.int64], streams: int, window: int, generator: np.random.Generator, *, packed: bool
) -> StreamPlan:
    """Deal pieces of these lengths (in tokens) to the streams; pieces with nothing to predict are left out."""
    starts: tuple[list[int], ...] = tuple([] for _ in range(streams))
    pieces: tuple[list[int], ...] = tuple([] for _ in range(streams))
    free = [(0, stream) for stream in range(streams)]  # a heap: when each stream is free
    for piece in generator.permutation(len(lengths)).tolist():
        places = int(lengths[piece]) - 1
        if places < 1:
            continue
        at, stream = free[0]
        starts[stream].append(at)
        pieces[stream].append(piece)
        taken = places + 1 if packed else -(-places // window) * window
        heapq.heapreplace(free, (at + taken, stream))
    return StreamPlan(starts, pieces, -(-max(free)[0] // window))
