"""Do the intervals cover, do the tests stay silent where nothing differs, and do pieces count by their weight?"""

import numpy as np
import pytest
from scipy import stats

from seqaudio.errors import OptionError
from seqaudio.report import statistics
from seqaudio.report.statistics import Interval, difference, holm, interval, pooled


def pieces(generator: np.random.Generator, count: int, mean: float = 5.0) -> tuple[np.ndarray, np.ndarray]:
    weights = generator.integers(20, 200, count).astype(float)
    return weights * generator.normal(mean, 1.0, count), weights


def test_a_long_piece_weighs_more_than_a_short_one() -> None:
    assert pooled([10.0, 900.0], [10, 100]) == pytest.approx(910 / 110)
    assert pooled([[10.0, 900.0], [30.0, 900.0]], [10, 100]) == pytest.approx(920 / 110)


def test_the_interval_is_scipys() -> None:
    nats, _ = pieces(np.random.default_rng(1), 60)
    mine = interval(nats, np.ones(60))
    theirs = stats.bootstrap((nats,), np.mean, method="percentile", random_state=np.random.default_rng(2), axis=-1)
    width = mine.high - mine.low
    assert mine.mean == pytest.approx(nats.mean())
    assert mine.low == pytest.approx(theirs.confidence_interval.low, abs=0.05 * width)
    assert mine.high == pytest.approx(theirs.confidence_interval.high, abs=0.05 * width)


def test_it_covers_the_truth_in_about_nineteen_cases_of_twenty() -> None:
    generator = np.random.default_rng(3)
    covered = 0
    for trial in range(200):
        nats, weights = pieces(generator, 50)
        found = interval(nats, weights, resamples=400, seed=trial)
        covered += found.low <= 5.0 <= found.high
    assert 178 <= covered <= 198


def test_versions_of_a_piece_are_drawn_together() -> None:
    """Ten copies of every piece say no more than one, and without groups they would seem to."""
    nats, weights = pieces(np.random.default_rng(4), 30)
    once = interval(nats, weights)
    labels = np.repeat(np.arange(30), 10)
    copied = interval(np.repeat(nats, 10), np.repeat(weights, 10), groups=labels)
    assert copied == pytest.approx(once)
    blind = interval(np.repeat(nats, 10), np.repeat(weights, 10))
    assert blind.high - blind.low < 0.5 * (once.high - once.low)


def test_seeds_that_scatter_widen_the_interval() -> None:
    nats, weights = pieces(np.random.default_rng(5), 40)
    steady = interval(np.stack([nats] * 5), weights)
    offsets = np.array([-0.5, -0.2, 0.0, 0.2, 0.5])[:, None] * weights
    scattered = interval(nats + offsets, weights)
    assert scattered.mean == pytest.approx(steady.mean)
    assert scattered.high - scattered.low > steady.high - steady.low


def test_what_is_common_to_the_pieces_cancels() -> None:
    generator = np.random.default_rng(6)
    nats, weights = pieces(generator, 60)
    better = nats - weights * generator.normal(0.1, 0.05, 60)
    found = difference(better, nats, weights)
    assert found.interval.low < -0.1 < found.interval.high < 0
    assert found.interval.high - found.interval.low < 0.1 * (interval(nats, weights).high - interval(nats, weights).low)
    assert found.p < 1e-6


def test_equal_models_do_not_differ() -> None:
    nats, weights = pieces(np.random.default_rng(7), 20)
    assert difference(nats, nats, weights) == ((0.0, 0.0, 0.0), 1.0)


def test_one_model_of_a_pair_may_have_no_seeds() -> None:
    nats, weights = pieces(np.random.default_rng(8), 20)
    seeds = np.stack([nats + 0.1 * weights, nats + 0.3 * weights])
    assert difference(seeds, nats, weights).interval.mean == pytest.approx(0.2)
    assert difference(nats, seeds, weights).interval.mean == pytest.approx(-0.2)


def test_chance_differences_are_seldom_called_real() -> None:
    generator = np.random.default_rng(9)
    called = 0
    for _ in range(200):
        nats, weights = pieces(generator, 30)
        other = nats + weights * generator.normal(0, 0.2, 30)
        called += difference(nats, other, weights, resamples=1).p < 0.05
    assert 1 <= called <= 22


def test_holm_is_as_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


@pytest.mark.parametrize(("nats", "weights"), [([1.0, 2.0], [1.0]), ([], []), (np.ones((2, 2, 2)), [1.0, 1.0])])
def test_what_does_not_fit_is_refused(nats: object, weights: object) -> None:
    with pytest.raises(OptionError, match="of the same pieces"):
        pooled(nats, weights)


@pytest.mark.parametrize(("seeds", "pieces"), [(1, 7), (5, 30), (2, 1), (3, 400)])
def test_intervals_are_those_of_resamples_drawn_one_by_one(monkeypatch, seeds: int, pieces: int) -> None:
    nats, weights = np.random.default_rng(1).random((seeds, pieces)), np.random.default_rng(2).random(pieces) + 0.1
    generator, drawn = np.random.default_rng(3), []
    for _ in range(301):
        piece, row = generator.integers(0, pieces, pieces), generator.integers(0, seeds, seeds)
        drawn.append(nats[row].mean(axis=0)[piece].sum() / weights[piece].sum())
    expected = np.quantile(drawn, [0.025, 0.975])
    statistics._kept_draws.cache_clear()
    for block, kept, hits in ((1, 0, 0), (1000, 0, 0), (1000, 10**6, 0), (1000, 10**6, 1)):
        monkeypatch.setattr(statistics, "BLOCK", block)
        monkeypatch.setattr(statistics, "KEPT", kept)
        found = interval(nats, weights, resamples=301, seed=3)
        np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-12)
        assert statistics._kept_draws.cache_info().hits == hits


def test_an_interval_is_written_in_one_way() -> None:
    found = Interval(0.5, -0.25, 1.25)
    assert f"{found:.2f}" == "0.50 [-0.25, 1.25]"
    assert f"{found:+.1f}" == "+0.5 [-0.2, +1.2]"
    assert f"{found:.0%}" == "50% [-25%, 125%]"
