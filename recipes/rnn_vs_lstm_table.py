"""What did the comparison of cells find? Its log as a page, with a sentence for each question.

    python recipes/rnn_vs_lstm_table.py docs/results/rnn_vs_lstm/oneills.json

While seeds are still missing it prints those that every cell has. Every figure is of the test pieces. The figures, and
the rule of the sentences, are those of rnn_vs_lstm_answers.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click
import numpy as np
from rnn_vs_lstm_answers import (
    ALPHA,
    ASKED_TOO,
    MEMORY,
    MIN_SEEDS,
    MODELS,
    NAMES,
    OF_MEMORY,
    QUESTIONS,
    Found,
    Question,
    read_log,
    sentence,
    told,
    verdict,
    without_model,
)
from rnn_vs_lstm_measures import BAR_GROUPS, CUTS, STRATA
from trainings import Record, made_by, run_recipe, wrapped

from seqaudio.structure import similarity_error

UNFINISHED = "**Not finished: models or rows are still to be measured. The same command goes on from here.**"


@click.command()
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(log: Path) -> None:
    """Print the page of a LOG that rnn_vs_lstm.py keeps."""
    click.echo(table(read_log(log)), nl=False)


def table(log: Record) -> str:
    """The figures as Markdown, from as many seeds as every cell has."""
    found = Found(log)
    lines = [*opening(found), ""]
    if not found.finished:
        lines += [UNFINISHED, ""]
    if found.models and {other for _, other, _ in ASKED_TOO} <= set(found.rows):
        lines += [*sentences(found), ""]
    if found.rows:
        lines += [*likelihood(found), "", *retention(found), ""]
    if found.models:
        lines += [*comparisons(found), ""]
    lines += [*searched(log), "", *footer(log)]
    return "\n".join(lines) + "\n"


def opening(found: Found) -> list[str]:
    """What was done."""
    log, plan, setting = found.log, found.log["plan"], found.log["plan"]["setting"]
    pieces, tokens, primers = log["pieces"], sum(log["test"]["tokens"]), len(log["test"]["primers"])
    search = (
        f"Validation chose among {plan['trials']} random settings for each row of a network, trained for "
        f"{plan['trial_epochs']} of {plan['epochs']} epochs"
        if plan["trials"]
        else f"No search: a plain setting, up to {plan['epochs']} epochs"
    )
    return [
        f"# Does it keep the structure? RNN against LSTM on {log['corpus']}",
        "",
        *wrapped(
            f"{pieces['train']} training, {pieces['valid']} validation and {pieces['test']} test pieces, {tokens:.0f} "
            f"predicted test tokens. {search}; seeds: {found.seeds}. The test pieces chose nothing. Continuations: the "
            f"first {setting['primer_bars']} bars of {primers} test pieces and {setting['bars']} new bars, "
            f"{setting['outputs']} for each primer and seed, temperature {setting['temperature']:g}, top-p "
            f"{setting['top_p']:g}, the same for all. In brackets: 95 % bootstrap interval over pieces and seeds "
            f"({plan['resamples']:,} samples)."
        ),
    ]


def sentences(found: Found) -> list[str]:
    """A sentence for each question: LSTM against tanh RNN, both with a memory, then against counts and real pieces."""
    margins = ", ".join(f"{question.short} {question.margin:g}" for question in QUESTIONS)
    return [
        "## What it says",
        "",
        *wrapped(
            "Shown: the interval of the difference leaves out 0, and p (Wilcoxon over pieces, adjusted by Holm for the "
            f"{len(found.differences)} differences of this page) is below {ALPHA:g}. Not shown: not so, and the "
            f"interval lies within a margin ({margins}). Undecided: all else, and everything with fewer than "
            f"{MIN_SEEDS} seeds."
        ),
        "",
        *(f"- {asks} {sentence(found, question, one, other)}" for asks, question, one, other in asked(found)),
    ]


def asked(found: Found) -> Iterator[tuple[str, Question, str, str]]:
    """What is answered in a sentence: in words, the question, and the two rows, where both have models."""
    by_figure = {question.figure: question for question in QUESTIONS}
    every = [(question.asks, question, "lstm", "rnn") for question in QUESTIONS]
    every += [
        (f"With a memory of the piece: {each.asks[0].lower()}{each.asks[1:]}", each, f"lstm{MEMORY}", other)
        for each in QUESTIONS
        if each.figure != OF_MEMORY
        for other in (f"rnn{MEMORY}", "lstm")
    ]
    every += [
        (asks.format(NAMES[row]), by_figure[figure], row, other)
        for figure, other, asks in ASKED_TOO
        for row in ("lstm", "rnn", f"lstm{MEMORY}", f"rnn{MEMORY}")
    ]
    return (each for each in every if (each[1].figure, *each[2:]) in found.differences)


def likelihood(found: Found) -> list[str]:
    """Nats per token: overall, by bar, by stratum, by context cut."""
    rows = [row for row in found.rows if found.nats_of(row)]
    bars = [f"{a}" if a == b else f"{a}-{b}" if b < 1_000 else f"{a} on" for a, b in BAR_GROUPS]
    edges = [f"under {STRATA[1]}", *(f"{a} to {b - 1}" for a, b in itertools.pairwise(STRATA[1:])), f"{STRATA[-1]} on"]
    lines = [
        "## Likelihood",
        "",
        "Nats per token on the test pieces, less is likelier.",
        "",
        "| row | parameters | epochs | validation | test | seconds a training |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row in found.models:
            records = found.models[row]
            facts = f"{records[0]['parameters']:,} | {min(r['epochs'] for r in records)}"
            valid, seconds = (np.mean([record[name] for record in records]) for name in ("valid", "seconds"))
            lines.append(
                f"| **{NAMES[row]}** | {facts} | {valid:.3f} | **{found.shown(row, 'nats')}** | {seconds:.0f} |"
            )
        else:
            of_row = found.log["rows"][row]
            title = f"{NAMES[row]}, order {of_row['order']}"
            lines.append(f"| {title} | | | {of_row['valid']:.3f} | {found.shown(row, 'nats')} | |")
    lines += [*stopped(found), *ran_away(found)]
    for title, names, kind in (
        ("By bar of the piece:", bars, "bars"),
        ("By how many tokens right before were heard before, in the same order:", edges, "strata"),
    ):
        shares = np.array(found.log["test"][kind]).sum(axis=1) / sum(found.log["test"]["tokens"])
        lines += ["", title, "", f"| row | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
        lines.append(f"| share of tokens | {' | '.join(f'{share:.0%}' for share in shares)} |")
        lines += by_parts(found, rows, [f"{kind} {number}" for number in range(len(names))])
    names = [f"{cut} bar{'s' * (cut != 1)}" for cut in CUTS]
    lines += [
        "",
        f"By how many bars before its own a token's prediction sees; tokens of bars from {max(CUTS) + 1} on "
        f"({sum(found.log['test']['cut'])} of them):",
        "",
        f"| row | {' | '.join(names)} | all |",
        "|---" * (2 + len(names)) + "|",
        *by_parts(found, rows, [f"cut {number}" for number in range(len(CUTS) + 1)]),
    ]
    return lines


def stopped(found: Found) -> list[str]:
    """A warning where the clock stopped trainings early, as ``--quick`` does on a busy machine."""
    planned = found.log["plan"]["epochs"]
    early = [
        NAMES[row]
        for row, records in found.models.items()
        if any(r["epochs"] < planned and "diverged" not in r for r in records)
    ]
    if not early or not found.log["quick"]:
        return []
    said = f"The clock stopped {', '.join(early)} before epoch {planned}: the cells were not trained equally long."
    return ["", *wrapped(f"**{said}**")]


def ran_away(found: Found) -> list[str]:
    """What is said of seeds whose numbers ran away: they are no accident, but what a cell does at that rate."""
    away = [
        (NAMES[row], record)
        for row, records in found.done.items()
        for record in records
        if record.get("diverged") or without_model(record)
    ]
    if not away:
        return []
    lost, kept = (
        ", ".join(f"{name} seed {record['seed']}" for name, record in away if without_model(record) is without)
        for without in (True, False)
    )
    said = [f"The numbers ran away before the first validation: {lost}. These have no model."] if lost else []
    said += [f"They ran away later: {kept}. The best model of before counts."] if kept else []
    said += [f"All rows have {found.seeds} seed{'s' * (found.seeds != 1)}, as the one with the fewest."] if lost else []
    missing = [NAMES[row] for row, records in found.done.items() if records and row not in found.models]
    said += [f"Without a model, and left out: {', '.join(missing)}."] if missing and found.models else []
    return ["", *wrapped(f"**{' '.join(said)}**")]


def by_parts(found: Found, rows: Sequence[str], figures: Sequence[str]) -> Iterator[str]:
    """A line for each row, with a mean for each figure."""
    for row in rows:
        means = [found.mean(row, figure) for figure in figures]
        yield f"| {NAMES[row]} | {' | '.join('' if np.isnan(mean) else f'{mean:.3f}' for mean in means)} |"


COLUMNS: tuple[tuple[str, Callable[[Found, str], str]], ...] = (
    ("primer recall", lambda found, row: found.shown(row, "primer_recall", 2)),
    ("in any key", lambda found, row: found.shown(row, "primer_recall_transposed", 2)),
    ("far repeats", lambda found, row: found.shown(row, "far_repeat_rate", 2)),
    ("LZ gain", lambda found, row: found.shown(row, "lz_gain", 2)),
    ("return strength", lambda found, row: found.shown(row, "return_strength", 2)),
    ("lag as real", lambda found, row: f"{found.mean(row, 'same_lag'):.0%}"),
    ("curve error", lambda found, row: found.shown(row, "curve_error", 3)),
    ("of the mean curve", lambda found, row: f"{error_of_means(found, row):.3f}"),
    ("degenerate", lambda found, row: degenerate(found, row)),
    ("notes copied", lambda found, row: found.shown(row, "shared_run", 1)),
)


def error_of_means(found: Found, row: str) -> float:
    """The error of the mean similarity curve against that of the real pieces; of these, one half against the other."""
    if row == "real":
        one, other = found.kept("real")[0]["halves"]
        return similarity_error(np.array(one), np.array(other))
    curve = np.mean([kept["curve"] for kept in found.kept(row)], axis=0)
    return similarity_error(curve, np.array(found.kept("real")[0]["curve"]))


def degenerate(found: Found, row: str) -> str:
    """The share of continuations in which something is beyond a limit, and what."""
    kinds: dict[str, int] = {}
    for kept in found.kept(row):
        for kind, count in kept["warnings"].items():
            kinds[kind] = kinds.get(kind, 0) + count
    total = sum(kept["continuations"] for kept in found.kept(row))
    said = ", ".join(f"{kind} {count / total:.0%}" for kind, count in kinds.items())
    share = found.mean(row, "degenerate")
    return f"{share:.0%}{f' ({said})' if said else ''}"


def retention(found: Found) -> list[str]:
    """What continuations keep, beside what real pieces do."""
    if "real" not in found.rows:
        return []
    lines = [
        "## What continuations keep",
        "",
        *wrapped(
            "Of primer and continuation together; read beside the row of real pieces, on both sides: more is not "
            "better. Primer recall: share of new bars in phrases of two bars that stand in the primer. Far repeats: "
            "share of bars in such phrases that stood 3 bars before or more. LZ gain, return strength, lag of the best "
            "return and curve error: as in seqaudio.structure. Lag and curve error are against the real piece of the "
            "same primer, in the row of real pieces against another real piece; the error of the mean curve against "
            "all real pieces, there of one half against the other. Notes copied: the longest run of notes that the new "
            "bars share with a training piece, in any key."
        ),
        "",
        f"| row | {' | '.join(title for title, _ in COLUMNS)} |",
        "|---" * (1 + len(COLUMNS)) + "|",
    ]
    for row in found.rows:
        title = f"**{NAMES[row]}**" if row in found.models else NAMES[row]
        lines.append(f"| {title} | {' | '.join(show(found, row) for _, show in COLUMNS)} |")
    return [*lines, *gates(found)]


def gates(found: Found) -> list[str]:
    """The temperature of the gate of each model with a memory."""
    remembering = [row for row in found.models if row.endswith(MEMORY)]
    if not remembering:
        return []

    def listed(temperatures: Iterable[float]) -> str:
        return ", ".join(f"{each:g}" for each in temperatures)

    candidates = listed(found.log["plan"]["setting"]["gate_temperatures"])
    chosen = {row: listed(record["gate_temperature"] for record in found.models[row]) for row in remembering}
    said = "; ".join(f"{NAMES[row]} {temperatures}" for row, temperatures in chosen.items())
    return ["", *wrapped(f"Temperature of the gate of each seed, chosen of {candidates} on validation pieces: {said}.")]


def comparisons(found: Found) -> list[str]:
    """All differences, by question."""
    lines = [
        "## All differences",
        "",
        "First row minus second, on the same pieces; p and the last column as above.",
        "",
        "| figure | first | second | difference | p | |",
        "|---|---|---|---|---|---|",
    ]
    by_figure = {question.figure: question for question in QUESTIONS}
    for (figure, one, other), (each, p) in found.differences.items():
        (_, low, high), question = each.interval, by_figure[figure]
        ruling = verdict(low, high, p, question.margin, found.seeds)
        title = f"{question.short} | {NAMES[one]} | {NAMES[other]}"
        lines.append(f"| {title} | {each.interval:+.3f} | {told(p).removeprefix('p ')} | {ruling} |")
    return lines


def searched(log: Record) -> list[str]:
    """The log of the search."""
    trials = [record for record in log["trainings"] if "trial" in record]
    if not trials:
        return ["No search."]
    names = list(trials[0]["setting"])
    lines = [
        f"The search: validation after {log['plan']['trial_epochs']} epochs, nats per token; best in bold.",
        "",
        f"| trial | {' | '.join(names)} | {' | '.join(NAMES[row] for row in MODELS)} |",
        "|---" * (1 + len(names) + len(MODELS)) + "|",
    ]
    valid = {(record["row"], record["trial"]): record["valid"] for record in trials}
    best = {
        row: min((v for (name, _), v in valid.items() if name == row and v is not None), default=None) for row in MODELS
    }
    for number in sorted({record["trial"] for record in trials}):
        setting = next(record["setting"] for record in trials if record["trial"] == number)
        line = [str(setting[name]) for name in names]
        for row in MODELS:
            figure = valid.get((row, number), "")
            line.append(found_by_trial(figure, figure == best[row]))
        lines.append(f"| {number} | {' | '.join(line)} |")
    return lines


def found_by_trial(valid: float | str | None, best: bool) -> str:
    """The validation of a trial, if it has one, as a cell of the table."""
    if not isinstance(valid, float):
        return "ran away" if valid is None else valid
    return f"**{valid:.3f}**" if best else f"{valid:.3f}"


def footer(log: Record) -> list[str]:
    """What made it."""
    command = f"python recipes/rnn_vs_lstm.py --corpus {log['corpus']}{' --quick' * log['quick']}"
    return [made_by(command, log), f"Corpus: tokens SHA-256 {log['sha256'][:16]}."]


if __name__ == "__main__":
    run_recipe(main, "rnn_vs_lstm_table")
