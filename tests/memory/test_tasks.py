"""Do the sequences of a task ask for what was shown, and for nothing that can be known otherwise?"""

import math

import numpy as np
import pytest
import torch

from seqaudio.errors import OptionError
from seqaudio.memory.tasks import TASKS, Adding, Copy, MeanHead, Motif
from seqaudio.models.config import ModelConfig


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("distance", [0, 1, 5])
def test_a_motif_comes_again_behind_so_many_bars(distance: int) -> None:
    task = Motif()
    batch = task.draw(6, distance, generator())
    for inputs, targets in zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True):
        whole = [*inputs, targets[-1]]
        assert inputs[1:] == targets[:-1]
        assert whole[0] == task.START
        assert whole[1:5] == whole[-4:]
        assert whole.index(task.CUE) == len(whole) - 5
        assert whole.count(task.BAR) == distance
        assert all(note >= task.FIRST_NOTE for note in whole[1:5])
    assert np.flatnonzero(batch.asked).tolist() == list(range(len(inputs) - 4, len(inputs)))


def test_what_is_copied_is_what_was_shown() -> None:
    batch = Copy().draw(5, 30, generator())
    assert batch.inputs.shape == batch.targets.shape == (5, 50)
    assert (batch.inputs[:, :10] == batch.targets[:, 40:]).all()
    assert batch.inputs[:, :10].min() >= 1
    assert batch.inputs[:, :10].max() == 8
    assert (batch.targets[:, :40] == 0).all()
    assert (np.flatnonzero(batch.inputs[0, 10:] == Copy.SIGN) + 10).tolist() == [39]
    assert np.flatnonzero(batch.asked).tolist() == list(range(40, 50))


def test_the_sum_asked_for_is_that_of_the_marked_numbers() -> None:
    batch = Adding().draw(50, 21, generator())
    numbers, marks = batch.inputs[..., 0], batch.inputs[..., 1]
    assert (marks[:, :10].sum(axis=1) == 1).all()
    assert (marks[:, 10:].sum(axis=1) == 1).all()
    for row in range(50):
        assert batch.targets[row, -1, 0] == pytest.approx(sum(numbers[row, marks[row] == 1]), abs=1e-6)
    assert np.flatnonzero(batch.asked).tolist() == [20]


@pytest.mark.parametrize("name", list(TASKS))
def test_who_holds_nothing_does_as_chance(name: str) -> None:
    """The best answer that needs no memory: any symbol, or 1, the mean of all sums."""
    task = TASKS[name]()
    batch = task.draw(4000, task.distances[0], generator(3))
    targets = torch.from_numpy(batch.targets)
    if name == "adding":
        outputs = torch.ones_like(targets)
        loss = (outputs - targets).square()[:, batch.asked].mean().item()
    else:
        first = {"motif": Motif.FIRST_NOTE, "copy": 1}[name]
        outputs = torch.zeros(*targets.shape, task.vocabulary_size)
        outputs[..., first] = 1e-3  # of answers that are all as likely, the first
        logits = torch.full((task.vocabulary_size,), -math.inf)
        logits[first : first + 8] = 0
        loss = torch.nn.functional.cross_entropy(
            logits.expand(targets[:, batch.asked].numel(), -1), targets[:, batch.asked].flatten()
        ).item()
    share = task.right(outputs, targets)[:, torch.from_numpy(batch.asked)].double().mean().item()
    assert share == pytest.approx(task.chance, abs=0.015)
    assert loss == pytest.approx(task.loss_of_chance, abs=0.01)


def test_training_meets_every_distance_short_ones_as_often_as_long() -> None:
    task, draws = Motif((1, 2, 16)), generator(1)
    drawn = np.array([task.distance_in_training(draws) for _ in range(4000)])
    assert set(drawn.tolist()) == set(range(1, 17))
    assert abs((drawn < 5).mean() - math.log(6 / 2) / math.log(18 / 2)) < 0.03


def test_steps_reach_from_what_is_shown_to_what_is_asked() -> None:
    assert Motif().steps(3) == 20  # the first note, at step 1, is asked for behind the cue, at step 21
    assert Copy().steps(30) == 40
    assert Adding().steps(9) == 9


def test_the_head_of_numbers_is_a_density() -> None:
    head, numbers = MeanHead(3), torch.linspace(-6, 6, 2001)[None, :, None]
    outputs = torch.full_like(numbers, 0.3)
    nats, loss = head.nats_and_loss(outputs, numbers)
    normal = torch.distributions.Normal(0.3, math.sqrt(0.5))
    assert torch.allclose(nats, -normal.log_prob(numbers[..., 0]), atol=1e-5)
    assert torch.allclose(loss, (numbers[..., 0] - 0.3) ** 2, atol=1e-5)
    drawn = head.sample(torch.zeros(20_000, 1), torch.Generator().manual_seed(1), temperature=0.5)
    assert drawn.std().item() == pytest.approx(0.5, rel=0.03)


def test_every_task_builds_a_network_that_answers_it() -> None:
    for kind in TASKS.values():
        task = kind()
        config = task.config(ModelConfig(hidden_size=5, layers=1, dropout=0))
        batch = task.draw(2, task.distances[0], generator())
        outputs, _ = task.build(config)(torch.from_numpy(batch.inputs))
        assert task.right(outputs, torch.from_numpy(batch.targets)).shape == batch.targets.shape[:2]


def test_distances_that_cannot_be_are_refused() -> None:
    for kind, wrong in ((Motif, [-1]), (Copy, [0]), (Adding, [1]), (Motif, [])):
        with pytest.raises(OptionError, match="distances"):
            kind(wrong)
