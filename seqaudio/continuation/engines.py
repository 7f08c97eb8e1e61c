"""What runs the network? torch, or ONNX Runtime without torch; both give the same logits within 1e-4.

Arrays in and out: ids (batch, time) int64, a state whose parts are the engine's own (of a network float32, (layers,
batch, hidden)), logits (batch, time, vocabulary) float32. A network with a memory hears rows (batch, time, numbers) in
place of ids, and gives its gate and the guesses behind the logits; :mod:`seqaudio.continuation.remembering` knows how.
The torch engine is imported only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import CheckpointError, OptionError
from seqaudio.files.atomic import shown
from seqaudio.models.beginnings import Beginnings
from seqaudio.models.cells import state_shapes
from seqaudio.models.checkpoint import GRAPH, WEIGHTS, WEIGHTS_SHA256, Checkpoint, LearntFrom, sha256, weights_path
from seqaudio.models.config import why_no_graph
from seqaudio.tokens import Tokenizer

if TYPE_CHECKING:
    from seqaudio.models.sequence_model import SequenceModel

EngineName = Literal["auto", "onnx", "torch"]
ENGINES: tuple[EngineName, ...] = ("auto", "onnx", "torch")
EngineState = tuple[NDArray[Any], ...]

CHUNK = 512  # tokens per run of a network, so that the memory of long pieces stays bounded


class TokenModel(Protocol):
    """What continuing needs to know of a model; a :class:`Checkpoint` says it."""

    @property
    def pitch_range(self) -> tuple[int, int]:
        """Lowest and highest pitch that it may write."""
        ...

    @property
    def learnt_from(self) -> LearntFrom:
        """What its pieces were read as, as far as is known."""
        ...

    @property
    def programs(self) -> frozenset[int] | None:
        """The instruments that it has met, drums as -1; None where that is not known."""
        ...

    @property
    def beginnings(self) -> Beginnings | None:
        """What beginnings of pieces that it had not met cost it, where that is known."""
        ...

    @property
    def between(self) -> float | None:
        """The share of positions in what it learnt from that are no sixteenths or triplets, where that is known."""
        ...

    @property
    def metres(self) -> dict[str, int] | None:
        """How many of the pieces that it learnt from are in each metre, such as 6/8, where that is known."""
        ...

    @property
    def sampling(self) -> dict[str, float]:
        """The temperatures to sample with unless others are asked for, by name."""
        ...

    def require_tokenizer(self) -> Tokenizer:
        """Its tokens."""
        ...


class Predictor(Protocol):
    """Whatever says how likely each token is next: a network (:class:`Engine`), or counts."""

    @property
    def checkpoint(self) -> TokenModel:
        """What it reads and writes."""
        ...

    def initial_state(self, batch: int) -> EngineState:
        """The state before the first token."""
        ...

    def run(self, ids: NDArray[np.int64], state: EngineState) -> tuple[NDArray[np.float32], EngineState]:
        """Logits (batch, time, vocabulary) behind each id (batch, time), and the next state."""
        ...

    def joined(self, states: Sequence[EngineState]) -> EngineState:
        """Several states as one, their rows below each other in a batch; each has heard something."""
        ...

    def taken(self, state: EngineState, rows: NDArray[np.bool_]) -> EngineState:
        """The state of some rows of a batch, (batch,)."""
        ...


def checkpoint_of(predictor: Predictor) -> TokenModel:
    """What a predictor reads and writes. Raises OptionError for what predicts nothing: a name, a network, weights."""
    checkpoint: TokenModel | None = getattr(predictor, "checkpoint", None)
    if checkpoint is None:
        raise OptionError(
            f"a {type(predictor).__name__} predicts no notes; give what seqaudio.load_model(name or folder) returns"
        )
    return checkpoint


class Engine(Predictor, Protocol):
    """A network that can be run, with the checkpoint it came from."""

    name: str
    checkpoint: Checkpoint


class _NetworkStates:
    """States of a network: parts (layers, batch, hidden)."""

    checkpoint: Checkpoint

    def initial_state(self, batch: int) -> EngineState:
        """Zeros."""
        config = self.checkpoint.config
        shapes = state_shapes(config.cell, config.layers, batch, config.hidden_size)
        return tuple(np.zeros(shape, np.float32) for shape in shapes)

    def joined(self, states: Sequence[EngineState]) -> EngineState:
        """See :class:`Predictor`."""
        return tuple(np.concatenate(parts, axis=1) for parts in zip(*states, strict=True))

    def taken(self, state: EngineState, rows: NDArray[np.bool_]) -> EngineState:
        """See :class:`Predictor`."""
        return tuple(part[:, rows] for part in state)


class OnnxEngine(_NetworkStates):
    """ONNX Runtime on the CPU.

    Raises:
        CheckpointError: the graph cannot be loaded, or belongs to other weights than those beside it.
    """

    name = "onnx"

    def __init__(self, checkpoint: Checkpoint, graph: Path, threads: int = 1) -> None:
        import onnxruntime

        self.checkpoint = checkpoint
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads  # one step of one voice is too small to share
        options.log_severity_level = 4  # what goes wrong is raised; it need not be printed too
        try:
            self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except Exception as problem:  # onnxruntime raises classes of its own, with no common name
            raise CheckpointError(
                f"{shown(graph)}: ONNX Runtime cannot load it ({str(problem).splitlines()[0]}); try --engine torch"
            ) from None
        belongs_to = self._session.get_modelmeta().custom_metadata_map.get(WEIGHTS_SHA256)
        if belongs_to != sha256(graph.parent):
            raise CheckpointError(f"{shown(graph)}: made for other weights than those beside it; use --engine torch")
        self._states = [port.name for port in self._session.get_inputs()[1:]]

    def run(self, ids: NDArray[np.int64], state: EngineState) -> tuple[NDArray[np.float32], EngineState]:
        """Logits (batch, time, vocabulary) of tokens (batch, time), and the next state."""
        logits, *after = self._session.run(None, {"ids": ids, **dict(zip(self._states, state, strict=True))})
        return logits, tuple(after)


class TorchEngine(_NetworkStates):
    """A SequenceModel in eval mode."""

    name = "torch"

    def __init__(self, checkpoint: Checkpoint, model: SequenceModel | None = None) -> None:
        self.checkpoint = checkpoint
        self.model = model or checkpoint.build()

    def run(self, ids: NDArray[np.int64], state: EngineState) -> tuple[NDArray[np.float32], EngineState]:
        """Logits (batch, time, vocabulary) of tokens (batch, time), and the next state."""
        import torch

        with torch.no_grad():
            logits, after = self.model(torch.from_numpy(ids), tuple(torch.from_numpy(part) for part in state))
        return logits.numpy(), tuple(part.numpy() for part in after)


def load_engine(path: str | Path, engine: EngineName = "auto") -> Engine:
    """An engine for a model folder or weights file; "auto" takes ONNX where the graph lies beside the weights.

    Raises:
        CheckpointError: there is no model, or no graph for the ONNX engine.
        OptionError: no engine has this name, or the model is one of frames.
    """
    if engine not in ENGINES:
        raise OptionError(f"no engine is named {engine!r}; there are {', '.join(ENGINES)}")
    if not weights_path(path).is_file():
        raise CheckpointError(
            f"{shown(path)}: no model there; give a run's folder or a file of weights, or load_model a shipped name"
        )
    checkpoint = Checkpoint.load(path)
    checkpoint.require_tokenizer()  # engines read tokens
    network, memory = _load_network(checkpoint, path, engine), checkpoint.memory()
    if memory is None:
        return network
    from seqaudio.continuation.remembering import RememberingEngine

    return RememberingEngine(network, memory)


def _load_network(checkpoint: Checkpoint, path: str | Path, engine: EngineName) -> Engine:
    weights = weights_path(path)
    graph = weights.with_name(GRAPH)
    has_graph = weights.name == WEIGHTS and graph.is_file()  # a graph borrows from no other file
    if engine == "torch" or (engine == "auto" and not has_graph):
        return TorchEngine(checkpoint)
    if reason := why_no_graph(checkpoint.config):
        raise CheckpointError(f"{shown(weights)}: has no ONNX graph, {reason}; use --engine torch")
    if not has_graph:
        raise CheckpointError(f"{shown(graph)}: no ONNX graph beside the weights; use --engine torch")
    return OnnxEngine(checkpoint, graph)
