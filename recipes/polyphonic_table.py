"""What did the polyphonic benchmark find? Its log as a table.

    python recipes/polyphonic_table.py docs/results/polyphonic/JSB_Chorales.json

Published figures, counting baselines and our models, whose keys are independent or joint: test nats per frame with
bootstrap intervals, the means over pieces, nats by how much was heard before, paired differences, and the search. While
seeds are still missing it prints those that every cell and head has. Models with a memory of the piece have a log of
their own; where that of the plain models of the same set lies beside it, they stand in the same table, with the head
that validation likes best, and so do models that look back by fixed lags alone in the table of those with the longest
match too. The rows are those of polyphonic_rows.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import numpy as np
from polyphonic_kept import section
from polyphonic_rows import (
    CELLS,
    HEADS,
    MEMORIES,
    Floats,
    Row,
    best_head,
    counted,
    heads_of,
    learnt,
    log_name,
    memory_of,
    of,
    read_log,
    set_name,
)
from polyphonic_strata import STRATA
from trainings import Record, made_by, run_recipe, wrapped

from seqaudio.files.atomic import write_bytes
from seqaudio.report.statistics import difference, holm, interval

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
    click.echo(page(log), nl=False)


def page(path: Path) -> str:
    """The table of the log in a file, with the models of the logs beside it that belong there."""
    log = read_log(path)
    return table(path.stem, log, **logs_beside(path, log))


def write_pages(path: Path) -> str:
    """Write the table of a log beside it; returns it. Tables of other logs that show its models are written anew."""
    text = page(path)
    write_bytes(path.with_suffix(".md"), text.encode())
    log = read_log(path)
    name = set_name(path.stem, log)
    for memory in SHOWN_IN[memory_of(log)]:
        other = path.with_stem(log_name(name, memory))
        if beside(path, log, other.stem):
            write_bytes(other.with_suffix(".md"), page(other).encode())
    return text


SHOWN_IN: dict[str | None, tuple[str, ...]] = {None: tuple(MEMORIES), "lookback": ("match",), "match": ()}
"""In the tables of which memories the models with this one stand too."""


def logs_beside(path: Path, log: Record) -> dict[str, Record | None]:
    """The logs whose models stand in the table of a log too, as :func:`table` takes them."""
    name, memory = set_name(path.stem, log), memory_of(log)
    shown = {"plain": None, "lookback": "lookback"}
    return {
        each: beside(path, log, log_name(name, other)) if memory in SHOWN_IN[other] else None
        for each, other in shown.items()
    }


def beside(path: Path, log: Record, stem: str) -> Record | None:
    """The log of that name in the same folder, if there is one of the same set and of models as large."""
    other = path.with_stem(stem)
    if other == path or not other.is_file():
        return None
    found = read_log(other)
    same = all(found[name] == log[name] for name in ("sha256", "quick"))
    return found if same and found["plan"]["units"] == log["plan"]["units"] else None


def table(name: str, log: Record, plain: Record | None = None, lookback: Record | None = None) -> str:
    """The figures as Markdown, from as many seeds as every cell and head has.

    Args:
        name: of the log's file, without its ending.
        log: of plain models, or of models with a memory.
        plain: beside the latter, the log of plain models of the same set.
        lookback: likewise of models that look back, beside those with a match memory.
    """
    memory, name = memory_of(log), set_name(name, log)
    weights = np.array(log["frames"]["test"])
    baselines, ours = counted(log), learnt(log, heads_of(log))
    others = best_head(plain) if plain else {}
    looking_back = learnt(lookback, heads_of(lookback)) if lookback else {}
    seeds = min((len(row.trained) for row in ours.values()), default=0)
    lines = [
        f"# Next-frame nats on {name}{', with a memory of the piece' if memory else ''}",
        "",
        f"{len(weights)} test pieces, {weights.sum()} predicted frames; nats per frame over all of them, less is",
        "likelier. In brackets: 95 % bootstrap interval over pieces and seeds (10,000 samples). Piece mean: each piece",
        "counts once.",
        *chosen(log, seeds),
        *(remembered(log, others, plain) if memory else []),
        "",
        "| model | keys of a frame | parameters | validation | test | piece mean | seconds a training |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, kind, figures in PUBLISHED:
        if name in figures:
            lines.append(f"| {title} | {kind} | | | {figures[name]:.2f} | | |")
    rows = [*baselines.values(), *others.values(), *looking_back.values(), *ours.values()]
    lines += [line(row, weights) for row in rows]
    if seeds < log.get("seeds", 1):
        lines += ["", UNFINISHED]
    lines += stopped([row for row in rows if row.trained]) if log["quick"] else []
    lines += stratified(rows, log["frames"].get("test_strata"))
    if ours:
        pairs = with_and_without(MEMORIES[memory], baselines, others, ours) if memory else of_cells_and_heads(ours)
        pairs = [*against_lookback(looking_back, ours), *pairs]
        lines += ["", *comparisons(pairs, weights, gains=bool(memory and others))]
    lines += section(log, plain, lookback)
    lines += ["", *searched(log), "", *footer(name, log)]
    return "\n".join(lines) + "\n"


def chosen(log: Record, seeds: int) -> list[str]:
    """How the settings were found."""
    plan = log["plan"]
    if not any(plan["trials"].values()):
        return [f"No search: one setting for all; seeds: {seeds}. The test pieces chose nothing."]
    tried = ", ".join(f"{head} {count}" for head, count in plan["trials"].items())
    settings = "random settings for each cell"
    if plan.get("first"):
        settings = "settings for each cell, the first known to suit an LSTM, the others random"
    known = "".join(f", {head} also one known to suit an LSTM" for head in plan.get("last") or ())
    return wrapped(
        f"Validation chose among {settings} ({tried}{known}), trained for {plan['trial_share']:.0%} of the steps; "
        f"seeds: {seeds}. The test pieces chose nothing."
    )


def remembered(log: Record, others: dict[str, Row], plain: Record | None) -> list[str]:
    """What the models remember the piece with, where the plain models are from, and how long each were trained."""
    lags, counters = (", ".join(map(str, log["plan"]["memory"][name])) for name in ("lags", "counters"))
    matched = "Match memory: what followed the longest match, what stood"
    looked = matched if memory_of(log) == "match" else "Lookback: what stood"
    said = "No plain rows: there is no log of plain models of this set beside this one, or it has no seeds yet."
    if plain and others:
        trained = others[CELLS[0]].trained
        steps = plain["plan"]["steps"][trained[0]["head"]]
        with_it = " and ".join(f"{log['plan']['steps'][head]:,}" for head in heads_of(log))
        said = (
            f"Plain rows: the same cells without it, from a log of their own, seeds: {len(trained)}; trained for "
            f"{steps:,} steps, those with it for {with_it}."
        )
    return [
        "",
        *wrapped(
            f"{looked} {lags} frames ago, and the place in cycles of {counters} frames. All models, plain ones too, "
            f"have the parameters of a plain LSTM of {log['plan']['units']} units, within 2 %. {said}"
        ),
    ]


def stopped(rows: Iterable[Row]) -> list[str]:
    """A warning where the clock stopped trainings early, as ``--quick`` does on a busy machine."""
    early = [row.title for row in rows if any(r["epochs"] < r["experiment"]["training"]["epochs"] for r in row.trained)]
    if not early:
        return []
    said = f"The clock stopped {'; '.join(early)} before the last epoch: the cells were not trained equally long."
    return ["", *wrapped(f"**{said}**")]


def line(row: Row, weights: Floats) -> str:
    """A model's line of the first table."""
    test, mean = figure(row.nats, weights), piece_mean(row.nats, weights)
    if not row.trained:
        return f"| {row.title} | {row.kind} | | {row.valid:.3f} | {test} | {mean} | |"
    seconds = np.mean([record["seconds"] for record in row.trained])
    devices = " and ".join(sorted({record["device"].split(", torch")[0] for record in row.trained}))
    title = f"**{row.title}** | {row.kind} | {row.trained[0]['parameters']:,}"
    return f"| {title} | {row.valid:.3f} | **{test}** | {mean} | {seconds:.0f}, {devices} |"


def figure(nats: Floats, weights: Floats) -> str:
    """A pooled mean with its interval."""
    return "{:.3f} [{:.2f}, {:.2f}]".format(*interval(nats, weights))


def piece_mean(nats: Floats, weights: Floats) -> str:
    """The mean over pieces of their own means."""
    there = weights > 0
    return f"{(np.atleast_2d(nats)[:, there] / weights[there]).mean():.3f}"


def stratified(rows: Sequence[Row], counts: list[list[float]] | None) -> list[str]:
    """Nats by how much of what stands before a frame stood before, of the rows that have them; which have none."""
    if counts is None or not any(len(row.strata) for row in rows):
        return []  # a log begun before strata were kept
    frames = np.sum(counts, axis=1)
    lines = [
        "",
        "Test nats per frame by how many frames right before it stood before in the piece, in the same order:",
        "",
        f"| model | {' | '.join(STRATA)} |",
        "|---" * (1 + len(STRATA)) + "|",
        f"| frames | {' | '.join(f'{count:.0f} ({count / frames.sum():.0%})' for count in frames)} |",
    ]
    for row in rows:
        if not len(row.strata):
            continue
        sums = row.strata.mean(axis=0).sum(axis=1)
        means = [f"{nats / count:.3f}" if count else "" for nats, count in zip(sums, frames, strict=True)]
        some = f" ({len(row.strata)} of {len(row.nats)} seeds)" * (len(row.strata) < len(row.nats))
        lines.append(f"| {f'**{row.title}**' if row.trained else row.title}{some} | {' | '.join(means)} |")
    without = [row.title for row in rows if not len(row.strata)]
    if without:
        lines += ["", f"Without strata, as they were measured before these were kept: {'; '.join(without)}."]
    return lines


Pair = tuple[str, str, Floats, Floats]
"""Two names, and the nats of both on the test pieces, (seeds, pieces) each."""


def of_cells_and_heads(ours: dict[tuple[str, str], Row]) -> list[Pair]:
    """Cells against each other with either head, and the heads against each other."""
    pairs = [((a, head), (b, head)) for head in HEADS for a, b in (("lstm", "rnn"), ("lstm", "gru"), ("gru", "rnn"))]
    pairs += [((cell, "joint"), (cell, "independent")) for cell in CELLS]
    names = {(cell, head): f"{cell.upper()}, {head}" for cell, head in ours}
    return [(names[one], names[other], ours[one].nats, ours[other].nats) for one, other in pairs]


def against_lookback(looking_back: dict[tuple[str, str], Row], ours: dict[tuple[str, str], Row]) -> list[Pair]:
    """Each cell with a match memory against itself with fixed lags alone."""
    return [
        (
            f"{which[0].upper()}, {MEMORIES['match']}",
            f"{which[0].upper()}, {MEMORIES['lookback']}",
            row.nats,
            other.nats,
        )
        for which, row in ours.items()
        if (other := looking_back.get(which))
    ]


def with_and_without(
    memory: str, baselines: dict[str, Row], others: dict[str, Row], ours: dict[tuple[str, str], Row]
) -> list[Pair]:
    """The LSTM with a memory against all else and the best baseline, cells with against without, and their gains."""
    with_it = {cell: row.nats for (cell, _), row in ours.items()}
    plain = {cell: row.nats for cell, row in others.items()}
    names = {cell: f"{cell.upper()}, {memory}" for cell in CELLS}
    pairs = [(names["lstm"], names[cell], with_it["lstm"], with_it[cell]) for cell in ("rnn", "gru")]
    pairs += [(names["lstm"], f"{cell.upper()}, plain", with_it["lstm"], plain[cell]) for cell in plain]
    if baselines:
        best = min(baselines.values(), key=lambda row: row.valid)
        pairs.append((names["lstm"], best.title, with_it["lstm"], best.nats))
    pairs += [(names[cell], f"{cell.upper()}, plain", with_it[cell], plain[cell]) for cell in plain if cell != "lstm"]
    gained = {cell: gain(with_it[cell], plain[cell]) for cell in plain}
    titles = {cell: f"{cell.upper()}, {memory} less plain" for cell in plain}
    pairs += [(titles["lstm"], titles[cell], gained["lstm"], gained[cell]) for cell in plain if cell != "lstm"]
    return pairs


def gain(with_it: Floats, plain: Floats) -> Floats:
    """By how much the nats of a cell with a memory exceed those without, (seeds, pieces); seed i of both."""
    seeds = min(len(with_it), len(plain))
    return with_it[:seeds] - plain[:seeds]


def comparisons(pairs: Sequence[Pair], weights: Floats, *, gains: bool = False) -> list[str]:
    """Differences on the same pieces."""
    found = [difference(one, other, weights) for _, _, one, other in pairs]
    lines = [
        "Differences on the same test pieces, nats per frame; below 0 the first is better. p: Wilcoxon over pieces,",
        f"two-sided, adjusted for the {len(pairs)} comparisons (Holm).",
        *(["In the last rows, of gains: below 0 the memory helps the first cell more."] if gains else []),
        "",
        "| first | second | difference | p |",
        "|---|---|---|---|",
    ]
    for (one, other, _, _), each, p in zip(pairs, found, holm([each.p for each in found]), strict=True):
        lines.append(f"| {one} | {other} | {each.interval:+.3f} | {p:.2g} |")
    return lines


def searched(log: Record) -> list[str]:
    """The log of the search."""
    trials = [record for record in log["trainings"] if "trial" in record]
    if not trials:
        return ["No search."]
    names, heads = list(trials[0]["setting"]), heads_of(log)
    lines = [
        f"The search: validation after {log['plan']['trial_share']:.0%} of the steps; best in bold.",
        "",
        f"| trial | {' | '.join(names)} | {' | '.join(f'{cell} {head}' for head in heads for cell in CELLS)} |",
        "|---" * (1 + len(names) + len(CELLS) * len(heads)) + "|",
    ]
    best = {
        which: min((r["valid"] for r in trials if of(r, *which)), default=None)
        for which in itertools.product(CELLS, heads)
    }
    for number in sorted({record["trial"] for record in trials}):
        same = [record for record in trials if record["trial"] == number]
        row = [str(same[0]["setting"][name]) for name in names]
        for head, cell in itertools.product(heads, CELLS):
            figures = [record["valid"] for record in same if of(record, cell, head)]
            row += [f"**{v:.3f}**" if v == best[cell, head] else f"{v:.3f}" for v in figures] or [""]
        lines.append(f"| {number} | {' | '.join(row)} |")
    return lines


def footer(name: str, log: Record) -> list[str]:
    """What made it."""
    memory = memory_of(log)
    options = f"{f' --memory {memory}' if memory else ''}{' --quick' * log['quick']}"
    command = f"python recipes/polyphonic_benchmark.py --data {name}.mat{options}"
    return [made_by(command, log), f"Set: SHA-256 {log['sha256'][:16]}."]


if __name__ == "__main__":
    run_recipe(main, "polyphonic_table")
