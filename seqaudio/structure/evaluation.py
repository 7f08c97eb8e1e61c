"""What do all measures say of one piece?

Conventions: a measure is a function of a piece; its docstring has its range, direction, null value, source and cost. A
measure is a *headline* where it tells real tunes from their bars shuffled and from a Markov chain, and shows loops and
held notes (docs/results/structure.md has the figures); a *detail* explains one; one that is *blind* cannot tell them
apart, whatever it may say about a piece. All are read two-sided, beside real pieces of the same length
(:mod:`seqaudio.structure.real_range`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from seqaudio.errors import OptionError
from seqaudio.music.score import Score
from seqaudio.structure import descriptive
from seqaudio.structure.bars import Bars, first_bars
from seqaudio.structure.boundaries import boundaries
from seqaudio.structure.compression import lz_gain
from seqaudio.structure.degeneracy import Degeneracy, degeneracy
from seqaudio.structure.repeats import check_primer, far_repeat_rate, primer_recall
from seqaudio.structure.similarity import MOST_BARS, Floats, return_lag, return_strength, similarity_matrix

Trust = Literal["headline", "detail", "blind"]


@dataclass(frozen=True, eq=False)
class Facets:
    """A piece as the measures want it; what several of them need is made once.

    Attributes:
        score: the part that is measured.
        bars: its bars.
        matrix: the similarity of its bars.
        degeneracy: how stuck it is.
        primer_bars: how many of its first bars are the primer; None where none is.
    """

    score: Score
    bars: Bars
    matrix: Floats
    degeneracy: Degeneracy
    primer_bars: int | None

    @classmethod
    def of(cls, score: Score, primer_bars: int | None = None, *, bars: int | None = None) -> Facets:
        """The facets of a piece; arguments and errors are those of :func:`evaluate`."""
        if primer_bars is not None:
            check_primer(primer_bars)
        if bars is not None and bars < 1:
            raise OptionError(f"bars is {bars}; allowed: 1 or more")
        part = first_bars(score, min(bars or MOST_BARS, MOST_BARS))
        cut = Bars.of_score(part)
        return cls(part, cut, similarity_matrix(cut), degeneracy(part), primer_bars)


@dataclass(frozen=True)
class Measure:
    """A measure as tables know it.

    Attributes:
        says: what it says, in a few words.
        low, high: the range of its values.
        trust: what it is worth for judging structure.
        function: what computes it.
        of_primer: whether it needs a primer.
        undefined: whether it may be NaN.
    """

    says: str
    low: float
    high: float
    trust: Trust
    function: Callable[[Facets], float]
    of_primer: bool = False
    undefined: bool = False


INFINITE = float("inf")

MEASURES: dict[str, Measure] = {
    "far_repeat_rate": Measure(
        "share of bars heard 3 bars before or more", 0, 1, "headline", lambda p: far_repeat_rate(p.bars)
    ),
    "far_repeat_rate_transposed": Measure(
        "the same in any key", 0, 1, "headline", lambda p: far_repeat_rate(p.bars, transposed=True)
    ),
    "primer_recall": Measure(
        "share of bars behind the primer heard in it",
        0, 1, "headline", lambda p: primer_recall(p.bars, p.primer_bars or 0), of_primer=True,
    ),
    "primer_recall_transposed": Measure(
        "the same in any key",
        0, 1, "headline", lambda p: primer_recall(p.bars, p.primer_bars or 0, transposed=True), of_primer=True,
    ),
    "return_strength": Measure(
        "likeness at the best lag, beyond other lags", 0, 1, "headline", lambda p: return_strength(p.matrix)
    ),
    "lz_gain": Measure(
        "what follows from before, beyond the choice of chords", -1, 1, "headline", lambda p: lz_gain(p.bars)
    ),
    "return_lag": Measure("bars to the best return", 0, INFINITE, "detail", lambda p: return_lag(p.matrix)),
    "sections": Measure(
        "sections told by what comes back", 0, INFINITE, "detail",
        lambda p: len(boundaries(p.matrix)) + (p.bars.count > 0),
    ),
    "longest_stuck": Measure(
        "onsets of one pitch in a row", 0, INFINITE, "detail", lambda p: p.degeneracy.longest_stuck
    ),
    "longest_loop": Measure(
        "turns in a row of a cell of 1, 2 or 4 bars", 1, INFINITE, "detail", lambda p: p.degeneracy.longest_loop
    ),
    "longest_held": Measure(
        "bars in a row that only sound on", 0, INFINITE, "detail", lambda p: p.degeneracy.longest_held
    ),
    "longest_silence": Measure(
        "silent bars in a row", 0, INFINITE, "detail", lambda p: p.degeneracy.longest_silence
    ),
    "pitch_range": Measure("semitones", 0, 127, "blind", lambda p: descriptive.pitch_range(p.score)),
    "n_pitches_used": Measure("pitches", 0, 128, "blind", lambda p: descriptive.n_pitches_used(p.score)),
    "n_pitch_classes_used": Measure(
        "pitch classes", 0, 12, "blind", lambda p: descriptive.n_pitch_classes_used(p.score)
    ),
    "polyphony": Measure(
        "pitches at a time", 1, 128, "blind", lambda p: descriptive.polyphony(p.score), undefined=True
    ),
    "polyphony_rate": Measure(
        "share of time with two pitches", 0, 1, "blind", lambda p: descriptive.polyphony_rate(p.score), undefined=True
    ),
    "scale_consistency": Measure(
        "share of notes in the best key", 0, 1, "blind",
        lambda p: descriptive.scale_consistency(p.score), undefined=True,
    ),
    "pitch_entropy": Measure(
        "bits", 0, 7, "blind", lambda p: descriptive.pitch_entropy(p.score), undefined=True
    ),
    "pitch_class_entropy": Measure(
        "bits", 0, 3.585, "blind", lambda p: descriptive.pitch_class_entropy(p.score), undefined=True
    ),
    "empty_beat_rate": Measure(
        "share of silent beats", 0, 1, "blind", lambda p: descriptive.empty_beat_rate(p.score), undefined=True
    ),
    "empty_measure_rate": Measure(
        "share of silent bars", 0, 1, "blind", lambda p: descriptive.empty_measure_rate(p.score), undefined=True
    ),
    "groove_consistency": Measure(
        "likeness of neighbouring rhythms", 0, 1, "blind",
        lambda p: descriptive.groove_consistency(p.score), undefined=True,
    ),
    "drum_pattern_consistency": Measure(
        "share of drums in one pattern", 0, 1, "blind",
        lambda p: descriptive.drum_pattern_consistency(p.score), undefined=True,
    ),
}  # fmt: skip
"""Every measure of a score by its name, in the order of tables."""


def evaluate(piece: Score | Facets, primer_bars: int | None = None, *, bars: int | None = None) -> dict[str, float]:
    """All measures of a piece by name, in the order of :data:`MEASURES`; NaN where one is undefined.

    Args:
        piece: a score, of which the first 4,096 bars are measured; or facets as they are.
        primer_bars: how many of its first bars are the primer; without it there is no recall of one.
        bars: measure only so many of its first bars.

    Raises:
        OptionError: the primer or the part has no bar, or the score cannot be measured.
    """
    facets = piece if isinstance(piece, Facets) else Facets.of(piece, primer_bars, bars=bars)
    return {
        name: float(measure.function(facets))
        for name, measure in MEASURES.items()
        if not measure.of_primer or facets.primer_bars is not None
    }
