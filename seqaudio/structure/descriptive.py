"""What is a piece made of, whatever its order: which pitches, chords and rhythms?

These are MusPy's measures under MusPy's names, NaN (as there) where one is undefined. They describe; they do not see
structure, and none of them tells music from its bars shuffled (docs/results/structure.md). Where MusPy 0.5.0 does
otherwise than it says, they do as it says:

- ``pitch_range`` of drums alone is 0 (there -127).
- ``polyphony_rate`` counts from ``threshold`` pitches on (there from one more).
- ``empty_beat_rate``, ``empty_measure_rate``: a note that ends on a beat or bar line does not fill what begins there,
  and a piece has no further beat or bar behind its last.
- ``groove_consistency`` is 1 for bars of one rhythm, and 0 for a bar of notes against silence (there 0.97 and more for
  both, salu133445/muspy#73): onsets are compared where either bar has one, not at every tick, and no bar is added.
- ``drum_in_pattern_rate``: drums are put on the grid first (there a hit that is a tick late is out of the pattern).
- Bars may have any metre, and it may change; a score may be empty, of one note, or without a track.

Conventions: drums count only where it is said. A beat is a quarter note. Time is exact to the tick, rhythms to 12 steps
a quarter. Ranges: rates and consistencies 0 to 1; entropies in bits, up to 7 (pitches) and log2(12) (pitch classes).
They have no better direction: read them two-sided, against real pieces. Null values are the real pieces' own. Source:
H.-W. Dong et al., "MusPy: A toolkit for symbolic music generation", ISMIR 2020. Cost: notes times their logarithm.
"""

from __future__ import annotations

from itertools import pairwise
from math import nan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.music.score import IntArray, Score
from seqaudio.music.spans import merged_spans
from seqaudio.music.steps import nearest_steps
from seqaudio.structure.bars import STEPS_PER_QUARTER, Bars

Mode = Literal["major", "minor"]
Meter = Literal["duple", "triple"]

SCALES: dict[Mode, tuple[int, ...]] = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
PATTERNS: dict[Meter, int] = {"duple": 3, "triple": 4}  # steps between the hits of a pattern: sixteenths, triplets


def pitch_range(score: Score) -> int:
    """Highest minus lowest pitch, without drums, in semitones; 0 without notes. Range 0 to 127."""
    pitch = _pitched(score)
    return int(pitch.max() - pitch.min()) if len(pitch) else 0


def n_pitches_used(score: Score) -> int:
    """How many different pitches, without drums. Range 0 to 128."""
    return len(np.unique(_pitched(score)))


def n_pitch_classes_used(score: Score) -> int:
    """How many different pitch classes, without drums. Range 0 to 12."""
    return len(np.unique(_pitched(score) % 12))


def polyphony(score: Score) -> float:
    """Pitches that sound together, on average while any does, without drums. From 1 to 128; NaN without notes."""
    length, sounding = _sounding(score)
    time = length[sounding > 0].sum()
    return float(length @ sounding / time) if time else nan


def polyphony_rate(score: Score, threshold: int = 2) -> float:
    """The share of the time, up to the end, in which ``threshold`` pitches or more sound, without drums.

    Range 0 to 1; NaN for a score without notes.
    """
    length, sounding = _sounding(score)
    return float(length[sounding >= threshold].sum() / score.end) if score.end else nan


def pitch_in_scale_rate(score: Score, root: int, mode: Mode) -> float:
    """The share of notes that are in a scale, without drums. Range 0 to 1; NaN without notes.

    Args:
        score: the piece.
        root: pitch class of the scale's root, 0 is C.
        mode: "major", or "minor" for the natural minor.

    Raises:
        OptionError: the mode is another.
    """
    if mode not in SCALES:
        raise OptionError(f"mode is {mode!r}; allowed: 'major' or 'minor'")
    pitch = _pitched(score)
    return float(np.isin((pitch - root) % 12, SCALES[mode]).mean()) if len(pitch) else nan


def scale_consistency(score: Score) -> float:
    """The largest ``pitch_in_scale_rate`` of all keys; a minor one is a major one. Range 0 to 1; NaN without notes."""
    return max(pitch_in_scale_rate(score, root, "major") for root in range(12))


def pitch_entropy(score: Score) -> float:
    """Entropy of the pitches, in bits, without drums. Range 0 to 7; NaN without notes."""
    return _entropy(np.bincount(_pitched(score), minlength=128))


def pitch_class_entropy(score: Score) -> float:
    """Entropy of the pitch classes, in bits, without drums. Range 0 to log2(12), about 3.58; NaN without notes."""
    return _entropy(np.bincount(_pitched(score) % 12, minlength=12))


def empty_beat_rate(score: Score) -> float:
    """The share of beats, up to the end, in which nothing sounds, drums included. Range 0 to 1; NaN without notes."""
    beats = -(-score.end // score.ticks_per_quarter)
    return _empty_rate(score, np.arange(beats + 1, dtype=np.int64) * score.ticks_per_quarter)


def empty_measure_rate(score: Score) -> float:
    """The share of bars in which nothing sounds, drums included. Range 0 to 1; NaN for a score without notes."""
    return _empty_rate(score, score.bars())


def groove_consistency(score: Score) -> float:
    """How alike the rhythms of neighbouring bars are: of the places at which either has an onset, those of both.

    The mean over all neighbours that have an onset. Drums included; a note that is held over a bar line is no onset.
    Range 0 to 1; NaN for fewer than two bars, or without onsets.
    """
    bars = Bars.of_score(score)
    edges = np.searchsorted(bars.bar, np.arange(bars.count + 1)).tolist()
    places = [set(bars.start[a:b][bars.begins[a:b]].tolist()) for a, b in pairwise(edges)]
    shared = [(len(a & b), len(a | b)) for a, b in pairwise(places) if a or b]
    return float(np.mean([both / either for both, either in shared])) if shared else nan


def drum_in_pattern_rate(score: Score, meter: Meter) -> float:
    """The share of drum hits on the sixteenths ("duple") or triplets ("triple") of their quarter. NaN without drums.

    Raises:
        OptionError: the meter is another.
    """
    if meter not in PATTERNS:
        raise OptionError(f"meter is {meter!r}; allowed: 'duple' or 'triple'")
    step = nearest_steps(score.onset[score.is_drum], score.ticks_per_quarter, STEPS_PER_QUARTER)
    return float((step % PATTERNS[meter] == 0).mean()) if len(step) else nan


def drum_pattern_consistency(score: Score) -> float:
    """The larger ``drum_in_pattern_rate`` of both meters. Range 0 to 1; NaN without drums."""
    return max(drum_in_pattern_rate(score, "duple"), drum_in_pattern_rate(score, "triple"))


def _pitched(score: Score) -> IntArray:
    """Pitches of all notes but drums."""
    return score.pitch[~score.is_drum]


def _entropy(counts: IntArray) -> float:
    shares: NDArray[np.float64] = counts[counts > 0] / max(int(counts.sum()), 1)
    return float(-(shares * np.log2(shares)).sum()) + 0.0 if len(shares) else nan


def _sounding(score: Score) -> tuple[IntArray, IntArray]:
    """The stretches in which the same number of pitches sounds, without drums: lengths in ticks, and that number."""
    pitched = ~score.is_drum
    onset = score.onset[pitched]
    _, start, end = merged_spans(score.pitch[pitched], onset, onset + score.duration[pitched], touching=True)
    time, place = np.unique(np.concatenate([start, end]), return_inverse=True)
    change = np.bincount(place.reshape(-1), weights=np.repeat([1.0, -1.0], len(start)), minlength=len(time))
    return np.diff(time), np.cumsum(change).astype(np.int64)[:-1]


def _empty_rate(score: Score, lines: IntArray) -> float:
    """The share of stretches between ``lines`` in which nothing sounds."""
    count = len(lines) - 1
    if count < 1:
        return nan
    first = np.searchsorted(lines, score.onset, side="right") - 1
    last = np.searchsorted(lines, score.onset + score.duration - 1, side="right") - 1
    change = np.bincount(first, minlength=count + 1) - np.bincount(last + 1, minlength=count + 1)
    return float((np.cumsum(change)[:count] == 0).mean())
