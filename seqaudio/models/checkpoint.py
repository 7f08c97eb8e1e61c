"""How is a model kept on disk? Tensors in safetensors, everything else as JSON in its header; nothing is unpickled.

A checkpoint is ``model.safetensors``, alone or in a folder with ``model.onnx`` and a model card. Its header holds the
model config, the tokenizer or what its frames are, the pitch range it was trained on, the versions and the fingerprint
of its corpus. Reading a header imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from seqaudio.errors import BadFileError, CheckpointError, OptionError
from seqaudio.files.atomic import read_bytes, shown, write_bytes
from seqaudio.files.limits import Limits
from seqaudio.models.beginnings import Beginnings
from seqaudio.models.config import ModelConfig, make_memory
from seqaudio.tokens import Tokenizer, tokenizer_from_json

if TYPE_CHECKING:
    from seqaudio.models.match_memory import Memory
    from seqaudio.models.sequence_model import SequenceModel

WEIGHTS = "model.safetensors"
GRAPH = "model.onnx"
WEIGHTS_SHA256 = "weights_sha256"  # in the graph's metadata: the weights file whose bytes it points into
TIED = "head.weight"  # the output matrix, which is the encoder's, of a model of tokens
KNOWN = "head.classes.known.frames"  # those met in training, of the heads joint and marginal; bool, all else floating
FORMAT = 1
MAX_TURNS = 3  # of a cell of bars in a row, where a model says nothing; see seqaudio.continuation.turns
UNREADABLE = (SafetensorError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)
LARGEST = Limits(max_bytes=4 * 2**30)

LearntFrom = Literal["melodies", "lead sheets", "pieces"]


def learnt_from(options: Mapping[str, Any]) -> LearntFrom:
    """What a corpus prepared with these options reads pieces as; melodies where nothing is said."""
    if options.get("lead_sheet", False):
        return "lead sheets"
    return "melodies" if options.get("melody", True) else "pieces"


@dataclass(frozen=True)
class FrameFacts:
    """What the frames of a model are.

    Attributes:
        keys: of a frame.
        lowest_pitch: the MIDI pitch of key 0.
        steps_per_quarter: how many frames make a quarter note.

    Raises:
        CheckpointError: the keys are no MIDI pitches, or there are no steps.
    """

    keys: int = 88
    lowest_pitch: int = 21
    steps_per_quarter: int = 4

    def __post_init__(self) -> None:
        if not (self.keys >= 1 and 0 <= self.lowest_pitch <= 128 - self.keys and self.steps_per_quarter >= 1):
            raise CheckpointError(f"{self} are no frames of MIDI pitches")

    def __str__(self) -> str:
        steps = f"{self.steps_per_quarter} step{'s' * (self.steps_per_quarter != 1)} to the quarter"
        return f"{self.keys} keys from pitch {self.lowest_pitch}, {steps}"


@dataclass(frozen=True)
class Checkpoint:
    """A model as values, one of tokens or one of frames.

    Attributes:
        tokenizer: of a model of tokens; None for one of frames.
        weights: tensors by parameter name, as in ``SequenceModel.state_dict()``; the frames a head knows among them.
        pitch_range: lowest and highest pitch met in training, transposed copies included.
        facts: versions, corpus, steps and whatever else the run wants to be known by.
        frames: of a model of frames; None for one of tokens.

    Raises:
        CheckpointError: the head is of tokens and there is no tokenizer, or of frames and nothing tells of them.
    """

    config: ModelConfig
    tokenizer: Tokenizer | None
    weights: dict[str, NDArray[Any]]
    pitch_range: tuple[int, int] = (0, 127)
    facts: dict[str, Any] = field(default_factory=dict)
    frames: FrameFacts | None = None

    def __post_init__(self) -> None:
        if (self.tokenizer is None, self.frames is None) != (self.config.of_frames, not self.config.of_frames):
            needed = "frame facts and no tokenizer" if self.config.of_frames else "a tokenizer and no frame facts"
            raise CheckpointError(f"a model with the head {self.config.head} has {needed}")

    def __repr__(self) -> str:
        config, (low, high) = self.config, self.pitch_range
        tokens = "" if self.tokenizer is None else f"{len(self.tokenizer.vocabulary)} {self.tokenizer.name} tokens"
        remembering = " with a memory" * (config.memory is not None)
        return (
            f"Checkpoint({config.cell} of {config.layers} x {config.hidden_size}{remembering}, head {config.head}, "
            f"{self.parameter_count():,} parameters, {self.frames or tokens}, pitches {low} to {high})"
        )

    def require_tokenizer(self) -> Tokenizer:
        """The tokenizer. Raises OptionError for a model of frames: whoever asks is made for tokens."""
        if self.tokenizer is None:
            raise OptionError(
                f"this is a model of frames ({self.frames}); continue and generate need one of tokens; see "
                "`seqaudio info`, score rolls with `seqaudio score`, use it in Python: Checkpoint.load(path).build()"
            )
        return self.tokenizer

    @property
    def step(self) -> str:
        """What the model hears one after the other, as a word: token or frame."""
        return "frame" if self.frames else "token"

    def memory(self) -> Memory | None:
        """What the model remembers the piece with; None where its state alone remembers."""
        return make_memory(self.config, self.tokenizer.vocabulary if self.tokenizer else None)

    @property
    def learnt_from(self) -> LearntFrom:
        """What its pieces were read as: single lines, unless its corpus says that more of them was kept."""
        return learnt_from(self.facts.get("experiment", {}).get("corpus", {}).get("options", {}))

    @property
    def programs(self) -> frozenset[int] | None:
        """The instruments that it has met, drums as -1; none where no token names one, None where nobody noted it."""
        met = self.facts.get("programs")
        return None if met is None else frozenset(met)

    @property
    def beginnings(self) -> Beginnings | None:
        """What beginnings of pieces that it had not met cost it; None where nobody noted it."""
        noted = self.facts.get("beginnings")
        return None if noted is None else Beginnings(int(noted["pieces"]), float(noted["median"]), float(noted["most"]))

    @property
    def between(self) -> float | None:
        """The share of positions in its training pieces that are no sixteenths or triplets; None where not noted."""
        noted = self.facts.get("between")
        return None if noted is None else float(noted)

    @property
    def metres(self) -> dict[str, int] | None:
        """How many of its training pieces are mostly in each metre, such as 6/8; None where not noted."""
        noted = self.facts.get("metres")
        return None if noted is None else {str(metre): int(count) for metre, count in noted.items()}

    @property
    def sampling(self) -> dict[str, float]:
        """How to sample unless something else is asked for, by name of :class:`seqaudio.continuation.Sampling`.

        Where the model says nothing, temperatures are 1; and of a model of tokens with a memory a cell of bars comes at
        most :data:`MAX_TURNS` times in a row, of others as often as they like, which is 0.
        """
        usual = {"temperature": 1.0, "gate_temperature": 1.0, "max_turns": MAX_TURNS if self.config.memory else 0}
        own = self.facts.get("sampling", {})
        return {name: float(own.get(name, value)) for name, value in usual.items()}

    def _check_notes(self) -> None:
        """Raise an error of any kind where what a training noted is not such numbers."""
        begun, between, own = self.beginnings, self.between, self.sampling.values()
        if self.metres is not None and min(self.metres.values(), default=1) < 1:
            raise CheckpointError(f"metres {self.facts['metres']}: no counts of pieces; copy it anew")
        if begun is not None and not (begun.pieces > 0 and 0 <= begun.median <= begun.most < math.inf):
            raise CheckpointError(f"beginnings {self.facts['beginnings']}: no costs of pieces; copy it anew")
        if between is not None and not 0 <= between <= 1:
            raise CheckpointError(f"between {between}: 0 to 1; copy it anew")
        if not all(0 <= number < math.inf for number in own) or self.sampling["max_turns"] % 1:
            raise CheckpointError(f"sampling {self.facts['sampling']}: no temperatures and turns; copy it anew")

    def parameter_count(self) -> int:
        """How many numbers were learnt."""
        return sum(tensor.size for name, tensor in self.weights.items() if name != KNOWN)

    def save(self, path: str | Path, dtype: type[np.floating[Any]] = np.float32) -> None:
        """Write the weights file in float32 or float16: all of it or nothing.

        Raises:
            CheckpointError: the weights are not those of a model with this config and tokenizer.
            BadFileError: the file cannot be written.
        """
        import torch  # whoever has weights to save has it

        with torch.device("meta"):  # shapes without numbers
            self._fitting()
        header = {
            "format": FORMAT,
            "model": self.config.model_dump(),
            "tokenizer": json.loads(self.tokenizer.to_json()) if self.tokenizer else None,
            "pitch_range": self.pitch_range,
            "facts": self.facts,
        }
        if self.frames:
            header["frames"] = asdict(self.frames)
        tensors = {
            name: np.ascontiguousarray(tensor, dtype=bool if name == KNOWN else dtype)
            for name, tensor in self.weights.items()
        }
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
            if data[8:9] != b"{":  # where safetensors has its header
                raise CheckpointError("not the weights of a model (safetensors); name a model or the folder of a run")
            length = int.from_bytes(data[:8], "little")
            header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["seqaudio"])
            if header["format"] != FORMAT:
                raise CheckpointError(f"format {header['format']}, this seqaudio reads {FORMAT}; update")
            low, high = header["pitch_range"]
            weights = load(data)
            if not weights or not 0 <= low <= high <= 127:
                raise CheckpointError(f"{len(weights)} tensors, pitches {low} to {high}: no model; copy it anew")
            tokenizer, frames, facts = header["tokenizer"], header.get("frames"), dict(header["facts"])
            if not all(-1 <= program <= 127 for program in facts.get("programs") or ()):
                raise CheckpointError(f"programs {facts['programs']}: -1 to 127; copy it anew")
            found = cls(
                ModelConfig.model_validate(header["model"]),
                None if tokenizer is None else tokenizer_from_json(json.dumps(tokenizer)),
                weights,
                (int(low), int(high)),
                facts,
                None if frames is None else FrameFacts(**{name: int(value) for name, value in dict(frames).items()}),
            )
            found._check_notes()
            return found
        except BadFileError as problem:
            raise CheckpointError(str(problem)) from None
        except CheckpointError as problem:
            raise CheckpointError(f"{shown(path)}: {problem}") from None
        except UNREADABLE as problem:
            reason = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
            raise CheckpointError(f"{shown(path)}: no seqaudio model, or damaged ({reason}); copy it anew") from None

    def build(self) -> SequenceModel:
        """The model with these weights, in float32 and eval mode. Raises CheckpointError when they do not fit."""
        import torch

        model = self._fitting()
        state = {name: torch.from_numpy(_as_built(tensor)) for name, tensor in self.weights.items()}
        if self.frames is None:
            state[TIED] = state["encoder.weight"]
        try:
            model.load_state_dict(state)
        except RuntimeError as problem:  # damaged known frames
            raise _misfit(problem) from None
        return model.eval()

    def _fitting(self) -> SequenceModel:
        """A model that these weights fit, by their names and shapes. Raises CheckpointError when they do not."""
        try:
            model = self.untrained()
        except (RuntimeError, OptionError) as problem:
            raise _misfit(problem) from None
        needed = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        given = {name: tuple(tensor.shape) for name, tensor in self.weights.items()}
        if self.frames is None:  # weights may come with the tied matrix, which is not read
            del needed[TIED]
            given.pop(TIED, None)
        wrong = [
            f"{name} has shape {given[name]}, not {shape}" if name in given else f"{name} is missing"
            for name, shape in needed.items()
            if given.get(name) != shape
        ]
        wrong += [f"{shown(name)} is none of its tensors" for name in given if name not in needed]
        if wrong:
            more = f" and {len(wrong) - 1} more" * (len(wrong) > 1)
            raise _misfit(f"{wrong[0]}{more}; give the config and the tokenizer or frames that they were trained with")
        return model

    def untrained(self, seed: int = 0) -> SequenceModel:
        """A model of the same make with fresh weights, as a training begins; in eval mode."""
        import torch

        from seqaudio.models.config import build_model

        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            if self.frames is not None:
                model = build_model(self.config, keys=self.frames.keys, known_frames=self.weights.get(KNOWN))
            else:
                model = build_model(self.config, len(self.require_tokenizer().vocabulary))
        return model.eval()


def _misfit(reason: object) -> CheckpointError:
    return CheckpointError(f"the weights do not fit the model: {' '.join(str(reason).split())}")


def _as_built(tensor: NDArray[Any]) -> NDArray[Any]:
    """A tensor in the type a new model has it in."""
    return tensor.astype(bool if tensor.dtype == bool else np.float32)


def weights_path(path: str | Path) -> Path:
    """The weights file that a path means: itself, or ``model.safetensors`` inside a folder."""
    path = Path(path)
    return path / WEIGHTS if path.is_dir() else path


def weights_of(model: SequenceModel) -> dict[str, NDArray[Any]]:
    """The parameters as float32 arrays by name, the tied matrix once, as the encoder's; known frames as bool."""
    import torch

    state = model.state_dict()
    if "encoder.weight" in state:
        del state[TIED]
    return {
        name: (tensor if tensor.dtype == torch.bool else tensor.detach().float()).cpu().numpy().copy()
        for name, tensor in state.items()
    }


def sha256(path: str | Path) -> str:
    """SHA-256 of a weights file, as hex."""
    return hashlib.sha256(read_bytes(weights_path(path), LARGEST)).hexdigest()
