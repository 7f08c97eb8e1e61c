"""How is a model kept on disk? Tensors in safetensors, everything else as JSON in its header; nothing is unpickled.

A checkpoint is ``model.safetensors``, alone or in a folder with ``model.onnx`` and a model card. Its header holds the
model config, the tokenizer, the pitch range it was trained on, the versions and the fingerprint of its corpus. Reading
a header imports no torch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from seqaudio.errors import BadFileError, CheckpointError
from seqaudio.files.atomic import read_bytes, shown, write_bytes
from seqaudio.files.limits import Limits
from seqaudio.models.config import ModelConfig
from seqaudio.tokens import Tokenizer, tokenizer_from_json

if TYPE_CHECKING:
    from seqaudio.models.sequence_model import SequenceModel

WEIGHTS = "model.safetensors"
GRAPH = "model.onnx"
WEIGHTS_SHA256 = "weights_sha256"  # in the graph's metadata: the weights file whose bytes it points into
TIED = "head.weight"  # the output matrix, which is the encoder's
FORMAT = 1
LARGEST = Limits(max_bytes=4 * 2**30)


@dataclass(frozen=True)
class Checkpoint:
    """A model as values.

    Attributes:
        weights: tensors by parameter name, as in ``SequenceModel.state_dict()``.
        pitch_range: lowest and highest pitch met in training, transposed copies included.
        facts: versions, corpus, steps and whatever else the run wants to be known by.
    """

    config: ModelConfig
    tokenizer: Tokenizer
    weights: dict[str, NDArray[Any]]
    pitch_range: tuple[int, int] = (0, 127)
    facts: dict[str, Any] = field(default_factory=dict)

    def save(self, path: str | Path, dtype: type[np.floating[Any]] = np.float32) -> None:
        """Write the weights file in float32 or float16: all of it or nothing."""
        header = {
            "format": FORMAT,
            "model": self.config.model_dump(),
            "tokenizer": json.loads(self.tokenizer.to_json()),
            "pitch_range": self.pitch_range,
            "facts": self.facts,
        }
        tensors = {name: np.ascontiguousarray(tensor, dtype=dtype) for name, tensor in self.weights.items()}
        write_bytes(path, save(tensors, metadata={"seqaudio": json.dumps(header)}))

    @classmethod
    def load(cls, path: str | Path) -> Checkpoint:
        """Read a weights file, or the one in a folder.

        Raises:
            CheckpointError: there is none, it is damaged, or of a newer format.
        """
        path = weights_path(path)
        try:
            data = read_bytes(path, LARGEST)
            length = int.from_bytes(data[:8], "little")
            header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["seqaudio"])
            if header["format"] != FORMAT:
                raise CheckpointError(f"format {header['format']}, this seqaudio reads {FORMAT}; update")
            low, high = header["pitch_range"]
            return cls(
                ModelConfig.model_validate(header["model"]),
                tokenizer_from_json(json.dumps(header["tokenizer"])),
                load(data),
                (int(low), int(high)),
                dict(header["facts"]),
            )
        except BadFileError as problem:
            raise CheckpointError(str(problem)) from None
        except CheckpointError as problem:
            raise CheckpointError(f"{shown(path)}: {problem}") from None
        except (SafetensorError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as problem:
            reason = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
            raise CheckpointError(f"{shown(path)}: no seqaudio model, or damaged ({reason}); copy it anew") from None

    def build(self) -> SequenceModel:
        """The model with these weights, in float32 and eval mode. Raises CheckpointError when they do not fit."""
        import torch

        from seqaudio.models.config import build_model

        with torch.random.fork_rng(devices=[]):
            model = build_model(self.config, len(self.tokenizer.vocabulary))
        state = {name: torch.from_numpy(tensor.astype(np.float32)) for name, tensor in self.weights.items()}
        try:
            model.load_state_dict({**state, TIED: state["encoder.weight"]})
        except (RuntimeError, KeyError) as problem:
            raise CheckpointError(f"the weights do not fit the model: {' '.join(str(problem).split())}") from None
        return model.eval()


def weights_path(path: str | Path) -> Path:
    """The weights file that a path means: itself, or ``model.safetensors`` inside a folder."""
    path = Path(path)
    return path / WEIGHTS if path.is_dir() else path


def weights_of(model: SequenceModel) -> dict[str, NDArray[Any]]:
    """The parameters as float32 arrays by name; the tied matrix once, as the encoder's."""
    state = {name: tensor for name, tensor in model.state_dict().items() if name != TIED}
    return {name: tensor.detach().float().cpu().numpy().copy() for name, tensor in state.items()}


def sha256(path: str | Path) -> str:
    """SHA-256 of a weights file, as hex."""
    return hashlib.sha256(read_bytes(weights_path(path), LARGEST)).hexdigest()
