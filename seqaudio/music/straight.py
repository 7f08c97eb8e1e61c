"""Do notes begin and end where scores put them, on sixteenths and triplets, or between, as people play them?

Conventions: positions are counted from bar lines, in twelfths of a quarter, the nearest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqaudio.music.score import IntArray, Score
from seqaudio.music.steps import nearest_steps

TWELFTHS = 12
IS_BETWEEN = ~np.isin(np.arange(TWELFTHS), (0, 3, 4, 6, 8, 9))
"""Which twelfths of a quarter are neither a sixteenth nor a triplet, (12,)."""
FINEST = 24  # exactly on such a part of a quarter a note was written, as an ornament is, and not played
DETACHED = 5  # a played note that leaves such a part of the way to the next one open, or less, was to last until there


def share_between(score: Score) -> float:
    """The share of the times at which notes begin that lie between sixteenths and triplets; 0 without notes.

    Their nearest twelfth is neither, and they are on no 24th to the tick, as 32nds and ornaments in scores are.
    """
    if not len(score):
        return 0.0
    return float(_is_between(score, np.unique(score.onset)).mean())


def share_ended_between(score: Score) -> float:
    """The share of the notes that end so; 0 without notes."""
    return float(_is_between(score, score.onset + score.duration).mean()) if len(score) else 0.0


def _is_between(score: Score, ticks: IntArray) -> NDArray[np.bool_]:
    inside, _ = _from_bar_lines(score, ticks)
    tpq = score.ticks_per_quarter
    between: NDArray[np.bool_] = IS_BETWEEN[nearest_steps(inside, tpq, TWELFTHS) % TWELFTHS]
    between &= inside * FINEST % tpq != 0
    return between


def straightened(score: Score, heard: NDArray[np.bool_] | None = None) -> Score:
    """The score with every note begun and ended on a sixteenth or a triplet; pedals stay.

    In each quarter all notes begin on sixteenths, or, where those lie nearer to what was played, on triplets; a note
    ends on the grid of the quarter that it begins in and lasts a step at least. One that ended between, and leaves a
    fifth of the way to the next note of its track or to the bar line open, or less, and less than a quarter, lasts
    until there: it was played so, and hardly a score writes such a rest. Quarters are counted from bar lines.

    Args:
        score: as it was played.
        heard: the notes that say which grid is nearer, (notes,); None: all.
    """
    tpq = score.ticks_per_quarter
    inside, line = _from_bar_lines(score, score.onset)
    _, quarter = np.unique(np.column_stack([line, inside // tpq]), axis=0, return_inverse=True)
    quarter, counts = quarter.reshape(-1), np.ones(len(score)) if heard is None else heard
    misses = [np.bincount(quarter, weights=counts * _miss(inside, tpq, steps)) for steps in (4, 3)]
    steps = np.where(misses[1] < misses[0], 3, 4)[quarter]
    onset = line + _nearest(inside, tpq, steps)
    end = np.maximum(
        line + _nearest(inside + score.duration, tpq, steps), line + _nearest(inside, tpq, steps, further=1)
    )
    return score.replaced(onset=onset, duration=_joined(score, onset, end) - onset)


def _joined(score: Score, onset: IntArray, end: IntArray) -> IntArray:
    """The ends of notes, those that were only detached put where the next note, or the next bar, begins."""
    lines, joined, between = score.bars(), end.copy(), _is_between(score, score.onset + score.duration)
    for track in np.unique(score.track):
        mine = np.flatnonzero((score.track == track) & between)
        stops = np.union1d(lines, onset[score.track == track])
        place = np.searchsorted(stops, end[mine])
        mine, stop = mine[place < len(stops)], stops[place[place < len(stops)]]
        whole = stop - onset[mine]
        rest = whole - score.duration[mine]
        near = (DETACHED * rest <= whole) & (rest < score.ticks_per_quarter)
        joined[mine[near]] = stop[near]
    return joined


def _from_bar_lines(score: Score, ticks: IntArray) -> tuple[IntArray, IntArray]:
    """Times counted from the bar lines before them, and these bar lines."""
    lines = score.bars()
    before = lines[np.maximum(np.searchsorted(lines, ticks, side="right") - 1, 0)]
    return ticks - before, before


def _nearest(ticks: IntArray, tpq: int, steps: IntArray | int, further: int = 0) -> IntArray:
    """The ticks of the nearest step of a quarter, or of one so much further."""
    step = (2 * steps * ticks + tpq) // (2 * tpq) + further
    return (2 * step * tpq + steps) // (2 * steps)


def _miss(ticks: IntArray, tpq: int, steps: int) -> NDArray[np.float64]:
    """How far times are from the nearest step, in quarters, squared."""
    return ((ticks - _nearest(ticks, tpq, steps)) / tpq) ** 2
