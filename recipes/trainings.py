"""How are many trainings asked for, kept, and not done twice?

A recipe's log is one JSON file, written anew after each training. It is the journal too: what stands there is not
trained again. A training is a plain dict with ``cell``, ``setting`` (what was drawn) and ``experiment`` (what
``check_experiment`` takes, but for the corpus); it is a trial of the search, with its ``trial`` number, or one of the
chosen setting, with its ``seed``.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import sys
import textwrap
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from side_by_side import work

from seqaudio.errors import BadFileError, CheckpointError, OptionError, SeqAudioError
from seqaudio.files.atomic import read_bytes, write_bytes
from seqaudio.models.config import MemoryConfig, ModelConfig
from seqaudio.training.config import TrainingConfig, check_experiment
from seqaudio.training.progress import Progress
from seqaudio.training.run import Run

Record = dict[str, Any]


class Journal:
    """The log of a recipe, in a file.

    Args:
        path: of the file.
        head: what the log says of the corpus (``sha256``), the ``plan`` and whatever else; a file that says otherwise
            of these two is refused.
        read: reads and checks the file.
    """

    def __init__(self, path: Path, head: Record, read: Callable[[Path], Record]) -> None:
        self.path = path
        self.log: Record = {**head, "trainings": []}
        if path.is_file():
            kept = read(path)
            other = [name for name in ("sha256", "plan") if kept.get(name) != self.log[name]]
            if other:
                raise OptionError(f"{path.name}: of another {' and '.join(other)}; name another folder with --out")
            self.log = kept

    def train(
        self,
        pool: ProcessPoolExecutor,
        asked: Iterable[Record],
        task: Callable[..., Record],
        *arguments: object,
        what: str,
        said: Callable[[Record], str],
    ) -> None:
        """Every training that the log does not hold yet: ``task(record, *arguments)`` in a worker, then into the file.

        Args:
            pool: from ``side_by_side.workers``.
            asked: the trainings.
            task: trains, and returns the record with its results.
            arguments: for the task.
            what: kind of training, for the line that is shown.
            said: what the line says of a finished one.
        """
        known = {key(record) for record in self.log["trainings"]}
        rest = [record for record in asked if key(record) not in known]
        waiting = [pool.submit(work, task, record, *arguments) for record in rest]
        for number, done in enumerate(as_completed(waiting), start=1):
            record = done.result()
            self.log["trainings"].append(record)
            self.save()
            click.echo(f"{what} {number}/{len(rest)}: {said(record)}, {record['seconds']:.0f} s", err=True)

    def save(self) -> None:
        """Write the file, with versions and date."""
        packages = {name: version(name) for name in ("seqaudio", "numpy")}
        self.log["versions"] = {**packages, "python": platform.python_version(), "machine": platform.machine()}
        self.log["date"] = str(date.today())
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(self.path, json.dumps(self.log, indent=1).encode())


def trained(folder: Path, asked: Record, corpus: Any, max_minutes: float | None) -> Progress:
    """Train in a folder, or go on with what is there, until there is a model; in a process of its own.

    Args:
        folder: of the run.
        asked: an experiment as plain values.
        corpus: what it is trained on.
        max_minutes: when to stop; on a slow machine later, for it must end with a model.

    Raises:
        DivergedError: the numbers ran away; a model of before may be in the folder.
        KeyboardInterrupt: told to leave; the run is saved.
    """
    run = Run(folder, check_experiment(asked, folder.name), corpus, resume=folder.is_dir())
    progress = run.train(max_minutes)
    while max_minutes and progress.best_epoch < 0 and not run.stopped:
        max_minutes *= 2
        progress = run.train(max_minutes)
    if run.stopped:
        raise KeyboardInterrupt
    return progress


def key(record: Record) -> str:
    """What makes two trainings the same: all but how exactly they are computed, which depends on the device.

    A setting that did not exist when a log was begun has its default. Where a log holds trainings on several things,
    ``on`` says which.
    """
    asked = record["experiment"]
    model = ModelConfig().model_dump(mode="json") | asked["model"]
    if model["memory"] is not None:
        model["memory"] = MemoryConfig().model_dump(mode="json") | model["memory"]
    training = TrainingConfig().model_dump(mode="json") | asked["training"]
    settings = {name: training[name] for name in training if name != "precision"}
    return json.dumps([record.get("on"), model, settings], sort_keys=True)


def which(record: Record) -> str:
    """What a training is for, as a person may read it."""
    return f"trial {record['trial']}" if "trial" in record else f"seed {record['seed']}"


def training_options(name: str, kept: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options of a recipe that trains many models: how much, where to, how many side by side.

    Args:
        name: of its folder of results, and of runs.
        kept: what is kept in the latter.
    """
    options = (
        click.option("--quick", is_flag=True, help="One seed, small models, no search."),
        click.option("--seeds", type=click.IntRange(1), help="Trainings of the best setting.  [default: 5, quick 1]"),
        click.option(
            "--out", type=click.Path(), help=f"Where the table and the log go.  [default: docs/results/{name}]"
        ),
        click.option("--runs", default=f"runs/{name}", show_default=True, help=f"Where {kept} are kept."),
        click.option(
            "--jobs",
            type=click.IntRange(1),
            default=os.cpu_count() or 1,
            show_default=True,
            help="Trainings side by side, a thread each.",
        ),
    )

    def with_options(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


def page_command(recipe: str, page: Callable[[Path], str]) -> click.Command:
    """The command of a module of tables: print the page of a LOG that a recipe keeps, without doing anything else."""

    @click.command(help=f"Print the page of a LOG that {recipe} keeps.")
    @click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    def main(log: Path) -> None:
        click.echo(page(log), nl=False)

    return main


MADE_BY = {  # what stands in the logs of each recipe and of no other
    "forgetting.py": {"networks", "cells"},
    "beyond_music.py": {"text", "series"},
    "rnn_vs_lstm.py": {"trainings", "corpus", "rows"},
    "polyphonic_benchmark.py": {"trainings", "frames"},
    "train_shipped.py": {"choice", "rows"},
}
KEEPING_RUNS = ("rnn_vs_lstm.py", "polyphonic_benchmark.py")  # their trainings can be found again without a log


def damaged(path: Path, recipe: str, problem: Exception) -> CheckpointError:
    """What to raise where a file is not a log of a recipe: damaged, or the log of another."""
    with suppress(ValueError, RecursionError, BadFileError):
        log = json.loads(read_bytes(path))
        for other, names in MADE_BY.items():
            if other != recipe and isinstance(log, dict) and names <= set(log):
                return CheckpointError(f"{path}: the log of {other}, not of {recipe}; name another file or --out")
    reason = " ".join(f"{type(problem).__name__}: {problem}".split())
    kept = "finished trainings are kept in the folder of --runs and found again"
    if recipe not in KEEPING_RUNS:
        kept = "what it held is then done anew"
    return CheckpointError(f"{path}: damaged, not a log of {recipe} ({reason}); move it away: {kept}")


def wrapped(text: str) -> list[str]:
    """A paragraph of a table as lines."""
    return textwrap.wrap(text, 118, break_on_hyphens=False)


def made_by(command: str, log: Record) -> str:
    """What made a log: the command, versions, date, on which devices, and the time of all trainings."""
    seconds = sum(record["seconds"] for record in log["trainings"])
    versions = ", ".join(f"{name} {value}" for name, value in log["versions"].items())
    devices = sorted(record["device"] for record in log["trainings"])
    where = "; ".join(f"{device}: {len(list(same))}" for device, same in itertools.groupby(devices)) or "nothing"
    return (
        f"Command: `{command}`. {versions}. {log['date']}, {len(log['trainings'])} trainings ({where}), "
        f"{seconds / 3600:.1f} hours if one by one."
    )


def run_recipe(main: click.Command, name: str) -> None:
    """Run a recipe's command and end the process: 0, or one line that says what is wrong."""
    try:
        main(standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        complaint, code = "interrupted; the same command goes on", 1
    except BrokenProcessPool:
        complaint, code = "a training process was ended, for want of memory perhaps; the same command goes on", 1
    except SeqAudioError as problem:
        complaint, code = str(problem), problem.exit_code
    except click.ClickException as problem:
        complaint, code = problem.format_message(), problem.exit_code
    except OSError as problem:
        complaint, code = f"{problem.filename}: {problem.strerror}; check the path, its permissions and the disk", 1
    else:
        sys.exit()
    click.echo(f"{name}: {complaint}", err=True)
    sys.exit(code)
