"""Every measure keeps every law, on any score, and on scores of nothing and of one note."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio import structure
from seqaudio.music import Score
from seqaudio.structure import descriptive, similarity_curve, similarity_error
from seqaudio.structure.evaluation import MEASURES, evaluate
from tests.contracts import measure_laws as laws
from tests.contracts.any_scores import scores


@st.composite
def whole_bars(draw: st.DrawFn) -> Score:
    """Scores in metres whose bars are whole ticks: elsewhere a finer resolution moves the bar lines."""
    place, length = st.integers(0, 96).map(lambda n: 40 * n), st.integers(1, 200)
    note = st.tuples(place, length, st.sampled_from([60, 60, 62, 64, 67]), st.booleans())
    rows = np.array(draw(st.lists(note, max_size=20)), dtype=np.int64).reshape(-1, 4)
    metre = draw(st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 2), (5, 8), (1, 4)]))
    return Score.from_notes(*rows.T[:3], is_drum=rows[:, 3] == 1, time_signatures=[(0, *metre)])


@settings(max_examples=60)
@given(scores())
def test_any_score_gives_numbers_within_range(score: Score) -> None:
    laws.they_are_numbers_within_their_range(laws.all_measures(score))


@settings(max_examples=60)
@given(whole_bars(), st.integers(0, 9))
def test_key_resolution_tempo_order_and_sound_change_nothing(score: Score, seed: int) -> None:
    values = laws.all_measures(score)
    laws.they_are_the_same(values, laws.all_measures(score))
    laws.they_are_the_same(values, laws.all_measures(laws.at_another_tempo(score)))
    laws.they_are_the_same(values, laws.all_measures(laws.in_another_order(score, seed)))
    laws.they_are_the_same(values, laws.all_measures(laws.at_another_resolution(score, 7)))
    laws.they_are_the_same(values, laws.all_measures(laws.louder_on_another_instrument(score)))
    moved = laws.in_another_key(score)
    assert moved is not None
    laws.they_are_the_same(values, laws.all_measures(moved))


@pytest.mark.parametrize("notes", [0, 1])
def test_scores_of_nothing_and_of_one_note(notes: int) -> None:
    score = Score.from_notes([0] * notes, 480, 60)
    values = laws.all_measures(score)
    laws.they_are_numbers_within_their_range(values)
    structural = [name for name, measure in MEASURES.items() if measure.trust != "blind"]
    assert len(structural) > 8
    assert all(math.isfinite(values[name]) for name in structural)
    assert math.isfinite(similarity_error(similarity_curve(score), np.full(16, 0.1)))


def test_the_laws_can_fail() -> None:
    values = laws.all_measures(Score.from_notes(np.arange(40) * 480, 480, [60, 62, 64, 65, 67] * 8))
    for name in values:
        for wrong in (values | {name: math.inf}, values | {name: -1e9}):
            with pytest.raises(AssertionError):
                laws.they_are_numbers_within_their_range(wrong)
        with pytest.raises(AssertionError):
            laws.they_are_the_same(values, values | {name: values[name] + 0.01 if values[name] == values[name] else 0})


def test_a_primer_is_asked_for_where_one_is_needed() -> None:
    with_primer = [name for name, measure in MEASURES.items() if measure.of_primer]
    assert set(evaluate(Score.from_notes([0], 1, 60))) == set(MEASURES) - set(with_primer)
    assert with_primer == ["primer_recall", "primer_recall_transposed"]


def test_every_measure_says_its_range_null_source_and_cost() -> None:
    measures = [
        *(structure.far_repeat_rate, structure.primer_recall, structure.lz_gain, structure.return_lag),
        *(structure.return_strength, structure.similarity_matrix, structure.similarity_error, structure.boundaries),
        *(structure.frame_far_repeat_rate, structure.frame_primer_recall, structure.frame_lz_gain, structure.novelty),
        *(structure.stripe_energy, structure.chroma_recurrence, structure.RunIndex.longest_run, descriptive),
    ]
    for measure in measures:
        words = " ".join(str(measure.__doc__).split()).lower()
        for word in ("null", "cost"):
            assert word in words, (measure, word)
