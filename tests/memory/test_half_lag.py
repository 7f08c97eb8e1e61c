"""Where does recall fall to one half, by a slow walk along the line?"""

import json
import math

import numpy as np
import pytest

from seqaudio.memory.half_lag import half_lag, recall_of_motifs, recall_of_seeds
from seqaudio.memory.motifs import MotifNats

DISTANCES = (0, 1, 2, 4, 8)


def walked(distances, recall):
    """The first point, in steps of a thousandth, at which the line is no higher than one half."""
    for place in np.arange(distances[0], distances[-1] + 1e-9, 1e-3):
        if np.interp(place, distances, recall) <= 0.5 + 1e-9:
            return place
    return math.inf


def test_the_half_lag_is_where_the_line_crosses() -> None:
    curves = np.random.default_rng(0).random((50, 5))
    curves[:, 0] = 0.9
    for curve, lag in zip(curves, half_lag(DISTANCES, curves), strict=True):
        assert lag == pytest.approx(walked(DISTANCES, curve), abs=2e-3)


def test_what_never_falls_is_infinite_and_what_is_never_known_is_zero() -> None:
    assert half_lag(DISTANCES, np.full(5, 0.9)) == math.inf
    assert half_lag(DISTANCES, np.full(5, 0.1)) == 0
    told = [recall_of_seeds(places, np.full((2, 2), share), 0.0) for places, share in (((0, 9), 0.9), ((0, 9), 0.1))]
    assert [each.lag_words() for each in told] == ["over 9", "none"]
    assert recall_of_seeds((5, 9), np.full((1, 2), 0.1), 0.0).lag_words() == "under 5"
    between = recall_of_seeds((0, 8), np.array([[1.0, 0.0], [1.0, 0.9]]), 0.0)
    assert between.lag_words() == "7.27 (4 to over 8)"


def test_recall_is_beyond_chance() -> None:
    shares = np.array([[1.0, 0.55, 0.1], [1.0, 0.55, 0.1]])
    told = recall_of_seeds((1, 2, 3), shares, 0.1)
    assert told.recall == pytest.approx([1, 0.5, 0])
    assert told.lag == 2
    assert told.lag_ends == (2, 2)
    assert recall_of_seeds((1, 2, 3), shares[:1], 0.1).lag_ends is None


def test_recall_of_motifs_is_pooled_and_has_an_interval_over_pieces() -> None:
    heard, control = np.array([[1.0, 6.0], [1.0, 3.0]]), np.array([[8.0, 8.0], [2.0, 4.0]])
    told = recall_of_motifs(MotifNats((0, 4), np.array([9, 9]), heard, control))
    assert told.recall == pytest.approx([8 / 10, 3 / 12])
    assert told.lag == pytest.approx(4 * 0.3 / 0.55)
    assert told.low is not None
    assert told.low[1] == pytest.approx(0.25)  # both pieces save a quarter
    assert (told.low[0], told.high[0]) == (0.5, 7 / 8)


def test_facts_are_json_with_null_beyond_what_was_measured() -> None:
    facts = json.loads(json.dumps(recall_of_seeds((0, 9), np.full((2, 2), 0.9), 0.0).facts(), allow_nan=False))
    assert facts == {
        "distances": [0, 9],
        "recall": [0.9, 0.9],
        "low": [0.9, 0.9],
        "high": [0.9, 0.9],
        "lag": None,
        "lag_interval": [None, None],
    }
