"""Which frequency is how many mels, and how much does each mel band hear of each frequency of a spectrum?

librosa's own filters, number for number. They are made here because importing librosa.filters takes as long as the
log-mel spectra of a thousand short files: signal processing, statistics and a compiler come with it.

Sources: M. Slaney, "Auditory Toolbox", Interval Research 1998-010 (linear below 1 kHz, 27 steps for a factor of 6.4
above; bands of equal area); S. Young et al., "The HTK Book" (2595 log10(1 + f / 700)).
"""

from __future__ import annotations

import math
import warnings
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LINEAR_HZ = 200 / 3  # a mel, below the bend
BEND_HZ = 1000.0
BEND = BEND_HZ / LINEAR_HZ  # in mels
STEP = math.log(6.4) / 27  # of the logarithm of a frequency, a mel above the bend


def hz_to_mel(frequencies: ArrayLike, htk: bool = False) -> Floats:
    """Mels of frequencies in Hz, any shape; by Slaney's formula, or HTK's."""
    hertz = np.asarray(frequencies, np.float64)
    if htk:
        return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0))
    above = BEND + np.log(np.maximum(hertz, BEND_HZ) / BEND_HZ) / STEP
    return np.where(hertz < BEND_HZ, hertz / LINEAR_HZ, above)


def mel_to_hz(mels: ArrayLike, htk: bool = False) -> Floats:
    """The way back."""
    mels = np.asarray(mels, np.float64)
    if htk:
        return np.asarray(700.0 * (10.0 ** (mels / 2595.0) - 1.0))
    return np.where(mels < BEND, LINEAR_HZ * mels, BEND_HZ * np.exp(STEP * (np.maximum(mels, BEND) - BEND)))


def mel_corners(n_mels: int, fmin: float, fmax: float, htk: bool) -> Floats:
    """Where bands begin, have their peaks and end, in Hz, (n_mels + 2,): each peak is the end of the band before."""
    low, high = hz_to_mel([fmin, fmax], htk)
    return mel_to_hz(np.linspace(low, high, n_mels + 2), htk)


def mel_triangles(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    *,
    fmin: float = 0.0,
    fmax: float | None = None,
    htk: bool = False,
    norm: Literal["slaney"] | None = "slaney",
) -> NDArray[np.float32]:
    """Weights (n_mels, 1 + n_fft // 2) of the frequencies of a spectrum; a band without any is warned of.

    Args:
        sample_rate: in Hz.
        n_fft: samples of a frame.
        n_mels: bands.
        fmin: lower end of the lowest band, in Hz.
        fmax: upper end of the highest one; None: half the sample rate.
        htk: HTK's formula in place of Slaney's.
        norm: ``slaney``: bands of equal area; None: of equal height.
    """
    corners = mel_corners(n_mels, fmin, sample_rate / 2 if fmax is None else fmax, htk)
    apart = corners[:, None] - np.fft.rfftfreq(n_fft, 1 / sample_rate)
    width = np.diff(corners)[:, None]
    rising, falling = -apart[:-2] / width[:-1], apart[2:] / width[1:]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    if norm:
        triangles *= 2 / (corners[2:] - corners[:-2])[:, None]
    empty = int(((triangles.max(axis=1) == 0) & (corners[:-2] > 0)).sum())
    if empty:
        warnings.warn(
            f"{empty} of {n_mels} mel bands lie between the frequencies of a spectrum and stay silent; "
            "give fewer n_mels or a larger n_fft",
            stacklevel=2,
        )
    return triangles
