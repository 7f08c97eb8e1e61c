"""Which model is built from which numbers? Layers take plain arguments; only :func:`build_model` reads the config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from seqaudio.models.recurrent import Cell
    from seqaudio.models.sequence_model import SequenceModel
else:
    from typing import Literal

    Cell = Literal["rnn", "gru", "lstm"]


class ModelConfig(BaseModel):
    """Sizes of a stacked recurrent token model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: Cell = "lstm"
    hidden_size: int = Field(512, ge=1, le=8192)
    layers: int = Field(2, ge=1, le=16)
    embedding_size: int | None = Field(None, ge=1, le=8192, description="None: as hidden_size, without a projection")
    dropout: float = Field(0.3, ge=0, lt=1)
    embedding_dropout: float = Field(0.0, ge=0, lt=1)


def build_model(config: ModelConfig, vocabulary_size: int) -> SequenceModel:
    """A new model with random weights from torch's current random state."""
    from seqaudio.models.heads import CategoricalHead, TokenEmbedding
    from seqaudio.models.recurrent import RecurrentStack
    from seqaudio.models.sequence_model import SequenceModel

    features = config.embedding_size or config.hidden_size
    embedding = TokenEmbedding(vocabulary_size, features, config.embedding_dropout)
    stack = RecurrentStack(config.cell, features, config.hidden_size, config.layers, config.dropout)
    return SequenceModel(embedding, stack, CategoricalHead(config.hidden_size, embedding))
