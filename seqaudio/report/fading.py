"""How fast does a model's gradient fade? Ratios against the lag on a log scale, with where they fall to one half."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqaudio.memory.fading import Fading, ratio_words
from seqaudio.report.pianoroll import picture_kind, write_picture

COLOURS = ("#d1642e", "#4878a8", "#5a8f4e", "#8a5aa0", "#8c6d31", "#404040")
STYLES = ("-", "--", "-.", (0, (6, 2, 1, 2, 1, 2)))
SHOWN_FLOOR = 1e-8


class Line(NamedTuple):
    """A model in the picture.

    Attributes:
        name: what it is called.
        found: what :func:`seqaudio.memory.fading.fading` says of it.
        fresh: it has the weights that a training begins with; drawn dotted, in the colour of the line before.
    """

    name: str
    found: Sequence[Fading]
    fresh: bool = False


def draw_fading(lines: Sequence[Line], path: str | Path, unit: str = "steps") -> None:
    """Draw the fading of models, one colour each, as PNG, SVG or PDF; of one alone also its layers.

    Args:
        lines: the models.
        path: the picture; its suffix decides the format.
        unit: of the lags.

    Raises:
        OptionError: the suffix is none that can be drawn.
        BadFileError: the picture cannot be written.
    """
    picture_kind(path)
    write_picture(fading_figure(lines, unit), path)


def fading_figure(lines: Sequence[Line], unit: str = "steps") -> Figure:
    """The same as a figure, for a page."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    colour = -1
    for line in lines:
        colour += not line.fresh
        style = ":" if line.fresh else STYLES[colour % len(STYLES)]
        _draw_line(axes, line.found[0], line.name, COLOURS[colour % len(COLOURS)], style, 2.0)
    if len(lines) == 1:
        for number, part in enumerate(lines[0].found[1:], start=1):
            _draw_line(axes, part, part.name, COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)], 1.2)
    _finish(axes, max(len(line.found[0].ratios) for line in lines), unit)
    return figure


def _draw_line(axes: Axes, found: Fading, name: str, colour: str, style: Any, width: float) -> None:
    lags = np.arange(1, len(found.ratios) + 1)
    life = f"{found.half_life:.1f}" if math.isfinite(found.half_life) else f"over {len(lags)}"
    label = f"{name}: half-life {life}, {ratio_words(float(found.ratios[-1]))} left at lag {len(lags)}"
    axes.plot(lags, np.maximum(found.ratios, SHOWN_FLOOR / 10), color=colour, ls=style, linewidth=width, label=label)
    if found.low is not None and found.high is not None:
        low, high = (np.maximum(end, SHOWN_FLOOR / 10) for end in (found.low, found.high))
        axes.fill_between(lags, low, high, color=colour, alpha=0.15, linewidth=0)
    if math.isfinite(found.half_life):
        axes.plot(found.half_life, 0.5, "o", markersize=5, color=colour)


def _finish(axes: Axes, lags: int, unit: str) -> None:
    axes.axhline(0.5, color="0.6", linewidth=0.8, zorder=0)
    axes.annotate("half", (lags, 0.5), xytext=(-2, 2), textcoords="offset points", ha="right", color="0.4", fontsize=8)
    axes.set_yscale("log")
    axes.set_ylim(max(SHOWN_FLOOR, axes.get_ylim()[0]), axes.get_ylim()[1])
    axes.set_xlim(0, max(lags, 2))
    axes.set_xlabel(f"lag in {unit}")
    axes.set_ylabel("gradient, relative to lag 1")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="best", fontsize=9)
