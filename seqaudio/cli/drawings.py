"""What do the pages of several commands draw alike? So many pieces and notes, and the likeness of the bars shown."""

from __future__ import annotations

from seqaudio.music.score import Score
from seqaudio.report.page import Matrix, Roll
from seqaudio.report.retention import MEASURED_BARS
from seqaudio.structure import Bars, similarity_matrix

SHOWN_PIECES = 8  # of more the first
SHOWN_NOTES = 40_000  # of all pieces together: the page stays under 3 MB


def shown_bars_alike(title: str, bars: Bars, roll: Roll) -> Matrix:
    """How alike the bars are that a roll shows; the title says which where they are not all up to the end."""
    start = roll.first_bar - 1
    end = min(start + roll.bars, start + MEASURED_BARS)
    if end < len(bars):
        title += f", bars {start + 1} to {end}"
    return Matrix(title, similarity_matrix(bars.part(start, end)), roll.first_bar, roll.new_from_bar)


def bars_alike(title: str, score: Score, count: int = MEASURED_BARS) -> Matrix:
    """How alike the first so many bars of a piece are that is shown beside another; the title says if more follow."""
    bars = beginning(score, min(count, MEASURED_BARS))
    if len(bars) < len(Bars.of_score(score)):
        title += f", bars 1 to {len(bars)}"
    return Matrix(title, similarity_matrix(bars))


def beginning(score: Score, count: int = MEASURED_BARS) -> Bars:
    """The first so many bars."""
    bars = Bars.of_score(score)
    return bars.part(0, min(len(bars), count))
