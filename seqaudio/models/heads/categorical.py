"""How likely is each token of a vocabulary?"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from seqaudio.models.encoders import TokenEmbedding
from seqaudio.models.heads.head import Head, draw


class CategoricalHead(Head):
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
    def nats(outputs: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood of ids (batch, time), shape (batch, time)."""
        return functional.cross_entropy(outputs.float().transpose(1, 2), targets, reduction="none")

    @staticmethod
    def sample(outputs: Tensor, generator: Generator, temperature: float = 1.0) -> Tensor:
        """Ids (batch, time); see :meth:`Head.sample`."""
        return draw(outputs, generator, temperature)
