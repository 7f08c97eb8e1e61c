"""How far back does a model listen, beyond doubt? Effective contexts with intervals, and their picture.

Conventions: nats come from :func:`seqaudio.memory.contexts.context_nats`. An effective context is the smallest size
measured from which on the nats stay within a share (1 %) of those with the whole piece as it is, above or below;
infinite where even the largest size is outside. Intervals are 95 % bootstraps over pieces; one piece has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seqaudio.memory.contexts import ContextNats
from seqaudio.report.pianoroll import picture_kind, write_picture
from seqaudio.report.statistics import RESAMPLES, drawn_means, ends

Floats = NDArray[np.float64]

WITHIN = 0.01
WORDS = {
    "cut": "not heard",
    "shuffled": "in random order",
    "replaced": "another piece's",
    "transposed": "in another key",
    "reset": "as it is; state zeroed every n",
}
LOOKS = {
    "cut": ("#d1642e", "-", "o"),
    "shuffled": ("#4878a8", "--", "s"),
    "replaced": ("#5a8f4e", "-.", "^"),
    "transposed": ("#8a5aa0", ":", "D"),
    "reset": ("#404040", (0, (6, 2)), "v"),
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


def draw_contexts(told: dict[str, Context], full: float, path: str | Path, title: str, unit: str, step: str) -> None:
    """Draw nats against what was left of the past, as PNG, SVG or PDF.

    Args:
        told: what :func:`contexts` says.
        full: nats a step with the whole piece.
        path: the picture; its suffix decides the format.
        title: whose it is.
        unit: of the sizes: bars, tokens, frames.
        step: what the nats are counted by: token or frame.

    Raises:
        OptionError: the suffix is none that can be drawn.
        BadFileError: the picture cannot be written.
    """
    picture_kind(path)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(full, color="0.6", linewidth=1.2, zorder=0, label=f"as it is: {full:.3f}")
    for name, context in told.items():
        _draw_context(axes, name, context)
    _finish(axes, max(context.sizes[-1] for context in told.values()), title, unit, step)
    write_picture(figure, path)


def _draw_context(axes: Axes, name: str, context: Context) -> None:
    colour, style, marker = LOOKS[name]
    reached = math.isfinite(context.effective)
    life = f"{context.effective:g}" if reached else f"over {context.sizes[-1]}"
    looks: dict[str, Any] = {"color": colour, "ls": style, "marker": marker, "markersize": 4, "linewidth": 1.6}
    axes.plot(context.sizes, context.nats, label=f"{name}: {WORDS[name]} ({life})", **looks)
    if reached:
        nats = context.nats[context.sizes.index(int(context.effective))]
        axes.plot(context.effective, nats, "o", markersize=11, markerfacecolor="none", markeredgecolor=colour)


def _finish(axes: Axes, longest: int, title: str, unit: str, step: str) -> None:
    ticks = [2**power for power in range(longest.bit_length())]
    axes.set_xscale("log", base=2)
    axes.set_xlim(0.9, max(longest, 2) * 1.15)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel(f"n: {unit} right before that are as they are (ring: effective context)")
    axes.set_ylabel(f"nats per {step}")
    axes.set_ylim(bottom=0)
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="best", fontsize=8.5, title="what is further back", alignment="left")
