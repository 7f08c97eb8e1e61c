"""Bootstrap samples are those of pieces drawn one by one."""

import math

import numpy as np
import pytest

from seqaudio.memory.bootstrap import drawn_means, ends, finite


def test_drawn_means_are_those_of_pieces_drawn_and_their_ends_may_be_infinite():
    rows = np.array([[0.0, 1.0], [3.0, 1.0], [6.0, 4.0]])
    drawn = drawn_means(rows, resamples=20_000, seed=1)
    assert drawn.shape == (20_000, 2)
    assert (drawn == drawn_means(rows, resamples=20_000, seed=1)).all()
    assert drawn.mean(axis=0) == pytest.approx(rows.mean(axis=0), abs=0.05)
    assert drawn.std(axis=0) == pytest.approx(rows.std(axis=0) / np.sqrt(3), abs=0.05)
    possible = {tuple(np.round(rows[list(chosen)].mean(axis=0), 6)) for chosen in np.ndindex(3, 3, 3)}
    assert {tuple(row) for row in np.round(drawn, 6)} == possible
    low, high = ends(np.append(np.arange(90.0), np.full(10, np.inf)))
    assert (low, high) == (2, np.inf)


def test_json_has_no_infinity():
    assert (finite(2.5), finite(math.inf), finite(math.nan)) == (2.5, None, None)
