"""How is sound cut into frames, and what is put at its ends?

Conventions: samples (rows, time); frames (rows, frames, length), made without a copy and worked on in blocks that stay
in the caches of a core. Frame t begins at sample ``t * hop_length``; with ``center`` the samples are padded first, so
that its middle lies there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.librosa_import import librosa

BLOCK = 1 << 17  # samples of the frames that are worked on at once; with what is made of them they stay in a cache
LARGE_BLOCK = 1 << 27  # of a GPU, so that a batch of long files does not fill it
MOST = 2**24  # of anything that is counted: more samples than an hour of speech has
MOST_FRAMES = 2**14  # of a lag, a window or a smoothing: minutes
MOST_FFT = 2**20  # samples of a frame, a minute of speech
MOST_WEIGHTS = 2**26  # numbers of filters, half a gigabyte
PAD_MODES = ("constant", "reflect", "edge")


@dataclass(frozen=True)
class Framing:
    """The short-time Fourier transform's frames, in librosa's words and with its defaults.

    Attributes:
        n_fft: samples of a frame.
        hop_length: samples from one frame to the next.
        win_length: samples of the window, which lies in the middle of the frame; None: all.
        window: its name, as scipy and librosa know it.
        center: whether a frame's middle, or its begin, is at ``t * hop_length``.
        pad_mode: what lies beyond the ends: ``constant`` (zeros), ``reflect`` or ``edge``.
        precise: whether frames of float32 are transformed in float64, as librosa does it, so that what is quiet beside
            what is loud keeps its digits; it takes twice the time.

    Raises:
        OptionError: a value outside its range.
    """

    n_fft: int = 2048
    hop_length: int = 512
    win_length: int | None = None
    window: str = "hann"
    center: bool = True
    pad_mode: str = "constant"
    precise: bool = True

    def __post_init__(self) -> None:
        check_positive("n_fft", self.n_fft, MOST_FFT)
        check_positive("hop_length", self.hop_length)
        if self.win_length is not None and not 1 <= self.win_length <= self.n_fft:
            raise OptionError(f"win_length is {self.win_length}, it must be 1 to n_fft ({self.n_fft})")
        check_pad_mode(self.pad_mode)

    @property
    def padding(self) -> int:
        """Samples that are put in front of the first one and behind the last one."""
        return self.n_fft // 2 if self.center else 0

    @property
    def offset(self) -> float:
        """Samples from ``t * hop_length`` to the middle of frame t."""
        return self.n_fft / 2 - self.padding

    @property
    def bins(self) -> int:
        """Frequencies of a spectrum."""
        return 1 + self.n_fft // 2

    def count(self, samples: int) -> int:
        """Frames of so many samples."""
        return max(0, 1 + (samples + 2 * self.padding - self.n_fft) // self.hop_length)

    @property
    def reach(self) -> tuple[int, int]:
        """Samples before and from ``t * hop_length`` on that a frame hears, those that a mirror shows among them."""
        before, behind = self.padding, self.n_fft - self.padding
        if self.center and self.pad_mode == "reflect":
            return self.n_fft + self.hop_length, behind + 1
        return before, behind


def plain_frames(
    frame_length: int = 2048, hop_length: int = 512, center: bool = True, pad_mode: str = "constant"
) -> Framing:
    """Frames that no window is put on; of what has no spectrum."""
    return Framing(n_fft=frame_length, hop_length=hop_length, center=center, pad_mode=pad_mode)


def window_of(framing: Framing) -> NDArray[np.float64]:
    """The window of a frame, (n_fft,), with zeros around it where it is shorter."""
    length = framing.win_length or framing.n_fft
    if framing.window == "hann":  # by far the most usual, and no reason to import what knows all others
        window = torch.hann_window(length, dtype=torch.float64).numpy()
    else:
        window = librosa.filters.get_window(framing.window, length)
    before = (framing.n_fft - length) // 2
    padded: NDArray[np.float64] = np.pad(window, (before, framing.n_fft - length - before))
    return padded


def check_positive(name: str, value: object, most: int = MOST) -> None:
    """Raises OptionError unless it is a whole number from 1 to ``most``."""
    number = float(value) if isinstance(value, Real) else math.nan
    if not (number >= 1 and number.is_integer()):
        raise OptionError(f"{name} is {value!r}, it must be a whole number of 1 or more")
    if number > most:
        raise OptionError(f"{name} is {number:.12g}, it must be at most {most}")


def check_weights(what: str, count: float, advice: str) -> None:
    """Raises OptionError for filters or tables of so many numbers that they would fill the memory."""
    if not count <= MOST_WEIGHTS:
        raise OptionError(f"{what} would be {count:.3g} numbers, at most {MOST_WEIGHTS} are made; give {advice}")


def check_pad_mode(mode: str) -> None:
    """Raises OptionError unless it is known."""
    if mode not in PAD_MODES:
        raise OptionError(f"pad_mode is {mode!r}, it must be one of {', '.join(PAD_MODES)}")


def pad(samples: Tensor, width: int, mode: str) -> Tensor:
    """Samples (rows, time) with ``width`` more at both ends.

    Raises:
        OptionError: too few samples to mirror.
    """
    if not width:
        return samples
    if mode == "reflect" and samples.shape[-1] <= width:
        have = samples.shape[-1]
        raise OptionError(f"{have} samples are too few to reflect {width}; give more, or pad_mode='constant'")
    match mode:  # each a copy of memory, where torch's own padding goes sample by sample
        case "reflect":
            before, behind = samples[:, 1 : width + 1].flip(-1), samples[:, -width - 1 : -1].flip(-1)
        case "edge":
            before, behind = (end.expand(-1, width) for end in (samples[:, :1], samples[:, -1:]))
        case _:
            before = behind = samples.new_zeros(len(samples), width)
    return torch.cat([before, samples, behind], -1)


def map_frames(
    samples: Tensor, length: int, hop_length: int, function: Callable[[Tensor], Tensor], block: int = BLOCK
) -> Tensor:
    """What a function makes of all frames, (rows, frames, ...), block by block.

    Args:
        samples: (rows, time), padded.
        length: samples of a frame.
        hop_length: from one to the next.
        function: of frames (rows, frames, length), whose other axes it may change; each frame by itself.
        block: samples of the frames that are worked on at once, on a CPU.

    Raises:
        OptionError: fewer samples than one frame has.
    """
    if samples.shape[-1] < length:
        raise OptionError(f"{samples.shape[-1]} samples are fewer than a frame of {length}; give more, or center=True")
    frames = samples.unfold(-1, length, hop_length)  # (rows, frames, length), a view
    rows, count = frames.shape[:2]
    block = max(1, (block if samples.is_cpu else LARGE_BLOCK) // length)
    if rows * count <= block:
        return function(frames)
    tiles = _tiles(rows, count, block)
    if torch.is_grad_enabled() and samples.requires_grad:
        made = [function(frames[lines, span]) for lines, span in tiles]
        in_a_row = -(-count // block)
        return torch.cat([torch.cat(made[begin : begin + in_a_row], 1) for begin in range(0, len(made), in_a_row)])
    first = function(frames[tiles[0]])
    whole = first.new_empty(rows, count, *first.shape[2:])  # written block by block, so that blocks use the same memory
    whole[tiles[0]] = first
    for tile in tiles[1:]:
        whole[tile] = function(frames[tile])
    return whole


def _tiles(rows: int, count: int, block: int) -> list[tuple[slice, slice]]:
    """Rows and frames of each block: a part of one row, or several rows together."""
    if count >= block:
        spans = [slice(begin, begin + block) for begin in range(0, count, block)]
        return [(slice(row, row + 1), span) for row in range(rows) for span in spans]
    together = block // count
    return [(slice(row, row + together), slice(None)) for row in range(0, rows, together)]
