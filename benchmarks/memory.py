"""What does a memory of the piece cost: of a training step, and for each token that is generated?

    python benchmarks/memory.py [--rounds 12] [--out docs/results/memory_cost.md]

Tables: a training step with and without memory, of tokens and of frames, split into preparing the batch and the
network's part; microseconds of a generated token with and without memory, of one output and of many side by side, and
of the memory's parts; and the same as a piece grows, beside its error: what was written step by step against the memory
of the whole piece, and that against two loops.

One thread, and seconds of CPU, so that other work on the machine counts little; but for the parts of a token, which are
too short for that clock. What is compared takes turns, and medians count. The music is a random walk that comes again:
every source of guesses has one.
"""

from __future__ import annotations

import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray

from seqaudio.compiled import compile_now
from seqaudio.continuation.engines import Engine, load_engine
from seqaudio.continuation.generation import SIDE_BY_SIDE
from seqaudio.continuation.remembering import RememberingEngine, mixture
from seqaudio.corpus.batches import Batch
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint, weights_of
from seqaudio.models.config import ModelConfig, build_model, make_memory
from seqaudio.models.match_memory import Memory
from seqaudio.models.onnx_graph import write_graph
from seqaudio.models.suffix_match import MAX_LENGTH, NO_MATCH
from seqaudio.music import Score
from seqaudio.tokens import BarsTokenizer
from seqaudio.training.config import TrainingConfig
from seqaudio.training.loop import Trainer
from seqaudio.training.transposition import FrameTransposition, TokenTransposition

ROWS, CHUNK, CHUNKS, KEYS = 16, 256, 4, 88
HIDDEN = {"tokens": (384, 2), "frames": (256, 1)}  # of configs/folk_lstm.yaml and of the polyphonic benchmark
FEATURES = (32, 8, 4)  # of a guess: as the shipped models hear it, as a config has it that names none, and fewer
MEMORY = {
    "tokens": {"lags": (1, 2, 4, 8, 16), "counters": (2, 4, 8, 16)},
    "frames": {"lags": (16, 32, 48, 64, 96, 128), "counters": (8, 16, 32, 64)},
}
LENGTHS = (128, 512, 2048, 4096, 16_384)
SLOW_LENGTH = 512  # two loops over more take minutes
MELODY = BarsTokenizer(programs=False, velocities=False, tempos=False, pedals="drop")
PACKAGES = ("seqaudio", "torch", "onnxruntime", "numpy")


@click.command()
@click.option("--rounds", default=12, show_default=True, help="How often each thing is timed.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the tables there too.")
def main(rounds: int, out: Path | None) -> None:
    """Measure, print, and write Markdown."""
    started = time.time()
    torch.set_num_threads(1)
    compile_now()
    lines = ["# What a memory of the piece costs", ""]
    with tempfile.TemporaryDirectory() as scratch:
        engines = {features: engine(Path(scratch) / str(features), features) for features in (None, *FEATURES)}
        for table in (training_table, partial(token_table, engines), growth_table):
            section = table(rounds)
            click.echo("\n".join(section))
            lines += section
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines.append(
        f"Command: `python benchmarks/memory.py --rounds {rounds}`. {packages}. {platform.machine()}, one thread, "
        f"Python {platform.python_version()}. {date.today()}, {time.time() - started:.0f} s."
    )
    if out:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def tokens_of_a_walk(length: int, seed: int = 0) -> NDArray[np.int64]:
    """Ids of a melody that comes again every sixteen bars, of so many tokens."""
    generator = np.random.default_rng(seed)
    bars = max(length // 14, 16)  # a bar of eighths has more than 14 tokens
    pitch = np.tile(55 + np.cumsum(generator.integers(-2, 3, 128)) % 24, bars // 16 + 1)
    other = generator.random(len(pitch)) < 0.05  # a return is not quite the same
    pitch = np.where(other, pitch + 1, pitch)
    score = Score.from_notes(240 * np.arange(len(pitch)), 240, pitch)
    ids = MELODY.encode(score)
    assert len(ids) >= length
    return ids[:length].astype(np.int64)


def frames_of_a_walk(length: int, seed: int = 0) -> NDArray[np.bool_]:
    """Chords that come again every 64 frames, (length, keys)."""
    generator = np.random.default_rng(seed)
    frames = np.tile(generator.random((64, KEYS)) < 0.05, (length // 64 + 1, 1))[:length]
    frames[generator.random(length) < 0.05] = False
    return frames


def config_of(kind: str, features: int | None) -> ModelConfig:
    """The model of a kind of pieces, with so many features of a guess; None: without memory."""
    hidden, layers = HIDDEN[kind]
    head = "categorical" if kind == "tokens" else "notes"
    values: dict[str, Any] = {"head": head, "hidden_size": hidden, "layers": layers, "dropout": 0.3}
    memory = {} if features is None else {"memory": MEMORY[kind] | {"features": features}}
    return ModelConfig.model_validate(values | memory)


def trainer(kind: str, features: int | None) -> Trainer:
    """A training of one batch of pieces, that is stepped from outside."""
    config, make = config_of(kind, features), tokens_of_a_walk if kind == "tokens" else frames_of_a_walk
    pieces = [make(CHUNK * CHUNKS + 1, seed) for seed in range(ROWS)]
    if kind == "tokens":
        model, moved = build_model(config, len(MELODY.vocabulary)), TokenTransposition(MELODY)
        memory = make_memory(config, MELODY.vocabulary)
    else:
        model, moved, memory = build_model(config, keys=KEYS), FrameTransposition(21), make_memory(config)
    options = TrainingConfig(batch_size=ROWS, chunk=CHUNK, epochs=1000, transpose=5)

    def nothing(*_: object) -> None: ...

    return Trainer(model, moved, options, pieces, pieces[:1], nothing, nothing, nothing, memory=memory)


def training_table(rounds: int) -> list[str]:
    """Milliseconds of CPU of a training step without and with memory, step by step in turn."""
    lines = [
        "## A training step",
        "",
        f"{ROWS} pieces, steps of {CHUNK}; tokens: LSTM {HIDDEN['tokens'][1]} x {HIDDEN['tokens'][0]}, frames: LSTM",
        f"{HIDDEN['frames'][1]} x {HIDDEN['frames'][0]}, head notes. Batch: pieces transposed, and what the memory",
        "tells put beside them; the share of one step. Once: looking everything up, before the first epoch; as if each",
        "piece were read once. Features: of a guess, as the network hears it. Milliseconds of CPU, medians;",
        "more: of the pairs. Target: at most 15 %.",
        "",
        "| | features | batch, without | batch, with | network, without | network, with | more | once |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind, features in ((kind, features) for kind in HIDDEN for features in FEATURES):
        pair = [trainer(kind, each) for each in (None, features)]
        rows = np.array([[seconds for one in pair for seconds in step_seconds(one)] for _ in range(rounds + 1)][1:])
        milliseconds = 1e3 * np.median(rows, axis=0)
        more = np.median(rows[:, 2:].sum(1) / rows[:, :2].sum(1)) - 1
        memory = pair[1].memory
        assert memory is not None
        once = 1e3 * statistics.median(recall_seconds(memory, pair[1].train) for _ in range(3))
        batch, network = milliseconds[[0, 2]], milliseconds[[1, 3]]
        prepared, stepped = (f"{without:.1f} | {with_it:.1f}" for without, with_it in (batch, network))
        lines.append(f"| {kind} | {features} | {prepared} | {stepped} | **{more:.1%}** | {once / CHUNKS:.1f} |")
    return [*lines, ""]


def step_seconds(of: Trainer) -> tuple[float, float]:
    """CPU seconds of a step: its share of preparing the batch, and the step itself."""
    batches: list[Batch] = []
    prepared = cpu_seconds(lambda: batches.append(of._augmented(np.arange(ROWS)))) / CHUNKS
    stepped = cpu_seconds(lambda: [of._step(batches[0], chunk) for chunk in range(CHUNKS)]) / CHUNKS
    return prepared, stepped


def recall_seconds(memory: Memory, pieces: Sequence[NDArray[Any]]) -> float:
    """CPU seconds of looking up everything in pieces."""
    return cpu_seconds(lambda: [memory.recall(piece) for piece in pieces])


def cpu_seconds(run: Callable[[], object]) -> float:
    """What a call takes of the CPU."""
    began = time.process_time()
    run()
    return time.process_time() - began


def engine(folder: Path, features: int | None) -> Engine:
    """An ONNX engine of the token model, with random weights; None: without memory."""
    config = config_of("tokens", features)
    folder.mkdir()
    weights = weights_of(build_model(config, len(MELODY.vocabulary)))
    Checkpoint(config, MELODY, weights).save(folder / WEIGHTS, np.float16)
    write_graph(folder)
    return load_engine(folder, "onnx")


def token_table(engines: dict[int | None, Engine], rounds: int, tokens: int = 200) -> list[str]:
    """Microseconds of a generated token without and with memory, alone and side by side, and of the memory's parts."""
    walks = np.array([tokens_of_a_walk(64 * 8 + tokens, seed) for seed in range(SIDE_BY_SIDE)])
    remembering = [each for each in engines.values() if isinstance(each, RememberingEngine)]
    lines = [
        "## A generated token",
        "",
        f"LSTM {HIDDEN['tokens'][1]} x {HIDDEN['tokens'][0]}, ONNX Runtime, behind {walks.shape[1] - tokens} tokens,",
        f"by the features of a guess; of one output, and of {SIDE_BY_SIDE} side by side, as are written at once.",
        "Microseconds of CPU a token, medians; more: the whole of what a memory costs, of the pairs. Target of more:",
        "at most 50.",
        "",
        "| outputs | features | without memory | with | more |",
        "|---|---|---|---|---|",
    ]
    for rows in (1, SIDE_BY_SIDE):
        ids = walks[:rows]
        found = np.array(
            [[generate_seconds(each, ids, tokens) for each in engines.values()] for _ in range(rounds + 1)]
        )
        found = 1e6 * found[1:] / (rows * tokens)
        for i, features in enumerate(FEATURES):
            without, with_it = np.median(found[:, 0]), np.median(found[:, 1 + i])
            more = np.median(found[:, 1 + i] - found[:, 0])
            lines.append(f"| {rows} | {features} | {without:.0f} | {with_it:.0f} | **{more:.0f}** |")
    lines += [
        "",
        "The parts of one output's token, microseconds on the wall, each the median of the tokens,",
        f"{1e6 * clock_seconds():.2f} of it for reading the clock: the notebook (writing and looking up), the mixture",
        "of head, gate and guesses, and the network with its gate and what it hears more. The network reads all of its",
        "weights for each token, so what comes behind it finds cold caches. Warm: the same two by themselves, again",
        "and again.",
        "",
        "| features | notebook | mixture | network with gate | notebook, warm | mixture, warm |",
        "|---|---|---|---|---|---|",
    ]
    for features, each in zip(FEATURES, remembering, strict=True):
        parts = np.array([part_seconds(each, walks[0], tokens) for _ in range(rounds + 1)])[1:]
        cells = " | ".join(f"{part:.1f}" for part in 1e6 * np.median(parts, axis=0))
        lines.append(f"| {features} | {cells} |")
    return [*lines, ""]


def clock_seconds(reads: int = 1000) -> float:
    """What a reading of the clock on the wall takes, median."""
    times = [time.perf_counter() for _ in range(reads)]
    return float(np.median(np.diff(times)))


def generate_seconds(each: Engine, ids: NDArray[np.int64], tokens: int) -> float:
    """CPU seconds of the last tokens of pieces (rows, tokens), one by one."""
    _, state = each.run(ids[:, :-tokens], each.initial_state(len(ids)))
    began = time.process_time()
    for said in ids[:, -tokens:].T:
        _, state = each.run(said[:, None], state)
    return time.process_time() - began


def part_seconds(each: RememberingEngine, ids: NDArray[np.int64], tokens: int) -> NDArray[np.float64]:
    """Seconds of notebook, mixture and network, in turns as a token needs them, then of the first two by themselves."""
    network, memory, vocabulary = each.network, each.checkpoint.memory(), len(MELODY.vocabulary)
    assert memory is not None
    rows, begun = memory.begin().after(ids[:-tokens])
    _, state = network.run(rows[None], network.initial_state(1))
    notebook, one, seconds, warm = begun, np.ones(1), [], []
    for token in ids[-tokens:]:
        said, times = np.array([token]), [time.perf_counter()]
        row, notebook = notebook.after(said)
        times.append(time.perf_counter())
        output, state = network.run(row[None], state)
        times.append(time.perf_counter())
        mixture(output[0], vocabulary, one)
        times.append(time.perf_counter())
        seconds.append(np.diff(times)[[0, 2, 1]])
    notebook = begun
    for token in ids[-tokens:]:
        said, times = np.array([token]), [time.perf_counter()]
        _, notebook = notebook.after(said)
        times.append(time.perf_counter())
        mixture(output[0], vocabulary, one)
        times.append(time.perf_counter())
        warm.append(np.diff(times))
    return np.concatenate([np.median(seconds, axis=0), np.median(warm, axis=0)])


def growth_table(rounds: int) -> list[str]:
    """Microseconds of CPU of a step of the notebook by the length of the piece, and its errors."""
    lines = [
        "## As a piece grows",
        "",
        "A notebook written step by step: microseconds of CPU a step over the whole length, medians; differences are",
        "the numbers of all rows that are not those of the memory that was given the whole piece, and, of the first",
        f"{SLOW_LENGTH} steps, longest matches that are not those of two loops. Two loops: microseconds a step at that",
        "length. Target: flat, and no difference.",
        "",
        "| | " + " | ".join(f"{length:,}" for length in LENGTHS) + " | differences | two loops |",
        "|---" * (len(LENGTHS) + 3) + "|",
    ]
    for kind, make in (("tokens", tokens_of_a_walk), ("frames", frames_of_a_walk)):
        options = MEMORY[kind]
        memory = Memory(True, options["lags"], options["counters"], MELODY.vocabulary if kind == "tokens" else None)
        pieces = [make(length) for length in LENGTHS]
        fewer = max(1, rounds // 4)
        found = [[written(memory, piece) for _ in range(fewer)] for piece in pieces]
        seconds = [statistics.median(each for each, _ in runs) for runs in found]
        differences = sum(
            int((runs[0][1] != memory.heard(piece)).sum()) for runs, piece in zip(found, pieces, strict=True)
        )
        slow, missed = against_two_loops(memory, pieces[LENGTHS.index(SLOW_LENGTH)])
        cells = [f"{1e6 * each / length:.1f}" for each, length in zip(seconds, LENGTHS, strict=True)]
        lines.append(f"| {kind} | " + " | ".join(cells) + f" | {differences + missed} | {1e6 * slow:.0f} |")
    return [*lines, ""]


def written(memory: Memory, piece: NDArray[Any]) -> tuple[float, NDArray[Any]]:
    """CPU seconds of writing a piece into a notebook step by step, and the rows."""
    notebook, rows = memory.begin(None if piece.ndim == 1 else piece.shape[1]), []
    began = time.process_time()
    for step in range(len(piece)):
        row, notebook = notebook.after(piece[step : step + 1])
        rows.append(row)
    return time.process_time() - began, np.concatenate(rows)


def against_two_loops(memory: Memory, piece: NDArray[Any]) -> tuple[float, int]:
    """CPU seconds a step of looking every match up in two loops, and how many differ in length from the memory's."""
    symbols = [step.tobytes() for step in piece]
    began = time.process_time()
    slow = [max(run_lengths(symbols[:end]), default=0) for end in range(1, len(symbols) + 1)]
    seconds = (time.process_time() - began) / len(symbols)
    lengths = memory.recall(piece)
    sources, found = lengths.sources[:, 0], lengths.lengths[:, 0]
    return seconds, int(((found != slow) & (sources != NO_MATCH)).sum())


def run_lengths(symbols: list[bytes]) -> Iterable[int]:
    """Of each earlier end, how many symbols before it are those before the last one."""
    for end in range(1, len(symbols)):
        length = 0
        while length < min(end, MAX_LENGTH) and symbols[end - 1 - length] == symbols[-1 - length]:
            length += 1
        yield length


if __name__ == "__main__":
    main()
