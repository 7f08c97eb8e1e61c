"""How much of what stands right before a frame stood before in its piece, and how likely are frames by that?

Conventions: pieces are bool frames (steps, keys); every frame but the first is predicted. The stratum of a predicted
frame is that of the longest match of the frames before it: the longest suffix of them that also ended earlier in the
piece (``suffix_match``). The frame itself is not looked at, so this is what a memory could use. A sum of nats is kept
for each stratum and piece, so that tables can pool them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.models.match_memory import Memory

STRATA = {"0 to 3": 0, "4 to 7": 4, "8 to 31": 8, "32 on": 32}
"""The shortest match of each, in frames, by name."""


def strata(piece: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each frame but the first the number of its stratum, (steps - 1,)."""
    lengths = Memory().recall(piece).lengths[:-1, 0]  # what is told at a frame is about the next
    found: NDArray[np.int64] = np.searchsorted(list(STRATA.values()), lengths, side="right") - 1
    return found


def by_stratum(pieces: Sequence[NDArray[np.bool_]], nats: Sequence[NDArray[Any]]) -> list[list[float]]:
    """Sums of a number for every frame but the first, such as nats, (strata, pieces); counts of frames from ones."""
    numbers = [strata(piece) for piece in pieces]
    return [
        [round(float(row[number == which].sum()), 3) for row, number in zip(nats, numbers, strict=True)]
        for which in range(len(STRATA))
    ]
