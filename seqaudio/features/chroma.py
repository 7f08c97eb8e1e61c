"""How loud is each pitch class? Chroma of the Fourier or the constant-Q transform, its statistics, and the tonnetz.

Sources: filters and weights are librosa's.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.arrays import constant
from seqaudio.features.constant_q import Cqt
from seqaudio.features.contract import Feature
from seqaudio.features.framing import MOST_FRAMES, Framing, check_positive, check_weights
from seqaudio.features.librosa_import import librosa
from seqaudio.features.spectrum import SpectralFeature, magnitudes
from seqaudio.features.tuning import MOST_TUNINGS, NEEDS_TUNING, Tuning, check_tuning

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def chroma_names(bins: int) -> tuple[str, ...]:
    """Names of the bins of an octave, C first."""
    if bins == len(PITCH_CLASSES):
        return PITCH_CLASSES
    return tuple(f"C + {12 * number / bins:g}" for number in range(bins))


def normalised(frames: Tensor, norm: float | None) -> Tensor:
    """Each frame of (rows, bins, frames) over its norm along the bins; frames of silence as they are."""
    if norm is None:
        return frames
    length = torch.linalg.vector_norm(frames, norm, dim=-2, keepdim=True)
    return frames / torch.where(length < torch.finfo(frames.dtype).tiny, 1.0, length)


class ChromaStft(SpectralFeature):
    """Energy of each pitch class in the spectra, (..., n_chroma, frames).

    Args:
        sample_rate: in Hz.
        n_chroma: pitch classes of an octave.
        norm: of each frame; None: none.
        tuning: how far A lies from 440 Hz, in bins; None: estimated from each recording.
        framing: the frames.

    Raises:
        OptionError: a value outside its range.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        n_chroma: int = 12,
        norm: float | None = np.inf,
        tuning: float | None = None,
        framing: Framing | None = None,
    ) -> None:
        check_positive("n_chroma", n_chroma)
        check_tuning(tuning)
        bins = (framing or Framing()).bins
        check_weights(f"filters of {n_chroma} pitch classes", n_chroma * bins, "fewer n_chroma or less n_fft")
        super().__init__(sample_rate, framing, chroma_names(n_chroma))
        self.norm, self.tuning = norm, tuning
        self._estimate = Tuning(sample_rate, bins_per_octave=n_chroma, framing=self.framing)
        if tuning is None:
            self.reach = NEEDS_TUNING

    def _of_spectra(self, spectra: Tensor) -> Tensor:
        energies = magnitudes(spectra, 2)
        return energies if self.tuning is None else energies @ self._filters(self.tuning, energies).T

    def _of_frames(self, frames: Tensor) -> Tensor:
        if self.tuning is None:  # these are the energies themselves
            pairs = zip(frames, self._estimate.of_spectra(frames), strict=True)
            frames = torch.stack([self._filters(tuning, row) @ row for row, tuning in pairs])
        return normalised(frames, self.norm)

    def _filters(self, tuning: float, like: Tensor) -> Tensor:
        return pitch_class_filters(
            self.sample_rate, self.framing.n_fft, self.bins, tuning, dtype=like.dtype, device=like.device
        )


@lru_cache(maxsize=MOST_TUNINGS)
def pitch_class_filters(
    sample_rate: int, n_fft: int, n_chroma: int, tuning: float, *, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Librosa's, (n_chroma, frequencies), for a tuning, in the precision of spectra, where they are."""
    like = torch.empty(0, dtype=dtype, device=device)
    return constant(librosa.filters.chroma(sr=sample_rate, n_fft=n_fft, tuning=tuning, n_chroma=n_chroma), like)


class ChromaCqt(Feature):
    """Magnitude of each pitch class in the constant-Q transform, (..., n_chroma, frames).

    Args:
        cqt: the transform; its bins of an octave are a multiple of ``n_chroma``.
        n_chroma: pitch classes of an octave.
        norm: of each frame; None: none.
        threshold: smaller numbers become 0.

    Raises:
        OptionError: bins of an octave that do not fit.
    """

    def __init__(
        self, cqt: Cqt, *, n_chroma: int = 12, norm: float | None = np.inf, threshold: float | None = 0.0
    ) -> None:
        check_positive("n_chroma", n_chroma)
        scale = cqt.scale
        if scale.bins_per_octave % n_chroma:
            raise OptionError(f"bins_per_octave is {scale.bins_per_octave}, it must be a multiple of {n_chroma}")
        super().__init__(cqt.sample_rate, cqt.hop_length, chroma_names(n_chroma))
        self.cqt, self.norm, self.threshold, self.reach = cqt, norm, threshold, cqt.reach
        sums = librosa.filters.cq_to_chroma(
            scale.n_bins, bins_per_octave=scale.bins_per_octave, n_chroma=n_chroma, fmin=scale.fmin
        )
        self._keep("sums", sums)

    def _rows(self, samples: Tensor) -> Tensor:
        chroma = self._constant("sums", samples) @ self.cqt._rows(samples).abs()
        if self.threshold:
            chroma = torch.where(chroma < self.threshold, 0.0, chroma)
        return normalised(chroma, self.norm)


class ChromaCens(Feature):
    """Chroma energy statistics: shares of the pitch classes in five steps, smoothed over time, (..., n_chroma, frames).

    Steps have no gradient.

    Args:
        chroma: of the constant-Q transform, without a norm.
        norm: of each frame; None: none.
        win_len_smooth: frames that are smoothed over; None: none.
        smoothing_window: with which weights.
    """

    steps = (0.4, 0.2, 0.1, 0.05)

    def __init__(
        self,
        chroma: ChromaCqt,
        *,
        norm: float | None = 2,
        win_len_smooth: int | None = 41,
        smoothing_window: str = "hann",
    ) -> None:
        super().__init__(chroma.sample_rate, chroma.hop_length, chroma.names)
        self.chroma, self.norm, self.reach = chroma, norm, chroma.reach
        weights = np.ones(1)
        if win_len_smooth is not None:
            check_positive("win_len_smooth", win_len_smooth, MOST_FRAMES)
            weights = librosa.filters.get_window(smoothing_window, win_len_smooth + 2, fftbins=False)
        self._keep("weights", weights / weights.sum())
        if not isinstance(self.reach, str):
            before, behind = self.reach
            around = len(weights) // 2 * chroma.hop_length
            self.reach = before + around, behind + around

    def _rows(self, samples: Tensor) -> Tensor:
        with torch.no_grad():
            shares = normalised(self.chroma._rows(samples), 1)
            level = sum((shares > step).to(shares.dtype) for step in self.steps) / len(self.steps)
            assert isinstance(level, Tensor)
            weights = self._constant("weights", samples)
            rows, bins, frames = level.shape
            around = len(weights) // 2, (len(weights) - 1) // 2
            padded = torch.nn.functional.pad(level.reshape(rows * bins, 1, frames), around)
            smooth = torch.nn.functional.conv1d(padded, weights.flip(0)[None, None])
            return normalised(smooth.reshape(rows, bins, frames), self.norm)


class Tonnetz(Feature):
    """Tonal centroids: where chroma lies on circles of fifths, minor and major thirds, (..., 6, frames).

    Source: Harte, Sandler and Gasser (2006), Detecting harmonic change in musical audio.
    """

    def __init__(self, chroma: ChromaCqt | ChromaStft) -> None:
        names = ("fifth x", "fifth y", "minor x", "minor y", "major x", "major y")
        super().__init__(chroma.sample_rate, chroma.hop_length, names, chroma.offset)
        self.chroma, self.reach = chroma, chroma.reach
        places = np.linspace(0, 12, num=chroma.bins, endpoint=False)
        angles = np.multiply.outer([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3], places)
        angles[::2] -= 0.5  # a sine
        radii = np.array([1, 1, 1, 1, 0.5, 0.5])
        self._keep("circles", radii[:, None] * np.cos(np.pi * angles))

    def _rows(self, samples: Tensor) -> Tensor:
        return self._constant("circles", samples) @ normalised(self.chroma._rows(samples), 1)
