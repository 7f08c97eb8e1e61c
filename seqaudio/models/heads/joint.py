"""How likely is a whole frame, if most frames were met in training?

A softmax over the frames met in training and an escape, whose mass goes to another head over all frames:
p(y) = p(number of y), if y is known, + p(escape) p_escape(y). Both terms count, so it is normalised exactly.
Source: the softmax with an escape is PPM's (Cleary & Witten 1984), a neural one in place of its counts.
"""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor
from torch.nn import functional

from seqaudio.models.heads.frame_classes import FrameClasses, class_and_escape
from seqaudio.models.heads.head import Head, draw


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
        self.classes = FrameClasses(hidden_size, known_frames)
        self.escape = escape

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states and the escape's outputs, (batch, time, hidden + n)."""
        return torch.cat([hidden, self.escape(hidden)], dim=-1)

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of frames (batch, time, keys), shape (batch, time)."""
        hidden, of_escape = self._parts(outputs)
        number = self.classes.known.find(targets > 0.5)  # (batch, time)
        choices = self.classes.in_parts(_of_classes, hidden.flatten(0, -2), number.flatten())  # (steps, 2)
        return self.classes.nats(number, choices.reshape(*number.shape, 2), self.escape.nats(of_escape, targets))

    def sample(self, outputs: Tensor, generator: Generator, temperature: float = 1.0) -> Tensor:
        """Frames (batch, time, keys), bool; see :meth:`Head.sample`."""
        hidden, of_escape = self._parts(outputs)
        known = self.classes.known
        number = draw(functional.linear(hidden, self.classes.rows(), self.classes.bias), generator, temperature)
        frames = known.frames[number.clamp(max=len(known) - 1)]
        is_known = (number < len(known))[..., None]
        return torch.where(is_known, frames, self.escape.sample(of_escape, generator, temperature))

    def _parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        return outputs[..., : self.hidden_size], outputs[..., self.hidden_size :]


def _of_classes(hidden: Tensor, number: Tensor, rows: Tensor, bias: Tensor) -> Tensor:
    """Log-probabilities of a class for each step and of the last class, (steps, 2), float32."""
    return class_and_escape(functional.linear(hidden, rows, bias).float().log_softmax(dim=-1), number)
