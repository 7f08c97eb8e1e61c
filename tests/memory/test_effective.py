"""Effective contexts: the rule at its edges, pooled nats, and intervals of draws one by one."""

import math

import numpy as np
import pytest

from seqaudio.memory.contexts import ContextNats, Curve
from seqaudio.memory.effective import contexts, effective

SIZES = (1, 2, 4, 8)


def found_of(nats, full, steps=None):
    nats, full = np.asarray(nats, float), np.asarray(full, float)
    steps = np.full(len(full), 10) if steps is None else np.asarray(steps)
    return ContextNats(steps, full, {"cut": Curve(SIZES, nats), "reset": Curve(SIZES, nats + 1)}, {})


@pytest.mark.parametrize(
    ("nats", "expected"),
    [
        ([100, 100, 100, 100], 1),
        ([100, 101, 99, 100], 1),
        ([90, 80, 100, 100], 4),  # who needs fewer nats listened too
        ([150, 101, 100.5, 100], 2),
        ([150, 101.1, 100.5, 100], 4),
        ([100, 120, 100, 100], 4),  # near by chance, and far again
        ([150, 140, 130, 101], 8),
        ([150, 140, 130, 101.1], math.inf),
    ],
)
def test_the_smallest_size_from_which_on_little_differs(nats, expected):
    assert effective(np.array(nats), np.array(100), SIZES, 0.01) == expected


def test_nats_are_pooled_over_pieces():
    found = found_of([[30, 90], [20, 80], [10.5, 60.5], [10, 60]], [10, 60], [5, 30])
    told = contexts(found, within=0.02)["cut"]
    assert told.nats == pytest.approx(np.array([120, 100, 71, 70]) / 35)
    assert told.effective == 4
    assert contexts(found, within=0.01)["cut"].effective == 8
    assert contexts(found, within=0.5)["cut"].effective == 2
    assert contexts(found, within=0.01)["reset"].effective == math.inf


def test_the_interval_is_that_of_pieces_drawn_one_by_one():
    generator = np.random.default_rng(2)
    full = generator.uniform(50, 100, 9)
    nats = full + generator.uniform(0, 1, 9) * np.array([40, 10, 1.5, 0.5])[:, None]
    found = found_of(nats, full)
    told = contexts(found, resamples=3000)["cut"]
    drawn = [generator.integers(0, 9, 9) for _ in range(3000)]
    slow = [effective(nats[:, pieces].sum(axis=1), full[pieces].sum(), SIZES, 0.01) for pieces in drawn]
    assert len(set(slow)) > 1
    assert told.ends == tuple(np.quantile(slow, [0.025, 0.975], method="nearest"))
    assert contexts(found_of(nats[:, :1], full[:1]))["cut"].ends is None
