"""How sure is a figure, and is one model really better than another?

Conventions: the unit of analysis is the piece (or the group of pieces that are versions of one another), for the steps
inside a piece depend on each other. Nats are sums per piece, shape (pieces,), or (seeds, pieces) where a model was
trained from several seeds; weights, (pieces,), are what they are divided by: predicted frames, tokens, notes. A figure
is pooled: the sum of all nats over the sum of all weights. Intervals are percentile bootstraps; every draw comes from
``seed``.

Sources: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval, resampling of
clusters); F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1(6), 1945; S. Holm, "A simple
sequentially rejective multiple test procedure", Scand. J. Statistics 6(2), 1979.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from seqaudio.errors import OptionError
from seqaudio.memory.bootstrap import LEVEL, RESAMPLES

Floats = NDArray[np.float64]

BLOCK = 2**15  # numbers drawn at a time
KEPT = 2**21  # counts of one kind of draw at most, to be kept: 16 MB, of each of four kinds


class Interval(NamedTuple):
    """A pooled figure and the ends of its 95 % interval, nats per unit of weight; ``f"{found:.2f}"`` has all three."""

    mean: float
    low: float
    high: float

    def __format__(self, each: str) -> str:
        """The figure and its interval in brackets, each number as told."""
        return f"{self.mean:{each}} [{self.low:{each}}, {self.high:{each}}]"


class Difference(NamedTuple):
    """By how much a first model's nats exceed a second's on the same pieces.

    Attributes:
        interval: of the pooled difference; below 0 the first is better.
        p: two-sided, of Wilcoxon's signed-rank test on the pieces' own means; 1 where no piece differs.
    """

    interval: Interval
    p: float


def pooled(nats: ArrayLike, weights: ArrayLike) -> float:
    """Sum of nats over sum of weights; the mean over seeds where there are several.

    Args:
        nats: (pieces,) or (seeds, pieces).
        weights: (pieces,).
    """
    nats, weights = _checked(nats, weights)
    return float(nats.mean(axis=0).sum() / weights.sum())


def interval(
    nats: ArrayLike,
    weights: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The pooled figure with its interval over pieces, and over seeds where there are several.

    Args:
        nats: (pieces,) or (seeds, pieces).
        weights: (pieces,).
        groups: a label per piece; pieces of one label are drawn together.
        resamples: how many bootstrap samples.
        seed: of the draws.

    Raises:
        OptionError: the shapes do not fit, or there are no pieces.
    """
    nats, weights = _checked(nats, weights)
    if groups is not None:
        _, label = np.unique(np.asarray(groups), return_inverse=True)
        nats = np.stack([np.bincount(label, weights=row) for row in nats])
        weights = np.bincount(label, weights=weights)
    seeds, pieces = nats.shape
    draws = _kept_draws if resamples * (pieces + seeds) <= KEPT else _draws
    drawn = np.concatenate(
        [
            np.sum(counts @ nats.T * times, axis=1) / (counts @ weights)
            for counts, times in draws(pieces, seeds, resamples, seed)
        ]
    )
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(pooled(nats, weights), float(low), float(high))


def _draws(pieces: int, seeds: int, resamples: int, seed: int) -> Iterator[tuple[Floats, Floats]]:
    """How often each piece was drawn, (block, pieces), and each seed, (block, seeds) as shares, block by block.

    Not all together, which would take gigabytes on a large set.
    """
    generator = np.random.default_rng(seed)
    choices = np.repeat([pieces, seeds], [pieces, seeds])  # of one resample: its pieces, then its seeds
    block = max(1, BLOCK // len(choices))
    for begin in range(0, resamples, block):
        drawn = generator.integers(0, np.tile(choices, (min(block, resamples - begin), 1)))
        yield _counts(drawn[:, :pieces], pieces), _counts(drawn[:, pieces:], seeds) / seeds


def _counts(drawn: NDArray[np.int64], choices: int) -> Floats:
    """How often each of the choices stands in each row."""
    rows = np.arange(len(drawn))[:, None] * choices
    return np.bincount((drawn + rows).ravel(), minlength=len(drawn) * choices).reshape(-1, choices).astype(np.float64)


@lru_cache(maxsize=4)
def _kept_draws(pieces: int, seeds: int, resamples: int, seed: int) -> tuple[tuple[Floats, Floats], ...]:
    """The same, drawn once for all figures of a page, which have the same pieces and seeds."""
    return tuple(_draws(pieces, seeds, resamples, seed))


def difference(
    first: ArrayLike, second: ArrayLike, weights: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """How the nats of two models differ, piece by piece; what is common to a piece cancels.

    Args:
        first: (pieces,) or (seeds, pieces).
        second: likewise, of the same pieces; of other seeds if need be.
        weights: (pieces,).
        resamples: how many bootstrap samples.
        seed: of the draws.

    Raises:
        OptionError: the shapes do not fit.
    """
    first, weights = _checked(first, weights)
    second, _ = _checked(second, weights)
    if len(first) == len(second):  # seed i of one beside seed i of the other
        apart = first - second
    else:
        apart = (first[:, None] - second[None]).reshape(-1, len(weights))
    per_piece = apart.mean(axis=0) / np.maximum(weights, 1e-12)
    p = float(stats.wilcoxon(per_piece).pvalue) if np.any(per_piece != 0) else 1.0
    return Difference(interval(apart, weights, resamples=resamples, seed=seed), p)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of a family of tests, each adjusted so that all claims together err in at most 5 % (Holm)."""
    order = np.argsort(p_values, kind="stable")
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, number in enumerate(order.tolist()):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[number]))
        adjusted[number] = highest
    return adjusted


def _checked(nats: ArrayLike, weights: ArrayLike) -> tuple[Floats, Floats]:
    """Nats as (seeds, pieces) and weights as (pieces,)."""
    rows, scale = np.atleast_2d(np.asarray(nats, np.float64)), np.asarray(weights, np.float64)
    if rows.ndim != 2 or scale.ndim != 1 or rows.shape[1] != len(scale) or not len(scale):
        raise OptionError(
            f"nats of shape {np.shape(nats)} and weights of shape {np.shape(weights)}; "
            "they must be (pieces,) or (seeds, pieces), and (pieces,), of the same pieces"
        )
    return rows, scale
