"""How does a trained model run without torch? As an ONNX graph that borrows its weights from model.safetensors.

The graph's weights are external data: byte ranges of the safetensors file beside it, so nothing is stored twice and
both engines read the same numbers. Gates are brought from torch's order to ONNX's inside the graph; ONNX Runtime does
that once, when it loads. Inputs ``ids`` (batch, time) and the state parts (layers, batch, hidden); outputs ``logits``
(batch, time, vocabulary) and the next state. Of a model with a memory there is a last input, what the network hears of
it (batch, time, features), and behind the logits stands what the state says of the gate: all else of the gate is done
outside (:mod:`seqaudio.continuation.gate`), where it takes a fraction of the time that small operators take. Operators:
https://onnx.ai/onnx/operators/ (LSTM, GRU, RNN).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from seqaudio.files.atomic import write_bytes
from seqaudio.models.cells import STATE_PARTS
from seqaudio.models.checkpoint import GRAPH, HEARD, WEIGHTS, WEIGHTS_SHA256, Checkpoint, sha256
from seqaudio.models.config import ModelConfig, why_no_graph

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


class _Graph:
    """The graph under construction: nodes and initializers, in order."""

    def __init__(self, config: ModelConfig, tensors: dict[str, dict[str, Any]], data_start: int) -> None:
        self.config = config
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.weights = {
            name: self._weight(name, facts, data_start)
            for name, facts in tensors.items()
            if not name.startswith("gate.") or name.startswith("gate.logits.")
        }

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
        vectors = self.node("Gather", self.node("Mul", embedding, scale), "ids", axis=0)
        if config.memory:
            vectors = self.node("Concat", vectors, HEARD, axis=2)
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
        self._scores(hidden)
        return self._with_ports(states)

    def _scores(self, hidden: str) -> None:
        """Logits of what comes next and, of a model with a memory, what the state says of the gate behind them."""
        columns, bias = [self.weights["encoder.weight"]], self.weights["head.bias"]
        of_state: list[str] = []
        if self.config.memory:
            behind = [self.constant([number]) for number in (0, self.config.hidden_size, 1)]  # begin, end, axis
            of_state = [self.node("Slice", self.weights["gate.logits.weight"], *behind)]
            bias = self.node("Concat", bias, self.weights["gate.logits.bias"], axis=0)
        if "head.projection.weight" in self.weights:
            projected = self._linear(hidden, "head.projection.weight", "head.projection.bias")
            products = [self._product(projected, columns), *([self._product(hidden, of_state)] if of_state else [])]
            product = self.node("Concat", *products, axis=2) if of_state else products[0]
        else:
            product = self._product(hidden, columns + of_state)  # one product: an operator costs more than its work
        self.node("Add", product, bias, outputs=("logits",))

    def _product(self, values: str, matrices: list[str]) -> str:
        """Values (batch, time, n) times the rows of matrices (m, n), on top of each other."""
        matrix = matrices[0] if len(matrices) == 1 else self.node("Concat", *matrices, axis=0)
        return self.node("MatMul", values, self.node("Transpose", matrix, perm=[1, 0]))

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
        return self.node("Add", self._product(values, [self.weights[weight]]), self.weights[bias])

    def _with_ports(self, states: tuple[str, ...]) -> onnx.GraphProto:
        layers, size = self.config.layers, self.config.hidden_size

        def state(name: str) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, [layers, "batch", size])

        heard = [helper.make_tensor_value_info(HEARD, TensorProto.FLOAT, ["batch", "time", None])]
        inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "time"])]
        outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "time", None])]
        return helper.make_graph(
            self.nodes,
            f"seqaudio_{self.config.cell}",
            inputs + [state(name) for name in states] + (heard if self.config.memory else []),
            outputs + [state(f"{name}_after") for name in states],
            self.initializers,
        )
