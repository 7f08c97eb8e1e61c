"""The recurrent layers: how they begin, what locked dropout does, and that they compute what the formulas say."""

import pytest
import torch

from seqaudio.models import fused, recurrent
from seqaudio.models.cells import CELLS, FUSED, GATES
from seqaudio.models.dropout import LockedDropout
from seqaudio.models.recurrent import RecurrentStack

ORTHOGONAL = ("rnn", "gru", "lstm", "lnlstm")
INPUTS, HIDDEN = 5, 8


def layer_of(cell, inputs=INPUTS, hidden=HIDDEN, **options):
    return RecurrentStack(cell, inputs, hidden, 1, **options).layers[0]


def bias_of(layer):
    """The bias of all gates (gates, hidden): what torch keeps in two parts added up."""
    return sum(value for name, value in layer.named_parameters() if name.startswith("bias")).unflatten(0, (-1, HIDDEN))


pytestmark = pytest.mark.usefixtures("seeded")


class TestInitialisation:
    @pytest.mark.parametrize("cell", ORTHOGONAL)
    def test_each_gate_has_an_orthogonal_recurrent_matrix(self, cell):
        matrix = layer_of(cell).weight_hh_l0
        gates = matrix.split(HIDDEN)
        assert len(gates) == GATES[cell] == {"rnn": 1, "gru": 3, "lstm": 4, "lnlstm": 4}[cell]
        for gate in gates:
            torch.testing.assert_close(gate @ gate.T, torch.eye(HIDDEN), rtol=0, atol=1e-5)

    @pytest.mark.parametrize("cell", ORTHOGONAL)
    def test_gates_are_drawn_one_by_one(self, cell):
        layer = layer_of(cell)
        bound = (6 / (INPUTS + HIDDEN)) ** 0.5  # Glorot & Bengio 2010, for one gate's matrix
        for gate in layer.weight_ih_l0.split(HIDDEN):
            assert 0.7 * bound < gate.abs().max() <= bound

    @pytest.mark.parametrize("cell", CELLS)
    def test_only_the_forget_gate_has_a_bias(self, cell):
        expected = torch.zeros(GATES[cell], HIDDEN)
        if cell in ("lstm", "lnlstm"):
            expected[1] = 1.0  # torch's order: input, forget, cell, output
        assert torch.equal(bias_of(layer_of(cell)), expected)

    def test_an_irnn_begins_by_keeping_everything(self):
        """Le, Jaitly & Hinton 2015: the identity behind small inputs, so the state is the sum of what was heard."""
        stack = RecurrentStack("irnn", 64, 64, 1)
        layer = stack.layers[0]
        assert torch.equal(layer.weight_hh_l0, torch.eye(64))
        assert 0.8e-3 < layer.weight_ih_l0.std() < 1.2e-3
        heard = torch.randn(1, 1, 64)
        silence = torch.zeros(1, 500, 64)
        outputs, _ = stack(torch.cat([heard, silence], dim=1), stack.initial_state(1))
        assert (outputs[0, 0] > 0).any()
        assert torch.equal(outputs[0], outputs[0, :1].expand(501, 64))


class TestLockedDropout:
    def test_one_mask_for_all_steps(self):
        dropout = LockedDropout(0.5).train()
        outputs = dropout(torch.ones(3, 40, 16))
        assert torch.equal(outputs, outputs[:, :1].expand_as(outputs))
        assert set(outputs.unique().tolist()) == {0.0, 2.0}

    def test_every_row_and_call_has_its_own_mask(self):
        dropout = LockedDropout(0.5).train()
        one, two = dropout(torch.ones(2, 3, 64)), dropout(torch.ones(2, 3, 64))
        assert not torch.equal(one[0], one[1])
        assert not torch.equal(one, two)

    @pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
    def test_expectation_is_kept(self, rate):
        count = 40_000
        outputs = LockedDropout(rate).train()(torch.ones(count // 10, 1, 10))
        error = (rate / (1 - rate) / count) ** 0.5  # standard error of the mean of a scaled Bernoulli
        assert abs(outputs.mean().item() - 1) < 5 * error

    def test_identity_when_evaluating_or_off(self):
        inputs = torch.randn(2, 3, 4)
        assert torch.equal(LockedDropout(0.9).eval()(inputs), inputs)
        assert torch.equal(LockedDropout(0.0).train()(inputs), inputs)

    def test_no_gradient_through_what_is_silenced(self):
        inputs = torch.ones(4, 5, 6, requires_grad=True)
        outputs = LockedDropout(0.5).train()(inputs)
        outputs.sum().backward()
        assert torch.equal(inputs.grad, outputs.detach())

    @pytest.mark.parametrize("cell", ["gru", "lnlstm"])
    @pytest.mark.parametrize(
        ("rates", "silenced"),
        [
            ({"dropout": 0.5}, [False, True, True]),
            ({"dropout": 0.5, "layer_dropout": 0.0}, [False, False, True]),
            ({"layer_dropout": 0.5}, [False, True, False]),
            ({"input_dropout": 0.5}, [True, False, False]),
        ],
    )
    def test_where_dropout_stands(self, monkeypatch, cell, rates, silenced):
        """What layers 1 and 2 are given, and the outputs: a silenced unit is zero at all steps, others are not."""
        seen = []
        name = "run_fused" if cell == "gru" else "run_stepwise"
        run = getattr(recurrent, name)
        monkeypatch.setattr(recurrent, name, lambda *arguments: seen.append(arguments[3]) or run(*arguments))
        stack = RecurrentStack(cell, INPUTS, HIDDEN, 2, **rates).train()
        outputs, state = stack(torch.randn(4, 7, INPUTS), stack.initial_state(4))
        assert len(seen) == 2
        for values, is_silenced in zip((*seen, outputs), silenced, strict=True):
            silent = (values == 0).all(dim=1)  # (batch, features)
            assert silent.any() == is_silenced
            assert (values != 0).any(dim=1)[~silent].all()
        assert (state[0] != 0).all()  # the state itself is not silenced

    def test_dtype_is_kept(self):
        assert LockedDropout(0.5).train()(torch.ones(1, 2, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16


def slow_rnn(x, state, w_ih, w_hh, b_ih, b_hh):
    h = torch.tanh(w_ih @ x + b_ih + w_hh @ state[0] + b_hh)
    return h, (h,)


def slow_irnn(x, state, w_ih, w_hh, b_ih, b_hh):
    h = torch.clamp(w_ih @ x + b_ih + w_hh @ state[0] + b_hh, min=0)
    return h, (h,)


def slow_gru(x, state, w_ih, w_hh, b_ih, b_hh):
    (h,) = state
    from_input, from_hidden = (w_ih @ x + b_ih).chunk(3), (w_hh @ h + b_hh).chunk(3)
    reset = torch.sigmoid(from_input[0] + from_hidden[0])
    update = torch.sigmoid(from_input[1] + from_hidden[1])
    new = torch.tanh(from_input[2] + reset * from_hidden[2])
    h = (1 - update) * new + update * h
    return h, (h,)


def slow_lstm(x, state, w_ih, w_hh, b_ih, b_hh):
    h, c = state
    i, f, g, o = (w_ih @ x + b_ih + w_hh @ h + b_hh).chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
    return h, (h, c)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("zoneout", [0.0, 0.3])
@pytest.mark.parametrize("cell", CELLS)
@torch.no_grad()
def test_cells_compute_the_formulas(cell, zoneout, residual, layers):
    """Against the published equations, one row, step and gate at a time; zoneout in expectation, as when evaluating."""
    slow = {"rnn": slow_rnn, "irnn": slow_irnn, "gru": slow_gru, "lstm": slow_lstm, "lnlstm": slow_lnlstm}[cell]
    rates = (zoneout, 0.4 if zoneout and cell in ("lstm", "lnlstm") else 0.0)
    stack = (
        RecurrentStack(cell, INPUTS, HIDDEN, layers, zoneout=rates[0], zoneout_cell=rates[1], residual=residual)
        .double()
        .eval()
    )
    for name, parameter in stack.named_parameters():
        if "bias" in name or "gain" in name or "norm" in name or cell == "irnn":
            parameter.normal_(std=0.5)  # a bias of zero would hide where it is added
    inputs = torch.randn(2, 6, INPUTS, dtype=torch.float64)
    state = tuple(torch.randn_like(part) for part in stack.initial_state(2))
    outputs, end = stack(inputs, state)
    for row in range(2):
        sequence = list(inputs[row])
        for number, layer in enumerate(stack.layers):
            now = tuple(part[number, row] for part in state)
            for t, x in enumerate(sequence):
                _, after = slow(x, now, *layer.parameters())
                now = tuple(z * old + (1 - z) * new for z, old, new in zip(rates, now, after, strict=False))
                sequence[t] = x + now[0] if residual and number > 0 else now[0]
            for part, expected in zip(end, now, strict=True):
                torch.testing.assert_close(part[number, row], expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(outputs[row], torch.stack(sequence), rtol=0, atol=1e-12)


def slow_norm(x, gain, shift=0.0):
    return gain * (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt() + shift


def slow_lnlstm(x, state, w_ih, w_hh, bias, gain_ih, gain_hh, gain, shift):
    h, c = state
    i, f, g, o = (
        slow_norm(a @ x, gain_a) + slow_norm(b @ h, gain_b) + shift_ab
        for a, b, gain_a, gain_b, shift_ab in zip(
            w_ih.chunk(4), w_hh.chunk(4), gain_ih, gain_hh, bias.chunk(4), strict=True
        )
    )
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(slow_norm(c, gain, shift))
    return h, (h, c)


@pytest.mark.parametrize("cell", FUSED)
def test_stepwise_is_fused(cell):
    """Values and all gradients, so a cell with zoneout is that cell; a rate next to nothing turns the kernels off."""
    stack = RecurrentStack(cell, INPUTS, HIDDEN, 2)
    stepwise = RecurrentStack(cell, INPUTS, HIDDEN, 2, zoneout=1e-12).eval()
    stepwise.load_state_dict(stack.state_dict())
    inputs, lengths = torch.randn(3, 20, INPUTS), torch.tensor([20, 7, 1])
    for real in (None, lengths):
        found = []
        for one in (stack.eval(), stepwise):
            outputs, end = one(inputs, tuple(part + 0.3 for part in one.initial_state(3)), real)
            (outputs.square().sum() + sum(part.sum() for part in end)).backward()
            found.append([outputs, *end, *(parameter.grad for parameter in one.parameters())])
            one.zero_grad()
        for ours, expected in zip(*found, strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_half_precision_is_near(cell):
    """Under bf16 autocast: outputs within its 8 bits, and a state in full precision where the loop is ours."""
    stack = RecurrentStack(cell, INPUTS, HIDDEN, 2, zoneout=0.1).eval()
    inputs = torch.randn(3, 20, INPUTS)
    expected, _ = stack(inputs, stack.initial_state(3))
    with torch.autocast("cpu", torch.bfloat16):
        outputs, end = stack(inputs, stack.initial_state(3))
    torch.testing.assert_close(outputs.float(), expected, rtol=0.05, atol=0.05)
    assert all(part.dtype == torch.float32 for part in end)


def test_looking_for_an_lstm_in_bf16_draws_nothing():
    before = torch.get_rng_state()
    fused.has_bf16_lstm.cache_clear()
    fused.has_bf16_lstm()
    assert torch.equal(torch.get_rng_state(), before)


def test_where_the_cpu_has_no_lstm_in_bf16_it_is_run_in_full(monkeypatch):
    monkeypatch.setattr(fused, "has_bf16_lstm", lambda: False)
    stack, inputs = RecurrentStack("lstm", INPUTS, HIDDEN, 2).eval(), torch.randn(3, 20, INPUTS)
    expected, _ = stack(inputs, stack.initial_state(3))
    with torch.autocast("cpu", torch.bfloat16):
        outputs, end = stack(inputs, stack.initial_state(3))
    assert {part.dtype for part in (outputs, *end)} == {torch.float32}
    assert torch.equal(outputs, expected)


@pytest.mark.parametrize("cell", FUSED)
@pytest.mark.parametrize("steps", [1, 4, 8, 9])
def test_long_sequences_are_read_in_parts_and_learnt_from_as_a_whole(monkeypatch, cell, steps):
    found = []
    for most in (100, 4):
        monkeypatch.setattr(fused, "MOST_STEPS", most)
        torch.manual_seed(2)
        stack = RecurrentStack(cell, INPUTS, HIDDEN, 2, dropout=0.3, weight_drop=0.3)
        inputs = torch.randn(3, steps, INPUTS, requires_grad=True)
        outputs, state = stack(inputs, stack.initial_state(3))
        (outputs[:, -1].sum() + sum(part.square().sum() for part in state)).backward()
        found.append([outputs, *state, inputs.grad, *(parameter.grad for parameter in stack.parameters())])
    assert found[0][-1].abs().max() > 0
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_outputs_behind_the_lengths_are_zero(cell):
    stack = RecurrentStack(cell, INPUTS, HIDDEN, 2)
    outputs, _ = stack(torch.randn(2, 5, INPUTS), stack.initial_state(2), torch.tensor([5, 2]))
    assert (outputs[1, 2:] == 0).all()
    assert (outputs[1, :2] != 0).any(dim=-1).all()  # each step, if not each unit of an IRNN
    assert outputs.shape == (2, 5, HIDDEN)


@pytest.mark.parametrize("cell", ["rnn", "irnn", "gru"])
@torch.no_grad()
def test_autocast_on_a_cpu_leaves_the_state_its_digits(cell):
    layer = RecurrentStack(cell, 5, 6, 2)
    inputs = torch.randn(3, 40, 5)
    outputs, state = layer(inputs, layer.initial_state(3))
    with torch.autocast("cpu", torch.bfloat16):
        found, found_state = layer(inputs, layer.initial_state(3))
    assert torch.equal(found, outputs)
    assert all(torch.equal(one, other) for one, other in zip(found_state, state, strict=True))
