"""Forgetting made visible: what an RNN loses on the way, and what the gates of an LSTM keep.

    python recipes/forgetting.py --report forgetting.html               # five minutes on two cores
    python recipes/forgetting.py --cells rnn,irnn,gru,lstm              # more cells; again to go on
    python recipes/forgetting.py --search                               # the rates, and how they were chosen

Four parts on one page: (1) the gradient fades with the distance, before and after training; (2) the last word of a
long Spanish sentence, that agrees with a noun which may be 60 nouns back, and the gates of an LSTM along one sentence;
(3) the same as music: a motif, other bars, a cue, the motif again; (4) a table of what is recalled, with copy memory
and the adding problem. Networks have one layer and the same number of parameters within 2 %, and practise the same
sequences, as many of them, over the same seeds; each cell has one learning rate, the best of a search. What is judged
was never practised.

Prints the page as Markdown, and keeps it with its log in --out; what stands in the log is not done again.
forgetting_words.py has the sentences, forgetting_page.py makes the tables, sentences and pictures; side_by_side.py has
the processes. Copy the pages and change them.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from forgetting_page import forgetting_page, markdown, pictures, read_log
from forgetting_words import FORMS, LastWord, Sentence
from numpy.typing import NDArray
from side_by_side import work, workers
from trainings import Record, damaged, run_recipe

from seqaudio.errors import OptionError
from seqaudio.files.atomic import read_bytes, write_bytes
from seqaudio.memory.bootstrap import finite
from seqaudio.memory.fading import fading
from seqaudio.memory.gates import NAMES, gate_trace
from seqaudio.memory.gradients import gradient_norms
from seqaudio.memory.recall import RATES, Practice, judged, network_configs, practise, practised_recall, recall
from seqaudio.memory.task_probe import PARAMETERS, practices
from seqaudio.memory.tasks import Adding, Copy, Motif, Task
from seqaudio.models.cells import CELLS, STATE_PARTS, Cell
from seqaudio.models.checkpoint import weights_of
from seqaudio.models.config import ModelConfig
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.report.page import check_page_path, write_page

TASKS: dict[str, tuple[Task, Practice]] = {
    "words": (LastWord(), Practice(steps=600)),
    "motif": (Motif(), Practice(steps=600)),
    "copy": (Copy((50,)), Practice(steps=1200)),
    "adding": (Adding((100, 200)), Practice(steps=1000)),
}
GRID = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # of learning rates, for every cell
SEARCHED = 1000  # the first seed of the search, far from those that are shown
SENTENCES, LAGS = 4, 192  # whose gradients are looked at, at 60 nouns: up to the subject
OPENING = 11  # the place of the last word before the first noun in between
JUDGED, SHOWN = 512, 10  # sentences that a unit is chosen by; nouns in the one that is shown


@click.command()
@click.option("--cells", default="rnn,lstm", show_default=True, help=f"Of {', '.join(CELLS)}.")
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Networks of each cell and task.")
@click.option("--out", default="out/forgetting", show_default=True, type=click.Path(), help="For the page and the log.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True, help="Side by side.")
@click.option("--report", type=click.Path(), metavar="FILE.html", help="All of it as a page, with pictures.")
@click.option("--search", is_flag=True, help="Only try learning rates, and print how well each does.")
def main(cells: str, seeds: int, out: str, jobs: int, report: str | None, search: bool) -> None:
    """Practise, look, and print the page."""
    if report:
        check_page_path(report)
    chosen = parsed_cells(cells)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)  # told now if that cannot be, not after the first network
    if search:
        done = searched(chosen, folder / "rates.json", jobs)
        click.echo(done, nl=False)
        write_bytes(folder / "rates.md", done.encode())
        return
    log = practised(chosen, seeds, folder / "forgetting.json", jobs)
    drawn = pictures(log)
    text = markdown(log, drawn)
    write_bytes(folder / "forgetting.md", text.encode())
    for of_part in drawn.values():
        for name, picture in of_part.items():
            write_bytes(folder / name, picture.png)
    if report:
        write_page(forgetting_page(log, drawn), report)
    click.echo(text, nl=False)


def parsed_cells(cells: str) -> list[Cell]:
    """Their names. Raises OptionError for one that there is not."""
    names = list(dict.fromkeys(cells.split(",")))
    unknown = [name for name in names if name not in CELLS]
    if unknown:
        raise OptionError(f"--cells: there is no {', '.join(map(repr, unknown))}; name some of {', '.join(CELLS)}")
    return [cell for cell in CELLS if cell in names]


class Job(NamedTuple):
    """One network of one task; what tells it apart is its name."""

    name: str
    task: str
    cell: Cell
    config: ModelConfig
    practice: Practice


def jobs_of(cells: Sequence[Cell], seeds: int) -> list[Job]:
    """Every network, the long practices first."""
    made = []
    for name in ("adding", "words", "copy", "motif"):
        task, practice = TASKS[name]
        for cell, config in network_configs(cells, task, PARAMETERS).items():
            for number, each in enumerate(practices(practice, cell, seeds)):
                made.append(Job(f"{name}/{cell}/{number}", name, cell, config, each))
    return made


def practised(cells: Sequence[Cell], seeds: int, path: Path, jobs: int) -> Record:
    """The log, with every network that it did not hold yet."""
    asked = jobs_of(cells, seeds)
    plan = {job.name: [job.config.model_dump(mode="json"), asdict(job.practice)] for job in asked}
    log: Record = {"networks": {}}
    if path.is_file():
        log = read_log(path)
    # another plan for a network is another network; those of other cells stay for when they are asked for again
    log["networks"] = {n: r for n, r in log["networks"].items() if n not in plan or r["plan"] == plan[n]}
    log |= {"cells": list(cells), "seeds": seeds, "parameters": PARAMETERS, "tasks": told_tasks()}
    rest = [job for job in asked if job.name not in log["networks"]]
    with workers(jobs) as pool:
        waiting = {pool.submit(work, learnt, job): job for job in rest}
        for number, done in enumerate(as_completed(waiting), start=1):
            job = waiting[done]
            log["networks"][job.name] = {"plan": plan[job.name], **done.result()}
            save(log, path)
            seconds = log["networks"][job.name]["seconds"]
            click.echo(f"{number}/{len(rest)}: {job.name}, {seconds:.0f} s", err=True)
    save(log, path)
    return log


def told_tasks() -> Record:
    """What the page must know of each task."""
    return {
        name: {
            "unit": task.unit,
            "distances": list(task.distances),
            "chance": task.chance,
            "loss_unit": task.loss_unit,
            "loss_of_chance": task.loss_of_chance,
            "steps": practice.steps,
            "rows": practice.rows,
        }
        for name, (task, practice) in TASKS.items()
    }


def save(log: Record, path: Path) -> None:
    """Write the log, with versions and date."""
    packages = {name: version(name) for name in ("seqaudio", "torch", "numpy")}
    log["versions"] = {**packages, "python": platform.python_version(), "machine": platform.machine()}
    log["date"] = str(date.today())
    write_bytes(path, (json.dumps(log, indent=1, allow_nan=False) + "\n").encode())


def learnt(job: Job) -> Record:
    """One network practises, in a process of its own, and is looked at."""
    torch.set_num_threads(1)
    started, (task, _) = time.perf_counter(), TASKS[job.task]
    looked: Record = {}
    if isinstance(task, LastWord):
        model = practise(job.config, task, job.practice)
        found = recall(model, task, seed=job.practice.seed)
        looked = {"right": parts_right(model, task, job.practice.seed), "fading": fading_of(model, job, task)}
        if job.cell in NAMES:
            looked["unit"] = unit_of(model, job.config, task)
    else:
        found = practised_recall(job.config, task, job.practice)
    losses = [finite(loss) for loss in found.loss.tolist()]
    return {"recall": found.recall.tolist(), "loss": losses, **looked, "seconds": time.perf_counter() - started}


@torch.no_grad()
def parts_right(model: SequenceModel, task: LastWord, seed: int) -> Record:
    """How often the last word has its subject's form, and its meaning, of what recall is judged by at each distance."""
    forms, meanings = [], []
    for distance in task.distances:
        rows = []
        for batch in judged(task, distance, seed):
            said = model(torch.from_numpy(batch.inputs))[0][:, -1].argmax(dim=-1).numpy()
            rows.append(task.agrees(said, task.said(batch)))
        form, meaning = (np.concatenate(each).mean() for each in zip(*rows, strict=True))
        forms.append(float(form))
        meanings.append(float(meaning))
    return {"form": forms, "meaning": meanings}


def fading_of(model: SequenceModel, job: Job, task: LastWord) -> Record:
    """How the gradient of the last word fades in the network, and in what it was before: by lag, mean of sentences."""
    batch = task.draw(SENTENCES, task.distances[-1], np.random.default_rng(SEARCHED))
    sentences = np.concatenate([batch.inputs, batch.targets[:, -1:]], axis=1)
    fresh = practise(job.config, task, replace(job.practice, steps=0))
    return {name: fades(network, sentences) for name, network in (("trained", model), ("untrained", fresh))}


def fades(model: SequenceModel, sentences: NDArray[np.int64]) -> list[float]:
    """Norms of the whole state's gradient over that at lag 1, by lag."""
    norms = [gradient_norms(model, each, lags=LAGS, targets=1, at_end=True) for each in sentences]
    ratios: list[float] = fading(norms, STATE_PARTS[model.stack.cell])[0].ratios.tolist()
    return ratios


class Network(NamedTuple):
    """What gates are computed from."""

    config: ModelConfig
    weights: dict[str, NDArray[Any]]

    def memory(self) -> None:
        """It has none but its state."""


def unit_of(model: SequenceModel, config: ModelConfig, task: LastWord) -> Record:
    """The unit that holds the subject best, from the opening of a sentence to its last word, and what it does."""
    network = Network(config, weights_of(model))
    batch = task.draw(JUDGED, task.distances[-1], np.random.default_rng(SEARCHED + 1))
    traces = [gate_trace(network, sentence).states[0] for sentence in batch.inputs]
    opening, end = (np.stack([states[place] for states in traces]) for place in (OPENING, -1))
    close = closeness(end, task.said(batch))
    unit = int((close * closeness(opening, task.said(batch)) * stays(opening, end)).argmax())
    one = task.draw(1, SHOWN, np.random.default_rng(SEARCHED + 2))
    trace = gate_trace(network, one.inputs[0])
    return {
        "unit": unit + 1,
        "closeness": float(close[unit]),
        "stays": float(stays(opening, end)[unit]),
        "words": task.text(one.inputs[0]),
        "last": task.text(one.targets[0, -1:])[0],
        "gates": {name: values[:, unit].tolist() for name, values in trace.gates[0].items()},
        "state": trace.states[0][:, unit].tolist(),
    }


def stays(opening: NDArray[Any], end: NDArray[Any]) -> NDArray[np.float64]:
    """How much of each unit's state (sentences, units) at the opening is there at the end: 1 all of it, no more.

    The slope of one on the other, or its inverse where it grows; 0 where it turns round.
    """
    first, last = (states.astype(np.float64) - states.mean(axis=0) for states in (opening, end))
    slope = (first * last).sum(axis=0) / np.maximum((first**2).sum(axis=0), 1e-30)
    slope = np.maximum(slope, 0)
    found: NDArray[np.float64] = np.minimum(slope, 1 / np.maximum(slope, 1e-30))
    return found


def closeness(states: NDArray[Any], sentence: Sentence) -> NDArray[np.float64]:
    """The correlation ratio of each unit's state (sentences, units) with the subject."""
    subject = FORMS * sentence.meaning + sentence.form
    centred = states - states.mean(axis=0)
    classes = [centred[subject == each] for each in np.unique(subject)]
    between = sum(len(each) * each.mean(axis=0) ** 2 for each in classes)
    found: NDArray[np.float64] = np.sqrt(between / np.maximum((centred**2).sum(axis=0), 1e-30))
    return found


def searched(cells: Sequence[Cell], path: Path, jobs: int) -> str:
    """How each rate of the grid does in each task, as Markdown: mean share of right answers over the distances."""
    asked = [
        job._replace(name=f"{job.name}/{rate:g}", practice=replace(job.practice, rate=rate, seed=SEARCHED))
        for job in jobs_of(cells, 1)
        for rate in GRID
    ]
    plan = {job.name: [job.config.model_dump(mode="json"), asdict(job.practice)] for job in asked}
    known = read_rates(path) if path.is_file() else {}
    # another plan for a rate is another trial; those of other cells stay for when they are asked for again
    known = {name: found for name, found in known.items() if name not in plan or found["plan"] == plan[name]}
    rest = [job for job in asked if job.name not in known]
    with workers(jobs) as pool:
        waiting = {pool.submit(work, tried, job): job for job in rest}
        for number, done in enumerate(as_completed(waiting), start=1):
            name = waiting[done].name
            known[name] = {"plan": plan[name], "share": done.result()}
            write_bytes(path, json.dumps(known, indent=1).encode())
            click.echo(f"{number}/{len(rest)}: {name}", err=True)
    lines = [
        "# Learning rates of the cells",
        "",
        "Mean share of right answers over the distances, one seed that is not shown elsewhere. Bold: the rate in use.",
        "",
        f"| task | cell | {' | '.join(f'{rate:g}' for rate in GRID)} |",
        "|---|---" + "|---" * len(GRID) + "|",
    ]
    for job in jobs_of(cells, 1):
        shares = [known[f"{job.name}/{rate:g}"]["share"] for rate in GRID]
        said = [f"**{s:.2f}**" if rate == RATES[job.cell] else f"{s:.2f}" for rate, s in zip(GRID, shares, strict=True)]
        lines.append(f"| {job.task} | {job.cell} | {' | '.join(said)} |")
    return "\n".join(lines) + "\n"


def read_rates(path: Path) -> Record:
    """What a search found before. Raises CheckpointError when it is damaged, or something else."""
    try:
        kept: Record = json.loads(read_bytes(path))
        for found in kept.values():
            if not (isinstance(found["plan"], list) and 0 <= found["share"] <= 1):
                raise ValueError("a rate without a share of right answers")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise damaged(path, "forgetting.py --search", problem) from None
    return kept


def tried(job: Job) -> float:
    """How a network does, in a process of its own."""
    torch.set_num_threads(1)
    return float(practised_recall(job.config, TASKS[job.task][0], job.practice).recall.mean())


if __name__ == "__main__":
    run_recipe(main, "forgetting")
