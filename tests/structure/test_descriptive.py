"""MusPy's measures against slow readings and MusPy's own figures, and what is put right in them."""

from math import isnan, log2

import numpy as np
import pytest
from hypothesis import given, strategies as st

from seqaudio.errors import OptionError
from seqaudio.music import Score
from seqaudio.structure import descriptive as measures

MUSPY = {
    "polyphony": 1.4893617021276595,
    "pitch_entropy": 2.5,
    "pitch_class_entropy": 1.75,
    "scale_consistency": 0.875,
    "in_d_minor": 0.875,
}
NOTES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 12), st.integers(60, 66), st.booleans()), min_size=1, max_size=12
)


def piece(notes: list[tuple[int, int, int, bool]], **facts: object) -> Score:
    onset, duration, pitch, drum = np.array(notes, dtype=np.int64).reshape(-1, 4).T
    return Score.from_notes(onset, duration, pitch, is_drum=drum.astype(bool), ticks_per_quarter=2, **facts)


@given(NOTES)
def test_time_measures_are_those_of_a_reading_tick_by_tick(notes: list[tuple[int, int, int, bool]]) -> None:
    score = piece(notes, time_signatures=[(0, 3, 4)])
    end = max(o + d for o, d, _, _ in notes)
    pitched = [len({p for o, d, p, drum in notes if o <= t < o + d and not drum}) for t in range(end)]
    heard = [any(o <= t < o + d for o, d, _, _ in notes) for t in range(end)]
    sounding = [count for count in pitched if count]
    found = measures.polyphony(score)
    assert isnan(found) if not sounding else found == pytest.approx(np.mean(sounding))
    for threshold in (1, 2, 3):
        expected = np.mean([count >= threshold for count in pitched])
        assert measures.polyphony_rate(score, threshold) == pytest.approx(expected)
    for measure, length in ((measures.empty_beat_rate, 2), (measures.empty_measure_rate, 6)):
        assert measure(score) == pytest.approx(np.mean([not any(heard[i : i + length]) for i in range(0, end, length)]))


@given(NOTES)
def test_pitch_measures_are_those_of_a_count(notes: list[tuple[int, int, int, bool]]) -> None:
    score = piece(notes)
    pitches = [p for _, _, p, drum in notes if not drum]
    assert measures.n_pitches_used(score) == len(set(pitches))
    assert measures.n_pitch_classes_used(score) == len({p % 12 for p in pitches})
    assert measures.pitch_range(score) == (max(pitches) - min(pitches) if pitches else 0)
    shares = [pitches.count(p) / len(pitches) for p in set(pitches)]
    if pitches:
        assert measures.pitch_entropy(score) == pytest.approx(-sum(x * log2(x) for x in shares))
        white = [sum((p - root) % 12 in (0, 2, 4, 5, 7, 9, 11) for p in pitches) / len(pitches) for root in range(12)]
        assert measures.scale_consistency(score) == pytest.approx(max(white))
        assert measures.pitch_in_scale_rate(score, 0, "major") == pytest.approx(white[0])
        assert measures.pitch_in_scale_rate(score, 9, "minor") == pytest.approx(white[0])
    else:
        assert isnan(measures.pitch_entropy(score))
        assert isnan(measures.scale_consistency(score))


def test_figures_that_muspy_gives_too() -> None:
    """Computed with MusPy 0.5.0, on a piece where its mistakes do not show."""
    score = Score.from_notes(
        [0, 24, 24, 48, 72, 96, 96, 120],
        [23, 47, 23, 23, 23, 23, 95, 23],
        [60, 64, 67, 61, 60, 72, 48, 67],
        ticks_per_quarter=24,
    )
    assert measures.pitch_range(score) == 24
    assert measures.n_pitches_used(score) == 6
    assert measures.n_pitch_classes_used(score) == 4
    assert measures.polyphony(score) == pytest.approx(MUSPY["polyphony"])
    assert measures.pitch_entropy(score) == pytest.approx(MUSPY["pitch_entropy"])
    assert measures.pitch_class_entropy(score) == pytest.approx(MUSPY["pitch_class_entropy"])
    assert measures.scale_consistency(score) == pytest.approx(MUSPY["scale_consistency"])
    assert measures.pitch_in_scale_rate(score, 2, "minor") == pytest.approx(MUSPY["in_d_minor"])


def kicks(bars: int) -> Score:
    return Score.from_notes(np.arange(4 * bars) * 480, 480, 36, is_drum=True)


def test_groove_is_one_for_equal_rhythms_and_zero_against_silence() -> None:
    assert measures.groove_consistency(kicks(2)) == 1
    half = Score.from_notes([0, 480, 960, 1440, 1920, 2880], 480, 60)
    assert measures.groove_consistency(half) == 0.5
    silence = Score.from_notes([0, 480, 3840], 480, 60)
    assert measures.groove_consistency(silence) == 0
    assert isnan(measures.groove_consistency(kicks(1)))


def test_other_mistakes_that_are_put_right() -> None:
    drums = kicks(1)
    assert measures.pitch_range(drums) == 0
    two = Score.from_notes([0, 0], 480, [60, 64])
    assert measures.polyphony_rate(two) == 1
    one_of_two = Score.from_notes([0, 1440], 480, 60)
    assert measures.empty_beat_rate(one_of_two) == 0.5
    assert measures.empty_measure_rate(Score.from_notes([0], 1920, 60)) == 0
    early_and_late = Score.from_notes([1, 239, 481], 100, 36, is_drum=True)
    assert measures.drum_in_pattern_rate(early_and_late, "duple") == 1


def test_drums_on_sixteenths_and_triplets() -> None:
    triplets = Score.from_notes(np.arange(12) * 160, 100, 42, is_drum=True)
    assert measures.drum_in_pattern_rate(triplets, "triple") == 1
    assert measures.drum_in_pattern_rate(triplets, "duple") == pytest.approx(1 / 3)
    assert measures.drum_pattern_consistency(triplets) == 1
    assert isnan(measures.drum_pattern_consistency(Score.from_notes([0], 1, 60)))


def test_an_empty_score_has_counts_of_zero_and_nothing_else() -> None:
    empty = Score.from_notes([], 1, 60)
    assert measures.pitch_range(empty) == measures.n_pitches_used(empty) == measures.n_pitch_classes_used(empty) == 0
    for name in ("polyphony", "polyphony_rate", "pitch_entropy", "pitch_class_entropy", "empty_beat_rate",
                 "empty_measure_rate", "groove_consistency", "scale_consistency"):  # fmt: skip
        assert isnan(getattr(measures, name)(empty)), name


def test_what_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(OptionError, match="mode is 'dorian'; allowed: 'major' or 'minor'"):
        measures.pitch_in_scale_rate(kicks(1), 0, "dorian")
    with pytest.raises(OptionError, match="meter is 'odd'; allowed: 'duple' or 'triple'"):
        measures.drum_in_pattern_rate(kicks(1), "odd")
