"""What is silenced while a recurrent model is trained?

Locked dropout silences features for a whole call, weight-drop connections of the recurrent matrix for a whole call,
zoneout the change of a unit at one step. All three draw from torch's current random state, only in training and only at
a rate above zero. (Embedding dropout, which silences whole tokens, is the embedding's own.)

Sources: locked dropout: Gal & Ghahramani 2016; weight-drop: Merity, Keskar & Socher 2018; zoneout: Krueger et al. 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqaudio.models.row_masks import row_masks


class LockedDropout(nn.Module):
    """Dropout with one mask for all time steps of a call, ``(batch, 1, features)``."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs (batch, time, features) with the same features silenced at every step; the identity in eval mode."""
        if not self.training or self.rate == 0:
            return inputs
        masks = row_masks(inputs.shape[0], (1, inputs.shape[2]), 1 - self.rate, inputs.device)
        return inputs * (masks / (1 - self.rate)).to(inputs.dtype)


class WeightDrop(nn.Module):
    """DropConnect on a matrix: one mask for a call, shared by its rows and steps; the rest is scaled up."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, matrix: Tensor) -> Tensor:
        """The matrix with some of its entries zero; the matrix itself in eval mode."""
        if not self.training or self.rate == 0:
            return matrix
        return functional.dropout(matrix, self.rate)


class Zoneout(nn.Module):
    """Units that keep their value of the step before: each unit, row and step by chance, in eval mode in expectation.

    Args:
        rates: one for each part of the state, in its order.
    """

    def __init__(self, rates: tuple[float, ...]) -> None:
        super().__init__()
        self.rates = rates

    @property
    def is_on(self) -> bool:
        """Whether anything is ever kept."""
        return any(self.rates)

    def forward(self, before: tuple[Tensor, ...], after: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The state after a step, given the parts (batch, hidden) before it and as the cell would have them."""
        return tuple(self._kept(*parts) for parts in zip(before, after, self.rates, strict=True))

    def _kept(self, before: Tensor, after: Tensor, rate: float) -> Tensor:
        if rate == 0:
            return after
        if not self.training:
            return torch.lerp(after, before, rate)
        stays = row_masks(len(before), before.shape[1:], rate, before.device)
        return torch.where(stays.bool(), before, after)
