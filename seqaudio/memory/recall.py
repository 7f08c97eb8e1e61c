"""What can a kind of network learn to hold, and how far back? It practises a task, and is judged by new sequences.

Every step of practice draws sequences that were never there before, so nothing can be learnt by heart and no validation
is needed; what is judged is drawn from another seed. Networks that are compared have the same number of parameters
within 2 %, see the same sequences in the same order, and differ in their cells and in the rate that suits these.

The layers are those of :mod:`seqaudio.models`, so the other probes look into a network that has practised as into any
other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.memory.tasks import Batch, Task
from seqaudio.models.cells import WITH_FORGETTING, Cell
from seqaudio.models.config import ModelConfig
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.models.size import matched_hidden_size
from seqaudio.training.config import TrainingConfig
from seqaudio.training.devices import subnormals_as_zero
from seqaudio.training.optimizer import make_optimizer, rate_at

RATES: dict[Cell, float] = {"rnn": 3e-3, "irnn": 3e-3, "gru": 1e-2, "lstm": 1e-2, "lnlstm": 1e-2}
"""Of each cell: the best of a grid, of the mean over the tasks of ``recipes/forgetting.py --search``; other gated cells
have the LSTM's."""
SIDE = 0.01  # how far off a size each network may be, so that two are within 2 %
JUDGED, ROWS = 512, 128  # sequences at each distance; of them at once
JUDGES = 1_000_003  # seeds of what is judged lie that far from those of practice

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Practice:
    """How a network learns a task.

    Attributes:
        steps: of the optimizer.
        rows: sequences in each.
        rate: at its highest; it falls to nearly nothing along a cosine.
        others: weight of the mean loss over all targets beside that over those that are asked for, of tasks of tokens.
        seed: of weights and sequences.
    """

    steps: int = 1200
    rows: int = 32
    rate: float = 1e-2
    others: float = 0.2
    seed: int = 0

    def training(self) -> TrainingConfig:
        """As the optimizer takes it."""
        warmup = min(50, self.steps // 10)
        return TrainingConfig(learning_rate=self.rate, warmup_steps=warmup, weight_decay=0.0, seed=self.seed)


class Recalled(NamedTuple):
    """How a network does at some distances.

    Attributes:
        distances: (distances,).
        recall: share of what was asked that it has right, (distances,).
        loss: mean over what was asked, (distances,); NaN of numbers that ran away.
    """

    distances: tuple[int, ...]
    recall: Floats
    loss: Floats


def network_configs(
    cells: Sequence[Cell],
    task: Task,
    parameters: int,
    *,
    layers: int = 1,
    chrono: bool = True,
    residual: bool = False,
) -> dict[Cell, ModelConfig]:
    """The configs of networks for a task, all of one size within 2 %.

    Args:
        cells: of their layers.
        task: they are for.
        parameters: of a whole network; what all can have may be a tenth off.
        layers: how many.
        chrono: gates begin with memories of up to the task's longest distance; of cells that have such gates.
        residual: sums with the layer below.

    Raises:
        OptionError: no size near that can be had by all.
    """
    longest = max(task.steps(task.distances[-1]), 3) if chrono else None
    made: dict[Cell, ModelConfig] = {}
    for cell in cells:
        chrono_of = longest if cell in WITH_FORGETTING else None
        config = ModelConfig(cell=cell, layers=layers, dropout=0.0, residual=residual, chrono=chrono_of)
        made[cell] = task.config(config)
    for size in sorted(
        range(int(0.9 * parameters), int(1.1 * parameters) + 1, max(1, parameters // 200)), key=_from(parameters)
    ):
        try:
            sizes = {cell: matched_hidden_size(config, size, task.build, SIDE) for cell, config in made.items()}
        except OptionError:
            continue
        return {cell: config.model_copy(update={"hidden_size": sizes[cell]}) for cell, config in made.items()}
    raise OptionError(
        f"{parameters} parameters: {', '.join(cells)} cannot all come within 2 % of any size near; ask for more"
    )


@subnormals_as_zero()
def practise(
    config: ModelConfig,
    task: Task,
    practice: Practice,
    distance: int | None = None,
    *,
    on_step: Callable[[], None] = lambda: None,
) -> SequenceModel:
    """A network that has practised a task, in eval mode.

    Args:
        config: of the network, such as from :func:`network_configs`.
        task: what to learn.
        practice: how.
        distance: the only one to learn; None: all up to the task's longest.
        on_step: called behind every step.
    """
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(practice.seed)
        model = task.build(config).train()
    training, generator = practice.training(), np.random.default_rng(practice.seed)
    optimizer, parameters = make_optimizer(model, training), list(model.parameters())
    for step in range(practice.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(training, step, practice.steps)
        drawn = task.distance_in_training(generator) if distance is None else distance
        loss = _loss(model, task.draw(practice.rows, drawn, generator), practice.others)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(parameters, training.clip)
        on_step()
        if not math.isfinite(norm.item()):
            break  # it ran away: what it knew before is judged
        optimizer.step()
    return model.eval()


@torch.no_grad()
def recall(model: SequenceModel, task: Task, distances: Sequence[int] | None = None, *, seed: int = 0) -> Recalled:
    """How a network does a task at some distances; None: all of the task's. At each 512 sequences are judged."""
    asked = tuple(task.distances if distances is None else distances)
    shares, losses = [], []
    for distance in asked:
        right, lost = [], []
        for batch in judged(task, distance, seed):
            outputs, targets = _outputs(model, batch)
            at = torch.from_numpy(batch.asked)
            right.append(task.right(outputs, targets)[:, at].double().mean().item())
            lost.append(model.nats_and_loss(outputs, targets)[1][:, at].double().mean().item())
        shares.append(float(np.mean(right)))
        losses.append(float(np.mean(lost)))
    loss = np.array(losses)
    return Recalled(asked, np.array(shares), np.where(np.isfinite(loss), loss, np.nan))


def judged(task: Task, distance: int, seed: int = 0) -> Iterator[Batch]:
    """The sequences that :func:`recall` judges by, never those of a practice."""
    generator = np.random.default_rng((JUDGES + seed, distance))
    for _ in range(JUDGED // ROWS):
        yield task.draw(ROWS, distance, generator)


def practised_recall(
    config: ModelConfig, task: Task, practice: Practice, *, on_step: Callable[[], None] = lambda: None
) -> Recalled:
    """How such a network does a task at all its distances, after one practice, or one for each distance.

    Args: as of :func:`practise`.
    """
    if not task.apart:
        return recall(practise(config, task, practice, on_step=on_step), task, seed=practice.seed)
    found = [
        recall(practise(config, task, practice, distance, on_step=on_step), task, [distance], seed=practice.seed)
        for distance in task.distances
    ]
    columns = (np.concatenate(column) for column in zip(*((each.recall, each.loss) for each in found), strict=True))
    return Recalled(tuple(task.distances), *columns)


def _from(size: int) -> Callable[[int], int]:
    """How far a size is from another."""
    return lambda other: abs(other - size)


def _outputs(model: SequenceModel, batch: Batch) -> tuple[Tensor, Tensor]:
    """What a network says, and the targets."""
    outputs, _ = model(torch.from_numpy(batch.inputs))
    return outputs, torch.from_numpy(batch.targets)


def _loss(model: SequenceModel, batch: Batch, others: float) -> Tensor:
    """Mean over the targets that are asked, and with the weight of the others over all; numbers have no others."""
    outputs, targets = _outputs(model, batch)
    _, losses = model.nats_and_loss(outputs, targets)
    asked = losses[:, torch.from_numpy(batch.asked)].mean()
    return asked + others * losses.mean() if batch.targets.ndim == 2 else asked
