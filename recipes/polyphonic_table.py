"""What did the polyphonic benchmark find? Its log as a table.

    python recipes/polyphonic_table.py docs/results/polyphonic/JSB_Chorales.json

Published figures, counting baselines and our models, whose keys are independent or joint: test nats per frame with
bootstrap intervals, the means over pieces, paired differences, and the search. While seeds are still missing it prints
those that every cell and head has.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
from trainings import Record, made_by

from seqaudio.errors import CheckpointError, SeqAudioError
from seqaudio.files.atomic import read_bytes
from seqaudio.report.statistics import difference, holm, interval

CELLS = ("rnn", "gru", "lstm")
HEADS = ("independent", "joint")
UNFINISHED = "**Not finished: seeds are still to be trained. The same command goes on from here.**"
PUBLISHED = (  # Bai et al. 2018, tables of test nats; RRU: Ozolins et al. 2021, who tuned on the test pieces
    ("RNN, Bai 2018", "independent keys", {"JSB_Chorales": 8.91, "Nottingham": 4.05}),
    ("GRU, Bai 2018", "independent keys", {"JSB_Chorales": 8.43, "Nottingham": 3.46}),
    ("LSTM, Bai 2018", "independent keys", {"JSB_Chorales": 8.45, "Nottingham": 3.29}),
    ("TCN, Bai 2018", "independent keys", {"JSB_Chorales": 8.10, "Nottingham": 3.07}),
    (
        "RRU 2021, tuned on the test pieces",
        "independent keys",
        {"JSB_Chorales": 7.72, "Nottingham": 2.92, "MuseData": 7.03, "Piano_midi": 7.38},
    ),
)


@click.command()
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(log: Path) -> None:
    """Print the table of a LOG that polyphonic_benchmark.py keeps."""
    click.echo(table(log.stem, read_log(log)), nl=False)


def read_log(path: Path) -> Record:
    """The log of the benchmark. Raises CheckpointError when it is damaged."""
    try:
        log: Record = json.loads(read_bytes(path))
        counts = {split: len(log["frames"][split]) for split in ("valid", "test")}
        for record in log["trainings"]:
            figures = [
                record["valid"],
                record["parameters"],
                record["seconds"],
                record.get("trial", record.get("seed")),
            ]
            figures += of_pieces(record["test_nats"], counts["test"]) if "seed" in record else []
            if not (np.isfinite(figures).all() and (record["cell"], record["head"]) in itertools.product(CELLS, HEADS)):
                raise ValueError("a training without figures")
            record["setting"]["layers"], record["experiment"]["model"]["head"], record["device"]
        for row, split in itertools.product(log["baselines"].values(), counts):
            if not np.isfinite(of_pieces(row[f"{split}_nats"], counts[split])).all():
                raise ValueError("a baseline without figures")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        reason = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise CheckpointError(
            f"{path}: damaged, not a log of the benchmark ({reason}); move it away: finished trainings are kept in the "
            "folder of --runs and found again"
        ) from None
    return log


def of_pieces(nats: list[float], count: int) -> list[float]:
    """The nats, if they are of so many pieces."""
    if len(nats) != count:
        raise ValueError(f"nats of {len(nats)} pieces where there are {count}")
    return nats


def table(name: str, log: Record) -> str:
    """The figures as Markdown, from as many seeds as every cell and head has."""
    plan = log["plan"]
    weights = np.array(log["frames"]["test"])
    valid = sum(log["frames"]["valid"])
    done = {(cell, head): finals(log, cell, head) for head in HEADS for cell in CELLS}
    seeds = min(map(len, done.values()))
    ours = {which: records[:seeds] for which, records in done.items() if seeds}
    tried = ", ".join(f"{head} {count}" for head, count in plan["trials"].items())
    lines = [
        f"# Next-frame nats on {name}",
        "",
        f"{len(weights)} test pieces, {weights.sum()} predicted frames; nats per frame over all of them, less is",
        "likelier. In brackets: 95 % bootstrap interval over pieces and seeds (10,000 samples). Piece mean: each piece",
        "counts once.",
        f"Validation chose among random settings for each cell ({tried}), trained for {plan['trial_share']:.0%} of the",
        f"steps; seeds: {seeds}. The test pieces chose nothing.",
        "",
        "| model | keys of a frame | parameters | validation | test | piece mean | seconds a training |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, kind, figures in PUBLISHED:
        if name in figures:
            lines.append(f"| {title} | {kind} | | | {figures[name]:.2f} | | |")
    for row in log["baselines"]:
        nats = np.array(log["baselines"][row]["test_nats"])
        mean = sum(log["baselines"][row]["valid_nats"]) / valid
        kind = "independent keys" if row.startswith("per-key") else "joint"
        lines.append(f"| {row} | {kind} | | {mean:.3f} | {figure(nats, weights)} | {piece_mean(nats, weights)} | |")
    for (cell, head), records in ours.items():
        nats = np.array([record["test_nats"] for record in records])
        mean = np.mean([record["valid"] for record in records])
        kind = "independent keys" if head == "independent" else "joint"
        seconds = np.mean([record["seconds"] for record in records])
        devices = " and ".join(sorted({record["device"].split(", torch")[0] for record in records}))
        first = records[0]
        title = f"**{cell.upper()}, {first['experiment']['model']['head']}** | {kind} | {first['parameters']:,}"
        figures = f"{mean:.3f} | **{figure(nats, weights)}** | {piece_mean(nats, weights)} | {seconds:.0f}, {devices}"
        lines.append(f"| {title} | {figures} |")
    if seeds < log.get("seeds", 1):
        lines += ["", UNFINISHED]
    lines += ["", *comparisons(ours, weights)] if ours else []
    lines += ["", *searched(log), "", *footer(name, log)]
    return "\n".join(lines) + "\n"


def finals(log: Record, cell: str, head: str) -> list[Record]:
    """The trainings of the chosen setting, a seed each."""
    found = [record for record in log["trainings"] if "seed" in record and of(record, cell, head)]
    return sorted(found, key=lambda record: record["seed"])


def figure(nats: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> str:
    """A pooled mean with its interval."""
    return "{:.3f} [{:.2f}, {:.2f}]".format(*interval(nats, weights))


def piece_mean(nats: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> str:
    """The mean over pieces of their own means."""
    there = weights > 0
    return f"{(np.atleast_2d(nats)[:, there] / weights[there]).mean():.3f}"


def comparisons(ours: dict[tuple[str, str], list[Record]], weights: np.ndarray[Any, Any]) -> list[str]:
    """Cells against each other with either head, and the heads against each other, on the same pieces."""
    pairs = [((a, head), (b, head)) for head in HEADS for a, b in (("lstm", "rnn"), ("lstm", "gru"), ("gru", "rnn"))]
    pairs += [((cell, "joint"), (cell, "independent")) for cell in CELLS]
    nats = {which: np.array([record["test_nats"] for record in records]) for which, records in ours.items()}
    found = [difference(nats[one], nats[other], weights) for one, other in pairs]
    lines = [
        "Differences on the same test pieces, nats per frame; below 0 the first is better. p: Wilcoxon over pieces,",
        f"two-sided, adjusted for the {len(pairs)} comparisons (Holm).",
        "",
        "| first | second | difference | p |",
        "|---|---|---|---|",
    ]
    for (one, other), each, p in zip(pairs, found, holm([each.p for each in found]), strict=True):
        names = " | ".join(f"{cell.upper()}, {head}" for cell, head in (one, other))
        lines.append(f"| {names} | {{:+.3f}} [{{:+.3f}}, {{:+.3f}}] | {p:.2g} |".format(*each.interval))
    return lines


def searched(log: Record) -> list[str]:
    """The log of the search."""
    trials = [record for record in log["trainings"] if "trial" in record]
    if not trials:
        return ["No search."]
    names = list(trials[0]["setting"])
    lines = [
        f"The search: validation after {log['plan']['trial_share']:.0%} of the steps; best in bold.",
        "",
        f"| trial | {' | '.join(names)} | {' | '.join(f'{cell} {head}' for head in HEADS for cell in CELLS)} |",
        "|---" * (1 + len(names) + len(CELLS) * len(HEADS)) + "|",
    ]
    best = {
        which: min((r["valid"] for r in trials if of(r, *which)), default=None)
        for which in itertools.product(CELLS, HEADS)
    }
    for number in sorted({record["trial"] for record in trials}):
        same = [record for record in trials if record["trial"] == number]
        row = [str(same[0]["setting"][name]) for name in names]
        for head, cell in itertools.product(HEADS, CELLS):
            figures = [record["valid"] for record in same if of(record, cell, head)]
            row += [f"**{v:.3f}**" if v == best[cell, head] else f"{v:.3f}" for v in figures] or [""]
        lines.append(f"| {number} | {' | '.join(row)} |")
    return lines


def footer(name: str, log: Record) -> list[str]:
    """What made it."""
    command = f"python recipes/polyphonic_benchmark.py --data {name}.mat{' --quick' * log['quick']}"
    return [made_by(command, log), f"Set: SHA-256 {log['sha256'][:16]}."]


def of(record: Record, cell: str, head: str) -> bool:
    """Whether a training is of this cell and head."""
    return (record["cell"], record["head"]) == (cell, head)


if __name__ == "__main__":
    try:
        main()
    except SeqAudioError as problem:
        sys.exit(f"polyphonic_table: {problem}")
