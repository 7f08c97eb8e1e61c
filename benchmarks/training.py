"""What does the training loop cost, beside a bare loop around ``nn.LSTM`` of the same shape?

    python benchmarks/training.py prepared/folk Nottingham.mat [--batches 4] [--out docs/results/training.md]

Arguments are prepared corpora and piano-roll sets whose lengths of pieces are batched in the third table. Four
tables: tokens per second beside the bare loop; bf16 beside fp32; how much of a batch is real; time and memory as
sequences grow.

One thread, and seconds of CPU, so that other work on the machine counts little. What is compared takes turns step by
step or process by process, and medians count. The music is a random walk: speed does not depend on it.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.files.rolls import read_rolls
from seqaudio.models.fused import has_bf16_lstm
from seqaudio.models.recurrent import RecurrentStack
from seqaudio.tokens import MelodyTokenizer
from seqaudio.tokens.melody import NO_EVENT
from seqaudio.training.config import check_experiment
from seqaudio.training.folder import LogLine
from seqaudio.training.run import Run

HIDDEN, LAYERS, ROWS, CHUNK, CHUNKS = 384, 2, 16, 256, 4  # the shape of the shipped model's training
LENGTHS, GROWTH_ROWS, GROWTH_HIDDEN, GROWTH_PLACES = (128, 512, 1024, 2048, 4096), 8, 256, 65_536
PLAIN = {"model": {"dropout": 0.0}, "training": {"transpose": 0}}
EVERYTHING = {"model": {"dropout": 0.3, "embedding_dropout": 0.1}, "training": {"transpose": 5}}
EVERYTHING["training"]["averaging"] = "ema"
PACKAGES = ("seqaudio", "torch", "numpy")


@click.command()
@click.argument("corpora", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--batches", default=4, show_default=True, help="Batches of four steps that are timed in each row.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the tables there too.")
def main(corpora: tuple[Path, ...], batches: int, out: Path | None) -> None:
    """Measure, print, and write Markdown."""
    started = time.time()
    torch.set_num_threads(1)
    lines = ["# Training: speed, padding and growth", ""]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for table in (partial(speed_tables, folder, batches), partial(share_table, folder, corpora), growth_table):
            section = table()
            click.echo("\n".join(section))
            lines += section
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    command = " ".join(["python benchmarks/training.py", *(path.name for path in corpora), f"--batches {batches}"])
    lines.append(
        f"Command: `{command}`. {packages}. {platform.machine()}, one thread, "
        f"Python {platform.python_version()}. {date.today()}, {time.time() - started:.0f} s."
    )
    if out:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def experiment(folder: Path, settings: dict[str, Any], **training: Any) -> Any:
    """An experiment of the benchmark's shape on the corpus in a folder."""
    model = {"cell": "lstm", "hidden_size": HIDDEN, "layers": LAYERS} | settings["model"]
    shape = {"batch_size": ROWS, "chunk": CHUNK, "epochs": 1, "threads": 1, "save_minutes": 1e6}
    values = {"corpus": {"prepared": str(folder)}, "model": model}
    return check_experiment(values | {"training": shape | settings["training"] | training}, "benchmark")


class Bare(nn.Module):
    """Embedding, ``nn.LSTM``, linear layer: what one would write by hand."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, HIDDEN)
        self.lstm = nn.LSTM(HIDDEN, HIDDEN, LAYERS, batch_first=True)
        self.output = nn.Linear(HIDDEN, vocabulary)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (batch, time, vocabulary) of ids (batch, time)."""
        logits: Tensor = self.output(self.lstm(self.embedding(ids))[0])
        return logits


def write_pieces(folder: Path, lengths: Sequence[int]) -> PreparedCorpus:
    """A prepared corpus of training pieces of these lengths in tokens, and one short piece for validation."""
    generator = np.random.default_rng(0)
    tokenizer = MelodyTokenizer()
    pieces = [random_walk(tokenizer, length, generator) for length in [*lengths, 32]]
    folder.mkdir(parents=True)
    np.save(folder / "tokens.npy", np.concatenate(pieces))
    np.save(folder / "index.npy", np.cumsum([0, *map(len, pieces)], dtype=np.int64))
    tokenizer.save(folder / "tokenizer.json")
    sha256 = hashlib.sha256((folder / "tokens.npy").read_bytes()).hexdigest()
    named = [{"name": str(i), "split": "train" if i < len(lengths) else "valid"} for i in range(len(pieces))]
    manifest = {"sources": ["random walk"], "options": {}, "tokens_sha256": sha256, "pieces": named}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return PreparedCorpus.open(folder)


def random_walk(tokenizer: MelodyTokenizer, length: int, generator: np.random.Generator) -> NDArray[np.uint16]:
    """Ids of a melody, at most one note a step, of so many tokens."""
    pitch = 60 + np.cumsum(generator.integers(-2, 3, length)) % 24
    codes = np.where(generator.random(length) < 0.5, pitch, NO_EVENT)
    return tokenizer.ids_of(codes)[:length].astype(np.uint16)


def resident_mb(of: str = "VmRSS") -> float:
    """Resident memory of this process (Linux); "VmHWM": at its peak, where ru_maxrss would count the parent's too."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(of)) / 1024


def bare_step(vocabulary: int, precision: str) -> Callable[[], None]:
    """One step of the bare loop on one batch that is there already: no dropout, clipping, schedule or log."""
    model = Bare(vocabulary)
    optimizer = torch.optim.AdamW(model.parameters())
    ids = torch.randint(vocabulary, (ROWS, CHUNK + 1))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


class Timed:
    """CPU seconds of each step of a run, seen from its log, and of other steps that follow each of them.

    A step's time ends with its line in the log and begins with the line before, so batching, transposing, writing the
    log and all else that is not validation is in it.
    """

    def __init__(self, *others: Callable[[], None]) -> None:
        self.others = others
        self.rows: list[list[float]] = []  # one a step: ours, then each of the others
        self._began: float | None = None

    def show(self, line: LogLine) -> None:
        """Called by the run with every line."""
        if "step" not in line:
            self._began = None
            return
        times = [time.process_time()]
        if self._began is not None:
            for other in self.others:
                other()
                times.append(time.process_time())
            self.rows.append(np.diff([self._began, *times]).tolist())
        self._began = time.process_time()

    def rounds(self) -> NDArray[np.float64]:
        """Seconds of a step, the mean over each batch but the first, shape (batches, 1 + others)."""
        rows = np.array(self.rows[CHUNKS - 1 :])
        return rows[: len(rows) // CHUNKS * CHUNKS].reshape(-1, CHUNKS, rows.shape[1]).mean(1)


def speed_tables(scratch: Path, batches: int) -> list[str]:
    """Our loop beside the bare one, step by step in turn; and bf16 beside fp32, by way of the same bare loop."""
    lines = [
        "## Beside a bare loop",
        "",
        f"LSTM {LAYERS} x {HIDDEN}, {ROWS} pieces, steps of {CHUNK} tokens. The bare loop is `nn.Embedding`, `nn.LSTM`",
        "and `nn.Linear` with AdamW on a batch that lies ready, nothing else. Model only: our loop without dropout and",
        "transposition; it still batches, carries states, clips, follows its schedule and logs. Everything on: with",
        f"{', '.join(f'{key} {value}' for part in EVERYTHING.values() for key, value in part.items())}. Target: 0.95.",
        "",
        "| | precision | seqaudio, tokens/s | bare loop, tokens/s | seqaudio / bare |",
        "|---|---|---|---|---|",
    ]
    gains = ["## bf16 beside fp32", "", "Of the runs above, each against the bare loop in fp32. Target: 1.3.", ""]
    corpus = write_pieces(scratch / "equal", [CHUNK * CHUNKS + 1] * ROWS * (batches + 1))
    precisions = ("fp32", "bf16") if has_bf16_lstm() else ("fp32",)
    bare = {precision: bare_step(len(corpus.tokenizer.vocabulary), precision) for precision in precisions}
    for name, settings in (("model only", PLAIN), ("everything on", EVERYTHING)):
        against_fp32 = []
        for precision in bare:
            timed = Timed(*dict.fromkeys([bare["fp32"], bare[precision]]))
            asked = experiment(scratch / "equal", settings, precision=precision)
            Run(scratch / f"{name} {precision}", asked, corpus, show=timed.show).train()
            seconds = timed.rounds()
            against_fp32.append(np.median(seconds[:, 1] / seconds[:, 0]))
            ours, theirs = ROWS * CHUNK / np.median(seconds[:, [0, -1]], axis=0)
            ratio = np.median(seconds[:, -1] / seconds[:, 0])
            lines.append(f"| {name} | {precision} | {ours:,.0f} | {theirs:,.0f} | **{ratio:.3f}** |")
        gain = f"**{against_fp32[1] / against_fp32[0]:.2f}**" if len(bare) == 2 else "this CPU has no LSTM in bf16"
        gains.append(f"- {name}: {gain}")
    return [*lines, "", *gains, ""]


def lengths_of(path: Path) -> list[int]:
    """Lengths of the training pieces of a prepared corpus, in tokens, or of a set of rolls, in frames."""
    if path.is_dir():
        return [len(piece) for piece in PreparedCorpus.open(path).split("train")]
    return [len(roll.frames) for roll in read_rolls(path) if roll.split == "train"]


def share_table(scratch: Path, corpora: Sequence[Path]) -> list[str]:
    """What share of the places that the recurrent layers read is real, over one epoch of pieces of these lengths."""
    lines = [
        "## Real places in batches",
        "",
        f"One epoch of batches of {ROWS} in steps of {CHUNK}: targets, of all places that the recurrent layers read.",
        "Target: 0.90.",
        "",
        "| lengths of | pieces | mean | longest | real share |",
        "|---|---|---|---|---|",
    ]
    small = {"model": {"hidden_size": 4, "layers": 1, "dropout": 0.0}, "training": {"transpose": 0}}
    for path in corpora:
        lengths = lengths_of(path)
        corpus = write_pieces(scratch / path.name, lengths)
        read = real = 0

        def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            nonlocal read
            if isinstance(module, RecurrentStack) and module.training:
                read += math.prod(inputs[0].shape[:2])

        def add(line: LogLine) -> None:
            nonlocal real
            real += int(str(line.get("tokens", 0)))

        hook = nn.modules.module.register_module_forward_pre_hook(count)
        run = Run(scratch / f"{path.name} run", experiment(scratch / path.name, small), corpus, show=add)
        run.train()
        hook.remove()
        lines.append(
            f"| {path.stem} | {len(lengths):,} | {np.mean(lengths):.0f} | {max(lengths):,} | **{real / read:.3f}** |"
        )
    return [*lines, ""]


def growth_table(rounds: int = 5) -> list[str]:
    """Seconds per token and memory by length, each length in a process of its own, all of them in turn."""
    command = [sys.executable, __file__, "--grow"]
    rows: dict[int, list[list[float]]] = {length: [] for length in LENGTHS}
    for _ in range(rounds):
        for length in LENGTHS:
            done = subprocess.run([*command, str(length)], check=True, capture_output=True, text=True)
            rows[length].append(json.loads(done.stdout))
    seconds = {length: statistics.median(row[0] for row in found) for length, found in rows.items()}
    memory = {length: statistics.median(row[1] for row in found) for length, found in rows.items()}
    lines = [
        "## Growth with length",
        "",
        f"LSTM {LAYERS} x {GROWTH_HIDDEN}, {GROWTH_ROWS} pieces, everything on, fp32, the gradient through the whole",
        "length; each length in five processes of its own, medians. Memory: the peak above what was there before.",
        "Targets: time flat within 10 %, memory linear, that is the last column even. Slowest / fastest:",
        f"**{max(seconds.values()) / min(seconds.values()):.2f}**.",
        "",
        "| steps | microseconds per token | memory, MB | more than the row above, kB per place |",
        "|---|---|---|---|",
    ]
    before = 0
    for length in LENGTHS:
        places = GROWTH_ROWS * (length - before)
        slope = f"{1024 * (memory[length] - memory[before]) / places:.1f}" if before else ""
        lines.append(f"| {length:,} | {1e6 * seconds[length]:.1f} | {memory[length]:.0f} | {slope} |")
        before = length
    return [*lines, ""]


def grow(length: int) -> None:
    """Print seconds per token and peak memory in MB of a training at one length, as JSON."""
    torch.set_num_threads(1)
    steps = 1 + max(2, GROWTH_PLACES // (GROWTH_ROWS * length))
    settings = {"model": EVERYTHING["model"] | {"hidden_size": GROWTH_HIDDEN}, "training": EVERYTHING["training"]}
    timed, peak = Timed(), 0.0

    def show(line: LogLine) -> None:
        nonlocal peak
        timed.show(line)
        peak = max(peak, resident_mb("VmHWM")) if "step" in line else peak

    with tempfile.TemporaryDirectory() as scratch:
        corpus = write_pieces(Path(scratch) / "corpus", [length + 1] * GROWTH_ROWS * steps)
        asked = experiment(Path(scratch) / "corpus", settings, chunk=length, batch_size=GROWTH_ROWS)
        run = Run(Path(scratch) / "run", asked, corpus, show=show)
        before = resident_mb()
        run.train()
    print(json.dumps([statistics.median(row[0] for row in timed.rows) / (GROWTH_ROWS * length), peak - before]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--grow"]:
        grow(int(sys.argv[2]))
    else:
        main()
