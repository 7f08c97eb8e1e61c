"""What shape has each spectrum? Where its middle is, how wide it is, how it falls, how it stands out, how flat it is.

Sources: as librosa has them; spectral contrast after Jiang and others (2002), flatness after Dubnov (2004).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.framing import Framing, check_positive
from seqaudio.features.librosa_import import librosa
from seqaudio.features.presets import Preset
from seqaudio.features.spectrum import (
    SpectralFeature,
    check_decibels,
    check_power,
    decibels,
    floor_needs_all,
    magnitudes,
)

MOST_OCTAVES = 64


class SpectralCentroid(SpectralFeature):
    """The mean frequency, weighted by magnitude, in Hz, (..., 1, frames).

    Args:
        sample_rate: in Hz.
        peer: whose numbers where the two differ: silence is 0 Hz to librosa and NaN to torchaudio, which also takes
            half of an odd rate for a whole number.
        framing: the frames.
    """

    def __init__(self, sample_rate: int, *, peer: Preset = "librosa", framing: Framing | None = None) -> None:
        super().__init__(sample_rate, framing, ("centroid",))
        self.peer = peer
        top = sample_rate / 2 if peer == "librosa" else sample_rate // 2
        frequencies = np.linspace(0, top, self.framing.bins)
        self._keep("sums", np.stack([frequencies, np.ones_like(frequencies)], axis=1))

    def _of_spectra(self, spectra: Tensor) -> Tensor:
        sums = magnitudes(spectra, 1) @ self._constant("sums", spectra.real)  # (rows, frames, 2)
        total = sums[..., 1:]
        return sums[..., :1] / (or_one(total) if self.peer == "librosa" else total)


class SpectralBandwidth(SpectralFeature):
    """The mean distance from the centroid, weighted by magnitude, in Hz, (..., 1, frames).

    Args:
        sample_rate: in Hz.
        p: the power of the distance whose mean is taken; 2: like a standard deviation.
        norm: whether magnitudes are weights that add up to 1.
        framing: the frames.

    Raises:
        OptionError: a power that is not above 0.
    """

    def __init__(self, sample_rate: int, *, p: float = 2.0, norm: bool = True, framing: Framing | None = None) -> None:
        super().__init__(sample_rate, framing, ("bandwidth",))
        self.p, self.norm = check_power(p), norm
        self._keep("frequencies", librosa.fft_frequencies(sr=sample_rate, n_fft=self.framing.n_fft))

    def _of_spectra(self, spectra: Tensor) -> Tensor:
        frequencies = self._constant("frequencies", spectra.real)
        weights = magnitudes(spectra, 1)
        shares = weights / or_one(weights.sum(-1, keepdim=True))
        distance = (frequencies - (shares @ frequencies)[..., None]).abs()
        spread = ((shares if self.norm else weights) * distance.pow(self.p)).sum(-1, keepdim=True)
        empty = spread == 0  # where a root has no gradient
        return torch.where(empty, 0.0, torch.where(empty, 1.0, spread).pow(1 / self.p))


class SpectralContrast(SpectralFeature):
    """How far peaks stand out of valleys, in octave bands, in decibels, (..., n_bands + 1, frames).

    Args:
        sample_rate: in Hz.
        fmin: upper end of the lowest band, in Hz.
        n_bands: octaves above it.
        quantile: share of a band's frequencies that are its peak, and its valley.
        linear: differences of magnitudes in place of decibels.
        top_db: no peak lies lower than this below the loudest one, nor a valley; None: no such floor. The floor needs
            the whole recording, so with it there is no stream.
        framing: the frames.

    Raises:
        OptionError: a value outside its range.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        fmin: float = 200.0,
        n_bands: int = 6,
        quantile: float = 0.02,
        linear: bool = False,
        top_db: float | None = 80.0,
        framing: Framing | None = None,
    ) -> None:
        check_positive("n_bands", n_bands, MOST_OCTAVES)
        check_decibels(1.0, top_db)
        if not (0 < quantile < 1 and 0 < fmin <= sample_rate / 2):
            raise OptionError(
                f"quantile is {quantile} and fmin {fmin}; give 0 < quantile < 1 and 0 < fmin <= {sample_rate / 2:g}"
            )
        edges = np.array([0.0, *(fmin * 2.0 ** np.arange(n_bands + 1))])
        if edges[-2] >= sample_rate / 2:
            raise OptionError(f"a band begins at {edges[-2]:.0f} Hz, above half of {sample_rate}; give fewer n_bands")
        names = tuple(f"{low:.0f} Hz to {high:.0f} Hz" for low, high in pairwise(edges))
        super().__init__(sample_rate, framing, names)
        self.linear, self.top_db = linear, top_db
        self._bands = contrast_bands(sample_rate, self.framing.n_fft, edges, quantile)
        if top_db is not None and not linear:
            self.reach = floor_needs_all(top_db)

    def _of_spectra(self, spectra: Tensor) -> Tensor:
        level = magnitudes(spectra, 1)
        bands = [(in_order(level[..., band]), count) for band, count in self._bands]
        valleys = [band[..., :count].mean(-1) for band, count in bands]
        peaks = [band[..., -count:].mean(-1) for band, count in bands]
        return torch.stack(valleys + peaks, -1)

    def _of_frames(self, frames: Tensor) -> Tensor:
        valleys, peaks = frames.chunk(2, 1)
        if self.linear:
            return peaks - valleys
        return decibels(peaks, top_db=self.top_db) - decibels(valleys, top_db=self.top_db)


class SpectralRolloff(SpectralFeature):
    """The frequency below which most of the magnitude lies, in Hz, (..., 1, frames); steps have no gradient.

    Args:
        sample_rate: in Hz.
        roll_percent: how much of it, 0 to 1.
        framing: the frames.

    Raises:
        OptionError: a share outside 0 to 1.
    """

    def __init__(self, sample_rate: int, *, roll_percent: float = 0.85, framing: Framing | None = None) -> None:
        if not 0 < roll_percent < 1:
            raise OptionError(f"roll_percent is {roll_percent}, it must lie between 0 and 1")
        super().__init__(sample_rate, framing, ("rolloff",))
        self.roll_percent = roll_percent
        self._keep("frequencies", librosa.fft_frequencies(sr=sample_rate, n_fft=self.framing.n_fft))

    def _of_spectra(self, spectra: Tensor) -> Tensor:
        below = magnitudes(spectra.detach(), 1).cumsum(-1)
        place = torch.searchsorted(below, self.roll_percent * below[..., -1:])
        return self._constant("frequencies", below)[place]


class SpectralFlatness(SpectralFeature):
    """How like noise it is: the geometric over the arithmetic mean, 0 to 1, (..., 1, frames).

    Args:
        sample_rate: in Hz.
        amin: smaller powers are raised to it.
        power: of the magnitudes.
        framing: the frames.

    Raises:
        OptionError: a value that is not above 0.
    """

    def __init__(
        self, sample_rate: int, *, amin: float = 1e-10, power: float = 2.0, framing: Framing | None = None
    ) -> None:
        check_decibels(amin, None)
        super().__init__(sample_rate, framing, ("flatness",))
        self.amin, self.power = amin, check_power(power)

    def _of_spectra(self, spectra: Tensor) -> Tensor:
        powers = magnitudes(spectra, self.power).clamp(min=self.amin)
        return powers.log().mean(-1, keepdim=True).exp() / powers.mean(-1, keepdim=True)


def or_one(sums: Tensor) -> Tensor:
    """Sums to divide by, those of silence replaced by 1."""
    return torch.where(sums < torch.finfo(sums.dtype).tiny, 1.0, sums)


def in_order(values: Tensor) -> Tensor:
    """Sorted along the last axis; on a CPU by numpy, which is many times as fast, unless a gradient is wanted."""
    if values.is_cpu and not (values.requires_grad and torch.is_grad_enabled()):
        return torch.from_numpy(np.sort(values.detach().numpy(), axis=-1))
    return values.sort(-1).values


def contrast_bands(
    sample_rate: int, n_fft: int, edges: NDArray[np.float64], quantile: float
) -> list[tuple[slice, int]]:
    """The frequencies of each band, and how many of them are its peak; neighbours overlap as librosa has it.

    Raises:
        OptionError: between two edges lies no frequency.
    """
    frequencies = librosa.fft_frequencies(sr=sample_rate, n_fft=n_fft)
    found = []
    for number, (low, high) in enumerate(pairwise(edges)):
        inside = np.flatnonzero((frequencies >= low) & (frequencies <= high))
        if not len(inside):
            raise OptionError(
                f"no frequency of n_fft={n_fft} lies between {low:.0f} and {high:.0f} Hz; give more n_fft"
            )
        last = number == len(edges) - 2
        begin = inside[0] - (number > 0)
        stop = len(frequencies) if last else inside[-1] + 1
        count = max(1, int(np.rint(quantile * (stop - begin))))
        found.append((slice(int(begin), int(stop if last else stop - 1)), count))
    return found
