"""Does sound keep its structure? Tanh RNN and LSTM on frames of audio, plain and with a memory, go on.

    python recipes/audio_continuation.py --quick                        # played folk tunes: under five minutes
    python recipes/audio_continuation.py my-recordings                  # a folder of WAV, FLAC, Ogg, MP3
    python recipes/audio_continuation.py prepared/mine                  # a folder of seqaudio prepare, played

recordings, or notes played by pretty_midi (FluidSynth where it is installed) -> constant-Q frames on the beat -> by two
ways for each cell: codes of a residual k-means codebook as tokens, which a memory of the piece reads too, and the
frames themselves under a mixture of Gaussians -> nats of the held-back half of test pieces, what continuations keep,
beside counts, the real halves, and the real halves with random phases -> Markdown and JSON. All networks have the same
number of parameters within 3 %; validation chooses their weights and the temperature of each row, at which what it
keeps is nearest to what real halves keep, above or below; the test pieces are looked at once.

The JSON is the log of all trainings and the journal of the recipe: what stands there is not trained again. The sound of
the first test piece as each row goes on with it is written beside the frames, in --runs. audio_material.py makes frames
and measures, audio_page.py makes the tables; trainings.py keeps the log, side_by_side.py has the processes. Copy the
pages and change them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from audio_material import (
    BINS,
    Frames,
    Material,
    Size,
    chroma_of,
    kept,
    make_material,
    null_of,
    open_material,
    sound_of,
)
from audio_page import CELLS, MEMORY, MIXTURE, markdown, read_log
from numpy.typing import NDArray
from side_by_side import work, workers
from trainings import Journal, Record, run_recipe, training_options, which

from seqaudio.continuation.remembering import mixture
from seqaudio.continuation.sampling import Sampling, sample
from seqaudio.files.atomic import write_bytes
from seqaudio.files.audio import write_audio
from seqaudio.models.baselines import PPM, MatchCopy
from seqaudio.models.config import ModelConfig, build_model, make_memory
from seqaudio.models.match_memory import Memory
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.models.size import count_parameters, matched_hidden_size
from seqaudio.training.config import TrainingConfig
from seqaudio.training.devices import Devices
from seqaudio.training.evaluate import piece_nats
from seqaudio.training.fit import fit

Ints = NDArray[np.int64]

CLOSE = 0.03  # of the number of parameters
CHUNK = 128  # steps
RATES = {"rnn": 3e-3, "lstm": 1e-2}  # by eye, on validation
ORDERS = (1, 2, 3, 4, 6, 8)  # of counts; validation chooses
TEMPERATURES = (1.0, 0.7, 0.5, 0.4, 0.3, 0.2)  # of continuations; validation chooses for each row


@dataclass(frozen=True)
class Plan:
    """How large, how long, how often."""

    units: int = 160  # of the LSTM of tokens without a memory, whose number of parameters all networks have
    epochs: int = 10
    batch_size: int = 8
    components: int = 8  # Gaussians
    memory: dict[str, Any] = field(default_factory=lambda: {"match": True, "lags": [32, 64, 128, 256]})
    size: Size = field(default_factory=Size)
    resamples: int = 10_000


FULL = Plan()
QUICK = Plan(
    units=96, epochs=8, batch_size=4, components=4, resamples=2_000,
    size=Size(pieces=(100, 12, 20), heard=128, written=128, codes=(64, 32)),
)  # fmt: skip


@click.command()
@click.argument("source", default="music21:oneills")
@training_options("audio_continuation", "frames and sounds")
def main(source: str, quick: bool, seeds: int | None, out: str | None, runs: str, jobs: int) -> None:
    """Make frames of SOURCE, train, continue, measure and print the tables.

    SOURCE is a folder of recordings, a prepared corpus, or what seqaudio prepare takes.
    """
    folder = Path(out or ("out/audio_continuation" if quick else "docs/results/audio_continuation"))
    folder.mkdir(parents=True, exist_ok=True)  # told now if that cannot be, not after the first training
    plan = QUICK if quick else FULL
    name = Path(source.rpartition(":")[2]).name
    bench = Bench(plan, quick, source, Path(runs) / name, folder / f"{name}.json", jobs)
    bench.run(jobs, seeds or (1 if quick else 5))
    said = markdown(bench.log)
    write_bytes(folder / f"{name}.md", said.encode())
    click.echo(said)


class Bench:
    """All that is trained and measured, and the log of it."""

    def __init__(self, plan: Plan, quick: bool, source: str, runs: Path, journal: Path, jobs: int) -> None:
        self.plan, self.sounds = plan, str(runs / "sounds")
        self.path, sha256, what = make_material(source, runs, plan.size, jobs)
        material = open_material(self.path, plan.size)
        self.vocabulary = len(material.codebook.vocabulary)
        head: Record = {
            "sha256": sha256,
            "plan": json.loads(json.dumps(asdict(plan))),
            "quick": quick,
            "source": Path(source).name if ":" not in source else source,
            "what": what,
            "pieces": {split: len(pieces) for split, pieces in material.splits.items()},
            "frames": [plan.size.heard, plan.size.written],
            "spread_db": round(float(np.sqrt(np.square(material.scale[1]).mean())), 2),
            "told": told_by_codes(material),
            "rows": {},
        }
        self.journal = Journal(journal, head, read_log)

    @property
    def log(self) -> Record:
        """What was found so far."""
        return self.journal.log

    def run(self, jobs: int, seeds: int) -> None:
        """Everything that the log does not hold yet."""
        self.log["seeds"], rows = seeds, self.log["rows"]
        with workers(jobs) as pool:
            waiting = {
                row: pool.submit(work, measure, row, self.path, self.plan, self.sounds, seeds)
                for row in ("real", "null", "codes", "ppm", "copy")
                if row not in rows
            }
            for row, done in waiting.items():
                rows[row] = done.result()
                self.journal.save()
            self.journal.train(
                pool, self._asked(seeds), train, self.path, self.plan, self.sounds, what="training", said=said
            )
        self.journal.save()

    def _asked(self, seeds: int) -> Iterator[Record]:
        for seed, way, cell in itertools.product(range(seeds), ("", MEMORY, MIXTURE), CELLS):
            yield {"seed": seed, **experiment(f"{cell}{way}", self.vocabulary, self.plan, seed)}


def told_by_codes(material: Material) -> list[float]:
    """How much of the variance of test frames codes tell, by the number of stages."""
    book, frames = material.codebook, material.splits["test"].reshape(-1, BINS)
    left = book.standardised(frames)
    whole, told = float(np.square(left).sum()), []
    for stage, codes in zip(book.centres, book.encode(frames).T, strict=True):
        left = left - stage[codes]
        told.append(round(1 - float(np.square(left).sum()) / whole, 4))
    return told


def said(record: Record) -> str:
    """What is shown of a training when it is done."""
    return f"{record['row']} {which(record)}: validation {record['valid']:.3f} nats a step"


def experiment(row: str, vocabulary: int, plan: Plan, seed: int) -> Record:
    """A training as plain values, of a model as large as an LSTM of tokens with so many units."""
    tokens = partial(build_model, vocabulary_size=vocabulary)
    sizes: Record = {"layers": 1, "dropout": 0.2, "input_dropout": 0.1}
    parameters = count_parameters(tokens(ModelConfig(cell="lstm", hidden_size=plan.units, embedding_size=64, **sizes)))
    cell = row.removesuffix(MEMORY).removesuffix(MIXTURE)
    if row.endswith(MIXTURE):
        model = ModelConfig(cell=cell, head="mixture", components=plan.components, **sizes)
        size = matched_hidden_size(model, parameters, partial(build_model, keys=BINS), CLOSE)
    else:
        memory = plan.memory if row.endswith(MEMORY) else None
        model = ModelConfig.model_validate({"cell": cell, "memory": memory, "embedding_size": 64, **sizes})
        size = matched_hidden_size(model, parameters, tokens, CLOSE)
    training = TrainingConfig(
        epochs=plan.epochs,
        patience=plan.epochs,
        batch_size=plan.batch_size,
        chunk=CHUNK,
        learning_rate=RATES[cell],
        warmup_steps=20,
        schedule="linear",
        final_rate=0.0,
        averaging="ema",
        decay=0.98,
        transpose=0,
        threads=1,
        seed=1 + seed,
    )
    model = model.model_copy(update={"hidden_size": size})
    asked = {"model": model.model_dump(mode="json"), "training": training.model_dump(mode="json")}
    return {"row": row, "experiment": asked}


def train(record: Record, path: str, plan: Plan, sounds: str) -> Record:
    """Train as asked, in a process of its own; the record with its results."""
    material, row = open_material(path, plan.size), record["row"]
    config = ModelConfig.model_validate(record["experiment"]["model"])
    training = TrainingConfig.model_validate(record["experiment"]["training"])
    if row.endswith(MIXTURE):
        memory, pieces = None, material.numbers
        build = partial(build_model, config, keys=BINS)
    else:
        memory, pieces = make_memory(config, material.codebook.vocabulary), material.tokens  # type: ignore[assignment]
        build = partial(build_model, config, len(material.codebook.vocabulary))
    model, progress = fit(build, training, pieces("train"), pieces("valid"), memory=memory)
    found: Record = {"device": f"{Devices().name}, torch {version('torch')}", "parameters": count_parameters(model)}
    found |= {"valid": progress.best_nats, "epochs": progress.epoch, "seconds": round(progress.seconds, 1)}
    written_steps = plan.size.written * (1 if row.endswith(MIXTURE) else material.codebook.stages)
    nats = [float(each[-written_steps:].sum()) for each in piece_nats(model, pieces("test"), memory)]
    if row.endswith(MIXTURE):  # of decibels, as they are
        nats = [each + plan.size.written * float(np.log(material.scale[1]).sum()) for each in nats]
    go_on = continue_numbers if row.endswith(MIXTURE) else partial(continue_tokens, memory=memory)
    write = partial(go_on, model, material, seed=record["seed"])
    found["temperature"] = best_temperature(material, write)
    frames = write("test", found["temperature"])
    return {**record, **found, "nats": nats, "kept": measured(material, frames, row, record["seed"], sounds)}


def measured(material: Material, written: Sequence[Frames], row: str, seed: int, sounds: str) -> list[dict[str, float]]:
    """What continuations of the test pieces keep; the sound of the first is written behind its primer."""
    primers = material.splits["test"][:, : material.size.heard]
    if seed == 0:
        Path(sounds).mkdir(parents=True, exist_ok=True)
        write_audio(sound_of(np.concatenate([primers[0], written[0]])), Path(sounds) / f"{row}.wav")
    return [kept(primer, chroma_of(frames)) for primer, frames in zip(primers, written, strict=True)]


def best_temperature(material: Material, write: Callable[[str, float], Sequence[Frames]]) -> float:
    """The temperature at which what is written behind primers of validation keeps what the real halves do."""
    pieces, heard = material.splits["valid"], material.size.heard

    def keeping(written: Sequence[Frames]) -> NDArray[np.float64]:
        rows = [kept(piece[:heard], chroma_of(frames)) for piece, frames in zip(pieces, written, strict=True)]
        return np.mean([[*row.values()] for row in rows], axis=0)

    real = keeping([*pieces[:, heard:]])
    apart = {each: float(np.abs(keeping(write("valid", each)) - real).sum()) for each in TEMPERATURES}
    return min(apart, key=lambda each: apart[each])


@torch.no_grad()
def continue_tokens(
    model: SequenceModel, material: Material, split: str, temperature: float, *, memory: Memory | None, seed: int
) -> list[Frames]:
    """Frames (steps, BINS) that a model of codes writes behind each primer of a split."""
    book, size, sampling = material.codebook, material.size, Sampling(temperature=temperature)
    heard = np.stack(material.tokens(split))[:, : 1 + size.heard * book.stages]
    notebooks = [memory.begin() for _ in heard] if memory else []
    generators = [np.random.default_rng((seed, number)) for number in range(len(heard))]

    def rows_of(ids: Ints) -> torch.Tensor:
        if not memory:
            return torch.from_numpy(ids)
        told = [notebook.after(row) for notebook, row in zip(notebooks, ids, strict=True)]
        notebooks[:] = [notebook for _, notebook in told]
        return torch.from_numpy(np.stack([rows for rows, _ in told]))

    outputs, state = model(rows_of(heard), model.initial_state(len(heard)))
    written = np.zeros((len(heard), 0), np.int64)
    for step in range(size.written * book.stages):
        logits = np.ascontiguousarray(outputs[:, -1].numpy())
        if memory:
            logits = mixture(logits, len(book.vocabulary), np.ones(len(logits)))
        allowed = book.follows(step)
        drawn = [sample(row, allowed, sampling, generator) for row, generator in zip(logits, generators, strict=True)]
        written = np.append(written, np.array(drawn)[:, None], axis=1)
        outputs, state = model(rows_of(written[:, -1:]), state)
    return [book.decode(book.codes(ids)).astype(np.float32) for ids in written]


@torch.no_grad()
def continue_numbers(
    model: SequenceModel, material: Material, split: str, temperature: float, *, seed: int
) -> list[Frames]:
    """Frames (steps, BINS) that a model of frames writes behind each primer of a split."""
    size, generator = material.size, torch.Generator().manual_seed(seed)
    heard = torch.from_numpy(np.stack(material.numbers(split))[:, : size.heard])
    outputs, state = model(heard, model.initial_state(len(heard)))
    written = []
    for _ in range(size.written):
        frames = model.sample(outputs[:, -1:], generator, temperature)
        written.append(frames)
        outputs, state = model(frames, state)
    return [*material.levels(torch.cat(written, dim=1).numpy())]


def measure(row: str, path: str, plan: Plan, sounds: str, seeds: int) -> Record:
    """What is measured of a row without training."""
    material = open_material(path, plan.size)
    test, heard, book = material.splits["test"], plan.size.heard, material.codebook
    if row == "real":
        return {"kept": [measured(material, [*test[:, heard:]], row, 0, sounds)]}
    if row == "codes":  # the real continuation, as far as codes tell it
        told = [book.decode(book.encode(piece[heard:])).astype(np.float32) for piece in test]
        return {"kept": [measured(material, told, row, 0, sounds)]}
    if row == "null":
        found = [[kept(piece[:heard], null_of(piece, heard, seed)) for piece in test] for seed in range(seeds)]
        return {"kept": found}
    train_pieces, vocabulary = material.tokens("train"), len(book.vocabulary)

    def made(order: int) -> Any:
        if row == "ppm":
            return PPM(order, vocabulary_size=vocabulary).fit(train_pieces)
        return MatchCopy(partial(PPM, order, vocabulary_size=vocabulary)).fit(train_pieces)

    valid = {
        order: np.concatenate([made(order).nats(piece) for piece in material.tokens("valid")]).mean()
        for order in ORDERS
    }
    order = min(valid, key=lambda each: valid[each])
    model, begin = made(order), 1 + heard * book.stages
    write = partial(count_on, model, material)
    temperature = best_temperature(material, partial(write, seed=0))
    written = [write("test", temperature, seed=seed) for seed in range(seeds)]
    return {
        "order": order,
        "temperature": temperature,
        "valid": float(valid[order]),
        "nats": [float(model.nats(piece)[begin:].sum()) for piece in material.tokens("test")],
        "kept": [measured(material, frames, row, seed, sounds) for seed, frames in enumerate(written)],
    }


def count_on(model: Any, material: Material, split: str, temperature: float, *, seed: int) -> list[Frames]:
    """Frames that counts write behind each primer of a split."""
    book, size, sampling = material.codebook, material.size, Sampling(temperature=temperature)
    found = []
    for number, piece in enumerate(material.tokens(split)):
        generator = np.random.default_rng((seed, number))
        past = piece[: 1 + size.heard * book.stages].tolist()
        for step in range(size.written * book.stages):
            past.append(sample(model.log_probabilities(past), book.follows(step), sampling, generator))
        found.append(book.decode(book.codes(past[1:]))[size.heard :].astype(np.float32))
    return found


if __name__ == "__main__":
    run_recipe(main, "audio_continuation")
