"""Models of equal size: counted by hand, and found for every cell."""

import pytest
import torch
from torch import nn

from seqaudio.errors import OptionError
from seqaudio.models.cells import CELLS
from seqaudio.models.config import ModelConfig, build_model
from seqaudio.models.recurrent import RecurrentStack
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.models.size import count_parameters, matched_hidden_size

VOCABULARY = 50


def build(config):
    return build_model(config, VOCABULARY)


def by_hand(cell, inputs, hidden, layers):
    """Parameters of the recurrent layers, by the sizes of their matrices and vectors."""
    gates = {"rnn": 1, "irnn": 1, "gru": 3, "lstm": 4, "lnlstm": 4}[cell]
    vectors = 3 * gates + 2 if cell == "lnlstm" else 2 * gates
    return sum(
        gates * hidden * ((inputs if layer == 0 else hidden) + hidden) + vectors * hidden for layer in range(layers)
    )


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_counts_are_those_by_hand(cell, layers):
    model = build(ModelConfig(cell=cell, hidden_size=20, layers=layers, embedding_size=12))
    expected = by_hand(cell, 12, 20, layers) + VOCABULARY * 12 + 20 * 12 + 12 + VOCABULARY  # the tied matrix once
    assert count_parameters(model) == expected
    model.head.bias.requires_grad_(False)
    assert count_parameters(model) == expected - VOCABULARY


@pytest.mark.parametrize("embedding", [None, 64])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_the_nearest_size_is_found(cell, layers, embedding):
    config = ModelConfig(cell=cell, layers=layers, embedding_size=embedding)
    for wanted in (100_000, 1_000_000):
        size = matched_hidden_size(config, wanted, build)
        counts = {
            near: count_parameters(build(config.model_copy(update={"hidden_size": near})))
            for near in ((size - 1, size, size + 1) if wanted < 1_000_000 else (size,))
        }
        assert abs(counts[size] - wanted) <= 0.02 * wanted
        assert min(counts, key=lambda near: abs(counts[near] - wanted)) == size


def test_sizes_of_the_field():
    """One layer with 88 in and out: an LSTM of 200 is as large as an RNN of about 418 (counting one bias per gate)."""

    def frames(config):
        stack = RecurrentStack(config.cell, 88, config.hidden_size, 1)
        return SequenceModel(nn.Identity(), stack, nn.Linear(config.hidden_size, 88))

    lstm = count_parameters(frames(ModelConfig(cell="lstm", hidden_size=200)))
    assert lstm == 249_688
    size = matched_hidden_size(ModelConfig(cell="rnn"), lstm, frames)
    assert abs(size - 418) <= 1


@pytest.mark.parametrize("fixed", [0, 10**6, 10**8])
@pytest.mark.parametrize("slope", [0, 1, 8])
@pytest.mark.parametrize("size", [3, 400, 8000])
def test_a_size_is_found_in_few_counts(fixed, slope, size):
    """Whatever of a model does not grow with it, such as the embedding of a large vocabulary; slope 0: nothing does."""
    counted = []

    def laid_out(config):
        counted.append(config.hidden_size)
        return nn.Linear(slope * config.hidden_size**2 + fixed + 1, 1, bias=False)

    found = matched_hidden_size(ModelConfig(), slope * size**2 + fixed + 1, laid_out)
    assert found == size or not slope
    assert len(counted) <= 24


def test_nothing_random_is_drawn():
    stream = torch.get_rng_state()
    matched_hidden_size(ModelConfig(), 500_000, build)
    assert torch.equal(torch.get_rng_state(), stream)


@pytest.mark.parametrize("wanted", [1, 10**12])
def test_out_of_reach(wanted):
    with pytest.raises(
        OptionError, match=rf"{wanted} parameters: the nearest lstm of 2 layers has \d+, with \d+ units"
    ):
        matched_hidden_size(ModelConfig(), wanted, build)
