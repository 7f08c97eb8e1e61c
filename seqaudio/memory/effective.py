"""How far back does a model listen, beyond doubt? Effective contexts, with intervals.

Conventions: nats come from :func:`seqaudio.memory.contexts.context_nats`. An effective context is the smallest size
measured from which on the nats stay within a share (1 %) of those with the whole piece as it is, above or below;
infinite where even the largest size is outside. Intervals are 95 % bootstraps over pieces; one piece has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.memory.bootstrap import RESAMPLES, drawn_means, ends
from seqaudio.memory.contexts import ContextNats

Floats = NDArray[np.float64]

WITHIN = 0.01
WORDS = {
    "cut": "not heard",
    "shuffled": "in random order",
    "replaced": "another piece's",
    "transposed": "in another key",
    "reset": "as it is; state zeroed every n",
}


@dataclass(frozen=True)
class Context:
    """What one way of changing the past says.

    Attributes:
        sizes: how many units before a target were left as they are.
        nats: nats a step at each, (sizes,).
        effective: the effective context, in units.
        ends: of its interval; None of one piece.
    """

    sizes: tuple[int, ...]
    nats: Floats
    effective: float
    ends: tuple[float, float] | None


def contexts(
    found: ContextNats, *, within: float = WITHIN, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Context]:
    """The effective contexts by name, of pooled nats.

    Args:
        found: of some pieces.
        within: by which share nats may differ from those with the whole piece.
        resamples: how many bootstrap samples.
        seed: of the draws.
    """
    told = {}
    for name, curve in found.curves.items():
        rows = np.concatenate([curve.nats, found.full[None]]).T  # (pieces, sizes + 1)
        pooled = rows.sum(axis=0)
        interval = None
        if len(rows) > 1:
            drawn = drawn_means(rows, resamples=resamples, seed=seed)
            low, high = ends(effective(drawn[:, :-1], drawn[:, -1], curve.sizes, within))
            interval = (float(low), float(high))
        told[name] = Context(
            curve.sizes,
            pooled[:-1] / found.steps.sum(),
            float(effective(pooled[:-1], pooled[-1], curve.sizes, within)),
            interval,
        )
    return told


def effective(nats: Floats, full: Floats, sizes: Sequence[int], within: float) -> Floats:
    """The smallest size from which on nats (..., sizes) stay within a share of ``full`` (...); infinity for none."""
    far = np.abs(nats - full[..., None]) > within * full[..., None]
    behind_last = far.shape[-1] - far[..., ::-1].argmax(axis=-1)  # where any is far
    first = np.where(far.any(axis=-1), behind_last, 0)
    found: Floats = np.append(np.asarray(sizes, np.float64), math.inf)[first]
    return found
