"""How likely are the real numbers of a frame, as those of audio or of a measured series are?

A frame's density is a mixture of Gaussians with independent numbers: p(y) = sum over k of w_k times the product over
its numbers of N(y_d; m_kd, s_kd). So numbers of a frame depend on each other through the component that they share.
Nats are those of a density: below zero where it is above one, and other in other units. Feed numbers whose deviation is
about one; nats of what was divided by s beforehand are those of the numbers as they were plus -log s for each.

A NaN is a number that is not known: the density is that of the others, exactly, and a frame of NaN, such as may stand
in padding, has 0 nats.

Source: C. M. Bishop, "Mixture density networks", 1994.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from seqaudio.errors import OptionError
from seqaudio.models.heads.head import Head, draw

LEAST_DEVIATION = 1e-3  # or a number that comes twice would have a likelihood without bound
LARGEST, FARTHEST = 1e30, 1e17  # of a number, and in deviations: nats behind it are finite, whatever stands in padding
FIRST_WEIGHTS = 0.1  # of the deviation that a layer usually begins with: means and deviations are the biases' at first


class MixtureHead(Head):
    """A mixture of Gaussians over the numbers of a frame.

    Its outputs are, for each step, logits of the components, their means and what their deviations are made of,
    (batch, time, components + 2 * components * numbers), always in float32: rounded to bf16, a mean would be off by
    more than a narrow component is wide.

    Args:
        hidden_size: features of the last recurrent layer.
        numbers: of a frame.
        components: Gaussians.

    Raises:
        OptionError: there is no component.
    """

    def __init__(self, hidden_size: int, numbers: int, components: int) -> None:
        super().__init__()
        if components < 1:
            raise OptionError(f"a mixture of {components} Gaussians; ask for 1 or more")
        self.numbers, self.components = numbers, components
        self.parameters_of = nn.Linear(hidden_size, components * (1 + 2 * numbers))
        places = torch.special.ndtri((torch.arange(components) + 0.5) / components)  # apart, or they would stay equal
        with torch.no_grad():
            self.parameters_of.weight.mul_(FIRST_WEIGHTS)
            logits, means, raw = self._split(self.parameters_of.bias)
            logits.zero_()
            means.copy_(places[:, None].expand_as(means))
            raw.fill_(math.log(math.e - 1))  # softplus makes 1 of it

    def forward(self, hidden: Tensor) -> Tensor:
        """What the components are, (batch, time, components + 2 * components * numbers)."""
        with torch.autocast(hidden.device.type, enabled=False):
            outputs: Tensor = self.parameters_of(hidden.float())
        return outputs

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative logarithm of the density of frames (batch, time, numbers), shape (batch, time)."""
        logits, means, raw = self._split(outputs.float())
        deviations = _deviations(raw)
        known = ~targets.isnan()
        targets = targets.float().nan_to_num(0.0).clamp(-LARGEST, LARGEST)
        apart = (targets[..., None, :] - means) / deviations  # (..., components, numbers)
        of_number = 0.5 * apart.clamp(-FARTHEST, FARTHEST).square() + deviations.log() + 0.5 * math.log(2 * math.pi)
        of_component = (of_number * known[..., None, :]).sum(dim=-1)
        return -torch.logsumexp(logits.log_softmax(dim=-1) - of_component, dim=-1)

    def sample(self, outputs: Tensor, generator: Generator, temperature: float = 1.0) -> Tensor:
        """Frames (batch, time, numbers), float32; see :meth:`Head.sample`.

        The choices are the component, then its numbers; a Gaussian to the power of 1 / T is one whose deviation is
        sqrt(T) times as large.
        """
        logits, means, raw = self._split(outputs.float())
        chosen = draw(logits, generator, temperature)[..., None, None]
        mean, deviation = (
            each.take_along_dim(chosen, dim=-2).squeeze(-2) for each in (means, _deviations(raw))
        )  # (..., numbers)
        noise = torch.empty_like(mean).normal_(generator=generator)
        return torch.addcmul(mean, deviation, noise, value=math.sqrt(temperature))

    def _split(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (..., components), means and what deviations are made of, (..., components, numbers) both."""
        of_means = self.components * self.numbers
        logits, means, raw = torch.split(outputs, [self.components, of_means, of_means], dim=-1)
        shape = (*outputs.shape[:-1], self.components, self.numbers)
        return logits, means.reshape(shape), raw.reshape(shape)


def _deviations(raw: Tensor) -> Tensor:
    return functional.softplus(raw) + LEAST_DEVIATION
