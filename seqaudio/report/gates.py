"""What do the gates of a model do while a piece sounds? Heat maps of them below the piano roll, bar lines through all.

Time to the right, in which every token has a place of its own: those of one moment share the time up to the next. Rows
are units, those that keep longest at the top; dark is open. Of more than 64 units a row is the mean of neighbours in
that order, so that none is passed over. States of chosen units are shown from blue (below 0) to red, each by its own
largest value.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.memory.gate_probe import GateReport, length_words
from seqaudio.memory.heard import Heard
from seqaudio.report.pianoroll import PRIMER, picture_kind, write_picture

Floats = NDArray[np.float64]

SHOWN_BARS = 32
SHOWN_STEPS = 640  # more than a point to a step
MOST_ROWS = 64
BAR_LINES = "#d1642e"
ROW_INCHES, PANEL_INCHES = 0.2, 1.15
LABELS = 5  # time constants beside a panel of all units
GATE_COLOURS, STATE_COLOURS = "Blues", "RdBu_r"


def draw_gates(
    report: GateReport, path: str | Path, *, layer: int | None = None, units: Sequence[int] | None = None
) -> None:
    """Draw the gates of the first piece of a report as PNG, SVG or PDF: its first bars, up to 32.

    Args:
        report: of :func:`seqaudio.memory.gate_probe.probe_gates`.
        path: the picture; its suffix decides the format.
        layer: that alone, from 1; None: all.
        units: those alone, from 1, in this order, with their states; None: all, by time constant.

    Raises:
        OptionError: the suffix is none that can be drawn, or there is no such layer or unit.
        BadFileError: the picture cannot be written.
    """
    picture_kind(path)
    layers = _layers(report, layer)
    _check_units(report, units)
    panels = [panel for number in layers for panel in _panels(report, number, units)]
    panels += _memory_panels(report)
    heights = [1.5, *(_height(values.shape[1]) for _, values, *_ in panels)]
    figure = Figure(figsize=(12, sum(heights) + 0.6 + 0.12 * len(heights)), layout="constrained")
    roll, *others = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    piece = report.pieces[0]
    end = _end(piece)
    _draw_roll(roll, piece, end)
    shown = int(np.searchsorted(piece.edges, end, side="left"))
    images: dict[str, Any] = {}
    for axes, (title, values, labels, colours) in zip(others, panels, strict=True):
        images[colours] = _draw_map(axes, piece.edges[: shown + 1], values[:shown].T, colours)
        axes.set_ylabel(title, rotation=0, ha="right", va="center", labelpad=8)
        axes.set_yticks([place for place, _ in labels], [text for _, text in labels], fontsize=7)
        axes.yaxis.tick_right()
        _draw_lines(axes, piece.lines[(piece.lines > 0) & (piece.lines < end)], color=BAR_LINES, alpha=0.8)
    _finish(others[-1], piece, end)
    _colour_bars(figure, others, images)
    write_picture(figure, path)


Panel = tuple[str, NDArray[Any], list[tuple[float, str]], str]  # title, values (steps, rows), labels at rows, colours


def check_layer_and_units(hidden_size: int, layers: int, layer: int | None, units: Sequence[int] | None) -> None:
    """Raise OptionError where a model has no such layer or unit, or the choice draws nothing."""
    if layer is not None and not 1 <= layer <= layers:
        raise OptionError(f"layer {layer}: the model has {layers}; choose 1 to {layers}")
    wrong = [unit for unit in units or () if not 1 <= unit <= hidden_size]
    if wrong or (units is not None and not units):
        said = f"unit {wrong[0]}" if wrong else "no units"
        raise OptionError(f"{said}: a layer has {hidden_size}; choose some of 1 to {hidden_size}")


def _layers(report: GateReport, layer: int | None) -> list[int]:
    count = len(report.time_constants)
    check_layer_and_units(len(report.time_constants[0]), count, layer, None)
    return list(range(1, count + 1)) if layer is None else [layer]


def _check_units(report: GateReport, units: Sequence[int] | None) -> None:
    check_layer_and_units(len(report.time_constants[0]), len(report.time_constants), None, units)


def _panels(report: GateReport, layer: int, units: Sequence[int] | None) -> list[Panel]:
    """The gates of a layer, and the states of chosen units."""
    gates, states = report.first.gates[layer - 1], report.first.states[layer - 1]
    constants = report.time_constants[layer - 1]
    if units is None:
        order = np.argsort(-constants, kind="stable")
        groups = np.array_split(order, min(len(order), MOST_ROWS))
        rows = np.unique(np.linspace(0, len(groups) - 1, LABELS).round().astype(int)).tolist()
        labels = [(float(row), f"{length_words(float(np.median(constants[groups[row]])))} steps") for row in rows]
        means = {
            name: np.stack([values[:, group].mean(axis=1) for group in groups], axis=1)
            for name, values in gates.items()
        }
        return [(f"layer {layer}\n{name}", values, labels, GATE_COLOURS) for name, values in means.items()]
    chosen = np.array(units) - 1
    labels = [(float(row), f"unit {unit}") for row, unit in enumerate(units)]
    panels: list[Panel] = [
        (f"layer {layer}\n{name}", values[:, chosen], labels, GATE_COLOURS) for name, values in gates.items()
    ]
    scaled = states[:, chosen] / np.maximum(np.abs(states[:, chosen]).max(axis=0), 1e-9)
    kept = "cell state" if report.cell == "lstm" else "state"
    return [*panels, (f"layer {layer}\n{kept}", scaled, labels, STATE_COLOURS)]


def _memory_panels(report: GateReport) -> list[Panel]:
    """The gate of a memory of the piece, if there is one."""
    labels = [(float(row), name) for row, name in enumerate(report.memory_names)]
    shares = report.first.memory
    return [] if shares is None else [("memory\nwhose guess", shares, labels, GATE_COLOURS)]


def _colour_bars(figure: Figure, beside: Any, images: dict[str, Any]) -> None:
    """What the colours mean: of gates, and of states where they are drawn."""
    figure.colorbar(images[GATE_COLOURS], ax=list(beside), label="how open", aspect=40, shrink=0.8, pad=0.01)
    if STATE_COLOURS in images:
        made = figure.colorbar(
            images[STATE_COLOURS], ax=list(beside), aspect=40, shrink=0.8, pad=0.01, ticks=[-1, 0, 1]
        )
        made.set_ticklabels(["lowest", "0", "highest"])
        made.set_label("state", labelpad=-16)


def _height(rows: int) -> float:
    """Inches of a panel: few rows are as high as their labels."""
    return PANEL_INCHES if rows > MOST_ROWS // 2 else max(0.3, ROW_INCHES * rows)


def _end(piece: Heard) -> float:
    """Up to where a piece is shown: whole bars where there are any."""
    last = float(piece.edges[min(SHOWN_STEPS, len(piece))])
    if not len(piece.lines):
        return last
    bars = int(np.searchsorted(piece.lines, last + 1e-9, side="right")) - 1
    if bars < 1 or last >= piece.edges[-1]:
        bars = len(piece.lines) - 1 if bars >= 1 else 1
    return float(min(piece.lines[min(SHOWN_BARS, bars)], piece.edges[-1]))


def _draw_roll(axes: Axes, piece: Heard, end: float) -> None:
    boxes = [box for box in piece.boxes if box.begin < end]
    gap = 0.002 * end  # so that notes of one pitch in a row stay apart
    patches = [
        Rectangle((box.begin, box.pitch - 0.45), (box.end - box.begin) - min(gap, 0.2 * (box.end - box.begin)), 0.9)
        for box in boxes
    ]
    axes.add_collection(PatchCollection(patches, facecolor=PRIMER, edgecolor="none"))
    _draw_lines(axes, piece.lines[piece.lines < end], color="0.85", zorder=0)
    drums = bool(boxes) and not (piece.pitch >= 0).any()
    if boxes:
        pitches = [box.pitch for box in boxes]
        axes.set_ylim(min(pitches) - 1.5, max(pitches) + 1.5)
    if boxes and not drums:
        octaves = range(12 * -(-min(pitches) // 12), max(pitches) + 2, 12)
        axes.set_yticks(list(octaves), [f"C{pitch // 12 - 1}" for pitch in octaves], fontsize=7)
    else:
        axes.set_yticks([])
    axes.set_title(_title(piece, end), loc="left", fontsize=10)
    axes.set_ylabel("drums" if drums else "notes", rotation=0, ha="right", va="center", labelpad=8)
    axes.yaxis.tick_right()
    axes.spines[["top", "left", "right"]].set_visible(False)


def _draw_lines(axes: Axes, places: Floats, **how: Any) -> None:
    """Bar lines, from the bottom to the top, as one thing that is drawn: many of their own would be slow."""
    axes.vlines(places, 0, 1, transform=axes.get_xaxis_transform(), linewidth=0.6, **how)


def _title(piece: Heard, end: float) -> str:
    """The name, and what of the piece is shown where that is not all."""
    if end >= piece.edges[-1] - 1e-9:
        return piece.name
    if not len(piece.lines):
        return f"{piece.name}, the first {SHOWN_STEPS} steps"
    bars = int(np.searchsorted(piece.lines, end + 1e-9, side="right")) - 1
    return f"{piece.name}, bars 1 to {max(bars, 1)} of {int(piece.bar[-1]) + 1}"


def _draw_map(axes: Axes, edges: Floats, rows: NDArray[Any], colours: str) -> Any:
    """Rows (units, steps) from the top, each step as wide as it lasts."""
    low = -1.0 if colours == STATE_COLOURS else 0.0
    image = axes.pcolorfast(
        edges, np.arange(len(rows) + 1) - 0.5, rows.astype(np.float64), cmap=colours, norm=Normalize(low, 1.0)
    )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="x", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def _finish(axes: Axes, piece: Heard, end: float) -> None:
    axes.set_xlim(0, end)
    lines = piece.lines[piece.lines < end - 1e-9] if len(piece.lines) else piece.lines
    if len(lines):
        every = 4 if len(lines) > 8 else 1
        axes.set_xticks(lines[::every], [str(1 + every * i) for i in range(len(lines[::every]))])
        axes.set_xlabel("bar")
    else:
        axes.set_xlabel("step")
