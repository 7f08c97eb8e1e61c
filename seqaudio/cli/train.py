"""``seqaudio train``: a YAML file -> a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from seqaudio.training.run import Run


EXAMPLES = """\b
Examples:
  seqaudio train configs/your_folder.yaml --set model.cell=gru --out runs/gru
  seqaudio train configs/your_folder.yaml --set init=folk --set model={}
  accelerate launch --multi_gpu --num_processes 2 -m seqaudio train CONFIG
"""


@click.command("train", epilog=EXAMPLES)
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="The run's folder.  [default: runs/ and the config's name]"
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting: training.precision=bf16. Repeatable.",
)
@click.option("--resume", is_flag=True, help="Go on where an interrupted run stands.")
@click.option(
    "--max-minutes",
    metavar="M",
    type=click.FloatRange(0, min_open=True),
    help="Stop after so long; --resume goes on.",
)
def command(config: Path, out: Path | None, changes: tuple[str, ...], resume: bool, max_minutes: float | None) -> None:
    """Train a model as CONFIG says, in a folder that can be interrupted (Ctrl-C) and resumed at any time.

    CONFIG is YAML: corpus (a prepared one, or a set of piano rolls), model, training, and init for a model to begin
    from. docs/train.md names every setting; all mistakes are told at once. The corpus is prepared first
    if CONFIG names its sources and it is not there yet.

    The best weights by validation are the run's model: `seqaudio continue song.mid --model RUN`, and `seqaudio info
    RUN` says what it is. How the training went is drawn in RUN/loss.png and stands in RUN/log.jsonl.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from seqaudio.cli.terminal import console
    from seqaudio.files.atomic import shown
    from seqaudio.pretrained import model_path
    from seqaudio.report.loss import draw_loss
    from seqaudio.training.config import load_experiment
    from seqaudio.training.devices import Devices
    from seqaudio.training.folder import LogLine
    from seqaudio.training.material import open_corpus
    from seqaudio.training.run import Run

    main = Devices().main  # of several processes one speaks
    experiment = load_experiment(config, changes)
    corpus = open_corpus(experiment, lambda text: click.echo(text, err=True))
    folder = out or Path("runs") / config.stem
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("step {task.completed}/{task.total}"))
    speed = 0.0
    with Progress(*columns, TimeRemainingColumn(), console=console(), disable=not main) as bar:
        task = bar.add_task("training", total=None)

        def show(line: LogLine) -> None:
            nonlocal speed
            epoch = int(str(line["epoch"])) + 1
            if "step" in line:
                now = 1 / max(float(str(line["seconds"])), 1e-4)
                speed = 0.95 * speed + 0.05 * now if speed else now
                description = f"epoch {epoch}  {line['nats']:.3f} nats  {speed:.1f} steps/s"
                bar.update(task, completed=float(str(line["step"])), description=description)
            else:
                click.echo(f"epoch {epoch}: validation {line['valid_nats']:.4f} nats per {run.unit}", err=True)

        run = Run(folder, experiment, corpus, resume=resume, find_model=model_path, show=show)
        if main:
            click.echo(run.description, err=True)
            if resume and not run.progress.step:
                click.echo(f"nothing to go on with in {shown(folder)}: it begins anew", err=True)
        bar.update(task, total=run.total_steps, completed=run.progress.step)
        run.train(max_minutes)
    if main:
        picture = draw_loss(folder)
        click.echo(_ending(run) if picture is None else f"{_ending(run)}\nhow it went: {picture}")


def _ending(run: Run) -> str:
    """How a run ended, where it is and what to do next."""
    from seqaudio.corpus.frames import FrameCorpus

    progress = run.progress
    state = "finished" if progress.finished else "stopped"
    judged = progress.best_epoch >= 0
    best = f", best epoch {progress.best_epoch + 1} with {progress.best_nats:.4f} nats" if judged else ""
    text = f"{run.folder}: {state} after {progress.step} steps{best}"
    if not progress.finished:
        return f"{text}\ngo on with the same command and --resume"
    if isinstance(run.corpus, FrameCorpus):
        use = f"score {run.folder} {run.corpus.name}"
    elif run.reads == "bars":
        use = f"continue song.mid --model {run.folder}"
    else:  # other tokens know no bar lines to continue by
        use = f"score {run.folder} song.mid"
    return f"{text}\nuse it: seqaudio {use}"
