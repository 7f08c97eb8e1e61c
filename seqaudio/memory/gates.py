"""How open are the gates of a recurrent model at each step that it hears or writes, and what does it keep?

Conventions: a gate is a number from 0 (shut) to 1 (open) for every unit. An LSTM has three: ``input`` lets what is new
into the cell state, ``forget`` keeps what is there (1 keeps all of it), ``output`` shows it. A GRU has two: ``reset``
shuts the past out of what is new, ``update`` keeps the past (1 keeps all of it). A model with a memory of the piece has
one more, of shares that sum to 1: what is new, then each source of guesses. Steps are tokens, or frames. Values are
exact, computed from the weights in float32 as the model runs when it is not being trained; numpy alone, so that no
torch need be loaded.

Source: A. Karpathy, J. Johnson and L. Fei-Fei, "Visualizing and understanding recurrent networks", 2015, look at gates
so; the equations are torch's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.models.cells import Cell
from seqaudio.models.config import ModelConfig
from seqaudio.models.match_memory.memory import LEFT_OUT, STRENGTHS

if TYPE_CHECKING:
    from seqaudio.models.match_memory import Memory

Floats = NDArray[np.float32]
Gates = dict[str, Floats]
Steps = NDArray[Any]

NAMES: dict[Cell, dict[str, int]] = {
    "lstm": {"input": 0, "forget": 1, "output": 3},
    "gru": {"reset": 0, "update": 1},
}
"""The gates of each cell that has any, and their places in torch's order."""
KEEPS: dict[Cell, str] = {"lstm": "forget", "gru": "update"}
"""The gate of each cell that says how much of the past stays."""
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
CHUNK = 512  # steps


@dataclass(frozen=True)
class Trace:
    """What went on inside a model while it heard a piece.

    Attributes:
        gates: for each layer, from the lowest: name of a gate and its values, (steps, hidden).
        states: for each layer what it keeps behind each step, (steps, hidden): the cell state of an LSTM, the hidden
            state of a GRU.
        memory: the gate of a memory of the piece behind each step, (steps, 1 + sources), rows of sum 1; or None.
    """

    gates: list[Gates]
    states: list[Floats]
    memory: Floats | None


class Wired(Protocol):
    """What gates are computed from: a :class:`seqaudio.models.checkpoint.Checkpoint`, or a network of no music."""

    @property
    def config(self) -> ModelConfig:
        """Of the model."""
        ...

    @property
    def weights(self) -> dict[str, NDArray[Any]]:
        """By name, as in ``SequenceModel.state_dict()``."""
        ...

    def memory(self) -> Memory | None:
        """Of the piece, where the model has one."""
        ...


def check_has_gates(checkpoint: Wired) -> None:
    """Raise OptionError for a model whose gates cannot be looked at."""
    if checkpoint.config.cell not in NAMES:
        raise OptionError(f"a model of {checkpoint.config.cell} cells shows no gates; those of {', '.join(NAMES)} do")


def gate_trace(checkpoint: Wired, piece: Steps) -> Trace:
    """Every gate and every state of every layer while a piece is heard, from a state of zeros.

    Args:
        checkpoint: of a model with LSTM or GRU cells, or whatever else has a config and weights.
        piece: tokens, (steps,), or frames, (steps, keys).

    Raises:
        OptionError: the model has other cells.
    """
    chunks = list(_in_chunks(checkpoint, piece))
    states = [np.concatenate(parts) for parts in zip(*(chunk.states for chunk in chunks), strict=True)]
    shares = [chunk.memory for chunk in chunks if chunk.memory is not None]
    return Trace(_joined([chunk.gates for chunk in chunks]), states, np.concatenate(shares) if shares else None)


def gate_means(checkpoint: Wired, piece: Steps) -> list[Gates]:
    """The gates of :func:`gate_trace`, the mean over a layer's units, (steps,); of a long piece little memory is held.

    Raises:
        OptionError: the model has other cells.
    """
    return _joined(
        [
            [{name: values.mean(axis=1) for name, values in layer.items()} for layer in chunk.gates]
            for chunk in _in_chunks(checkpoint, piece)
        ]
    )


def _joined(chunks: list[list[Gates]]) -> list[Gates]:
    return [
        {name: np.concatenate([layer[name] for layer in layers]) for name in layers[0]}
        for layers in zip(*chunks, strict=True)
    ]


def _in_chunks(checkpoint: Wired, piece: Steps) -> Iterator[Trace]:
    """What goes on in some steps after the others; the layers' states go on."""
    check_has_gates(checkpoint)
    config, weights = checkpoint.config, checkpoint.weights
    heard = _heard(checkpoint, piece)
    layers = [[_weight(weights, f"stack.layers.{n}.{part}_l0") for part in PARTS] for n in range(config.layers)]
    run = _run_lstm if config.cell == "lstm" else _run_gru
    begin = [np.zeros((2, config.hidden_size), np.float32) for _ in layers]
    for start in range(0, max(len(piece), 1), CHUNK):
        here = slice(start, start + CHUNK)
        below = heard.inputs[here]
        gates, states = [], []
        for n, layer in enumerate(layers):
            outputs, opened, kept, begin[n] = run(below, begin[n], *layer)
            below = below + outputs if config.residual and n else outputs
            gates.append({name: opened[:, place] for name, place in NAMES[config.cell].items()})
            states.append(kept)
        memory = None
        if heard.told is not None and heard.strengths is not None:
            memory = _memory_gate(weights, below, heard.told[here], heard.strengths[here])
        yield Trace(gates, states, memory)


class _Heard(NamedTuple):
    """What the lowest layer hears, (steps, features); of a memory its part of that, and strengths (steps, sources)."""

    inputs: Floats
    told: Floats | None = None
    strengths: NDArray[np.int64] | None = None


def _heard(checkpoint: Wired, piece: Steps) -> _Heard:
    """What the lowest layer hears of a piece, and of a memory of it where the model has one."""
    weights, memory = checkpoint.weights, checkpoint.memory()
    vectors = _encoded(checkpoint, piece)
    if memory is None:
        return _Heard(vectors)
    rows, sources, width = memory.heard(piece), memory.sources, 1 if piece.ndim == 1 else piece.shape[1]
    guesses, strengths, counters = np.split(rows[:, width:], [sources * width, sources * (width + 1)], axis=1)
    strengths, table = strengths.astype(np.int64), _weight(weights, "gate.guess.weight")
    if piece.ndim == 1:
        told = table[guesses] * (strengths > 0)[..., None]
    else:
        told = guesses.reshape(len(piece), sources, width).astype(np.float32) @ table.T
    told = told + _weight(weights, "gate.strength.weight")[_numbers(strengths)]
    cycles = [_weight(weights, f"gate.counter.{i}.weight")[places] for i, places in enumerate(counters.T)]
    remembered = np.concatenate([told.reshape(len(piece), -1), *cycles], axis=1)
    return _Heard(np.concatenate([vectors, remembered], axis=1), remembered, strengths)


def _encoded(checkpoint: Wired, piece: Steps) -> Floats:
    """Vectors (steps, features) of tokens or frames, as the encoder makes them."""
    weights = checkpoint.weights
    if piece.ndim == 1:
        embedding = _weight(weights, "encoder.weight")
        vectors: Floats = embedding[piece] * np.float32(embedding.shape[1] ** 0.5)
        return vectors
    frames = piece.astype(np.float32)
    if "encoder.projection.weight" not in weights:
        return frames
    projected: Floats = frames @ _weight(weights, "encoder.projection.weight").T
    return projected + _weight(weights, "encoder.projection.bias")


def _numbers(strengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each source and strength, as the tables of a memory's gate have them."""
    return strengths + STRENGTHS * np.arange(strengths.shape[1])


def _memory_gate(
    weights: dict[str, NDArray[Any]], hidden: Floats, told: Floats, strengths: NDArray[np.int64]
) -> Floats:
    """The shares (steps, 1 + sources) of what is new and of each source; a source without a guess has none."""
    said = np.concatenate([hidden, told], axis=1) @ _weight(weights, "gate.logits.weight").T
    said += _weight(weights, "gate.logits.bias")
    said[:, 1:] += _weight(weights, "gate.trust")[_numbers(strengths)]
    said[:, 1:][strengths == 0] = LEFT_OUT
    shares = np.exp(said - said.max(axis=1, keepdims=True))
    gate: Floats = shares / shares.sum(axis=1, keepdims=True)
    return gate


def _weight(weights: dict[str, NDArray[Any]], name: str) -> Floats:
    return weights[name].astype(np.float32)


def _run_lstm(
    inputs: Floats, state: Floats, from_inputs: Floats, from_hidden: Floats, bias: Floats, second: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Outputs (steps, hidden), gates (steps, 4, hidden), cells (steps, hidden), state (2, hidden).

    The third gate is what is new.
    """
    said = (inputs @ from_inputs.T + bias + second).reshape(len(inputs), 4, -1)
    gates, outputs, cells = np.empty_like(said), np.empty_like(said[:, 0]), np.empty_like(said[:, 0])
    hidden, kept = state
    for time, now in enumerate(said):
        sums = now + (from_hidden @ hidden).reshape(4, -1)
        opened = _sigmoid(sums)
        opened[2] = np.tanh(sums[2])
        kept = opened[1] * kept + opened[0] * opened[2]
        hidden = opened[3] * np.tanh(kept)
        gates[time], outputs[time], cells[time] = opened, hidden, kept
    return outputs, gates, cells, np.stack([hidden, kept])


def _run_gru(
    inputs: Floats, state: Floats, from_inputs: Floats, from_hidden: Floats, bias: Floats, second: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """As :func:`_run_lstm`, with two gates; what is kept are the outputs, and half of the state is not used."""
    said = (inputs @ from_inputs.T + bias).reshape(len(inputs), 3, -1)
    gates, outputs = np.empty_like(said[:, :2]), np.empty_like(said[:, 0])
    hidden = state[0]
    for time, now in enumerate(said):
        past = (from_hidden @ hidden + second).reshape(3, -1)
        gates[time] = reset, update = _sigmoid(now[:2] + past[:2])
        hidden = (1 - update) * np.tanh(now[2] + reset * past[2]) + update * hidden
        outputs[time] = hidden
    return outputs, gates, outputs, np.stack([hidden, state[1]])


def _sigmoid(values: Floats) -> Floats:
    """The logistic function, in a form that does not overflow."""
    opened: Floats = np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * values)
    return opened
