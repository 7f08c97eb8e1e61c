"""Which made-up sequences show what a recurrent network can hold, and for how long?

Conventions: a task is drawn at a distance, how far back lies what must be held; all rows of a batch have the same, so
that nothing is padded. Targets stand beside the input that they follow. What a network is judged by are the targets
that are ``asked``; the others are to be predicted, too, where they can be. Recall is the share of asked targets that
are right; ``chance`` is the recall of a network that knows the task and holds nothing.

Sources: adding: S. Hochreiter and J. Schmidhuber, "Long short-term memory", 1997 (right is an error below 0.04, as
there); copy: the same, and M. Arjovsky, A. Shah and Y. Bengio 2016, whose lengths are usual; both as S. Bai, J. Z.
Kolter and V. Koltun 2018 set them up.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from seqaudio.errors import OptionError
from seqaudio.models.config import ModelConfig, build_model
from seqaudio.models.heads.head import Head
from seqaudio.models.sequence_model import SequenceModel

Bools = NDArray[np.bool_]


class Batch(NamedTuple):
    """Sequences of a task, all of one distance.

    Attributes:
        inputs: ids (rows, steps), or numbers (rows, steps, features).
        targets: ids (rows, steps), or numbers (rows, steps, 1).
        asked: which targets recall is judged by, (steps,).
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    asked: Bools


class Task(ABC):
    """Sequences of some kind.

    Attributes:
        name: in one word.
        unit: of the distances.
        distances: that recall is judged at, rising.
        apart: a network is trained for each distance by itself, as the published figures are; else one for all of them,
            short ones as often as long ones on a scale of ratios.
        chance: recall of a network that holds nothing.
        loss_of_chance: mean loss of such a network at the targets that are asked.
        loss_unit: what losses are counted in.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    apart: ClassVar[bool] = False
    loss_unit: ClassVar[str] = "nats"
    distances: Sequence[int]
    chance: float
    loss_of_chance: float

    @abstractmethod
    def draw(self, rows: int, distance: int, generator: Generator) -> Batch:
        """Sequences of a distance."""

    @abstractmethod
    def steps(self, distance: int) -> int:
        """How many steps a network must hold what it is asked for."""

    @abstractmethod
    def build(self, config: ModelConfig) -> SequenceModel:
        """A new network with the layers of a config."""

    @abstractmethod
    def right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Which targets (rows, steps) a network has right, bool."""

    def config(self, config: ModelConfig) -> ModelConfig:
        """The config as this task needs it."""
        return config

    def distance_in_training(self, generator: Generator) -> int:
        """A distance to train at, where one network is trained for all."""
        low, high = self.distances[0], self.distances[-1]
        return int(math.exp(generator.uniform(math.log(low + 1), math.log(high + 2)))) - 1


class TokenTask(Task):
    """A task of ids, whose asked targets are all as likely before anything is heard.

    Args:
        vocabulary_size: how many ids there are.
        choices: how many of them may be asked for.
    """

    def __init__(self, vocabulary_size: int, choices: int) -> None:
        self.vocabulary_size = vocabulary_size
        self.chance, self.loss_of_chance = 1 / choices, math.log(choices)

    def build(self, config: ModelConfig) -> SequenceModel:
        """See :class:`Task`."""
        return build_model(config, self.vocabulary_size)

    def right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The likeliest id is the right one."""
        return outputs.argmax(dim=-1) == targets

    def config(self, config: ModelConfig) -> ModelConfig:
        """Ids are heard as 32 numbers, in every network."""
        return config.model_copy(update={"head": "categorical", "embedding_size": 32})


class Motif(TokenTask):
    """Delayed recall: a motif of four notes, bars of other notes, a cue, and the motif again.

    The cue stands for a *da capo*; notes are drawn from the eight of a scale, each as likely as the others, so nothing
    but memory can tell the motif. The distance is in bars between the motif and the cue.

    Args:
        distances: bars.
    """

    name, unit = "motif", "bars"
    NOTES, LENGTH = 8, 4
    START, BAR, CUE, FIRST_NOTE = 0, 1, 2, 3

    def __init__(self, distances: Sequence[int] = (0, 1, 2, 4, 8, 16, 32)) -> None:
        super().__init__(self.FIRST_NOTE + self.NOTES, self.NOTES)
        self.distances = _rising(distances, least=0)

    def steps(self, distance: int) -> int:
        """See :class:`Task`."""
        return (1 + self.LENGTH) * (distance + 1)

    def draw(self, rows: int, distance: int, generator: Generator) -> Batch:
        """See :class:`Task`."""
        motif, others = (self._notes(generator, rows, bars) for bars in (1, distance))
        parts = [np.full((rows, 1), self.START), motif[:, 1:], others, np.full((rows, 1), self.CUE), motif[:, 1:]]
        return _following(np.concatenate(parts, axis=1), self.LENGTH)

    def _notes(self, generator: Generator, rows: int, bars: int) -> NDArray[np.int64]:
        """Bars of notes, each behind a bar line, (rows, bars * 5)."""
        notes = self.FIRST_NOTE + generator.integers(0, self.NOTES, (rows, bars, self.LENGTH))
        lines = np.full((rows, bars, 1), self.BAR)
        return np.concatenate([lines, notes], axis=2).reshape(rows, -1)


class Copy(TokenTask):
    """Copy memory: ten symbols of eight kinds, blanks, and the symbols again. The distance is the number of blanks.

    The last blank is a sign to begin. Knowing nothing costs ln 8 nats a symbol, or 10 ln 8 / (T + 20) a step over all
    steps, as it is often printed.

    Args:
        distances: blanks.
    """

    name, unit, apart = "copy", "blanks", True
    SYMBOLS, LENGTH = 8, 10
    SIGN = 9  # a blank is 0

    def __init__(self, distances: Sequence[int] = (25, 50, 100)) -> None:
        super().__init__(10, self.SYMBOLS)
        self.distances = _rising(distances, least=1)

    def steps(self, distance: int) -> int:
        """See :class:`Task`."""
        return distance + self.LENGTH

    def draw(self, rows: int, distance: int, generator: Generator) -> Batch:
        """See :class:`Task`."""
        symbols = generator.integers(1, 1 + self.SYMBOLS, (rows, self.LENGTH))
        blanks = np.zeros((rows, distance + self.LENGTH), np.int64)
        inputs, targets = np.concatenate([symbols, blanks], axis=1), np.concatenate([blanks, symbols], axis=1)
        inputs[:, self.LENGTH + distance - 1] = self.SIGN
        asked = np.arange(inputs.shape[1]) >= distance + self.LENGTH
        return Batch(inputs, targets, asked)


class Adding(Task):
    """The adding problem: numbers from 0 to 1, two of them marked; their sum is asked for at the end.

    One mark is in the first half and one in the second. Always saying 1 has a squared error of 1/6. The distance is the
    length.

    Args:
        distances: steps.
    """

    name, unit, apart, loss_unit = "adding", "steps", True, "squared error"
    NEAR = 0.04

    def __init__(self, distances: Sequence[int] = (50, 100, 200)) -> None:
        self.distances = _rising(distances, least=2)
        # of the sum of two uniform numbers, how often it lies that close to 1, the best constant
        self.chance, self.loss_of_chance = 1 - (1 - self.NEAR) ** 2, 1 / 6

    def steps(self, distance: int) -> int:
        """See :class:`Task`."""
        return distance

    def draw(self, rows: int, distance: int, generator: Generator) -> Batch:
        """See :class:`Task`."""
        numbers, marks = generator.random((rows, distance)), np.zeros((rows, distance))
        half = distance // 2
        for place in (generator.integers(0, half, rows), generator.integers(half, distance, rows)):
            marks[np.arange(rows), place] = 1
        targets = np.zeros((rows, distance, 1), np.float32)
        targets[:, -1, 0] = (numbers * marks).sum(axis=1)
        inputs = np.stack([numbers, marks], axis=2).astype(np.float32)
        return Batch(inputs, targets, np.arange(distance) == distance - 1)

    def build(self, config: ModelConfig) -> SequenceModel:
        """See :class:`Task`: a model of frames of two keys, under a head of one number."""
        model = build_model(config, keys=2)
        return SequenceModel(model.encoder, model.stack, MeanHead(config.hidden_size))

    def right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The number is as good as right."""
        return (outputs - targets).abs()[..., 0] < self.NEAR

    def config(self, config: ModelConfig) -> ModelConfig:
        """Numbers are heard as they are."""
        return config.model_copy(update={"head": "bernoulli", "embedding_size": None})


class MeanHead(Head):
    """One number a step; its loss is the squared error, what a Gaussian of variance 1/2 costs but for a constant."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(hidden_size, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Numbers (rows, steps, 1) of hidden states (rows, steps, hidden)."""
        numbers: Tensor = self.linear(hidden)
        return numbers

    def nats(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of numbers (rows, steps, 1), (rows, steps)."""
        return (outputs.float() - targets).square()[..., 0] + 0.5 * math.log(math.pi)

    def nats_and_loss(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The nats, and the squared error."""
        nats = self.nats(outputs, targets)
        return nats, nats - 0.5 * math.log(math.pi)

    def sample(self, outputs: Tensor, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Numbers drawn from that Gaussian, its variance times the temperature."""
        noise = torch.randn(outputs.shape, generator=generator, device=outputs.device)
        return outputs + noise * math.sqrt(0.5 * temperature)


TASKS: dict[str, type[Motif | Copy | Adding]] = {task.name: task for task in (Motif, Copy, Adding)}


def _following(ids: NDArray[np.int64], asked: int) -> Batch:
    """Rows (rows, steps + 1) as inputs and what follows each; the last ``asked`` are asked for."""
    return Batch(ids[:, :-1], ids[:, 1:], np.arange(ids.shape[1] - 1) >= ids.shape[1] - 1 - asked)


def _rising(distances: Sequence[int], least: int) -> tuple[int, ...]:
    """Distances as they may be."""
    rising = tuple(sorted(set(distances)))
    if not rising or rising[0] < least:
        raise OptionError(f"distances {list(distances)}: there must be some, each {least} or more")
    return rising
