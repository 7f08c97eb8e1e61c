"""How does a model with a memory of the piece run? A network on either engine, and a notebook for each row beside it.

The network gives what its head says, the logarithms of its gate, and the guesses; here they become one distribution.
The gate has a temperature of its own, for it decides whether a piece returns to what it said before. It counts where
the memory has something to hold on to (``Notebook.holds``): cooled, a model that has begun to return goes on as surely
as its training music does. Where nothing is held, whether to begin is drawn at temperature 1, for a cool gate never
begins what it is less than sure of; and what is new stays as varied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seqaudio.compiled import compiled
from seqaudio.continuation.engines import CHUNK, Engine, EngineState
from seqaudio.errors import OptionError
from seqaudio.models.match_memory import Memory
from seqaudio.models.match_memory.memory import LEFT_OUT, NEVER

Logits = NDArray[np.float32]

ALL = (0, NEVER)  # steps, from the first to before the last


@runtime_checkable
class WithGate(Protocol):
    """A predictor that can say what comes next at another temperature of its gate."""

    def cooled(self, state: EngineState, gate_temperature: float, steps: NDArray[np.int64] | None = None) -> Logits:
        """Logits (batch, vocabulary) behind the last ids that a state has heard; cooled where something is held.

        ``steps``: (batch, 2) of each row the steps that may be copied, from the first to before the last; None: all.
        """
        ...


class RememberingEngine:
    """An engine whose network has a gate, with the memory that it asks.

    The state is that of the network, then the outputs behind the last ids (batch, n), then a notebook for each row.
    """

    def __init__(self, network: Engine, memory: Memory) -> None:
        self.name, self.checkpoint = network.name, network.checkpoint
        self._network, self._memory = network, memory
        self._vocabulary = len(self.checkpoint.require_tokenizer().vocabulary)

    @property
    def network(self) -> Engine:
        """The network beside the memory."""
        return self._network

    def initial_state(self, batch: int) -> EngineState:
        """Zeros, and empty notebooks."""
        notebooks = np.empty(batch, object)
        notebooks[:] = [self._memory.begin() for _ in range(batch)]
        return (*self._network.initial_state(batch), np.zeros((batch, 0), np.float32), notebooks)

    def run(self, ids: NDArray[np.int64], state: EngineState) -> tuple[Logits, EngineState]:
        """Logarithms of probabilities (batch, time, vocabulary) behind each id (batch, time), and the next state."""
        *parts, _, notebooks = state
        heard, after = [], np.empty_like(notebooks)
        for i, (notebook, said) in enumerate(zip(notebooks, ids, strict=True)):
            rows, after[i] = notebook.after(said)
            heard.append(rows)
        outputs, ends = self._network.run(np.array(heard), tuple(parts))
        logits = mixture(outputs.reshape(-1, outputs.shape[-1]), self._vocabulary, np.ones(ids.size))
        return logits.reshape(*ids.shape, self._vocabulary), (*ends, outputs[:, -1], after)

    def joined(self, states: Sequence[EngineState]) -> EngineState:
        """See :class:`seqaudio.continuation.engines.Predictor`."""
        parts = self._network.joined([state[:-2] for state in states])
        return (*parts, *(np.concatenate(part) for part in zip(*(state[-2:] for state in states), strict=True)))

    def taken(self, state: EngineState, rows: NDArray[np.bool_]) -> EngineState:
        """See :class:`seqaudio.continuation.engines.Predictor`."""
        *parts, outputs, notebooks = state
        return (*self._network.taken(tuple(parts), rows), outputs[rows], notebooks[rows])

    def cooled(self, state: EngineState, gate_temperature: float, steps: NDArray[np.int64] | None = None) -> Logits:
        """See :class:`WithGate`. Raises OptionError for a temperature of 0 or below."""
        if not gate_temperature > 0:
            raise OptionError(f"gate temperature is {gate_temperature}, it must be above 0")
        *_, outputs, notebooks = state
        spans = [ALL] * len(notebooks) if steps is None else [(first, end) for first, end in steps.tolist()]
        told = list(zip(notebooks, spans, strict=True))
        temperatures = [float(gate_temperature) if notebook.holds(*span) else 1.0 for notebook, span in told]
        heard = outputs.copy()
        for row, (notebook, (first, end)) in enumerate(told):
            if (first, end) != ALL:
                closed = (notebook.sources < first) | (notebook.sources >= end)
                heard[row, self._vocabulary + 1 + np.flatnonzero(closed)] = LEFT_OUT
        return mixture(heard, self._vocabulary, np.array(temperatures))

    def shares(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where each token but the first came from: how much of its probability is new, and how much each guess's.

        Args:
            ids: tokens, (tokens,).

        Returns:
            Shape (tokens - 1, 1 + sources), rows of sum 1; in the order of :attr:`names_of_shares`.
        """
        parts, notebook = self._network.initial_state(1), self._memory.begin()
        found = [np.zeros((0, 1 + self._memory.sources))]
        for start in range(0, len(ids) - 1, CHUNK):
            targets = ids[start + 1 : start + 1 + CHUNK]
            rows, notebook = notebook.after(ids[start : start + len(targets)])
            outputs, parts = self._network.run(rows[None], parts)
            found.append(_shares(outputs[0].astype(np.float64), targets, self._vocabulary))
        return np.concatenate(found)

    @property
    def names_of_shares(self) -> tuple[str, ...]:
        """What is new, and each source of guesses, in words."""
        return ("new", *self._memory.names)


def _shares(outputs: NDArray[np.float64], targets: NDArray[np.int64], vocabulary: int) -> NDArray[np.float64]:
    """Shares (tokens, 1 + sources) of the probability of each target under outputs (tokens, n)."""
    sources = (outputs.shape[1] - vocabulary - 1) // 2
    own, gate, guesses = np.split(outputs, [vocabulary, vocabulary + 1 + sources], axis=1)
    new = own[np.arange(len(targets)), targets] - np.logaddexp.reduce(own, axis=1)
    parts = np.exp(gate)
    parts[:, 0] *= np.exp(new)
    parts[:, 1:] *= guesses == targets[:, None]
    shares: NDArray[np.float64] = parts / parts.sum(axis=1, keepdims=True)
    return shares


@compiled
def mixture(outputs: Logits, vocabulary: int, gate_temperatures: NDArray[np.float64]) -> Logits:
    """Log probabilities (rows, vocabulary) of outputs (rows, n), with each row's gate at a temperature of its own.

    Outputs are logits, then logarithms of the gate, then guesses.
    """
    sources = (outputs.shape[1] - vocabulary - 1) // 2
    mixed = np.empty((len(outputs), vocabulary), np.float32)
    for row in range(len(outputs)):
        own = outputs[row, :vocabulary]
        gate = outputs[row, vocabulary : vocabulary + 1 + sources] / gate_temperatures[row]
        most, likeliest = own.max(), gate.max()
        gate -= likeliest + np.log(np.exp(gate - likeliest).sum())
        mixed[row] = own - (most + np.log(np.exp(own - most).sum()) - gate[0])
        for source in range(sources):
            guess = int(outputs[row, vocabulary + 1 + sources + source])
            one, other = float(mixed[row, guess]), float(gate[1 + source])
            more = max(one, other)
            mixed[row, guess] = more + np.log1p(np.exp(min(one, other) - more))
    return mixed
