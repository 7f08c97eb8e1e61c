"""How do bars of pieces stand in another order, or by themselves, as tokens? As a piece that was written so.

TimeSig, Tempo, Program and Velocity are written only where they change, so a bar by itself does not say what holds in
it. A bar taken out of its piece therefore knows what held before it, and where bars are joined what holds is told where
a piece would tell it, and left out where it holds already. BOS stands in front; there is no EOS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqaudio.tokens.bars.tokenizer import BarsTokenizer
from seqaudio.tokens.vocabulary import Vocabulary

ON_CHANGE = ("TimeSig", "Tempo", "Program", "Velocity")
BEFORE = {"Velocity": ("Program",), "Pitch": ("Program", "Velocity"), "PitchDrum": ("Program", "Velocity")}
BEHIND = {"Bar": "TimeSig", "Position": "Tempo"}
FIRST_TEMPO = "Tempo_120"  # holds before the first that is written
TOLD = -1
"""The place of a token that stands in no piece."""

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Bar:
    """A bar of a piece.

    Attributes:
        ids: its tokens, from its Bar on, without EOS.
        start: the place of the first in its piece.
        holds: by kind what held before it, of what is written on change alone.
    """

    ids: Ids
    start: int
    holds: Mapping[str, int]


def bars_of_tokens(tokenizer: BarsTokenizer, ids: Ids) -> Ids:
    """The number of the bar each token is in, from 0, (tokens,); -1 before the first."""
    bars: Ids = np.cumsum(ids == tokenizer.vocabulary.id("Bar_None")) - 1
    return bars


def beginning(tokenizer: BarsTokenizer, ids: Ids, bars: int) -> Ids:
    """The tokens of a piece up to the end of its first so many bars, without EOS."""
    inside: Ids = ids[(bars_of_tokens(tokenizer, ids) < bars) & (ids != tokenizer.vocabulary.id("EOS_None"))]
    return inside


def bars_of(tokenizer: BarsTokenizer, ids: Ids) -> list[Bar]:
    """A piece (tokens,) in its bars."""
    vocabulary = tokenizer.vocabulary
    ids = ids[ids != vocabulary.id("EOS_None")]
    lines = np.append(np.flatnonzero(ids == vocabulary.id("Bar_None")), len(ids)).tolist()
    holds = _at_first(vocabulary)
    found = []
    for start, stop in pairwise(lines):
        found.append(Bar(ids[start:stop], start, dict(holds)))
        for token in ids[start:stop].tolist():
            kind = _kind(vocabulary, token)
            if kind in ON_CHANGE:
                holds[kind] = token
    return found


def joined(tokenizer: BarsTokenizer, bars: Iterable[Bar], as_it_stands: Bar | None = None) -> tuple[Ids, Ids]:
    """Bars of pieces, one behind the other, as a piece of their own.

    Args:
        tokenizer: of all of them.
        bars: in the order wanted.
        as_it_stands: one more, behind them, of which no token is left out.

    Returns:
        The tokens, and the place that each had in the piece it was taken from, :data:`TOLD` where it had none.
    """
    writing = _Writing(tokenizer.vocabulary)
    for bar in bars:
        writing.write(bar)
    if as_it_stands is not None:
        writing.write(as_it_stands, whole=True)
    return np.array(writing.ids, np.int64), np.array(writing.places, np.int64)


class _Writing:
    """A piece that is being written, and what has been told in it so far."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._told = _at_first(vocabulary)
        self.ids, self.places = [vocabulary.id("BOS_None")], [TOLD]

    def write(self, bar: Bar, whole: bool = False) -> None:
        """Put a bar behind what is there."""
        ids, holds = bar.ids.tolist(), dict(bar.holds)
        kinds = [_kind(self._vocabulary, token) for token in ids]
        for i, (token, kind) in enumerate(zip(ids, kinds, strict=True)):
            if kind in ON_CHANGE:
                holds[kind] = token
                if not whole and self._told.get(kind) == token:
                    continue
            for due in BEFORE.get(kind, ()):
                self._tell(due, holds)
            self._put(kind, token, bar.start + i)
            behind = BEHIND.get(kind)
            if behind and kinds[i + 1 : i + 2] != [behind]:
                self._tell(behind, holds)

    def _tell(self, kind: str, holds: Mapping[str, int]) -> None:
        if kind in holds and self._told.get(kind) != holds[kind]:
            self._put(kind, holds[kind], TOLD)

    def _put(self, kind: str, token: int, place: int) -> None:
        if kind in ON_CHANGE:
            self._told[kind] = token
        self.ids.append(token)
        self.places.append(place)


def _at_first(vocabulary: Vocabulary) -> dict[str, int]:
    """What holds before anything is written."""
    return {"Tempo": vocabulary.id(FIRST_TEMPO)} if "Tempo" in vocabulary.slices else {}


def _kind(vocabulary: Vocabulary, token: int) -> str:
    return vocabulary.kinds[int(vocabulary.kind_of[token])]
