"""How fast does a model's gradient fade with the lag, and where has it fallen to one half?

Conventions: norms come from :func:`seqaudio.memory.gradients.gradient_norms`, one array (targets, lags, layers, parts)
for each piece. A ratio is a norm over that at lag 1 of the same target; its mean is geometric, over the targets of a
piece and then over pieces, each as much as another. The half-life is the lag at which the mean ratio is first one half,
between lags by a straight line on the log scale; infinite where it is not reached. Intervals are 95 % bootstraps over
pieces; one piece has none. What fell below ``FLOOR`` counts as that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.memory.bootstrap import RESAMPLES, drawn_means, ends

Floats = NDArray[np.float64]

FLOOR = 1e-30
TOTAL = "all"


@dataclass(frozen=True)
class Fading:
    """One line of the picture.

    Attributes:
        name: whose it is: "all" of the state, or a layer's part.
        at_lag_1: geometric mean of the norms at lag 1, nats per unit of the state.
        ratios: geometric means by lag, (lags,).
        low, high: ends of their intervals, (lags,); None of one piece.
        half_life: in steps.
        half_life_ends: of its interval; None of one piece.
    """

    name: str
    at_lag_1: float
    ratios: Floats
    low: Floats | None
    high: Floats | None
    half_life: float
    half_life_ends: tuple[float, float] | None


def fading(norms: Sequence[Floats], parts: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0) -> list[Fading]:
    """How a model's gradient fades: of the whole state first, then of each layer's parts, from the lowest.

    Args:
        norms: of each piece, (targets, lags, layers, parts).
        parts: their names, such as ("h", "c").
        resamples: how many bootstrap samples.
        seed: of the draws.
    """
    layers = norms[0].shape[2]
    found = [_fading(TOTAL, [np.sqrt((each**2).sum(axis=(2, 3))) for each in norms], resamples, seed)]
    for layer in range(layers):
        for place, part in enumerate(parts):
            name = f"{part} of layer {layer + 1}"
            found.append(_fading(name, [each[:, :, layer, place] for each in norms], resamples, seed))
    return found


def half_life(log_ratios: Floats) -> Floats:
    """Where curves of logarithms (..., lags), from lag 1 on, first come down to log 1/2; infinity where they do not."""
    half = math.log(0.5)
    below = log_ratios <= half
    first = below.argmax(axis=-1)[..., None]
    after, before = (np.take_along_axis(log_ratios, np.maximum(first - back, 0), axis=-1) for back in (0, 1))
    fall = before - after
    part = np.divide(before - half, fall, out=np.ones_like(fall), where=fall > 0)
    lags = np.where(first > 0, first + part, 1.0)[..., 0]
    lives: Floats = np.where(below.any(axis=-1), lags, math.inf)
    return lives


def _fading(name: str, norms: Sequence[Floats], resamples: int, seed: int) -> Fading:
    """Of norms (targets, lags) of each piece."""
    logs = np.stack([np.log(_ratios(each)).mean(axis=0) for each in norms])  # (pieces, lags)
    mean = logs.mean(axis=0)
    low = high = life_ends = None
    if len(logs) > 1:
        drawn = drawn_means(logs, resamples=resamples, seed=seed)
        low, high = (np.exp(end) for end in ends(drawn))
        shortest, longest = ends(half_life(drawn))
        life_ends = (float(shortest), float(longest))
    first = math.exp(float(np.mean([np.log(np.maximum(each[:, 0], FLOOR)).mean() for each in norms])))
    return Fading(name, first, np.exp(mean), low, high, float(half_life(mean)), life_ends)


def _ratios(norms: Floats) -> Floats:
    """Norms (targets, lags) over those at lag 1; none at all where there is none to begin with."""
    first = norms[:, :1]
    return np.maximum(np.divide(norms, first, out=np.zeros_like(norms), where=first > 0), FLOOR)


def ratio_words(ratio: float) -> str:
    """A ratio as a table shows it: 0.52, 3e-7, or 0 for what fell to the floor."""
    if ratio >= 0.01:
        return f"{ratio:.2f}"
    return f"{ratio:.0e}".replace("e-0", "e-") if ratio > 10 * FLOOR else "0"
