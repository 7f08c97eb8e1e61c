"""What does a run leave on disk, and how does it go on after an interruption?

A run is a folder:

    experiment.json     the settings
    init.json           of a fine-tuning: the model it began from
    log.jsonl           one line per step and per epoch
    events/             the same for TensorBoard, if asked for
    model.safetensors   the best weights so far by validation: the run's model
    model.onnx          beside it when training ends or is stopped; without it the model runs on torch
    last/               weights, optimizer and position of the last save, for resuming

Every file is replaced whole. After a kill the log is cut back to the last save and the steps since are done again, with
the same result.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from seqaudio.corpus.frames import FrameCorpus
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import CheckpointError, NoNotesError, OptionError
from seqaudio.files.atomic import append_line, read_bytes, shown, write_bytes
from seqaudio.files.locks import alone
from seqaudio.models.checkpoint import GRAPH, LARGEST, WEIGHTS, Checkpoint, weights_of
from seqaudio.models.onnx_graph import write_graph
from seqaudio.models.size import count_parameters
from seqaudio.training.config import Experiment
from seqaudio.training.devices import Devices
from seqaudio.training.events import Events, summary_writer
from seqaudio.training.fine_tune import Origin, begin
from seqaudio.training.folder import LOCK, LOG, SETTINGS, LogLine, check_folder, clear_up
from seqaudio.training.loop import Trainer
from seqaudio.training.material import material_of
from seqaudio.training.progress import STATE, Progress
from seqaudio.training.saved import restore, saved
from seqaudio.training.transposition import room


class Run:
    """A training run in a folder.

    Args:
        folder: made if it is not there.
        experiment: the settings; a folder that holds a run with other settings is refused.
        corpus: what to train on.
        resume: go on where the last save stands; without it a folder that holds a run is refused.
        find_model: from the name in ``experiment.init`` to a model folder or weights file. Asked only when the run
            begins: what goes on has weights of its own.
        show: called with every log line, after it is written.
    """

    def __init__(
        self,
        folder: str | Path,
        experiment: Experiment,
        corpus: PreparedCorpus | FrameCorpus,
        *,
        resume: bool = False,
        find_model: Callable[[str], Path] = Path,
        show: Callable[[LogLine], None] = lambda line: None,
    ) -> None:
        if experiment.training.tensorboard:
            summary_writer()  # told now if it is missing, not when training begins
        self.folder = Path(folder)
        self.corpus = corpus
        self._material = material_of(corpus)
        self._events: Events | None = None
        self._show = show
        self._stopped = self._heeded = False  # asked to stop; and train has returned since
        self._devices = Devices()
        if experiment.training.threads:
            torch.set_num_threads(experiment.training.threads)
        with self._devices.main_first():  # the others look at the folder when it is laid out
            goes_on = resume and (self.folder / STATE).is_file()
            self.experiment, self._origin, start = self._from(experiment, goes_on, find_model)
            if self._devices.main:
                check_folder(self.folder, self.experiment, resume)
            self._trainer = self._new_trainer(start)  # what cannot be trained leaves no folder behind
            if goes_on:
                self._go_on()
            with self._alone():
                self._lay_out(resume)

    @property
    def progress(self) -> Progress:
        """Where the run stands."""
        return self._trainer.progress

    @property
    def unit(self) -> str:
        """What the model predicts one of at a time: "token" or "frame"."""
        return self._material.unit

    @property
    def reads(self) -> str:
        """What its pieces are: "frames", or the name of their tokenizer."""
        return "frames" if isinstance(self.corpus, FrameCorpus) else self.corpus.tokenizer.name

    @property
    def stopped(self) -> bool:
        """Whether :meth:`stop` or a signal has asked it to stop."""
        return self._stopped

    def stop(self) -> None:
        """Have :meth:`train` finish the step, save and return; from ``show``, or from any thread.

        What is called once more goes on, and what has not begun returns before its first step.
        """
        self._stopped, self._heeded = True, False

    @property
    def total_steps(self) -> int:
        """Steps of a run that is not stopped early."""
        return self._trainer.total_steps

    @property
    def description(self) -> str:
        """What is trained on what, in a line."""
        model, trainer, device = self.experiment.model, self._trainer, self._devices.device.type
        return (
            f"{model.cell} of {model.layers} x {model.hidden_size}, head {model.head}, "
            f"{count_parameters(trainer.model):,} parameters; {len(trainer.train):,} training and "
            f"{len(trainer.valid):,} validation pieces; at most {self.total_steps:,} steps on {device}"
        )

    def train(self, max_minutes: float | None = None) -> Progress:
        """Train until finished, the time is up, or :meth:`stop` is called; the state is saved in each case.

        In the main thread Ctrl-C and SIGTERM call ``stop``, and a second one raises KeyboardInterrupt at once. Python
        gives signals to no other thread: there ``stop`` and ``max_minutes`` alone end a run early.
        """
        if self._heeded:
            self._stopped = self._heeded = False
        deadline = None if max_minutes is None else time.monotonic() + 60 * max_minutes
        self._trainer.should_stop = lambda: self._stopped or (deadline is not None and time.monotonic() > deadline)
        with ExitStack() as opened:
            opened.callback(setattr, self, "_heeded", True)
            opened.enter_context(self._alone())
            if self._devices.main:
                clear_up(self.folder, self.progress)
            if self._devices.main and self.experiment.training.tensorboard:
                self._events = opened.enter_context(Events(self.folder, self.progress.step))
            opened.enter_context(self._stopping_on_signals())
            progress = self._trainer.run()
            if self._devices.main and (self.folder / WEIGHTS).is_file() and not self.experiment.model.of_frames:
                write_graph(self.folder)
        return progress

    def _from(
        self, experiment: Experiment, goes_on: bool, find_model: Callable[[str], Path]
    ) -> tuple[Experiment, Origin | None, Checkpoint | None]:
        """The experiment with all its sizes, the model it comes from, and the weights to begin with."""
        if experiment.init is None:
            return experiment, None, None
        if goes_on:
            origin = Origin.load(self.folder)
            return origin.sized(experiment), origin, None
        return begin(experiment, self.corpus, find_model)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Inside: no other run writes to the folder."""
        with alone(self.folder, self.folder / LOCK, "seqaudio train") if self._devices.main else nullcontext():
            yield

    def _lay_out(self, resume: bool) -> None:
        """What the folder holds from the first step on."""
        if not self._devices.main:
            return
        check_folder(self.folder, self.experiment, resume)  # once more: another run may have begun here
        write_bytes(self.folder / SETTINGS, self.experiment.model_dump_json(indent=1).encode())
        if self._origin is not None:
            self._origin.save(self.folder)

    def _new_trainer(self, start: Checkpoint | None) -> Trainer:
        experiment, material = self.experiment, self._material
        train, valid = material.split("train"), material.split("valid")
        if not all(any(len(piece) > 1 for piece in pieces) for pieces in (train, valid)):
            raise NoNotesError(
                f"{len(train)} training and {len(valid)} validation pieces: both are needed, and longer than a step; "
                f"{material.cure}"
            )
        self._check_memory()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(experiment.training.seed)
            model = start.build() if start else material.build(experiment.model)
        callbacks = (self._log, self._keep_best, self._save)
        memory = material.memory(experiment.model)
        return Trainer(model, material.transposition, experiment.training, train, valid, *callbacks, memory=memory)

    def _check_memory(self) -> None:
        """Refuse a model that cannot fit: weights, gradients and AdamW's two moments, and the average."""
        with torch.device("meta"):
            count = count_parameters(self._material.build(self.experiment.model))
        needed = 4 * count * (4 + (self.experiment.training.averaging != "none"))
        if needed > self._devices.memory_bytes:
            raise OptionError(
                f"model: training {count:,} parameters takes more than {needed / 1e9:,.0f} GB, and the memory has "
                f"{self._devices.memory_bytes / 1e9:,.0f} GB; lower model.hidden_size or model.layers"
            )

    def _log(self, line: LogLine) -> None:
        if self._devices.main:
            append_line(self.folder / LOG, json.dumps(line))
            if self._events is not None:
                self._events.write(line)
            self._show(line)

    def _keep_best(self) -> None:
        if not self._devices.main:
            return
        progress, material = self.progress, self._material
        facts = {
            "seqaudio": version("seqaudio"),
            "torch": torch.__version__,
            "device": self._devices.name,
            "corpus": self.corpus.fingerprint,
            "epoch": progress.epoch + 1,
            "steps": progress.step,
            f"valid_nats_per_{material.unit}": progress.best_nats,
            "experiment": self._experiment_as_run(),
            **material.facts(),
            **material.familiar(self._trainer.model, self._trainer.valid, self._trainer.memory),
        }
        if self._origin is not None:
            facts |= {"init": self._origin.name, "init_sha256": self._origin.sha256}
            facts["programs"] = self._origin.with_programs(facts["programs"])
            facts["metres"] = self._origin.with_metres(facts.get("metres", {}))
        weights = weights_of(self._trainer.model)
        checkpoint = material.checkpoint(self.experiment.model, weights, self._pitch_range, facts)
        (self.folder / GRAPH).unlink(missing_ok=True)  # it points into the weights file, and only into its own
        checkpoint.save(self.folder / WEIGHTS)

    def _experiment_as_run(self) -> dict[str, Any]:
        """The settings, with the options that the corpus was really prepared with."""
        settings: dict[str, Any] = json.loads(self.experiment.model_dump_json())
        settings["corpus"] |= self._material.settings()
        return settings

    @cached_property
    def _pitch_range(self) -> tuple[int, int]:
        """Lowest and highest pitch of the training pieces and their transposed copies."""
        ranges = [self._material.transposition.pitch_range(piece) for piece in self._trainer.train]
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        if low > high:  # nothing sounds
            return 0, 127
        down, up = room((low, high), self.experiment.training.transpose)
        low, high = low - down, high + up
        return self._origin.with_pitches(low, high) if self._origin else (low, high)

    def _save(self) -> None:
        data = saved(self._trainer, self.corpus.fingerprint)
        if self._devices.main:
            if self._events is not None:
                self._events.flush()
            (self.folder / STATE).parent.mkdir(exist_ok=True)
            write_bytes(self.folder / STATE, data)

    def _go_on(self) -> None:
        path = self.folder / STATE
        try:
            fingerprint = restore(self._trainer, read_bytes(path, LARGEST))
        except Exception as problem:
            reason = " ".join(str(problem).split())
            raise CheckpointError(
                f"{shown(path)}: cannot be resumed from ({reason}); start again in a new folder"
            ) from None
        if fingerprint != self.corpus.fingerprint:
            raise OptionError(
                f"{shown(self.folder)}: the corpus is not the one this run began with; prepare that again"
            )

    @contextmanager
    def _stopping_on_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM finish the step and save; a second one stops at once. Elsewhere than in the main thread
        they are left alone.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        came: list[int] = []

        def stop(number: int, frame: FrameType | None) -> None:
            if came:
                raise KeyboardInterrupt
            came.append(number)
            self.stop()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
