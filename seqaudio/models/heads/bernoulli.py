"""How likely does each key sound, if the keys of a frame knew nothing of each other?"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from seqaudio.models.heads.head import Head, cooled

SILENCE = -3.0  # logit of a key of a piano roll: 4 or 5 of 88 sound, or 1 of 20


class BernoulliHead(Head):
    """Keys of a frame that sound independently of each other: one logit each.

    It cannot say "one of these chords", so it is the weakest head, and the one that most published figures are for. The
    biases begin at -3, the density of piano rolls, or training would begin with silencing the keys that never sound.
    Source: Boulanger-Lewandowski et al. 2012 (RNN with independent outputs).
    """

    def __init__(self, hidden_size: int, keys: int) -> None:
        super().__init__()
        self.logits = nn.Linear(hidden_size, keys)
        nn.init.constant_(self.logits.bias, SILENCE)

    def forward(self, hidden: Tensor) -> Tensor:
        """Logits (batch, time, keys) of hidden states (batch, time, hidden)."""
        logits: Tensor = self.logits(hidden)
        return logits

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of frames (batch, time, keys), shape (batch, time)."""
        sounding = (targets > 0.5).float()
        return functional.binary_cross_entropy_with_logits(outputs.float(), sounding, reduction="none").sum(dim=-1)

    def sample(self, outputs: Tensor, generator: Generator, temperature: float = 1.0) -> Tensor:
        """Frames (batch, time, keys), bool; see :meth:`Head.sample`."""
        return torch.bernoulli(cooled(outputs, temperature).sigmoid(), generator=generator).bool()
