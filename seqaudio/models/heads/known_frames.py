"""Which of the frames met in training is this one, if any?

A frame's hash is the sum, modulo 2^64, of one random number for each sounding key (after Zobrist 1970). Known hashes
are sorted, a frame's is found among them by bisection, and the frame found there is compared key by key, so an answer
is exact whatever the hashes are, as long as no two known frames share one, which is looked at when they are made.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from seqaudio.errors import OptionError
from seqaudio.music.frames import Frames


def distinct_frames(pieces: Iterable[ArrayLike]) -> Frames:
    """The different frames of pieces (steps, keys), shape (frames, keys), sorted; give it training pieces alone."""
    found: set[bytes] = set()
    keys = 0
    for piece in pieces:
        frames = np.asarray(piece) > 0.5
        keys = frames.shape[1]
        found.update(row.tobytes() for row in np.packbits(frames, axis=1))
    packed = np.frombuffer(b"".join(sorted(found)), np.uint8).reshape(len(found), -1)
    return np.unpackbits(packed, axis=1, count=keys).astype(bool)


class KnownFrames(nn.Module):
    """A list of different frames that can be searched.

    Args:
        frames: bool, (known, keys), at least one.

    Raises:
        OptionError: there is none, or one stands there twice.
    """

    frames: Tensor
    hashes: Tensor
    numbers: Tensor
    multipliers: Tensor

    def __init__(self, frames: ArrayLike) -> None:
        super().__init__()
        known = torch.from_numpy(np.array(frames, dtype=bool))
        if known.dim() != 2 or not len(known):
            raise OptionError(f"known frames have shape {tuple(known.shape)}; give (frames, keys), at least one frame")
        self.register_buffer("frames", known)
        self.register_buffer("multipliers", torch.from_numpy(_multipliers(known.shape[1])), persistent=False)
        self.register_buffer("hashes", torch.zeros(len(known), dtype=torch.int64), persistent=False)
        self.register_buffer("numbers", torch.zeros(len(known), dtype=torch.int64), persistent=False)
        _sort(self)
        if (self.hashes[1:] == self.hashes[:-1]).any():
            raise OptionError("a known frame stands there twice; make the list with distinct_frames")
        self.register_load_state_dict_post_hook(_sort)  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self.frames)

    def find(self, frames: Tensor) -> Tensor:
        """The number of each frame (..., keys), bool, shape (...); as many as there are known ones if it is none."""
        hashes = _hashes(frames, self.multipliers)
        place = torch.searchsorted(self.hashes, hashes).clamp(max=len(self) - 1)
        number = self.numbers[place]
        is_known = (self.frames[number] == frames).all(dim=-1)
        return torch.where(is_known, number, len(self))


def _sort(known: nn.Module, incompatible: object = None) -> None:
    """Sort the hashes of the frames, new ones or loaded ones."""
    assert isinstance(known, KnownFrames)
    known.hashes, known.numbers = _hashes(known.frames, known.multipliers).sort()


def _hashes(frames: Tensor, multipliers: Tensor) -> Tensor:
    return (frames * multipliers).sum(dim=-1)  # int64 wraps around


def _multipliers(keys: int) -> NDArray[np.int64]:
    """The same for every model: odd numbers of 64 bits."""
    return np.random.default_rng(keys).integers(-(2**63), 2**63 - 1, keys, dtype=np.int64) | 1
