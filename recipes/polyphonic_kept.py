"""What do continuations keep? The section of the polyphonic benchmark's table, out of what its logs hold.

More is not better: every figure is read beside the row of real pieces, on both sides. The measures are those of
polyphonic_retention.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from polyphonic_retention import LOOP, MARKOV, REAL, enough
from polyphonic_rows import CELLS, MEMORIES, memory_of
from trainings import Record, wrapped

from seqaudio.report.statistics import difference, holm, interval
from seqaudio.structure import similarity_error

Floats = NDArray[np.float64]

TITLES = {"far_repeat_rate": "far repeats", "primer_recall": "primer recall"}


@dataclass(frozen=True)
class KeptRow:
    """A row of the section.

    Attributes:
        title: as it is printed.
        kept: what was measured, one record a seed.
        wanted: how many seeds there are to be.
    """

    title: str
    kept: tuple[Record, ...]
    wanted: int = 1

    def sums(self, measure: str) -> Floats:
        """Of the windows of each piece, (seeds, pieces)."""
        return np.array([kept["measures"][measure] for kept in self.kept], np.float64)


def section(log: Record, plain: Record | None, lookback: Record | None = None) -> list[str]:
    """What continuations keep, as Markdown; nothing of a log that was begun before it was measured.

    Args:
        log: of plain models, or of models with a memory.
        plain: beside the latter, the log of plain models of the same set.
        lookback: likewise of models that look back by fixed lags alone.
    """
    kept = log.get("retention")
    if kept is None:
        return []
    setting = kept["setting"]
    frames = f"{setting['primer']} frames and {setting['steps']} behind them"
    if not enough(kept):
        return ["", f"What continuations keep is not measured: fewer than two test pieces have {frames}."]
    memory = memory_of(log)
    of_plain, looking_back = rows_beside(kept, plain), rows_beside(kept, lookback)
    ours = models(log)
    counted = {row: KeptRow(row, tuple(kept["rows"][row])) for row in (REAL, LOOP, MARKOV) if row in kept["rows"]}
    if REAL not in counted:
        return []
    rows = [*counted.values(), *of_plain.values(), *looking_back.values(), *ours.values()]
    lines = ["", "## What continuations keep", "", *opening(kept, frames), "", *figures(rows, counted[REAL], kept)]
    lines += gates(kept, ours.values()) if memory else []
    if memory and not of_plain:
        lines += ["", "No plain rows: no log of plain models beside this one has continuations of these windows."]
    asked = pairs(counted[REAL], [of_plain, looking_back], ours)
    return lines + comparisons(asked, np.array(kept["windows"], np.float64))


def models(log: Record) -> dict[str, KeptRow]:
    """The models of joint frames of a log, by cell, with all seeds that were measured."""
    memory = memory_of(log)
    kind = MEMORIES[memory] if memory else "plain"
    found = {}
    for cell in CELLS:
        seeds = sorted((each for each in log["retention"]["models"] if each["cell"] == cell), key=lambda e: e["seed"])
        if seeds:
            found[cell] = KeptRow(f"{cell.upper()}, {kind}", tuple(seeds), log.get("seeds", 1))
    return found


def rows_beside(kept: Record, other: Record | None) -> dict[str, KeptRow]:
    """The models of a log beside this one, if there is one and they went on with the same windows."""
    beside = (other or {}).get("retention") or {}
    same = all(beside.get(name) == kept[name] for name in ("setting", "windows"))
    return models(other) if other and same else {}


def opening(kept: Record, frames: str) -> list[str]:
    """What was done, and how the columns are read."""
    counts, setting = kept["windows"], kept["setting"]
    return wrapped(
        f"{sum(counts)} windows of {len(counts)} test pieces: {frames}, one continuation for each seed, measured with "
        "its primer. Read beside the row of real pieces, on both sides: more is not better. Far repeats: share of "
        "windows of 8 frames that stood 24 frames before or more. Primer recall: share of windows of 4 new frames that "
        f"stand in the primer. Curve error: of the mean similarity curve of bars of {setting['bar']} frames against "
        "that of real pieces, there of one half against the other; in round brackets those of single seeds. Changes "
        "copied: the longest run of changes that the new frames share with a training piece, in any key, with their "
        "lengths. In square brackets: 95 % bootstrap interval over pieces and seeds (10,000 samples). Only the gate of "
        "a memory has a temperature other than 1."
    )


def figures(rows: Iterable[KeptRow], real: KeptRow, kept: Record) -> list[str]:
    """The table of all rows."""
    weights = np.array(kept["windows"], np.float64)
    lines = ["| row | far repeats | primer recall | curve error | changes copied | degenerate |", "|---" * 6 + "|"]
    for row in rows:
        some = f" ({len(row.kept)} of {row.wanted} seeds)" * (len(row.kept) < row.wanted)
        title = f"**{row.title}**{some}" if "cell" in row.kept[0] else row.title
        shares = [f"{interval(row.sums(measure), weights):.2f}" for measure in TITLES]
        run = f"{interval(row.sums('shared_run'), weights):.1f}"
        lines.append(
            f"| {title} | {' | '.join(shares)} | {curve_error(row, real)} | {run} | {degenerate(row, weights)} |"
        )
    return lines


def curve_error(row: KeptRow, real: KeptRow) -> str:
    """The error of the mean curve over all seeds, and the least and most of one seed.

    It has no bootstrap interval: noise in a curve can only add to its error, so all of the interval would lie too high.
    """
    if row is real:
        one, other = map(np.array, real.kept[0]["halves"])
        return f"{similarity_error(one, other):.3f}"
    reference = np.array(real.kept[0]["curve"])
    curves = np.array([kept["curve"] for kept in row.kept])
    error = f"{similarity_error(curves.mean(axis=0), reference):.3f}"
    alone = [similarity_error(curve, reference) for curve in curves]
    return error if len(alone) < 2 else f"{error} ({min(alone):.3f} to {max(alone):.3f})"


def degenerate(row: KeptRow, weights: Floats) -> str:
    """The share of windows in which something is beyond a limit, and what."""
    total = weights.sum() * len(row.kept)
    kinds = sorted({kind for kept in row.kept for kind in kept["warnings"]})
    counts = {kind: sum(kept["warnings"].get(kind, 0) for kept in row.kept) for kind in kinds}
    said = ", ".join(f"{kind} {count / total:.0%}" for kind, count in counts.items())
    return f"{row.sums('degenerate').sum() / total:.0%}{f' ({said})' if said else ''}"


def gates(kept: Record, rows: Iterable[KeptRow]) -> list[str]:
    """The temperature of the gate of each model, and what it made of validation."""
    chosen = {row.title: [each for each in row.kept if "gate_temperature" in each] for row in rows}
    if not chosen:
        return []
    if not all(chosen.values()):
        return ["", "The gate has temperature 1: there are no validation windows to choose by."]
    real = next(iter(chosen.values()))[0]["valid"]["real"]
    told = []
    for title, records in chosen.items():
        temperatures = ", ".join(f"{each['gate_temperature']:g}" for each in records)
        repeats = np.mean([each["valid"]["repeats"] for each in records], axis=0)
        told.append(f"{title} {temperatures} ({repeats[0]:.2f} and {repeats[1]:.2f})")
    candidates = ", ".join(f"{each:g}" for each in kept["setting"]["gate_temperatures"])
    return [
        "",
        *wrapped(
            f"Temperature of the gate of each seed, chosen of {candidates} by far repeats and primer recall of "
            f"validation windows, their means in brackets (real pieces {real[0]:.2f} and {real[1]:.2f}): "
            f"{'; '.join(told)}."
        ),
    ]


def pairs(real: KeptRow, beside: list[dict[str, KeptRow]], ours: dict[str, KeptRow]) -> list[tuple[KeptRow, KeptRow]]:
    """The LSTM beside the other cells, beside itself in the logs beside this one, and beside real pieces."""
    if "lstm" not in ours:
        return []
    others = [ours[cell] for cell in ("rnn", "gru") if cell in ours] + [of["lstm"] for of in beside if "lstm" in of]
    return [(ours["lstm"], other) for other in (*others, real)]


def comparisons(rows: list[tuple[KeptRow, KeptRow]], weights: Floats) -> list[str]:
    """Differences on the same windows."""
    if not rows:
        return []
    asked = [(measure, one, other) for measure in TITLES for one, other in rows]
    found = [difference(one.sums(measure), other.sums(measure), weights) for measure, one, other in asked]
    lines = [
        "",
        *wrapped(
            "First row minus second, on the same windows; p: Wilcoxon over pieces, two-sided, adjusted for the "
            f"{len(asked)} comparisons (Holm). The nearer to real pieces the better."
        ),
        "",
        "| figure | first | second | difference | p |",
        "|---|---|---|---|---|",
    ]
    for (measure, one, other), each, p in zip(asked, found, holm([each.p for each in found]), strict=True):
        lines.append(f"| {TITLES[measure]} | {one.title} | {other.title} | {each.interval:+.3f} | {p:.2g} |")
    return lines
