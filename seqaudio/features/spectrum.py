"""Which frequencies sound in each frame? The short-time Fourier transform, and what is made of each spectrum alone."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.contract import Feature, hertz
from seqaudio.features.framing import BLOCK, Framing, map_frames, pad, window_of

MOST_AMIN = 1e30  # that float32 holds


class SpectralFeature(Feature):
    """A feature whose frames are made of the spectra one by one; the spectrogram as a whole is never kept."""

    block_samples = 4 * BLOCK  # in single precision: products with filters are slow on few frames

    def __init__(self, sample_rate: int, framing: Framing | None, names: tuple[str, ...]) -> None:
        framing = framing or Framing()
        super().__init__(sample_rate, framing.hop_length, names, framing.offset)
        self.framing, self.reach = framing, framing.reach
        self._keep("window", window_of(framing))

    def _rows(self, samples: Tensor) -> Tensor:
        precise = self.framing.precise and samples.device.type != "mps"  # which has no float64
        wide = torch.float64 if precise else samples.dtype
        window = self._constant("window", samples.new_empty(0, dtype=wide))
        spectrum = samples.dtype.to_complex()
        padded = pad(samples, self.framing.padding, self.framing.pad_mode)
        length, hop = self.framing.n_fft, self.framing.hop_length
        block = BLOCK if precise else self.block_samples

        def made_of(frames: Tensor) -> Tensor:
            return self._of_spectra(torch.fft.rfft(frames * window).to(spectrum))

        made = map_frames(padded, length, hop, made_of, block)
        return self._of_frames(made.transpose(-1, -2))

    @abstractmethod
    def _of_spectra(self, spectra: Tensor) -> Tensor:
        """Complex (rows, frames, frequencies) -> (rows, frames, bins)."""

    def _of_frames(self, frames: Tensor) -> Tensor:
        """What is still to be done once all frames (rows, bins, frames) are there."""
        return frames


class Stft(SpectralFeature):
    """The short-time Fourier transform: complex, (..., 1 + n_fft // 2, frames)."""

    block_samples = BLOCK  # no product: only the copy of each block, which larger ones make slower

    def __init__(self, sample_rate: int, *, framing: Framing | None = None) -> None:
        super().__init__(sample_rate, framing, frequency_names(sample_rate, framing))

    def _of_spectra(self, spectra: Tensor) -> Tensor:
        return spectra


class Spectrogram(SpectralFeature):
    """Magnitudes to a power: 1 amplitude, 2 energy; (..., 1 + n_fft // 2, frames)."""

    def __init__(self, sample_rate: int, *, power: float = 2.0, framing: Framing | None = None) -> None:
        super().__init__(sample_rate, framing, frequency_names(sample_rate, framing))
        self.power = check_power(power)

    def _of_spectra(self, spectra: Tensor) -> Tensor:
        return magnitudes(spectra, self.power)


def frequency_names(sample_rate: int, framing: Framing | None) -> tuple[str, ...]:
    """Names of the bins of a spectrum."""
    return hertz(np.fft.rfftfreq((framing or Framing()).n_fft, 1 / sample_rate))


def check_power(power: float) -> float:
    """The power.

    Raises:
        OptionError: it is not above 0.
    """
    if not power > 0:
        raise OptionError(f"power is {power}, it must be above 0 (1 amplitude, 2 energy)")
    return power


def magnitudes(spectra: Tensor, power: float) -> Tensor:
    """|spectra| ** power, without a root where none is needed."""
    if power != 2 and spectra.requires_grad:  # abs has a gradient at 0, where a root has none
        return spectra.abs().pow(power) if power != 1 else spectra.abs()
    energies = spectra.real.square() + spectra.imag.square()
    match power:
        case 1:
            return energies.sqrt_()
        case 2:
            return energies
        case _:
            return energies.pow_(power / 2)


def decibels(power: Tensor, ref: float = 1.0, amin: float = 1e-10, top_db: float | None = 80.0) -> Tensor:
    """10 log10 of powers (rows, bins, frames) over ``ref``; no row lower than ``top_db`` below its own maximum."""
    levels = 10 * power.clamp(min=amin).log10() - 10 * float(np.log10(max(amin, abs(ref))))
    return levels if top_db is None else levels.maximum(levels.amax((-2, -1), keepdim=True) - top_db)


def check_decibels(amin: float, top_db: float | None) -> None:
    """Raises OptionError for a value outside its range."""
    if not 0 < amin <= MOST_AMIN:
        raise OptionError(f"amin is {amin}, it must be above 0 and at most {MOST_AMIN:g}")
    if top_db is not None and top_db < 0:
        raise OptionError(f"top_db is {top_db}, it must be 0 or more, or None")


def floor_needs_all(top_db: float) -> str:
    """Why levels with a floor cannot be streamed."""
    return f"its floor is {top_db:g} dB below the loudest frame of all; give top_db=None"


def groups_of_bands(bank: ArrayLike, size: int = 16) -> list[tuple[slice, slice]]:
    """Neighbouring filters (filters, frequencies), and the frequencies that any of each group lets through.

    Filters are narrow, so products of such groups have a tenth of the work of the whole matrix.
    """
    found = []
    bank = np.asarray(bank)
    for begin in range(0, len(bank), size):
        used = np.flatnonzero(bank[begin : begin + size].any(axis=0))
        low, high = (used[0], used[-1] + 1) if len(used) else (0, 1)
        found.append((slice(begin, begin + size), slice(int(low), int(high))))
    return found
