"""Does practice teach, is it judged by what was never practised, and is it the same every time?"""

import pytest
import torch
from torch import nn

from seqaudio.errors import OptionError
from seqaudio.memory.recall import Practice, network_configs, practise, practised_recall, recall
from seqaudio.memory.tasks import Adding, Copy, Motif
from seqaudio.models.cells import CELLS
from seqaudio.models.size import count_parameters

SHORT = Practice(steps=3, rows=4)


class Knowing(nn.Module):
    """Answers a motif by looking back, as far as so many bars."""

    def __init__(self, task: Motif, bars: int) -> None:
        super().__init__()
        self.task, self.bars = task, bars

    def forward(self, inputs):
        outputs = torch.zeros(*inputs.shape, self.task.vocabulary_size)
        outputs[..., self.task.FIRST_NOTE] = 1.0
        if (inputs[0] == self.task.BAR).sum() <= self.bars:
            for place in range(4):
                outputs[torch.arange(len(inputs)), -4 + place] *= 0
                outputs[torch.arange(len(inputs)), -4 + place, inputs[:, 1 + place]] = 5.0
        return outputs, ()

    @staticmethod
    def nats_and_loss(outputs, targets):
        nats = nn.functional.cross_entropy(outputs.transpose(1, 2), targets, reduction="none")
        return nats, nats


def test_recall_is_the_share_of_right_answers() -> None:
    task = Motif((0, 2, 5))
    found = recall(Knowing(task, 2), task)
    assert found.distances == (0, 2, 5)
    assert found.recall[:2].tolist() == [1.0, 1.0]
    assert found.recall[2] == pytest.approx(task.chance, abs=0.03)
    assert found.loss[0] < 0.1 < found.loss[2]


def test_practice_teaches_and_reaches_beyond_chance() -> None:
    task = Motif((0, 1, 2))
    config = network_configs(["gru"], task, 6000)["gru"]
    found = practised_recall(config, task, Practice(steps=250, rows=16, rate=1e-2, seed=1))
    assert found.recall.min() > 0.6
    assert practised_recall(config, task, SHORT).recall.max() < 0.4


def test_each_distance_has_a_network_of_its_own_where_the_task_says_so() -> None:
    task, practice = Copy((2, 5)), Practice(steps=4, rows=4, seed=2)
    config = network_configs(["rnn"], task, 6000)["rnn"]
    found, steps = practised_recall(config, task, practice), []
    for place, distance in enumerate(task.distances):
        model = practise(config, task, practice, distance, on_step=lambda: steps.append(1))
        alone = recall(model, task, [distance], seed=practice.seed)
        assert (alone.recall[0], alone.loss[0]) == (found.recall[place], found.loss[place])
    assert len(steps) == 8


def test_practice_is_the_same_every_time_and_leaves_randomness_alone() -> None:
    task = Adding((6,))
    config = network_configs(["lstm"], task, 2500)["lstm"]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (practise(config, task, Practice(steps=3, rows=4, seed=seed), 6) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    assert not one.training
    pairs = list(zip(one.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(first, second) for first, second, _ in pairs)
    assert any(not torch.equal(first, third) for first, _, third in pairs)


def test_no_time_goes_into_numbers_that_are_nearly_none() -> None:
    """Subnormal numbers are 0 while it practises, of which a fading gradient is full, and not behind it."""
    task = Adding((6,))
    config, seen = network_configs(["rnn"], task, 2500)["rnn"], []
    practise(config, task, SHORT, 6, on_step=lambda: seen.append(float(torch.tensor(1e-30) * 1e-10)))
    assert seen == [0.0] * SHORT.steps
    assert torch.tensor(1e-30) * 1e-10 > 0


class Recording(Motif):
    """A motif that keeps what it hands out."""

    def __init__(self, distances):
        super().__init__(distances)
        self.drawn = set()

    def draw(self, rows, distance, generator):
        batch = super().draw(rows, distance, generator)
        self.drawn |= {row.tobytes() for row in batch.inputs}
        return batch


def test_what_is_judged_was_never_practised() -> None:
    practised, judged = Recording((4,)), Recording((4,))
    config = network_configs(["rnn"], practised, 6000)["rnn"]
    model = practise(config, practised, Practice(steps=4, rows=128, seed=3))
    recall(model, judged, seed=3)
    assert (len(practised.drawn), len(judged.drawn)) == (512, 512)
    assert not practised.drawn & judged.drawn


@pytest.mark.parametrize("layers", [1, 2])
def test_networks_of_all_cells_have_one_size(layers) -> None:
    for task in (Motif(), Adding()):
        configs = network_configs(["lstm", "rnn", "gru"], task, 17_000, layers=layers)
        counts = [count_parameters(task.build(config)) for config in configs.values()]
        assert max(counts) <= 1.02 * min(counts)
        assert abs(counts[0] - 17_000) <= 1_900
        for cell, config in configs.items():
            assert config.chrono == (None if cell == "rnn" else task.steps(task.distances[-1]))
    with pytest.raises(OptionError, match="ask for more"):
        network_configs(CELLS, Motif(), 500)


def test_numbers_that_run_away_end_the_practice() -> None:
    task, steps = Adding((8,)), []
    config = network_configs(["irnn"], task, 2500)["irnn"]
    model = practise(config, task, Practice(steps=60, rate=1e9), 8, on_step=lambda: steps.append(1))
    found = recall(model, task, [8])
    assert len(steps) < 60
    assert 0 <= found.recall[0] <= 1
