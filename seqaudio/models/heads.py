"""How does a hidden state become a probability of what comes next?

Every head gives an exact, normalised likelihood. Units: nats.
"""

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


class CategoricalHead(nn.Module):
    """Logits over a vocabulary, with the embedding matrix tied to the output (Press & Wolf 2017).

    Args:
        hidden_size: features of the last recurrent layer; projected to the embedding's size where they differ.
        embedding: the encoder whose matrix is shared.
    """

    def __init__(self, hidden_size: int, embedding: TokenEmbedding) -> None:
        super().__init__()
        features = embedding.embedding_dim
        self.projection = nn.Identity() if hidden_size == features else nn.Linear(hidden_size, features)
        self.weight = embedding.weight
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))

    def forward(self, hidden: Tensor) -> Tensor:
        """Logits (batch, time, vocabulary) of hidden states (batch, time, hidden)."""
        return functional.linear(self.projection(hidden), self.weight, self.bias)

    @staticmethod
    def nats(logits: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of targets (batch, time), shape (batch, time)."""
        return functional.cross_entropy(logits.float().transpose(1, 2), targets, reduction="none")
