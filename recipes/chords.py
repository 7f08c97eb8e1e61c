"""How many beats of a piece are chords? What sounds there is a triad or a seventh chord, or a part of one.

Measures of structure do not hear harmony: a model at too high a temperature keeps its form and loses its key.
"""

from __future__ import annotations

import numpy as np

from seqaudio.music.score import Score

TYPES = (
    *((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8)),  # major, minor, diminished, augmented
    *((0, 4, 7, 10), (0, 4, 7, 11), (0, 3, 7, 10), (0, 3, 6, 10), (0, 3, 6, 9)),  # sevenths
)
CHORDS = np.array([sum(1 << (root + step) % 12 for step in steps) for steps in TYPES for root in range(12)])


def chord_rate(score: Score) -> float:
    """Of the quarter beats at which pitches sound, the share at which they are a chord; without drums.

    Range 0 to 1, higher is more consonant; NaN where nothing sounds on a beat. Silence and one pitch class in all
    voices say nothing of harmony: the former is left out, the latter is a part of a chord.
    """
    pitched = score.notes(~score.is_drum)
    rates = []
    for tick in range(0, score.end, score.ticks_per_quarter):
        sounding = (pitched.onset <= tick) & (pitched.onset + pitched.duration > tick)
        if sounding.any():
            classes = int(np.bitwise_or.reduce(1 << (pitched.pitch[sounding] % 12)))
            rates.append(bool((classes & ~CHORDS == 0).any()))
    return float(np.mean(rates)) if rates else float("nan")
