"""How likely is a whole frame, if most frames were met in training?

A softmax over the frames met in training and an escape, whose mass goes to another head over all frames:
p(y) = p(number of y), if y is known, + p(escape) p_escape(y). Both terms count, so it is normalised exactly.

The logit of a known frame is a row of weights of its own plus the sum over its keys of K h: what is common to
frames that share keys is learnt for all of them, rare and transposed ones too; its own row, zero at first, adds what
only this frame has. The sum is the same product with the rows w + y K, so it costs nothing per step of music.
Source: the softmax with an escape is PPM's (Cleary & Witten 1984), a neural one in place of its counts.
"""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from seqaudio.models.heads.head import Head, draw
from seqaudio.models.heads.known_frames import KnownFrames

MOST_LOGITS = 2**25  # kept at once, 128 MB; of longer batches they are made again in the backward pass


class JointHead(Head):
    """Known frames as classes, all others by another head.

    Its outputs are the hidden states and the outputs of the other head behind them: logits of tens of thousands of
    frames are made, and forgotten, where they are needed.

    Args:
        hidden_size: features of the last recurrent layer.
        known_frames: bool, (known, keys), see :func:`distinct_frames`; kept with the weights.
        escape: a head over all frames of the same keys.
    """

    def __init__(self, hidden_size: int, known_frames: ArrayLike, escape: Head) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.known = KnownFrames(known_frames)
        self.escape = escape
        keys = self.known.frames.shape[1]
        self.weight = nn.Parameter(torch.zeros(len(self.known) + 1, hidden_size))  # the escape's row is the last
        self.bias = nn.Parameter(torch.zeros(len(self.known) + 1))
        self.of_keys = nn.Parameter(torch.empty(keys, hidden_size).uniform_(-1, 1) * hidden_size**-0.5)  # K

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states and the escape's outputs, (batch, time, hidden + n)."""
        return torch.cat([hidden, self.escape(hidden)], dim=-1)

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of frames (batch, time, keys), shape (batch, time)."""
        sounding = targets > 0.5
        hidden, of_escape = self._parts(outputs)
        number = self.known.find(sounding)  # (batch, time)
        choices = self._choices(hidden.flatten(0, -2), number.flatten())  # (steps, 2)
        known, escape = choices.reshape(*number.shape, 2).unbind(dim=-1)
        unseen = escape - self.escape.nats(of_escape, targets)
        return -torch.where(number < len(self.known), torch.logaddexp(known, unseen), unseen)

    def sample(self, outputs: Tensor, generator: Generator, temperature: float = 1.0) -> Tensor:
        """Frames (batch, time, keys), bool; see :meth:`Head.sample`."""
        hidden, of_escape = self._parts(outputs)
        number = draw(functional.linear(hidden, self._rows(), self.bias), generator, temperature)
        is_known = (number < len(self.known))[..., None]
        frames = self.known.frames[number.clamp(max=len(self.known) - 1)]
        return torch.where(is_known, frames, self.escape.sample(of_escape, generator, temperature))

    def _parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        return outputs[..., : self.hidden_size].float(), outputs[..., self.hidden_size :]

    def _rows(self) -> Tensor:
        """The whole weights of each class, (known + 1, hidden)."""
        with torch.autocast(self.weight.device.type, enabled=False):
            shared = self.known.frames.float() @ self.of_keys
            return self.weight + functional.pad(shared, (0, 0, 0, 1))

    def _choices(self, hidden: Tensor, number: Tensor) -> Tensor:
        """Log-probabilities (steps, 2) of each step's class and of the escape, from hidden states (steps, hidden)."""
        rows, size = self._rows(), max(1, MOST_LOGITS // len(self.bias))
        if len(hidden) <= size:
            return _log_probabilities(hidden, number, rows, self.bias)
        parts = [
            checkpoint(_log_probabilities, *part, rows, self.bias, use_reentrant=False)
            for part in zip(torch.split(hidden, size), torch.split(number, size), strict=True)
        ]
        return torch.cat(parts)


def _log_probabilities(hidden: Tensor, number: Tensor, rows: Tensor, bias: Tensor) -> Tensor:
    """Of a class for each step and of the last class, (steps, 2), float32."""
    logits = functional.linear(hidden, rows, bias).float()  # (steps, classes)
    asked = torch.stack([number, torch.full_like(number, len(bias) - 1)], dim=1)
    return logits.log_softmax(dim=-1).gather(1, asked)
