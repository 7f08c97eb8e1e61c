"""Which notes of a piece does a page show, and when do they sound?

Times are seconds under the piece's own tempos. A page is bounded: of a long primer the last bars are shown, of very
many new notes the first, and the roll says so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqaudio.music.score import IntArray, Score
from seqaudio.music.steps import nearest_steps
from seqaudio.report.page.content import BEFORE, BESIDE, NEW, Roll

SHOWN_BARS_BEFORE = 256  # as many as a model hears of a primer
SHOWN_BARS = 10_000
SHOWN_NOTES = 40_000
GRID = 12  # steps per quarter: notes of a melody stand there, the piece's own a hair beside


def roll_of(
    score: Score, new_from: int | None = None, voice: Score | None = None, most_notes: int = SHOWN_NOTES
) -> Roll:
    """The notes of a score as a page shows them.

    Args:
        score: the piece, its continuation included.
        new_from: tick, a bar line, at which the continuation begins; None where nothing is one.
        voice: the notes before it that the model heard, at the score's place; None if it heard all.
        most_notes: that may be shown; the earliest before the continuation are left out first, then the last.
    """
    lines = _lines(score, new_from)
    cut = 0 if new_from is None else int(np.searchsorted(lines, new_from))
    first, last = _bars_that_fit(np.searchsorted(score.onset, lines), cut, most_notes)
    inside = (score.onset >= lines[first]) & (score.onset < lines[last])
    shown = score.notes(inside & (np.cumsum(inside) <= most_notes))
    kind = np.full(len(shown), BEFORE)
    if voice is not None:
        kind[~_heard(shown, score.ticks_per_quarter, voice)] = BESIDE
    if new_from is not None:
        kind[shown.onset >= new_from] = NEW
    origin_s = float(score.seconds(lines[first]))
    onset_s = score.seconds(shown.onset)
    return Roll(
        onset_s=onset_s - origin_s,
        duration_s=score.seconds(shown.onset + shown.duration) - onset_s,
        pitch=shown.pitch,
        velocity=shown.velocity,
        program=shown.program,
        is_drum=shown.is_drum,
        kind=kind,
        bar_lines_s=score.seconds(lines[first : last + 1]) - origin_s,
        first_bar=first + 1,
        new_from_bar=None if new_from is None else cut - first,
        left_out=_left_out(first, last, len(lines) - 1, int(inside.sum()) - len(shown)),
    )


def _lines(score: Score, new_from: int | None) -> IntArray:
    """The bar lines; those of a primer that ends in silence go on to the cut."""
    lines = score.bars()
    return lines if new_from is None or new_from in lines else np.unique(np.append(lines, new_from))


def _bars_that_fit(notes_before: IntArray, cut: int, most_notes: int) -> tuple[int, int]:
    """The first bar shown and the one behind the last, given how many notes stand before each bar line."""
    bars = len(notes_before) - 1
    last = int(np.searchsorted(notes_before, notes_before[cut] + most_notes, side="right")) - 1
    last = min(max(last, cut + 1), bars, cut + SHOWN_BARS)
    first = int(np.searchsorted(notes_before, notes_before[last] - most_notes))
    return max(min(max(first, cut - SHOWN_BARS_BEFORE), cut, bars - 1), 0), last


def _heard(notes: Score, ticks_per_quarter: int, voice: Score) -> NDArray[np.bool_]:
    """Which notes are those of the voice, to the nearest step of the grid."""

    def keys(score: Score, unit: int) -> IntArray:
        return nearest_steps(score.onset, unit, GRID) * 256 + score.pitch + 128 * score.is_drum

    return np.isin(keys(notes, ticks_per_quarter), keys(voice, voice.ticks_per_quarter))


def _left_out(first: int, last: int, bars: int, notes: int) -> str:
    parts = [f"bars 1 to {first}"] if first else []
    parts += [f"bars {last + 1} to {bars}"] if last < bars else []
    parts += [f"{notes} notes of the bars shown"] if notes else []
    return f"left out, for the page to stay small: {' and '.join(parts)}" if parts else ""
