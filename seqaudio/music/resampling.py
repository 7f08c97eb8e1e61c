"""How does sound get another rate? By soxr at high quality: what both rates can hold stays, the rest is gone.

Conventions: time is the last axis. The first sample stays where it is, and n samples become n * to / from, rounded up,
as in librosa. Source: the SoX Resampler library, whose "HQ" has a precision of 20 bits.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError

Samples = NDArray[np.float32]
Real = TypeVar("Real", np.float32, np.float64)

QUALITY = "HQ"
MOST_RATIO = 1000  # of two rates; the filter between rates further apart takes minutes and gigabytes


def resample(samples: NDArray[Real], from_hz: int, to_hz: int) -> NDArray[Real]:
    """Samples at another rate, shape (..., time) to (..., new time), as precise; the same where the rates are.

    Raises:
        OptionError: a rate is below 1 Hz, or one is more than a thousand times the other.
    """
    check_rates(from_hz, to_hz)
    if from_hz == to_hz or not samples.size:
        return samples
    import soxr  # late: few commands need it

    rows = samples.reshape(-1, samples.shape[-1])  # (..., time) -> (rows, time)
    length = resampled_length(rows.shape[1], from_hz, to_hz)
    made = np.zeros((len(rows), length), samples.dtype)
    for row, into in zip(rows, made, strict=True):  # each for itself: soxr would want (time, rows), a copy
        found = soxr.resample(np.ascontiguousarray(row), from_hz, to_hz, QUALITY)[:length]
        into[: len(found)] = found
    return made.reshape(*samples.shape[:-1], length)


def check_rates(from_hz: int, to_hz: int) -> None:
    """Raise OptionError where sound of one rate cannot be brought to the other."""
    low, high = sorted((from_hz, to_hz))
    if low < 1 or high > MOST_RATIO * low:
        raise OptionError(
            f"cannot resample from {from_hz:,} to {to_hz:,} Hz; "
            f"give rates of 1 Hz or more, {MOST_RATIO:,} times apart at most"
        )


def resampled_length(length: int, from_hz: int, to_hz: int) -> int:
    """How many samples so many become at another rate."""
    return -(-length * to_hz // from_hz)
