"""How is a sequence model trained?

Batches of whole pieces; each is read in chunks, the state carried from one chunk to the next and cut from the gradient
there. Every step: forward, backward, clip the global norm, AdamW. After every epoch the validation pieces are scored;
the best weights are kept. All that is random in a step depends on (seed, epoch) or (seed, step) alone, so a run that
was stopped and goes on is the run that was never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.corpus.batches import Batch, Piece, batch_order, stack
from seqaudio.models.recurrent import State
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.training.config import TrainingConfig
from seqaudio.training.evaluate import piece_nats
from seqaudio.training.transposition import Transposition, room


@dataclass
class Progress:
    """Where a run stands; with the weights and the optimizer, all that is needed to go on."""

    epoch: int = 0
    batch: int = 0  # next in this epoch
    step: int = 0
    seconds: float = 0.0
    best_nats: float = math.inf
    best_epoch: int = -1
    finished: bool = False


@dataclass
class Trainer:
    """One run: the model, its optimizer, the data and where it stands.

    Args:
        model: trained in place.
        transposition: how a piece is moved to another key.
        train, valid: pieces of tokens (steps,), or of frames (steps, keys).
        log: called with one plain dict per step and per epoch.
        keep_best: called when validation improved.
        save: called when the run may be interrupted here; must keep model, optimizer and progress.
        should_stop: asked between batches.
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
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=self.config.learning_rate, weight_decay=self.config.weight_decay
        )
        lengths = np.array([len(piece) for piece in self.train])
        self._lengths = lengths
        steps_of = [
            sum(-(-(int(lengths[numbers].max()) - 1) // self.config.chunk) for numbers in self._order(epoch))
            for epoch in range(self.config.epochs)
        ]
        self.total_steps = sum(steps_of)

    def run(self) -> Progress:
        """Train until the epochs are over, validation has stopped improving, or ``should_stop`` says so."""
        progress = self.progress
        with torch.random.fork_rng(devices=[]):
            while not progress.finished:
                if not self._epoch():
                    self.save()
                    return progress
                self._validate()
                self.save()
        return progress

    def _epoch(self) -> bool:
        """The rest of the current epoch; False when it was stopped on the way."""
        progress = self.progress
        order = self._order(progress.epoch)
        saved = time.monotonic()
        while progress.batch < len(order):
            if self.should_stop():
                return False
            if time.monotonic() - saved > 60 * self.config.save_minutes:
                self.save()
                saved = time.monotonic()
            self._batch(self._augmented(order[progress.batch]))
            progress.batch += 1
        return True

    def _order(self, epoch: int) -> list[NDArray[np.int64]]:
        generator = np.random.default_rng((self.config.seed, epoch))
        return batch_order(self._lengths, self.config.batch_size, generator)

    def _augmented(self, numbers: NDArray[np.int64]) -> Batch:
        """The pieces of a batch, each moved by a random interval that keeps it on the piano."""
        generator = np.random.default_rng((self.config.seed, self.progress.epoch, int(numbers[0]), 1))
        moved = []
        for number in numbers.tolist():
            piece = self.train[number]
            down, up = room(self.transposition.pitch_range(piece), self.config.transpose)
            moved.append(self.transposition.moved(piece, int(generator.integers(-down, up + 1))))
        return stack(moved)

    def _batch(self, batch: Batch) -> None:
        device = next(self.model.parameters()).device
        steps, lengths = torch.from_numpy(batch.steps).to(device), torch.from_numpy(batch.lengths).to(device)
        state = self.model.initial_state(len(steps))
        for inputs, targets, real in chunks(steps, lengths, self.config.chunk):
            state = self._step(inputs, targets, real, state)

    def _step(self, inputs: Tensor, targets: Tensor, real: Tensor, state: State) -> State:
        """One optimizer step on a chunk (batch, time, ...); the state behind it, cut from the gradient."""
        started, progress = time.perf_counter(), self.progress
        torch.manual_seed(self.config.seed * 1_000_003 + progress.step)
        self.model.train()
        rate = self._rate(progress.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            outputs, state = self.model(inputs, tuple(part.detach() for part in state))
            nats = self.model.head.nats(outputs, targets)  # (batch, time)
        total = (nats * real).sum()
        # a fixed divisor: the short last chunk of a batch must not weigh as much as a full one
        loss = total / (self.config.batch_size * self.config.chunk)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimizer.step()
        progress.step += 1
        seconds = time.perf_counter() - started
        progress.seconds += seconds
        self.log(
            {
                "step": progress.step,
                "epoch": progress.epoch,
                "nats": round(total.item() / int(real.sum()), 6),
                "rate": rate,
                "gradient_norm": round(norm.item(), 6),
                "tokens": int(real.sum()),
                "seconds": round(seconds, 4),
            }
        )
        return tuple(part.detach().float() for part in state)

    def _rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to the final rate."""
        config = self.config
        warm = min(1.0, (step + 1) / max(config.warmup_steps, 1))
        done = min(1.0, step / max(self.total_steps, 1))
        decay = config.final_rate + (1 - config.final_rate) * 0.5 * (1 + math.cos(math.pi * done))
        return config.learning_rate * warm * decay

    def _validate(self) -> None:
        started, progress = time.perf_counter(), self.progress
        nats = np.concatenate(piece_nats(self.model, self.valid))
        progress.seconds += time.perf_counter() - started
        mean = float(nats.mean())
        better = mean < progress.best_nats
        if better:
            progress.best_nats, progress.best_epoch = mean, progress.epoch
            self.keep_best()
        self.log({"epoch": progress.epoch, "valid_nats": mean, "best": better, "seconds": round(progress.seconds, 1)})
        progress.epoch, progress.batch = progress.epoch + 1, 0
        stale = progress.epoch - 1 - progress.best_epoch >= self.config.patience
        progress.finished = progress.epoch >= self.config.epochs or stale


def chunks(steps: Tensor, lengths: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Inputs, targets (batch, up to size, ...) and which targets are real, along a padded batch of whole pieces."""
    for start in range(0, steps.shape[1] - 1, size):
        targets = steps[:, start + 1 : start + 1 + size]
        places = torch.arange(start + 1, start + 1 + targets.shape[1], device=steps.device)
        yield steps[:, start : start + targets.shape[1]], targets, places < lengths[:, None]
