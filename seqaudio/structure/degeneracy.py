"""Has the music got stuck? A note hammered or held on, a bar or two going round, silence, or no notes at all.

Conventions: bars as in ``Score.bars``; two bars are equal when their notes have the same onsets in the bar, durations
and pitches. Each figure is a plain count, and fewer than one in a hundred of the 3,189 tunes of O'Neill's and Aird's
collections goes beyond a limit.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from seqaudio.music.score import IntArray, Score

STUCK_NOTES = 8  # onsets of one pitch in a row
LOOP_BARS = (1, 2, 4)  # lengths of cells looked for
LOOP_TURNS = 3  # times a cell of one, two or four bars sounds in a row
SILENT_BARS = 2  # bars in a row
HELD_BARS = 3  # bars in a row


@dataclass(frozen=True)
class Degeneracy:
    """How stuck a piece is.

    Attributes:
        longest_stuck: onsets of one pitch in a row, at most; 1 is no repetition, 0 no notes.
        longest_loop: turns in a row of a cell of one, two or four bars, at most; 1 is no repetition.
        loop_bars: length of that cell.
        longest_silence: bars in a row in which nothing sounds, at most.
        longest_held: bars in a row in which something sounds and nothing begins, at most.
        noteless: whether there is no note at all.
    """

    longest_stuck: int
    longest_loop: int
    loop_bars: int
    longest_silence: int
    longest_held: int
    noteless: bool

    def warnings(self) -> list[str]:
        """What is beyond the limits, in words; empty for most real music."""
        found = ["noteless: no notes at all"] if self.noteless else []
        if self.longest_stuck > STUCK_NOTES:
            found.append(f"stuck: one pitch {self.longest_stuck} times in a row")
        if self.longest_loop > LOOP_TURNS:
            cell = "1 bar" if self.loop_bars == 1 else f"{self.loop_bars} bars"
            found.append(f"loop: {cell} {self.longest_loop} times in a row")
        if self.longest_held > HELD_BARS:
            found.append(f"held: nothing begins for {self.longest_held} bars while notes sound on")
        if self.longest_silence > SILENT_BARS:
            found.append(f"silence: {self.longest_silence} bars in a row")
        return found


def degeneracy(score: Score, bars: int | None = None) -> Degeneracy:
    """Measure a score, or its first ``bars`` bars; bars beyond its last note are silent."""
    lines = score.bars()
    count = len(lines) - 1 if bars is None else bars
    cells = _cells(score, lines)[:count] + [b""] * max(0, count - len(lines) + 1)
    turns, loop_bars = max((_turns(cells, p), -p) for p in LOOP_BARS)
    pitch = np.where(score.is_drum, 128 + score.pitch, score.pitch)
    order = np.lexsort((pitch, score.track, score.onset))  # of a score it may leave drums and others in any order
    pitch = pitch[order][score.onset < lines[min(count, len(lines) - 1)]]
    stuck = 1 + _longest_run((np.diff(pitch) == 0).tolist()) if len(pitch) else 0
    silent = _silent(score, lines, count)
    held = [not cell and not quiet for cell, quiet in zip(cells, silent, strict=True)]
    return Degeneracy(stuck, turns, -loop_bars, _longest_run(silent), _longest_run(held), not len(pitch))


def _turns(cells: list[bytes], period: int) -> int:
    """Turns in a row of a cell of ``period`` bars that holds a note; 1 is no repetition."""
    same = [a == b != b"" for a, b in zip(cells, cells[period:], strict=False)]
    return 1 + _longest_run(same) // period


def _cells(score: Score, lines: IntArray) -> list[bytes]:
    """What is written in each bar, as comparable bytes."""
    bar = np.searchsorted(lines, score.onset, side="right") - 1
    rows = np.column_stack([score.onset - lines[bar], score.duration, score.pitch, score.is_drum])
    rows = rows[np.lexsort((*rows.T[::-1], bar))]
    edges = np.searchsorted(bar, np.arange(len(lines)))
    return [rows[start:stop].tobytes() for start, stop in itertools.pairwise(edges)]


def _silent(score: Score, lines: IntArray, count: int) -> list[bool]:
    """For each bar: does nothing sound in it?"""
    change = np.zeros(max(count, len(lines)) + 1, dtype=np.int64)
    first = np.searchsorted(lines, score.onset, side="right") - 1
    last = np.searchsorted(lines, score.onset + score.duration - 1, side="right") - 1
    np.add.at(change, first, 1)
    np.add.at(change, last + 1, -1)
    return [sounding == 0 for sounding in np.cumsum(change)[:count].tolist()]


def _longest_run(flags: list[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest
