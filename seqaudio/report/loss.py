"""How did a training go? Its log as a picture: nats above, the learning rate below, steps to the right.

Training nats are those of each step (light) and their running mean, weighted by what each step held; they are measured
with dropout on and before the step is taken, so validation often lies below them. Validation stands at the last step
of its epoch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import shown, write_bytes
from seqaudio.training.folder import LOG

TRAINING, VALIDATION = "#4878a8", "#d1642e"  # told apart in grey and by colour-blind readers
WINDOWS = 30  # running means side by side along a run

Line = dict[str, Any]


def draw_loss(run: str | Path) -> Path | None:
    """Draw the log of a run as ``loss.png`` in its folder; the same bytes for the same log.

    Returns:
        The picture, or None where no step has been logged yet.

    Raises:
        BadFileError: the folder holds no log, or a damaged one.
    """
    steps, epochs = _read(Path(run) / LOG)
    if not steps:
        return None
    figure = Figure(figsize=(8, 4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1))
    _draw_nats(above, steps, epochs)
    below.plot([line["step"] for line in steps], [line["rate"] for line in steps], color="0.4", linewidth=1.2)
    below.set_ylim(bottom=0)
    below.set_ylabel("rate")
    below.set_xlabel("step")
    below.yaxis.set_major_locator(MaxNLocator(2))
    below.yaxis.set_major_formatter("{x:g}")
    below.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.92", linewidth=0.8)
        axes.set_axisbelow(True)
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=150)
    path = Path(run) / "loss.png"
    write_bytes(path, picture.getvalue())
    return path


def running_mean(values: NDArray[np.float64], weights: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Weighted mean of each value and up to ``reach`` neighbours on both sides, shape (values,)."""
    places = np.arange(len(values))
    first, behind = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    sums = [np.concatenate([[0.0], np.cumsum(terms)]) for terms in (values * weights, weights)]
    above, below = (total[behind] - total[first] for total in sums)
    mean: NDArray[np.float64] = above / below
    return mean


def _read(path: Path) -> tuple[list[Line], list[Line]]:
    """The lines of steps, and those of validations, each with the step behind which it stands."""
    steps: list[Line] = []
    epochs: list[Line] = []
    try:
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if "step" in line:
                steps.append(line)
            elif "valid_nats" in line:
                epochs.append({**line, "step": steps[-1]["step"]})
    except (OSError, ValueError, LookupError, TypeError) as problem:
        raise BadFileError(f"{shown(path)}: not the log of a training run ({problem}); name a run's folder") from None
    return steps, epochs


def _draw_nats(axes: Axes, steps: Sequence[Line], epochs: Sequence[Line]) -> None:
    at = np.array([line["step"] for line in steps])
    nats = np.array([line["nats"] for line in steps], dtype=np.float64)
    weights = np.array([line.get("tokens", 1) for line in steps], dtype=np.float64)
    smooth = running_mean(nats, weights, len(nats) // (2 * WINDOWS))
    axes.plot(at, nats, color=TRAINING, alpha=0.25, linewidth=0.8)
    axes.plot(at, smooth, color=TRAINING, linewidth=1.6, label="training, running mean")
    if epochs:
        valid = np.array([line["valid_nats"] for line in epochs], dtype=np.float64)
        places = [line["step"] for line in epochs]
        axes.plot(places, valid, color=VALIDATION, marker="o", markersize=3.5, linewidth=1.6, label="validation")
        best = int(np.nanargmin(valid))
        axes.plot(places[best], valid[best], "o", markersize=10, markerfacecolor="none", color=VALIDATION)
        axes.annotate(
            f"best {valid[best]:.3f}",
            (places[best], valid[best]),
            xytext=(0, 12),
            textcoords="offset points",
            ha="right" if best >= len(valid) / 2 else "center",
            color=VALIDATION,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )
    seen = np.concatenate([smooth[len(smooth) // 20 :], [line["valid_nats"] for line in epochs]])
    low, high = float(np.nanmin(seen)), float(np.nanmax(seen))
    room = 0.08 * (high - low) or 0.1
    axes.set_ylim(low - room, high + 2 * room)  # the first steps and single outliers may leave the picture
    axes.set_ylabel("nats")
    axes.legend(frameon=False, loc="upper right")
