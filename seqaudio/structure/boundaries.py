"""Where does a section of the piece begin?

Conventions: bars are numbered from 0, and a boundary is the first bar of a section; bar 0 begins one without saying so.
The sections of a tune are told by what comes back: at a boundary a passage begins, or ceases, to be like another part.
So each bar is described by its similarity to the bars at every lag before and behind it, smoothed over neighbours, and
the novelty of a bar is how far its description is from that of the bar before. Sections that always come back together
are one.

Source: J. Serrà, M. Müller, P. Grosche and J. L. Arcos, "Unsupervised music structure annotation by time series
structure features and segment similarity", IEEE Trans. Multimedia 16(5), 2014; the thought of a novelty on the
self-similarity matrix is J. Foote's, "Automatic audio segmentation using a measure of audio novelty", ICME 2000.
"""

from __future__ import annotations

import numpy as np

from seqaudio.music.score import IntArray, Score
from seqaudio.structure.bars import Bars
from seqaudio.structure.similarity import Floats, matrix_of

SMOOTHING_BARS = 1.5
SHORTEST_SECTION = 4  # bars
LEAST_NOVELTY = 0.35
_LAGS = 256  # that are looked at together, so that memory grows with the bars alone
POWER = 3  # of a change: small ones at many lags, which long pieces have by chance, must not add up to one large one


def boundaries(piece: Score | Bars | Floats) -> IntArray:
    """The bars at which sections begin, rising, without bar 0, shape (sections - 1,); empty where the piece shows none.

    They are the peaks of the novelty that rise by at least 0.35 above the least of the four bars on either side, the
    highest first, four bars or more apart and from both ends. A piece in which nothing comes back has none, the null
    value; nor has one held note. Cost: that of the matrix.

    Args:
        piece: a score, bars, or the matrix of :func:`seqaudio.structure.similarity.similarity_matrix`.
    """
    found = novelty(piece).tolist()
    chosen = [0, len(found)]
    for bar in sorted(range(1, len(found)), key=lambda bar: -found[bar]):
        before, behind = found[max(1, bar - SHORTEST_SECTION) : bar], found[bar + 1 : bar + 1 + SHORTEST_SECTION]
        valley = max(min(before, default=0.0), min(behind, default=0.0))
        if found[bar] - valley >= LEAST_NOVELTY and all(abs(bar - other) >= SHORTEST_SECTION for other in chosen):
            chosen.append(bar)
    return np.array(sorted(chosen)[1:-1], dtype=np.int64)


def novelty(piece: Score | Bars | Floats, smoothing_bars: float = SMOOTHING_BARS) -> Floats:
    """How new the relations of each bar to the rest are, shape (bars,); 0 for bar 0.

    From 0 up: 1 where one passage begins, or ceases, to be the same as another, 2 where two such things meet. Null: a
    piece whose bars are all alike, or all unlike, has 0 throughout. Cost: bars squared.

    Args:
        piece: a score, bars, or the matrix of :func:`seqaudio.structure.similarity.similarity_matrix`.
        smoothing_bars: standard deviation of the Gaussian over neighbouring bars.
    """
    matrix = matrix_of(piece)
    count, kernel = len(matrix), _gaussian(smoothing_bars)
    found = np.zeros(count)
    for first in range(1 - count, count, _LAGS):
        lags = _lags(matrix, np.arange(first, min(first + _LAGS, count)))
        # a step from 0 to 1 changes by the middle of the kernel, at most, from one bar to the next
        change = np.diff(_smoothed(lags, kernel), axis=0) / kernel.max()
        found[1:] += (np.abs(change) ** POWER).sum(axis=1)
    return found


def _lags(matrix: Floats, lags: IntArray) -> Floats:
    """The similarity of each bar to the one at each of these lags, 0 where none is or at lag 0: (bars, lags)."""
    bar = np.arange(len(matrix))[:, None]
    other = bar + lags
    there = (other >= 0) & (other < len(matrix)) & (lags != 0)
    return np.where(there, matrix[bar, np.where(there, other, 0)], 0.0)


def _gaussian(width: float) -> Floats:
    reach = max(1, round(3 * width))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    kernel: Floats = weights / weights.sum()
    return kernel


def _smoothed(rows: Floats, kernel: Floats) -> Floats:
    """Rows smoothed along the first axis; what is beyond the ends is as at the ends."""
    reach = len(kernel) // 2
    padded = np.pad(rows, ((reach, reach), (0, 0)), mode="edge") if len(rows) else rows
    smooth = np.zeros(rows.shape)
    for place, weight in enumerate(kernel.tolist()):
        smooth += weight * padded[place : place + len(rows)]
    return smooth
