"""What is written in each bar? The one form of a piece that the measures on bars read.

Conventions: a note that sounds over a bar line is cut there, as notation ties it, so a held note is in every bar that
it sounds in. Places are steps from the bar line, 12 to the quarter, halves up; what begins less than half a step
before a bar line belongs to the bar behind it. Drums are pitches 128 to 255. Two notes are equal when bar place,
length and pitch are; of equal notes in one bar one counts, whatever their tracks and velocities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.music.frames import Frames, runs_of_frames
from seqaudio.music.metre import with_gathered_beats
from seqaudio.music.score import IntArray, Score
from seqaudio.music.steps import nearest_steps

Flags = NDArray[np.bool_]

STEPS_PER_QUARTER = 12
DRUM = 128  # added to the pitch of a drum
MOST_TIED = 4_000_000  # notes after cutting at bar lines: 200 MB


@dataclass(frozen=True, eq=False)
class Bars:
    """The notes of a piece by bars; columns have shape (notes,) and are sorted by (bar, start, pitch, stop).

    Attributes:
        count: how many bars.
        bar: which of them a note is in, from 0.
        start: first step of a note in its bar.
        stop: the step behind its last, at least ``start + 1``.
        pitch: 0..127, of drums 128..255; key numbers where the bars were made from frames.
        begins: bool, whether it is struck there, and not tied over from the bar before.
        length: of each bar, in steps, shape (count,).
    """

    count: int
    bar: IntArray
    start: IntArray
    stop: IntArray
    pitch: IntArray
    begins: Flags
    length: IntArray

    def __len__(self) -> int:
        """Number of bars."""
        return self.count

    @classmethod
    def of_score(cls, score: Score) -> Bars:
        """The bars of a score under its own metre; a metre of single beats is gathered, as ``continue`` does.

        Raises:
            OptionError: cut at bar lines the notes would be more than four million.
        """
        score = with_gathered_beats(score)
        lines, unit = score.bars(), score.ticks_per_quarter
        length = np.maximum(nearest_steps(np.diff(lines), unit, STEPS_PER_QUARTER), 1)
        first, start = _places(score.onset, lines, unit)
        last, stop = _places(score.onset + score.duration - 1, lines, unit, score.onset + score.duration)
        early = (start >= length[first]) & (first + 1 < len(length))
        first, start = first + early, np.where(early, 0, start)
        pitch = np.where(score.is_drum, DRUM + score.pitch, score.pitch)
        return cls._cut(first, start, last, stop, pitch, length)

    @classmethod
    def of_frames(cls, frames: Frames, steps_per_bar: int) -> Bars:
        """The bars of a roll (steps, keys), each of so many steps; the last may be shorter.

        Raises:
            OptionError: ``steps_per_bar`` is below 1, or cut at bar lines the notes would be more than four million.
        """
        if steps_per_bar < 1:
            raise OptionError(f"steps_per_bar is {steps_per_bar}; allowed: 1 or more steps to a bar")
        key, begin, end = runs_of_frames(np.asarray(frames, dtype=bool))
        length = np.full(-(-len(frames) // steps_per_bar), steps_per_bar, dtype=np.int64)
        first, last = begin // steps_per_bar, (end - 1) // steps_per_bar
        return cls._cut(first, begin - first * steps_per_bar, last, end - last * steps_per_bar, key, length)

    @classmethod
    def _cut(
        cls, first: IntArray, start: IntArray, last: IntArray, stop: IntArray, pitch: IntArray, length: IntArray
    ) -> Bars:
        """Bars from the first and last bar of each note and its places in them."""
        back = (stop == 0) & (last > first)  # it ends, rounded, on the bar line before
        last = np.maximum(last - back, first)
        stop = np.where(back, length[last], stop) if len(length) else stop
        stop = np.maximum(stop, np.where(last == first, start + 1, 1))
        pieces = last - first + 1
        if pieces.sum() > MOST_TIED:
            raise OptionError(f"{pieces.sum():,} notes when tied over bar lines; at most {MOST_TIED:,} can be measured")
        note = np.repeat(np.arange(len(first)), pieces)
        bar = first[note] + np.arange(len(note)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        tied = bar != first[note]
        begin = np.where(tied, 0, start[note])
        end = np.where(bar == last[note], stop[note], length[bar]) if len(length) else stop
        rows = np.column_stack([bar, begin, pitch[note], end, tied])
        rows = rows[np.lexsort(rows.T[::-1])]
        new = np.append(True, (rows[1:, :4] != rows[:-1, :4]).any(axis=1))[: len(rows)]
        bar, begin, pitch, end, tied = np.ascontiguousarray(rows[new].T)
        return cls(len(length), bar, begin, end, pitch, tied == 0, length)

    def part(self, begin: int, end: int) -> Bars:
        """Bars ``begin`` to ``end - 1`` by themselves."""
        keep = slice(*np.searchsorted(self.bar, [begin, end]).tolist())
        columns = (self.bar[keep] - begin, self.start[keep], self.stop[keep], self.pitch[keep], self.begins[keep])
        length = self.length[begin:end]
        return Bars(len(length), *columns, length)


def first_bars(score: Score, count: int) -> Score:
    """The first ``count`` bars of a score by themselves: notes that begin there, cut at the last bar line.

    As in :meth:`Bars.of_score` a metre of single beats is gathered. A shorter score stays as it is.
    """
    gathered = with_gathered_beats(score)
    lines = gathered.bars()
    if count >= len(lines) - 1:
        return gathered
    here = gathered.notes(gathered.onset < lines[count])
    return here.replaced(duration=np.minimum(here.duration, lines[count] - here.onset))


def as_bars(piece: Score | Bars) -> Bars:
    """A piece by bars: those of a score, or bars as they are."""
    return piece if isinstance(piece, Bars) else Bars.of_score(piece)


def _places(ticks: IntArray, lines: IntArray, unit: int, places: IntArray | None = None) -> tuple[IntArray, IntArray]:
    """The bars that ticks lie in, and the steps from their bar lines to ``places`` (to the ticks, without them)."""
    bar = np.searchsorted(lines, ticks, side="right") - 1
    return bar, nearest_steps((ticks if places is None else places) - lines[bar], unit, STEPS_PER_QUARTER)
