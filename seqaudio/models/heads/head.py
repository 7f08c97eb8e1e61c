"""What does every head promise? An exact, normalised likelihood of what comes next, and draws from that distribution.

Conventions: hidden states (batch, time, hidden); outputs (batch, time, n), one tensor, whose n is the head's own
business; targets are ids (batch, time) for tokens and frames (batch, time, keys) for frames. A frame's key sounds
where its entry is above one half, so NaN, as may stand in padding, is silence and no number that spreads; in frames of
real numbers NaN is a number that is not known. Units: nats.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor, nn

from seqaudio.errors import OptionError


class Head(nn.Module, ABC):
    """Hidden states to outputs, and the likelihood of targets under them."""

    @abstractmethod
    def forward(self, hidden: Tensor) -> Tensor:
        """Outputs (batch, time, n) of hidden states (batch, time, hidden)."""

    @abstractmethod
    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of the targets, (batch, time), float32 whatever the outputs are."""

    def nats_and_loss(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The nats, and what training lowers, (batch, time) each: the same, unless a head knows better."""
        nats = self.nats(outputs, targets)
        return nats, nats

    @abstractmethod
    def sample(self, outputs: Tensor, generator: Generator, temperature: float = 1.0) -> Tensor:
        """Targets drawn from the distribution whose negative logarithm is ``nats``; frames of keys as bool.

        Args:
            outputs: (batch, time, n), or (batch, n) of one step; each step is drawn by itself.
            generator: on the device of the outputs.
            temperature: every choice of the head is drawn from its probabilities to the power of 1 / temperature.

        Raises:
            OptionError: the temperature is not above 0.
        """


def draw(logits: Tensor, generator: Generator, temperature: float) -> Tensor:
    """Numbers of classes (...) drawn from the softmax of logits (..., classes).

    Raises:
        OptionError: the temperature is not above 0.
    """
    shape = logits.shape[:-1]
    probabilities = cooled(logits, temperature).softmax(dim=-1).reshape(-1, logits.shape[-1])
    return torch.multinomial(probabilities, 1, generator=generator).reshape(shape)


def cooled(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """Logits at a temperature, in float32; or at one for each row, (batch, 1, 1).

    Raises:
        OptionError: a temperature is not above 0.
    """
    if not torch.as_tensor(temperature > 0).all():
        raise OptionError(f"temperature is {temperature}, it must be above 0")
    return logits.float() / temperature
