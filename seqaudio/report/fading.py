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
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seqaudio.report.pianoroll import picture_kind, write_picture
from seqaudio.report.statistics import RESAMPLES, drawn_means, ends

Floats = NDArray[np.float64]

FLOOR = 1e-30
TOTAL = "all"
COLOURS = ("#d1642e", "#4878a8", "#5a8f4e", "#8a5aa0", "#8c6d31", "#404040")
STYLES = ("-", "--", "-.", (0, (6, 2, 1, 2, 1, 2)))
SHOWN_FLOOR = 1e-8


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


class Line(NamedTuple):
    """A model in the picture.

    Attributes:
        name: what it is called.
        found: what :func:`fading` says of it.
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
    write_picture(figure, path)


def _draw_line(axes: Axes, found: Fading, name: str, colour: str, style: Any, width: float) -> None:
    lags = np.arange(1, len(found.ratios) + 1)
    life = f"{found.half_life:.1f}" if math.isfinite(found.half_life) else f"over {len(lags)}"
    label = f"{name}: half-life {life}, at lag {len(lags)} {found.ratios[-1]:.1g}"
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
