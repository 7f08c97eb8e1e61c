"""How far back does a model listen? Its nats against what was left of the past, a line for each way to change it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqaudio.memory.effective import WORDS, Context
from seqaudio.report.pianoroll import picture_kind, write_picture

LOOKS = {
    "cut": ("#d1642e", "-", "o"),
    "shuffled": ("#4878a8", "--", "s"),
    "replaced": ("#5a8f4e", "-.", "^"),
    "transposed": ("#8a5aa0", ":", "D"),
    "reset": ("#404040", (0, (6, 2)), "v"),
}


def draw_contexts(told: dict[str, Context], full: float, path: str | Path, title: str, unit: str, step: str) -> None:
    """Draw nats against what was left of the past, as PNG, SVG or PDF.

    Args:
        told: what :func:`seqaudio.memory.effective.contexts` says.
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
