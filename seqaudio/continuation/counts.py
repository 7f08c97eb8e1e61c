"""How does a model of counts continue a piece? By the same way as a network: a history in, log probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.engines import EngineState
from seqaudio.models.baselines.match_copy import TokenBaseline
from seqaudio.models.checkpoint import LearntFrom
from seqaudio.tokens import Tokenizer


@dataclass(frozen=True)
class CountedModel:
    """What a model of counts reads and writes.

    Attributes:
        tokenizer: of the pieces it was fitted to.
        pitch_range: lowest and highest pitch that it may write.
        learnt_from: what these were read as.
    """

    tokenizer: Tokenizer
    pitch_range: tuple[int, int]
    learnt_from: LearntFrom = "melodies"

    @property
    def programs(self) -> None:
        """Unknown: what its tokens hold it may have met."""
        return None

    @property
    def beginnings(self) -> None:
        """Unknown."""
        return None

    @property
    def metres(self) -> None:
        """Unknown."""
        return None

    @property
    def between(self) -> None:
        """Unknown."""
        return None

    @property
    def sampling(self) -> dict[str, float]:
        """As it counts."""
        return {"temperature": 1.0, "gate_temperature": 1.0, "max_turns": 0}

    def require_tokenizer(self) -> Tokenizer:
        """The tokenizer."""
        return self.tokenizer


@dataclass(frozen=True)
class CountingEngine:
    """Counts as a predictor. The state is all that each row has read, (batch,) of ids: so a copy may look far back.

    Args:
        model: a fitted ``NGram``, ``PPM`` or ``MatchCopy`` over one of them.
        checkpoint: its tokens and pitches.
    """

    model: TokenBaseline
    checkpoint: CountedModel

    def initial_state(self, batch: int) -> EngineState:
        """Nothing read."""
        return (_side_by_side([np.zeros(0, np.int64)] * batch),)

    def run(self, ids: NDArray[np.int64], state: EngineState) -> tuple[NDArray[np.float32], EngineState]:
        """Log probabilities (batch, time, vocabulary) behind each id (batch, time), and the next state."""
        past = [np.concatenate(row) for row in zip(state[0], ids, strict=True)]
        rows = [
            [self.model.log_probabilities(row[: len(row) - left]) for left in reversed(range(ids.shape[1]))]
            for row in past
        ]
        return np.array(rows, dtype=np.float32), (_side_by_side(past),)

    def joined(self, states: Sequence[EngineState]) -> EngineState:
        """See :class:`seqaudio.continuation.engines.Predictor`."""
        return (np.concatenate([past for (past,) in states]),)

    def taken(self, state: EngineState, rows: NDArray[np.bool_]) -> EngineState:
        """See :class:`seqaudio.continuation.engines.Predictor`."""
        return (state[0][rows],)


def _side_by_side(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.object_]:
    """Ids of one row and another, which need not be as long as each other."""
    beside = np.empty(len(rows), object)
    beside[:] = rows
    return beside
