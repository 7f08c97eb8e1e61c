"""Which cell can learn to hold what, and how far back? One task, networks of equal size, over seeds; one report.

Conventions: those of :mod:`seqaudio.memory.tasks` (what is asked), :mod:`seqaudio.memory.recall` (practice) and
:mod:`seqaudio.memory.half_lag` (recall beyond chance, 50 % lag).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from seqaudio.errors import OptionError
from seqaudio.memory.bootstrap import finite
from seqaudio.memory.half_lag import Recall, recall_of_seeds
from seqaudio.memory.recall import RATES, Practice, Recalled, network_configs, practised_recall
from seqaudio.memory.tasks import Task
from seqaudio.models.cells import CELLS, Cell
from seqaudio.models.config import ModelConfig

PARAMETERS = 17_000  # an LSTM of about 50 units


@dataclass(frozen=True)
class Networks:
    """How the networks of one cell do a task.

    Attributes:
        config: of all of them.
        practices: of each seed.
        found: of each seed.
        recall: beyond chance, by distance.
    """

    config: ModelConfig
    practices: tuple[Practice, ...]
    found: tuple[Recalled, ...]
    recall: Recall

    @property
    def name(self) -> str:
        """The cell, and whether its gates began with long memories."""
        return f"{self.config.cell}, chrono" if self.config.chrono else self.config.cell

    @property
    def losses(self) -> list[float]:
        """Mean over the seeds, by distance; NaN where numbers ran away."""
        losses: list[float] = np.mean([each.loss for each in self.found], axis=0).tolist()
        return losses

    @property
    def shares(self) -> list[float]:
        """Share of right answers, mean over the seeds, by distance."""
        shares: list[float] = np.mean([each.recall for each in self.found], axis=0).tolist()
        return shares


@dataclass(frozen=True)
class TaskReport:
    """What :func:`probe_task` found.

    Attributes:
        task: that was practised.
        practice: of the first seed, but for the rate.
        networks: of each cell.
    """

    task: Task
    practice: Practice
    networks: list[Networks]

    def facts(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        task = self.task
        return {
            "unit": task.unit,
            "distances": list(task.distances),
            "network_for_each": task.apart,
            "chance": task.chance,
            "loss_unit": task.loss_unit,
            "loss_of_chance": task.loss_of_chance,
            "steps": self.practice.steps,
            "rows": self.practice.rows,
            "networks": [
                {
                    "name": each.name,
                    "config": each.config.model_dump(mode="json"),
                    "practices": [asdict(practice) for practice in each.practices],
                    **each.recall.facts(),
                    "right": [found.recall.tolist() for found in each.found],
                    "loss": [[finite(loss) for loss in found.loss.tolist()] for found in each.found],
                }
                for each in self.networks
            ],
        }


def probe_task(
    task: Task,
    cells: Sequence[Cell],
    *,
    parameters: int = PARAMETERS,
    layers: int = 1,
    chrono: bool = True,
    residual: bool = False,
    seeds: int = 3,
    practice: Practice | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> TaskReport:
    """What new networks of some cells learn to hold in a task.

    Args:
        task: such as :class:`seqaudio.memory.tasks.Motif`.
        cells: to compare.
        parameters: of each network; all are within 2 % of one another, and near this.
        layers: of each.
        chrono: gates begin with memories as long as the task, see :func:`seqaudio.memory.recall.network_configs`.
        residual: sums with the layer below.
        seeds: networks of each cell.
        practice: how long; its seed is the first, its rate is each cell's own in place of the one named.
        on_step: called behind every step of every practice.

    Raises:
        OptionError: there is no such cell, a number is below 1, or the cells cannot be of one size near that.
    """
    unknown = [cell for cell in cells if cell not in CELLS]
    if unknown or not cells:
        raise OptionError(f"cells are {list(cells)}; name some of {', '.join(CELLS)}")
    if min(layers, seeds) < 1:
        raise OptionError(f"{layers} layers and {seeds} seeds: both must be 1 or more")
    practice = practice or Practice()
    configs = network_configs(cells, task, parameters, layers=layers, chrono=chrono, residual=residual)
    found = {
        cell: [practised_recall(config, task, each, on_step=on_step) for each in practices(practice, cell, seeds)]
        for cell, config in configs.items()
    }
    return report_of(task, practice, configs, found)


def practices(practice: Practice, cell: Cell, seeds: int) -> list[Practice]:
    """The practice of each seed of a cell, with the rate that suits it."""
    return [replace(practice, rate=RATES[cell], seed=practice.seed + number) for number in range(seeds)]


def report_of(
    task: Task, practice: Practice, configs: Mapping[Cell, ModelConfig], found: Mapping[Cell, Sequence[Recalled]]
) -> TaskReport:
    """The report of practices that were made elsewhere, such as in several processes."""
    networks = []
    for cell, config in configs.items():
        shares = np.stack([each.recall for each in found[cell]])
        recall = recall_of_seeds(task.distances, shares, task.chance, seed=practice.seed)
        made = tuple(practices(practice, cell, len(found[cell])))
        networks.append(Networks(config, made, tuple(found[cell]), recall))
    return TaskReport(task, practice, networks)
