"""How much is recalled at each distance, and where is it one half?

Conventions: recall is 1 where everything is held and 0 where nothing is: for a task the share of right answers beyond
chance, (share - chance) / (1 - chance); for motifs in a trained model the share of their nats that hearing them before
saves. The 50 % lag is the distance at which the mean recall first comes down to one half, on a straight line between
the distances measured; infinite where it does not, 0 where it is not above it to begin with. Intervals are 95 %
bootstraps over seeds, or over pieces; where there is one alone it has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.memory.bootstrap import RESAMPLES, drawn_means, ends, finite
from seqaudio.memory.motifs import MotifNats

Floats = NDArray[np.float64]

HALF = 0.5


@dataclass(frozen=True)
class Recall:
    """How much is recalled at each distance.

    Attributes:
        distances: (distances,).
        recall: mean, (distances,).
        low, high: ends of the intervals, (distances,); None of a single seed or piece.
        lag: at which one half is recalled.
        lag_ends: of its interval; None of a single seed or piece.
    """

    distances: tuple[int, ...]
    recall: Floats
    low: Floats | None
    high: Floats | None
    lag: float
    lag_ends: tuple[float, float] | None

    def lag_words(self, form: str = ".3g") -> str:
        """The 50 % lag and its interval: 3.1 (2.5 to over 128); under 50; none, where half is recalled nowhere."""

        def said(lag: float) -> str:
            if lag == 0:
                return f"under {self.distances[0]}" if self.distances[0] else "none"
            return f"{lag:{form}}" if math.isfinite(lag) else f"over {self.distances[-1]}"

        lag, ends = said(self.lag), [said(end) for end in self.lag_ends or ()]
        return f"{lag} ({ends[0]} to {ends[1]})" if set(ends) - {lag} else lag

    def facts(self) -> dict[str, Any]:
        """All of it as JSON can hold it: null for a lag beyond the longest distance."""
        return {
            "distances": list(self.distances),
            "recall": self.recall.tolist(),
            "low": None if self.low is None else self.low.tolist(),
            "high": None if self.high is None else self.high.tolist(),
            "lag": finite(self.lag),
            "lag_interval": None if self.lag_ends is None else [finite(end) for end in self.lag_ends],
        }


def recall_of_seeds(
    distances: Sequence[int], shares: Floats, chance: float, *, resamples: int = RESAMPLES, seed: int = 0
) -> Recall:
    """Recall in a task.

    Args:
        distances: (distances,).
        shares: of right answers, (seeds, distances).
        chance: share of a network that holds nothing.
        resamples: how many bootstrap samples.
        seed: of the draws.
    """
    beyond = (np.asarray(shares, np.float64) - chance) / (1 - chance)
    drawn = drawn_means(beyond, resamples=resamples, seed=seed) if len(beyond) > 1 else None
    return _told(distances, beyond.mean(axis=0), drawn)


def recall_of_motifs(found: MotifNats, *, resamples: int = RESAMPLES, seed: int = 0) -> Recall:
    """Recall of motifs by a trained model, pooled over pieces."""
    rows = np.stack([found.heard, found.control], axis=1)  # (pieces, 2, distances)
    drawn = _saved(drawn_means(rows, resamples=resamples, seed=seed)) if len(rows) > 1 else None
    return _told(found.distances, _saved(rows.mean(axis=0)), drawn)


def half_lag(distances: Sequence[int], recall: Floats) -> Floats:
    """Where curves (..., distances) first come down to one half, see the conventions."""
    places = np.asarray(distances, np.float64)
    below = recall <= HALF
    first = below.argmax(axis=-1)
    before = np.maximum(first - 1, 0)
    low, high = (np.take_along_axis(recall, at[..., None], axis=-1)[..., 0] for at in (first, before))
    part = np.divide(high - HALF, high - low, out=np.zeros_like(high), where=high > low)
    lags = np.where(first > 0, places[before] + part * (places[first] - places[before]), 0.0)
    found: Floats = np.where(below.any(axis=-1), lags, math.inf)
    return found


def _saved(nats: Floats) -> Floats:
    """Of nats with a motif heard and without it, (..., 2, distances), the share that is saved, (..., distances)."""
    heard, control = nats[..., 0, :], nats[..., 1, :]
    shares: Floats = np.divide(control - heard, control, out=np.zeros_like(control), where=control > 0)
    return shares


def _told(distances: Sequence[int], mean: Floats, drawn: Floats | None) -> Recall:
    low = high = lag_ends = None
    if drawn is not None:
        low, high = ends(drawn)
        shortest, longest = ends(half_lag(distances, drawn))
        lag_ends = (float(shortest), float(longest))
    return Recall(tuple(distances), mean, low, high, float(half_lag(distances, mean)), lag_ends)
