"""What is a recording? Samples of one channel or more, and how many of them a second has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from seqaudio.errors import OptionError
from seqaudio.music.resampling import Samples, resample


@dataclass(frozen=True, eq=False)
class Waveform:
    """Sound as numbers; a value, whose samples cannot be changed.

    Args:
        samples: float32, shape (channels, samples), full scale from -1 to 1; of one channel also (samples,).
        sample_rate: samples a second, in Hz.

    Raises:
        OptionError: samples of another shape or without a channel, integers, not finite, or a rate below 1.
    """

    samples: Samples
    sample_rate: int

    def __init__(self, samples: ArrayLike, sample_rate: int) -> None:
        given = np.asarray(samples)
        if given.size and given.dtype.kind in "iub" and np.abs(given.astype(np.int64)).max() > 1:
            raise OptionError(f"samples are {given.dtype}; divide by their full scale, such as 32768, to have -1 to 1")
        found = np.array(given, np.float32, ndmin=1)  # a copy, which nobody else changes
        if found.ndim == 1:
            found = found[None]
        if found.ndim != 2 or not len(found):
            raise OptionError(f"samples of shape {found.shape}; give (channels, samples), or (samples,)")
        if not np.isfinite(found).all():
            raise OptionError("samples that are no finite numbers; give finite ones")
        if int(sample_rate) < 1:
            raise OptionError(f"sample rate is {sample_rate}, it must be 1 Hz or more")
        found.setflags(write=False)
        object.__setattr__(self, "samples", found)
        object.__setattr__(self, "sample_rate", int(sample_rate))

    def __len__(self) -> int:
        """Samples of each channel."""
        return int(self.samples.shape[1])

    @property
    def channels(self) -> int:
        """How many sound at once."""
        return len(self.samples)

    @property
    def seconds(self) -> float:
        """How long it sounds."""
        return len(self) / self.sample_rate

    def mono(self) -> Waveform:
        """The mean of the channels, as one."""
        return self if self.channels == 1 else Waveform(self.samples.mean(axis=0), self.sample_rate)

    @property
    def peak(self) -> float:
        """The sample furthest from 0; 1 is full scale, and 0 silence or no samples."""
        return max(float(self.samples.max(initial=0)), -float(self.samples.min(initial=0)))

    def within(self, peak: float = 1.0) -> Waveform:
        """The same sound, as much quieter as it takes to stay within a peak; as it is where it does already."""
        if self.peak <= peak:
            return self
        most = np.float32(peak)
        most = most if most <= peak else np.nextafter(most, np.float32(0))
        return Waveform(np.clip(self.samples * (peak / self.peak), -most, most), self.sample_rate)  # what rounding adds

    def resampled(self, sample_rate: int) -> Waveform:
        """The same sound at another rate, in Hz. Raises OptionError as :func:`seqaudio.music.resampling.resample`."""
        if sample_rate == self.sample_rate:
            return self
        return Waveform(resample(self.samples, self.sample_rate, sample_rate), sample_rate)

    def cut(self, begin: float = 0.0, end: float | None = None) -> Waveform:
        """What sounds from one time to another, in seconds; ``end`` None: to the end."""
        first = max(0, round(begin * self.sample_rate))
        stop = len(self) if end is None else max(first, round(end * self.sample_rate))
        return Waveform(self.samples[:, first:stop], self.sample_rate)
