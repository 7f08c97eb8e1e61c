"""What did beginnings of pieces that it had not met cost a model? Beside that, other music can be called strange."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

BEGINNING_BARS = 8
FEWEST_PIECES = 8
"""What fewer pieces cost says nothing of what is usual."""


@dataclass(frozen=True)
class Beginnings:
    """Nats per note of the first :data:`BEGINNING_BARS` bars of validation pieces.

    Attributes:
        pieces: how many.
        median, most: of the middle one, and of the one that surprised most.
    """

    pieces: int
    median: float
    most: float

    @classmethod
    def of(cls, nats_per_note: ArrayLike) -> Beginnings | None:
        """Of so many pieces, (pieces,); None where they are too few to say anything."""
        values = np.asarray(nats_per_note, dtype=np.float64)
        if len(values) < FEWEST_PIECES:
            return None
        return cls(len(values), round(float(np.median(values)), 4), round(float(values.max()), 4))
