"""What is a run trained on? Tokens of a prepared corpus, or frames of a set of rolls, and all that differs by that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from seqaudio.corpus.batches import Piece
from seqaudio.corpus.frames import FrameCorpus
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import BadFileError, OptionError
from seqaudio.files.atomic import shown
from seqaudio.models.checkpoint import Checkpoint, FrameFacts
from seqaudio.models.config import ModelConfig, build_model, make_memory
from seqaudio.models.heads import distinct_frames
from seqaudio.models.match_memory import Memory
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.music.frames import Frames
from seqaudio.tokens.bars import BarsTokenizer
from seqaudio.training.config import Experiment, FramesConfig
from seqaudio.training.devices import Devices
from seqaudio.training.familiar import beginnings, pieces_by_metre, share_between
from seqaudio.training.transposition import FrameTransposition, TokenTransposition

Range = tuple[int, int]


@dataclass(frozen=True)
class TokenMaterial:
    """Pieces of tokens (steps,)."""

    corpus: PreparedCorpus
    unit = "token"
    cure = "prepare more music, or raise --valid-share"  # of too few pieces

    @property
    def transposition(self) -> TokenTransposition:
        """How its pieces are moved."""
        return TokenTransposition(self.corpus.tokenizer)

    def split(self, name: str) -> list[Piece]:
        """The pieces of a split."""
        return list(self.corpus.split(name))

    def build(self, config: ModelConfig) -> SequenceModel:
        """A new model for such pieces."""
        return build_model(config, len(self.corpus.tokenizer.vocabulary))

    def memory(self, config: ModelConfig) -> Memory | None:
        """What the model of a config remembers such pieces with."""
        return make_memory(config, self.corpus.tokenizer.vocabulary)

    def facts(self) -> dict[str, Any]:
        """Where pieces are from; of those for training the instruments, drums as -1, metres, how straight they are."""
        return {"sources": self.corpus.manifest["sources"], "programs": self._programs, **self._rhythm}

    def familiar(self, model: SequenceModel, pieces: Sequence[Piece], memory: Memory | None) -> dict[str, Any]:
        """How a model fares with the beginnings of pieces that it has not met, where they have bars."""
        tokenizer = self.corpus.tokenizer
        found = beginnings(model, tokenizer, pieces, memory) if isinstance(tokenizer, BarsTokenizer) else None
        return {} if found is None else {"beginnings": asdict(found)}

    @cached_property
    def _rhythm(self) -> dict[str, Any]:
        tokenizer = self.corpus.tokenizer
        if not isinstance(tokenizer, BarsTokenizer):
            return {}
        pieces = self.corpus.split("train")
        between = round(share_between(tokenizer, pieces), 4)
        return {"between": between, "metres": pieces_by_metre(tokenizer, pieces)}

    @cached_property
    def _programs(self) -> list[int]:
        names = self.corpus.tokenizer.vocabulary.names
        met: set[int] = set().union(*(np.unique(piece).tolist() for piece in self.corpus.split("train")))
        return sorted(int(names[i].removeprefix("Program_")) for i in met if names[i].startswith("Program_"))

    def settings(self) -> dict[str, Any]:
        """What the corpus was really made with, as the config would say it."""
        return {"options": self.corpus.manifest["options"]}

    def checkpoint(
        self, config: ModelConfig, weights: dict[str, NDArray[Any]], pitch_range: Range, facts: dict[str, Any]
    ) -> Checkpoint:
        """A model with what its tokens are."""
        return Checkpoint(config, self.corpus.tokenizer, weights, pitch_range, facts)


@dataclass(frozen=True)
class FrameMaterial:
    """Pieces of frames (steps, keys)."""

    corpus: FrameCorpus
    unit = "frame"
    cure = "name a set that has both"  # of too few pieces

    @cached_property
    def _known(self) -> Frames:
        return distinct_frames(self.split("train"))

    @property
    def transposition(self) -> FrameTransposition:
        """How its pieces are moved."""
        return FrameTransposition(self.corpus.lowest_pitch)

    def split(self, name: str) -> list[Piece]:
        """The pieces of a split."""
        return list(self.corpus.split(name))

    def build(self, config: ModelConfig) -> SequenceModel:
        """A new model for such pieces; the frames that a head knows are those of the training pieces."""
        known = self._known if config.knows_frames else None
        return build_model(config, keys=self.corpus.keys, known_frames=known)

    def memory(self, config: ModelConfig) -> Memory | None:
        """What the model of a config remembers such pieces with."""
        return make_memory(config)

    def facts(self) -> dict[str, Any]:
        """Where the pieces are from."""
        return {"sources": [self.corpus.name]}

    def familiar(self, model: SequenceModel, pieces: Sequence[Piece], memory: Memory | None) -> dict[str, Any]:
        """Nothing: frames have no bars."""
        return {}

    def settings(self) -> dict[str, Any]:
        """Nothing: a set of rolls is as it is."""
        return {}

    def checkpoint(
        self, config: ModelConfig, weights: dict[str, NDArray[Any]], pitch_range: Range, facts: dict[str, Any]
    ) -> Checkpoint:
        """A model with what its frames are."""
        corpus = self.corpus
        frames = FrameFacts(corpus.keys, corpus.lowest_pitch, corpus.steps_per_quarter)
        return Checkpoint(config, None, weights, pitch_range, facts, frames)


def material_of(corpus: PreparedCorpus | FrameCorpus) -> TokenMaterial | FrameMaterial:
    """A corpus as something to train on."""
    return TokenMaterial(corpus) if isinstance(corpus, PreparedCorpus) else FrameMaterial(corpus)


def open_corpus(
    experiment: Experiment, announce: Callable[[str], None] = lambda text: None
) -> PreparedCorpus | FrameCorpus:
    """The corpus of an experiment; prepared now if it is not there and the experiment names its sources.

    Raises:
        BadFileError: it is not there, or damaged.
        OptionError: the experiment names its sources, and what is there was made from others or with other options.
    """
    config = experiment.corpus
    if isinstance(config, FramesConfig):
        return FrameCorpus.open(config.frames)
    with Devices().main_first():
        if not (Path(config.prepared) / "manifest.json").is_file():
            if not config.sources:
                raise BadFileError(f"{shown(config.prepared)}: no prepared corpus here; make one with seqaudio prepare")
            announce(f"preparing {', '.join(config.sources)} in {config.prepared}")
            prepare(config.sources, config.prepared, config.options)
    corpus = PreparedCorpus.open(config.prepared)
    if config.sources and (corpus.manifest["sources"], _options(corpus)) != (list(config.sources), config.options):
        raise OptionError(f"{shown(config.prepared)}: prepared from other sources or with other options; remove it")
    return corpus


def _options(corpus: PreparedCorpus) -> PrepareOptions | None:
    """What a corpus was prepared with, an option younger than it as by default; None: by a newer seqaudio."""
    try:
        return PrepareOptions.model_validate(corpus.manifest["options"])
    except ValidationError:
        return None
