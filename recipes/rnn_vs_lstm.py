"""Does it keep the structure? Tanh RNN, IRNN, GRU and LSTM of equal size, with and without a memory of the piece.

    python recipes/rnn_vs_lstm.py --quick                   # one seed, small models, no search: under five minutes
    python recipes/rnn_vs_lstm.py                           # O'Neill's tunes: three to four hours; again to go on
    python recipes/rnn_vs_lstm.py --corpus prepared/mine    # a folder of seqaudio prepare, or a source for it

corpus -> for every cell, without and with a memory, a random search, judged by validation -> the best setting from five
seeds -> of each model the nats of the test pieces (by bar, by how much was heard before, by how many bars are seen) and
what its continuations of the same primers keep -> the same of n-grams, PPM and copies of the longest match, of a loop
and of the real pieces -> Markdown and JSON, with a sentence for each question. Every model meets the same draws and has
the same number of parameters within 2 %; validation chooses, also the temperature of a memory's gate; the test pieces
are looked at once and choose nothing.

The JSON is the log of all trainings and the journal of the recipe: what stands there is not trained again.
rnn_vs_lstm_measures.py measures, rnn_vs_lstm_answers.py reads the log and has the rule for the sentences,
rnn_vs_lstm_table.py makes the table, rnn_vs_lstm_page.py the page of --report; trainings.py keeps the log, and
side_by_side.py has the processes. Copy the pages and change them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
from rnn_vs_lstm_answers import COUNTED, MEMORY, MODELS, of, read_log
from rnn_vs_lstm_measures import Material, Setting, open_corpus
from rnn_vs_lstm_page import comparison_page
from rnn_vs_lstm_table import table
from side_by_side import work, workers
from trainings import Journal, Record, run_recipe, trained, training_options, which

from seqaudio.continuation import load_engine
from seqaudio.continuation.counts import CountedModel, CountingEngine
from seqaudio.corpus.options import PrepareOptions, prepare_command
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import DivergedError, NoNotesError, OptionError
from seqaudio.files.atomic import write_bytes
from seqaudio.models.baselines import PPM, MatchCopy, NGram
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint
from seqaudio.models.config import ModelConfig, build_model
from seqaudio.models.size import count_parameters, matched_hidden_size
from seqaudio.report.page import Page, check_page_path, write_page
from seqaudio.tokens import BarsTokenizer
from seqaudio.training.devices import Devices
from seqaudio.training.evaluate import piece_nats
from seqaudio.training.transposition import TokenTransposition, room

CHUNK = 256  # tokens a step; the state is carried on
TRANSPOSE = 5  # semitones, in training
ORDERS = (2, 3, 4, 5, 6, 8)  # of n-grams and PPM; validation chooses
RATES, GOLDEN = (1e-3, 3e-2), 0.618034  # of the search; steps by the golden ratio never lie close together
OPTIONS = PrepareOptions(melody=True, test_share=0.1)  # of a source that is prepared here


@dataclass(frozen=True)
class Plan:
    """How large, how long, how often."""

    units: int  # of the two-layer LSTM without memory whose number of parameters all models have
    epochs: int
    trials: int  # settings tried for each cell
    trial_epochs: int
    batch_size: int = 16  # pieces
    memory: dict[str, list[int]] = field(default_factory=lambda: {"lags": [1, 2, 4, 8, 16], "counters": [2, 4, 8, 16]})
    setting: Setting = field(default_factory=Setting)
    resamples: int = 10_000  # of the bootstrap
    max_minutes: float | None = None  # of one training


FULL = Plan(units=192, epochs=8, trials=6, trial_epochs=2)
QUICK = Plan(
    units=64,
    epochs=5,
    trials=0,
    trial_epochs=0,
    batch_size=8,  # few pieces, so many steps
    setting=Setting(outputs=1, primers=40, targets=2, gate_temperatures=(1.0, 0.6), train_pieces=300),
    resamples=2_000,
    max_minutes=0.6,
)


@click.command()
@click.option("--corpus", default="music21:oneills", show_default=True, help="A prepared folder, or a source.")
@training_options("rnn_vs_lstm", "trainings and the corpus")
@click.option("--report", type=click.Path(), metavar="FILE.html", help="All of it as a page, to see and hear.")
def main(
    corpus: str, quick: bool, seeds: int | None, out: str | None, runs: str, jobs: int, report: str | None
) -> None:
    """Search, train, measure and print the table of one corpus."""
    if report:
        check_page_path(report)
    name = Path(corpus.rpartition(":")[2]).name
    folder = Path(out or ("out/rnn_vs_lstm" if quick else "docs/results/rnn_vs_lstm"))
    folder.mkdir(parents=True, exist_ok=True)  # told now if that cannot be, not after the first training
    prepared = prepared_folder(corpus, Path(runs) / name / "corpus", jobs)
    plan = QUICK if quick else FULL
    shown = corpus if ":" in corpus else Path(corpus).name  # a log tells nothing of where it was made
    bench = Bench(plan, shown, prepared, folder / f"{name}.json", Path(runs) / name / ("quick" if quick else "full"))
    bench.run(jobs, seeds or (1 if quick else 5))
    text = table(bench.log)
    write_bytes(folder / f"{name}.md", text.encode())
    if report:
        write_page(bench.page(), report)
    click.echo(text)


def prepared_folder(corpus: str, folder: Path, jobs: int) -> str:
    """The prepared corpus that is meant: itself, or one made of a source now, of melodies, unless it is there."""
    if (Path(corpus) / "manifest.json").is_file():
        return corpus
    click.echo(f"preparing the melodies of {corpus}", err=True)
    prepare([corpus], folder, OPTIONS, jobs=jobs)  # what has not changed is not read again
    return str(folder)


class Bench:
    """All that is trained and measured on one corpus, and the log of it."""

    def __init__(self, plan: Plan, name: str, prepared: str, journal: Path, runs: Path) -> None:
        self.plan, self.prepared, self.runs = plan, prepared, runs
        self.corpus = open_corpus(prepared, plan.setting)
        tokenizer = self.corpus.tokenizer
        if not isinstance(tokenizer, BarsTokenizer):
            wanted = prepare_command(OPTIONS.make_tokenizer())
            raise OptionError(f"{prepared}: of {tokenizer.name} tokens, which know no bars; make one by {wanted}")
        for split in ("train", "valid"):
            if not self.corpus.of_split(split):
                raise NoNotesError(f"{prepared}: no {split} piece; prepare more music, or raise --{split}-share")
        head: Record = {"sha256": self.corpus.fingerprint, "quick": plan.max_minutes is not None}
        head |= {"corpus": name, "plan": json.loads(json.dumps(asdict(plan))), "rows": {}}
        head["pieces"] = {split: len(self.corpus.of_split(split)) for split in ("train", "valid", "test")}
        head["test"] = Material(self.corpus, plan.setting).counts()
        self.journal = Journal(journal, head, read_log)

    @property
    def log(self) -> Record:
        """What was found so far."""
        return self.journal.log

    def run(self, jobs: int, seeds: int) -> None:
        """Everything that the log does not hold yet."""
        self.log["seeds"], rows = seeds, self.log["rows"]
        with workers(jobs) as pool:
            self._train(pool, self._trials(), "search")
            left = [
                row
                for row in (*COUNTED, "loop", "real")
                if row not in rows or len(rows[row]["kept"]) < seeds * (row in COUNTED)
            ]
            measured = {pool.submit(work, measure, row, self.prepared, self.plan.setting, seeds): row for row in left}
            for done in as_completed(measured):  # before the hours of training, so that an interrupt does not lose them
                rows[measured[done]] = done.result()
                self.journal.save()
                click.echo(f"measured: {measured[done]}", err=True)
            self._train(pool, self._finals(seeds), "seeds")
        self.journal.save()

    def page(self) -> Page:
        """All that was found, with a primer as each row goes on with it."""
        material = Material(self.corpus, self.plan.setting)
        orders = {row: self.log["rows"][row]["order"] for row in COUNTED}
        return comparison_page(self.log, material, self.runs, lambda row: counting(self.corpus, row, orders[row]))

    def _trials(self) -> Iterator[Record]:
        for row, number in itertools.product(MODELS, range(self.plan.trials)):
            yield {"trial": number, **experiment(self.corpus, row, draw(number), self.plan, self.plan.trial_epochs)}

    def _finals(self, seeds: int) -> Iterator[Record]:
        for seed, row in itertools.product(range(seeds), MODELS):
            asked = experiment(self.corpus, row, best_setting(self.log, row), self.plan, self.plan.epochs)
            asked["experiment"]["training"]["seed"] = 1 + seed
            yield {"seed": seed, **asked}

    def _train(self, pool: Any, asked: Iterator[Record], what: str) -> None:
        arguments = (self.prepared, str(self.runs), self.plan.setting, self.plan.max_minutes)
        self.journal.train(pool, asked, train, *arguments, what=what, said=said)


def said(record: Record) -> str:
    """What is shown of a training when it is done."""
    valid = record["valid"]
    found = "the numbers ran away" if valid is None else f"validation {valid:.4f} nats per token"
    return f"{record['row']} {which(record)}: {found}"


def draw(number: int) -> Record:
    """The settings of trial ``number``, the same for every row; learning rates are spread evenly, on a log scale."""
    generator = np.random.default_rng((1997, number))
    return {
        "layers": int(generator.integers(1, 3)),
        "dropout": round(float(generator.uniform(0.0, 0.3)), 2),
        "input_dropout": float(generator.choice([0.0, 0.1])),
        "weight_drop": float(generator.choice([0.0, 0.2])),
        "learning_rate": round(RATES[0] * (RATES[1] / RATES[0]) ** ((0.5 + GOLDEN * number) % 1), 5),
        "weight_decay": float(generator.choice([1e-2, 1e-1])),
    }


PLAIN = {"layers": 2, "dropout": 0.1, "input_dropout": 0.0, "weight_drop": 0.0, "weight_decay": 1e-2}
PLAIN_RATES = {"rnn": 4e-3, "irnn": 1.5e-2, "gru": 1e-2, "lstm": 3e-2}  # without a search; by eye, on validation
PLAIN_RATES |= {f"{cell}{MEMORY}": rate for cell, rate in PLAIN_RATES.items()}
PLAIN_RATES[f"irnn{MEMORY}"] = 6e-3  # at 1.5e-2 the numbers run away in the first epoch of --quick


def best_setting(log: Record, row: str) -> Record:
    """The setting with the best validation; a plain one where nothing was searched, or nothing held."""
    trials = [record for record in of(log, row, "trial") if record["valid"] is not None]
    plain = PLAIN | {"learning_rate": PLAIN_RATES[row]}
    return min(trials, key=lambda record: record["valid"])["setting"] if trials else plain


def experiment(corpus: PreparedCorpus, row: str, setting: Record, plan: Plan, epochs: int) -> Record:
    """A training as plain values, with the hidden size that has the wanted number of parameters."""
    training = {
        "epochs": epochs,
        "patience": epochs,
        "batch_size": plan.batch_size,
        "chunk": CHUNK,
        "learning_rate": setting["learning_rate"],
        "weight_decay": setting["weight_decay"],
        "warmup_steps": 50,
        "schedule": "linear",
        "final_rate": 0.0,
        "clip": 0.5,
        "averaging": "ema",
        "decay": 0.99,
        "transpose": TRANSPOSE,
        "precision": Devices().fast_precision,  # in training; figures are computed in fp32
        "threads": 1,
        "seed": 0,
    }
    model = matched_model(len(corpus.tokenizer.vocabulary), row, setting, plan)
    asked = {"model": model.model_dump(mode="json"), "training": training}
    return {"row": row, "setting": setting, "experiment": asked}


def matched_model(vocabulary: int, row: str, setting: Record, plan: Plan) -> ModelConfig:
    """The model of a row and setting, its memory counted, as large as a two-layer LSTM of so many units without one."""
    of_layers = {name: setting[name] for name in ("layers", "dropout", "input_dropout", "weight_drop")}
    memory = plan.memory if row.endswith(MEMORY) else None
    model = ModelConfig.model_validate({"cell": row.removesuffix(MEMORY), "memory": memory, **of_layers})
    return model.model_copy(update={"hidden_size": _hidden_size(model.model_dump_json(), vocabulary, plan.units)})


@cache
def _hidden_size(model: str, vocabulary: int, units: int) -> int:
    """Of a model as JSON; searched once, though every page asks for all trainings."""
    build = partial(build_model, vocabulary_size=vocabulary)
    parameters = count_parameters(build(ModelConfig(cell="lstm", hidden_size=units, layers=2)))
    return matched_hidden_size(ModelConfig.model_validate_json(model), parameters, build)


def train(record: Record, prepared: str, runs: str, setting: Setting, max_minutes: float | None) -> Record:
    """Train as asked, in a process of its own, or go on with what is there; the record with its results.

    Where the numbers run away the best model of before counts; a trial without one is no choice, a seed without one is
    said in the table.
    """
    folder = Path(runs) / f"{record['row']}-{which(record).replace(' ', '-')}"
    corpus = open_corpus(prepared, setting)
    try:
        progress = trained(folder, {"corpus": {"prepared": prepared}, **record["experiment"]}, corpus, max_minutes)
        found: Record = {"epochs": progress.epoch, "seconds": round(progress.seconds, 1)}
    except DivergedError:
        found = {"epochs": 0, "seconds": 0.0, "diverged": True}
    devices = Devices()
    found["device"] = f"{devices.name}, torch {version('torch')}"
    if not (folder / WEIGHTS).is_file():
        return {**record, **found, "valid": None, "parameters": 0, "best_epoch": 0}
    checkpoint = Checkpoint.load(folder)
    found |= {"valid": checkpoint.facts["valid_nats_per_token"], "best_epoch": checkpoint.facts["epoch"]}
    found["epochs"] = max(found["epochs"], found["best_epoch"])
    found["parameters"] = checkpoint.parameter_count()
    if "seed" in record:
        model, engine, seed = checkpoint.build().to(devices.device), load_engine(folder), record["seed"]
        material, temperature = Material.open(prepared, setting), 1.0
        found["nats"] = material.nats(partial(piece_nats, model, memory=checkpoint.memory()))
        if checkpoint.config.memory:
            temperature = Material.open(prepared, setting, "valid").best_gate_temperature(engine, seed)
        found["gate_temperature"] = temperature
        found["kept"] = material.kept(material.continued(engine, seed, setting.sampling(temperature)))
    return {**record, **found}


def ngram(vocabulary: int, order: int) -> NGram:
    """All orders have a say."""
    return NGram(order, vocabulary)


def ppm(vocabulary: int, order: int) -> PPM:
    """The longest context seen in training decides."""
    return PPM(order, vocabulary_size=vocabulary)


def copy(vocabulary: int, order: int) -> MatchCopy:
    """The same, mixed with what followed the longest match in the piece itself."""
    return MatchCopy(partial(ppm, vocabulary, order))


MAKERS: dict[str, Callable[[int, int], Any]] = {"ngram": ngram, "ppm": ppm, "copy": copy}
ORDERED_AS = {"ngram": ngram, "ppm": ppm, "copy": ppm}  # what is mixed with copies is chosen without them


def measure(row: str, prepared: str, setting: Setting, seeds: int) -> Record:
    """What is measured of a row without training: counts, the loop, or real music against real music."""
    material = Material.open(prepared, setting)
    if row == "loop":
        return {"kept": [material.kept(material.looped())]}
    if row == "real":
        return {"kept": [material.kept(material.real(), others=True)]}
    train, valid = material.corpus.split("train"), material.corpus.split("valid")
    vocabulary = len(material.tokenizer.vocabulary)

    def per_token(model: Any) -> float:
        return float(np.concatenate(nats_of(model, valid)).mean())

    means = {order: per_token(ORDERED_AS[row](vocabulary, order).fit(train)) for order in ORDERS}
    order = min(means, key=lambda order: means[order])
    engine = counting(material.corpus, row, order)
    return {
        "order": order,
        "valid": per_token(engine.model),
        "nats": material.nats(partial(nats_of, engine.model)),
        "kept": [material.kept(material.continued(engine, seed)) for seed in range(seeds)],
    }


def nats_of(model: Any, pieces: Sequence[Any]) -> list[Any]:
    """Nats of every token but the first of each piece under counts."""
    return [model.nats(piece)[1:] for piece in pieces]


def counting(corpus: PreparedCorpus, row: str, order: int) -> CountingEngine:
    """The counts of a row, fitted to the training pieces, as a predictor."""
    model = MAKERS[row](len(corpus.tokenizer.vocabulary), order).fit(corpus.split("train"))
    return CountingEngine(model, CountedModel(corpus.tokenizer, pitch_range(corpus)))


def pitch_range(corpus: PreparedCorpus) -> tuple[int, int]:
    """The pitches that the networks may write: those of the training pieces and their transposed copies."""
    transposition = TokenTransposition(corpus.tokenizer)
    ranges = [transposition.pitch_range(piece) for piece in corpus.split("train")]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    down, up = room((low, high), TRANSPOSE)
    return low - down, high + up


if __name__ == "__main__":
    run_recipe(main, "rnn_vs_lstm")
