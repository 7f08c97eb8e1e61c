"""How does what a model hears become vectors? Token ids by a table, frames of keys as they are or by one matrix."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class TokenEmbedding(nn.Embedding):
    """Token ids (batch, time) to vectors (batch, time, features); whole tokens are silenced by embedding dropout.

    The matrix is also the output's, so its entries must be small, of variance 1 / features; sqrt(features) brings the
    vectors back to variance 1, or the recurrent layers would hardly hear them. Sources: the scale: Vaswani et al. 2017;
    the dropout: Gal & Ghahramani 2016, Merity et al. 2018.
    """

    def __init__(self, vocabulary_size: int, features: int, dropout: float = 0.0) -> None:
        super().__init__(vocabulary_size, features)
        self.dropout = dropout
        self.scale = float(features**0.5)
        nn.init.normal_(self.weight, std=features**-0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors (batch, time, features) of ids (batch, time)."""
        weight = self.weight
        if self.training and self.dropout > 0:
            kept = torch.full((len(weight), 1), 1 - self.dropout, device=weight.device)
            weight = weight * torch.bernoulli(kept) / (1 - self.dropout)
        return functional.embedding(ids, weight) * self.scale


class FrameEncoder(nn.Module):
    """Frames (batch, time, keys), bool or numbers, to vectors (batch, time, features).

    A NaN, a number that is not known, is heard as 0: a silent key, or the mean of numbers as the head mixture has them.

    Args:
        keys: of a frame.
        features: of a vector, by a matrix and a bias; None leaves the keys as they are, so that the recurrent layer's
            own input matrix is the only one.
    """

    def __init__(self, keys: int, features: int | None = None) -> None:
        super().__init__()
        self.projection = nn.Identity() if features is None else nn.Linear(keys, features)

    def forward(self, frames: Tensor) -> Tensor:
        """Vectors (batch, time, features) of frames (batch, time, keys)."""
        if frames.is_floating_point():
            frames = torch.where(frames.isnan(), 0.0, frames)
        vectors: Tensor = self.projection(frames.float())
        return vectors
