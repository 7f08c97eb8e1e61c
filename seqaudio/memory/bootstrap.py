"""How sure is a figure that is no pooled mean itself, such as where a curve falls to one half?

Conventions: the unit is the piece. The figure is taken of the mean over each bootstrap sample of pieces, and its
interval is from the 2.5th to the 97.5th percentile of what comes out.

Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 10_000
LEVEL = 0.95

Floats = NDArray[np.float64]


def drawn_means(rows: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """The mean over pieces of each bootstrap sample: (pieces, ...) to (resamples, ...).

    For a figure that is no pooled mean itself, such as where a curve falls to one half: take it of every sample, and
    then the :func:`ends`.
    """
    table = np.asarray(rows, np.float64)
    pieces = len(table)
    times = np.random.default_rng(seed).multinomial(pieces, np.full(pieces, 1 / pieces), resamples)
    means: Floats = np.tensordot(times / pieces, table, axes=1)
    return means


def ends(drawn: ArrayLike) -> tuple[Floats, Floats]:
    """The ends of the 95 % interval of figures drawn, (resamples, ...): drawn values themselves, so infinity may be."""
    figures = np.asarray(drawn, np.float64)
    low, high = np.quantile(figures, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0, method="nearest")
    return low, high


def finite(value: float) -> float | None:
    """A figure as JSON holds it: None for what lies beyond all that was measured, or is undefined."""
    return float(value) if math.isfinite(value) else None
