"""What sounds on, and what strikes? Harmonic and percussive parts of a spectrogram, by medians along both axes.

Sources: Fitzgerald (2010), Harmonic/percussive separation using median filtering; Driedger, Mueller and Disch (2014),
for margins. The medians come from a network of comparisons (Knuth, The Art of Computer Programming, volume 3, 5.3.4) of
whole blocks of frames, whose neighbours share their sorted runs; so they run wherever torch does.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.contract import Feature
from seqaudio.features.framing import check_positive
from seqaudio.features.spectrum import Spectrogram, check_power

ALONG, TILE = 256, 1 << 14  # numbers of a block along the filter, and in all; with their runs they stay in the caches
MOST_KERNEL = 2**12 + 1  # frames and frequencies of a median; its time grows with it


class Hpss(Feature):
    """Harmonic and percussive magnitudes, (..., 2, frequencies, frames), the harmonic ones first.

    Args:
        spectrogram: of magnitudes.
        kernel_size: frames, and frequencies, of a median; odd.
        power: of the soft masks.
        margin: by how much one part must be stronger; with more than 1 something is left in neither.

    Raises:
        OptionError: a value outside its range.
    """

    def __init__(
        self, spectrogram: Spectrogram, *, kernel_size: int = 31, power: float = 2.0, margin: float = 1.0
    ) -> None:
        super().__init__(spectrogram.sample_rate, spectrogram.hop_length, spectrogram.names, spectrogram.offset)
        check_positive("kernel_size", kernel_size, MOST_KERNEL)
        if kernel_size % 2 == 0:
            raise OptionError(f"kernel_size is {kernel_size}, it must be an odd whole number")
        if not margin >= 1:
            raise OptionError(f"margin is {margin}, it must be 1 or more")
        self.spectrogram, self.kernel_size = spectrogram, kernel_size
        self.power, self.margin = check_power(power), margin
        before, behind = spectrogram.framing.reach
        around = kernel_size // 2 * self.hop_length
        self.reach = before + around, behind + around

    def _rows(self, samples: Tensor) -> Tensor:
        levels = self.spectrogram._rows(samples).transpose(-1, -2)  # (rows, frames, frequencies), as it lies in memory
        harmonic, percussive = (median_along(levels, axis, self.kernel_size) for axis in (1, 2))
        masks = (
            soft_mask(harmonic, self.margin * percussive, self.power, self.margin == 1),
            soft_mask(percussive, self.margin * harmonic, self.power, self.margin == 1),
        )
        return torch.stack([levels * mask for mask in masks], 1).transpose(-1, -2)


def soft_mask(level: Tensor, other: Tensor, power: float, split_silence: bool) -> Tensor:
    """The share of a level in both, of their powers; of silence one half, or nothing."""
    largest = torch.maximum(level, other)
    silent = largest < torch.finfo(level.dtype).tiny
    largest = torch.where(silent, 1.0, largest)
    mine, theirs = (level / largest).pow(power), (other / largest).pow(power)
    return torch.where(silent, 0.5 if split_silence else 0.0, mine / torch.where(silent, 1.0, mine + theirs))


def median_along(levels: Tensor, axis: int, size: int) -> Tensor:
    """The running median of (rows, frames, frequencies) along an axis, of all rows at once."""
    first = levels.movedim(axis, 0)
    return running_median(first.flatten(1), size).reshape(first.shape).movedim(0, axis)


def running_median(lines: Tensor, size: int) -> Tensor:
    """The median of ``size`` neighbours along the first axis of (time, lines), mirrored at the ends."""
    around = size // 2
    mirrored = np.pad(np.arange(len(lines)), around, mode="symmetric")
    padded = lines[torch.from_numpy(mirrored).to(lines.device)]
    along = min(ALONG, len(lines)) if lines.is_cpu else len(lines)
    across = max(1, TILE // (along + size - 1)) if lines.is_cpu else lines.shape[1]
    made = [
        torch.cat(
            [
                _median_of_runs(padded[begin : begin + along + size - 1, first : first + across].contiguous(), size)
                for begin in range(0, len(lines), along)
            ]
        )
        for first in range(0, lines.shape[1], across)
    ]
    return torch.cat(made, 1)


def _median_of_runs(lines: Tensor, size: int) -> Tensor:
    """Of (time + size - 1, lines), (time, lines).

    A window is two sorted runs that share the element in its middle, so that its median is one of the two in the middle
    of both runs together: the upper one unless the shared element is above the lower one.
    """
    if size == 1:
        return lines
    half = (size + 1) // 2
    count = len(lines) - size + 1
    runs = sorted_runs(lines, half, {})
    left = [each[:count] for each in runs]
    right = [each[half - 1 : half - 1 + count] for each in runs]
    shared = lines[half - 1 : half - 1 + count]
    lower, upper = kth(left, right, half), kth(left, right, half + 1)
    return torch.where(shared <= lower, upper, lower)


def kth(left: list[Tensor], right: list[Tensor], rank: int) -> Tensor:
    """The element of a rank, from 1, of two sorted lists together."""
    found: Tensor | None = None
    for taken in range(max(0, rank - len(right)), min(rank, len(left)) + 1):
        if taken in (0, rank):
            largest = right[rank - 1] if taken == 0 else left[rank - 1]
        else:
            largest = torch.maximum(left[taken - 1], right[rank - taken - 1])
        found = largest if found is None else torch.minimum(found, largest)
    assert found is not None
    return found


def sorted_runs(lines: Tensor, length: int, known: dict[int, list[Tensor]]) -> list[Tensor]:
    """The elements of every run of so many neighbours along the first axis, sorted: as many tensors as elements."""
    if length == 1:
        return [lines]
    if length not in known:
        first = (length + 1) // 2
        left, right = sorted_runs(lines, first, known), sorted_runs(lines, length - first, known)
        count = len(lines) - length + 1
        known[length] = merged([each[:count] for each in left], [each[first : first + count] for each in right])
    return known[length]


def merged(left: list[Tensor], right: list[Tensor]) -> list[Tensor]:
    """Two sorted lists as one, by Batcher's odd-even merge."""
    if not left or not right:
        return left or right
    if len(left) == len(right) == 1:
        return [torch.minimum(left[0], right[0]), torch.maximum(left[0], right[0])]
    even, odd = merged(left[::2], right[::2]), merged(left[1::2], right[1::2])
    made = [even[0]]
    for number in range(max(len(even) - 1, len(odd))):
        pair = [each[place] for each, place in ((odd, number), (even, number + 1)) if place < len(each)]
        made += [torch.minimum(*pair), torch.maximum(*pair)] if len(pair) == 2 else pair
    return made
