"""What is a piece made of when its past is cut or changed? A line of units: bars where tokens tell of bars, else steps.

Conventions: a unit is a bar of tokens, or one token, or one frame. Units number from 0; what stands before the first
bar (BOS) belongs to none. What is made of units is heard as a piece that was written so: bars know what held in them
(:mod:`seqaudio.tokens.bars.excerpt`), single steps are as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from seqaudio.corpus.batches import Piece
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.tokens import BarsTokenizer
from seqaudio.tokens.bars.excerpt import TOLD, Bar, bars_of, joined
from seqaudio.training.transposition import FrameTransposition, TokenTransposition, Transposition, room

IntArray = NDArray[np.int64]


class Excerpt(NamedTuple):
    """Something to hear, and which of its steps are those that count.

    Attributes:
        piece: tokens (steps,) or frames (steps, keys).
        counted: places of the steps of the target among those that are predicted, all but the first of the piece.
    """

    piece: Piece
    counted: IntArray


class Line(Protocol):
    """A piece in units."""

    piece: Piece
    starts: IntArray
    """The first step of each unit, (units,)."""
    fixed: int
    """So many units in front are never moved: BOS."""

    @property
    def units(self) -> Sequence[Any]:
        """What it is made of."""
        ...

    def excerpt(self, before: Sequence[Any], target: int) -> Excerpt:
        """A unit of this piece behind other units, of this piece or of another."""
        ...

    def steps_of(self, target: int) -> IntArray:
        """Which steps a unit has that are predicted, (steps,), counted without the first of the piece."""
        ...

    def moved(self, semitones: int) -> Sequence[Any] | None:
        """The units in another key, as far up, or down where that has more room; None where that changes nothing."""
        ...


class BarLine:
    """A piece of bar tokens in its bars; EOS is left out."""

    fixed = 0

    def __init__(self, piece: Piece, tokenizer: BarsTokenizer) -> None:
        self.piece = piece.astype(np.int64)
        self._units = bars_of(tokenizer, self.piece)
        self.starts = np.array([bar.start for bar in self._units], np.int64)
        self._tokenizer = tokenizer

    @property
    def units(self) -> Sequence[Bar]:
        """The bars."""
        return self._units

    def excerpt(self, before: Sequence[Bar], target: int) -> Excerpt:
        """See :class:`Line`; what has to be told anew in the target is not counted."""
        bar = self.units[target]
        ids, places = joined(self._tokenizer, before, bar)
        return Excerpt(ids, np.flatnonzero(places != TOLD)[-len(bar.ids) :] - 1)

    def steps_of(self, target: int) -> IntArray:
        """See :class:`Line`."""
        bar = self.units[target]
        return np.arange(bar.start, bar.start + len(bar.ids)) - 1

    def moved(self, semitones: int) -> Sequence[Bar] | None:
        """See :class:`Line`."""
        moved = _moved(self.piece, TokenTransposition(self._tokenizer), semitones)
        return None if moved is None else bars_of(self._tokenizer, moved)


class StepLine:
    """A piece of tokens or frames in its steps."""

    def __init__(self, piece: Piece, transposition: Transposition) -> None:
        self.piece = piece if piece.ndim > 1 else piece.astype(np.int64)
        self.fixed = 1 if piece.ndim == 1 else 0
        self._units = _apart(self.piece)
        self.starts = np.arange(len(piece))
        self._transposition = transposition

    @property
    def units(self) -> Sequence[Piece]:
        """The steps, each (1,) or (1, keys)."""
        return self._units

    def excerpt(self, before: Sequence[Piece], target: int) -> Excerpt:
        """See :class:`Line`."""
        return Excerpt(np.concatenate([*before, self.units[target]]), np.array([len(before) - 1]))

    def steps_of(self, target: int) -> IntArray:
        """See :class:`Line`."""
        return np.array([target - 1])

    def moved(self, semitones: int) -> Sequence[Piece] | None:
        """See :class:`Line`."""
        moved = _moved(self.piece, self._transposition, semitones)
        return None if moved is None else _apart(moved)


def line_of(checkpoint: Checkpoint, piece: Piece, *, by_steps: bool = False) -> BarLine | StepLine:
    """A piece as a model's checkpoint says it is written; by steps where there are no bars, or if asked for."""
    if checkpoint.frames is not None:
        return StepLine(piece, FrameTransposition(checkpoint.frames.lowest_pitch))
    tokenizer = checkpoint.require_tokenizer()
    if isinstance(tokenizer, BarsTokenizer) and not by_steps:
        return BarLine(piece, tokenizer)
    return StepLine(piece, TokenTransposition(tokenizer))


def _moved(piece: Piece, transposition: Transposition, semitones: int) -> Piece | None:
    down, up = room(transposition.pitch_range(piece), semitones)
    moved = transposition.moved(piece, up if up >= down else -down)
    return None if np.array_equal(moved, piece) else moved


def _apart(piece: Piece) -> list[Piece]:
    return [piece[i : i + 1] for i in range(len(piece))]
