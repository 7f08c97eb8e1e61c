"""How open are the gates of a recurrent model at each token that it hears or writes?

Conventions: a gate is a number from 0 (shut) to 1 (open) for every unit. An LSTM has three: ``input`` lets what is new
into the cell state, ``forget`` keeps what is there (1 keeps all of it), ``output`` shows it. A GRU has two: ``reset``
shuts the past out of what is new, ``update`` keeps the past (1 keeps all of it). Values are exact, computed from the
weights in float32 as the model runs when it is not being trained; numpy alone, so that no torch need be loaded.

Source: A. Karpathy, J. Johnson and L. Fei-Fei, "Visualizing and understanding recurrent networks", 2015, look at gates
so; the equations are torch's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.models.cells import Cell
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.models.match_memory.memory import STRENGTHS

Floats = NDArray[np.float32]
Gates = dict[str, Floats]

NAMES: dict[Cell, dict[str, int]] = {
    "lstm": {"input": 0, "forget": 1, "output": 3},
    "gru": {"reset": 0, "update": 1},
}
"""The gates of each cell that has any, and their places in torch's order."""
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
CHUNK = 512  # tokens


def check_has_gates(checkpoint: Checkpoint) -> None:
    """Raise OptionError for a model whose gates cannot be looked at."""
    if checkpoint.config.cell not in NAMES:
        raise OptionError(f"a model of {checkpoint.config.cell} cells shows no gates; those of {', '.join(NAMES)} do")
    checkpoint.require_tokenizer()


def gate_values(checkpoint: Checkpoint, ids: NDArray[np.int64]) -> list[Gates]:
    """Every gate of every layer while tokens are heard one after the other, from a state of zeros.

    Args:
        checkpoint: of a model of tokens, with LSTM or GRU cells.
        ids: tokens, (tokens,).

    Returns:
        For each layer, from the lowest: name of a gate and its values, (tokens, hidden).

    Raises:
        OptionError: the model has other cells.
    """
    return _joined(list(_in_chunks(checkpoint, ids)))


def gate_means(checkpoint: Checkpoint, ids: NDArray[np.int64]) -> list[Gates]:
    """As :func:`gate_values`, the mean over a layer's units alone, (tokens,); of a long piece little memory is held."""
    return _joined(
        [
            [{name: values.mean(axis=1) for name, values in layer.items()} for layer in layers]
            for layers in _in_chunks(checkpoint, ids)
        ]
    )


def _joined(chunks: list[list[Gates]]) -> list[Gates]:
    return [
        {name: np.concatenate([layer[name] for layer in layers]) for name in layers[0]}
        for layers in zip(*chunks, strict=True)
    ]


def _in_chunks(checkpoint: Checkpoint, ids: NDArray[np.int64]) -> Iterator[list[Gates]]:
    """The gates of all layers for some tokens after the others; the layers' states go on."""
    check_has_gates(checkpoint)
    config, weights = checkpoint.config, checkpoint.weights
    heard = _heard(checkpoint, ids)
    layers = [[_weight(weights, f"stack.layers.{n}.{part}_l0") for part in PARTS] for n in range(config.layers)]
    run = _run_lstm if config.cell == "lstm" else _run_gru
    states = [np.zeros((2, config.hidden_size), np.float32) for _ in layers]
    for start in range(0, max(len(ids), 1), CHUNK):
        below = heard[start : start + CHUNK]
        found = []
        for n, layer in enumerate(layers):
            outputs, gates, states[n] = run(below, states[n], *layer)
            below = below + outputs if config.residual and n else outputs
            found.append({name: gates[:, place] for name, place in NAMES[config.cell].items()})
        yield found


def _heard(checkpoint: Checkpoint, ids: NDArray[np.int64]) -> Floats:
    """What the lowest layer hears of tokens, and of a memory of the piece where the model has one."""
    weights, memory = checkpoint.weights, checkpoint.memory()
    embedding = _weight(weights, "encoder.weight")
    vectors: Floats = embedding[ids] * np.float32(embedding.shape[1] ** 0.5)
    if memory is None:
        return vectors
    rows, sources = memory.heard(ids), memory.sources
    guesses, strengths, counters = np.split(rows[:, 1:], [sources, 2 * sources], axis=1)
    told = _weight(weights, "gate.guess.weight")[guesses] * (strengths > 0)[..., None]
    told = told + _weight(weights, "gate.strength.weight")[strengths + STRENGTHS * np.arange(sources)]
    cycles = [_weight(weights, f"gate.counter.{i}.weight")[places] for i, places in enumerate(counters.T)]
    return np.concatenate([vectors, told.reshape(len(ids), -1), *cycles], axis=1)


def _weight(weights: dict[str, NDArray[Any]], name: str) -> Floats:
    return weights[name].astype(np.float32)


def _run_lstm(
    inputs: Floats, state: Floats, from_inputs: Floats, from_hidden: Floats, bias: Floats, second: Floats
) -> tuple[Floats, Floats, Floats]:
    """Outputs (tokens, hidden), gates (tokens, 4, hidden), state (2, hidden); the third gate is what is new."""
    said = (inputs @ from_inputs.T + bias + second).reshape(len(inputs), 4, -1)
    gates, outputs = np.empty_like(said), np.empty_like(said[:, 0])
    hidden, kept = state
    for time, now in enumerate(said):
        sums = now + (from_hidden @ hidden).reshape(4, -1)
        opened = _sigmoid(sums)
        opened[2] = np.tanh(sums[2])
        kept = opened[1] * kept + opened[0] * opened[2]
        hidden = opened[3] * np.tanh(kept)
        gates[time], outputs[time] = opened, hidden
    return outputs, gates, np.stack([hidden, kept])


def _run_gru(
    inputs: Floats, state: Floats, from_inputs: Floats, from_hidden: Floats, bias: Floats, second: Floats
) -> tuple[Floats, Floats, Floats]:
    """Outputs (tokens, hidden), gates (tokens, 2, hidden), state (2, hidden) of which the second half is not used."""
    said = (inputs @ from_inputs.T + bias).reshape(len(inputs), 3, -1)
    gates, outputs = np.empty_like(said[:, :2]), np.empty_like(said[:, 0])
    hidden = state[0]
    for time, now in enumerate(said):
        past = (from_hidden @ hidden + second).reshape(3, -1)
        gates[time] = reset, update = _sigmoid(now[:2] + past[:2])
        hidden = (1 - update) * np.tanh(now[2] + reset * past[2]) + update * hidden
        outputs[time] = hidden
    return outputs, gates, np.stack([hidden, state[1]])


def _sigmoid(values: Floats) -> Floats:
    """The logistic function, in a form that does not overflow."""
    opened: Floats = np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * values)
    return opened
