"""Is it copied? The longest run that a piece shares with the pieces a model was trained on, in any key.

Conventions: a piece is a sequence of symbols that do not change when it is moved to another key: of a score its notes
in order of onset and pitch, each told by its interval from the note before, the steps since (12 to the quarter) and its
length; of a corpus of tokens its tokens, those that name a pitch told by the interval from the one before. A run is
told by its length in symbols; of notes those of which interval, distance and length agree. Drums keep their pitches.

Real music shares runs too, so read a length beside those of real pieces, each against the others (``without``).

Source: a suffix array (see :mod:`seqaudio.structure.suffixes`) and bisection in it, as U. Manber and G. Myers, "Suffix
arrays: a new method for on-line string searches", SIAM J. Computing 22(5), 1993.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from seqaudio.compiled import compiled
from seqaudio.errors import OptionError
from seqaudio.music.score import IntArray, Score
from seqaudio.music.steps import nearest_steps
from seqaudio.structure.bars import DRUM, STEPS_PER_QUARTER
from seqaudio.structure.suffixes import Ids, suffix_array

FIRST = 128  # stands for the interval of a first note, which has none
MOST_STEPS = 2**20 - 1  # of a distance or a length; longer ones are as long as this
MOST_SYMBOLS = 2**31 - 2
NOWHERE = -1


@dataclass(frozen=True)
class SharedRun:
    """A run that a sequence shares with a corpus.

    Attributes:
        length: symbols; 0 where nothing is shared.
        start: its first step in the sequence.
        piece: the number of the piece of the corpus, ``NOWHERE`` where nothing is shared.
        place: its first step in that piece.
    """

    length: int
    start: int
    piece: int
    place: int


@dataclass(frozen=True, eq=False)
class RunIndex:
    """The pieces of a corpus, so ordered that any run is found at once; make one with :meth:`build`.

    Attributes:
        kinds: the different symbols, rising; number i of them is id i + 1.
        ids: all pieces, one behind the other, each followed by 0.
        suffixes: the steps of ``ids``, ordered by what begins there.
        piece: the number of the piece at each step.
        begin: the first step of each piece.
    """

    kinds: IntArray
    ids: Ids
    suffixes: Ids
    piece: Ids
    begin: IntArray

    @classmethod
    def build(cls, symbols: ArrayLike, bounds: ArrayLike) -> RunIndex:
        """Order a corpus. Ten million tokens take some three seconds of CPU and 520 MB.

        Args:
            symbols: integers, all pieces one behind the other, shape (symbols,), as in a prepared corpus.
            bounds: piece i is ``symbols[bounds[i]:bounds[i + 1]]``, shape (pieces + 1,).

        Raises:
            OptionError: the bounds do not fit, or there are 2^31 symbols or more.
        """
        row, edge = np.asarray(symbols), np.asarray(bounds, dtype=np.int64)
        if row.ndim != 1 or (row.size and row.dtype.kind not in "iu"):
            raise OptionError(f"symbols are integers of shape (symbols,); got {row.dtype} of shape {row.shape}")
        if edge.ndim != 1 or not len(edge) or edge[0] != 0 or edge[-1] != len(row) or (np.diff(edge) < 0).any():
            raise OptionError(f"bounds must rise from 0 to the number of symbols, {len(row):,}")
        if len(row) + len(edge) > MOST_SYMBOLS:
            raise OptionError(
                f"{len(row):,} symbols; at most {MOST_SYMBOLS:,} can be ordered: take a part of the corpus"
            )
        length = np.diff(edge)
        kinds, number = _numbered(row)
        piece = np.repeat(np.arange(len(length), dtype=np.int32), length + 1)
        ids = np.zeros(len(piece), dtype=np.int32)
        ids[np.arange(len(row)) + np.repeat(np.arange(len(length)), length)] = number
        return cls(kinds, ids, suffix_array(ids), piece, edge[:-1] + np.arange(len(length)))

    @classmethod
    def of_scores(cls, scores: Sequence[Score]) -> RunIndex:
        """Order scores by their notes."""
        rows = [note_symbols(score) for score in scores]
        bounds = np.cumsum([0, *map(len, rows)])
        return cls.build(np.concatenate([np.zeros(0, np.int64), *rows]), bounds)

    def longest_run(self, piece: Score | ArrayLike, *, without: int = NOWHERE) -> SharedRun:
        """The longest run that a piece shares with the corpus; of several the first.

        Range 0 to the length of the piece, lower is less copied. Null value: that of real pieces against one another.
        Cost: symbols times the logarithm of the corpus.

        Args:
            piece: a score, for a corpus of scores; else symbols like those of the corpus, shape (steps,).
            without: the number of a piece of the corpus that does not count, as when the piece is one of them.
        """
        symbols = note_symbols(piece) if isinstance(piece, Score) else np.asarray(piece)
        place = np.minimum(np.searchsorted(self.kinds, symbols), max(len(self.kinds) - 1, 0))
        known = self.kinds[place] == symbols if len(self.kinds) else np.zeros(len(symbols), bool)
        query = np.where(known, place + 1, NOWHERE).astype(np.int32)
        length, start, found = _longest(query, self.ids, self._suffixes_for(len(query), without), self.piece, without)
        if not length:
            return SharedRun(0, 0, NOWHERE, 0)
        number = int(self.piece[found])
        return SharedRun(length, start, number, int(found - self.begin[number]))

    def _suffixes_for(self, symbols: int, without: int) -> Ids:
        """The suffixes to look through for so many symbols, without those of a piece where that is quicker.

        A piece that is one note over and over is most like itself at all its places, and each would be passed by again
        at each of its steps.
        """
        if without == NOWHERE or symbols**2 < len(self.suffixes):
            return self.suffixes
        others: Ids = self.suffixes[self.piece[self.suffixes] != without]
        return others


def note_symbols(score: Score) -> IntArray:
    """A number for each note that is the same in every key, at every tempo and resolution, shape (notes,)."""
    order = np.lexsort((score.duration, score.pitch, score.is_drum, score.onset))
    onset, unit = score.onset[order], score.ticks_per_quarter
    drum, pitch = score.is_drum[order], score.pitch[order]
    step = nearest_steps(onset, unit, STEPS_PER_QUARTER)
    stop = nearest_steps(onset + score.duration[order], unit, STEPS_PER_QUARTER)
    told = np.where(drum, 2 * DRUM + FIRST + pitch, FIRST)
    told[~drum] = np.append(FIRST, DRUM + FIRST + np.diff(pitch[~drum]))[: int((~drum).sum())]
    gap = np.minimum(np.diff(step, prepend=step[:1]), MOST_STEPS)
    length = np.clip(stop - step, 1, MOST_STEPS)
    symbols: IntArray = (told * (MOST_STEPS + 1) + gap) * (MOST_STEPS + 1) + length
    return symbols


def token_symbols(tokens: ArrayLike, bounds: ArrayLike, pitch_of_token: ArrayLike) -> IntArray:
    """Tokens that are the same in every key: one that names a pitch becomes the interval from the one before it.

    Args:
        tokens: ids, all pieces one behind the other, shape (tokens,).
        bounds: piece i is ``tokens[bounds[i]:bounds[i + 1]]``, shape (pieces + 1,).
        pitch_of_token: the pitch that each id names, -1 for none, shape (vocabulary,), as tokenizers have it.
    """
    ids, edge, pitches = np.asarray(tokens), np.asarray(bounds, dtype=np.int64), np.asarray(pitch_of_token)
    symbols: IntArray = ids.astype(np.int64)
    at = np.flatnonzero(pitches[ids] >= 0)
    if len(at):
        owner = np.searchsorted(edge, at, side="right")
        interval = np.diff(pitches[ids[at]], prepend=0)
        first = np.append(True, owner[1:] != owner[:-1])
        symbols[at] = len(pitches) + np.where(first, 0, FIRST + interval)
    return symbols


def _numbered(row: IntArray) -> tuple[IntArray, IntArray]:
    """The different symbols, rising, and for each its number among them, from 1."""
    if row.size and row.min() >= 0 and row.max() < 2**20:  # a vocabulary: counting is quicker than sorting
        kinds = np.flatnonzero(np.bincount(row))
        number = np.zeros(int(row.max()) + 1, dtype=np.int64)
        number[kinds] = np.arange(1, len(kinds) + 1)
        return kinds, number[row]
    kinds, place = np.unique(row, return_inverse=True)
    return kinds.astype(np.int64), place.reshape(-1) + 1


@compiled
def _longest(query: Ids, ids: Ids, suffixes: Ids, piece: Ids, without: int) -> tuple[int, int, int]:
    """Length, first step in the query, and first step in the corpus of the longest run that both have."""
    best, where, found = 0, 0, 0
    for i in range(len(query)):
        if len(query) - i <= best:
            break
        low, high = 0, len(suffixes)  # all before low are less than the query from i on, none from high on is
        common_low, common_high = 0, 0
        while low < high:
            middle = (low + high) // 2
            common = min(common_low, common_high)
            step = suffixes[middle]
            while i + common < len(query) and ids[step + common] == query[i + common]:
                common += 1
            if i + common < len(query) and ids[step + common] < query[i + common]:
                low, common_low = middle + 1, common
            else:
                high, common_high = middle, common
        for side in (-1, 1):
            beside = low - 1 if side < 0 else low
            while 0 <= beside < len(suffixes) and piece[suffixes[beside]] == without:
                beside += side
            if 0 <= beside < len(suffixes):
                step, length = suffixes[beside], 0
                while i + length < len(query) and ids[step + length] == query[i + length]:
                    length += 1
                if length > best:
                    best, where, found = length, i, step
    return best, where, found
