"""What does every tokenizer promise?

``decode(encode(score))`` is ``quantize(score)``: the score on the tokenizer's grid. What the grid could not hold is
counted in a :class:`Loss`, never dropped in silence. Any ids sampled under ``grammar`` decode to a valid score.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.music.score import Score
from seqaudio.tokens.vocabulary import Vocabulary


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
    tempo_changes_dropped: int = 0
    pedal_spans_dropped: int = 0

    def nonzero(self) -> dict[str, int]:
        """Only what was lost, by name."""
        return {name: count for name, count in asdict(self).items() if count}


class GrammarState(Protocol):
    """Where a token sequence stands; a value, never edited in place."""

    def after(self, token: int) -> GrammarState:
        """The state once ``token`` has been written. Raises VocabularyError when the grammar forbids it."""
        ...


class Tokenizer(Protocol):
    """Score <-> token ids."""

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

    def grammar(self, state: GrammarState) -> NDArray[np.bool_]:
        """Which tokens may follow, shape (vocabulary,)."""
        ...

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON."""
        ...
