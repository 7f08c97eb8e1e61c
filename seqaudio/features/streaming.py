"""How are frames made of sound that is still coming in? Blocks of any size in, the frames that are certain out.

A frame depends on the samples within the reach of its feature. So the feature is applied to what is kept, and of its
frames those are handed out whose reach lies inside; then all is dropped that no later frame can hear. Frames are those
of one call on everything, up to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.arrays import Array, as_given, as_tensor
from seqaudio.features.contract import Feature


class Stream:
    """Frames of a recording that comes in blocks.

    Blocks much smaller than a frame's reach are work: with each frame that is handed out, all that it hears is
    transformed again.

    Args:
        feature: what to hear.

    Raises:
        OptionError: a feature that needs the whole recording; the text says why, and what helps.
    """

    def __init__(self, feature: Feature) -> None:
        if isinstance(feature.reach, str):
            raise OptionError(f"{type(feature).__name__} cannot be streamed: {feature.reach}")
        self.feature = feature
        before, self.behind = feature.reach
        self.before = before + feature.hop_length  # so that what is kept always has a frame
        self._kept: Tensor | None = None
        self._empty: Tensor | None = None
        self._begin = 0  # of what is kept, in frames
        self._given = 0  # frames
        self._like: Any = None  # of the kind of the blocks

    def push(self, samples: Array) -> Array:
        """The next samples (..., time), of the same rows each time; the frames that are certain now, maybe none.

        Raises:
            OptionError: other rows than before.
        """
        self._like = samples[..., :0]
        return as_given(self._push(as_tensor(samples)), samples)

    def _push(self, block: Tensor) -> Tensor:
        if self._kept is not None and (block.shape[:-1], block.dtype) != (self._kept.shape[:-1], self._kept.dtype):
            have, came = (f"{tuple(each.shape[:-1])} {each.dtype}" for each in (self._kept, block))
            raise OptionError(f"a block of rows {came} behind rows {have}; push the same rows each time")
        self._kept = block if self._kept is None else torch.cat([self._kept, block], -1)
        hop = self.feature.hop_length
        end = self._begin * hop + self._kept.shape[-1]
        certain = max(self._given, (end - self.behind) // hop + 1)
        if certain == self._given:
            return self._none(block)
        frames = self._frames(certain)
        keep_from = max(0, (certain * hop - self.before) // hop)
        if keep_from > self._begin:
            self._kept = self._kept[..., (keep_from - self._begin) * hop :].clone()
            self._begin = keep_from
        return frames

    def finish(self) -> Tensor | NDArray[Any]:
        """The frames that were waiting for more sound, of the kind of the blocks; then the stream can begin anew.

        Raises:
            OptionError: no samples came, or too few for the feature.
        """
        if self._kept is None:
            raise OptionError("nothing was pushed; push a block of samples first")
        frames = self._frames(None)
        self._kept, self._empty, self._begin, self._given = None, None, 0, 0
        last: Tensor | NDArray[Any] = as_given(frames, self._like)
        return last

    def _frames(self, stop: int | None) -> Tensor:
        """From the first one not handed out yet."""
        made: Tensor = self.feature(self._kept)
        first = self._given - self._begin
        if stop is None:
            return made[..., first:]
        self._given = stop
        return made[..., first : stop - self._begin]

    def _none(self, block: Tensor) -> Tensor:
        """No frames, of the shape that they have."""
        if self._empty is None:
            silence = block.new_zeros(*block.shape[:-1], self.before + self.behind)
            self._empty = self.feature(silence)[..., :0]
        return self._empty
