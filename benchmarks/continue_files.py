"""Does `seqaudio continue` succeed on every file of a folder? Runs them all, checks each result, prints the failures.

    python benchmarks/continue_files.py FOLDER... [--bars 8] [--jobs 2] [--twice 25]

Each file is continued through the command line. A result counts when it has exactly the bars asked for, as many notes,
no note before 0 or past the end of the last bar, sound in its last bar, and opens in pretty_midi and symusic with the
same notes. Every --twice-th file is continued again in a process of its own and must give the same bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click
import numpy as np
import pretty_midi
import symusic

from seqaudio.cli.main import run
from seqaudio.files import read_midi
from seqaudio.files.reader import MIDI_SUFFIXES


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--bars", default=8, show_default=True)
@click.option("--jobs", default=2, show_default=True)
@click.option("--twice", default=25, show_default=True, help="Repeat every so manieth file in a new process.")
def main(folders: tuple[Path, ...], bars: int, jobs: int, twice: int) -> None:
    """Continue every MIDI file below the folders and check the results."""
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in MIDI_SUFFIXES)
    started = time.perf_counter()
    with ProcessPoolExecutor(jobs) as pool:
        results = list(pool.map(partial(check, bars, twice), range(len(files)), files, chunksize=8))
    seconds = np.array([result[1] for result in results])
    failures = [(path, result[0]) for path, result in zip(files, results, strict=True) if result[0]]
    for path, reason in failures:
        click.echo(f"{path}: {reason}")
    click.echo(
        f"{len(files) - len(failures)} of {len(files)} files continued by {bars} bars, {len(failures)} failures; "
        f"a file takes {np.median(seconds):.2f} s at the median, {seconds.max():.2f} s at most; "
        f"all in {time.perf_counter() - started:.0f} s with {jobs} processes"
    )
    sys.exit(1 if failures else 0)


def check(bars: int, twice: int, number: int, path: Path) -> tuple[str, float]:
    """What is wrong with the continuation of one file ("" if nothing), and how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mid"
        arguments = ["continue", str(path), "--bars", str(bars), "--seed", "1", "-o", str(out)]
        started = time.perf_counter()
        try:
            with open(Path(folder) / "printed", "w") as printed:
                sys.stdout = printed
                run(arguments)
        except SystemExit as done:
            if done.code:
                return f"exit code {done.code}", time.perf_counter() - started
        finally:
            sys.stdout = sys.__stdout__
        seconds = time.perf_counter() - started
        wrong = faults(out, bars)
        if not wrong and number % twice == 0:
            again = Path(folder) / "again.mid"
            command = [sys.executable, "-m", "seqaudio", *arguments[:-1], str(again)]
            subprocess.run(command, check=True, capture_output=True)
            wrong = "" if again.read_bytes() == out.read_bytes() else "other bytes in another process"
        return wrong, seconds


def faults(out: Path, bars: int) -> str:
    """What is wrong with a written continuation."""
    score = read_midi(out)
    manifest = json.loads(out.with_name(out.name + ".json").read_text())
    _, numerator, denominator = score.metre_map()[0].tolist()
    end = bars * numerator * 4 * score.ticks_per_quarter // denominator
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        theirs = pretty_midi.PrettyMIDI(str(out))
    counts = {sum(len(i.notes) for i in theirs.instruments), symusic.Score(str(out)).note_num(), len(score)}
    problems = {
        "not the bars asked for": len(score.bars()) - 1 != bars or manifest["bars"] != bars,
        f"only {len(score)} notes": len(score) < bars,
        "a note before 0": bool((score.onset < 0).any()),
        "a note past the end": score.end > end,
        "another number of notes in another reader": len(counts) != 1,
    }
    return "; ".join(problem for problem, there in problems.items() if there)


if __name__ == "__main__":
    main()
