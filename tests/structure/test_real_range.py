"""Laws of the real range: nine in ten lie within, both sides are read, the AUC is that of all pairs."""

import math

import numpy as np
import pytest

from seqaudio.errors import OptionError
from seqaudio.structure import evaluate
from seqaudio.structure.bars import first_bars
from seqaudio.structure.real_range import RealRange, auc, real_ranges
from tests.structure.pieces import tune


def test_nine_in_ten_lie_within() -> None:
    values = np.random.default_rng(0).random(1000)
    found = RealRange.of([*values, math.nan])
    places = [found.place(value) for value in values]
    assert found.pieces == 1000
    assert [places.count(place) for place in ("below", "within", "above")] == [50, 900, 50]
    assert found.place(math.nan) == "undefined"
    assert found.gap(0.1) == pytest.approx(0.1 - np.median(values))


def test_ranges_of_evaluations_have_every_measure_with_a_value() -> None:
    rows = [{"a": 1.0, "b": math.nan}, {"a": 3.0, "b": math.nan}, {"a": math.nan, "b": math.nan, "c": 5.0}]
    ranges = real_ranges(rows)
    assert set(ranges) == {"a", "c"}
    assert (ranges["a"].median, ranges["a"].pieces, ranges["c"].pieces) == (2.0, 2, 1)
    with pytest.raises(OptionError, match="no real piece has a value"):
        RealRange.of([math.nan])


def test_auc_is_over_all_pairs() -> None:
    real, other = [0.1, 0.5, 0.5, 0.9], [0.5, 0.2, 0.05]
    pairs = [1.0 if r > o else 0.5 if r == o else 0.0 for r in real for o in other]
    assert auc(real, other) == pytest.approx(np.mean(pairs))
    assert auc(real, real) == 0.5


def test_the_first_bars_are_a_piece_of_their_own() -> None:
    score = tune("AABA", 2)
    part = first_bars(score, 16)
    assert len(part.bars()) - 1 == 16
    assert part.end <= score.bars()[16]
    assert len(part) == (score.onset < score.bars()[16]).sum()
    assert evaluate(score, 4, bars=16) == pytest.approx(evaluate(part, 4), nan_ok=True)
    assert first_bars(score, 99) == score
    with pytest.raises(OptionError, match="bars is 0; allowed: 1 or more"):
        evaluate(score, bars=0)
    with pytest.raises(OptionError, match="primer_bars is 0"):
        evaluate(score, 0)
