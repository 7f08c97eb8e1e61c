"""Which recurrent cell predicts polyphonic music best, at equal size and with equal care?

    python recipes/polyphonic_benchmark.py --data JSB_Chorales.mat           # everything: hours; run it again to go on
    python recipes/polyphonic_benchmark.py --data Nottingham.mat --quick     # one seed, small models: three minutes

The field's table (Boulanger-Lewandowski et al. 2012, as pooled by Bai et al. 2018): frames of 88 keys, frame t+1 is
predicted from frames 1..t, frame 1 is never scored, the state starts fresh in each piece; the figure is the sum of nats
over all pieces divided by the number of predicted frames.

set of rolls -> for every cell and head a random search, judged by validation -> the best setting from five seeds ->
test nats of each piece, beside counting baselines -> Markdown and JSON. Every cell and head meets the same draws, and
has the same number of parameters within 2 %. The JSON is the log of all trainings and the journal of the recipe: what
stands there is not trained again. The table is made by polyphonic_table.py, trainings.py keeps the log, and
side_by_side.py has the processes.
Trainings side by side on one GPU wait for each other unless NVIDIA's MPS runs (``nvidia-cuda-mps-control -d``).
Copy the pages and change them.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
from polyphonic_table import CELLS, HEADS, of, read_log, table
from side_by_side import work, workers
from trainings import Journal, Record, run_recipe, trained, which

from seqaudio.corpus.frames import FrameCorpus
from seqaudio.errors import NoNotesError
from seqaudio.files.atomic import write_bytes
from seqaudio.models.baselines import FramePPM, MarkovKeys, MatchCopy
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.models.config import ModelConfig, build_model
from seqaudio.models.heads import distinct_frames
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.models.size import count_parameters, matched_hidden_size
from seqaudio.training.devices import Devices
from seqaudio.training.evaluate import piece_nats

Number = TypeVar("Number", int, float)

MOST_CLASSES = 5_000  # more distinct training frames than that, and whole frames are no classes
TRANSPOSE = 5  # semitones, in training and for the counts of the transposed baseline


@dataclass(frozen=True)
class Plan:
    """How large, how long, how often; by head where it is a dictionary."""

    units: int  # of the one-layer LSTM whose number of parameters all models of a head have
    steps: dict[str, int]  # of the optimizer
    trials: dict[str, int]  # settings tried for each cell
    trial_share: float  # of the steps, for a trial
    batch_size: dict[str, int]  # pieces
    chunk: dict[str, int]  # frames a step; the state is carried on
    transpose_share: dict[str, float]  # of the pieces of an epoch
    independent: str  # the head of independent keys
    max_minutes: float | None = None  # of one training


def by_head(independent: Number, joint: Number) -> dict[str, Number]:
    """One number for models of independent keys, another for those of joint frames."""
    return {"independent": independent, "joint": joint}


SMALL_SET = 50_000  # training frames: JSB has 14,000, whose longest piece fits into a step; the other sets have more
SMALL = Plan(
    units=320,
    steps=by_head(1_800, 1_500),
    trials=by_head(8, 8),
    trial_share=1 / 3,
    batch_size=by_head(16, 16),
    chunk=by_head(256, 256),
    transpose_share=by_head(1.0, 1.0),
    independent="marginal",
)
# found on validation pieces of Nottingham: independent keys need many more steps than joint frames, so these are short
LARGE = Plan(
    units=320,
    steps=by_head(11_000, 3_000),
    trials=by_head(8, 8),
    trial_share=1 / 3,
    batch_size=by_head(16, 8),
    chunk=by_head(64, 256),
    transpose_share=by_head(0.7, 1.0),
    independent="bernoulli",
)
QUICK_SMALL = replace(SMALL, units=128, steps=by_head(450, 250), trials=by_head(0, 0), trial_share=0.0, max_minutes=0.4)
QUICK_LARGE = replace(
    LARGE, units=128, steps=by_head(1_800, 500), trials=by_head(0, 0), trial_share=0.0, max_minutes=0.4
)


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, dir_okay=False), help="One of the four .mat files.")
@click.option("--quick", is_flag=True, help="One seed, small models, no search.")
@click.option("--seeds", type=click.IntRange(1), help="Trainings of the best setting.  [default: 5, quick 1]")
@click.option("--out", type=click.Path(), help="Where the table and the log go.  [default: docs/results/polyphonic]")
@click.option("--runs", default="runs/polyphonic", show_default=True, help="Where unfinished trainings are kept.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default=True,
    help="Trainings side by side, a thread each.",
)
def main(data: str, quick: bool, seeds: int | None, out: str | None, runs: str, jobs: int) -> None:
    """Search, train, test and print the table of one set of piano rolls."""
    corpus = FrameCorpus.open(data)
    for split in ("train", "valid", "test"):
        if not any(len(piece) > 1 for piece in corpus.split(split)):
            raise NoNotesError(f"{data}: no {split} piece of two frames or more; name a set with train, valid and test")
    name = Path(data).stem
    folder = Path(out or ("out/polyphonic" if quick else "docs/results/polyphonic"))
    folder.mkdir(parents=True, exist_ok=True)  # told now if that cannot be, not after the first training
    bench = Bench(
        plan_of(corpus, quick),
        data,
        corpus,
        folder / f"{name}.json",
        Path(runs) / name / ("quick" if quick else "full"),
    )
    bench.run(jobs, seeds or (1 if quick else 5))
    text = table(name, bench.log)
    write_bytes(folder / f"{name}.md", text.encode())
    click.echo(text)


def plan_of(corpus: FrameCorpus, quick: bool) -> Plan:
    """How much is done for a set."""
    if sum(len(piece) for piece in corpus.split("train")) < SMALL_SET:
        return QUICK_SMALL if quick else SMALL
    return QUICK_LARGE if quick else LARGE


class Bench:
    """All trainings of one set, and the log of them."""

    def __init__(self, plan: Plan, data: str, corpus: FrameCorpus, journal: Path, runs: Path) -> None:
        self.plan, self.data, self.corpus, self.runs = plan, data, corpus, runs
        frames = {split: [len(piece) - 1 for piece in corpus.split(split)] for split in ("valid", "test")}
        head: Record = {"sha256": corpus.fingerprint, "quick": plan.max_minutes is not None, "plan": asdict(plan)}
        self.journal = Journal(journal, head | {"frames": frames, "baselines": {}}, read_log)

    @property
    def log(self) -> Record:
        """What was found so far."""
        return self.journal.log

    def run(self, jobs: int, seeds: int) -> None:
        """Everything that the log does not hold yet."""
        self.log["seeds"] = seeds
        with workers(jobs) as pool:
            self._train(pool, self._trials(), "search")
            baselines = {
                pool.submit(work, measure, self.data, row): row for row in BASELINES if row not in self._baselines
            }
            self._train(pool, self._finals(seeds), "seeds")
            for done in as_completed(baselines):
                self._baselines[baselines[done]] = done.result()
                self.log["baselines"] = {row: self._baselines[row] for row in BASELINES if row in self._baselines}
                self.journal.save()
        self.journal.save()

    @property
    def _baselines(self) -> Record:
        return self.log["baselines"]

    def _trials(self) -> Iterator[Record]:
        for head, cell in itertools.product(HEADS, CELLS):
            for number in range(self.plan.trials[head]):
                asked = experiment(self.corpus, cell, head, draw(number), self.plan, self.plan.trial_share)
                yield {"trial": number, **asked}

    def _finals(self, seeds: int) -> Iterator[Record]:
        for seed, head, cell in itertools.product(range(seeds), HEADS, CELLS):
            best = best_trial(self.log, cell, head)
            asked = experiment(self.corpus, cell, head, best, self.plan)
            asked["experiment"]["training"]["seed"] = 1 + seed
            yield {"seed": seed, **asked}

    def _train(self, pool: ProcessPoolExecutor, asked: Iterable[Record], what: str) -> None:
        arguments = (self.data, str(self.runs), self.plan.max_minutes)
        self.journal.train(pool, asked, train, *arguments, what=what, said=said)


def draw(number: int) -> Record:
    """The settings of trial ``number``, the same for every cell and head."""
    generator = np.random.default_rng((2012, number))
    return {
        "layers": int(generator.integers(1, 3)),
        "dropout": round(float(generator.uniform(0.3, 0.6)), 2),
        "input_dropout": float(generator.choice([0.0, 0.1])),
        "weight_drop": float(generator.choice([0.0, 0.2])),
        "learning_rate": round(float(np.exp(generator.uniform(np.log(2e-3), np.log(2e-2)))), 5),
        "weight_decay": float(generator.choice([1e-4, 1e-2, 1e-1])),
    }


PLAIN = {"layers": 1, "dropout": 0.3, "input_dropout": 0.0, "weight_drop": 0.0}
PLAIN |= {"learning_rate": 5e-3, "weight_decay": 1e-4}


def best_trial(log: Record, cell: str, head: str) -> Record:
    """The setting with the best validation; a plain one where nothing was searched."""
    trials = [record for record in log["trainings"] if "trial" in record and of(record, cell, head)]
    return min(trials, key=lambda record: record["valid"])["setting"] if trials else PLAIN


def label(record: Record) -> str:
    """A training as a person may read it."""
    return f"{record['cell']} {record['head']} {which(record)}"


def said(record: Record) -> str:
    """What is shown of a training when it is done."""
    return f"{label(record)}: validation {record['valid']:.3f} nats per frame"


def experiment(corpus: FrameCorpus, cell: str, head: str, setting: Record, plan: Plan, share: float = 1.0) -> Record:
    """A training as plain values, with the hidden size that has the wanted number of parameters."""
    model = matched_model(corpus, cell, head, setting, plan)
    batch_size, chunk = plan.batch_size[head], plan.chunk[head]
    chunks = sum(-(-(len(piece) - 1) // chunk) for piece in corpus.split("train"))
    epochs = max(1, round(share * plan.steps[head] * batch_size / chunks))
    training = {
        "epochs": epochs,
        "patience": epochs,
        "validate_every": max(1, epochs // 40),
        "batch_size": batch_size,
        "chunk": chunk,
        "learning_rate": setting["learning_rate"],
        "weight_decay": setting["weight_decay"],
        "warmup_steps": 50,
        "schedule": "linear",
        "final_rate": 0.0,
        "clip": 0.5,
        "averaging": "ema",
        "decay": 0.99,
        "transpose": TRANSPOSE,
        "transpose_share": plan.transpose_share[head],
        # in training; figures are computed in fp32. On a GPU such small models gain nothing by bf16
        "precision": "bf16" if Devices().device.type == "cpu" else "fp32",
        "threads": 1,
        "seed": 0,
    }
    asked = {"model": model.model_dump(mode="json"), "training": training}
    return {"cell": cell, "head": head, "setting": setting, "experiment": asked}


def matched_model(corpus: FrameCorpus, cell: str, head: str, setting: Record, plan: Plan) -> ModelConfig:
    """The model of a cell, head and setting, as large as a one-layer LSTM of so many units with that head."""
    known = distinct_frames(corpus.split("train"))
    of_head = {"head": plan.independent} if head == "independent" else joint_head(len(known))

    def build(config: ModelConfig) -> SequenceModel:
        return build_model(config, keys=corpus.keys, known_frames=known if config.knows_frames else None)

    parameters = count_parameters(build(ModelConfig(hidden_size=plan.units, layers=1, **of_head)))
    of_layers = {name: setting[name] for name in ("layers", "dropout", "input_dropout", "weight_drop")}
    model = ModelConfig(cell=cell, residual=setting["layers"] > 1, **of_head, **of_layers)
    return model.model_copy(update={"hidden_size": matched_hidden_size(model, parameters, build)})


def joint_head(known: int) -> Record:
    """Which head stands for joint frames, on a set with so many distinct ones."""
    return {"head": "joint", "escape": "notes"} if known <= MOST_CLASSES else {"head": "notes"}


def train(record: Record, data: str, runs: str, max_minutes: float | None) -> Record:
    """Train as asked, in a process of its own, or go on with what is there; the record with its results."""
    folder = Path(runs) / label(record).replace(" ", "-")
    corpus = FrameCorpus.open(data)
    progress = trained(folder, {"corpus": {"frames": data}, **record["experiment"]}, corpus, max_minutes)
    devices = Devices()
    model = Checkpoint.load(folder).build().to(devices.device)
    splits = ("valid", "test") if "seed" in record else ("valid",)
    nats = {split: [float(each.sum()) for each in piece_nats(model, corpus.split(split))] for split in splits}
    frames = sum(len(piece) - 1 for piece in corpus.split("valid"))
    found = {"valid": sum(nats["valid"]) / frames, "parameters": count_parameters(model)}
    found |= {"best_epoch": progress.best_epoch + 1, "epochs": progress.epoch, "seconds": round(progress.seconds, 1)}
    found |= {"device": f"{devices.name}, torch {version('torch')}"}
    return {**record, **found, **({"test_nats": nats["test"]} if "test" in nats else {})}


def unigram(keys: int) -> Any:
    """Every key by its share of the training frames."""
    return MarkovKeys(0, keys)


def markov(keys: int) -> Any:
    """Every key from its own last value."""
    return MarkovKeys(1, keys)


def ppm(keys: int) -> Any:
    """Whole frames from the longest run of frames seen before."""
    return FramePPM(6, num_keys=keys)


def transposed_ppm(keys: int) -> Any:
    """The same, with the counts of transposed copies."""
    return FramePPM(6, num_keys=keys, transpositions=range(-TRANSPOSE, TRANSPOSE + 1))


BASELINES: dict[str, Callable[[int], Any]] = {
    "per-key unigram": unigram,
    "per-key Markov": markov,
    "frame PPM, order 6": ppm,
    "frame PPM, transposed copies": transposed_ppm,
    "frame PPM + longest-match copy": lambda keys: MatchCopy(partial(ppm, keys)),
    "frame PPM, transposed copies + longest-match copy": lambda keys: MatchCopy(partial(transposed_ppm, keys)),
}


def measure(data: str, row: str) -> Record:
    """Nats of each validation and test piece under a baseline fitted to the training pieces."""
    corpus = FrameCorpus.open(data)
    model = BASELINES[row](corpus.keys).fit(corpus.split("train"))
    return {
        f"{split}_nats": [float(model.nats(piece).sum()) for piece in corpus.split(split)]
        for split in ("valid", "test")
    }


if __name__ == "__main__":
    run_recipe(main, "polyphonic_benchmark")
