"""How loud is each note? The constant-Q transform: filters as long as a number of periods, octave by octave.

Sources: Schoerkhuber and Klapuri (2010), Constant-Q transform toolbox for music processing; the filters and all
conventions are librosa's. What it does by a Fourier transform of each octave is here one product of the frames with the
filters as they are in time, and its halving of the rate soxr's filter as a product (``resampling``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.arrays import constant
from seqaudio.features.contract import Feature
from seqaudio.features.framing import MOST, check_pad_mode, check_positive, check_weights, map_frames, pad
from seqaudio.features.librosa_import import librosa
from seqaudio.features.resampling import decimation
from seqaudio.features.tuning import MOST_TUNINGS, NEEDS_TUNING, Tuning, check_tuning

MOST_BINS, MOST_OCTAVES, MOST_NORM = 2**14, 32, 100
LOWEST = float(librosa.note_to_hz("C1"))


@dataclass(frozen=True)
class Scale:
    """Which frequencies a constant-Q transform has, and how its filters are made; words and defaults are librosa's.

    Attributes:
        n_bins: frequencies.
        bins_per_octave: of them.
        fmin: the lowest, in Hz.
        hop_length: samples from one frame to the next.
        filter_scale: below 1 filters are shorter: better times, worse frequencies.
        norm: of a filter.
        sparsity: share of a filter's energy that may be left out.
        window: of a filter.

    Raises:
        OptionError: a value outside its range.
    """

    n_bins: int = 84
    bins_per_octave: int = 12
    fmin: float = LOWEST
    hop_length: int = 512
    filter_scale: float = 1.0
    norm: float | None = 1
    sparsity: float = 0.01
    window: str = "hann"

    def __post_init__(self) -> None:
        check_positive("n_bins", self.n_bins, MOST_BINS)
        check_positive("bins_per_octave", self.bins_per_octave, MOST_BINS)
        check_positive("hop_length", self.hop_length)
        if not (0 < self.fmin <= MOST and self.filter_scale > 0 and 0 <= self.sparsity < 1):
            raise OptionError(f"give fmin above 0 and at most {MOST}, filter_scale above 0, sparsity from 0 to below 1")
        if self.norm and (0 < self.norm < 1 / MOST_NORM or MOST_NORM < self.norm < np.inf):
            raise OptionError(f"norm is {self.norm:g}, it must be {1 / MOST_NORM} to {MOST_NORM}, 0, infinity or None")
        if self.n_bins > MOST_OCTAVES * self.bins_per_octave:
            raise OptionError(
                f"n_bins is {self.n_bins}, it must be at most {MOST_OCTAVES} octaves of {self.bins_per_octave}"
            )

    def frequencies(self, tuning: float = 0.0) -> NDArray[np.float64]:
        """Of all bins, in Hz, (bins,)."""
        lowest = self.fmin * 2.0 ** (tuning / self.bins_per_octave)
        found: NDArray[np.float64] = librosa.interval_frequencies(
            n_bins=self.n_bins,
            fmin=lowest,
            intervals="equal",
            bins_per_octave=self.bins_per_octave,
            sort=True,
        )
        return found

    @property
    def relative_bandwidth(self) -> float:
        """Of each filter."""
        ratio: float = 4.0 ** (1 / self.bins_per_octave)
        return (ratio - 1) / (ratio + 1)


@dataclass(frozen=True, eq=False)
class Octave:
    """The filters of one octave.

    Attributes:
        halved: by which factor the rate is lowered before them, after those of the octaves above.
        hop_length: between frames, at the lowered rate.
        filters: real and imaginary parts side by side, (samples, 2 * bins).
    """

    halved: int
    hop_length: int
    filters: NDArray[np.float64]


Filters = tuple[tuple[int, int], Tensor]  # of an octave: how its rate is lowered and its hop; (samples, 2 * bins)


class Cqt(Feature):
    """The constant-Q transform: complex, (..., n_bins, frames).

    Args:
        sample_rate: in Hz.
        scale: the frequencies.
        tuning: how far A lies from 440 Hz, in bins; None: estimated from each recording.
        pad_mode: what lies beyond the ends: ``constant`` (zeros), ``reflect`` or ``edge``.

    Raises:
        OptionError: a value outside its range, or frequencies above half the sample rate.
    """

    def __init__(
        self, sample_rate: int, *, scale: Scale | None = None, tuning: float | None = 0.0, pad_mode: str = "constant"
    ) -> None:
        scale = scale or Scale()
        check_pad_mode(pad_mode)
        check_tuning(tuning)
        names = tuple(librosa.hz_to_note(scale.frequencies(), cents=scale.bins_per_octave != 12, unicode=False))
        super().__init__(sample_rate, scale.hop_length, names)
        self.scale, self.tuning, self.pad_mode = scale, tuning, pad_mode
        self.frequencies = scale.frequencies(tuning or 0.0)
        octaves = octave_filters(sample_rate, scale, tuning or 0.0)
        self.reach = NEEDS_TUNING if tuning is None else reach_of(octaves, self.hop_length)
        self._estimate = Tuning(sample_rate, bins_per_octave=scale.bins_per_octave)

    def _rows(self, samples: Tensor) -> Tensor:
        return self._tuned(samples, self._estimate.of_samples(samples) if self.tuning is None else [self.tuning])

    def _tuned(self, samples: Tensor, tunings: list[float]) -> Tensor:
        """(rows, time) -> (rows, bins, frames), octave by octave from the top; one tuning for all rows, or for each."""
        like = samples.dtype, samples.device
        banks = [filter_bank(self.sample_rate, self.scale, tuning, *like) for tuning in tunings]
        if len({tuple(rate for rate, _ in bank) for bank in banks}) > 1:  # some rates can be halved early, some not
            return torch.cat([self._tuned(row[None], [tuning]) for row, tuning in zip(samples, tunings, strict=True)])
        made = []
        for octave in zip(*banks, strict=True):
            halved, hop = octave[0][0]
            if halved > 1:
                samples = decimation(halved)(samples)
            pairs = zip(torch.split(samples, len(samples) // len(banks)), octave, strict=True)
            made.append(torch.cat([self._filtered(rows, filters, hop) for rows, (_, filters) in pairs]))
        shortest = min(each.shape[1] for each in made)
        return torch.cat([each[:, :shortest] for each in reversed(made)], -1).transpose(-1, -2)

    def _filtered(self, samples: Tensor, filters: Tensor, hop_length: int) -> Tensor:
        """(rows, time) -> complex (rows, frames, bins)."""
        length = len(filters)
        padded = pad(samples, length // 2, self.pad_mode)
        parts = map_frames(padded, length, hop_length, lambda frames: frames @ filters)
        bins = parts.shape[-1] // 2
        return torch.complex(parts[..., :bins], parts[..., bins:])


@lru_cache(maxsize=MOST_TUNINGS)
def filter_bank(
    sample_rate: int, scale: Scale, tuning: float, dtype: torch.dtype, device: torch.device
) -> tuple[Filters, ...]:
    """The filters of all octaves in the precision of samples, where they are; all features of a scale share them."""
    like = torch.empty(0, dtype=dtype, device=device)
    octaves = octave_filters(sample_rate, scale, tuning)
    return tuple(((octave.halved, octave.hop_length), constant(octave.filters, like)) for octave in octaves)


@lru_cache(maxsize=8)
def octave_filters(sample_rate: int, scale: Scale, tuning: float) -> tuple[Octave, ...]:
    """The filters of all octaves, the highest first.

    Raises:
        OptionError: a filter would reach above half the sample rate.
    """
    frequencies = scale.frequencies(tuning)
    lengths, cutoff = filter_lengths(frequencies, sample_rate, scale)
    if cutoff > sample_rate / 2:
        raise OptionError(
            f"the filter at {frequencies[-1]:.0f} Hz reaches to {cutoff:.0f} Hz, above half of {sample_rate} Hz; "
            "give fewer n_bins or a lower fmin"
        )
    longest = 2 * scale.n_bins * float(lengths.max())
    check_weights(f"filters of {scale.n_bins} bins", longest, "fewer n_bins, a higher fmin or less filter_scale")
    count = -(-scale.n_bins // scale.bins_per_octave)
    halved = early_factor(sample_rate, cutoff, scale.hop_length, count)
    hop, rate = scale.hop_length // halved, sample_rate / halved
    lengths = lengths / halved
    made, first_rate = [], rate
    for octave in range(count):
        stop = scale.n_bins - octave * scale.bins_per_octave
        chosen = slice(max(0, stop - scale.bins_per_octave), stop)
        filters = time_filters(frequencies[chosen], rate, scale) * np.sqrt(first_rate / rate / lengths[chosen])
        made.append(Octave(halved, hop, np.concatenate([filters.real, filters.imag], axis=1)))
        halved = 1
        if hop % 2 == 0:
            hop, rate, halved = hop // 2, rate / 2, 2
    return tuple(made)


def filter_lengths(frequencies: NDArray[np.float64], rate: float, scale: Scale) -> tuple[NDArray[np.float64], float]:
    """Of each filter in samples, (bins,), and the highest frequency that any lets through, in Hz."""
    alpha = np.full(len(frequencies), scale.relative_bandwidth)
    lengths, cutoff = librosa.filters.wavelet_lengths(
        freqs=frequencies, sr=rate, window=scale.window, filter_scale=scale.filter_scale, gamma=0, alpha=alpha
    )
    return lengths, float(cutoff)


def early_factor(rate: int, cutoff: float, hop_length: int, octaves: int) -> int:
    """By how much the rate may be lowered before the highest octave, as librosa has it."""
    unused = max(0, int(np.ceil(np.log2(rate / 2 / cutoff)) - 1) - 1)
    twos = (hop_length & -hop_length).bit_length() - 1
    return 1 << min(unused, max(0, twos - octaves + 1))


def time_filters(frequencies: NDArray[np.float64], rate: float, scale: Scale) -> NDArray[np.complex128]:
    """Filters of one octave as they are in time, complex (samples, bins).

    They are sparse in frequency, where librosa applies them; its product of a frame's spectrum with a filter is the
    product of the frame with the filter's Fourier transform.
    """
    alpha: Any = np.full(len(frequencies), scale.relative_bandwidth)  # librosa's annotation knows one number alone
    filters, lengths = librosa.filters.wavelet(
        freqs=frequencies,
        sr=rate,
        filter_scale=scale.filter_scale,
        norm=scale.norm,
        pad_fft=True,
        window=scale.window,
        gamma=0,
        alpha=alpha,
    )
    length = filters.shape[1]
    filters = filters * (lengths[:, None] / length)
    spectra = librosa.get_fftlib().fft(filters, n=length, axis=1)[:, : 1 + length // 2]
    sparse = librosa.util.sparsify_rows(spectra, quantile=scale.sparsity).toarray()
    return np.fft.fft(sparse, n=length, axis=1).T


def reach_of(octaves: tuple[Octave, ...], hop_length: int) -> tuple[int, int]:
    """Samples before and behind a frame's middle that any octave hears."""
    factor, filtered, furthest = 1, 0, 0
    for octave in octaves:
        if octave.halved > 1:
            filtered += factor * decimation(octave.halved).reach
            factor *= octave.halved
        furthest = max(furthest, filtered + factor * (len(octave.filters) // 2 + 1))
    return furthest + hop_length, furthest
