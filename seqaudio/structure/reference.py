"""What is usual in real music of the same length? A set of real pieces to read others beside.

Conventions: a longer piece has more time to repeat itself, so a piece of n bars is read beside the first n bars of real
pieces that have so many, with the same primer. At most a hundred of them are measured, evenly spread; where fewer than
twenty are long enough, all pieces count, as long as they are. Runs are looked for in all pieces, whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from seqaudio.errors import OptionError
from seqaudio.music.score import Score
from seqaudio.structure.bars import Bars, first_bars
from seqaudio.structure.copying import NOWHERE, RunIndex, SharedRun
from seqaudio.structure.evaluation import evaluate
from seqaudio.structure.real_range import RealRange, real_ranges
from seqaudio.structure.similarity import MOST_BARS, Floats, mean_curve, similarity_curve, similarity_error

MOST_PIECES = 100
LEAST_PIECES = 20
SHARED_RUN = "longest_shared_run"
"""The name of the longest run shared with the reference, in notes, beside the measures of ``evaluate``."""


class Reference:
    """Real pieces, and the ranges of their measures."""

    def __init__(self, scores: Sequence[Score], names: Sequence[str] = (), primer_bars: int | None = None) -> None:
        """Take the pieces; they are measured when they are asked for.

        Args:
            scores: the real pieces.
            names: what they are called; their numbers, if nothing is said.
            primer_bars: how many first bars of each are the primer; None where none is.

        Raises:
            OptionError: there is no piece with notes.
        """
        self.scores = list(scores)
        self.names = list(names) or [str(number) for number in range(len(self.scores))]
        self.primer_bars = primer_bars
        self._counts = np.array([len(score) and len(Bars.of_score(score)) for score in self.scores], dtype=np.int64)
        self._ranges: dict[tuple[int, ...], dict[str, RealRange]] = {}
        if not self._counts.any():
            raise OptionError("no real piece has notes; give a folder of music")

    @cached_property
    def index(self) -> RunIndex:
        """All pieces, for runs."""
        return RunIndex.of_scores(self.scores)

    def like(self, bars: int) -> list[int]:
        """The numbers of the pieces that one of so many bars is read beside."""
        long = np.flatnonzero(self._counts >= min(max(bars, 1), MOST_BARS))
        if len(long) < LEAST_PIECES:
            long = np.flatnonzero(self._counts)
        spread = np.linspace(0, len(long) - 1, min(len(long), MOST_PIECES))
        return [int(long[place]) for place in np.rint(spread).astype(np.int64).tolist()]

    def ranges(self, bars: int) -> dict[str, RealRange]:
        """The range of each measure, and of the longest shared run, for pieces of so many bars."""
        numbers = self.like(bars)
        length = min(max(bars, 1), int(self._counts[numbers].max()))
        key = (length, *numbers[:1])
        if key not in self._ranges:
            self._ranges[key] = real_ranges(
                evaluate(self.scores[i], self.primer_bars, bars=length)
                | {SHARED_RUN: float(self.shared_run(first_bars(self.scores[i], length), without=i).length)}
                for i in numbers
            )
        return self._ranges[key]

    def shared_run(self, score: Score, *, without: int = NOWHERE) -> SharedRun:
        """The longest run that what is behind the primer of a piece shares with a real piece.

        Args:
            score: a piece.
            without: the number of a real piece that does not count.
        """
        return self.index.longest_run(behind_primer(score, self.primer_bars or 0), without=without)

    def curve_error(self, curves: Sequence[Floats]) -> tuple[float, float]:
        """The similarity-curve error of a set of pieces, and its null value, that of half of the real set.

        Args:
            curves: a similarity curve of each piece, of the usual number of lags.
        """
        real = [similarity_curve(Bars.of_score(self.scores[i]).part(0, MOST_BARS)) for i in self.like(1)]
        halves = [mean_curve(real[side::2] or real) for side in (0, 1)]
        return similarity_error(mean_curve(curves), mean_curve(real)), similarity_error(*halves)


def behind_primer(score: Score, primer_bars: int) -> Score:
    """The notes that begin behind the first bars of a piece."""
    lines = first_bars(score, MOST_BARS).bars()
    return score.notes(score.onset >= lines[min(primer_bars, len(lines) - 1)])
