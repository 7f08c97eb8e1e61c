"""What does a continuation look like? Time to the right, pitch upwards, primer and continuation in two colours."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from seqaudio.errors import OptionError
from seqaudio.files.atomic import check_writable, shown, write_bytes
from seqaudio.music.score import Score

PRIMER, NEW = "#4878a8", "#d1642e"  # told apart in grey and by colour-blind readers
UNDATED: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}  # same bytes
SHOWN_PRIMER_BARS = 16  # of a long primer only the end, so that the continuation stays readable


def draw_continuation(
    score: Score,
    path: str | Path,
    primer: Score | None = None,
    primer_end: int = 0,
    sections: Sequence[tuple[int, str]] = (),
) -> None:
    """Draw a continuation, behind the last bars of its primer where there is one, as PNG, SVG or PDF.

    Args:
        score: the new bars, from tick 0.
        path: the picture; its suffix decides the format.
        primer: the voice that was continued.
        primer_end: tick of the primer at which ``score`` begins, if later than the voice's last bar line.
        sections: of the form, the bar of primer and continuation, from 0, that each begins with, and its letter.

    Raises:
        OptionError: the suffix is none that can be drawn.
        BadFileError: the picture cannot be written.
    """
    picture_kind(path)
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    axes = figure.add_subplot()
    lines, first_bar = [0.0], 1
    if primer is not None and len(primer):
        lines, first_bar = _draw_primer(axes, primer, primer_end)
        axes.axvline(lines[-1], color="0.3", linewidth=1.2, zorder=1)
    origin = lines[-1]
    _rectangles(axes, score, origin, NEW)
    lines += (origin + score.bars()[1:] / score.ticks_per_quarter).tolist()
    for bar, letter in sections:
        if 0 <= (place := bar - (first_bar - 1)) < len(lines):
            axes.axvline(lines[place], color="0.55", linewidth=0.9, linestyle=":", zorder=1)
            where = axes.get_xaxis_transform()  # of time, and of the height of the axes
            axes.text(lines[place], 0.99, f" {letter}", transform=where, va="top", fontweight="bold", color="0.3")
    _finish(axes, lines, first_bar, with_primer=origin > 0)
    write_picture(figure, path)


def picture_kind(path: str | Path) -> str:
    """The format that a picture's suffix names. Raises OptionError when it cannot be drawn."""
    kind = Path(path).suffix.lower().lstrip(".")
    if kind not in UNDATED:
        raise OptionError(f"--plot {shown(path)}: end the name in .{', .'.join(UNDATED)}")
    return kind


def check_picture_path(path: str | Path) -> None:
    """See that a picture may be written there, before the work that fills it.

    Raises:
        OptionError: the suffix is none that can be drawn.
        BadFileError: nothing can be written there.
    """
    picture_kind(path)
    check_writable(path)


def write_picture(figure: Figure, path: str | Path) -> None:
    """Write a figure in the format that its suffix names, its folder too; the same bytes for the same figure.

    Raises:
        OptionError: the suffix is none that can be drawn.
        BadFileError: it cannot be written.
    """
    data = picture_bytes(figure, picture_kind(path))
    check_writable(path)  # so that a folder that cannot be made is told as a file is
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)


def picture_bytes(figure: Figure, kind: str = "png") -> bytes:
    """A figure as png, svg or pdf; the same bytes for the same figure."""
    picture = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "seqaudio"}):
        figure.savefig(picture, format=kind, dpi=150, metadata=UNDATED[kind])
    return picture.getvalue()


def _draw_primer(axes: Axes, primer: Score, end: int) -> tuple[list[float], int]:
    """The last bars of the primer from 0 on; returns their bar lines, in quarters, and the first bar's number."""
    lines = primer.bars()
    if end > lines[-1]:  # the voice stops before the piece does
        bar = max(int(lines[-1] - lines[-2]), 1)
        lines = np.unique(np.concatenate([lines, np.arange(lines[-1], end, bar), [end]]))
    left_out = max(0, len(lines) - 1 - SHOWN_PRIMER_BARS)
    start = int(lines[left_out])
    kept = primer.notes(primer.onset >= start)
    _rectangles(axes, kept, -start / primer.ticks_per_quarter, PRIMER)
    return ((lines[left_out:] - start) / primer.ticks_per_quarter).tolist(), left_out + 1


def _rectangles(axes: Axes, score: Score, origin: float, colour: str) -> None:
    onset, duration = score.onset / score.ticks_per_quarter + origin, score.duration / score.ticks_per_quarter
    boxes = [
        Rectangle((x, pitch - 0.45), max(width - 0.04, 0.02), 0.9)
        for x, width, pitch in zip(onset.tolist(), duration.tolist(), score.pitch.tolist(), strict=True)
    ]
    axes.add_collection(PatchCollection(boxes, facecolor=colour, edgecolor="none"))
    axes.scatter(onset, score.pitch, s=0)  # so that the axes know the extent


def _finish(axes: Axes, bar_lines: list[float], first_bar: int, *, with_primer: bool) -> None:
    for line in bar_lines:
        axes.axvline(line, color="0.85", linewidth=0.6, zorder=0)
    every = 4 if len(bar_lines) > 8 else 1
    axes.set_xticks(bar_lines[:-1:every], [str(first_bar + every * i) for i in range(len(bar_lines[:-1:every]))])
    low, high = axes.get_ylim()
    octaves = np.arange(12 * (int(low) // 12), high + 12, 12)
    octaves = octaves[(octaves >= low) & (octaves <= high)]
    axes.set_yticks(octaves, [f"C{int(pitch) // 12 - 1}" for pitch in octaves])
    axes.set_xlim(bar_lines[0], bar_lines[-1])
    axes.set_xlabel("bar")
    axes.grid(axis="y", color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    if with_primer:
        handles = [Rectangle((0, 0), 1, 1, color=PRIMER), Rectangle((0, 0), 1, 1, color=NEW)]
        names = ["primer", "continuation"]
        axes.legend(handles, names, loc="upper left", frameon=False, ncols=2, bbox_to_anchor=(0, 1.13))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
