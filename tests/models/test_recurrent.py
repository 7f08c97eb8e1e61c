"""The recurrent layers: how they begin, what locked dropout does, and that they compute what the formulas say."""

import pytest
import torch

from seqaudio.models.recurrent import GATES, LockedDropout, RecurrentStack, make_layer

CELLS = ("rnn", "gru", "lstm")
INPUTS, HIDDEN = 5, 8


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        yield


@pytest.mark.parametrize("cell", CELLS)
class TestInitialisation:
    def test_each_gate_has_an_orthogonal_recurrent_matrix(self, cell):
        matrix = make_layer(cell, INPUTS, HIDDEN).weight_hh_l0
        gates = matrix.split(HIDDEN)
        assert len(gates) == GATES[cell] == {"rnn": 1, "gru": 3, "lstm": 4}[cell]
        for gate in gates:
            torch.testing.assert_close(gate @ gate.T, torch.eye(HIDDEN), rtol=0, atol=1e-5)

    def test_gates_are_drawn_one_by_one(self, cell):
        layer = make_layer(cell, INPUTS, HIDDEN)
        bound = (6 / (INPUTS + HIDDEN)) ** 0.5  # Glorot & Bengio 2010, for one gate's matrix
        for gate in layer.weight_ih_l0.split(HIDDEN):
            assert 0.7 * bound < gate.abs().max() <= bound

    def test_only_the_forget_gate_has_a_bias(self, cell):
        layer = make_layer(cell, INPUTS, HIDDEN)
        expected = torch.zeros(GATES[cell], HIDDEN)
        if cell == "lstm":
            expected[1] = 1.0  # torch's order: input, forget, cell, output
        assert torch.equal((layer.bias_ih_l0 + layer.bias_hh_l0).reshape(GATES[cell], HIDDEN), expected)


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

    def test_dropout_stands_behind_every_layer(self):
        """A unit silenced behind layer 1 reaches nothing of layer 2; behind the last, it is zero in the outputs."""
        stack = RecurrentStack("gru", INPUTS, HIDDEN, 2, dropout=0.5).train()
        seen = []
        handle = stack.layers[1].register_forward_pre_hook(lambda layer, arguments: seen.append(arguments[0]))
        outputs, state = stack(torch.randn(3, 7, INPUTS), stack.initial_state(3))
        handle.remove()
        for values in (seen[0], outputs):
            silent = (values == 0).all(dim=1)  # (batch, hidden)
            assert silent.any()
            assert (values != 0).any(dim=1)[~silent].all()
        assert (state[0] != 0).all()  # the state itself is not silenced

    def test_dtype_is_kept(self):
        assert LockedDropout(0.5).train()(torch.ones(1, 2, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16


def slow_rnn(x, state, w_ih, w_hh, b_ih, b_hh):
    h = torch.tanh(w_ih @ x + b_ih + w_hh @ state[0] + b_hh)
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
@pytest.mark.parametrize(("cell", "slow"), [("rnn", slow_rnn), ("gru", slow_gru), ("lstm", slow_lstm)])
@torch.no_grad()
def test_fused_kernels_compute_the_formulas(cell, slow, layers):
    stack = RecurrentStack(cell, INPUTS, HIDDEN, layers).double()
    for name, parameter in stack.named_parameters():
        if "bias" in name:
            parameter.normal_()  # a bias of zero would hide where it is added
    inputs = torch.randn(2, 6, INPUTS, dtype=torch.float64)
    state = tuple(torch.randn_like(part) for part in stack.initial_state(2))
    outputs, end = stack(inputs, state)
    for row in range(2):
        sequence = list(inputs[row])
        for number, layer in enumerate(stack.layers):
            now = tuple(part[number, row] for part in state)
            for t, x in enumerate(sequence):
                sequence[t], now = slow(
                    x, now, layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0
                )
            for part, expected in zip(end, now, strict=True):
                torch.testing.assert_close(part[number, row], expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(outputs[row], torch.stack(sequence), rtol=0, atol=1e-12)


def test_outputs_behind_the_lengths_are_zero():
    stack = RecurrentStack("lstm", INPUTS, HIDDEN, 2)
    outputs, _ = stack(torch.randn(2, 5, INPUTS), stack.initial_state(2), torch.tensor([5, 2]))
    assert (outputs[1, 2:] == 0).all()
    assert (outputs[1, :2] != 0).all()
    assert outputs.shape == (2, 5, HIDDEN)
