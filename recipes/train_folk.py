"""Train, measure and pack the shipped model `folk` and the RNN beside it, from the package index alone.

    pip install '.[corpora]'
    python recipes/train_folk.py                  # everything: about two hours, resumable
    python recipes/train_folk.py --evaluate       # only measure what is shipped, two minutes

corpus -> two trainings -> weights as float16 with an ONNX graph -> test nats of both and of three counting models ->
model card, and what the test tunes keep of themselves, which the report shows beside a continuation. Validation chose
the epoch; the test pieces are looked at here, once, at the end. Everything below is a few library calls: copy it and
change it.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Iterable
from datetime import date
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.likelihood import token_nats
from seqaudio.corpus import PreparedCorpus
from seqaudio.errors import SeqAudioError
from seqaudio.models.baselines import PPM, NGram
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint
from seqaudio.pretrained import load_model
from seqaudio.report.retention import RANGES, RealPieces, as_json, real_pieces
from seqaudio.report.statistics import RESAMPLES, interval

ROOT = Path(__file__).parents[1]
LENGTHS = [(4, 8), (4, 12), (4, 16), (8, 12), (8, 16), (8, 20), (8, 24), (8, 32), (16, 24), (16, 32)]  # primer, all
MODELS = {"folk": "folk_lstm", "folk-rnn": "folk_rnn"}  # shipped name: config and run


@click.command()
@click.option("--evaluate", is_flag=True, help="Measure the shipped weights, without training.")
@click.option("--out", default=str(ROOT / "seqaudio" / "pretrained"), help="Where models are packed and measured.")
@click.option("--results", default=str(ROOT / "docs" / "results" / "folk.md"), help="The table.")
def main(evaluate: bool, out: str, results: str) -> None:
    """Train and pack the two models unless told not to, then print and write the table of test nats."""
    started = time.time()
    if not evaluate:
        for name, config in MODELS.items():
            train(config)
            pack(ROOT / "runs" / config, Path(out) / name)
    corpus = open_corpus()
    rows = measure(corpus, {name: Path(out) / name for name in MODELS})
    text = table(rows, corpus, time.time() - started)
    click.echo(text)
    Path(results).parent.mkdir(parents=True, exist_ok=True)
    Path(results).write_text(text, encoding="utf-8")
    ranges = json.dumps(as_json(kept_by_real_tunes(corpus)), indent=1) + "\n"
    for name in MODELS:
        (Path(out) / name / RANGES).write_text(ranges, encoding="utf-8")
        card = Path(out) / name / "MODEL_CARD.md"
        card.write_text(model_card(name, Checkpoint.load(Path(out) / name), rows), encoding="utf-8")


def train(config: str) -> None:
    """Train as configs/CONFIG.yaml says, or go on with a run that was interrupted."""
    from seqaudio.training.config import load_experiment
    from seqaudio.training.material import open_corpus as open_experiment_corpus
    from seqaudio.training.run import Run

    folder = ROOT / "runs" / config
    experiment = load_experiment(ROOT / "configs" / f"{config}.yaml")
    corpus = open_experiment_corpus(experiment, click.echo)
    run = Run(folder, experiment, corpus, resume=(folder / "experiment.json").is_file(), show=show)
    run.train()


def show(line: dict[str, object]) -> None:
    """One line per epoch."""
    if "valid_nats" in line:
        click.echo(f"epoch {line['epoch']}: validation {line['valid_nats']:.4f} nats per token, {line['seconds']} s")


def pack(run: Path, folder: Path) -> None:
    """The best weights of a run as float16, with their ONNX graph and how long they took."""
    from seqaudio.models.onnx_graph import write_graph

    if not json.loads((run / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1]).get("valid_nats"):
        raise click.ClickException(f"{run}: not finished; run the recipe again and it goes on")
    best = Checkpoint.load(run)
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    epochs = [line for line in lines if "valid_nats" in line]
    best.facts.update(hours=round(epochs[-1]["seconds"] / 3600, 2), epochs=len(epochs), machine=machine())
    folder.mkdir(parents=True, exist_ok=True)
    best.save(folder / WEIGHTS, np.float16)
    write_graph(folder)


def machine() -> str:
    """What it ran on."""
    return f"{platform.machine()}, Python {platform.python_version()}"


def open_corpus() -> PreparedCorpus:
    """The corpus both configs name."""
    from seqaudio.training.config import load_experiment
    from seqaudio.training.material import open_corpus as open_experiment_corpus

    return open_experiment_corpus(load_experiment(ROOT / "configs" / "folk_lstm.yaml"), click.echo)


def measure(corpus: PreparedCorpus, models: dict[str, Path]) -> dict[str, NDArray[np.float64]]:
    """Nats of each test piece under each model, (pieces,) by row name. BOS is given, EOS counts."""
    for name, folder in models.items():
        if Checkpoint.load(folder).facts["corpus"] != corpus.fingerprint:
            raise click.ClickException(f"{name} was trained on another corpus than the one prepared here")
    train, test = corpus.split("train"), corpus.split("test")
    pieces = [np.asarray(piece, dtype=np.int64) for piece in test]
    rows = {}
    for name, folder in models.items():
        engine = load_model(folder)
        rows[name] = np.array([token_nats(engine, piece).sum() for piece in pieces])
    vocabulary = len(corpus.tokenizer.vocabulary)
    ppm = PPM(order=6, vocabulary_size=vocabulary).fit(train)
    rows["PPM, order 6"] = totals(ppm.nats(piece) for piece in pieces)
    rows["PPM, order 6, learning the piece as it goes"] = totals(ppm.nats(piece, adapt=True) for piece in pieces)
    longer = PPM(order=18, vocabulary_size=vocabulary).fit(train)
    rows["PPM, order 18, learning the piece as it goes"] = totals(longer.nats(piece, adapt=True) for piece in pieces)
    rows["3-gram"] = totals(map(NGram(2, vocabulary).fit(train).nats, pieces))
    rows["unigram"] = totals(map(NGram(0, vocabulary).fit(train).nats, pieces))
    return rows


def kept_by_real_tunes(corpus: PreparedCorpus) -> list[RealPieces]:
    """How much of itself real music keeps: the measures of the report on the test tunes, cut to some lengths."""
    tunes = [corpus.tokenizer.decode(np.asarray(piece, dtype=np.int64)) for piece in corpus.split("test")]
    source = "tunes of O'Neill's and Aird's collections that the model has not met"
    found = [real_pieces(tunes, primer_bars, bars, source) for primer_bars, bars in LENGTHS]
    return [pieces for pieces in found if pieces is not None]


def totals(nats_of_pieces: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Sum of nats of each piece without its BOS, which every model is given."""
    return np.array([nats[1:].sum() for nats in nats_of_pieces])


def table(rows: dict[str, NDArray[np.float64]], corpus: PreparedCorpus, seconds: float) -> str:
    """The rows as Markdown: nats per token, note and bar, and the paired difference to the first row."""
    facts = [corpus.manifest["pieces"][i] for i in corpus.of_split("test")]
    tokens = np.array([len(piece) - 1 for piece in corpus.split("test")])
    notes, bars = (np.array([fact[what] for fact in facts]) for what in ("notes", "bars"))
    groups = [fact["group"] for fact in facts]
    first = next(iter(rows))
    lines = [
        "# Test likelihood of the shipped folk models",
        "",
        f"{len(facts)} test pieces, {notes.sum()} notes, {bars.sum()} bars, {tokens.sum()} tokens. Lower is likelier.",
        f"In brackets: 95 % bootstrap interval over tunes ({RESAMPLES} resamples of {len(set(groups))} groups of",
        f"versions). Last column: nats per note more than {first}, on the same pieces. One training run, one seed, per",
        "network. A PPM of order 6 sees six tokens, about two notes; on validation longer orders were worse unless",
        "they learnt the piece as they went.",
        "",
        f"| model | nats per note | nats per token | nats per bar | more than {first} |",
        "|---|---|---|---|---|",
    ]
    for name, nats in rows.items():
        _, low, high = interval(nats, notes, groups=groups)
        more = (
            ""
            if name == first
            else "{:+.3f} [{:+.3f}, {:+.3f}]".format(*interval(nats - rows[first], notes, groups=groups))
        )
        lines.append(
            f"| {name} | {nats.sum() / notes.sum():.3f} [{low:.3f}, {high:.3f}] | {nats.sum() / tokens.sum():.4f} "
            f"| {nats.sum() / bars.sum():.2f} | {more} |"
        )
    names = ("seqaudio", "torch", "onnxruntime", "numpy", "music21")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    lines += [
        "",
        f"Command: `python recipes/train_folk.py --evaluate`. {packages}. {date.today()}, {seconds:.0f} s.",
        f"Corpus: {', '.join(corpus.manifest['sources'])}, tokens SHA-256 {corpus.fingerprint[:16]}.",
    ]
    return "\n".join(lines) + "\n"


def model_card(name: str, checkpoint: Checkpoint, rows: dict[str, NDArray[np.float64]]) -> str:
    """What a user of the weights needs to know, with the figures of the table."""
    facts, config = checkpoint.facts, checkpoint.config
    training = facts["experiment"]["training"]
    parameters = sum(tensor.size for tensor in checkpoint.weights.values())
    corpus = open_corpus()
    notes = sum(corpus.manifest["pieces"][i]["notes"] for i in corpus.of_split("test"))
    cell = {"lstm": "LSTM", "rnn": "plain tanh RNN", "gru": "GRU"}[config.cell]
    lines = [
        f"# {name}: folk melodies by a stacked {cell}",
        "",
        f"{config.layers} layers of {config.hidden_size} units, {parameters / 1e6:.2f} M parameters, float16.",
        "Continues single-line melodies bar by bar, on a grid of 12 steps per quarter. It knows pitches"
        f" {checkpoint.pitch_range[0]} to {checkpoint.pitch_range[1]};",
        "seqaudio moves other primers into that range and back.",
        "",
        "## Data and licence",
        "",
        "O'Neill's Music of Ireland (1903) and Aird's Airs (1782-1803): traditional tunes in the public domain. The",
        "transcriptions (by Norbert Paap, Jack Campin and others, named in the files) state no licence; the package",
        "music21 distributes them with the permission of their encoders, see its corpus/license.txt. They are not part",
        "of seqaudio. The weights are under Apache-2.0, like the rest of seqaudio. Copies and versions of one tune",
        f"stand on one side of the split. Every piece was moved by up to {training['transpose']} semitones, anew in",
        "each epoch.",
        "",
        "## Training",
        "",
        f"`python recipes/train_folk.py`, which runs `seqaudio train configs/{MODELS[name]}.yaml`; seed",
        f"{training['seed']}, {facts['epochs']} epochs in {facts['hours']} hours on one thread of",
        f"{facts['machine']},",
        f"torch {facts['torch']}. Best epoch by validation: {facts['epoch']}, "
        f"{facts['valid_nats_per_token']:.4f} nats per token.",
        "One run, one seed. The learning rate was hardly tuned: short trials of two or three values for each network,",
        "by eye, on training nats. So this is a baseline of equal size and epochs, not a fair contest of cells.",
        "",
        "## Test",
        "",
        "Nats per note on the test pieces (lower is better; intervals in `docs/results/folk.md`, made by",
        "`python recipes/train_folk.py --evaluate`):",
        "",
        "| model | nats per note |",
        "|---|---|",
        *(f"| {row} | {nats.sum() / notes:.3f} |" for row, nats in rows.items()),
        "",
        "## What it is not",
        "",
        "It has no memory of the piece beyond its state: its continuations sound like the collections but seldom come",
        "back to a phrase of the primer. It writes one line; of a piece with several tracks it continues the melody.",
        "Its likelihood says nothing about taste.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    try:
        main()
    except SeqAudioError as problem:
        sys.exit(f"train_folk: {problem}")
