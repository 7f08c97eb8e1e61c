"""How does a trained model run without torch? As an ONNX graph that borrows its weights from model.safetensors.

The graph's weights are external data: byte ranges of the safetensors file beside it, so nothing is stored twice and
both engines read the same numbers. Gates are brought from torch's order to ONNX's inside the graph; ONNX Runtime does
that once, when it loads. Inputs ``ids`` (batch, time) and the state parts (layers, batch, hidden); outputs ``logits``
(batch, time, vocabulary) and the next state. Of a model with a memory ``ids`` are rows (batch, time, numbers), and gate
and guesses stand behind the logits, as in :mod:`seqaudio.models.match_memory.gate`. Operators:
https://onnx.ai/onnx/operators/ (LSTM, GRU, RNN).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from seqaudio.files.atomic import write_bytes
from seqaudio.models.cells import STATE_PARTS
from seqaudio.models.checkpoint import GRAPH, WEIGHTS, WEIGHTS_SHA256, Checkpoint, sha256
from seqaudio.models.config import MemoryConfig, ModelConfig, why_no_graph
from seqaudio.models.match_memory.memory import LEFT_OUT, STRENGTHS

OPSET, IR_VERSION = 17, 8  # read by every ONNX Runtime since 1.12
DTYPES = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}
OPERATOR = {"rnn": "RNN", "irnn": "RNN", "gru": "GRU", "lstm": "LSTM"}
ATTRIBUTES: dict[str, dict[str, Any]] = {"irnn": {"activations": ["Relu"]}, "gru": {"linear_before_reset": 1}}
# torch's gate rows in ONNX's order: LSTM i f g o -> i o f g; GRU r z n -> z r n
GATE_ORDER = {"rnn": [0], "irnn": [0], "gru": [1, 0, 2], "lstm": [0, 3, 1, 2]}


def state_names(config: ModelConfig) -> tuple[str, ...]:
    """The parts of the state, as the graph names them."""
    return STATE_PARTS[config.cell]


def write_graph(folder: str | Path) -> Path | None:
    """Write ``model.onnx`` beside the ``model.safetensors`` of a folder; returns its path.

    None, and nothing is written, for a model that ONNX has no operators for (``why_no_graph``): it runs on torch.
    """
    folder = Path(folder)
    config = Checkpoint.load(folder).config
    if why_no_graph(config):
        return None
    with open(folder / WEIGHTS, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__")
    graph = _Graph(config, header, data_start=8 + length)
    model = helper.make_model(graph.build(), opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = "seqaudio"
    model.metadata_props.add(key=WEIGHTS_SHA256, value=sha256(folder))
    write_bytes(folder / GRAPH, model.SerializeToString(deterministic=True))
    return folder / GRAPH


class _Told(NamedTuple):
    """Names of the columns of the rows that a model with a memory reads, (batch, time, columns)."""

    symbols: str
    guesses: str
    strengths: str
    counters: str


class _Graph:
    """The graph under construction: nodes and initializers, in order."""

    def __init__(self, config: ModelConfig, tensors: dict[str, dict[str, Any]], data_start: int) -> None:
        self.config = config
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.weights = {name: self._weight(name, facts, data_start) for name, facts in tensors.items()}

    def _weight(self, name: str, facts: dict[str, Any], data_start: int) -> str:
        """A weight in the safetensors file, as float32; returns the name of its value."""
        begin, end = facts["data_offsets"]
        tensor = TensorProto(
            name=name, dims=facts["shape"], data_type=DTYPES[facts["dtype"]], data_location=TensorProto.EXTERNAL
        )
        for key, value in {"location": WEIGHTS, "offset": data_start + begin, "length": end - begin}.items():
            tensor.external_data.add(key=key, value=str(value))
        self.initializers.append(tensor)
        return name if facts["dtype"] == "F32" else self.node("Cast", name, to=TensorProto.FLOAT)

    def node(self, operator: str, *inputs: str, outputs: tuple[str, ...] = (), **attributes: Any) -> str:
        """Add a node; returns the name of its first output."""
        names = outputs or (f"{operator.lower()}_{len(self.nodes)}",)
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names[0]

    def constant(self, values: object) -> str:
        """Add a constant, int64 unless it has a type of its own; returns its name."""
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def build(self) -> onnx.GraphProto:
        config, states = self.config, state_names(self.config)
        embedding = self.weights["encoder.weight"]
        scale = self.constant(np.float32((config.embedding_size or config.hidden_size) ** 0.5))
        told = self._told(config.memory) if config.memory else None
        vectors = self.node("Gather", self.node("Mul", embedding, scale), told.symbols if told else "ids", axis=0)
        remembered = self._remembered(config.memory, told) if config.memory and told else []
        if remembered:
            vectors = self.node("Concat", self.node("Squeeze", vectors, self.constant([2])), *remembered, axis=2)
        hidden = self.node("Transpose", vectors, perm=[1, 0, 2])  # (time, batch, features)
        begins = {part: self._layers_of(part) for part in states}
        ends: dict[str, list[str]] = {part: [] for part in states}
        for layer in range(config.layers):
            above, after = self._recurrent(layer, hidden, [begins[part][layer] for part in states])
            hidden = self.node("Add", hidden, above) if config.residual and layer > 0 else above
            for part, end in zip(states, after, strict=True):
                ends[part].append(end)
        for part in states:
            self.node("Concat", *ends[part], outputs=(f"{part}_after",), axis=0)
        hidden = self.node("Transpose", hidden, perm=[1, 0, 2])  # (batch, time, hidden)
        projected = hidden
        if "head.projection.weight" in self.weights:
            projected = self._linear(hidden, "head.projection.weight", "head.projection.bias")
        scores = self.node("MatMul", projected, self.node("Transpose", embedding, perm=[1, 0]))
        if config.memory is None or told is None:
            self.node("Add", scores, self.weights["head.bias"], outputs=("logits",))
        else:
            own = self.node("Add", scores, self.weights["head.bias"])
            gate = self._gate(config.memory, self.node("Concat", hidden, *remembered, axis=2), told.strengths)
            guesses = self.node("Cast", told.guesses, to=TensorProto.FLOAT)
            self.node("Concat", own, gate, guesses, outputs=("logits",), axis=2)
        return self._with_ports(states)

    def _told(self, memory: MemoryConfig) -> _Told:
        """The numbers of the rows by what they tell, made rows of tables in one go: a node costs more than its work."""
        sources, cycles = memory.sources, memory.counters
        sizes = dict(zip(_Told._fields, (1, sources, sources, len(cycles)), strict=True))
        first = np.zeros(sum(sizes.values()), np.int64)
        first[1 + sources : 1 + 2 * sources] = STRENGTHS * np.arange(sources)
        first[1 + 2 * sources :] = np.cumsum([0, *cycles])[:-1]
        rows, parts = self.node("Add", "ids", self.constant(first)), [name for name, size in sizes.items() if size]
        sizes_of_parts = self.constant([sizes[name] for name in parts])
        self.node("Split", rows, sizes_of_parts, outputs=tuple(parts), axis=2)
        return _Told(*_Told._fields)

    def _remembered(self, memory: MemoryConfig, told: _Told) -> list[str]:
        """What the network hears of the memory: parts (batch, time, features)."""
        guess, strength = self.weights["gate.guess.weight"], self.weights["gate.strength.weight"]
        # where a source has no guess its row says 0, whose vector is taken off again
        without = self.node("Sub", strength, self.node("Gather", guess, self.constant(0), axis=0))
        column = self.node("Unsqueeze", self._no_guess(memory), self.constant([1]))
        strength = self.node("Where", column, without, strength)
        vectors = [self.node("Gather", guess, told.guesses, axis=0)]  # (batch, time, sources, features)
        vectors += [self.node("Gather", strength, told.strengths, axis=0)]
        row_by_row = self.constant([0, 0, -1])
        parts = [self.node("Reshape", self.node("Add", *vectors), row_by_row)]
        if memory.counters:
            names = [f"gate.counter.{i}.weight" for i in range(len(memory.counters))]
            table = self.node("Concat", *(self.weights[name] for name in names), axis=0)
            places = self.node("Gather", table, told.counters, axis=0)  # (batch, time, counters, features)
            parts.append(self.node("Reshape", places, row_by_row))
        return parts

    def _no_guess(self, memory: MemoryConfig) -> str:
        """Which rows of a table of sources and strengths are of strength 0."""
        return self.node("Equal", self.constant(np.arange(memory.sources * STRENGTHS) % STRENGTHS), self.constant(0))

    def _gate(self, memory: MemoryConfig, said: str, strengths: str) -> str:
        """Logarithms of the gate, (batch, time, 1 + sources)."""
        weight, bias = self.weights["gate.logits.weight"], self.weights["gate.logits.bias"]
        new = self.node("Gather", bias, self.constant(0), axis=0)
        of_sources = self.node("Gather", bias, self.constant(1 + np.arange(memory.sources * STRENGTHS) // STRENGTHS))
        trust = self.node("Add", self.weights["gate.trust"], of_sources)
        trust = self.node("Where", self._no_guess(memory), self.constant(np.float32(LEFT_OUT)), trust)
        trust = self.node("Gather", trust, strengths, axis=0)  # (batch, time, sources)
        trust = self.node("Pad", trust, self.constant([0, 0, 1, 0, 0, 0]), new)  # in front: that of what is new
        product = self.node("MatMul", said, self.node("Transpose", weight, perm=[1, 0]))
        return self.node("LogSoftmax", self.node("Add", product, trust), axis=2)

    def _layers_of(self, part: str) -> list[str]:
        """The state part of each layer, (1, batch, hidden)."""
        if self.config.layers == 1:
            return [part]
        names = tuple(f"{part}_{layer}" for layer in range(self.config.layers))
        self.node("Split", part, self.constant([1] * self.config.layers), outputs=names, axis=0)
        return list(names)

    def _recurrent(self, layer: int, inputs: str, begin: list[str]) -> tuple[str, list[str]]:
        """One recurrent layer: outputs (time, batch, hidden) and its state parts (1, batch, hidden) after the last."""
        cell, size = self.config.cell, self.config.hidden_size
        rows = self.constant(np.concatenate([np.arange(size) + gate * size for gate in GATE_ORDER[cell]]))
        one = self.constant([0])

        def reordered(name: str) -> str:
            return self.node("Gather", self.weights[f"stack.layers.{layer}.{name}_l0"], rows, axis=0)

        biases = self.node("Concat", reordered("bias_ih"), reordered("bias_hh"), axis=0)
        matrices = [
            self.node("Unsqueeze", value, one) for value in (reordered("weight_ih"), reordered("weight_hh"), biases)
        ]
        names = tuple(f"layer{layer}_{what}" for what in ("all", "h_after", "c_after")[: 1 + len(begin)])
        attributes = {"hidden_size": size, **ATTRIBUTES.get(cell, {})}
        self.node(OPERATOR[cell], inputs, *matrices, "", *begin, outputs=names, **attributes)
        return self.node("Squeeze", names[0], self.constant([1])), list(names[1:])

    def _linear(self, values: str, weight: str, bias: str) -> str:
        product = self.node("MatMul", values, self.node("Transpose", self.weights[weight], perm=[1, 0]))
        return self.node("Add", product, self.weights[bias])

    def _with_ports(self, states: tuple[str, ...]) -> onnx.GraphProto:
        layers, size = self.config.layers, self.config.hidden_size

        def state(name: str) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [layers, "batch", size])

        numbers = [] if self.config.memory is None else ["numbers"]
        inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "time", *numbers])]
        outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "time", None])]
        return helper.make_graph(
            self.nodes,
            f"seqaudio_{self.config.cell}",
            inputs + [state(name) for name in states],
            outputs + [state(f"{name}_after") for name in states],
            self.initializers,
        )
