"""A cache and dynamic evaluation: against slow versions, and the laws of a likelihood that never looks ahead."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch

from seqaudio.errors import DivergedError, OptionError
from seqaudio.models.config import MemoryConfig, ModelConfig, make_memory
from seqaudio.training.adaptive import EPSILON, Cache, Dynamic
from seqaudio.training.evaluate import piece_nats
from tests.samples import random_model

VOCABULARY, KEYS = 6, 3
CLOSE = {"rtol": 0, "atol": 1e-5}
REMEMBERING = MemoryConfig(lags=(2, 5), counters=(3,), features=4)
MODELS = {
    "tokens": ModelConfig(hidden_size=8, layers=2, dropout=0.5),
    "tokens, memory": ModelConfig(cell="gru", hidden_size=8, layers=1, memory=REMEMBERING),
    "frames": ModelConfig(cell="lnlstm", hidden_size=8, layers=1, head="notes"),
    "frames, memory": ModelConfig(cell="rnn", hidden_size=8, layers=1, head="joint", memory=REMEMBERING),
}
CACHE = Cache(0.4, 1.5)
DYNAMIC = Dynamic(0.02, 0.1, 4)
OPTIONS = {
    "cache": {"cache": CACHE},
    "window": {"cache": Cache(0.4, 1.5, 3)},
    "dynamic": {"dynamic": DYNAMIC},
    "both": {"cache": CACHE, "dynamic": DYNAMIC},
}
ALL_OPTIONS = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())


@pytest.fixture(params=MODELS, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def model(kind):
    if kind.startswith("tokens"):
        return random_model(MODELS[kind], VOCABULARY, scale=2.0)
    known = {"known_frames": all_frames()[[1, 2, 4]]} if MODELS[kind].knows_frames else {}
    return random_model(MODELS[kind], keys=KEYS, scale=2.0, **known)


@pytest.fixture(scope="module")
def memory(kind):
    return make_memory(MODELS[kind])


@pytest.fixture(scope="module")
def pieces(kind):
    rng = np.random.default_rng(0)
    numbers = [rng.integers(VOCABULARY, size=steps) for steps in (13, 30, 2, 17, 1, 21)]
    return numbers if kind.startswith("tokens") else [all_frames()[piece] for piece in numbers]


def all_frames():
    return np.array(list(itertools.product([False, True], repeat=KEYS)))


def same(found, expected, **close):
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **(close or CLOSE))


def slow_cache(model, piece, memory, cache):
    """Two loops, each step beside each earlier one."""
    heard = piece if memory is None else memory.heard(piece)
    with torch.no_grad():
        outputs, hidden, _ = model.outputs_and_hidden(torch.from_numpy(heard)[None])
        own = model.nats(outputs[:, :-1], torch.from_numpy(piece)[None, 1:])[0].double().tolist()
    hidden = hidden[0].double().numpy()
    nats = []
    for t in range(len(piece) - 1):
        total = hits = 0.0
        for i in range(max(0, t - (cache.window or t)), t):
            weight = math.exp(cache.theta * float(hidden[t] @ hidden[i]))
            total += weight
            hits += weight * bool(np.all(piece[i + 1] == piece[t + 1]))
        p = math.exp(-own[t])
        nats.append(-math.log((1 - cache.weight) * p + cache.weight * hits / total if total else p))
    return np.array(nats)


def slow_dynamic(trained, piece, memory, dynamic):
    """The same model, read from the start for each segment's nats, all of its weights stepped by hand."""
    model = random_like(trained)
    weights, squares, nats = list(model.parameters()), None, []
    heard = torch.from_numpy(piece if memory is None else memory.heard(piece))[None]
    state, count = model.initial_state(1), 0
    for start in range(0, len(piece) - 1, dynamic.segment):
        targets = torch.from_numpy(piece[start + 1 : start + 1 + dynamic.segment])[None]
        outputs, state = model(heard[:, start : start + targets.shape[1]], tuple(part.detach() for part in state))
        own = model.nats(outputs, targets)[0]
        nats += own.tolist()
        model.zero_grad()
        own.mean().backward()
        count += 1
        gradients = [weight.grad if weight.grad is not None else torch.zeros_like(weight) for weight in weights]
        squares = [g**2 + s for g, s in zip(gradients, squares or [0] * len(weights), strict=True)]
        with torch.no_grad():
            for weight, first, g, s in zip(weights, trained.parameters(), gradients, squares, strict=True):
                moved = weight - dynamic.rate * g / (torch.sqrt(s / count) + EPSILON)
                weight.copy_((1 - dynamic.decay) * moved + dynamic.decay * first)
    return np.array(nats)


def random_like(model):
    """Another model of the same kind and weights, not a copy of it."""
    kind = next(kind for kind, config in MODELS.items() if config.cell == model.stack.cell)
    if kind.startswith("tokens"):
        other = random_model(MODELS[kind], VOCABULARY, seed=1)
    else:
        known = {"known_frames": all_frames()[[1, 2, 4]]} if MODELS[kind].knows_frames else {}
        other = random_model(MODELS[kind], keys=KEYS, seed=1, **known)
    other.load_state_dict(model.state_dict())
    return other


class TestAgainstSlowVersions:
    @pytest.mark.parametrize("window", [None, 1, 3])
    @pytest.mark.parametrize(("batch_size", "chunk"), [(32, 512), (2, 5)])
    def test_cache(self, model, memory, pieces, window, batch_size, chunk):
        cache = Cache(0.4, 1.5, window)
        found = piece_nats(model, pieces, memory, cache=cache, batch_size=batch_size, chunk=chunk)
        same(found, [slow_cache(model, piece, memory, cache) for piece in pieces])

    def test_dynamic(self, model, memory, pieces):
        found = piece_nats(model, pieces, memory, dynamic=DYNAMIC)
        expected = [slow_dynamic(model, piece, memory, DYNAMIC) for piece in pieces]
        same(found, expected, rtol=1e-3, atol=1e-3)  # what rounds at first is learnt from
        plain = piece_nats(model, pieces, memory)
        assert max(np.abs(one - other).max() for one, other in zip(found, plain, strict=True) if len(one)) > 0.1


class TestLaws:
    @pytest.mark.parametrize(
        "options",
        [{"cache": Cache(0.0)}, {"dynamic": Dynamic(0.0)}, {"cache": Cache(0.0), "dynamic": Dynamic(0.0, 0.5, 7)}],
    )
    def test_nothing_asked_changes_nothing(self, model, memory, pieces, options):
        same(piece_nats(model, pieces, memory, **options), piece_nats(model, pieces, memory))

    @ALL_OPTIONS
    @pytest.mark.parametrize("steps", [1, 13])
    def test_all_that_may_come_sums_to_one(self, kind, model, memory, pieces, options, steps):
        ends = np.arange(VOCABULARY) if kind.startswith("tokens") else all_frames()
        lines = [np.concatenate([pieces[1][:steps], end[None]]) for end in ends]
        assert sum(math.exp(-nats[-1]) for nats in piece_nats(model, lines, memory, **options)) == pytest.approx(
            1, abs=1e-5
        )

    @ALL_OPTIONS
    def test_the_future_changes_nothing(self, model, memory, pieces, options):
        (whole,) = piece_nats(model, [pieces[1]], memory, **options)
        for cut in (2, 9, 20):
            other = np.concatenate([pieces[1][:cut], pieces[5][: 30 - cut]])
            (found,) = piece_nats(model, [other], memory, **options)
            np.testing.assert_allclose(found[: cut - 1], whole[: cut - 1], **CLOSE)
            assert np.abs(found - whole[: len(found)]).max() > 1e-3

    @ALL_OPTIONS
    def test_each_piece_is_by_itself(self, model, memory, pieces, options):
        together = piece_nats(model, pieces, memory, **options)
        same(piece_nats(model, pieces[::-1], memory, **options)[::-1], together)
        same([piece_nats(model, [piece], memory, **options)[0] for piece in pieces], together)

    @ALL_OPTIONS
    @pytest.mark.parametrize("training", [True, False])
    def test_leaves_no_trace(self, model, memory, pieces, options, training):
        model.train(training)
        model.requires_grad_(training)
        before, random_state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
        first, second = (piece_nats(model, pieces, memory, **options) for _ in range(2))
        assert torch.equal(torch.get_rng_state(), random_state)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert all(p.grad is None and p.requires_grad is training for p in model.parameters())
        assert all(module.training is training for module in model.modules())
        assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))
        model.requires_grad_(True).eval()

    def test_what_is_learnt_helps_where_a_piece_comes_again(self, model, memory, pieces):
        again = np.concatenate([pieces[1]] * 5)
        (plain,) = piece_nats(model, [again], memory)
        (found,) = piece_nats(model, [again], memory, dynamic=Dynamic(0.02, 0.0, 8))
        assert found[90:].mean() < plain[90:].mean() - 0.1


class TestRefused:
    @pytest.mark.parametrize(
        "values", [(1.0,), (-0.1,), (math.nan,), (0.1, -1.0), (0.1, math.inf), (0.1, math.nan), (0.1, 0.3, 0)]
    )
    def test_caches(self, values):
        with pytest.raises(OptionError, match=r"a cache with weight .*: a weight is 0 or more and below 1") as refused:
            Cache(*values)
        assert "None" not in str(refused.value)

    @pytest.mark.parametrize("values", [(-1.0,), (math.inf,), (math.nan,), (0.1, 1.1), (0.1, -0.1), (0.1, 0.0, 0)])
    def test_learning(self, values):
        with pytest.raises(OptionError, match=r"dynamic evaluation with rate .*: a rate is 0 or more"):
            Dynamic(*values)

    def test_a_rate_that_ends_in_no_numbers(self, model, memory, pieces):
        with pytest.raises(DivergedError, match=r"at rate 1e\+38 ran into numbers that are none; lower the rate"):
            piece_nats(model, pieces, memory, dynamic=Dynamic(1e38, 0.0, 1))

    def test_a_rate_that_runs_away(self, model, memory, pieces):
        with pytest.raises(DivergedError, match=r"at rate 100.0 ran away, to [0-9.e+]+ nats a step .*; lower the rate"):
            piece_nats(model, pieces, memory, dynamic=Dynamic(100.0, 0.0, 1))

    def test_a_piece_that_a_model_finds_unlikely_as_it_is_has_not_run_away(self, model, memory, pieces):
        """Learning that brings little is no mistake, however far the model was from the piece."""
        sure = copy.deepcopy(model)
        for weight in sure.head.parameters():
            weight.data.mul_(60)
        plain = piece_nats(sure, pieces[:1], memory)[0]
        learnt = piece_nats(sure, pieces[:1], memory, dynamic=Dynamic(0.0, 0.0, 4))[0]
        knowing_nothing = KEYS * math.log(2) if pieces[0].ndim == 2 else math.log(VOCABULARY)
        assert learnt.mean() == pytest.approx(plain.mean(), rel=1e-4)
        assert plain.mean() > 2 * knowing_nothing
