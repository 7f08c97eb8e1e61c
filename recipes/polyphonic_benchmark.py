"""Which recurrent cell predicts polyphonic music best, at equal size and with equal care?

    python recipes/polyphonic_benchmark.py --data JSB_Chorales.mat           # everything: hours; run it again to go on
    python recipes/polyphonic_benchmark.py --data Nottingham.mat --quick     # one seed, small models: three minutes
    python recipes/polyphonic_benchmark.py --data Nottingham.mat --memory match    # cells with a memory of the piece
    python recipes/polyphonic_benchmark.py --data Nottingham.mat --memory lookback    # by fixed lags alone

The field's table (Boulanger-Lewandowski et al. 2012, as pooled by Bai et al. 2018): frames of 88 keys, frame t+1 is
predicted from frames 1..t, frame 1 is never scored, the state starts fresh in each piece; the figure is the sum of nats
over all pieces divided by the number of predicted frames.

set of rolls -> for every cell and head a random search, judged by validation -> the best setting from five seeds ->
test nats of each piece, beside counting baselines -> Markdown and JSON. Every cell and head meets the same draws, and
has the same number of parameters within 2 %. The JSON is the log of all trainings and the journal of the recipe: what
stands there is not trained again. How much is done stands in polyphonic_plans.py, the table is made by
polyphonic_table.py, trainings.py keeps the log, and side_by_side.py has the processes.

Models of joint frames also continue windows of the test pieces, and it is measured what the continuations keep
(polyphonic_retention.py, printed by polyphonic_kept.py), beside a Markov chain over frames, a loop and the pieces
themselves; validation windows choose the temperature of a memory's gate. Only models whose training folder is still
there are continued. A set with fewer than two test pieces so long, such as JSB, goes without.

With ``--memory match`` every cell has a memory of the piece (:mod:`seqaudio.models.match_memory`) and a head of joint
frames, at the size of the plain models; with ``--memory lookback`` the same but for the longest match. Those models
have a log of their own, and one table with the others where their logs lie beside it.

Trainings side by side on one GPU wait for each other unless NVIDIA's MPS runs (``nvidia-cuda-mps-control -d``).
Copy the pages and change them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from polyphonic_plans import PLAIN, Plan, plan_of, tried
from polyphonic_retention import (
    LOOP,
    MARKOV,
    REAL,
    TRANSPOSE,
    Setting,
    begun,
    enough,
    kept_by_model,
    kept_by_row,
    setting_of,
)
from polyphonic_rows import CELLS, MEMORIES, log_name, of, read_log
from polyphonic_strata import by_stratum
from polyphonic_table import logs_beside, write_pages
from side_by_side import work, workers
from trainings import Journal, Record, run_recipe, trained, training_options, which

from seqaudio.corpus.frames import FrameCorpus
from seqaudio.errors import NoNotesError
from seqaudio.models.baselines import FramePPM, MarkovKeys, MatchCopy
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint
from seqaudio.models.config import ModelConfig, build_model
from seqaudio.models.heads import distinct_frames
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.models.size import count_parameters, matched_hidden_size
from seqaudio.music.frames import Frames
from seqaudio.training.devices import Devices
from seqaudio.training.evaluate import piece_nats

MOST_CLASSES = 5_000  # more distinct training frames than that, and whole frames are no classes


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, dir_okay=False), help="One of the four .mat files.")
@click.option(
    "--memory",
    type=click.Choice(["none", *MEMORIES]),
    default="none",
    show_default=True,
    help="Of the piece, for every cell: none beside the state, match memory, or that without the longest match.",
)
@training_options("polyphonic", "unfinished trainings")
def main(data: str, memory: str, quick: bool, seeds: int | None, out: str | None, runs: str, jobs: int) -> None:
    """Search, train, test and print the table of one set of piano rolls."""
    corpus = FrameCorpus.open(data)
    for split in ("train", "valid", "test"):
        if not any(len(piece) > 1 for piece in corpus.split(split)):
            raise NoNotesError(f"{data}: no {split} piece of two frames or more; name a set with train, valid and test")
    name = log_name(Path(data).stem, memory)
    folder = Path(out or ("out/polyphonic" if quick else "docs/results/polyphonic"))
    folder.mkdir(parents=True, exist_ok=True)  # told now if that cannot be, not after the first training
    bench = Bench(
        plan_of(corpus, quick, memory),
        data,
        corpus,
        folder / f"{name}.json",
        Path(runs) / name / ("quick" if quick else "full"),
    )
    logs_beside(folder / f"{name}.json", bench.log)  # told now if one is damaged, not after the last training
    bench.run(jobs, seeds or (1 if quick else 5))
    click.echo(write_pages(folder / f"{name}.json"))


class Bench:
    """All trainings of one set, and the log of them."""

    def __init__(self, plan: Plan, data: str, corpus: FrameCorpus, journal: Path, runs: Path) -> None:
        self.plan, self.data, self.corpus, self.runs = plan, data, corpus, runs
        frames = {split: [len(piece) - 1 for piece in corpus.split(split)] for split in ("valid", "test")}
        head: Record = {"sha256": corpus.fingerprint, "quick": plan.max_minutes is not None, "plan": plan.as_record()}
        self.journal = Journal(journal, head | {"frames": frames, "baselines": {}}, read_log)
        test = corpus.split("test")
        self.log["frames"]["test_strata"] = by_stratum(test, [np.ones(max(len(piece) - 1, 0)) for piece in test])
        self.setting = setting_of(plan.max_minutes is not None)
        fresh = begun(corpus, self.setting)
        if any(self.log.get("retention", {}).get(name) != fresh[name] for name in ("setting", "windows")):
            self.log["retention"] = fresh

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
                pool.submit(work, measure, self.data, row): row
                for row in BASELINES
                if "test_strata" not in self._baselines.get(row, {})
            }
            self._train(pool, self._finals(seeds), "seeds")
            self._measure_again(pool)
            for done in as_completed(baselines):
                self._baselines[baselines[done]] = done.result()
                self.log["baselines"] = {row: self._baselines[row] for row in BASELINES if row in self._baselines}
                self.journal.save()
            self._keep(pool, seeds)
        self.journal.save()

    def _keep(self, pool: ProcessPoolExecutor, seeds: int) -> None:
        """What continuations keep: of rows without training, and of models whose training folder is still there."""
        log = self.log["retention"]
        if not enough(log):
            return
        missing = [
            row for row in (REAL, LOOP, MARKOV) if len(log["rows"].get(row, [])) < (seeds if row == MARKOV else 1)
        ]
        rows = {pool.submit(work, kept_by_row, row, self.data, self.setting, seeds): row for row in missing}
        known = {(kept["cell"], kept["seed"]) for kept in log["models"]}
        asked = [r for r in self.log["trainings"] if "seed" in r and r["head"] == "joint"]
        there = [r for r in asked if (folder_of(r, str(self.runs)) / WEIGHTS).is_file()]
        models = {
            pool.submit(work, retained, record, self.data, str(self.runs), self.setting): label(record)
            for record in there
            if (record["cell"], record["seed"]) not in known
        }
        for number, done in enumerate(as_completed(rows | models), start=1):
            if done in rows:
                log["rows"][rows[done]] = done.result()
            else:
                log["models"] += done.result()
            self.journal.save()
            click.echo(f"continuations {number}/{len(rows | models)}: {(rows | models)[done]}", err=True)

    def _measure_again(self, pool: ProcessPoolExecutor) -> None:
        """Strata of models that the log holds without, where the folder of their training is still there."""
        without = [record for record in self.log["trainings"] if "seed" in record and "test_strata" not in record]
        there = [record for record in without if (folder_of(record, str(self.runs)) / WEIGHTS).is_file()]
        waiting = [pool.submit(work, measured_again, record, self.data, str(self.runs)) for record in there]
        for record, done in zip(there, waiting, strict=True):
            record |= done.result()

    @property
    def _baselines(self) -> Record:
        found: Record = self.log["baselines"]
        return found

    def _trials(self) -> Iterator[Record]:
        for head, cell in itertools.product(self.plan.trials, CELLS):
            for number, setting in tried(self.plan, head).items():
                asked = experiment(self.corpus, cell, head, setting, self.plan, self.plan.trial_share)
                yield {"trial": number, **asked}

    def _finals(self, seeds: int) -> Iterator[Record]:
        for seed, head, cell in itertools.product(range(seeds), self.plan.trials, CELLS):
            best = best_trial(self.log, cell, head) or self.plan.first or PLAIN
            asked = experiment(self.corpus, cell, head, best, self.plan)
            asked["experiment"]["training"]["seed"] = 1 + seed
            yield {"seed": seed, **asked}

    def _train(self, pool: ProcessPoolExecutor, asked: Iterable[Record], what: str) -> None:
        arguments = (self.data, str(self.runs), self.plan.max_minutes)
        self.journal.train(pool, asked, train, *arguments, what=what, said=said)


def best_trial(log: Record, cell: str, head: str) -> Record | None:
    """The setting with the best validation; None where nothing was searched."""
    trials = [record for record in log["trainings"] if "trial" in record and of(record, cell, head)]
    best: Record | None = min(trials, key=lambda record: record["valid"])["setting"] if trials else None
    return best


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
        "precision": Devices().fast_precision,  # in training; figures are computed in fp32
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
    model = ModelConfig(cell=cell, residual=setting["layers"] > 1, memory=plan.memory, **of_head, **of_layers)
    return model.model_copy(update={"hidden_size": matched_hidden_size(model, parameters, build)})


def joint_head(known: int) -> Record:
    """Which head stands for joint frames, on a set with so many distinct ones."""
    return {"head": "joint", "escape": "notes"} if known <= MOST_CLASSES else {"head": "notes"}


def train(record: Record, data: str, runs: str, max_minutes: float | None) -> Record:
    """Train as asked, in a process of its own, or go on with what is there; the record with its results."""
    folder = folder_of(record, runs)
    corpus = FrameCorpus.open(data)
    progress = trained(folder, {"corpus": {"frames": data}, **record["experiment"]}, corpus, max_minutes)
    checkpoint, devices = Checkpoint.load(folder), Devices()
    frames = sum(len(piece) - 1 for piece in corpus.split("valid"))
    found: Record = {"valid": sum(nats_of(checkpoint, corpus, "valid")["valid_nats"]) / frames}
    found |= {"parameters": count_parameters(checkpoint.build())}
    found |= {"best_epoch": progress.best_epoch + 1, "epochs": progress.epoch, "seconds": round(progress.seconds, 1)}
    found |= {"device": f"{devices.name}, torch {version('torch')}"}
    return {**record, **found, **(nats_of(checkpoint, corpus, "test") if "seed" in record else {})}


def folder_of(record: Record, runs: str) -> Path:
    """Where a training is kept."""
    return Path(runs) / label(record).replace(" ", "-")


def nats_of(checkpoint: Checkpoint, corpus: FrameCorpus, split: str) -> Record:
    """Nats of each piece of a split, and of its strata."""
    model = checkpoint.build().to(Devices().device)
    pieces = corpus.split(split)
    return sums(split, pieces, piece_nats(model, pieces, checkpoint.memory()))


def sums(split: str, pieces: Sequence[Frames], nats: Sequence[NDArray[Any]]) -> Record:
    """The nats of each frame as the log keeps them: of each piece, and of its strata too if they are test pieces."""
    strata = {"test_strata": by_stratum(pieces, nats)} if split == "test" else {}
    return {f"{split}_nats": [float(row.sum()) for row in nats], **strata}


def measured_again(record: Record, data: str, runs: str) -> Record:
    """The strata of a model that was logged without them; nothing if another model has come into its folder."""
    found = nats_of(Checkpoint.load(folder_of(record, runs)), FrameCorpus.open(data), "test")
    return {"test_strata": found["test_strata"]} if is_same(record, found) else {}


def is_same(record: Record, found: Record) -> bool:
    """Whether nats that were found are those of the model of a record."""
    return np.allclose(found["test_nats"], record["test_nats"], rtol=1e-3, atol=1e-3)


def retained(record: Record, data: str, runs: str, setting: Setting) -> list[Record]:
    """What the continuations of a trained model keep; nothing if another model has come into its folder."""
    checkpoint = Checkpoint.load(folder_of(record, runs))
    if not is_same(record, nats_of(checkpoint, FrameCorpus.open(data), "test")):
        return []
    kept = kept_by_model(checkpoint, data, setting, record["seed"])
    return [{"cell": record["cell"], "seed": record["seed"], **kept}]


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
    """Nats of the validation and test pieces under a baseline fitted to the training pieces."""
    corpus = FrameCorpus.open(data)
    model = BASELINES[row](corpus.keys).fit(corpus.split("train"))
    found: Record = {}
    for split in ("valid", "test"):
        pieces = corpus.split(split)
        found |= sums(split, pieces, [model.nats(piece) for piece in pieces])
    return found


if __name__ == "__main__":
    run_recipe(main, "polyphonic_benchmark")
