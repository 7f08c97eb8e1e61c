"""How does a model with a memory of the piece run? A network on either engine, and a notebook for each row beside it.

The network gives what its head says, the logarithms of its gate, and the guesses; here they become one distribution.
The gate has a temperature of its own, for it decides whether a piece returns to what it said before: cooled, a model
returns as surely as its training music does, and what is new stays as varied.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.engines import Engine, EngineState
from seqaudio.errors import OptionError
from seqaudio.models.match_memory import Memory

Logits = NDArray[np.float32]


@runtime_checkable
class WithGate(Protocol):
    """A predictor that can say what comes next at another temperature of its gate."""

    def cooled(self, state: EngineState, gate_temperature: float) -> Logits:
        """Logits (batch, vocabulary) behind the last ids that a state has heard."""
        ...


class RememberingEngine:
    """An engine whose network has a gate, with the memory that it asks.

    The state is that of the network, then the outputs behind the last ids (batch, n), then a notebook for each row.
    """

    def __init__(self, network: Engine, memory: Memory) -> None:
        self.name, self.checkpoint = network.name, network.checkpoint
        self._network, self._memory = network, memory
        self._vocabulary = len(self.checkpoint.require_tokenizer().vocabulary)

    def initial_state(self, batch: int) -> EngineState:
        """Zeros, and empty notebooks."""
        notebooks = np.empty(batch, object)
        notebooks[:] = [self._memory.begin() for _ in range(batch)]
        return (*self._network.initial_state(batch), np.zeros((batch, 0), np.float32), notebooks)

    def run(self, ids: NDArray[np.int64], state: EngineState) -> tuple[Logits, EngineState]:
        """Logarithms of probabilities (batch, time, vocabulary) behind each id (batch, time), and the next state."""
        *parts, _, notebooks = state
        told = [notebook.after(row) for notebook, row in zip(notebooks, ids, strict=True)]
        after = np.empty(len(told), object)
        after[:] = [notebook for _, notebook in told]
        outputs, ends = self._network.run(np.stack([rows for rows, _ in told]), tuple(parts))
        return self._mixed(outputs, 1.0), (*ends, outputs[:, -1], after)

    def cooled(self, state: EngineState, gate_temperature: float) -> Logits:
        """See :class:`WithGate`. Raises OptionError for a temperature of 0 or below."""
        if not gate_temperature > 0:
            raise OptionError(f"gate temperature is {gate_temperature}, it must be above 0")
        return self._mixed(state[-2], gate_temperature)

    def _mixed(self, outputs: Logits, gate_temperature: float) -> Logits:
        """What head, gate and guesses (..., n) say together, (..., vocabulary)."""
        flat = outputs.reshape(-1, outputs.shape[-1])
        sources = (flat.shape[1] - self._vocabulary - 1) // 2
        own, gate, guesses = np.split(flat, [self._vocabulary, self._vocabulary + 1 + sources], axis=1)
        gate = gate / np.float32(gate_temperature)
        gate = gate - _log_sums(gate)
        mixed = own - _log_sums(own) + gate[:, :1]
        rows = np.arange(len(flat))
        for source, guess in enumerate(guesses.T.astype(np.int64), start=1):
            mixed[rows, guess] = np.logaddexp(mixed[rows, guess], gate[:, source])
        return mixed.reshape(*outputs.shape[:-1], self._vocabulary)


def _log_sums(logits: Logits) -> Logits:
    """Of each row, (rows, 1)."""
    most = logits.max(axis=1, keepdims=True)
    sums: Logits = most + np.log(np.exp(logits - most).sum(axis=1, keepdims=True))
    return sums
