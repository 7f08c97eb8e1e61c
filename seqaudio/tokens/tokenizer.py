"""What does every tokenizer promise?

``decode(encode(score))`` is ``quantize(score)``: the score on the tokenizer's grid. What the grid could not hold is
counted in a :class:`Loss`, never dropped in silence. Any ids sampled under ``grammar`` decode to a valid score. The
first three tokens are PAD, BOS and EOS, and a sequence runs from BOS to EOS.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import OptionError
from seqaudio.music.score import Score
from seqaudio.tokens.vocabulary import Vocabulary

Pedals = Literal["drop", "tokens", "durations"]
"""What becomes of the sustain pedal: left out, written as tokens, or folded into the notes it holds."""

DRUMS = -1
"""The program of drum notes, in token names and in sorting."""


def check_pedals(pedals: str) -> None:
    """Raises OptionError for a word that is none of ``Pedals``."""
    if pedals not in get_args(Pedals):
        raise OptionError(f"pedals is {pedals!r}, it must be one of {', '.join(get_args(Pedals))}")


@dataclass(frozen=True)
class Loss:
    """What a grid could not hold, as counts of notes (or of changes and spans, where the name says so)."""

    onsets_moved: int = 0
    durations_changed: int = 0
    velocities_rounded: int = 0
    notes_merged: int = 0
    overlaps_cut: int = 0
    programs_dropped: int = 0
    drums_dropped: int = 0
    metre_changes_replaced: int = 0
    metre_changes_dropped: int = 0
    tempo_changes_dropped: int = 0
    tempos_rounded: int = 0
    pedal_spans_dropped: int = 0
    pedal_spans_moved: int = 0
    notes_dropped: int = 0

    def nonzero(self) -> dict[str, int]:
        """Only what was lost, by name."""
        return {name: int(count) for name, count in asdict(self).items() if count}


class GrammarState(Protocol):
    """Where a token sequence stands; a value, never edited in place."""

    def after(self, token: int) -> GrammarState:
        """The state once ``token`` has been written. Raises VocabularyError when the grammar forbids it."""
        ...


class Tokenizer(Protocol):
    """Score <-> token ids."""

    name: ClassVar[str]
    """What the tokenizer is called on the command line and in its JSON."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens."""
        ...

    def encode(self, score: Score) -> NDArray[np.int64]:
        """Token ids of a score, shape (tokens,)."""
        ...

    def decode(self, ids: ArrayLike) -> Score:
        """The score that ids stand for. Raises VocabularyError for ids that break the grammar."""
        ...

    def quantize(self, score: Score) -> tuple[Score, Loss]:
        """The score as the grid holds it, and what was lost on the way."""
        ...

    def start(self) -> GrammarState:
        """The grammar's state before the first token."""
        ...

    def grammar(self, state: Any) -> NDArray[np.bool_]:
        """Which tokens may follow, shape (vocabulary,)."""
        ...

    @property
    def pitch_of_token(self) -> NDArray[np.int64]:
        """The MIDI pitch of the pitched note that each token names, -1 where it names none, shape (vocabulary,)."""
        ...

    @property
    def begins_note(self) -> NDArray[np.bool_]:
        """Which tokens stand once for every note, drums included, shape (vocabulary,).

        A piano roll has no onsets: there they stand once for every step of every note.
        """
        ...

    def transpose(self, ids: NDArray[np.int64], semitones: int) -> NDArray[np.int64]:
        """Tokens (tokens,) with pitched notes moved by semitones, drums not.

        Raises:
            VocabularyError: a pitch would leave the range.
        """
        ...

    def to_json(self) -> str:
        """Everything needed to rebuild the tokenizer; its key ``tokenizer`` holds ``name``."""
        ...

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        """The tokenizer that ``to_json`` wrote. Raises CheckpointError when it was another one."""
        ...

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON."""
        ...
