"""How much of a piece follows from what came before in it, beyond the mere choice of its notes?

Conventions: a piece is a sequence of symbols: of a score its chords in order, each the pitches that begin together and
the steps since the chord before (12 to the quarter); of a roll its frames. The sequence is parsed into phrases from
left to right, each the longest that stood before (overlapping itself, if need be) and one symbol more.

Source: A. Lempel and J. Ziv, "On the complexity of finite sequences", IEEE Trans. Information Theory 22(1), 1976. Sizes
of zlib's output, which are often taken in its place, change with its version and reward a held note.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from seqaudio.errors import OptionError
from seqaudio.music.score import IntArray, Score
from seqaudio.structure.bars import Bars, as_bars

SHUFFLES = 8
MOST_SYMBOLS = 8192  # the search for a phrase walks over all that stood before


def lz_gain(piece: Score | Bars, *, shuffles: int = SHUFFLES, seed: int = 0) -> float:
    """LZ gain: 1 - phrases of the piece / mean phrases of the piece with its chords shuffled.

    Range -1 to 1, read two-sided: real folk tunes have about 0.45, a loop more, a Markov chain 0.1. Null value 0, and
    around it by chance for random notes. Of a longer piece the first 8,192 chords count. Source: Lempel and Ziv
    1976; the shuffles are ours. Cost: chords squared at worst.

    Args:
        piece: a score, or bars.
        shuffles: how many; the mean of eight is within 0.01.
        seed: of the shuffles.

    Raises:
        OptionError: there is no shuffle.
    """
    return lz_gain_of(chord_ids(as_bars(piece)), shuffles=shuffles, seed=seed)


def lz_gain_of(ids: ArrayLike, *, shuffles: int = SHUFFLES, seed: int = 0) -> float:
    """As :func:`lz_gain`, of any sequence of integer ids, shape (steps,); 0 for fewer than two.

    Raises:
        OptionError: there is no shuffle.
    """
    if shuffles < 1:
        raise OptionError(f"shuffles is {shuffles}; allowed: 1 or more")
    sequence = np.asarray(ids).reshape(-1)[:MOST_SYMBOLS]
    if len(sequence) < 2:
        return 0.0
    generator = np.random.default_rng(seed)
    by_chance = [phrases(generator.permutation(sequence)) for _ in range(shuffles)]
    return float(1 - phrases(sequence) / np.mean(by_chance))


def chord_ids(bars: Bars) -> IntArray:
    """The chords of a piece as ids, in order of their first appearance, shape (chords,)."""
    line = np.append(0, np.cumsum(bars.length))
    chords: dict[int, list[int]] = {}
    times = line[bars.bar[bars.begins]] + bars.start[bars.begins]
    for time, pitch in zip(times.tolist(), bars.pitch[bars.begins].tolist(), strict=True):
        chords.setdefault(time, []).append(pitch)
    known: dict[tuple[int, ...], int] = {}
    gaps = np.diff(list(chords)).tolist()
    gaps = gaps[:1] + gaps if gaps else [0] * len(chords)  # the first chord must not be one of its own kind for this
    return np.array(
        [known.setdefault((gap, *chord), len(known)) for gap, chord in zip(gaps, chords.values(), strict=True)],
        dtype=np.int64,
    )


def phrases(ids: IntArray) -> int:
    """The number of phrases that a sequence of integer ids is parsed into."""
    text = "".join(map(chr, np.unique(ids, return_inverse=True)[1].reshape(-1).tolist()))
    count, begin = 0, 0
    while begin < len(text):
        length, place = 1, 0
        while begin + length <= len(text):
            # a longer match is at no earlier place than a shorter one
            place = text.find(text[begin : begin + length], place, begin + length - 1)
            if place < 0:
                break
            length += 1
        count, begin = count + 1, begin + length
    return count
