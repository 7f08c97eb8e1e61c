"""How many bars have been heard before: far back in the piece, or in its primer?

Conventions: what is looked for are phrases of two bars, so that the order of bars counts and not only their choice. Two
phrases are equal when all their notes are (place, length and pitch); up to transposition, when they are once both are
moved to the same lowest pitch, drums staying where they are. A phrase says something when notes begin at three places
in it or more, and not the same ones at each: so a held note, a note or chord hammered on, and silence are never
heard before. A bar was heard before when it is in a phrase that was. Shares are of all bars, also of those that say
nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.music.score import IntArray, Score
from seqaudio.structure.bars import DRUM, Bars, as_bars

Flags = NDArray[np.bool_]

PHRASE_BARS = 2
FAR_BARS = 3
PLACES = 3  # at which notes must begin in a phrase that says something
NOTHING = -1
"""The id of a phrase that says nothing."""


def far_repeat_rate(piece: Score | Bars, *, transposed: bool = False, min_lag: int = FAR_BARS) -> float:
    """The share of bars that were heard ``min_lag`` or more bars before.

    Range 0 to 1, read two-sided: real folk tunes have about 0.4, a Markov chain hardly any, a loop nearly all. Null
    value: that of the piece with its bars shuffled, about 0.07; 0 for random notes. Source: ours, after the longest
    matches of frames of data compressors. Cost: one pass over the notes.

    Args:
        piece: a score, or bars.
        transposed: whether phrases that are equal up to transposition are the same.
        min_lag: how far back is far, in bars.

    Raises:
        OptionError: ``min_lag`` is below 1.
    """
    if min_lag < 1:
        raise OptionError(f"min_lag is {min_lag}; allowed: 1 or more bars")
    bars = as_bars(piece)
    ids = phrase_ids(bars, transposed=transposed)
    return _covered(heard_before(ids, min_lag), bars.count - len(ids) + 1)


def primer_recall(piece: Score | Bars, primer_bars: int, *, transposed: bool = False) -> float:
    """The share of the bars behind the primer that were heard in the primer.

    With a primer of one bar, or one bar behind it, single bars are looked for. Range 0 to 1, read two-sided: real folk
    tunes return to a third of their first eight bars, a loop of the primer has 1. Null value: that of another piece
    behind the same primer, 0 to two digits. Source: ours. Cost: one pass over the notes.

    Args:
        piece: a score that begins with the primer, or its bars.
        primer_bars: how many of its bars are the primer.
        transposed: whether phrases that are equal up to transposition are the same.

    Raises:
        OptionError: the primer has no bar.
    """
    check_primer(primer_bars)
    bars = as_bars(piece)
    behind = bars.count - primer_bars
    if behind < 1:
        return 0.0
    window = min(PHRASE_BARS, primer_bars, behind)
    ids = phrase_ids(bars, window, transposed=transposed)
    later = ids[primer_bars:]
    return _covered(np.isin(later, ids[: primer_bars - window + 1]) & (later != NOTHING), window)


def check_primer(primer_bars: int) -> None:
    """Raise OptionError for a primer without a bar."""
    if primer_bars < 1:
        raise OptionError(f"primer_bars is {primer_bars}; allowed: 1 or more bars")


def phrase_ids(piece: Score | Bars, window: int = PHRASE_BARS, *, transposed: bool = False) -> IntArray:
    """Ids of the phrases that begin at each bar: equal for equal ones, ``NOTHING`` where one says nothing.

    Args:
        piece: a score, or bars.
        window: bars to a phrase.
        transposed: whether phrases that are equal up to transposition have one id.

    Returns:
        Shape (bars - window + 1,); empty for a shorter piece.
    """
    bars = as_bars(piece)
    rows = np.column_stack([bars.bar, bars.start, bars.pitch, bars.stop])
    chords = np.column_stack([rows[:, :3], bars.begins])
    edges = np.searchsorted(bars.bar, np.arange(bars.count + 1)).tolist()
    known: dict[bytes, int] = {}
    ids = np.full(max(0, bars.count - window + 1), NOTHING)
    for bar in range(len(ids)):
        here = slice(edges[bar], edges[bar + window])
        if not _says_something(chords[here]):
            continue
        phrase = rows[here].copy()
        phrase[:, 0] -= bar
        if transposed:
            phrase[:, 2] -= np.where(phrase[:, 2] < DRUM, phrase[:, 2].min(), 0)
        ids[bar] = known.setdefault(phrase.tobytes(), len(known))
    return ids


def heard_before(ids: IntArray, min_lag: int) -> Flags:
    """For each step of a sequence of ids: did its id, if it is one, stand ``min_lag`` or more steps before?"""
    _, first, kind = np.unique(ids, return_index=True, return_inverse=True)
    heard: Flags = (np.arange(len(ids)) - first[kind.reshape(-1)] >= min_lag) & (ids != NOTHING)
    return heard


def _says_something(notes: IntArray) -> bool:
    """Whether notes (bar, start, pitch, is struck) are struck at enough places, and not the same at each."""
    chords: dict[tuple[int, int], list[int]] = {}
    for bar, start, pitch, begins in notes.tolist():
        if begins:
            chords.setdefault((bar, start), []).append(pitch)
    return len(chords) >= PLACES and len({tuple(chord) for chord in chords.values()}) > 1


def _covered(found: Flags, window: int) -> float:
    """The share of bars that lie in a phrase that was found, from the first bars of those phrases."""
    if not len(found):
        return 0.0
    change = np.zeros(len(found) + window, dtype=np.int64)
    change[:-window] += found
    change[window:] -= found
    return float((np.cumsum(change)[:-1] > 0).mean())
