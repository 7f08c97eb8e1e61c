"""How is recall drawn against the distance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seqaudio.memory.half_lag import HALF, Recall
from seqaudio.report.fading import COLOURS, STYLES
from seqaudio.report.pianoroll import picture_kind, write_picture


def draw_recall(pictures: Mapping[str, tuple[Mapping[str, Recall], str]], path: str | Path) -> None:
    """Draw recall against the distance, one picture beside the other, as PNG, SVG or PDF.

    Args:
        pictures: by title, the lines by name, and the unit of their distances. A name has one colour in all.
        path: the picture; its suffix decides the format.

    Raises:
        OptionError: the suffix is none that can be drawn.
        BadFileError: the picture cannot be written.
    """
    picture_kind(path)
    write_picture(recall_figure(pictures), path)


def recall_figure(pictures: Mapping[str, tuple[Mapping[str, Recall], str]]) -> Figure:
    """The same as a figure, for a page."""
    names = list(dict.fromkeys(name for lines, _ in pictures.values() for name in lines))
    figure = Figure(figsize=(8, 4.5) if len(pictures) == 1 else (4.6 * len(pictures), 4.2), layout="constrained")
    for place, (title, (lines, unit)) in enumerate(pictures.items(), start=1):
        axes = figure.add_subplot(1, len(pictures), place)
        for name, found in lines.items():
            number = names.index(name)
            _draw(axes, name, found, COLOURS[number % len(COLOURS)], STYLES[number % len(STYLES)])
        _finish(axes, [found.distances for found in lines.values()], title, unit)
    return figure


def _draw(axes: Axes, name: str, found: Recall, colour: str, style: object) -> None:
    label = f"{name}: 50 % lag {found.lag_words()}"
    axes.plot(found.distances, found.recall, color=colour, ls=style, marker="o", markersize=4, lw=1.8, label=label)
    if found.low is not None and found.high is not None:
        axes.fill_between(found.distances, found.low, found.high, color=colour, alpha=0.15, linewidth=0)


def _finish(axes: Axes, distances: Sequence[Sequence[int]], title: str, unit: str) -> None:
    shown = sorted({distance for each in distances for distance in each})
    axes.axhline(HALF, color="0.6", linewidth=0.8, zorder=0)
    axes.axhline(0, color="0.6", linewidth=0.8, linestyle=":", zorder=0)
    if shown[-1] > 8 * max(shown[0], 1):  # many orders of length
        axes.set_xscale("symlog", base=2, linthresh=1)
        axes.set_xlim(shown[0] - 0.1, 1.1 * shown[-1])
    axes.set_xticks(shown, [str(distance) for distance in shown])
    axes.set_xlabel(f"{unit} in between" if unit != "steps" else unit)
    axes.set_ylabel("recall: 1 is all, 0 what chance does")
    axes.set_ylim(-0.08, 1.08)
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="best", fontsize=8.5)
