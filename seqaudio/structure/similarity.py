"""How alike are the bars of a piece, and after how many bars does it come back?

Conventions: the similarity of two bars is what they share of their notes, from 0 to 1:
``|N(i) & N(j)| / |N(i) | N(j)|`` over the notes N of bars i and j, equal in place, length and pitch. A bar without
notes is like no bar, not even itself, so that silence is no return. A lag is a distance in bars; entry t - 1 of a curve
belongs to lag t.

Source: the similarity of bars and the error of its curve are those of B. Yu et al., "Museformer: Transformer with fine-
and coarse-grained attention for music generation", NeurIPS 2022.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.music.score import IntArray, Score
from seqaudio.structure.bars import Bars, as_bars

Floats = NDArray[np.float64]

MAX_LAG = 16  # bars; beyond half of a short tune the curve is the mean of a few pairs
MOST_BARS = 4096  # the matrix of so many has 128 MB
_CHUNK = 1024  # different notes that are compared at a time


def similarity_matrix(piece: Score | Bars) -> Floats:
    """The similarity of all pairs of bars, shape (bars, bars): the recurrence plot of the piece.

    Range 0 to 1, symmetric; 1 on the diagonal but for empty bars. Null: bars of a random piece share next to nothing.
    Cost: bars squared times different notes.

    Raises:
        OptionError: the piece has more than 4,096 bars; take a part of it.
    """
    bars = as_bars(piece)
    if bars.count > MOST_BARS:
        raise OptionError(f"{bars.count:,} bars; at most {MOST_BARS:,} can be compared at a time: take a part of them")
    kind = _kinds(bars)
    shared = np.zeros((bars.count, bars.count), dtype=np.float32)
    for low in range(0, int(kind.max(initial=-1)) + 1, _CHUNK):
        here = (kind >= low) & (kind < low + _CHUNK)
        holds = np.zeros((bars.count, _CHUNK), dtype=np.float32)
        holds[bars.bar[here], kind[here] - low] = 1
        shared += holds @ holds.T
    size = np.bincount(bars.bar, minlength=bars.count)
    either = size[:, None] + size[None] - shared.astype(np.float64)
    matrix: Floats = shared / np.maximum(either, 1)
    return matrix


def _kinds(bars: Bars) -> IntArray:
    """For each note the number of its kind: place, length and pitch."""
    key = (bars.start * (int(bars.stop.max(initial=0)) + 1) + bars.stop) * 256 + bars.pitch
    kind: IntArray = np.unique(key, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return kind


def similarity_curve(piece: Score | Bars | Floats, max_lag: int = MAX_LAG) -> Floats:
    """The mean similarity L_t of bars t apart for t = 1 to ``max_lag``, shape (max_lag,); NaN where no bars are.

    A piece of fewer than two bars returns to nothing: its curve is 0 throughout.

    Args:
        piece: a score, bars, or the matrix of :func:`similarity_matrix`.
        max_lag: the largest distance, in bars.

    Raises:
        OptionError: ``max_lag`` is below 1.
    """
    if max_lag < 1:
        raise OptionError(f"max_lag is {max_lag}; allowed: 1 or more bars")
    matrix = matrix_of(piece)
    if len(matrix) < 2:
        return np.zeros(max_lag)
    curve = np.full(max_lag, np.nan)
    for lag in range(1, min(max_lag, len(matrix) - 1) + 1):
        curve[lag - 1] = np.diagonal(matrix, lag).mean()
    return curve


def mean_curve(curves: Iterable[Floats]) -> Floats:
    """The mean of similarity curves, (max_lag,), over the pieces that are long enough for a lag; NaN where none is.

    Raises:
        OptionError: there is no curve, or they have different lengths.
    """
    rows = np.array(list(curves), dtype=np.float64)
    if rows.ndim != 2:
        raise OptionError("no curves of one length; give at least one, all with the same max_lag")
    there = ~np.isnan(rows)
    count = there.sum(axis=0)
    return np.where(count > 0, np.where(there, rows, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def similarity_error(curve: Floats, reference: Floats) -> float:
    """SE: the mean over lags of ``|L_t - L_t(real)|``.

    Of a set of pieces give the :func:`mean_curve` against that of real pieces; of a continuation its own curve against
    that of the real continuation. One piece's curve against the mean of many says little: real tunes differ as much
    from one another as a Markov chain does from them (docs/results/structure.md).

    Range 0 to 1, lower is nearer to real music, in either direction; loops and held notes stand too high, random ones
    too low. Null value: what two halves of the real set have between them, about 0.01 for 80 tunes.
    Source: Yu et al. 2022. Cost: that of the curves.

    Raises:
        OptionError: the curves have different lengths, or no lag in common.
    """
    if curve.shape != reference.shape:
        raise OptionError(f"curves of {len(curve)} and {len(reference)} lags; make both with one max_lag")
    apart = np.abs(curve - reference)
    if np.isnan(apart).all():
        raise OptionError("the curves have no lag in common; give pieces of two bars or more")
    return float(np.nanmean(apart))


def return_lag(piece: Score | Bars | Floats, max_lag: int = MAX_LAG) -> int:
    """The lag of the best return: after how many bars the piece is most like itself; of equal lags the shortest.

    Range 1 to ``max_lag``, and at most half the piece; 0 where nothing comes back. It has no better direction: 8 or 16
    for most folk tunes, a loop's own length for a loop. Null: any lag. Cost: that of the matrix.
    """
    curve = _half_curve(piece, max_lag)
    best = int(np.argmax(curve)) if len(curve) else 0
    return best + 1 if len(curve) and curve[best] > 0 else 0


def return_strength(piece: Score | Bars | Floats, max_lag: int = MAX_LAG) -> float:
    """How much more like itself a piece is at the lag of its best return than at lags on average.

    Range 0 to 1, read two-sided: a shuffled piece has hardly any, nor has a held note, which is alike at all lags;
    a loop has more than real music. Null: near 0. Source: ours, from the curve of Yu et al. 2022. Cost: the matrix's.
    """
    curve = _half_curve(piece, max_lag)
    return float(curve.max() - curve.mean()) if len(curve) else 0.0


def _half_curve(piece: Score | Bars | Floats, max_lag: int) -> Floats:
    """The curve up to half the piece, so that each lag is the mean of many pairs."""
    matrix = matrix_of(piece)
    return similarity_curve(matrix, max_lag)[: len(matrix) // 2]


def matrix_of(piece: Score | Bars | Floats) -> Floats:
    """The matrix of a piece, or a matrix as it is."""
    return piece if isinstance(piece, np.ndarray) else similarity_matrix(piece)
