"""Which model is built from which numbers? Layers take plain arguments; only :func:`build_model` reads the config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from seqaudio.errors import OptionError
from seqaudio.models.cells import FUSED, WITH_CELL_STATE, WITH_FORGETTING, Cell
from seqaudio.settings import Settings

if TYPE_CHECKING:
    from seqaudio.models.heads import Head
    from seqaudio.models.match_memory import Memory
    from seqaudio.models.match_memory.gate import MemoryGate
    from seqaudio.models.recurrent import RecurrentStack
    from seqaudio.models.sequence_model import SequenceModel
    from seqaudio.music.frames import Frames
    from seqaudio.tokens.vocabulary import Vocabulary

HeadName = Literal["categorical", "bernoulli", "marginal", "notes", "joint", "mixture"]

COMPONENTS = 5  # of a mixture, where the config names none

MAY_DIFFER = frozenset(
    {"dropout", "embedding_dropout", "layer_dropout", "input_dropout", "weight_drop", "zoneout", "zoneout_cell"}
)
"""Settings of :class:`ModelConfig` that no weight depends on: they may change when a model is trained further."""


class MemoryConfig(Settings, frozen=True):
    """A memory of the piece so far, see :mod:`seqaudio.models.match_memory`; any cell and head can have it."""

    match: bool = Field(default=True, description="guess what followed the longest match")
    lags: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] = Field(
        default=(), max_length=32, description="guess what stood so many bars ago; of frames and other tokens: steps"
    )
    counters: tuple[Annotated[int, Field(ge=2, le=255)], ...] = Field(
        default=(), max_length=16, description="hear the place in cycles of so many bars, or steps"
    )
    features: int = Field(default=8, ge=1, le=8192, description="of a guess as the network hears it")
    match_velocities: bool = Field(
        default=True, description="false: any velocity agrees with any other, of tokens that have velocities"
    )

    @property
    def sources(self) -> int:
        """How many guesses there are."""
        return self.match + len(self.lags)

    @model_validator(mode="after")
    def _remembers(self) -> MemoryConfig:
        if not self.sources:
            raise ValueError("a memory without match and lags remembers nothing; leave it out, or set match or lags")
        return self


class ModelConfig(Settings, frozen=True):
    """A stacked recurrent model, of tokens (head categorical) or of frames (the other heads; mixture: of real numbers).

    The options of the layers are those of :class:`seqaudio.models.recurrent.RecurrentStack`; each is off unless asked
    for, and refused with a cell that cannot honour it. What AWD-LSTM calls dropouti is ``input_dropout``, dropouth
    ``layer_dropout``, dropout ``dropout``, dropoute ``embedding_dropout`` and wdrop ``weight_drop``.
    """

    cell: Cell = "lstm"
    hidden_size: int = Field(default=512, ge=1, le=8192)
    layers: int = Field(default=2, ge=1, le=16)
    embedding_size: int | None = Field(
        default=None,
        ge=1,
        le=8192,
        description="None: tokens as hidden_size, without a projection; frames as their keys are",
    )
    dropout: float = Field(default=0.3, ge=0, lt=1)
    embedding_dropout: float = Field(default=0.0, ge=0, lt=1, description="of tokens")
    head: HeadName = "categorical"
    head_features: int | None = Field(
        default=None, ge=1, le=8192, description="of a decision of the head or escape notes; None: as hidden_size"
    )
    escape: Literal["bernoulli", "notes"] | None = Field(
        default=None, description="of the head joint: who gives frames not met in training; None: bernoulli"
    )
    components: int | None = Field(default=None, ge=1, le=1024, description="Gaussians of the head mixture; None: 5")
    layer_dropout: float | None = Field(default=None, ge=0, lt=1, description="between layers; None: as dropout")
    input_dropout: float = Field(default=0.0, ge=0, lt=1)
    weight_drop: float = Field(default=0.0, ge=0, lt=1)
    zoneout: float = Field(default=0.0, ge=0, lt=1)
    zoneout_cell: float = Field(default=0.0, ge=0, lt=1)
    chrono: int | None = Field(
        default=None, ge=3, le=1_000_000_000, description="longest memory to begin with, in steps; None: usual biases"
    )
    residual: bool = False
    memory: MemoryConfig | None = Field(
        default=None, description="of the piece so far; None: the state alone remembers"
    )

    @property
    def of_frames(self) -> bool:
        """Whether the model reads and writes frames, not tokens."""
        return self.head != "categorical"

    @property
    def knows_frames(self) -> bool:
        """Whether the head has the frames met in training as classes."""
        return self.head in ("joint", "marginal")

    @model_validator(mode="after")
    def _of_one_kind(self) -> ModelConfig:
        """Refuse what the head has no use for."""
        if self.escape is not None and self.head != "joint":
            raise ValueError(f"escape goes with the head joint, not with {self.head}; leave it out")
        if self.head_features is not None and "notes" not in (self.head, self.escape):
            raise ValueError(f"head_features goes with the head or escape notes, not with {self.head}; leave it out")
        if self.components is not None and self.head != "mixture":
            raise ValueError(f"components go with the head mixture, not with {self.head}; leave them out")
        if self.memory is not None and self.head == "mixture":
            raise ValueError("memory is of what comes back exactly, and frames of real numbers do not; leave it out")
        if self.memory is not None and not self.memory.match_velocities and self.of_frames:
            raise ValueError("memory.match_velocities is of tokens, and frames have no velocities; leave it out")
        if self.embedding_dropout and self.of_frames:
            raise ValueError(f"embedding_dropout is for tokens, and the head {self.head} for frames; leave it out")
        return self

    @model_validator(mode="after")
    def _cell_can_do_it(self) -> ModelConfig:
        asked = (
            ("zoneout_cell", self.zoneout_cell > 0, WITH_CELL_STATE),
            ("chrono", self.chrono is not None, WITH_FORGETTING),
        )
        refused = [
            f"{option} is not for the cell {self.cell!r}; it is for {', '.join(cells)}"
            for option, is_on, cells in asked
            if is_on and self.cell not in cells
        ]
        if refused:
            raise ValueError("; ".join(refused))
        return self


def build_model(
    config: ModelConfig,
    vocabulary_size: int | None = None,
    *,
    keys: int | None = None,
    known_frames: Frames | None = None,
) -> SequenceModel:
    """A new model with random weights from torch's current random state.

    Args:
        config: its sizes.
        vocabulary_size: of a model of tokens.
        keys: of a frame, or numbers of one, for a model of frames.
        known_frames: bool, (known, keys), for the heads joint and marginal: the distinct frames of the training pieces.

    Raises:
        OptionError: what the config's head needs is missing, or something else is given.
    """
    from seqaudio.models.encoders import FrameEncoder, TokenEmbedding
    from seqaudio.models.heads import CategoricalHead
    from seqaudio.models.sequence_model import SequenceModel

    if not config.of_frames:
        if vocabulary_size is None or keys is not None or known_frames is not None:
            raise OptionError("a model with the head categorical is one of tokens; give vocabulary_size, and no keys")
        features = config.embedding_size or config.hidden_size
        embedding = TokenEmbedding(vocabulary_size, features, config.embedding_dropout)
        head, gate = CategoricalHead(config.hidden_size, embedding), _gate(config, 1, vocabulary_size)
        return SequenceModel(embedding, _stack(config, features, gate), head, gate)
    if keys is None or vocabulary_size is not None:
        raise OptionError(f"a model with the head {config.head} is one of frames; give keys, and no vocabulary_size")
    encoder, gate = FrameEncoder(keys, config.embedding_size), _gate(config, keys, None)
    stack = _stack(config, config.embedding_size or keys, gate)
    return SequenceModel(encoder, stack, _frame_head(config, keys, known_frames), gate)


def _gate(config: ModelConfig, width: int, symbols: int | None) -> MemoryGate | None:
    from seqaudio.models.match_memory.gate import MemoryGate

    memory = config.memory
    if memory is None:
        return None
    return MemoryGate(width, symbols, memory.sources, memory.counters, memory.features, config.hidden_size)


def _stack(config: ModelConfig, features: int, gate: MemoryGate | None) -> RecurrentStack:
    from seqaudio.models.recurrent import RecurrentStack

    return RecurrentStack(
        config.cell,
        features + (gate.features_out if gate else 0),
        config.hidden_size,
        config.layers,
        config.dropout,
        layer_dropout=config.layer_dropout,
        input_dropout=config.input_dropout,
        weight_drop=config.weight_drop,
        zoneout=config.zoneout,
        zoneout_cell=config.zoneout_cell,
        chrono=config.chrono,
        residual=config.residual,
    )


def _frame_head(config: ModelConfig, keys: int, known_frames: Frames | None) -> Head:
    from seqaudio.models.heads import BernoulliHead, JointHead, MarginalHead, MixtureHead, NotesHead

    def of_all_frames(name: str) -> Head:
        if name == "notes":
            return NotesHead(config.hidden_size, keys, config.head_features or config.hidden_size)
        if name == "mixture":
            return MixtureHead(config.hidden_size, keys, config.components or COMPONENTS)
        return BernoulliHead(config.hidden_size, keys)

    if not config.knows_frames:
        if known_frames is not None:
            raise OptionError(f"known_frames go with the heads joint and marginal, not with {config.head}")
        return of_all_frames(config.head)
    if known_frames is None or known_frames.shape[1:] != (keys,):
        came = "none" if known_frames is None else f"shape {known_frames.shape}"
        raise OptionError(f"the head {config.head} needs known_frames of shape (known, {keys}), got {came}")
    if config.head == "marginal":
        return MarginalHead(config.hidden_size, known_frames)
    return JointHead(config.hidden_size, known_frames, of_all_frames(config.escape or "bernoulli"))


def make_memory(config: ModelConfig, vocabulary: Vocabulary | None = None) -> Memory | None:
    """What a model remembers the piece with, given the vocabulary of its tokens, or None of frames; None: nothing."""
    from seqaudio.models.match_memory import Memory

    memory = config.memory
    if memory is None:
        return None
    return Memory(memory.match, memory.lags, memory.counters, vocabulary, memory.match_velocities)


def why_no_graph(config: ModelConfig) -> str | None:
    """What keeps such a model from being an ONNX graph, in a few words; None: nothing does."""
    if config.of_frames:
        return "graphs read tokens, and this is a model of frames"
    if config.cell not in FUSED:
        return f"ONNX has no operator for the cell {config.cell!r}"
    if config.zoneout or config.zoneout_cell:
        return "ONNX has no operator for a cell with zoneout"
    return None
