"""What else can the same models do? A text, the weather and the stock market, each beside what is naive and honest.

    pip install '.[series]'
    python recipes/beyond_music.py --quick --report beyond.html     # one seed, small models, no search: two minutes
    python recipes/beyond_music.py --report beyond.html             # eight minutes on two cores; again to go on

Nothing is made for them: a text is tokens, a series is frames of real numbers (the head ``mixture``), and what trains,
scores and samples music does the same for these.

text -> passages of characters -> tanh RNN, GRU and LSTM of equal size, beside n-grams, PPM and copies of the longest
match; series -> folds that walk forward -> the same cells, beside forecasts that cost nothing. Validation chooses the
settings, test chapters and folds are looked at once. Markdown and JSON, and a page with --report.

The JSON is the log of all trainings and the journal of the recipe: what stands there is not trained again.
beyond_text.py and beyond_series.py hold the data and what is measured, beyond_page.py the tables; trainings.py keeps
the log, side_by_side.py has the processes. Copy the pages and change them.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import beyond_series as series
import beyond_text as text
import click
import numpy as np
from beyond_page import CELLS, beyond_page, markdown, read_log
from side_by_side import work, workers
from trainings import Journal, Record, run_recipe, which

from seqaudio.errors import DivergedError
from seqaudio.files.atomic import write_bytes
from seqaudio.models.config import ModelConfig, build_model
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.models.size import count_parameters, matched_hidden_size
from seqaudio.report.page import check_page_path, write_page
from seqaudio.training.config import TrainingConfig
from seqaudio.training.devices import Devices
from seqaudio.training.fit import fit

COUNTED = ("ngram", "ppm", "copy")
SERIES = ("weather", "stocks")
CLOSE = 0.03  # of the number of parameters: in models of three thousand a unit more is that much
RATES, GOLDEN = (2e-3, 2e-2), 0.618034  # of the search; steps by the golden ratio never lie close together


@dataclass(frozen=True)
class Plan:
    """How large, how long, how often."""

    text_units: int = 128  # of the LSTM whose number of parameters all cells have
    text_epochs: int = 20
    text_trials: int = 2  # settings tried for each cell
    text_trial_epochs: int = 6
    texts: int = 16  # written by each model
    length: int = 1500  # characters of each
    temperature: float = 0.8
    series_units: int = 24
    series_epochs: int = 30
    series_trials: int = 4  # on the first fold
    components: int = 3  # Gaussians
    paths: int = 200  # of a forecast
    stride: int = 3  # days from one forecast of the weather to the next
    resamples: int = 10_000  # of the bootstrap


FULL = Plan()
QUICK = Plan(
    text_units=96, text_epochs=8, text_trials=0, texts=4, length=800,
    series_epochs=15, series_trials=0, paths=100, stride=6, resamples=2_000,
)  # fmt: skip


@click.command()
@click.option("--quick", is_flag=True, help="One seed, small models, no search.")
@click.option("--seeds", type=click.IntRange(1), help="Trainings of the best setting.  [default: 3, quick 1]")
@click.option(
    "--text", "book", type=click.Path(exists=True, dir_okay=False), help="Another text; chapters parted by empty lines."
)
@click.option("--out", type=click.Path(), help="Where the table and the log go.  [default: docs/results/beyond_music]")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default=True,
    help="Trainings side by side, a thread each.",
)
@click.option("--report", type=click.Path(), metavar="FILE.html", help="All of it as a page.")
def main(quick: bool, seeds: int | None, book: str | None, out: str | None, jobs: int, report: str | None) -> None:
    """Search, train, measure and print the tables."""
    if report:
        check_page_path(report)
    folder = Path(out or ("out/beyond_music" if quick else "docs/results/beyond_music"))
    folder.mkdir(parents=True, exist_ok=True)  # told now if that cannot be, not after the first training
    bench = Bench(QUICK if quick else FULL, quick, Path(book) if book else text.BOOK, folder / "beyond_music.json")
    bench.run(jobs, seeds or (1 if quick else 3))
    said = markdown(bench.log)
    write_bytes(folder / "beyond_music.md", said.encode())
    if report:
        write_page(beyond_page(bench.log), report)
    click.echo(said)


class Bench:
    """All that is trained and measured, and the log of it."""

    def __init__(self, plan: Plan, quick: bool, book: Path, journal: Path) -> None:
        self.plan, self.book = plan, book
        opened = text.open_book(book)
        problems = {name: series.problem(name, plan.stride) for name in SERIES}
        head: Record = {
            "sha256": {"text": opened.sha256, **{name: each.sha256 for name, each in problems.items()}},
            "plan": json.loads(json.dumps(asdict(plan))),
            "quick": quick,
            "text": {
                "name": book.name,
                "symbols": len(opened.symbols),
                "passages": {part: len(getattr(opened, part)) for part in ("train", "valid", "test")},
                "characters": {part: sum(map(len, getattr(opened, part))) for part in ("train", "valid", "test")},
                "predicted": [len(passage) - 1 for passage in opened.test],
                "sizes": list(text.SIZES),
                "prompt": opened.text(text.prompts_of(opened, 1)[0]),  # what the first text of each goes on from
                "real": text.measure_real(book),
            },
            "series": {name: facts_of(each) for name, each in problems.items()},
            "rows": {},
        }
        self.journal = Journal(journal, head, read_log)

    @property
    def log(self) -> Record:
        """What was found so far."""
        return self.journal.log

    def run(self, jobs: int, seeds: int) -> None:
        """Everything that the log does not hold yet."""
        self.log["seeds"], rows, plan = seeds, self.log["rows"], self.plan
        rows["naive"] = {
            name: {
                row: [series.measure_naive(each, row, number) for number in range(each.folds())] for row in each.rows
            }
            for name, each in ((name, series.problem(name, plan.stride)) for name in SERIES)
        }
        with workers(jobs) as pool:
            waiting = {
                row: pool.submit(work, text.measure_counts, row, self.book, plan.texts, plan.length, plan.temperature)
                for row in COUNTED
                if row not in rows
            }
            self._train(pool, self._trials(), "search")
            self._train(pool, self._finals(seeds), "seeds")
            for row, done in waiting.items():
                rows[row] = done.result()
        self.journal.save()

    def _trials(self) -> Iterator[Record]:
        for number, cell in itertools.product(range(self.plan.text_trials), CELLS):
            yield {"trial": number, **of_text(self.book, cell, draw(number), self.plan, self.plan.text_trial_epochs)}
        for name, number, cell in itertools.product(SERIES, range(self.plan.series_trials), CELLS):
            yield {"trial": number, **of_series(name, 0, cell, draw(number), self.plan)}

    def _finals(self, seeds: int) -> Iterator[Record]:
        for seed, cell in itertools.product(range(seeds), CELLS):
            asked = [of_text(self.book, cell, self._best("text", cell), self.plan, self.plan.text_epochs)]
            for name in SERIES:
                folds, best = len(self.log["series"][name]["blocks"]), self._best(f"{name} 0", cell)
                asked += [of_series(name, number, cell, best, self.plan) for number in range(folds)]
            for record in asked:
                record["experiment"]["training"]["seed"] = 1 + seed
                yield {"seed": seed, **record}

    def _best(self, on: str, cell: str) -> Record:
        """The setting with the best validation; a plain one where nothing was searched, or nothing held."""
        tried = [
            record
            for record in self.log["trainings"]
            if (record["on"], record["cell"]) == (on, cell) and "trial" in record and record["valid"] is not None
        ]
        plain = {"learning_rate": 8e-3, "dropout": 0.2}
        return min(tried, key=lambda record: record["valid"])["setting"] if tried else plain

    def _train(self, pool: ProcessPoolExecutor, asked: Iterator[Record], what: str) -> None:
        self.journal.train(pool, asked, train, self.book, self.plan, what=what, said=said)


def facts_of(problem: series.Problem) -> Record:
    """What a log tells of a series, by fold where it has folds."""
    numbers = range(problem.folds())
    return {
        **{
            name: getattr(problem, name)
            for name in ("unit", "step", "judged", "reference", "surest", "block", "window")
        },
        "horizons": list(problem.horizons),
        "level": series.LEVEL,
        "blocks": [sorted(set(problem.blocks(number))) for number in numbers],
        "came": [
            [series.by_block(came, problem.blocks(number)) for came in np.isfinite(problem.truth(number)).T]
            for number in numbers
        ],
        "learnt": [[sum(map(len, part)) for part in learnt_of(problem, number)] for number in numbers],
    }


def learnt_of(problem: series.Problem, number: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Training and validation pieces of a fold."""
    return problem.fold(number).learnt(problem.validation, problem.window)


def said(record: Record) -> str:
    """What is shown of a training when it is done."""
    valid = record["valid"]
    found = "the numbers ran away" if valid is None else f"validation {valid:.3f} nats"
    return f"{record['on']} {record['cell']} {which(record)}: {found}"


def draw(number: int) -> Record:
    """The setting of trial ``number``, the same for every cell; learning rates are spread evenly, on a log scale."""
    generator = np.random.default_rng((2000, number))
    rate = RATES[0] * (RATES[1] / RATES[0]) ** ((0.5 + GOLDEN * number) % 1)
    return {"learning_rate": round(rate, 5), "dropout": float(generator.choice([0.0, 0.2, 0.4]))}


def of_text(book: Path, cell: str, setting: Record, plan: Plan, epochs: int) -> Record:
    """A training on the text."""
    build = partial(build_model, vocabulary_size=text.open_book(book).vocabulary)
    sizes = {"layers": 1, "embedding_size": 64, "dropout": setting["dropout"], "input_dropout": setting["dropout"] / 2}
    training = {"epochs": epochs, "batch_size": 4, "chunk": 64, "warmup_steps": 50, "patience": 6}
    return asked("text", cell, setting, sizes, training, plan.text_units, build)


def of_series(name: str, number: int, cell: str, setting: Record, plan: Plan) -> Record:
    """A training on what lies before a fold of a series."""
    build = partial(build_model, keys=series.problem(name, plan.stride).numbers)
    sizes = {"head": "mixture", "components": plan.components, "layers": 1, "dropout": setting["dropout"]}
    training = {"epochs": plan.series_epochs, "batch_size": 4, "chunk": 128, "warmup_steps": 20, "patience": 10}
    return asked(f"{name} {number}", cell, setting, sizes, training, plan.series_units, build)


def asked(
    on: str,
    cell: str,
    setting: Record,
    sizes: Record,
    training: Record,
    units: int,
    build: Callable[[ModelConfig], SequenceModel],
) -> Record:
    """A training as plain values, of a model as large as an LSTM of so many units."""
    parameters = count_parameters(build(ModelConfig(cell="lstm", hidden_size=units, **sizes)))
    model = ModelConfig(cell=cell, **sizes)
    model = model.model_copy(update={"hidden_size": matched_hidden_size(model, parameters, build, CLOSE)})
    settings = {
        **training,
        "learning_rate": setting["learning_rate"],
        "schedule": "linear",
        "final_rate": 0.0,
        "averaging": "ema",
        "decay": 0.98,
        "transpose": 0,
        "threads": 1,
        "seed": 0,
    }
    return {
        "on": on,
        "cell": cell,
        "setting": setting,
        "experiment": {"model": model.model_dump(mode="json"), "training": settings},
    }


def train(record: Record, book: Path, plan: Plan) -> Record:
    """Train as asked, in a process of its own; the record with its results."""
    config = ModelConfig.model_validate(record["experiment"]["model"])
    name, _, number = record["on"].partition(" ")
    if name == "text":
        opened = text.open_book(book)
        build = partial(build_model, config, opened.vocabulary)
        pieces: tuple[list[np.ndarray], list[np.ndarray]] = (opened.train, opened.valid)
    else:
        problem = series.problem(name, plan.stride)
        build, pieces = partial(build_model, config, keys=problem.numbers), learnt_of(problem, int(number))
    found: Record = {"device": f"{Devices().name}, torch {version('torch')}"}
    try:
        model, progress = fit(build, TrainingConfig.model_validate(record["experiment"]["training"]), *pieces)
    except DivergedError:
        if "seed" in record:
            raise
        return {**record, **found, "valid": None, "parameters": 0, "epochs": 0, "seconds": 0.0}
    found |= {"valid": progress.best_nats, "epochs": progress.epoch, "seconds": round(progress.seconds, 1)}
    found["parameters"] = count_parameters(model)
    if "seed" in record and name == "text":
        found |= text.measure_network(model, book, plan.texts, plan.length, plan.temperature, record["seed"])
    elif "seed" in record:
        found |= series.measure_network(model, problem, int(number), plan.paths, record["seed"])
    return {**record, **found}


if __name__ == "__main__":
    run_recipe(main, "beyond_music")
