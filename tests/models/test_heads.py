"""The head gives an exact likelihood, and one matrix serves as input and output, before and after it was stored."""

import math

import numpy as np
import pytest
import torch

from seqaudio.models.checkpoint import TIED, Checkpoint, weights_of
from seqaudio.models.config import ModelConfig
from seqaudio.models.encoders import TokenEmbedding
from seqaudio.models.heads import CategoricalHead
from tests.samples import MELODY, random_model

VOCABULARY, HIDDEN = len(MELODY.vocabulary), 8
EMBEDDINGS = (None, 5)


@pytest.fixture(params=EMBEDDINGS, ids=["same size", "projected"])
def config(request):
    return ModelConfig(cell="gru", hidden_size=HIDDEN, layers=1, embedding_size=request.param)


@pytest.fixture
def model(config):
    return random_model(config, VOCABULARY)


def is_tied(model):
    shared = model.head.weight is model.encoder.weight
    return shared and sum(p.shape == model.encoder.weight.shape for p in model.parameters()) == 1


class TestTiedWeights:
    def test_one_matrix_in_a_new_model(self, model):
        assert is_tied(model)

    def test_one_matrix_after_loading(self, config, model, tmp_path):
        Checkpoint(config, MELODY, weights_of(model)).save(tmp_path / "model.safetensors")
        loaded = Checkpoint.load(tmp_path).build()
        assert is_tied(loaded)
        token, hidden = 7, torch.randn(1, 1, HIDDEN)
        before = loaded.head(hidden)
        with torch.no_grad():
            loaded.encoder.weight[token] += 1.0
        changed = (loaded.head(hidden) != before)[0, 0].nonzero().flatten().tolist()
        assert changed == [token]

    def test_stored_once(self, model):
        assert TIED not in weights_of(model)
        assert "encoder.weight" in weights_of(model)

    def test_gradient_comes_from_both_ends(self, model):
        ids = torch.tensor([[5]])
        model(ids)[0][0, 0, 9].backward()
        touched = model.encoder.weight.grad.abs().sum(dim=1).nonzero().flatten().tolist()
        assert touched == [5, 9]

    def test_projection_only_where_sizes_differ(self, config, model):
        names = {name for name, _ in model.head.named_parameters()}
        assert ("projection.weight" in names) == (config.embedding_size is not None)


class TestLikelihood:
    def test_probabilities_sum_to_one(self, model):
        logits, _ = model(torch.randint(VOCABULARY, (2, 6)))
        nats = torch.stack([model.head.nats(logits, torch.full((2, 6), t)) for t in range(VOCABULARY)])
        np.testing.assert_allclose((-nats.double()).exp().sum(dim=0).detach(), 1, atol=1e-5)

    def test_nats_are_minus_log_softmax(self, model):
        ids, targets = torch.randint(VOCABULARY, (2, 3, 6))
        logits, _ = model(ids)
        nats = model.head.nats(logits, targets)
        assert nats.shape == (3, 6)
        for b in range(3):
            for t in range(6):
                row = logits[b, t].double().tolist()
                expected = math.log(sum(map(math.exp, row))) - row[targets[b, t]]
                assert nats[b, t].item() == pytest.approx(expected, abs=1e-5)

    def test_half_precision_logits_are_scored_in_full(self):
        logits = torch.tensor([[[8.0, 0.0, -8.0]]], dtype=torch.bfloat16)
        nats = CategoricalHead.nats(logits, torch.tensor([[0]]))
        assert nats.dtype == torch.float32
        assert nats.item() == pytest.approx(math.log1p(math.exp(-8) + math.exp(-16)), rel=1e-3)


class TestEmbeddingDropout:
    def test_whole_tokens_are_silenced(self):
        torch.manual_seed(0)
        embedding = TokenEmbedding(VOCABULARY, HIDDEN, dropout=0.5).train()
        ids = torch.arange(VOCABULARY).repeat(2, 1)
        vectors = embedding(ids)
        silent = (vectors == 0).all(dim=-1)
        assert 0.35 < silent.float().mean() < 0.65
        assert torch.equal(silent[0], silent[1])  # a token is silent wherever it stands
        kept = ~silent[0]
        torch.testing.assert_close(vectors[0, kept], 2 * HIDDEN**0.5 * embedding.weight[kept])

    def test_identity_when_evaluating(self):
        embedding = TokenEmbedding(VOCABULARY, HIDDEN, dropout=0.5).eval()
        assert torch.equal(embedding(torch.arange(VOCABULARY)), embedding.weight * HIDDEN**0.5)

    @pytest.mark.parametrize("features", [4, 64, 256])
    def test_vectors_begin_at_variance_one_and_logits_too(self, features):
        torch.manual_seed(0)
        embedding = TokenEmbedding(VOCABULARY, features)
        assert embedding(torch.arange(VOCABULARY)).std().item() == pytest.approx(1, abs=0.1)
        logits = CategoricalHead(features, embedding)(torch.randn(50, 10, features))
        assert logits.std().item() == pytest.approx(1, abs=0.1)

    def test_the_head_is_not_silenced(self):
        embedding = TokenEmbedding(VOCABULARY, HIDDEN, dropout=0.9).train()
        head = CategoricalHead(HIDDEN, embedding).train()
        assert (head(torch.ones(1, 1, HIDDEN)) != 0).all()
