"""Which models are shipped, and where do they lie? Each is a folder: weights, ONNX graph, card, real ranges.

Beside them lies ``example``: music written for the project, to try a model on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqaudio.continuation.engines import Engine, EngineName

SHIPPED = {
    "folk": "single-line folk melodies: an LSTM with a memory, on O'Neill's and Aird's collections",
    "songs": "melody and chords: an LSTM with a memory, on lead sheets of OpenEWLD",
    "chorales": "four parts: an LSTM with a memory, on Bach's chorales",
    "drums": "drums with loudness: an LSTM with a memory, on the Groove MIDI Dataset",
    "folk-rnn": "a plain RNN without a memory, to hear what it is that `folk` keeps",
}
DEFAULT_MODEL = "folk"
AUTO = "auto"  # chosen by the primer, see :mod:`seqaudio.pretrained.choice`


def model_path(name_or_path: str | Path) -> Path:
    """The folder of a shipped model by its name, or a path to a model folder, a run or a weights file.

    Raises:
        CheckpointError: it is neither.
        OptionError: it is "auto", which a primer must choose.
    """
    from seqaudio.errors import CheckpointError, OptionError
    from seqaudio.files.atomic import shown
    from seqaudio.models.checkpoint import weights_path

    if str(name_or_path) in SHIPPED:
        return Path(__file__).parent / str(name_or_path)
    path = Path(name_or_path)
    if weights_path(path).is_file():
        return path
    if (path / "experiment.json").is_file():
        raise CheckpointError(f"{shown(path)}: a run without a model yet, stopped before its first validation")
    if str(name_or_path) == AUTO:
        raise OptionError(f"{AUTO}: a primer chooses, in `seqaudio continue` alone; name one: {', '.join(SHIPPED)}")
    problem = "no model.safetensors inside" if path.is_dir() else "no such model"
    raise CheckpointError(f"{shown(path)}: {problem}; shipped are {', '.join(SHIPPED)}, or give the folder of a run")


def example_path(name: str) -> Path:
    """A piece of music that is shipped to try a model on."""
    return Path(__file__).parent / "example" / name


def load_model(name_or_path: str | Path = DEFAULT_MODEL, engine: EngineName = "auto") -> Engine:
    """A model ready to continue music: a shipped one by name, or a run's folder or weights file.

    Args:
        name_or_path: such as "folk" or "runs/mine".
        engine: "onnx" (no torch is imported), "torch", or "auto", which takes ONNX where the model has it.

    Raises:
        CheckpointError: there is no such model, or it cannot be loaded.
    """
    from seqaudio.continuation.engines import load_engine

    return load_engine(model_path(name_or_path), engine)
