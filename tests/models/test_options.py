"""What the options of the recurrent layers do while a model is trained, how gates begin, and who may ask for what."""

import itertools

import pytest
import torch
from torch import nn

from seqaudio.errors import OptionError
from seqaudio.models.cells import CELLS, FUSED, WITH_CELL_STATE, WITH_FORGETTING
from seqaudio.models.config import ModelConfig, build_model
from seqaudio.models.dropout import WeightDrop, Zoneout
from seqaudio.models.fused import first_bias
from seqaudio.models.recurrent import RecurrentStack

INPUTS, HIDDEN, BATCH, TIME = 5, 8, 3, 6


pytestmark = pytest.mark.usefixtures("seeded")


def run(stack, seed, inputs, lengths=None):
    torch.manual_seed(seed)
    return stack(inputs, tuple(part + 0.5 for part in stack.initial_state(len(inputs))), lengths)


class TestWeightDrop:
    @pytest.mark.parametrize("rate", [0.2, 0.5])
    def test_expectation_is_kept(self, rate):
        matrix = torch.ones(200, 200)
        dropped = WeightDrop(rate).train()(matrix)
        assert dropped.unique().tolist() == pytest.approx([0.0, 1 / (1 - rate)])
        error = (rate / (1 - rate) / matrix.numel()) ** 0.5  # standard error of the mean of a scaled Bernoulli
        assert abs(dropped.mean().item() - 1) < 5 * error
        assert WeightDrop(rate).eval()(matrix) is matrix

    @pytest.mark.parametrize("cell", CELLS)
    def test_one_mask_for_all_rows_and_steps_of_a_call(self, cell):
        """The call equals one with the matrix dropped by hand, also where rows are padded."""
        stack = RecurrentStack(cell, INPUTS, HIDDEN, 1, weight_drop=0.5).train()
        inputs = torch.randn(BATCH, TIME, INPUTS)
        matrix = stack.layers[0].weight_hh_l0
        for lengths in (None, torch.tensor([2, 6, 4])):
            found, end = run(stack, 3, inputs, lengths)
            kept = matrix.detach().clone()
            torch.manual_seed(3)
            by_hand = WeightDrop(0.5).train()(kept)
            assert (by_hand == 0).any()
            with torch.no_grad():
                matrix.copy_(by_hand)
                expected, expected_end = run(stack.eval(), 3, inputs, lengths)
                matrix.copy_(kept)
            torch.testing.assert_close(found, expected)
            torch.testing.assert_close(end, expected_end)
            assert not torch.equal(run(stack.train(), 4, inputs, lengths)[0], found)

    def test_only_the_recurrent_matrix_is_dropped(self):
        """With a state of zeros, the first step hears nothing of it."""
        stack = RecurrentStack("lstm", INPUTS, HIDDEN, 1, weight_drop=0.9).train()
        inputs = torch.randn(BATCH, 2, INPUTS)
        one, two = (stack(inputs, stack.initial_state(BATCH))[0] for _ in range(2))
        assert torch.equal(one[:, 0], two[:, 0])
        assert not torch.equal(one[:, 1], two[:, 1])

    @pytest.mark.parametrize("cell", CELLS)
    def test_no_gradient_through_what_is_dropped(self, cell):
        stack = RecurrentStack(cell, INPUTS, HIDDEN, 1, weight_drop=0.5).train()
        outputs, _ = run(stack, 5, torch.randn(BATCH, TIME, INPUTS).abs())
        outputs.square().sum().backward()
        torch.manual_seed(5)
        dropped = WeightDrop(0.5).train()(torch.ones_like(stack.layers[0].weight_hh_l0)) == 0
        gradient = stack.layers[0].weight_hh_l0.grad
        assert (gradient[dropped] == 0).all()
        assert (gradient[~dropped] != 0).any()


class TestZoneout:
    @pytest.mark.parametrize("rate", [0.1, 0.7])
    def test_units_are_kept_at_this_rate(self, rate):
        before, after = torch.zeros(200, 200), torch.ones(200, 200)
        (found,) = Zoneout((rate,)).train()((before,), (after,))
        assert set(found.unique().tolist()) == {0.0, 1.0}
        assert abs(found.mean().item() - (1 - rate)) < 5 * (rate * (1 - rate) / found.numel()) ** 0.5
        (expected,) = Zoneout((rate,)).eval()((before,), (after,))
        torch.testing.assert_close(expected, torch.full_like(after, 1 - rate))

    @pytest.mark.parametrize("cell", CELLS)
    def test_kept_units_hold_their_value_step_by_step(self, cell):
        """As many units stay as they were as the rate says; each row, step and unit has its own chance."""
        stack = RecurrentStack(cell, 32, 64, 1, zoneout=0.4).train()
        if cell == "irnn":
            nn.init.uniform_(stack.layers[0].weight_ih_l0)  # no unit is silent of itself
        outputs, _ = run(stack, 6, torch.randn(8, 50, 32).abs())
        held = outputs[:, 1:] == outputs[:, :-1]
        assert abs(held.float().mean().item() - 0.4) < 0.02
        for dim in range(3):
            mixed = held.any(dim=dim) & ~held.all(dim=dim)
            assert mixed.float().mean() > 0.95

    @pytest.mark.parametrize("cell", WITH_CELL_STATE)
    def test_cell_and_hidden_have_rates_of_their_own(self, cell):
        for rates, frozen in (((0.999999, 0.0), 0), ((0.0, 0.999999), 1)):
            stack = RecurrentStack(cell, INPUTS, HIDDEN, 1, zoneout=rates[0], zoneout_cell=rates[1]).train()
            _, end = run(stack, 7, torch.randn(BATCH, TIME, INPUTS))
            assert (end[frozen] == 0.5).all()
            assert (end[1 - frozen] != 0.5).all()


class TestChrono:
    LONGEST = 200

    @pytest.mark.parametrize("cell", WITH_FORGETTING)
    def test_memories_are_spread_evenly_up_to_the_longest(self, cell):
        """Without inputs and recurrence a gate at bias b keeps sigmoid(b); 1 / (1 - that) is uniform up to T."""
        bias = first_bias(cell, 5000, chrono=self.LONGEST).unflatten(0, (-1, 5000))
        steps = 1 / (1 - torch.sigmoid(bias[1].double()))
        assert 2 <= steps.min() < 3
        assert self.LONGEST - 2 < steps.max() <= self.LONGEST
        share = torch.linspace(0, 1, 5001)[1:].double()
        uniform = (steps.sort().values - 2) / (self.LONGEST - 2)
        assert (uniform - share).abs().max() < 1.95 / 5000**0.5  # Kolmogorov-Smirnov at 0.001
        if cell == "gru":
            assert (bias[0] == 0).all()
        else:
            assert torch.equal(bias[0], -bias[1])
        assert (bias[2:] == 0).all()

    @pytest.mark.parametrize("cell", WITH_FORGETTING)
    def test_every_layer_begins_with_it(self, cell):
        for layer in RecurrentStack(cell, INPUTS, HIDDEN, 3, chrono=self.LONGEST).layers:
            bias, *second = (value for name, value in layer.named_parameters() if name.startswith("bias"))
            assert (bias[HIDDEN : 2 * HIDDEN] > 0).all()
            assert all((value == 0).all() for value in second)

    @pytest.mark.parametrize("cell", ["gru", "lstm"])
    def test_a_trace_lasts_as_long_as_its_gate_says(self, cell):
        """With the matrices at zero a state decays by sigmoid(b) a step: after its own time it stands at about 1/e."""
        stack = RecurrentStack(cell, INPUTS, 64, 1, chrono=self.LONGEST)
        layer = stack.layers[0]
        with torch.no_grad():
            layer.weight_ih_l0.zero_()
            layer.weight_hh_l0.zero_()
            silence = torch.zeros(1, self.LONGEST, INPUTS)
            begin = tuple(torch.ones_like(part) for part in stack.initial_state(1))
            times = 1 / (1 - torch.sigmoid(layer.bias_ih_l0.unflatten(0, (-1, 64))[1]))
            for unit in range(0, 64, 8):
                _, end = stack(silence[:, : round(times[unit].item())], begin)
                assert 0.2 < end[-1][0, 0, unit] < 0.4


class TestResidual:
    @pytest.mark.parametrize("cell", CELLS)
    def test_layers_that_say_nothing_pass_on_what_they_hear(self, cell):
        stack = RecurrentStack(cell, INPUTS, HIDDEN, 3, residual=True)
        with torch.no_grad():
            for layer in stack.layers[1:]:
                for parameter in layer.parameters():
                    parameter.zero_()
        first = RecurrentStack(cell, INPUTS, HIDDEN, 1)
        first.layers[0].load_state_dict(stack.layers[0].state_dict())
        inputs = torch.randn(BATCH, TIME, INPUTS)
        found, expected = (one(inputs, one.initial_state(BATCH))[0] for one in (stack, first))
        assert torch.equal(found, expected)

    def test_the_first_layer_is_never_added_to(self):
        plain, residual = (RecurrentStack("lstm", HIDDEN, HIDDEN, 1, residual=flag) for flag in (False, True))
        residual.load_state_dict(plain.state_dict())
        inputs = torch.randn(BATCH, TIME, HIDDEN)
        assert torch.equal(run(plain, 0, inputs)[0], run(residual, 0, inputs)[0])


OFF = {
    "layer_dropout": None,
    "input_dropout": 0.0,
    "weight_drop": 0.0,
    "zoneout": 0.0,
    "zoneout_cell": 0.0,
    "chrono": None,
    "residual": False,
}


class TestConfig:
    def test_everything_is_off_unless_asked_for(self):
        config = ModelConfig()
        assert {name: getattr(config, name) for name in OFF} == OFF

    @pytest.mark.parametrize("cell", FUSED)
    def test_off_is_torch_and_draws_nothing(self, cell):
        """Equal to the bit to torch's module, and the random stream goes on as if only dropout had drawn."""
        stack = RecurrentStack(cell, INPUTS, HIDDEN, 1).train()
        inputs = torch.randn(BATCH, TIME, INPUTS)
        stream = torch.get_rng_state()
        outputs, state = stack(inputs, stack.initial_state(BATCH))
        assert torch.equal(torch.get_rng_state(), stream)
        expected, end = stack.layers[0](inputs)
        assert torch.equal(outputs, expected)
        assert all(torch.equal(*parts) for parts in zip(state, end if cell == "lstm" else (end,), strict=True))

    @pytest.mark.parametrize("cell", CELLS)
    def test_a_cell_is_refused_what_it_cannot_do(self, cell):
        asked = {"zoneout_cell": (0.1, WITH_CELL_STATE), "chrono": (50, WITH_FORGETTING)}
        for option, (value, cells) in asked.items():
            if cell in cells:
                assert getattr(ModelConfig(cell=cell, **{option: value}), option) == value
            else:
                with pytest.raises(OptionError, match=rf"{option} is not for the cell '{cell}'; it is for .*lstm"):
                    ModelConfig(cell=cell, **{option: value})

    def test_all_mistakes_are_told_at_once(self):
        with pytest.raises(OptionError, match=r"zoneout_cell is not .*; chrono is not "):
            ModelConfig(cell="rnn", zoneout_cell=0.1, chrono=50)

    @pytest.mark.parametrize("cell", CELLS)
    def test_every_option_reaches_the_model(self, cell):
        """Trained with an option, a model gives other numbers than without; or begins with other weights."""
        changed = {"layer_dropout": 0.5, "input_dropout": 0.5, "weight_drop": 0.5, "zoneout": 0.5, "residual": True}
        changed |= {"zoneout_cell": 0.5} if cell in WITH_CELL_STATE else {}
        changed |= {"chrono": 50} if cell in WITH_FORGETTING else {}
        ids = torch.randint(9, (BATCH, 40))
        found = [self._outputs(ModelConfig(cell=cell, hidden_size=HIDDEN, dropout=0.0), ids)]
        for option, value in changed.items():
            config = ModelConfig(cell=cell, hidden_size=HIDDEN, dropout=0.0, **{option: value})
            found.append(self._outputs(config, ids))
        assert len(found) > 5
        assert not any(torch.equal(*pair) for pair in itertools.combinations(found, 2))

    def _outputs(self, config, ids):
        torch.manual_seed(0)
        return build_model(config, 9).train()(ids)[0]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", [{}, {"weight_drop": 0.2, "zoneout": 0.1, "residual": True, "input_dropout": 0.1}])
def test_every_cell_learns(cell, options):
    """Which of two tokens comes next was said four tokens ago: a model without memory stays at ln 2."""
    torch.manual_seed(1)
    model = build_model(ModelConfig(cell=cell, hidden_size=24, dropout=0.0, **options), 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    losses = []
    for _ in range(60):
        said = torch.randint(2, (16, 1))
        ids = torch.cat([said, torch.tensor([[2, 3, 2]]).expand(16, 3), said], dim=1).repeat(1, 2)
        loss = model.head.nats(model(ids[:, :-1])[0], ids[:, 1:])[:, [3, 8]].mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.5
    assert sum(losses[-5:]) / 5 < 0.2
