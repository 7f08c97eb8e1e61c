"""How long a run of frames does a roll share with the training pieces, in any key?

Conventions: frames are bool (steps, keys). A run is counted in changes: successive frames that are equal are one, told
by which keys sound above the lowest, how far the lowest moved, and how many frames they stand. So a chord held for two
bars is no longer a copy than one of two frames, and one that is held differently is no copy. See
``seqaudio.structure.copying``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from seqaudio.music.frames import Frames
from seqaudio.structure import RunIndex

UNKNOWN = -1  # a change that no training piece has


class TrainingRuns:
    """Training pieces as runs of changes, in any key, among which the longest shared one is found."""

    def __init__(self, pieces: Sequence[Frames]) -> None:
        self._numbers: dict[object, int] = {}
        rows = [
            [self._numbers.setdefault(change, len(self._numbers)) for _, change in changes(piece)] for piece in pieces
        ]
        bounds = np.cumsum([0, *map(len, rows)])
        self._index = RunIndex.build(np.array([number for row in rows for number in row], np.int64), bounds)

    def longest(self, roll: Frames, begin: int) -> int:
        """How many changes that begin at frame ``begin`` or behind it some training piece has in a row too."""
        row = [self._numbers.get(change, UNKNOWN) for step, change in changes(roll) if step >= begin]
        return self._index.longest_run(np.array(row, np.int64)).length


def changes(roll: Frames) -> Iterator[tuple[int, tuple[bytes, int | None, int]]]:
    """Each run of equal frames: its first step, and what is the same in every key.

    The latter: the keys above the lowest, by how many keys that moved from the one before (None: of the first), and how
    many frames they stand. A rest has no lowest key; the move after it is from what sounded before.
    """
    begins = np.flatnonzero(np.append(True, (roll[1:] != roll[:-1]).any(axis=1))[: len(roll)])
    before: int | None = None
    for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(roll)], strict=True):
        keys = np.flatnonzero(roll[begin])
        if not len(keys):
            yield begin, (b"", 0, end - begin)
            continue
        lowest = int(keys[0])
        yield begin, ((keys - lowest).tobytes(), None if before is None else lowest - before, end - begin)
        before = lowest
