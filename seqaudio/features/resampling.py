"""How does the rate of sound change? By soxr's filters; by a whole factor also as a torch operation.

A rate that falls by a whole factor is one filter of finite length, and soxr's is found by hearing what it makes of
single samples. As a matrix product it runs wherever torch does, and gradients pass; the difference is soxr's rounding.
"""

from __future__ import annotations

from functools import lru_cache
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.arrays import constant
from seqaudio.features.framing import map_frames
from seqaudio.features.librosa_import import librosa
from seqaudio.music.resampling import Real, resample as resampled

QUALITY = "soxr_hq"
FAINTEST = 1e-7  # of the filter's middle; weaker ends are rounding
OUTPUTS = 64  # of one matrix product


@overload
def resample(samples: Tensor, from_rate: int, to_rate: int) -> Tensor: ...
@overload
def resample(samples: NDArray[Real], from_rate: int, to_rate: int) -> NDArray[Real]: ...
def resample(samples: Tensor | NDArray[Real], from_rate: int, to_rate: int) -> Tensor | NDArray[Real]:
    """The same sound at another rate, by soxr at high quality; on the CPU, and no gradient passes.

    Shape:
        (..., time) -> (..., ceil(time * to_rate / from_rate))

    Args:
        samples: float32 or float64.
        from_rate: theirs, in Hz.
        to_rate: wanted, in Hz.

    Raises:
        OptionError: a rate is below 1 Hz, or one is more than a thousand times the other; or there are no samples.
    """
    if isinstance(samples, Tensor):
        made = resample(samples.detach().cpu().numpy(), from_rate, to_rate)
        return torch.from_numpy(made).to(samples.device)
    if not samples.shape[-1]:
        raise OptionError("there are no samples; give one or more")
    return resampled(samples, from_rate, to_rate)


class Decimation:
    """A rate that falls by a whole factor, energy kept, as a filter.

    Attributes:
        factor: one sample is left of so many.
        reach: samples on each side that one hears.
    """

    def __init__(self, factor: int) -> None:
        self.factor = factor
        taps = decimation_filter(factor)
        self.reach = len(taps) // 2
        self.length = factor * (OUTPUTS - 1) + len(taps)
        self.matrix = np.zeros((self.length, OUTPUTS))
        for output in range(OUTPUTS):
            self.matrix[factor * output : factor * output + len(taps), output] = taps[::-1]
        self.begin = first_answers(factor, taps)
        self._cast: dict[tuple[torch.dtype, torch.device], tuple[Tensor, Tensor]] = {}

    def __call__(self, samples: Tensor) -> Tensor:
        """(rows, time) -> (rows, ceil(time / factor))."""
        key = samples.dtype, samples.device
        if key not in self._cast:
            self._cast[key] = constant(self.matrix, samples), constant(self.begin, samples)
        matrix, begin = self._cast[key]
        hop, length = self.factor * OUTPUTS, samples.shape[-1]
        wanted = -(-length // self.factor)
        blocks = -(-wanted // OUTPUTS)
        behind = hop * (blocks - 1) + self.length - self.reach - samples.shape[-1]
        padded = torch.nn.functional.pad(samples, (self.reach, max(0, behind)))
        made = map_frames(padded, self.length, hop, lambda frames: frames @ matrix)  # (rows, blocks, outputs)
        filtered = made[:, :blocks].flatten(1)[:, : (2 * length + self.factor) // (2 * self.factor)]
        first = samples[:, : len(begin)] @ begin[:length, : filtered.shape[1]]
        filtered = torch.cat([filtered[:, : first.shape[1]] + first, filtered[:, first.shape[1] :]], 1)
        return torch.nn.functional.pad(filtered, (0, wanted - filtered.shape[1]))  # soxr rounds, librosa adds a zero


@lru_cache(maxsize=16)
def decimation(factor: int) -> Decimation:
    """The filter of a factor, measured once."""
    return Decimation(factor)


def decimation_filter(factor: int) -> NDArray[np.float64]:
    """What soxr adds up for one sample out of ``factor``, (2 * reach + 1,), the middle in the middle."""
    half = 256 * factor
    heard = np.zeros(2 * half + 1)  # of a sample that lies so far from the one that is left
    for phase in range(factor):
        impulse = np.zeros(4 * half)
        impulse[2 * half + phase] = 1.0
        answer = librosa.resample(impulse, orig_sr=factor, target_sr=1, res_type=QUALITY, scale=True)
        distance = factor * np.arange(len(answer)) - 2 * half - phase
        near = np.abs(distance) <= half
        heard[half + distance[near]] = answer[near]
    reach = np.abs(np.flatnonzero(np.abs(heard) > FAINTEST * np.abs(heard).max()) - half).max()
    return heard[half - reach : half + reach + 1]


def first_answers(factor: int, taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """What soxr's first samples have beside what the filter gives, (samples heard, samples).

    A larger factor is reached in steps, and the first step forgets what its filter says of the time before the sound.
    """
    if factor == 2:
        return np.zeros((0, 0))
    reach = len(taps) // 2
    outputs = 2 * reach // factor
    impulse, rows = np.zeros(4 * reach), list[NDArray[np.float64]]()
    while len(rows) < 2 * reach and (len(rows) < 2 * factor or np.abs(rows[-2 * factor :]).max() > FAINTEST):
        place = len(rows)
        impulse[place] = 1.0
        answer = librosa.resample(impulse, orig_sr=factor, target_sr=1, res_type=QUALITY, scale=True)[:outputs]
        impulse[place] = 0.0
        distance = factor * np.arange(outputs) - place
        inside = np.abs(distance) <= reach
        rows.append(answer - np.where(inside, taps[np.where(inside, distance, 0) + reach], 0.0))
    return np.array(rows)
