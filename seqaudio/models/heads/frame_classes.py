"""How likely is each of the frames met in training, and that it is none of them?

One class for each known frame and one, the last, for an escape. The logit of a known frame is a row of weights of its
own plus the sum over its keys of K h: what is common to frames that share keys is learnt for all of them, rare and
transposed ones too; its own row, zero at first, adds what only this frame has. The sum is the same product with the
rows w + y K, so it costs nothing per step of music.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from seqaudio.models.heads.known_frames import KnownFrames

MOST_LOGITS = 2**25  # kept at once, 128 MB; of longer batches they are made again in the backward pass


class FrameClasses(nn.Module):
    """Known frames and the escape as the classes of a softmax.

    Args:
        hidden_size: features of the last recurrent layer.
        known_frames: bool, (known, keys), see :func:`distinct_frames`; kept with the weights.
    """

    def __init__(self, hidden_size: int, known_frames: ArrayLike) -> None:
        super().__init__()
        self.known = KnownFrames(known_frames)
        keys = self.known.frames.shape[1]
        self.weight = nn.Parameter(torch.zeros(len(self.known) + 1, hidden_size))  # the escape's row is the last
        self.bias = nn.Parameter(torch.zeros(len(self.known) + 1))
        self.of_keys = nn.Parameter(torch.empty(keys, hidden_size).uniform_(-1, 1) * hidden_size**-0.5)  # K

    def rows(self) -> Tensor:
        """The whole weights of each class, (known + 1, hidden)."""
        with torch.autocast(self.weight.device.type, enabled=False):
            shared = self.known.frames.float() @ self.of_keys
            return self.weight + functional.pad(shared, (0, 0, 0, 1))

    def in_parts(self, ask: Callable[..., Tensor], hidden: Tensor, others: Tensor) -> Tensor:
        """``ask(hidden, others, rows, bias)`` for steps (steps, ...), as many at once as memory allows."""
        rows, size = self.rows(), max(1, MOST_LOGITS // len(self.bias))
        if len(hidden) <= size:
            return ask(hidden, others, rows, self.bias)
        parts: Iterator[tuple[Tensor, Tensor]] = zip(torch.split(hidden, size), torch.split(others, size), strict=True)
        return torch.cat([checkpoint(ask, *part, rows, self.bias, use_reentrant=False) for part in parts])
