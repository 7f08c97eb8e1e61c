"""How far does a recording lie from A = 440 Hz? librosa's estimate, from the peaks of its spectra.

Peaks are looked for where librosa does, from 150 to 4000 Hz, between the bins too; the frequencies of the louder half
of them say where most notes lie.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.framing import Framing
from seqaudio.features.librosa_import import librosa
from seqaudio.features.spectrum import Spectrogram

NEEDS_TUNING = "its tuning is estimated from the whole recording; give tuning (0.0 for A = 440 Hz)"
LOWEST_HZ, HIGHEST_HZ = 150.0, 4000.0
MOST_TUNING = 100  # bins
MOST_TUNINGS = 128  # whose filters are kept: librosa's steps of a hundredth of a bin leave a recording about a hundred
TOGETHER = 2**21  # numbers of the spectra that are searched at once
QUIETEST = 0.1  # of the loudest frequency of the same frame, for a peak


def check_tuning(tuning: float | None) -> None:
    """Raises OptionError unless it is None or a number of bins that may be meant."""
    if tuning is not None and not abs(tuning) <= MOST_TUNING:
        raise OptionError(f"tuning is {tuning}, it must be from -{MOST_TUNING} to {MOST_TUNING} bins")


class Tuning:
    """Estimates the tuning of recordings, in bins of an octave, -0.5 to 0.5; no gradient passes.

    Args:
        sample_rate: in Hz.
        bins_per_octave: what it is a fraction of.
        framing: of the spectra.
    """

    def __init__(self, sample_rate: int, *, bins_per_octave: int = 12, framing: Framing | None = None) -> None:
        self.bins_per_octave = bins_per_octave
        self.spectrogram = Spectrogram(sample_rate, power=1.0, framing=framing)
        self.bin_hz = sample_rate / self.spectrogram.framing.n_fft
        frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=self.spectrogram.framing.n_fft)
        inside = (frequencies >= LOWEST_HZ) & (frequencies < min(HIGHEST_HZ, sample_rate / 2))
        inside[[0, -1]] = False  # which have no neighbour on one side
        self.places = np.flatnonzero(inside)

    def of_samples(self, samples: Tensor) -> list[float]:
        """Of each of samples (rows, time)."""
        framing = self.spectrogram.framing
        few = max(1, TOGETHER // (framing.bins * max(1, framing.count(samples.shape[-1]))))
        with torch.no_grad():
            return [tuning for rows in torch.split(samples, few) for tuning in self.of_spectra(self.spectrogram(rows))]

    def of_spectra(self, spectra: Tensor) -> list[float]:
        """Of each of magnitudes or energies (rows, frequencies, frames); of silence 0."""
        if not len(self.places):
            return [0.0] * len(spectra)
        few = max(1, TOGETHER // max(1, spectra[0].numel()))
        return [tuning for rows in torch.split(spectra.detach(), few) for tuning in self._of_few(rows)]

    def _of_few(self, spectra: Tensor) -> list[float]:
        row, hertz, heights = (each.cpu().numpy() for each in self._peaks(spectra.transpose(-1, -2)))
        ends = np.searchsorted(row, np.arange(1, len(spectra)))
        return [self._of_peaks(*peaks) for peaks in zip(np.split(hertz, ends), np.split(heights, ends), strict=True)]

    def _of_peaks(self, hertz: NDArray[Any], heights: NDArray[Any]) -> float:
        if not len(hertz):
            return 0.0
        louder = hertz[heights >= np.median(heights)]
        return float(librosa.pitch_tuning(louder, bins_per_octave=self.bins_per_octave))

    def _peaks(self, spectra: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of all peaks of (rows, frames, frequencies): in which row and where they are, in Hz, and how high."""
        first, stop = int(self.places[0]), int(self.places[-1]) + 1
        loud = spectra[..., first - 1 : stop + 1]
        loud = torch.where(loud > QUIETEST * spectra.amax(-1, keepdim=True), loud, 0.0)
        middle = loud[..., 1:-1]
        row, frame, place = ((middle > loud[..., :-2]) & (middle >= loud[..., 2:])).nonzero(as_tuple=True)
        place = place + first
        before, here, behind = (spectra[row, frame, place + step] for step in (-1, 0, 1))
        slope, bend = (behind - before) / 2, behind + before - 2 * here
        shift = torch.where(slope.abs() >= bend.abs(), 0.0, -slope / bend)
        return row, (place + shift) * self.bin_hz, here + slope * shift / 2
