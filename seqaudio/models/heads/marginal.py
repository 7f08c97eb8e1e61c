"""How likely does each key sound, if the keys are independent but their probabilities come from whole frames?

A softmax over the frames met in training and an escape, as in the joint head. A key's probability is the share of the
frames in which it sounds: p_k = sum over known frames f of p(f) f_k + p(escape) sigmoid(b_k), the marginal of the joint
distribution. The likelihood is that of independent keys, so its figures stand beside those of the Bernoulli head; what
it gains is that a hidden state speaks of chords and not of 88 keys, which is learnt in a fraction of the steps.
"""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor
from torch.nn import functional

from seqaudio.models.heads.bernoulli import BernoulliHead
from seqaudio.models.heads.frame_classes import FrameClasses
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
        sounds, silent = self._probabilities(outputs)
        said = torch.where(targets > 0.5, sounds, silent) / (sounds + silent)  # they are one but for rounding
        return -said.clamp_min(LEAST).log().sum(dim=-1)

    def sample(self, outputs: Tensor, generator: Generator, temperature: float = 1.0) -> Tensor:
        """Frames (batch, time, keys), bool; see :meth:`Head.sample`."""
        sounds, silent = (part.clamp_min(LEAST) for part in self._probabilities(outputs))
        return torch.bernoulli(cooled((sounds / silent).log(), temperature).sigmoid(), generator=generator).bool()

    def _probabilities(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """That each key sounds and that it is silent, (batch, time, keys) each, float32."""
        steps = outputs.flatten(0, -2)
        hidden, logits = steps[:, : self.hidden_size], steps[:, self.hidden_size :].float()
        both = self.classes.in_parts(self._of_keys, hidden, logits)  # (steps, 2 keys)
        sounds, silent = both.reshape(*outputs.shape[:-1], -1).chunk(2, dim=-1)
        return sounds, silent

    def _of_keys(self, hidden: Tensor, logits: Tensor, rows: Tensor, bias: Tensor) -> Tensor:
        """Two sums, not one and its rest: near 1 the rest has no digits."""
        shares = functional.linear(hidden, rows, bias).float().softmax(dim=-1)  # (steps, classes)
        frames = self.classes.known.frames.float()
        of_classes = functional.pad(torch.cat([frames, 1 - frames], dim=1), (0, 0, 0, 1))  # (classes, 2 keys)
        of_escape = shares[:, -1:] * torch.cat([logits.sigmoid(), (-logits).sigmoid()], dim=1)
        return (shares @ of_classes).float() + of_escape
