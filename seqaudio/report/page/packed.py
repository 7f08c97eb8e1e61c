"""How does a drawing travel inside a page? Whole numbers in JSON, matrices as bytes in base64, of bounded size.

Times are milliseconds, and those in a row are told as steps from the one before, which keeps them short.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from seqaudio.report.page.content import Floats, Matrix, Panel, Roll, Series

CELLS = 192  # rows of a matrix at most; beyond, several bars share one
POINTS = 600  # of a line of a series at most; beyond, several bars share one


def packed(panel: Panel) -> dict[str, Any]:
    """A panel's drawings, ready for JSON."""
    return {
        "roll": None if panel.roll is None else _roll(panel.roll),
        "matrices": [_matrix(matrix) for matrix in panel.matrices],
        "series": [_series(series) for series in panel.series],
    }


def script_safe(values: object) -> str:
    """JSON that cannot end the script element it stands in, nor begin a comment or another element."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)  # ASCII, so no line separators either
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def pooled(values: Floats, most: int) -> tuple[Floats, int]:
    """A matrix of at most so many rows, each cell the likest pair of its block; and how many bars a block spans."""
    size = len(values)
    span = max(1, -(-size // most))
    if span == 1:
        return values, 1
    starts = np.arange(0, size, span)
    rows = np.maximum.reduceat(values, starts, axis=0)
    return np.maximum.reduceat(rows, starts, axis=1), span


def _steps(seconds: Floats) -> list[int]:
    """Milliseconds from each time to the next, the first from 0."""
    steps: list[int] = np.diff(np.rint(seconds * 1000).astype(np.int64), prepend=0).tolist()
    return steps


def _roll(roll: Roll) -> dict[str, Any]:
    return {
        "onset": _steps(roll.onset_s),
        "duration": np.maximum(np.rint(roll.duration_s * 1000), 1).astype(np.int64).tolist(),
        "pitch": roll.pitch.tolist(),
        "velocity": roll.velocity.tolist(),
        "program": np.where(roll.is_drum, 128, roll.program).tolist(),
        "kind": roll.kind.tolist(),
        "lines": _steps(roll.bar_lines_s),
        "first": roll.first_bar,
        "split": roll.new_from_bar,
    }


def _matrix(matrix: Matrix) -> dict[str, Any]:
    cells, span = pooled(matrix.values, CELLS)
    levels = np.rint(cells * 255).astype(np.uint8)
    return {
        "size": len(levels),
        "bars": len(matrix.values),
        "span": span,
        "first": matrix.first_bar,
        "split": matrix.new_from_bar,
        "cells": base64.b64encode(levels.tobytes()).decode("ascii"),
    }


def _series(series: Series) -> dict[str, Any]:
    bars = len(next(iter(series.lines.values())))
    span = max(1, -(-bars // POINTS))
    return {
        "bars": bars,
        "span": span,
        "unit": series.unit,
        "top": series.top,
        "shares": series.shares,
        "first": series.first_bar,
        "split": series.new_from_bar,
        "names": list(series.lines),
        "lines": [_means(values, span) for values in series.lines.values()],
    }


def _means(values: Floats, span: int) -> list[float | None]:
    """The mean of every ``span`` bars, of those that have a number; None where none has."""
    starts = np.arange(0, len(values), span)
    known = np.isfinite(values)
    count = np.add.reduceat(known, starts, dtype=np.int64) if len(values) else np.zeros(0)
    total = np.add.reduceat(np.where(known, values, 0.0), starts) if len(values) else np.zeros(0)
    return [round(t / c, 4) if c else None for t, c in zip(total.tolist(), count.tolist(), strict=True)]
