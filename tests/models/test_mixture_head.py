"""The mixture of Gaussians is a density: it integrates to one, torch's own agrees, its draws have its moments."""

import math

import numpy as np
import pytest
import torch
from torch import distributions

from seqaudio.errors import OptionError
from seqaudio.models.config import ModelConfig
from seqaudio.models.heads import MixtureHead
from seqaudio.models.heads.mixture import LEAST_DEVIATION
from seqaudio.training.adaptive import Cache
from seqaudio.training.evaluate import piece_nats
from tests.samples import random_model

HIDDEN, NUMBERS, COMPONENTS = 5, 3, 4


pytestmark = pytest.mark.usefixtures("seeded")


def make_head(numbers=NUMBERS, components=COMPONENTS):
    head = MixtureHead(HIDDEN, numbers, components)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
    return head


def of_torch(head, hidden):
    """The same mixture as torch's distribution, from the head's own matrix, cut by hand."""
    outputs = (hidden @ head.parameters_of.weight.T + head.parameters_of.bias).double()
    count = head.components * head.numbers
    shape = (*hidden.shape[:-1], head.components, head.numbers)
    logits = outputs[..., : head.components]
    means = outputs[..., head.components : head.components + count].reshape(shape)
    deviations = (1 + outputs[..., head.components + count :].exp()).log().reshape(shape) + LEAST_DEVIATION
    return distributions.MixtureSameFamily(
        distributions.Categorical(logits=logits),
        distributions.Independent(distributions.Normal(means, deviations), 1),
    )


@torch.no_grad()
def test_the_density_integrates_to_one():
    axis = torch.linspace(-40, 40, 1601)
    for numbers, grid in ((1, axis[:, None]), (2, torch.cartesian_prod(axis[::4], axis[::4]))):
        head, step = make_head(numbers), (axis[1] - axis[0]) * (1 if numbers == 1 else 4)
        with torch.no_grad():
            head.parameters_of.bias[-numbers * COMPONENTS :] += 4  # no component is narrower than the grid
        for hidden in 0.3 * torch.randn(5, HIDDEN):
            nats = head.nats(head(hidden[None, None]), grid[None])[0]
            assert nats.std() > 1
            assert (-nats.double()).exp().sum() * step**numbers == pytest.approx(1, abs=2e-3)


@torch.no_grad()
def test_torch_agrees():
    head, hidden = make_head(), 2 * torch.randn(6, 7, HIDDEN)
    targets = 3 * torch.randn(6, 7, NUMBERS)
    nats = head.nats(head(hidden), targets)
    assert nats.shape == (6, 7)
    assert nats.dtype == torch.float32
    np.testing.assert_allclose(nats, -of_torch(head, hidden).log_prob(targets), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_draws_have_the_moments():
    head, count = make_head(), 100_000
    for hidden in torch.randn(3, HIDDEN):
        outputs = head(hidden[None])
        drawn = head.sample(outputs.expand(1, count, -1), torch.Generator().manual_seed(1))[0]
        assert drawn.dtype == torch.float32
        mean, deviation = of_torch(head, hidden).mean, of_torch(head, hidden).variance.sqrt()
        # the error of a mean is its deviation / sqrt(n): five of them; of a deviation, a few in a hundred
        assert ((drawn.mean(dim=0) - mean).abs() < 5 * deviation / count**0.5).all()
        np.testing.assert_allclose(drawn.std(dim=0), deviation, rtol=0.03)
        # and numbers of a frame go together as the components say
        found = np.cov(drawn.T)
        shares, means = of_torch(head, hidden).mixture_distribution.probs, of_torch(head, hidden).component_distribution
        apart = means.mean - (shares[:, None] * means.mean).sum(dim=0)
        between = (shares[:, None, None] * apart[:, :, None] * apart[:, None, :]).sum(dim=0).numpy()
        assert abs(between[0, 1]) > 0.05, "too little is tested"
        np.testing.assert_allclose(found[0, 1], between[0, 1], atol=0.03 * float(deviation[0] * deviation[1]) + 0.01)


@torch.no_grad()
def test_draws_are_distributed_as_the_density_says():
    head = make_head(numbers=1)
    outputs, count = head(torch.randn(1, HIDDEN)), 50_000
    drawn = head.sample(outputs.expand(1, count, -1), torch.Generator().manual_seed(2))[0, :, 0]
    axis = torch.linspace(-30, 30, 20_001)
    density = (-head.nats(outputs[:, None], axis[None, :, None])[0].double()).exp()
    cumulative = (density.cumsum(dim=0) * (axis[1] - axis[0])).numpy()
    below = np.interp(drawn.sort().values.numpy(), axis.numpy(), cumulative)
    distance = np.abs(below - (np.arange(count) + 0.5) / count).max()
    assert distance < 1.95 / count**0.5  # Kolmogorov-Smirnov, p = 0.001


@torch.no_grad()
@pytest.mark.parametrize("temperature", [0.25, 2.0])
def test_a_temperature_is_that_of_every_choice(temperature):
    head, count = make_head(numbers=1, components=2), 100_000
    bias = torch.tensor([1.0, 0.0, -50.0, 50.0, 1.0, 2.0])  # two components too far apart to be mistaken
    outputs = bias[None].expand(1, count, -1)
    drawn = head.sample(outputs, torch.Generator().manual_seed(3), temperature)[0, :, 0]
    first = drawn < 0
    assert first.float().mean() == pytest.approx(1 / (1 + math.exp(-1 / temperature)), abs=0.01)
    for part, raw in ((drawn[first], 1.0), (drawn[~first], 2.0)):
        deviation = math.log(1 + math.exp(raw)) + LEAST_DEVIATION
        assert part.std().item() == pytest.approx(math.sqrt(temperature) * deviation, rel=0.03)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_is_above_zero(temperature):
    head = make_head()
    with pytest.raises(OptionError, match="must be above 0"):
        head.sample(head(torch.randn(1, 2, HIDDEN)), torch.Generator(), temperature)


def test_one_step_is_drawn_as_a_sequence_of_one():
    head = make_head()
    outputs = head(torch.randn(4, 1, HIDDEN))
    alone = head.sample(outputs[:, 0], torch.Generator().manual_seed(3))
    assert alone.shape == (4, NUMBERS)
    assert torch.equal(alone, head.sample(outputs, torch.Generator().manual_seed(3))[:, 0])
    assert not torch.equal(alone, head.sample(outputs[:, 0], torch.Generator().manual_seed(4)))


@torch.no_grad()
def test_what_is_not_known_is_integrated_out():
    """The nats of the known numbers are those of the whole frame, integrated over the others; all NaN is 0 nats."""
    head, axis = make_head(numbers=2), torch.linspace(-60, 60, 24_001)
    outputs = head(0.5 * torch.randn(1, 1, HIDDEN))
    known = torch.tensor(0.7)
    whole = torch.stack([known.expand(len(axis)), axis], dim=-1)[None]
    expected = (-head.nats(outputs, whole)[0].double()).exp().sum() * (axis[1] - axis[0])
    found = head.nats(outputs, torch.tensor([[[0.7, math.nan]]]))
    assert math.exp(-found.item()) == pytest.approx(expected.item(), rel=1e-3)
    assert head.nats(outputs, torch.full((1, 1, 2), math.nan)).item() == pytest.approx(0, abs=1e-6)


def test_no_gradient_comes_from_what_is_not_known():
    head = make_head()
    outputs = head(torch.randn(2, 3, HIDDEN)).detach().requires_grad_()
    targets = torch.randn(2, 3, NUMBERS)
    targets[0, 1] = math.nan
    targets[1, 2, 0] = math.nan
    head.nats(outputs, targets).sum().backward()
    assert outputs.grad.isfinite().all()
    assert outputs.grad[0, 1].abs().max() < 1e-6
    assert (outputs.grad[1, 2] != 0).any()


@pytest.mark.parametrize("size", [1e2, 1e4, 1e8])
def test_extreme_states_give_finite_nats_and_gradients(size):
    head = make_head()
    hidden = (size * torch.randn(2, 3, HIDDEN)).requires_grad_()
    nats = head.nats(head(hidden), torch.randn(2, 3, NUMBERS))
    nats.sum().backward()
    assert nats.isfinite().all()
    assert hidden.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


@torch.no_grad()
def test_no_density_is_without_bound():
    head = MixtureHead(HIDDEN, 1, 2)
    outputs = torch.tensor([[[0.0, 0.0, 0.25, 0.25, -1e9, -1e9]]])  # as narrow as can be, where the number is
    highest = 1 / (LEAST_DEVIATION * math.sqrt(2 * math.pi))
    assert head.nats(outputs, torch.full((1, 1, 1), 0.25)).item() == pytest.approx(-math.log(highest))


@torch.no_grad()
def test_half_precision_changes_nothing():
    """A mean of 10 rounded to bf16 is off by 0.02, thirty deviations of the narrowest component."""
    head, hidden = make_head(), torch.randn(2, 3, HIDDEN)
    head.parameters_of.bias += 10
    targets = torch.randn(2, 3, NUMBERS) + 10
    full = head.nats(head(hidden), targets)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = head(hidden)
        half = head.nats(outputs, targets)
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(half, full)


def test_a_new_head_is_a_plain_guess_with_components_apart():
    head = MixtureHead(HIDDEN, NUMBERS, COMPONENTS)
    with torch.no_grad():
        guess = of_torch(head, torch.zeros(1, 1, HIDDEN))
    np.testing.assert_allclose(guess.mean, np.zeros((1, 1, NUMBERS)), atol=1e-5)
    assert ((guess.stddev > 1) & (guess.stddev < 1.5)).all()
    loss = head.nats(head(torch.randn(2, 3, HIDDEN)), torch.randn(2, 3, NUMBERS)).sum()
    loss.backward()
    gradients = head.parameters_of.bias.grad[COMPONENTS : COMPONENTS + COMPONENTS * NUMBERS].reshape(COMPONENTS, -1)
    assert len(gradients.unique(dim=0)) == COMPONENTS, "equal components would stay equal"


def test_a_mixture_has_a_component():
    with pytest.raises(OptionError, match="1 or more"):
        MixtureHead(HIDDEN, NUMBERS, 0)


def test_a_cache_is_refused():
    model = random_model(ModelConfig(cell="gru", hidden_size=4, layers=1, head="mixture"), keys=2)
    with pytest.raises(OptionError, match="leave it out"):
        piece_nats(model, [np.zeros((5, 2), np.float32)], cache=Cache())
