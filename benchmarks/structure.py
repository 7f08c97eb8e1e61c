"""Which measures see structure, and what do they cost? Real pieces against what destroys or fakes their structure.

    python benchmarks/structure.py --rolls Nottingham.mat [--pieces FOLDER] [--out docs/results/structure.md]

Each measure is taken of 80 real pieces and of what is made of them: their bars shuffled, the bars behind the first
eight taken from another piece, one frame or note in ten wrong, an order-4 Markov chain behind the first eight bars
(fitted on other pieces), the last chord of these held on, and the first four bars going round. The table has means, and
in brackets the AUC: how often a real piece has more than one of the set; 0.5 cannot tell, 1 and 0 always can. The rolls
are the test pieces of at least 256 frames of one of the field's sets, eight frames to the bar; the folk tunes are
O'Neill's, of the package music21 (--corpus names another folder or corpus). Then follow the cost of each measure and of
whole runs.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np

from seqaudio.compiled import compile_now
from seqaudio.corpus.sources import source_files
from seqaudio.files import read_pieces, write_midi
from seqaudio.files.reader import Piece
from seqaudio.files.rolls import read_rolls
from seqaudio.music import Score
from seqaudio.music.frames import score_of_frames
from seqaudio.structure import (
    MEASURES,
    Bars,
    Facets,
    RunIndex,
    auc,
    boundaries,
    degeneracy,
    evaluate,
    frame_far_repeat_rate,
    frame_lz_gain,
    frame_primer_recall,
    similarity_curve,
    similarity_error,
    similarity_matrix,
    stripe_energy,
)

PIECES, FRAMES, BAR, PRIMER, ORDER, WRONG = 80, 256, 8, 8, 4, 0.1
LAGS = 16
SETS = ("real", "bars shuffled", "tail of another", "10 % wrong", "Markov", "held", "loop of 4 bars")
TELLS = 0.2  # of an AUC, from 0.5
TOKENS = 10_000_000

Values = dict[str, dict[str, np.ndarray]]
Notes = list[tuple[int, int, int]]  # of a bar: first step, step behind the last, pitch


@click.command()
@click.option("--rolls", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Such as Nottingham.mat.")
@click.option("--corpus", default="music21:oneills", show_default=True, help="Folk tunes: a folder or corpus.")
@click.option("--pieces", type=click.Path(exists=True, file_okay=False, path_type=Path), help="MIDI files to time.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the page there too.")
def main(rolls: Path | None, corpus: str, pieces: Path | None, out: Path | None) -> None:
    """Measure, print, and write Markdown."""
    started = time.time()
    compile_now()
    lines = ["# Which measures see structure, and what they cost", "", *INTRODUCTION, ""]
    if rolls:
        lines += table(f"{PIECES} test pieces of {rolls.stem}, {FRAMES} frames each", *roll_values(rolls))
    tunes = [piece for file in source_files([corpus]) for piece in read_pieces(file.path)[0]]
    lines += table(f"{PIECES} tunes of {corpus}", *tune_values(tunes))
    files = sorted(pieces.rglob("*.mid")) if pieces else []
    lines += costs([piece.score for file in files[::10] for piece in read_pieces(file)[0]] or [t.score for t in tunes])
    lines += runs(files, tunes)
    packages = ", ".join(f"{name} {version(name)}" for name in ("seqaudio", "numpy", "numba"))
    words = ["python benchmarks/structure.py", *([f"--rolls {rolls.name}"] if rolls else [])]
    words += [f"--corpus {corpus}"] * (corpus != "music21:oneills") + ([f"--pieces {pieces.name}"] if pieces else [])
    lines.append(
        f"Command: `{' '.join(words)}`. {packages}. {platform.machine()}, Python {platform.python_version()}. "
        f"{date.today()}, {time.time() - started:.0f} s."
    )
    click.echo("\n".join(lines))
    if out:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")


INTRODUCTION = (
    "Means of each set; in brackets the AUC, how often a real piece has more than one of the set: 0.5 cannot tell, 1",
    "and 0 always can. A measure that is off 0.5 by less than 0.2 against shuffled bars or a Markov chain is BLIND to",
    "structure, whatever else it is good for. Near 0 it is a set that has more than real music: loops are read",
    "two-sided. Sets but shuffled bars and loops begin with the real eight bars; `benchmarks/structure.py` tells them.",
)


def roll_values(path: Path) -> tuple[Values, tuple[float, dict[str, float]]]:
    """Every measure of the test rolls and of what is made of them; the set's similarity-curve error."""
    rolls = read_rolls(path)
    test = [roll.frames[:FRAMES] for roll in rolls if roll.split == "test" and len(roll.frames) >= FRAMES][:PIECES]
    training = [roll.frames for roll in rolls if roll.split == "train"]
    _, first, ids = np.unique(np.concatenate([*test, *training]), axis=0, return_index=True, return_inverse=True)
    known = np.concatenate([*test, *training])[first]
    rows = np.split(ids.reshape(-1), np.cumsum([len(piece) for piece in [*test, *training]])[:-1])
    follow = successors(rows[len(test) :])
    rng = np.random.default_rng(0)
    made: dict[str, list[np.ndarray]] = defaultdict(list)
    for i, row in enumerate(rows[: len(test)]):
        primer = row[: PRIMER * BAR]
        wrong = np.where(rng.random(FRAMES) < WRONG, rng.choice(np.concatenate(rows), FRAMES), row)
        chain = list(primer)
        while len(chain) < FRAMES:
            chain.append(drawn(follow, chain, rng))
        for kind, piece in {
            "real": row,
            "bars shuffled": row.reshape(-1, BAR)[rng.permutation(FRAMES // BAR)].reshape(-1),
            "tail of another": np.append(primer, rows[(i + 17) % len(test)][len(primer) :]),
            "10 % wrong": wrong,
            "Markov": np.array(chain),
            "held": np.append(primer, np.full(FRAMES - len(primer), primer[-1])),
            "loop of 4 bars": np.resize(row[: 4 * BAR], FRAMES),
        }.items():
            made[kind].append(known[piece])
    facets = {kind: [roll_facets(frames) for frames in pieces] for kind, pieces in made.items()}
    on_frames: dict[str, Callable[[np.ndarray], float]] = {
        "frame_far_repeat_rate": frame_far_repeat_rate,
        "frame_primer_recall": lambda frames: frame_primer_recall(frames, PRIMER * BAR),
        "frame_primer_recall, window 8": lambda frames: frame_primer_recall(frames, PRIMER * BAR, window=8),
        "frame_lz_gain": frame_lz_gain,
        "stripe_energy of chroma": lambda frames: stripe_energy(chroma(frames)),
    }
    values, error = measured(facets)
    more = {kind: {name: np.array([f(x) for x in made[kind]]) for name, f in on_frames.items()} for kind in made}
    return {kind: more[kind] | values[kind] for kind in made}, error


def roll_facets(frames: np.ndarray) -> Facets:
    """A roll of eight frames to the bar as the measures want it."""
    bars, score = Bars.of_frames(frames, BAR), score_of_frames(frames, 21, 2)
    return Facets(score, bars, similarity_matrix(bars), degeneracy(score), PRIMER)


def chroma(frames: np.ndarray) -> np.ndarray:
    """A chromagram of sixteen frames to the bar, as if the roll were played with some noise: (steps, 12)."""
    rows = np.zeros((len(frames), 12))
    np.add.at(rows.T, (np.arange(frames.shape[1]) + 21) % 12, frames.T.astype(float))
    rows = np.repeat(rows, 2, axis=0)
    return rows + 0.3 * np.random.default_rng(0).random(rows.shape)


def tune_values(tunes: Sequence[Piece]) -> tuple[Values, tuple[float, dict[str, float]]]:
    """Every measure of real tunes, one metre each, and of what is made of them; the set's similarity-curve error."""
    scores = [tune.score for tune in tunes if len(tune.score.metre_map()) == 1]
    scores = [score for score in scores if len(score.bars()) > 3 * PRIMER]
    test = [scores[int(place)] for place in np.linspace(0, len(scores) - 1, PIECES)]
    lines = [line(cells(score)) for score in scores if score not in test]
    follow = successors(lines)
    rng = np.random.default_rng(0)
    real = [cells(score) for score in test]
    metres = [(bars, score.metre_map()[0, 1:].tolist()) for bars, score in zip(real, test, strict=True)]
    made: dict[str, list[Facets]] = defaultdict(list)
    for i, (score, bars) in enumerate(zip(test, real, strict=True)):
        length = int(Bars.of_score(score).length[0])
        primer, rest = bars[:PRIMER], len(bars) - PRIMER
        others = [other for other, metre in metres if metre == metres[i][1] and len(other) >= len(bars)]
        for kind, piece in {
            "real": bars,
            "bars shuffled": [bars[bar] for bar in rng.permutation(len(bars))],
            "tail of another": primer + others[(others.index(bars) + 1) % len(others)][PRIMER : len(bars)],
            "10 % wrong": [
                [(a, b, p + int(rng.integers(-7, 8)) * (rng.random() < WRONG)) for a, b, p in bar] for bar in bars
            ],
            "Markov": chained(follow, primer, len(bars), length, rng),
            "held": [*primer, [(0, rest * length, next(bar[-1][2] for bar in primer[::-1] if bar))]],
            "loop of 4 bars": (bars[:4] * len(bars))[: len(bars)],
        }.items():
            made[kind].append(Facets.of(scored(piece, length, metres[i][1]), PRIMER))
    return measured(made)


def wrong(rng: np.random.Generator) -> int:
    """By how many semitones a note is wrong: mostly none."""
    return int(rng.integers(1, 8) * rng.choice([-1, 1])) if rng.random() < WRONG else 0


def cells(score: Score) -> list[Notes]:
    """The notes of each bar, in steps of a twelfth of a quarter, cut at bar lines."""
    bars = Bars.of_score(score)
    made: list[Notes] = [[] for _ in range(len(bars))]
    for bar, start, stop, pitch in zip(bars.bar, bars.start, bars.stop, bars.pitch, strict=True):
        made[int(bar)].append((int(start), int(stop), int(pitch)))
    return made


def scored(bars: list[Notes], length: int, metre: list[int]) -> Score:
    """A score of bars of ``length`` steps."""
    rows = [
        (i * length + start, stop - start, min(max(p, 0), 127)) for i, bar in enumerate(bars) for start, stop, p in bar
    ]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Score.from_notes(*columns, ticks_per_quarter=12, time_signatures=[(0, *metre)])


def line(bars: list[Notes]) -> list[tuple[int, int]]:
    """A tune as lengths and pitches, one after the other."""
    return [(stop - start, pitch) for bar in bars for start, stop, pitch in bar]


def chained(follow: Any, primer: list[Notes], count: int, length: int, rng: np.random.Generator) -> list[Notes]:
    """The primer, and notes drawn from what follows the last few, up to so many bars."""
    notes = line(primer)
    made: list[Notes] = [list(bar) for bar in primer] + [[] for _ in range(count - len(primer))]
    time_ = len(primer) * length
    while time_ < count * length:
        notes.append(drawn(follow, notes, rng))
        start = time_ % length
        made[time_ // length].append((start, min(start + notes[-1][0], length), notes[-1][1]))
        time_ += notes[-1][0]
    return made


def successors(rows: Sequence[Any]) -> dict[tuple[Any, ...], list[Any]]:
    """What followed each context of up to four symbols."""
    follow = defaultdict(list)
    for row in rows:
        symbols = [tuple(x) if isinstance(x, tuple) else int(x) for x in row]
        for i, symbol in enumerate(symbols):
            for order in range(min(i, ORDER) + 1):
                follow[tuple(symbols[i - order : i])].append(symbol)
    return follow


def drawn(follow: dict[tuple[Any, ...], list[Any]], row: list[Any], rng: np.random.Generator) -> Any:
    """A symbol that followed the longest context of the row that is known."""
    for order in range(ORDER, -1, -1):
        found = follow.get(tuple(x if isinstance(x, tuple) else int(x) for x in row[len(row) - order :]))
        if found:
            return found[rng.integers(len(found))]
    raise AssertionError("an empty context is always known")


def measured(sets: dict[str, list[Facets]]) -> tuple[Values, tuple[float, dict[str, float]]]:
    """All measures of each set; and the error of its mean similarity curve, beside that of half of the real pieces."""
    values: Values = {}
    curves = {kind: np.array([similarity_curve(p.matrix, LAGS) for p in pieces]) for kind, pieces in sets.items()}
    real = curves["real"]
    for kind, pieces in sets.items():
        rows = [evaluate(piece) for piece in pieces]
        values[kind] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        others = [np.delete(real, i, axis=0).mean(axis=0) for i in range(len(real))]
        errors = [similarity_error(curve, other) for curve, other in zip(curves[kind], others, strict=True)]
        values[kind]["similarity_error of one piece"] = np.array(errors)
    null = similarity_error(real[::2].mean(axis=0), real[1::2].mean(axis=0))
    return values, (null, {kind: similarity_error(c.mean(axis=0), real.mean(axis=0)) for kind, c in curves.items()})


def table(title: str, values: Values, error: tuple[float, dict[str, float]]) -> list[str]:
    """One row for each measure."""
    null, of_sets = error
    lines = [f"## {title}", "", f"| measure | {' | '.join(SETS)} | |", f"|---|{'---|' * len(SETS)}---|"]
    lines.append(
        f"| similarity_error of the set (null {null:.3f}) | {' | '.join(f'{of_sets[kind]:.3f}' for kind in SETS)} | |"
    )
    for name, real in values["real"].items():
        if np.isnan(real).any():
            continue
        told = {kind: auc(real, values[kind][name]) for kind in SETS}
        row = [f"{real.mean():.3g}"]
        row += [f"{np.nanmean(values[kind][name]):.3g} ({told[kind]:.2f})" for kind in SETS[1:]]
        blind = [kind for kind in ("bars shuffled", "Markov") if abs(told[kind] - 0.5) < TELLS]
        lines.append(f"| {name} | {' | '.join(row)} | {'BLIND' if blind else ''} |")
    return [*lines, ""]


def costs(scores: list[Score]) -> list[str]:
    """Milliseconds of each measure for 1,000 bars, by itself, from what it is computed of."""
    scores = [score for score in scores if len(score)]
    bars = [Bars.of_score(score) for score in scores]
    count = sum(map(len, bars))
    notes = sum(map(len, scores))
    began = time.process_time()
    facets = [Facets.of(score, PRIMER) for score in scores]
    preparing = time.process_time() - began
    works: dict[str, Callable[[Facets], object]] = {
        "bars of a score": lambda piece: Bars.of_score(piece.score),
        "similarity_matrix": lambda piece: similarity_matrix(piece.bars),
        "similarity_curve": lambda piece: similarity_curve(piece.matrix),
        "boundaries": lambda piece: boundaries(piece.matrix),
        "degeneracy": lambda piece: degeneracy(piece.score),
        **{name: measure.function for name, measure in MEASURES.items() if not name.startswith("longest_")},
    }
    lines = [
        "## Cost",
        "",
        f"Milliseconds of CPU per 1,000 bars, one thread, on {len(scores)} pieces of {count / len(scores):.0f} bars",
    ]
    lines += [f"and {notes / len(scores):.0f} notes at the mean; measures of the matrix without the matrix.", ""]
    lines += ["| measure | ms per 1,000 bars |", "|---|---|"]
    for name, work in works.items():
        began = time.process_time()
        for piece in facets:
            work(piece)
        lines.append(f"| {name} | {(time.process_time() - began) / count * 1e6:.1f} |")
    began = time.process_time()
    for piece in facets:
        evaluate(piece)
    total = (time.process_time() - began + preparing) / count * 1e6
    return [*lines, f"| **all of `evaluate`** | **{total:.0f}** |", ""]


def runs(files: list[Path], tunes: Sequence[Piece]) -> list[str]:
    """Whole commands, start included; and the order of ten million tokens."""
    with tempfile.TemporaryDirectory() as folder:
        if not files:
            files = [Path(folder) / f"{i}.mid" for i in range(len(tunes))]
            for file, tune in zip(files, tunes, strict=True):
                write_midi(tune.score, file)
        longest = min(files, key=lambda file: abs(seconds_of(file) - 300))
        thousand = (files * (1000 // len(files) + 1))[:1000]
        rows = {
            "`seqaudio structure --help`": ["--help"],
            "a bar of one note": [str(one_note(Path(folder)))],
            f"a piece of {seconds_of(longest):.0f} s": [str(longest)],
            "1,000 pieces, one process": [*map(str, thousand)],
        }
        lines = [
            "Seconds by the clock depend on what else the machine does; start-up is that of a bar of one note.",
            "",
        ]
        lines += ["", "| whole command, or call | seconds | of CPU |", "|---|---|---|"]
        for name, arguments in rows.items():
            wall, cpu = min(command_seconds(arguments) for _ in range(1 if len(arguments) > 1 else 5))
            lines.append(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    symbols = np.random.default_rng(0).integers(0, 500, TOKENS // 5)
    symbols = np.concatenate([symbols, symbols[::-1], symbols, symbols[1000:], symbols])[:TOKENS]
    began = time.process_time()
    bounds = np.linspace(0, len(symbols), 20_001).astype(np.int64)
    index = RunIndex.build(symbols, bounds)
    middle = time.process_time()
    for i in range(100):
        index.longest_run(symbols[i * 5000 : i * 5000 + 500], without=int(np.searchsorted(bounds, i * 5000)))
    lines.append(f"| ordering {len(symbols):,} tokens for runs | | {middle - began:.2f} |")
    lines.append(f"| the longest run of 500 tokens in them | | {(time.process_time() - middle) / 100:.4f} |")
    return [*lines, ""]


def seconds_of(file: Path) -> float:
    """Length of a piece."""
    score = read_pieces(file)[0][0].score
    return float(score.seconds(score.end))


def one_note(folder: Path) -> Path:
    """The shortest piece: what its measuring takes is the start of the program."""
    write_midi(Score.from_notes([0], 480, 60), folder / "one.mid")
    return folder / "one.mid"


def command_seconds(arguments: list[str]) -> tuple[float, float]:
    """Seconds of a command that must succeed, by the clock and of CPU."""
    began, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, "-m", "seqaudio", "structure", *arguments], check=True, capture_output=True)
    wall, after = time.perf_counter() - began, os.times()
    return wall, sum(after[2:4]) - sum(before[2:4])


if __name__ == "__main__":
    main()
