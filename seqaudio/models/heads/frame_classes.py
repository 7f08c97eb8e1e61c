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

    def in_parts(self, ask: Callable[..., Tensor], *steps: Tensor) -> Tensor:
        """``ask(*steps, rows, bias)`` for tensors (steps, ...), as many steps at once as memory allows."""
        rows, size = self.rows(), max(1, MOST_LOGITS // len(self.bias))
        if len(steps[0]) <= size:
            return ask(*steps, rows, self.bias)
        parts: Iterator[tuple[Tensor, ...]] = zip(*(torch.split(each, size) for each in steps), strict=True)
        return torch.cat([checkpoint(ask, *part, rows, self.bias, use_reentrant=False) for part in parts])

    def nats(self, number: Tensor, choices: Tensor, of_escape: Tensor) -> Tensor:
        """Negative log-likelihood of whole frames.

        Args:
            number: of a frame's class (...), as :meth:`KnownFrames.find` gives it.
            choices: what :func:`class_and_escape` says of it, (..., 2).
            of_escape: nats of the frame under the head that all unknown frames are left to (...).
        """
        known, escape = choices.unbind(dim=-1)
        unseen = escape - of_escape
        return -torch.where(number < len(self.known), torch.logaddexp(known, unseen), unseen)


def class_and_escape(log_probabilities: Tensor, number: Tensor) -> Tensor:
    """Of a class for each step and of the last class, (steps, 2); from log-probabilities (steps, classes)."""
    asked = torch.stack([number, torch.full_like(number, log_probabilities.shape[-1] - 1)], dim=1)
    return log_probabilities.gather(1, asked)
