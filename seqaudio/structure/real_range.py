"""Is a value like that of real music? Read on both sides: too much is as far from it as too little.

Conventions: a set of real pieces gives a range, from the value that one piece in twenty falls below to the one that
one in twenty exceeds. Whether a model's pieces are like real ones is a matter of many pieces; single real ones fall
outside, too, one in ten of them for every measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import OptionError

Place = Literal["below", "within", "above", "undefined"]

SHARE = 0.9  # of the real pieces lie within
FEWEST_PIECES = 8
"""Real pieces that it takes to say what is usual: the range of fewer says nothing."""


@dataclass(frozen=True)
class RealRange:
    """Where the values of real pieces lie.

    Attributes:
        low, median, high: 5 %, half and 95 % of the pieces have less.
        pieces: how many had a value.
    """

    low: float
    median: float
    high: float
    pieces: int

    @classmethod
    def of(cls, values: ArrayLike) -> RealRange:
        """The range of the values of real pieces, shape (pieces,); NaN are left out.

        Raises:
            OptionError: there is no value.
        """
        row = np.asarray(values, dtype=np.float64).reshape(-1)
        row = row[~np.isnan(row)]
        if not len(row):
            raise OptionError("no real piece has a value; give pieces with notes")
        low, median, high = np.quantile(row, [(1 - SHARE) / 2, 0.5, (1 + SHARE) / 2]).tolist()
        return cls(low, median, high, len(row))

    def place(self, value: float) -> Place:
        """Where a value is: "below", "within" or "above" the range; "undefined" for NaN."""
        if np.isnan(value):
            return "undefined"
        return "below" if value < self.low else "above" if value > self.high else "within"

    def gap(self, value: float) -> float:
        """How far a value is from that of the middle real piece, with its sign."""
        return value - self.median


def real_ranges(evaluations: Iterable[Mapping[str, float]]) -> dict[str, RealRange]:
    """The range of each measure that any of the evaluations of real pieces has a value for."""
    rows: dict[str, list[float]] = {}
    for evaluation in evaluations:
        for name, value in evaluation.items():
            rows.setdefault(name, []).append(value)
    return {name: RealRange.of(values) for name, values in rows.items() if not np.isnan(values).all()}


def auc(real: ArrayLike, other: ArrayLike) -> float:
    """How often a real piece has a higher value than another: 0.5 cannot tell, 1 always higher, 0 always lower.

    Equal values count one half. Source: J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a
    receiver operating characteristic (ROC) curve", Radiology 143(1), 1982.

    Args:
        real: values of real pieces, shape (pieces,).
        other: values of other pieces, shape (others,).
    """
    first: NDArray[np.float64] = np.asarray(real, dtype=np.float64)[:, None]
    second: NDArray[np.float64] = np.asarray(other, dtype=np.float64)[None]
    return float(((first > second) + 0.5 * (first == second)).mean())
