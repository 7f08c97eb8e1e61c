"""How is a sequence model trained?

Batches of whole pieces; each is read in chunks, the state carried from one chunk to the next and cut from the gradient
there; rows whose piece has ended are left out. Every step: forward, backward, clip the global norm, AdamW. After every
epoch the validation pieces are scored; the best weights are kept. All that is random in a step depends on (seed, epoch)
or (seed, step) alone, and dropout masks belong to the rows of the whole batch. So a run that was stopped behind any
step and goes on is the run that was never stopped; and a batch read in parts, one after the other or in several
processes, makes the step of the undivided batch but for rounding.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.corpus.batches import Batch, Piece, batch_order, stack
from seqaudio.errors import DivergedError
from seqaudio.models.match_memory import Memory
from seqaudio.models.recurrent import State
from seqaudio.models.row_masks import part_of_batch
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.training.average import Average
from seqaudio.training.config import TrainingConfig
from seqaudio.training.devices import Devices, subnormals_as_zero
from seqaudio.training.evaluate import piece_nats
from seqaudio.training.optimizer import make_optimizer, rate_at
from seqaudio.training.progress import Progress
from seqaudio.training.transposition import Transposition, room

EMA_DECAY, MEAN_FROM = 0.999, 0.5  # where the config names none


@dataclass
class Trainer:
    """One run: the model, its optimizer, the data and where it stands.

    Args:
        model: trained in place.
        transposition: how a piece is moved to another key.
        train, valid: pieces of tokens (steps,), or of frames (steps, keys).
        log: called with one plain dict per step and per epoch.
        keep_best: called when validation improved, while the model has the weights that were judged.
        save: called when the run may be interrupted here; must keep model, optimizer, average, state and progress.
        should_stop: asked between steps.
        memory: of a model that has one.

    Attributes:
        average: the averaged weights, if the config asks for them.
        state: carried into the next step, of this process's rows; () where the next step begins a batch.

    Raises:
        DivergedError: a loss, a gradient or a validation is not finite.
    """

    model: SequenceModel
    transposition: Transposition
    config: TrainingConfig
    train: Sequence[Piece]
    valid: Sequence[Piece]
    log: Callable[[dict[str, object]], None]
    keep_best: Callable[[], None]
    save: Callable[[], None]
    should_stop: Callable[[], bool] = lambda: False
    memory: Memory | None = None
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        config, self.devices = self.config, Devices()
        self._lengths = np.array([len(piece) for piece in self.train])
        # what is found in a piece is found in it in every key
        self._recalls = [self.memory.recall(piece) for piece in self.train] if self.memory else []
        self.total_steps = sum(len(self._plan(epoch)[1]) for epoch in range(config.epochs))
        self.model.to(self.devices.device)
        self.optimizer = make_optimizer(self.model, config)
        self.state: State = ()
        self.average: Average | None = None
        if config.averaging == "ema":
            self.average = Average(self.model, EMA_DECAY if config.decay is None else config.decay)
        elif config.averaging == "mean":
            share = MEAN_FROM if config.mean_from is None else config.mean_from
            self.average = Average(self.model, None, int(share * self.total_steps))

    def run(self) -> Progress:
        """Train until the epochs are over, validation has stopped improving, or ``should_stop`` says so."""
        progress = self.progress
        with torch.random.fork_rng(self.devices.generators), subnormals_as_zero():
            while not progress.finished and self._epoch():
                self._end_epoch()
                self.save()
        return progress

    def _epoch(self) -> bool:
        """The rest of the current epoch; False when it was stopped, and saved, on the way."""
        progress, saved, batch = self.progress, time.monotonic(), None
        order, places = self._plan(progress.epoch)
        for number, chunk in [*places[progress.place :], (len(order), 0)]:
            due = time.monotonic() - saved > 60 * self.config.save_minutes
            stop, due = self.devices.any(self.should_stop(), due)
            if stop or due:
                self.save()
                saved = time.monotonic()
            if stop or number == len(order):
                break
            if batch is None or chunk == 0:
                batch = self._augmented(order[number])
            self._step(batch, chunk)
        return not stop

    def _plan(self, epoch: int) -> tuple[list[NDArray[np.int64]], list[tuple[int, int]]]:
        """The piece numbers of each batch of an epoch, and for each of its steps the batch and the chunk."""
        generator = np.random.default_rng((self.config.seed, epoch))
        order = batch_order(self._lengths, self.config.batch_size, generator)
        longest = [int(self._lengths[numbers].max()) for numbers in order]
        counts = [-(-(length - 1) // self.config.chunk) for length in longest]
        return order, [(number, chunk) for number, count in enumerate(counts) for chunk in range(count)]

    def _augmented(self, numbers: NDArray[np.int64]) -> Batch:
        """The pieces of a batch, moved by random intervals that keep them on the piano."""
        generator = np.random.default_rng((self.config.seed, self.progress.epoch, int(numbers[0]), 1))
        moved = []
        for number in numbers.tolist():
            piece, share = self.train[number], self.config.transpose_share
            moves = share == 1 or generator.random() < share
            down, up = room(self.transposition.pitch_range(piece), self.config.transpose if moves else 0)
            moved.append(self.transposition.moved(piece, int(generator.integers(-down, up + 1))))
        if self.memory is None:
            return stack(moved)
        recalls = [self._recalls[number] for number in numbers]
        return stack(moved, [self.memory.heard(piece, said) for piece, said in zip(moved, recalls, strict=True)])

    def _step(self, batch: Batch, chunk: int) -> None:
        """One optimizer step on a chunk of a batch."""
        started, progress, config = time.perf_counter(), self.progress, self.config
        self.model.train()
        rate = rate_at(config, progress.step, self.total_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        total, count = self.devices.sum(self._gradients(batch, chunk)).tolist()
        parameters = list(self.model.parameters())
        self.devices.sum_gradients(parameters)
        norm = torch.nn.utils.clip_grad_norm_(parameters, config.clip).item()
        if not (math.isfinite(total) and math.isfinite(norm)):
            raise DivergedError(
                f"step {progress.step + 1}: the loss is {total / count:.4g} nats, the norm of its gradient {norm:.4g}; "
                "lower training.learning_rate or raise training.warmup_steps, and start in a new folder"
            )
        self.optimizer.step()
        progress.step, progress.place = progress.step + 1, progress.place + 1
        if self.average:
            self.average.update(self.model, progress.step)
        seconds = time.perf_counter() - started
        progress.seconds += seconds
        line = {"step": progress.step, "epoch": progress.epoch, "nats": round(total / count, 6), "rate": rate}
        self.log(line | {"gradient_norm": round(norm, 6), "tokens": int(count), "seconds": round(seconds, 4)})

    def _gradients(self, batch: Batch, chunk: int) -> Tensor:
        """Backward for this process's rows of a chunk: (2,) sum of their nats and number of their targets."""
        device, size, begin = self.devices.device, self.config.chunk, chunk * self.config.chunk
        rows = self._own(batch, begin)
        states = tuple(part[:, : len(rows)] for part in self.state) if chunk else self.model.initial_state(len(rows))
        sums, ends = torch.zeros(2, device=device), []
        for part in np.array_split(np.arange(len(rows)), self.config.accumulate):
            if not len(part):
                continue
            inputs, targets, real = (t.to(device) for t in window(batch, rows[part], begin, size))
            torch.manual_seed(self.config.seed * 1_000_003 + self.progress.step)
            with (
                part_of_batch(rows[part].tolist(), len(batch.lengths)),
                torch.autocast(device.type, torch.bfloat16, enabled=self.config.precision == "bf16"),
            ):
                outputs, end = self.model(inputs, tuple(s[:, part[0] : part[-1] + 1].contiguous() for s in states))
                nats, loss = self.model.nats_and_loss(outputs, targets)  # (rows, time)
            # a fixed divisor: the short last chunk of a batch must not weigh as much as a full one
            ((loss * real).sum() / (self.config.batch_size * size)).backward()  # type: ignore[no-untyped-call]
            sums += torch.stack([(nats.detach() * real).sum(), real.sum()])
            ends.append([s.detach().float() for s in end])
        if begin + size >= batch.lengths.max() - 1:
            self.state = ()
        else:
            self.state = tuple(torch.cat(s, dim=1) for s in zip(*ends, strict=True)) if ends else states
        return sums

    def _own(self, batch: Batch, begin: int) -> NDArray[np.int64]:
        """This process's rows that have something to predict behind step ``begin``: every so many of the batch."""
        rows = np.flatnonzero(batch.lengths - 1 > begin)
        assert len(rows) == rows[-1] + 1, "the longest pieces come first"
        return rows[self.devices.process :: self.devices.processes]

    def carried(self) -> State:
        """The state carried into the next step, (layers, rows, ...), of all rows; all processes must ask for it."""
        if self.devices.processes == 1 or not self.state:
            return self.state
        count = torch.tensor([self.state[0].shape[1]], device=self.devices.device)
        rows = int(self.devices.sum(count).item())
        whole = [part.new_zeros((part.shape[0], rows, *part.shape[2:])) for part in self.state]
        for part, own in zip(whole, self.state, strict=True):
            part[:, self.devices.process :: self.devices.processes] = own
        return tuple(self.devices.sum(part) for part in whole)

    def carry(self, whole: State) -> None:
        """Carry this process's rows of such a state into the next step."""
        own = slice(self.devices.process, None, self.devices.processes)
        self.state = tuple(part[:, own].contiguous().to(self.devices.device) for part in whole)

    def _end_epoch(self) -> None:
        progress, config = self.progress, self.config
        done, stale = progress.epoch + 1, False
        if done % config.validate_every == 0 or done == config.epochs:
            self._validate()
            stale = progress.epoch - progress.best_epoch >= config.patience
        progress.epoch, progress.place = done, 0
        progress.finished = stale or done == config.epochs

    def _validate(self) -> None:
        started, progress = time.perf_counter(), self.progress
        with self.average.in_place_of(self.model) if self.average else nullcontext():
            own = self.valid[self.devices.process :: self.devices.processes]
            nats = np.concatenate([np.zeros(0), *piece_nats(self.model, own, self.memory)])
            sums = torch.tensor([nats.sum(), len(nats)], dtype=torch.float64)
            total, count = self.devices.sum(sums.to(self.devices.device)).tolist()
            mean = total / count
            if not math.isfinite(mean):
                raise DivergedError(
                    f"epoch {progress.epoch + 1}: validation is {mean:.4g} nats; lower training.learning_rate"
                )
            progress.seconds += time.perf_counter() - started
            better = mean < progress.best_nats
            if better:
                progress.best_nats, progress.best_epoch = mean, progress.epoch
                self.keep_best()
        self.log({"epoch": progress.epoch, "valid_nats": mean, "best": better, "seconds": round(progress.seconds, 1)})


def window(batch: Batch, rows: NDArray[np.int64], begin: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Of these rows, up to ``size`` inputs from step ``begin`` on, their targets, and which targets are real."""
    lengths = torch.from_numpy(batch.lengths[rows])
    end = min(begin + size, int(lengths.max()) - 1)
    inputs, targets = batch.heard[rows, begin:end], batch.steps[rows, begin + 1 : end + 1]  # (rows, up to size, ...)
    real = torch.arange(begin + 1, end + 1) < lengths[:, None]
    return torch.from_numpy(inputs), torch.from_numpy(targets), real
