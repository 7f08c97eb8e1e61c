"""Half-lives and their intervals: of curves whose answer is known, and of draws one by one."""

import math

import numpy as np
import pytest

from seqaudio.memory.fading import FLOOR, fading, half_life

LAGS = np.arange(1, 41)


def norms_of(rates, layers=2, parts=2, targets=3, seed=0):
    """Pieces whose norms fade by these rates a step, from another beginning for each target."""
    generator = np.random.default_rng(seed)
    shape = (targets, 1, layers, parts)
    return [generator.uniform(0.1, 9, shape) * rate ** LAGS.reshape(1, -1, 1, 1) for rate in rates]


@pytest.mark.parametrize("rate", [0.99, 0.9, 0.5, 0.3])
def test_what_fades_by_a_rate_has_its_half_life(rate):
    expected = 1 + math.log(0.5) / math.log(rate)
    for found in fading(norms_of([rate]), ("h", "c")):
        assert found.ratios == pytest.approx(np.maximum(rate ** (LAGS - 1), FLOOR))
        assert found.half_life == pytest.approx(expected if expected <= 40 else math.inf)
        assert found.half_life_ends is None
        assert found.low is None


def test_names_and_the_whole_state():
    norms = norms_of([0.8])
    found = fading(norms, ("h", "c"))
    assert [line.name for line in found] == ["all", "h of layer 1", "c of layer 1", "h of layer 2", "c of layer 2"]
    squares = sum(line.at_lag_1**2 for line in fading([each[:1] for each in norms], ("h", "c"))[1:])
    assert fading([each[:1] for each in norms], ("h", "c"))[0].at_lag_1 == pytest.approx(math.sqrt(squares))


def test_the_mean_is_geometric_and_every_piece_counts_alike():
    first, second = norms_of([0.9, 0.6])
    found = fading([first, np.concatenate([second] * 5)], ("h", "c"))[0]
    assert found.ratios == pytest.approx(np.sqrt(0.9 * 0.6) ** (LAGS - 1))


def test_the_interval_is_that_of_pieces_drawn_one_by_one():
    rates = np.random.default_rng(3).uniform(0.7, 0.99, 12)
    found = fading(norms_of(rates), ("h", "c"), resamples=4000)[0]
    generator = np.random.default_rng(9)
    lives = []
    for _ in range(4000):
        mean = np.exp(np.log(generator.choice(rates, 12)).mean())
        lives.append(1 + math.log(0.5) / math.log(mean))
    assert found.half_life_ends == pytest.approx(np.quantile(lives, [0.025, 0.975]), rel=0.05)
    assert found.half_life_ends[0] < found.half_life < found.half_life_ends[1]
    assert (found.low <= found.ratios + 1e-12).all()
    assert (found.high >= found.ratios - 1e-12).all()


def test_what_never_falls_has_no_end_and_what_may_not_has_an_open_interval():
    assert fading(norms_of([1.0]), ("h", "c"))[0].half_life == math.inf
    found = fading(norms_of([0.8, 0.9999, 0.85, 0.9999]), ("h", "c"))[0]
    assert found.half_life_ends[1] == math.inf
    assert math.isfinite(found.half_life_ends[0])


def test_the_first_fall_counts():
    assert half_life(np.log([1, 0.6, 0.4, 0.9, 0.1])) == pytest.approx(2 + math.log(0.6 / 0.5) / math.log(0.6 / 0.4))
    assert half_life(np.log([1, 0.5])) == 2
    assert half_life(np.log([0.1, 0.1])) == 1
    assert half_life(np.log([[0.1, 0.1], [1, 0.9], [1, 0.25]])) == pytest.approx([1, np.inf, 1.5])


def test_nothing_at_all_is_told_as_nothing():
    found = fading([np.zeros((3, 40, 1, 1))], ("h",))[0]
    assert found.ratios == pytest.approx(np.full(40, FLOOR))
    assert found.half_life == 1
