"""What does a network hear of its memory, and how does its gate end, where the network is a graph without torch?

The same as :mod:`seqaudio.models.match_memory.gate` does in torch, of tokens: rows of tables in front of the recurrent
layers, and behind them a softmax over what is new and each source of guesses. As operators of the graph these are some
twenty, each of which takes longer than its work; here they are two compiled calls. :mod:`seqaudio.memory.gates`, which
shows what a gate does, works it out as well, for tokens and frames.

Conventions: rows (batch, time, numbers), int64, as :meth:`seqaudio.models.match_memory.Memory.heard` gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqaudio.compiled import compiled
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.models.match_memory.memory import LEFT_OUT, STRENGTHS

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


class Tables(NamedTuple):
    """What each thing that a memory tells adds to something, in rows of numbers.

    Attributes:
        guess: of each guess: of any source, (1, symbols, numbers), or of each, (sources, symbols, numbers).
        strength: of each source's strengths, (sources * STRENGTHS, numbers).
        counter: of the places of all counters, one counter's behind the other's, (places, numbers).
    """

    guess: Floats
    strength: Floats
    counter: Floats


@dataclass(frozen=True)
class Gate:
    """The weights of a gate that lie outside the graph.

    Attributes:
        heard_of: what the network hears: a source's numbers, or a counter's.
        said_of: what that and the trust in a source say of the gate, 1 + sources numbers.
        first: the first place of each counter, (counters,).
    """

    heard_of: Tables
    said_of: Tables
    first: Ids

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Gate | None:
        """The gate of a model of tokens with a memory; None: it has none."""
        memory, hidden = checkpoint.config.memory, checkpoint.config.hidden_size
        if memory is None:
            return None
        weights = {name: np.asarray(value, np.float32) for name, value in checkpoint.weights.items()}
        guess, strength = weights["gate.guess.weight"], weights["gate.strength.weight"]
        counters = [weights[f"gate.counter.{i}.weight"] for i in range(len(memory.counters))]
        sources, features = memory.sources, memory.features
        said = weights["gate.logits.weight"][:, hidden:].T  # (features of all, 1 + sources)
        of_guess = said[: sources * features].reshape(sources, features, 1 + sources)
        of_strength = strength.reshape(sources, STRENGTHS, features) @ of_guess
        of_strength[range(sources), :, range(1, 1 + sources)] += weights["gate.trust"].reshape(sources, STRENGTHS)
        of_counters = np.split(said[sources * features :], len(counters)) if counters else []
        said_of_counters = [table @ part for table, part in zip(counters, of_counters, strict=True)]
        none = np.zeros((0, 0), np.float32)
        return cls(
            Tables(guess[None], strength, np.concatenate(counters) if counters else none),
            Tables(
                guess @ of_guess,
                of_strength.reshape(-1, 1 + sources),
                np.concatenate(said_of_counters) if counters else none,
            ),
            np.cumsum([0, *memory.counters], dtype=np.int64)[:-1],
        )

    def heard(self, rows: Ids) -> Floats:
        """What the network hears beside the symbols, (batch, time, features of all)."""
        flat = _heard(rows.reshape(-1, rows.shape[-1]), *self.heard_of, self.first)
        return flat.reshape(*rows.shape[:2], flat.shape[1])

    def ended(self, outputs: Floats, rows: Ids) -> Floats:
        """Logits, logarithms of the gate (1 + sources) and guesses (sources), of what the graph gives.

        Args:
            outputs: logits and what the state says of the gate, (batch, time, vocabulary + 1 + sources).
            rows: that the network heard.
        """
        flat = _ended(
            outputs.reshape(-1, outputs.shape[-1]), rows.reshape(-1, rows.shape[-1]), *self.said_of, self.first
        )
        return flat.reshape(*rows.shape[:2], flat.shape[1])


@compiled
def _heard(rows: Ids, guess: Floats, strength: Floats, counter: Floats, first: Ids) -> Floats:
    """Of rows (n, numbers), (n, features of all), the sources' side by side and the counters' behind them."""
    sources, features = len(strength) // STRENGTHS, strength.shape[1]
    heard = np.empty((len(rows), sources * features + len(first) * counter.shape[1]), np.float32)
    for step in range(len(rows)):
        end = 0
        for source in range(sources):
            begin, end = end, end + features
            how_strong = rows[step, 1 + sources + source]
            heard[step, begin:end] = strength[source * STRENGTHS + how_strong]
            if how_strong > 0:
                heard[step, begin:end] += guess[0, rows[step, 1 + source]]
        for i in range(len(first)):
            begin, end = end, end + counter.shape[1]
            heard[step, begin:end] = counter[first[i] + rows[step, 1 + 2 * sources + i]]
    return heard


@compiled
def _ended(outputs: Floats, rows: Ids, guess: Floats, strength: Floats, counter: Floats, first: Ids) -> Floats:
    """Of outputs (n, vocabulary + 1 + sources), (n, vocabulary + 1 + 2 * sources)."""
    sources, numbers = len(guess), outputs.shape[1]
    ended = np.empty((len(rows), numbers + sources), np.float32)
    ended[:, :numbers] = outputs
    ended[:, numbers:] = rows[:, 1 : 1 + sources]
    for step in range(len(rows)):
        gate = ended[step, numbers - 1 - sources : numbers]
        for i in range(len(first)):
            gate += counter[first[i] + rows[step, 1 + 2 * sources + i]]
        for source in range(sources):
            how_strong = rows[step, 1 + sources + source]
            gate += strength[source * STRENGTHS + how_strong]
            if how_strong > 0:
                gate += guess[source, rows[step, 1 + source]]
        for source in range(sources):
            if rows[step, 1 + sources + source] == 0:
                gate[1 + source] = LEFT_OUT
        likeliest = gate.max()
        gate -= likeliest + np.log(np.exp(gate - likeliest).sum())
    return ended
