"""``seqaudio train``: a YAML file -> a run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("train")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="The run's folder.  [default: runs/ and the config's name]"
)
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a setting: model.hidden_size=256.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run stands.")
@click.option("--max-minutes", type=click.FloatRange(0, min_open=True), help="Stop after so long; --resume goes on.")
def command(config: Path, out: Path | None, changes: tuple[str, ...], resume: bool, max_minutes: float | None) -> None:
    """Train a model as CONFIG says, in a folder that can be interrupted (Ctrl-C) and resumed at any time.

    The corpus is prepared first if CONFIG names its sources and it is not there yet. The best weights by validation are
    the run's model: `seqaudio continue song.mid --model RUN`.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from seqaudio.cli.terminal import console
    from seqaudio.training.config import load_experiment
    from seqaudio.training.run import LogLine, Run, open_corpus

    experiment = load_experiment(config, changes)
    corpus = open_corpus(experiment, lambda text: click.echo(text, err=True))
    folder = out or Path("runs") / config.stem
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("step {task.completed}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn(), console=console()) as bar:
        task = bar.add_task("training", total=None)

        def show(line: LogLine) -> None:
            if "step" in line:
                bar.update(
                    task,
                    completed=float(str(line["step"])),
                    description=f"epoch {int(str(line['epoch'])) + 1}  {line['nats']:.3f} nats",
                )
            else:
                epoch = int(str(line["epoch"])) + 1
                click.echo(f"epoch {epoch}: validation {line['valid_nats']:.4f} nats per token", err=True)

        run = Run(folder, experiment, corpus, resume=resume, show=show)
        bar.update(task, total=run.total_steps, completed=run.progress.step)
        progress = run.train(max_minutes)
    state = "finished" if progress.finished else "stopped"
    best = (
        "" if progress.best_epoch < 0 else f", best epoch {progress.best_epoch + 1} with {progress.best_nats:.4f} nats"
    )
    click.echo(f"{folder}: {state} after {progress.step} steps{best}")
    if not progress.finished:
        click.echo("go on with the same command and --resume")
    elif best:
        by_bars = corpus.tokenizer.name == "bars"  # other tokens know no bar lines to continue by
        use = f"continue song.mid --model {folder}" if by_bars else f"score {folder} song.mid"
        click.echo(f"use it: seqaudio {use}")
