"""Train, measure and pack a shipped model, beside plain networks, counts and real music, from public music alone.

    pip install '.[corpora]'
    python recipes/train_shipped.py folk                 # or songs, chorales, drums; again to go on where it stopped
    python recipes/train_shipped.py drums --source FOLDER   # the files of the corpus, if you have them
    python recipes/train_shipped.py folk --evaluate      # only measure what is shipped
    python recipes/train_shipped.py folk --evaluate --choose    # and choose its temperatures anew

corpus -> the model and its plain networks, trained -> the temperatures that on validation pieces keep the structure as
real music does -> weights as float16 with an ONNX graph -> nats of the test pieces, and what continuations of their
first bars keep -> the log in JSON, the table, the model card, and the ranges of real pieces that reports show.
Validation chose the epoch and the temperatures; the test pieces are looked at here, at the end, and choose nothing.

shipped_models.py says what is shipped, shipped_measures.py measures, shipped_page.py writes. A plain network whose run
is not here keeps the figures of the log. Everything below is a few library calls: copy it and change it.
"""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from shipped_measures import Measures, Record
from shipped_models import SHIPPED
from shipped_page import model_card, read_log, table
from trainings import run_recipe

from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import OptionError
from seqaudio.files.atomic import write_bytes
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint
from seqaudio.models.onnx_graph import write_graph
from seqaudio.report.retention import RANGES, as_json
from seqaudio.training.config import Experiment, load_experiment
from seqaudio.training.material import open_corpus
from seqaudio.training.run import Run

ROOT = Path(__file__).parents[1]


@click.command()
@click.argument("name", type=click.Choice(list(SHIPPED)))
@click.option("--evaluate", is_flag=True, help="Measure the shipped weights, without training.")
@click.option("--choose", is_flag=True, help="Choose its temperatures anew on validation pieces; with --evaluate.")
@click.option("--nats-only", is_flag=True, help="Let the log say what continuations keep; with --evaluate.")
@click.option("--source", type=click.Path(exists=True), help="The corpus as a folder, instead of by its name.")
@click.option("--runs", default=str(ROOT / "runs"), help="Where trainings are kept.")
@click.option("--out", default=str(ROOT / "seqaudio" / "pretrained"), help="Where models are packed and measured.")
@click.option("--results", default=str(ROOT / "docs" / "results" / "shipped"), help="Where log and table go.")
def main(
    name: str, evaluate: bool, choose: bool, nats_only: bool, source: str | None, runs: str, out: str, results: str
) -> None:
    """Train and pack the model NAME unless told not to, then measure it and write what was found."""
    if nats_only and not evaluate:
        raise OptionError("--nats-only goes with --evaluate: new weights are measured in full")
    if choose and (nats_only or not evaluate):
        raise OptionError(
            "--choose goes with --evaluate and without --nats-only: new weights have new temperatures anyway, and "
            "other temperatures other continuations"
        )
    model, folder = SHIPPED[name], Path(out) / name
    Path(results).mkdir(parents=True, exist_ok=True)  # told now if that cannot be, not after the first training
    corpus = opened(experiment(name, source=source))
    if not evaluate:
        for run, config, changes in [(name, name, ()), *((p.run, p.config, p.changes) for p in model.plain)]:
            train(Path(runs) / run, experiment(config, changes, source), corpus)
    measures = Measures(model, corpus)
    log_path = Path(results) / f"{name}.json"
    log: Record = read_log(log_path) if log_path.is_file() else {"rows": {}}
    if not evaluate:
        log = {"rows": {}, "choice": measures.choice(Path(runs) / name)}
        pack(Path(runs) / name, folder, measures.chosen(log["choice"]))
    else:
        if choose:
            log["choice"] = measures.choice(folder)
            note(folder, {"sampling": measures.chosen(log["choice"])})
        for shipped in (folder, *(Path(out) / plain.shipped for plain in model.plain if plain.shipped)):
            if (shipped / WEIGHTS).is_file():
                note(shipped, measures.familiar(shipped))
    log = measures.measured(log, folder, Path(runs), continuations=not nats_only)
    write_bytes(log_path, (json.dumps(log, separators=(",", ":"), allow_nan=False) + "\n").encode())
    checkpoint = Checkpoint.load(folder)
    text = table(model, log)
    write_bytes(log_path.with_suffix(".md"), text.encode())
    write_bytes(folder / "MODEL_CARD.md", model_card(model, checkpoint, log).encode())
    write_bytes(folder / RANGES, (json.dumps(as_json(measures.ranges()), indent=1) + "\n").encode())
    click.echo(text)


def experiment(config: str, changes: tuple[str, ...] = (), source: str | None = None) -> Experiment:
    """What configs/CONFIG.yaml says, with changes; of files that lie somewhere else than the corpus of that name."""
    moved = (f"corpus.sources={json.dumps([str(source)])}",) if source else ()
    return load_experiment(ROOT / "configs" / f"{config}.yaml", (*changes, *moved))


def opened(asked: Experiment) -> PreparedCorpus:
    """The corpus of an experiment, prepared if it is not there."""
    corpus = open_corpus(asked, click.echo)
    assert isinstance(corpus, PreparedCorpus)
    return corpus


def train(folder: Path, asked: Experiment, corpus: PreparedCorpus) -> None:
    """Train, or go on with a run that was interrupted; one that has ended stays as it is."""
    click.echo(f"training {folder.name}", err=True)
    run = Run(folder, asked, corpus, resume=(folder / "experiment.json").is_file(), show=show)
    run.train()
    if run.stopped:
        raise KeyboardInterrupt


def show(line: dict[str, Any]) -> None:
    """One line per epoch."""
    if "valid_nats" in line:
        click.echo(f"epoch {line['epoch']}: validation {line['valid_nats']:.4f} nats per token", err=True)


def pack(run: Path, folder: Path, sampling: dict[str, float]) -> None:
    """The best weights of a run as float16 with their ONNX graph, how to sample from them, and how they were made.

    The sources are those that the config names, wherever the files lay.
    """
    best = Checkpoint.load(run)
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    epochs = [line for line in lines if "valid_nats" in line]
    named = list(experiment(run.name).corpus.sources)
    settings = {**best.facts["experiment"], "corpus": {**best.facts["experiment"]["corpus"], "sources": named}}
    made = {"hours": round(epochs[-1]["seconds"] / 3600, 2), "epochs": len(epochs), "machine": machine()}
    facts = {**best.facts, **made, "sources": named, "experiment": settings, "sampling": sampling}
    folder.mkdir(parents=True, exist_ok=True)
    replace(best, facts=facts).save(folder / WEIGHTS, np.float16)
    write_graph(folder)


def note(folder: Path, facts: dict[str, Any]) -> None:
    """Tell a shipped model something about itself."""
    shipped = Checkpoint.load(folder)
    if facts.items() <= shipped.facts.items():
        return
    replace(shipped, facts={**shipped.facts, **facts}).save(folder / WEIGHTS, np.float16)
    write_graph(folder)  # it belongs to a file of weights, not to their values


def machine() -> str:
    """What it ran on."""
    return f"{platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    run_recipe(main, "train_shipped")
