"""Does audio come back to what it played before? Where there are no notes, features of frames say so.

Conventions: frames are numbers, shape (steps, features), best a chromagram of five to twenty frames a second, so that
loudness and timbre matter little. Two frames are alike by the cosine of what is left when the mean frame is taken away:
1 the same, 0 unrelated, -1 opposite. A frame that does not differ from the mean is like nothing, so silence and a held
chord are no return. A stripe is a passage of ``window`` frames that is like an earlier one, frame by frame.

Sources: the stripes of the self-similarity matrix are those of M. Müller, "Fundamentals of Music Processing", 2015,
chapter 4. Surrogates with random phases, the same in all features: D. Prichard and J. Theiler, "Generating surrogate
data for time series with several simultaneously measured variables", Physical Review Letters 73(7), 1994.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import OptionError

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

WINDOW = 32  # frames of a stripe; two bars at eight frames a half note
MIN_LAG = 48
SURROGATES = 4
MOST_FRAMES = 8192  # the matrix of so many has 256 MB
FLAT = 1e-9  # of the largest deviation from the mean frame; less is rounding


def chroma_recurrence(frames: ArrayLike) -> Singles:
    """How alike all pairs of frames are, shape (steps, steps), float32: the recurrence plot of the audio.

    Range -1 to 1, symmetric; 1 on the diagonal but for frames like the mean. Null: around 0. Cost: frames squared.

    Args:
        frames: numbers, shape (steps, features).

    Raises:
        OptionError: the frames are no finite numbers of this shape, or more than 8,192; join neighbours first.
    """
    unit = _directions(_checked(frames)).astype(np.float32)
    matrix: Singles = unit @ unit.T
    return matrix


def stripe_energy(
    frames: ArrayLike,
    *,
    window: int = WINDOW,
    min_lag: int = MIN_LAG,
    surrogates: int = SURROGATES,
    seed: int = 0,
) -> float:
    """How far the passages of a piece are from chance towards coming back exactly.

    For each passage of ``window`` frames the mean similarity to the most similar one ``min_lag`` frames before or more;
    the mean of these is 1 where every passage came before. Chance is the same for surrogates: audio of the same
    spectrum in every feature, and the same mean similarity at every lag, in which nothing else comes back.

    At most 1: (mean - chance) / (1 - chance). Null value 0, that of noise and silence; low for a held chord, and for a
    loop, which comes back by its spectrum alone. Real folk tunes of 16 frames to the bar, played with noise, have 0.40,
    bars shuffled 0.27, an order-4 Markov chain 0.18 (docs/results/structure.md). Source: ours. Cost: frames squared,
    for each surrogate.

    Args:
        frames: numbers, shape (steps, features).
        window: length of a passage, in frames; about two bars is best.
        min_lag: how far back is far, in frames; 1 or more.
        surrogates: how many.
        seed: of the surrogates.

    Returns:
        0 for a piece of fewer than ``window + min_lag`` frames.

    Raises:
        OptionError: an argument is below 1, or the frames are not as above.
    """
    rows = _checked(frames)
    for name, value in (("window", window), ("min_lag", min_lag), ("surrogates", surrogates)):
        if value < 1:
            raise OptionError(f"{name} is {value}; allowed: 1 or more")
    if len(rows) < window + min_lag:
        return 0.0
    generator = np.random.default_rng(seed)
    by_chance = [_best_stripes(phase_randomised(rows, generator), window, min_lag) for _ in range(surrogates)]
    chance = float(np.mean(by_chance))
    return (_best_stripes(rows, window, min_lag) - chance) / max(1 - chance, FLAT)


def phase_randomised(frames: Floats, generator: np.random.Generator) -> Floats:
    """Frames with the same spectrum in every feature, and between features, but random phases: (steps, features)."""
    mean = frames.mean(axis=0)
    spectrum = np.fft.rfft(frames - mean, axis=0)
    turn = np.exp(2j * np.pi * generator.random(len(spectrum)))
    if len(frames) % 2 == 0:
        turn[-1] = 1  # the last of an even number is real
    surrogate: Floats = np.fft.irfft(spectrum * turn[:, None], n=len(frames), axis=0) + mean
    return surrogate


def _best_stripes(frames: Floats, window: int, min_lag: int) -> float:
    """The mean over passages of the similarity to their best earlier one."""
    matrix = chroma_recurrence(frames)
    passages = len(frames) - window + 1
    best = np.full(passages, -np.inf)
    for lag in range(min_lag, passages):
        along = np.cumsum(np.append(0.0, np.diagonal(matrix, lag)))
        best[lag:] = np.maximum(best[lag:], (along[window:] - along[:-window]) / window)
    return float(best[min_lag:].mean())


def _directions(frames: Floats) -> Floats:
    """What frames have beyond the mean frame, each of length 1, or 0 where it has nothing."""
    apart = frames - frames.mean(axis=0) if len(frames) else frames
    length = np.linalg.norm(apart, axis=1, keepdims=True)
    differs = length > FLAT * np.abs(frames).max(initial=0)
    directions: Floats = np.where(differs, apart / np.where(differs, length, 1), 0)
    return directions


def _checked(frames: ArrayLike) -> Floats:
    rows = np.asarray(frames, dtype=np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise OptionError(f"frames are finite numbers of shape (steps, features); got shape {rows.shape}")
    if len(rows) > MOST_FRAMES:
        raise OptionError(f"{len(rows):,} frames; at most {MOST_FRAMES:,} can be compared: join neighbours first")
    return rows
