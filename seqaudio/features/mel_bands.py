"""How loud is it in bands that lie as hearing has them? Mel spectra, their level in decibels, and its cepstrum.

Sources: the filters are torchaudio's own, and librosa's by :mod:`seqaudio.features.mel_scale`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.contract import Feature, hertz
from seqaudio.features.framing import MOST, Framing, check_positive, check_weights
from seqaudio.features.librosa_import import librosa
from seqaudio.features.mel_scale import mel_corners, mel_triangles
from seqaudio.features.presets import Preset
from seqaudio.features.spectrum import (
    SpectralFeature,
    check_decibels,
    check_power,
    decibels,
    floor_needs_all,
    groups_of_bands,
    magnitudes,
)
from seqaudio.features.torchaudio_import import import_torchaudio

MOST_BANDS = 2**14  # more have filters of gigabytes


class Mel(SpectralFeature):
    """Energies (or amplitudes, with power 1) in mel bands, (..., n_mels, frames).

    Args:
        sample_rate: in Hz.
        n_mels: bands.
        fmin: lower end of the lowest band, in Hz.
        fmax: upper end of the highest one; None: half the sample rate.
        htk: the formula of HTK for a mel in place of Slaney's.
        norm: ``slaney``: bands of equal area; None: of equal height.
        power: of the magnitudes that are added up.
        peer: whose filters; librosa's and torchaudio's differ by rounding, and at odd sample rates.
        framing: the frames.

    Raises:
        OptionError: a value outside its range.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        htk: bool = False,
        norm: Literal["slaney"] | None = "slaney",
        power: float = 2.0,
        peer: Preset = "librosa",
        framing: Framing | None = None,
    ) -> None:
        framing = framing or Framing()
        check_positive("n_mels", n_mels, MOST_BANDS)
        check_weights(f"filters of {n_mels} bands", n_mels * framing.bins, "fewer n_mels or less n_fft")
        top = float(sample_rate / 2 if fmax is None else fmax)
        if not 0 <= fmin < top <= MOST:
            raise OptionError(f"fmin is {fmin} and fmax {top:g} Hz; give 0 <= fmin < fmax, at most {MOST}")
        if norm not in ("slaney", None):
            raise OptionError(f"norm is {norm!r}, it must be 'slaney' or None")
        centres = mel_corners(n_mels, fmin, top, htk)[1:-1]
        super().__init__(sample_rate, framing, hertz(centres))
        self.power, self.frequencies = check_power(power), centres
        bank = mel_filters(sample_rate, framing.n_fft, n_mels, fmin, fmax, htk, norm, peer)
        self._keep("bank", bank)  # whole, for the way back
        self._spans = []  # of frequencies that any filter of a group lets through
        for number, (filters, frequencies) in enumerate(groups_of_bands(bank)):
            self._spans.append(frequencies)
            self._keep(f"filters {number}", bank[filters, frequencies].T)

    def _of_spectra(self, spectra: Tensor) -> Tensor:
        energies = magnitudes(spectra, self.power)
        frames = energies.flatten(0, 1)
        bands = [
            frames[:, frequencies] @ self._constant(f"filters {number}", frames)
            for number, frequencies in enumerate(self._spans)
        ]
        return torch.cat(bands, -1).reshape(*energies.shape[:2], -1)


class LogMel(Feature):
    """Levels in mel bands, in decibels over ``ref``.

    Args:
        mel: the bands.
        ref: what is 0 dB.
        amin: smaller energies are raised to it.
        top_db: no frame of a recording lies lower than this below its loudest; None: no such floor. The floor needs
            the whole recording, so with it there is no stream.

    Raises:
        OptionError: a value outside its range.
    """

    def __init__(self, mel: Mel, *, ref: float = 1.0, amin: float = 1e-10, top_db: float | None = 80.0) -> None:
        super().__init__(mel.sample_rate, mel.hop_length, mel.names, mel.offset)
        check_decibels(amin, top_db)
        self.mel, self.ref, self.amin, self.top_db = mel, ref, amin, top_db
        self.reach = mel.reach if top_db is None else floor_needs_all(top_db)

    def _rows(self, samples: Tensor) -> Tensor:
        return decibels(self.mel._rows(samples), self.ref, self.amin, self.top_db)


class Mfcc(Feature):
    """Cepstral coefficients of the levels in mel bands, (..., n_mfcc, frames).

    Args:
        levels: of the bands.
        n_mfcc: coefficients.
        dct_type: of the cosine transform, 1 to 3.
        norm: of the transform, ``ortho`` or None.
        lifter: cepstral liftering; 0: none.

    Raises:
        OptionError: a value outside its range.
    """

    def __init__(
        self, levels: LogMel, *, n_mfcc: int = 20, dct_type: int = 2, norm: str | None = "ortho", lifter: float = 0.0
    ) -> None:
        check_positive("n_mfcc", n_mfcc)
        if n_mfcc > levels.bins:
            raise OptionError(f"n_mfcc is {n_mfcc}, it must be at most n_mels ({levels.bins})")
        if dct_type not in (1, 2, 3) or norm not in ("ortho", None) or not 0 <= lifter <= MOST:
            raise OptionError(f"give dct_type 1, 2 or 3, norm 'ortho' or None, lifter from 0 to {MOST}")
        check_weights(f"cosines of {levels.bins} bands", levels.bins**2, "fewer n_mels")
        names = tuple(f"mfcc {number}" for number in range(n_mfcc))
        super().__init__(levels.sample_rate, levels.hop_length, names, levels.offset)
        self.levels, self.reach = levels, levels.reach
        self._keep("cosines", cosines(levels.bins, n_mfcc, dct_type, norm, lifter))

    def _rows(self, samples: Tensor) -> Tensor:
        return self._constant("cosines", samples) @ self.levels._rows(samples)


def mel_filters(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    htk: bool,
    norm: Literal["slaney"] | None,
    peer: Preset,
) -> NDArray[np.floating]:
    """Triangles over the frequencies of a spectrum, (n_mels, 1 + n_fft // 2)."""
    match peer:
        case "librosa":
            bank: NDArray[np.floating] = mel_triangles(
                sample_rate, n_fft, n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm
            )
        case "torchaudio":
            top = float(sample_rate // 2) if fmax is None else fmax
            scale = "htk" if htk else "slaney"
            triangles = import_torchaudio().functional.melscale_fbanks(
                1 + n_fft // 2, fmin, top, n_mels, sample_rate, norm, scale
            )
            bank = triangles.T.numpy()
    return bank


def cosines(bands: int, coefficients: int, dct_type: int, norm: str | None, lifter: float) -> NDArray[np.float64]:
    """The matrix of a cosine transform, (coefficients, bands), with liftering."""
    transform = librosa.get_fftlib().dct(np.eye(bands), axis=0, type=dct_type, norm=norm)
    matrix: NDArray[np.float64] = transform[:coefficients]
    if lifter > 0:
        matrix *= 1 + lifter / 2 * np.sin(np.pi * np.arange(1, 1 + coefficients) / lifter)[:, None]
    return matrix
