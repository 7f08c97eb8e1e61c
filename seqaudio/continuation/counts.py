"""How does a model of counts continue a piece? By the same way as a network: a history in, log probabilities out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.engines import EngineState
from seqaudio.models.baselines.match_copy import TokenBaseline
from seqaudio.tokens import Tokenizer


@dataclass(frozen=True)
class CountedModel:
    """What a model of counts reads and writes.

    Attributes:
        tokenizer: of the pieces it was fitted to.
        pitch_range: lowest and highest pitch that it may write.
        of_melodies: whether these are single lines; asked only where its tokens hold no instruments.
    """

    tokenizer: Tokenizer
    pitch_range: tuple[int, int]
    of_melodies: bool = True

    @property
    def programs(self) -> None:
        """Unknown: what its tokens hold it may have met."""
        return None

    @property
    def sampling(self) -> dict[str, float]:
        """As it counts."""
        return {"temperature": 1.0, "gate_temperature": 1.0}

    def require_tokenizer(self) -> Tokenizer:
        """The tokenizer."""
        return self.tokenizer


@dataclass(frozen=True)
class CountingEngine:
    """Counts as a predictor. The state is all that was read, ids (batch, tokens): so a copy may look far back.

    Args:
        model: a fitted ``NGram``, ``PPM`` or ``MatchCopy`` over one of them.
        checkpoint: its tokens and pitches.
    """

    model: TokenBaseline
    checkpoint: CountedModel

    def initial_state(self, batch: int) -> EngineState:
        """Nothing read."""
        return (np.zeros((batch, 0), dtype=np.int64),)

    def run(self, ids: NDArray[np.int64], state: EngineState) -> tuple[NDArray[np.float32], EngineState]:
        """Log probabilities (batch, time, vocabulary) behind each id (batch, time), and the next state."""
        past = np.concatenate([state[0], ids], axis=1)
        before = state[0].shape[1]
        rows = [
            [self.model.log_probabilities(row[:end]) for end in range(before + 1, past.shape[1] + 1)] for row in past
        ]
        return np.array(rows, dtype=np.float32), (past,)
