"""The likelihood of pieces is exact: as if each token were scored alone, whoever else is in the batch."""

import math
import re

import numpy as np
import pytest
import torch

from seqaudio.errors import OptionError
from seqaudio.models.config import ModelConfig, make_memory
from seqaudio.training.evaluate import piece_nats
from tests.samples import random_model

VOCABULARY = 13
CLOSE = 1e-5


@pytest.fixture(params=["rnn", "gru", "lstm"])
def model(request):
    return random_model(ModelConfig(cell=request.param, hidden_size=8, layers=2, dropout=0.5), VOCABULARY)


@pytest.fixture
def pieces():
    rng = np.random.default_rng(0)
    return [rng.integers(VOCABULARY, size=n).astype(np.uint16) for n in (5, 31, 2, 17, 31, 8, 1)]


@torch.no_grad()
def slow_nats(model, piece):
    state, nats = model.initial_state(1), []
    for token, target in zip(piece[:-1].tolist(), piece[1:].tolist(), strict=True):
        logits, state = model.step(torch.tensor([token]), state)
        row = logits[0].double().tolist()
        nats.append(math.log(sum(map(math.exp, row))) - row[target])
    return np.array(nats)


@pytest.mark.parametrize(("batch_size", "chunk"), [(1, 512), (3, 4), (32, 7), (2, 1)])
def test_every_token_as_if_scored_alone(model, pieces, batch_size, chunk):
    found = piece_nats(model, pieces, batch_size=batch_size, chunk=chunk)
    assert [len(nats) for nats in found] == [len(piece) - 1 for piece in pieces]
    for nats, piece in zip(found, pieces, strict=True):
        assert nats.dtype == np.float64
        np.testing.assert_allclose(nats, slow_nats(model, piece), atol=CLOSE)


def test_neighbours_do_not_matter(model, pieces):
    together = piece_nats(model, pieces)
    for number in (0, 3):
        (alone,) = piece_nats(model, [pieces[number]])
        np.testing.assert_allclose(alone, together[number], atol=CLOSE)
    turned = piece_nats(model, pieces[::-1])[::-1]
    for one, other in zip(turned, together, strict=True):
        np.testing.assert_allclose(one, other, atol=CLOSE)


@pytest.mark.parametrize("training", [True, False])
def test_leaves_no_trace(model, pieces, training):
    model.train(training)
    weights = [parameter.clone() for parameter in model.parameters()]
    before = torch.get_rng_state()
    first, second = piece_nats(model, pieces), piece_nats(model, pieces)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training is training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(one, other) for one, other in zip(weights, model.parameters(), strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))  # no dropout


def test_no_pieces(model):
    assert piece_nats(model, []) == []


NONE = "no memory"
MATCH, LAGS, OTHER = ({"match": True}, {"lags": [2], "counters": [4]}, {"lags": [2], "counters": [8]})
OF_MATCH, OF_LAGS = "a memory of 1 source and counters []", "a memory of 2 sources and counters [4]"


@pytest.mark.parametrize(
    ("own", "given", "said"),
    [
        (None, MATCH, f"{OF_MATCH} for a model with {NONE};"),
        (MATCH, None, f"{NONE} for a model with {OF_MATCH}; give checkpoint.memory()"),
        (MATCH, LAGS, f"{OF_LAGS} for a model with {OF_MATCH};"),
        (LAGS, OTHER, f"a memory of 2 sources and counters [8] for a model with {OF_LAGS};"),
    ],
)
def test_another_memory_than_the_models_is_refused(pieces, own, given, said):
    def config(memory):
        return ModelConfig(cell="gru", hidden_size=8, layers=1, memory=memory)

    model = random_model(config(own), VOCABULARY)
    with pytest.raises(OptionError, match=re.escape(said)):
        piece_nats(model, pieces, make_memory(config(given)))
    assert len(piece_nats(model, pieces, make_memory(config(own)))) == len(pieces)
