"""How likely does each key sound, if the keys are independent but their probabilities come from whole frames?

A softmax over the frames met in training and an escape, as in the joint head. A key's probability is the share of the
frames in which it sounds: p_k = sum over known frames f of p(f) f_k + p(escape) sigmoid(b_k), the marginal of the joint
distribution. The likelihood is that of independent keys, so its figures stand beside those of the Bernoulli head; what
it gains is that a hidden state speaks of chords and not of 88 keys, which is learnt in a fraction of the steps.
Training lowers the mean of these nats and of the joint distribution's: a whole frame says more than its keys.
"""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor
from torch.nn import functional

from seqaudio.models.heads.bernoulli import BernoulliHead
from seqaudio.models.heads.frame_classes import FrameClasses, class_and_escape
from seqaudio.models.heads.head import Head, cooled

LEAST = 1e-12  # of a probability, which may underflow: so small that it moves no figure, and its logarithm is finite


class MarginalHead(Head):
    """Keys that sound independently of each other, with the marginal probabilities of a softmax over known frames.

    Its outputs are the hidden states and the escape's logits of the keys, (batch, time, hidden + keys).

    Args:
        hidden_size: features of the last recurrent layer.
        known_frames: bool, (known, keys), see :func:`distinct_frames`; kept with the weights.
    """

    def __init__(self, hidden_size: int, known_frames: ArrayLike) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.classes = FrameClasses(hidden_size, known_frames)
        self.escape = BernoulliHead(hidden_size, self.classes.known.frames.shape[1])

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states and the escape's logits, (batch, time, hidden + keys)."""
        return torch.cat([hidden, self.escape(hidden)], dim=-1)

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of frames (batch, time, keys), shape (batch, time)."""
        return _nats(self._probabilities(outputs), targets)

    def nats_and_loss(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The nats, and their mean with those of the joint distribution, which learns from whole frames."""
        hidden, logits = self._parts(outputs)
        number = self.classes.known.find(targets > 0.5)  # (batch, time)
        found = self.classes.in_parts(self._of_keys_and_frame, hidden, logits, number.flatten())
        both, choices = found.reshape(*number.shape, -1).tensor_split([-2], dim=-1)
        nats = _nats(both, targets)
        of_escape = self.escape.nats(outputs[..., self.hidden_size :], targets)
        return nats, (nats + self.classes.nats(number, choices, of_escape)) / 2

    def sample(self, outputs: Tensor, generator: Generator, temperature: float = 1.0) -> Tensor:
        """Frames (batch, time, keys), bool; see :meth:`Head.sample`."""
        sounds, silent = self._probabilities(outputs).clamp_min(LEAST).chunk(2, dim=-1)
        return torch.bernoulli(cooled((sounds / silent).log(), temperature).sigmoid(), generator=generator).bool()

    def _probabilities(self, outputs: Tensor) -> Tensor:
        """That each key sounds and that it is silent, (batch, time, 2 keys), float32."""
        both = self.classes.in_parts(self._of_keys, *self._parts(outputs))
        return both.reshape(*outputs.shape[:-1], -1)

    def _parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states and the escape's logits of all steps, (steps, n) each."""
        steps = outputs.flatten(0, -2)
        return steps[:, : self.hidden_size], steps[:, self.hidden_size :].float()

    def _of_keys(self, hidden: Tensor, logits: Tensor, rows: Tensor, bias: Tensor) -> Tensor:
        """The same for steps, (steps, 2 keys)."""
        return self._of_shares(functional.linear(hidden, rows, bias).float().softmax(dim=-1), logits)

    def _of_keys_and_frame(self, hidden: Tensor, logits: Tensor, number: Tensor, rows: Tensor, bias: Tensor) -> Tensor:
        """The same, and behind it what :func:`class_and_escape` says of the whole frame, (steps, 2 keys + 2)."""
        said = functional.linear(hidden, rows, bias).float().log_softmax(dim=-1)
        return torch.cat([self._of_shares(said.exp(), logits), class_and_escape(said, number)], dim=1)

    def _of_shares(self, shares: Tensor, logits: Tensor) -> Tensor:
        """Two sums, not one and its rest: near 1 the rest has no digits."""
        frames = self.classes.known.frames.float()
        of_classes = functional.pad(torch.cat([frames, 1 - frames], dim=1), (0, 0, 0, 1))  # (classes, 2 keys)
        of_escape = shares[:, -1:] * torch.cat([logits.sigmoid(), (-logits).sigmoid()], dim=1)
        return (shares @ of_classes).float() + of_escape


def _nats(both: Tensor, targets: Tensor) -> Tensor:
    """Of frames (..., keys), from the probabilities (..., 2 keys) that keys sound and that they are silent."""
    sounds, silent = both.chunk(2, dim=-1)
    said = torch.where(targets > 0.5, sounds, silent) / (sounds + silent)  # they are one but for rounding
    return -said.clamp_min(LEAST).log().sum(dim=-1)
