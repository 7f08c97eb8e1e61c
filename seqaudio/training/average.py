"""Which weights are judged and kept: the last ones, or an average over the steps that led there?

Averages have less of the noise of the last few batches. Two kinds:

- exponential moving average, ``average <- d * average + (1 - d) * weights`` with ``d = min(decay, (1 + n) / (10 + n))``
  at step n, so that the random first weights are soon forgotten (Polyak & Juditsky 1992; the warm-up of the decay as
  TensorFlow's ExponentialMovingAverage has it);
- the mean of all weights behind a start (ASGD: Polyak & Juditsky 1992; for language models: Merity et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Averaged weights beside those of a model.

    Args:
        model: whose weights are averaged; the average begins as a copy.
        decay: of the exponential moving average; None: the mean.
        start: steps before the mean begins; until then the average is a copy of the weights.

    Attributes:
        weights: the averages, by the names of the parameters.
    """

    def __init__(self, model: nn.Module, decay: float | None, start: int = 0) -> None:
        self.decay, self.start = decay, start
        self.weights: dict[str, Tensor] = {name: p.detach().clone() for name, p in model.named_parameters()}

    def share(self, step: int) -> float:
        """How much of the average the weights behind step ``step``, counted from 1, become."""
        if self.decay is not None:
            return 1 - min(self.decay, (1 + step) / (10 + step))
        return 1 / max(1, step - self.start)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights behind a step."""
        share = self.share(step)
        for name, parameter in model.named_parameters():
            self.weights[name].lerp_(parameter, share)

    @contextmanager
    def in_place_of(self, model: nn.Module) -> Iterator[None]:
        """Inside: the model has the averages as its weights. In place, since cuDNN wants a layer's in one block."""
        own = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        _copy(self.weights, model)
        try:
            yield
        finally:
            _copy(own, model)


@torch.no_grad()
def _copy(weights: dict[str, Tensor], model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(weights[name])
