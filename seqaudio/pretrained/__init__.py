"""Which models are shipped, and where do they lie? Each is a folder: weights, ONNX graph and model card."""

from __future__ import annotations

from pathlib import Path

from seqaudio.errors import CheckpointError
from seqaudio.files.atomic import shown
from seqaudio.models.checkpoint import weights_path

SHIPPED = {"folk": "single-line folk melodies; a stacked LSTM on O'Neill's and Aird's collections"}
DEFAULT_MODEL = "folk"


def model_path(name_or_path: str | Path) -> Path:
    """The folder of a shipped model by its name, or a path to a model folder, a run or a weights file.

    Raises:
        CheckpointError: it is neither.
    """
    if str(name_or_path) in SHIPPED:
        return Path(__file__).parent / str(name_or_path)
    path = Path(name_or_path)
    if weights_path(path).is_file():
        return path
    problem = "no model.safetensors inside" if path.is_dir() else "no such model"
    raise CheckpointError(f"{shown(path)}: {problem}; shipped are {', '.join(SHIPPED)}, or give the folder of a run")
