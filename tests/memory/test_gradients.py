"""Norms of one backward pass for all lags: those of one backward pass each, and of cells whose answer is known."""

import math

import numpy as np
import pytest
import torch

from seqaudio.errors import NoNotesError, OptionError
from seqaudio.memory.fading import fading, ratio_words
from seqaudio.memory.gradients import fewest_steps, gradient_norms
from seqaudio.models.baselines import NGram
from seqaudio.models.config import MemoryConfig, ModelConfig, make_memory
from tests.samples import MELODY, random_model

WORDS = len(MELODY.vocabulary)
IDS = np.random.default_rng(1).integers(0, WORDS, 20)
FRAMES = np.random.default_rng(2).random((18, 88)) < 0.1
REMEMBERING = {"memory": MemoryConfig(lags=(1, 2), counters=(2, 4), features=5)}
LAGS = 6


def made(cell, **options):
    """A model of few units, and its memory."""
    config = ModelConfig(cell=cell, hidden_size=9, **{"layers": 2, "dropout": 0.4, **options})
    if config.of_frames:
        return random_model(config, keys=88, seed=3, scale=2.0), make_memory(config)
    return random_model(config, WORDS, seed=3, scale=2.0), make_memory(config, MELODY.vocabulary)


def norm_of_one(model, memory, piece, t, lag):
    """One step at a time from the start, and one backward pass, to the state behind step t - lag: (layers, parts)."""
    heard = torch.from_numpy(memory.heard(piece) if memory else piece)
    state = model.initial_state(1)
    for step in range(t + 1):
        if step == t - lag + 1:
            state = asked = tuple(part.detach().requires_grad_() for part in state)
        outputs, state = model.step(heard[step][None], state)
    loss = model.nats(outputs[:, None], torch.from_numpy(piece[t + 1 : t + 2])[None])
    gradients = torch.autograd.grad(loss.sum(), asked)
    return torch.stack([gradient[:, 0].double().norm(dim=-1) for gradient in gradients], dim=1).numpy()


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("rnn", {}),
        ("irnn", {"residual": True}),
        ("gru", {"layers": 1, "embedding_size": 5}),
        ("lstm", {"residual": True, "zoneout": 0.2}),
        ("lstm", REMEMBERING),
        ("lnlstm", {}),
        ("lstm", {"head": "bernoulli"}),
        ("gru", {"head": "notes", **REMEMBERING}),
    ],
)
def test_norms_are_those_of_one_backward_pass_for_each_step_and_lag(cell, options):
    model, memory = made(cell, **options)
    piece = FRAMES if options.get("head") else IDS
    found = gradient_norms(model, piece, memory, lags=LAGS, targets=4)
    ends = np.linspace(LAGS, len(piece) - 2, 4).round().astype(int).tolist()
    layers, parts = options.get("layers", 2), 2 if "lstm" in cell else 1
    assert found.shape == (4, LAGS, layers, parts)
    for place, t in enumerate(ends):
        for lag in range(1, LAGS + 1):
            slow = norm_of_one(model, memory, piece, t, lag)
            assert found[place, lag - 1] == pytest.approx(slow, rel=1e-3, abs=1e-9)
    assert found.max() > 1e-4


def test_the_last_steps_can_be_asked_for():
    model, memory = made("gru")
    found = gradient_norms(model, IDS, memory, lags=LAGS, targets=2, at_end=True)
    for place, t in enumerate((len(IDS) - 3, len(IDS) - 2)):
        assert found[place, 2] == pytest.approx(norm_of_one(model, memory, IDS, t, 3), rel=1e-3)


def test_the_model_is_left_as_it_was():
    model, _ = made("lstm")
    model.train()
    model.encoder.weight.requires_grad_(False)
    before = {name: (weight.requires_grad, weight.clone()) for name, weight in model.named_parameters()}
    gradient_norms(model, IDS, lags=LAGS)
    assert model.training
    for name, weight in model.named_parameters():
        assert weight.grad is None
        assert weight.requires_grad == before[name][0]
        assert torch.equal(weight, before[name][1])


def test_what_comes_later_changes_nothing():
    model, memory = made("lstm", **REMEMBERING)
    other = IDS.copy()
    other[LAGS + 2 :] = (other[LAGS + 2 :] + 5) % WORDS
    first, second = (gradient_norms(model, piece, memory, lags=LAGS, targets=1) for piece in (IDS, other))
    assert first == pytest.approx(second, rel=1e-5)
    other[LAGS + 1] = (other[LAGS + 1] + 5) % WORDS  # the step that is predicted itself
    assert gradient_norms(model, other, memory, lags=LAGS, targets=1) != pytest.approx(first, rel=1e-3)


def one_layer(cell, recurrent, from_inputs=None, bias=None):
    """A model of one layer of 9 units with these weights."""
    model, _ = made(cell, layers=1)
    layer = model.stack.layers[0]
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.as_tensor(recurrent, dtype=torch.float32))
        if from_inputs is not None:
            layer.weight_ih_l0.copy_(torch.as_tensor(from_inputs, dtype=torch.float32))
        if bias is not None:
            layer.bias_ih_l0.copy_(torch.as_tensor(bias, dtype=torch.float32))
            layer.bias_hh_l0.zero_()
    return model


@pytest.mark.parametrize(
    ("scale", "life"), [(1.0, math.inf), (0.5, 2.0), (0.9, 1 + math.log(0.5) / math.log(0.9)), (1.1, math.inf)]
)
def test_a_linear_layer_with_an_orthogonal_matrix_scales_the_norm_alone(scale, life):
    """ReLU units that are never shut, as a permutation of positive states is positive, are a linear layer."""
    permutation = np.eye(9)[np.random.default_rng(0).permutation(9)]
    model = one_layer("irnn", scale * permutation, np.zeros((9, 9)), np.ones(9))
    norms = gradient_norms(model, IDS, lags=12)
    assert norms.min() > 0
    assert (norms / norms[:, :1])[:, :, 0, 0] == pytest.approx(np.tile(scale ** np.arange(12), (7, 1)), rel=1e-4)
    assert fading([norms], ("h",))[0].half_life == pytest.approx(life, rel=1e-3)


@pytest.mark.parametrize("cell", ["rnn", "irnn"])
def test_without_recurrent_weights_no_state_is_asked(cell):
    """What step t says comes from its own input, so no state that enters it or an earlier one matters."""
    norms = gradient_norms(one_layer(cell, np.zeros((9, 9))), IDS, lags=LAGS)
    assert norms.shape == (13, LAGS, 1, 1)
    assert not norms.any()
    assert fading([norms], ("h",))[0].half_life == 1.0


def test_a_state_is_asked_no_further_back_than_the_recurrent_weights_reach():
    """A unit hands on to the next alone, so beyond as many steps as there are units nothing is left."""
    model = one_layer("rnn", np.eye(9, k=-6))  # units 0, 1, 2 to 6, 7, 8, which hand on to nobody
    norms = gradient_norms(model, IDS, lags=LAGS)
    assert norms[:, 0].min() > 0
    assert not norms[:, 1:].any()


def test_the_cell_of_an_lstm_fades_by_its_forget_gate():
    """Without recurrent weights and with a forget gate that hears nothing, d c_t / d c_(t-k) is its value to the k."""
    forget = 0.9
    weights = np.random.default_rng(4).normal(size=(36, 9))
    weights[9:18] = 0
    bias = np.zeros(36)
    bias[9:18] = math.log(forget / (1 - forget))
    norms = gradient_norms(one_layer("lstm", np.zeros((36, 9)), weights, bias), IDS, lags=12)
    assert not norms[..., 0].any()
    of_cell = norms[:, :, 0, 1]
    assert of_cell / of_cell[:, :1] == pytest.approx(np.tile(forget ** np.arange(12), (7, 1)), rel=1e-4)
    _, of_h, of_c = fading([norms], ("h", "c"))
    assert of_c.half_life == pytest.approx(1 + math.log(0.5) / math.log(forget), rel=1e-3)
    assert of_h.half_life == 1.0


def test_what_fades_below_float32_is_still_told():
    norms = gradient_norms(one_layer("irnn", 1e-5 * np.eye(9), np.zeros((9, 9)), np.ones(9)), IDS, lags=9)
    assert np.log10(norms[0, 8, 0, 0] / norms[0, 0, 0, 0]) == pytest.approx(-40, abs=0.5)


def test_errors_say_what_is_needed():
    model, _ = made("rnn")
    assert fewest_steps(18) == len(IDS)
    assert gradient_norms(model, IDS, lags=18).shape[0] == 1
    with pytest.raises(NoNotesError, match="20 steps, and 19 lags need 21"):
        gradient_norms(model, IDS, lags=19)
    with pytest.raises(OptionError, match="0 lags and 3 targets"):
        gradient_norms(model, IDS, lags=0, targets=3)
    with pytest.raises(OptionError, match="NGram has no recurrent state that can be reached"):
        gradient_norms(NGram(2, WORDS), IDS)


def test_a_ratio_is_shown_with_what_can_be_read_of_it():
    assert [ratio_words(ratio) for ratio in (1.314, 0.01, 0.0034, 2e-12, 1e-30)] == [
        "1.31",
        "0.01",
        "3e-3",
        "2e-12",
        "0",
    ]
