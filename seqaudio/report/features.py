"""What do the features of a recording look like? One strip each above the other, over the same seconds.

Conventions: bins upwards, as they are numbered. Transforms and energies are shown in decibels below their strongest, in
a range of 80; a feature of one number is a line, a pitch that of its frequency in Hz, and beats are lines where they
are. The harmonic and the percussive part stand above each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import shown
from seqaudio.report.pianoroll import PRIMER, picture_kind, write_picture

RANGE_DB = 80.0
ENERGIES = ("spectrogram", "mel")
MAGNITUDES = ("hpss",)
SIGNED = ("mfcc", "tonnetz")  # around 0
SIGNED_RANGE = 0.9  # of its numbers are within the colours: the first cepstral coefficients would hide the others
COLOURS, SIGNED_COLOURS = "magma", "RdBu_r"
MOST_FRAMES = 4000  # that a picture shows; of more every second, third...
TICKS = 6

Floats = NDArray[Any]


def draw_features(features: Path, kinds: Sequence[str], path: str | Path) -> None:
    """Draw a file of features, as :func:`seqaudio.corpus.extract.extract_features` writes them, as PNG, SVG or PDF.

    Args:
        features: the .npz; of several channels the first is shown.
        kinds: which of its features, from top to bottom.
        path: the picture; its suffix decides the format.

    Raises:
        OptionError: the suffix is none that can be drawn.
        BadFileError: the features cannot be read, or the picture cannot be written.
    """
    picture_kind(path)
    figure = Figure(figsize=(11, 0.6 + 1.9 * len(kinds)), layout="constrained")
    rows = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
    try:
        with features.open("rb") as file, np.load(file) as arrays:
            for axes, kind in zip(rows, kinds, strict=True):
                _draw(figure, axes, kind, *(arrays[f"{kind}{part}"] for part in ("", "_times", "_names")))
    except (OSError, ValueError, KeyError, BadZipFile) as problem:
        raise BadFileError(f"{shown(features)}: no file of features ({problem}); make it anew") from None
    rows[-1].set_xlabel("seconds")
    write_picture(figure, path)


def _draw(figure: Figure, axes: Axes, kind: str, frames: Floats, times: Floats, names: Floats) -> None:
    if frames.ndim > (3 if kind == "hpss" else 2):  # (channels, ...)
        frames = frames[0]
    if kind == "hpss":  # (2, bins, frames), the harmonic part to stand above
        frames = frames[::-1].reshape(-1, frames.shape[-1])
        names = np.array([f"{part} {name}" for part in ("percussive", "harmonic") for name in names])
    step = -(-len(times) // MOST_FRAMES)
    frames, times = frames[:, ::step] if kind != "beats" else frames, times[::step] if kind != "beats" else times
    axes.set_title(kind.replace("_", " "), loc="left", fontsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if kind == "beats":
        axes.vlines(times[frames[0] > 0], 0, 1, color=PRIMER)
        axes.set_yticks([])
    elif len(frames) == 1 or kind == "pyin":
        axes.plot(times, frames[0], color=PRIMER, linewidth=1)
        if np.isnan(frames[0]).all():
            axes.set_yticks([])
            axes.text(0.5, 0.5, "none heard", transform=axes.transAxes, ha="center", va="center", color="0.4")
    else:
        _image(figure, axes, kind, frames, times, names)


def _image(figure: Figure, axes: Axes, kind: str, frames: Floats, times: Floats, names: Floats) -> None:
    values, unit = _values(kind, frames)
    half = (times[1] - times[0]) / 2 if len(times) > 1 else 0.5
    most = float(np.quantile(np.abs(values), SIGNED_RANGE)) or 1.0 if kind in SIGNED else None
    picture = axes.imshow(
        values,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(times[0] - half, times[-1] + half, -0.5, len(values) - 0.5),
        cmap=SIGNED_COLOURS if kind in SIGNED else COLOURS,
        vmin=None if most is None else -most,
        vmax=most,
    )
    figure.colorbar(picture, ax=axes, pad=0.01, label=unit, extend="both" if kind in SIGNED else "neither")
    shown_bins = np.arange(len(names)) if len(names) <= 2 * TICKS else np.linspace(0, len(names) - 1, TICKS).astype(int)
    axes.set_yticks(shown_bins, [str(names[i]) for i in shown_bins], fontsize=7)


def _values(kind: str, frames: Floats) -> tuple[Floats, str]:
    """What is shown of a feature, and its unit."""
    if np.iscomplexobj(frames) or kind in ENERGIES + MAGNITUDES:
        energy = np.abs(frames) if kind in ENERGIES else np.abs(frames) ** 2
        most = max(float(energy.max()), float(np.finfo(np.float32).tiny))
        return 10 * np.log10(np.maximum(energy / most, 10 ** (-RANGE_DB / 10))), "dB"
    return frames, "dB" if kind == "log_mel" else ""
