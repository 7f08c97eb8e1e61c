"""What decides a training run? One YAML file: corpus, model, training. All its mistakes are reported together.

The corpus is either ``prepared: FOLDER`` (tokens) or ``frames: FILE`` (a set of piano rolls).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from seqaudio.corpus.options import PrepareOptions
from seqaudio.errors import BadFileError, OptionError
from seqaudio.files.atomic import shown
from seqaudio.models.config import ModelConfig
from seqaudio.settings import Settings, told

MOST = 1_000_000_000  # of pieces, tokens, steps


class CorpusConfig(Settings, frozen=True):
    """Where the tokens come from: a prepared corpus, made from the sources if it is not there yet."""

    prepared: str
    sources: tuple[str, ...] = ()
    options: PrepareOptions = PrepareOptions()


class FramesConfig(Settings, frozen=True):
    """Where frames come from: a set of piano rolls, a .mat, .json or .npz file with its own splits."""

    frames: str


def _kind(corpus: Any) -> str:
    """Which of the two ways to name a corpus is meant."""
    named = isinstance(corpus, FramesConfig) or (isinstance(corpus, dict) and "frames" in corpus)
    return "<frames>" if named else "<tokens>"


class TrainingConfig(Settings, frozen=True):
    """How long, how fast, on what."""

    model_config = ConfigDict(allow_inf_nan=False)

    epochs: int = Field(default=20, ge=1, le=100_000)
    batch_size: int = Field(default=16, ge=1, le=MOST, description="pieces side by side")
    chunk: int = Field(
        default=256, ge=2, le=MOST, description="tokens per step; the state is carried from chunk to chunk of a piece"
    )
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup_steps: int = Field(default=200, ge=0, le=MOST)
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="of the rate behind the warm-up"
    )
    final_rate: float | None = Field(
        default=None, ge=0, le=1, description="share of the learning rate left at the end; None: 0.02; not for constant"
    )
    weight_decay: float = Field(default=0.01, ge=0, description="of matrices; vectors such as biases are left alone")
    clip: float = Field(default=1.0, gt=0, description="largest global gradient norm")
    accumulate: int = Field(
        default=1, ge=1, description="parts a batch is read in, for less memory; the same step but for rounding"
    )
    averaging: Literal["none", "ema", "mean"] = Field(
        default="none", description="weights that validation judges and the model keeps: the last, or an average"
    )
    decay: float | None = Field(default=None, ge=0, lt=1, description="of averaging ema; None: 0.999")
    mean_from: float | None = Field(
        default=None, ge=0, lt=1, description="of averaging mean: share of the run's steps before it begins; None: 0.5"
    )
    transpose: int = Field(
        default=5, ge=0, le=11, description="each piece moves by up to so many semitones, anew each epoch"
    )
    transpose_share: float = Field(
        default=1.0, gt=0, le=1, description="of the pieces; the others keep their key that epoch"
    )
    patience: int = Field(default=5, ge=1, description="epochs without a better validation before stopping")
    validate_every: int = Field(
        default=1, ge=1, description="epochs from one validation to the next; the last always has one"
    )
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int = Field(default=0, ge=0, le=1024, description="CPU threads; 0 leaves torch's choice")
    save_minutes: float = Field(default=5.0, gt=0, description="how often an unfinished epoch is saved")
    tensorboard: bool = Field(default=False, description="events for TensorBoard beside the log")
    seed: int = Field(default=0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _of_use(self) -> TrainingConfig:
        """Refuse what the other settings make idle."""
        if self.decay is not None and self.averaging != "ema":
            raise ValueError(f"decay goes with averaging: ema, not with {self.averaging}; leave it out")
        if self.mean_from is not None and self.averaging != "mean":
            raise ValueError(f"mean_from goes with averaging: mean, not with {self.averaging}; leave it out")
        if self.final_rate is not None and self.schedule == "constant":
            raise ValueError("final_rate goes with the schedules cosine and linear, not with constant; leave it out")
        if self.transpose_share < 1 and not self.transpose:
            raise ValueError("transpose_share is of pieces that are moved, and transpose: 0 moves none; leave it out")
        if self.accumulate > self.batch_size:
            raise ValueError(f"accumulate {self.accumulate} is more than the {self.batch_size} pieces of batch_size")
        return self


class Experiment(Settings, frozen=True):
    """One run."""

    corpus: Annotated[
        Annotated[CorpusConfig, Tag("<tokens>")] | Annotated[FramesConfig, Tag("<frames>")], Discriminator(_kind)
    ]
    init: str | None = Field(
        default=None, description="a model to begin from, by name or path; its sizes are the run's"
    )
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _head_for_the_corpus(self) -> Experiment:
        if self.model.of_frames != isinstance(self.corpus, FramesConfig):
            raise ValueError(
                f"model.head {self.model.head} does not fit the corpus: corpus.prepared goes with categorical, "
                "corpus.frames with bernoulli, marginal, notes or joint"
            )
        if self.model.head == "mixture":
            raise ValueError(
                "model.head mixture is of frames of real numbers, and corpus.frames of keys; take bernoulli, marginal, "
                "notes or joint"
            )
        return self


def load_experiment(path: str | Path, changes: Sequence[str] = ()) -> Experiment:
    """Read a YAML file and apply changes such as ``"model.hidden_size=256"``.

    Raises:
        BadFileError: the file cannot be read as YAML.
        OptionError: keys or values are not allowed; the text lists all of them with their places.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not a text file"
        raise BadFileError(
            f"{shown(path)}: cannot be read: {reason}; name a YAML file such as configs/folk_lstm.yaml"
        ) from None
    except (yaml.YAMLError, ValueError) as problem:  # ValueError: a date such as 2020-99-99
        raise BadFileError(f"{shown(path)}: not YAML: {' '.join(str(problem).split())}") from None
    if not isinstance(values, dict):
        raise OptionError(f"{shown(path)}: holds no settings; it needs the keys corpus, model and training")
    for change in changes:
        _apply(values, change)
    return check_experiment(values, shown(path))


def check_experiment(values: dict[str, Any], name: str = "experiment") -> Experiment:
    """An experiment from plain values, as they would stand in a YAML file; ``name`` stands in the error.

    Raises:
        OptionError: keys or values are not allowed; the text lists all of them with their places.
    """
    try:
        return Experiment.model_validate(values)
    except ValidationError as problem:
        raise OptionError(told(problem, Experiment, name)) from None


class _Nothing:
    def __repr__(self) -> str:
        return "there is no such setting"


def differences(was: dict[str, Any], now: dict[str, Any], group: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two sets of plain settings differ: the full name, such as ``model.memory.lags``, and both values.

    One that was not there was None; one that is there no more is said to be none.
    """
    for name in now | was:
        before, after = was.get(name), now.get(name, _Nothing())
        if isinstance(before, dict) and isinstance(after, dict):
            yield from differences(before, after, f"{group}{name}.")
        elif before != after:
            yield f"{group}{name}", before, after


def _apply(values: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise OptionError(f"--set {change!r}: write key=value, such as model.hidden_size=256")
    *path, last = key.split(".")
    for part in path:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise OptionError(f"--set {change!r}: {part!r} is a value, not a group of settings")
    try:
        values[last] = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        raise OptionError(f"--set {change!r}: the value {text!r} is not YAML") from None
