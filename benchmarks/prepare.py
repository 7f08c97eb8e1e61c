"""How fast is music read, tokenized, prepared and served, beside the libraries people would take instead?

    pip install '.[midi-tokenizers]'
    python benchmarks/prepare.py FOLDER... [--runs 5] [--out docs/results/prepare.md]

FOLDERs hold MIDI files; all libraries read the same ones, in turn within one run, so that a machine that slows down
slows all of them. What is printed is the median over the runs, and the ratio of medians. An error stands beside each
speed: a reader that drops notes is not a fast reader.

Four tables: MIDI file to score (pretty_midi, symusic), MIDI file to bar tokens (MidiTok's REMI, in one process, and our
own in two), `seqaudio prepare` over all folders (files per second, peak memory), and batches from a prepared corpus of
100 million tokens made from a seed (tokens per second, resident memory).
"""

from __future__ import annotations

import hashlib
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import pretty_midi
import symusic

from seqaudio.files import read_midi
from seqaudio.files.reader import MIDI_SUFFIXES
from seqaudio.tokens import BarsTokenizer

SYNTHETIC_TOKENS = 100_000_000
BATCH_SECONDS = 5.0
TOKENIZER = BarsTokenizer()
PACKAGES = ("seqaudio", "numpy", "numba", "symusic", "pretty_midi", "miditok", "torch")


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--runs", default=5, show_default=True, help="Passes over the files; the median counts.")
@click.option("--files", default=0, help="Only so many files of each folder, evenly spread; 0: all.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the tables there too.")
def main(folders: tuple[Path, ...], runs: int, files: int, out: Path | None) -> None:
    """Measure, print, and write Markdown."""
    started = time.time()
    warnings.simplefilter("ignore")  # pretty_midi warns about files whose first track holds notes
    chosen = {folder.name: spread(midi_files(folder), files) for folder in folders}
    lines = ["# Preparing music: speed and memory", ""]
    for section in (
        scores_table(chosen, runs),
        tokens_table(chosen, runs),
        prepare_table(folders),
        batches_table(runs),
    ):
        for line in section:
            click.echo(line)
        lines += section
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    command = " ".join(["python benchmarks/prepare.py", *(folder.name for folder in folders), f"--runs {runs}"])
    command += f" --files {files}" * bool(files)
    lines.append(
        f"Command: `{command}`. {packages}. {platform.machine()}, "
        f"Python {platform.python_version()}. {date.today()}, {time.time() - started:.0f} s."
    )
    if out:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def midi_files(folder: Path) -> list[Path]:
    """Every MIDI file below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in MIDI_SUFFIXES)


def spread(paths: list[Path], count: int) -> list[Path]:
    """``count`` of the paths, evenly spread; all for 0."""
    return [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, count).astype(int))] if count else paths


def in_turn(works: dict[str, Callable[[Path], object]], paths: Sequence[Path], runs: int) -> dict[str, float]:
    """Files per second of each work: the median over passes in which every library takes its turn."""
    for work in works.values():  # load libraries, compile, fill the file cache
        for path in paths[:200]:
            work(path)
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(runs):
        for name, work in works.items():
            began = time.perf_counter()
            for path in paths:
                work(path)
            seconds[name].append(time.perf_counter() - began)
    return {name: len(paths) / statistics.median(values) for name, values in seconds.items()}


def note_errors(paths: Sequence[Path]) -> tuple[int, dict[str, int]]:
    """All notes by our count, and how many more or fewer the others find, file by file."""
    total, wrong = 0, {"pretty_midi": 0, "symusic": 0}
    for path in paths:
        ours = len(read_midi(path))
        total += ours
        theirs = sum(len(part.notes) for part in pretty_midi.PrettyMIDI(str(path)).instruments)
        wrong["pretty_midi"] += abs(theirs - ours)
        wrong["symusic"] += abs(symusic.Score(str(path)).note_num() - ours)
    return total, wrong


def scores_table(chosen: dict[str, list[Path]], runs: int) -> list[str]:
    """MIDI file to score, and score to pretty_midi object."""
    lines = [
        "## MIDI file to score",
        "",
        "Files per second; `to_pretty_midi` is reading a file and turning the score into a pretty_midi object, as",
        "pretty_midi's own parse does. Error: notes counted otherwise than by seqaudio, of all notes.",
        "",
        "| folder | files | seqaudio | pretty_midi | symusic | seqaudio / pretty_midi | to_pretty_midi / pretty_midi "
        "| error of pretty_midi | of symusic |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, paths in chosen.items():
        works: dict[str, Callable[[Path], object]] = {
            "seqaudio": read_midi,
            "pretty_midi": lambda path: pretty_midi.PrettyMIDI(str(path)),
            "symusic": lambda path: symusic.Score(str(path)),
            "to_pretty_midi": lambda path: read_midi(path).to_pretty_midi(),
        }
        speed = in_turn(works, paths, runs)
        total, wrong = note_errors(paths)
        lines.append(
            f"| {name} | {len(paths)} | {speed['seqaudio']:,.0f} | {speed['pretty_midi']:,.1f} "
            f"| {speed['symusic']:,.0f} | **{speed['seqaudio'] / speed['pretty_midi']:.1f}** "
            f"| {speed['to_pretty_midi'] / speed['pretty_midi']:.1f} "
            f"| {wrong['pretty_midi']} of {total:,} | {wrong['symusic']} of {total:,} |"
        )
    return [*lines, ""]


def to_tokens(path: Path) -> int:
    """One MIDI file to bar tokens; how many."""
    return len(TOKENIZER.encode(read_midi(path)))


def encode_share(paths: Sequence[Path]) -> int:
    """Tokens of a share of the files, for one of two processes."""
    return sum(to_tokens(path) for path in paths)


def tokens_table(chosen: dict[str, list[Path]], runs: int) -> list[str]:
    """MIDI file to tokens against MidiTok, and with two processes against one."""
    remis = remi_tokenizers()
    lines = [
        "## MIDI file to bar tokens",
        "",
        "Files per second in one process. seqaudio keeps programs, drums, velocities, tempos, metres and pedals. REMI",
        "is MidiTok's with its defaults; REMI+ has programs, tempos, time signatures and pedals in one stream. Last",
        "column: seqaudio in two processes against one, on the same files.",
        "",
        "| folder | seqaudio | REMI | REMI+ | seqaudio / REMI | seqaudio / REMI+ | tokens: seqaudio | REMI | REMI+ "
        "| two processes / one |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, paths in chosen.items():
        works: dict[str, Callable[[Path], object]] = {"seqaudio": to_tokens, **remis}
        speed = in_turn(works, paths, runs)
        tokens = {label: sum(int(work(path)) for path in paths) for label, work in works.items()}  # type: ignore[call-overload]
        lines.append(
            f"| {name} | {speed['seqaudio']:,.0f} | {speed['REMI']:,.1f} | {speed['REMI+']:,.1f} "
            f"| **{speed['seqaudio'] / speed['REMI']:.1f}** | {speed['seqaudio'] / speed['REMI+']:.1f} "
            f"| {tokens['seqaudio']:,} | {tokens['REMI']:,} | {tokens['REMI+']:,} | {two_processes(paths, runs):.2f} |"
        )
    return [*lines, ""]


def remi_tokenizers() -> dict[str, Callable[[Path], object]]:
    """MidiTok's REMI as it comes, and with what our bar tokens hold as well."""
    import miditok

    plain = miditok.REMI()
    full = miditok.REMI(
        miditok.TokenizerConfig(
            use_programs=True,
            use_tempos=True,
            use_time_signatures=True,
            use_sustain_pedals=True,
            one_token_stream_for_programs=True,
        )
    )

    def count(tokenizer: Any) -> Callable[[Path], int]:
        def work(path: Path) -> int:
            found = tokenizer(symusic.Score(str(path)))
            return sum(map(len, found)) if isinstance(found, list) else len(found)

        return work

    return {"REMI": count(plain), "REMI+": count(full)}


def two_processes(paths: Sequence[Path], runs: int) -> float:
    """How many times faster two warm processes are than one, on several rounds of the files."""
    rounds = max(1, 4000 // len(paths))
    work = list(paths) * rounds
    with ProcessPoolExecutor(2) as pool:
        shares = [work[::2], work[1::2]]
        list(pool.map(encode_share, [share[:500] for share in shares]))
        ratios = []
        for _ in range(runs):
            began = time.perf_counter()
            pool.submit(encode_share, work).result()
            middle = time.perf_counter()
            list(pool.map(encode_share, shares))
            ratios.append((middle - began) / (time.perf_counter() - middle))
    return statistics.median(ratios)


def prepare_table(folders: Sequence[Path]) -> list[str]:
    """``seqaudio prepare`` over all folders: from the shell, with one and with two processes."""
    lines = [
        "## seqaudio prepare",
        "",
        "All folders in one corpus, from the shell, with start-up. Peak memory is that of all its processes together.",
        "",
        "| jobs | files | pieces kept | files per second | peak memory, MB | again, unchanged: files per second |",
        "|---|---|---|---|---|---|",
    ]
    files = sum(len(midi_files(folder)) for folder in folders)
    for jobs in (1, 2):
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "corpus"
            command = [sys.executable, "-m", "seqaudio", "prepare", *map(str, folders), str(out), "--jobs", str(jobs)]
            seconds, peak_mb = run_measured(command)
            pieces = len(json.loads((out / "manifest.json").read_text(encoding="utf-8"))["pieces"])
            again, _ = run_measured(command)
        lines.append(
            f"| {jobs} | {files:,} | {pieces:,} | {files / seconds:,.0f} | {peak_mb:.0f} | {files / again:,.0f} |"
        )
    return [*lines, ""]


def run_measured(command: Sequence[str]) -> tuple[float, float]:
    """Seconds and peak resident memory in MB of a command and all its children together, sampled (Linux)."""
    began, peak_kb = time.perf_counter(), 0
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while run.poll() is None:
        peak_kb = max(peak_kb, tree_kb(run.pid))
        time.sleep(0.02)
    if run.returncode:
        raise click.ClickException(f"{' '.join(command)} ended with exit code {run.returncode}")
    return time.perf_counter() - began, peak_kb / 1024


def tree_kb(pid: int) -> int:
    """Resident memory of a process and its children, in kB; pages they share count in each."""
    process = Path("/proc") / str(pid)
    try:
        status = (process / "status").read_text()
        children = (process / "task" / str(pid) / "children").read_text().split()
    except OSError:  # it has just ended
        return 0
    resident = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")]
    return sum(resident) + sum(tree_kb(int(child)) for child in children)


def batches_table(runs: int) -> list[str]:
    """Tokens per second from a synthetic corpus of 100 M tokens, each kind of batches in a process of its own."""
    lines = [
        "## Batches from a prepared corpus",
        "",
        f"{SYNTHETIC_TOKENS:,} tokens made from a seed, in pieces of 1,800 at the mean. Real tokens, as torch tensors;",
        "memory is the peak of the whole process, of which importing torch takes what the last column says.",
        "",
        "| batches | million tokens per second | real places | peak memory, MB | of which torch |",
        "|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as scratch:
        folder = synthetic_corpus(Path(scratch) / "corpus")
        for kind in ("streams", "packed", "pieces"):
            command = [sys.executable, __file__, "--serve", str(folder), kind]
            rows = [
                json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                for _ in range(runs)
            ]
            speed, share, peak, torch_mb = (statistics.median(column) for column in zip(*rows, strict=True))
            lines.append(f"| {kind} | {speed / 1e6:.1f} | {share:.3f} | {peak:.0f} | {torch_mb:.0f} |")
    return [*lines, ""]


def synthetic_corpus(folder: Path) -> Path:
    """A prepared corpus of random ids."""
    generator = np.random.default_rng(0)
    tokenizer = BarsTokenizer(programs=False, velocities=False)
    lengths = generator.lognormal(7.3, 0.6, SYNTHETIC_TOKENS // 1000).astype(np.int64) + 10
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), SYNTHETIC_TOKENS)) + 1]
    folder.mkdir(parents=True)
    size = len(tokenizer.vocabulary)
    np.save(folder / "tokens.npy", generator.integers(1, size, lengths.sum(), dtype=np.uint16))
    np.save(folder / "index.npy", np.cumsum([0, *lengths.tolist()], dtype=np.int64))
    tokenizer.save(folder / "tokenizer.json")
    sha256 = hashlib.sha256((folder / "tokens.npy").read_bytes()).hexdigest()
    pieces = [{"name": str(i), "split": "train"} for i in range(len(lengths))]
    manifest = {"sources": ["synthetic"], "options": {}, "tokens_sha256": sha256, "pieces": pieces}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def serve(folder: str, kind: str) -> None:
    """Print tokens per second, real share, peak memory and that of torch alone, as JSON."""
    import torch  # noqa: F401  # measured by itself

    torch_mb = peak_mb()
    from seqaudio.corpus.loader import CorpusLoader, PieceBatches, StreamBatches
    from seqaudio.corpus.prepared import PreparedCorpus

    corpus = PreparedCorpus.open(folder)
    match kind:
        case "pieces":
            batches: PieceBatches | StreamBatches = PieceBatches(corpus, "train", batch_size=32)
        case _:
            batches = StreamBatches(corpus, "train", streams=64, window=256, packed=kind == "packed")
    tokens = places = 0
    began = time.perf_counter()
    for batch in endless(CorpusLoader(batches)):
        places += batch[0].numel()
        tokens += int(batch[1].sum()) if kind == "pieces" else int(batch[2].sum())
        if time.perf_counter() - began > BATCH_SECONDS:
            break
    seconds = time.perf_counter() - began
    print(json.dumps([tokens / seconds, tokens / places, peak_mb(), torch_mb]))


def endless(loader: Any) -> Iterator[Any]:
    """Epoch after epoch."""
    while True:
        yield from loader


def peak_mb() -> float:
    """Peak resident memory of this process (Linux); ru_maxrss would count the process that started it."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:])
    else:
        main()
