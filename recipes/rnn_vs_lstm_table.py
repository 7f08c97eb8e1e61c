"""What did the comparison of cells find? Its log as a page, with a sentence for each question.

    python recipes/rnn_vs_lstm_table.py docs/results/rnn_vs_lstm/oneills.json

While seeds are still missing it prints those that every cell has. Every figure is of the test pieces.

The rule of the sentences, which nobody's taste enters: a difference of two rows on the same pieces is *shown* when its
95 % bootstrap interval over pieces and seeds leaves out 0 and its Wilcoxon p, adjusted for all differences of the page
(Holm), is below 0.05; it is *not shown* when it is not, and the interval lies within the margin of the question, so
that a difference worth speaking of would have been seen; else it is *undecided*. With fewer than three seeds it stays
undecided, whatever the pieces say, for it may be the seed's. Where a figure has no better direction, as those of
continuations, the row whose mean is nearer to that of the real pieces is nearer to real music.
"""

from __future__ import annotations

import itertools
import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rnn_vs_lstm_measures import BAR_GROUPS, CUTS, MEASURES, STRATA
from trainings import Record

from seqaudio.errors import CheckpointError, SeqAudioError
from seqaudio.files.atomic import read_bytes
from seqaudio.report.statistics import Difference, difference, holm, interval
from seqaudio.structure import similarity_error

Floats = NDArray[np.float64]

CELLS = ("rnn", "irnn", "gru", "lstm")
COUNTED = ("ngram", "ppm", "copy")
NAMES = {"rnn": "tanh RNN", "irnn": "IRNN", "gru": "GRU", "lstm": "LSTM", "ngram": "n-gram", "ppm": "PPM"}
NAMES |= {"copy": "PPM + copy", "loop": "loop", "real": "real pieces"}
PAIRS = tuple(itertools.combinations(reversed(CELLS), 2))
MIN_SEEDS, ALPHA = 3, 0.05
HEARD, NEAR = 2, 2  # strata from this one on repeat a bar or more; the cut of 4 bars is the third
UNFINISHED = "**Not finished: models or rows are still to be measured. The same command goes on from here.**"


@dataclass(frozen=True)
class Question:
    """Something asked of two rows, by one figure for each piece.

    Attributes:
        asks: the question.
        short: the same in a word or two.
        figure: name of the figure, see ``Found.values``.
        more, less: what is said of the row with the greater or smaller figure.
        unit: behind the numbers.
        margin: differences within it are not worth speaking of.
        beside: rows without training that each cell is compared with, beside the other cells.
        two_sided: whether neither more nor less is better, but what real pieces have.
    """

    asks: str
    short: str
    figure: str
    more: str
    less: str
    unit: str
    margin: float
    beside: tuple[str, ...]
    two_sided: bool = False


QUESTIONS = (
    Question(
        "Which finds unseen pieces likelier?", "likelihood", "nats",
        "finds them less likely", "finds them likelier", "nats per token", 0.005, ("ppm", "copy"),
    ),
    Question(
        "Which gains more from having heard a passage before?", "gain from repeats", "gain",
        "gains more", "gains less", "nats per token", 0.01, ("copy",),
    ),
    Question(
        "Which makes more of what lies more than 4 bars back?", "use of far bars", "far",
        "loses more without it", "loses less without it", "nats per token", 0.005, ("copy",),
    ),
    Question(
        "Which comes back to its primer?", "primer recall", "primer_recall",
        "comes back more", "comes back less", "of the new bars", 0.02, ("ppm", "copy", "real"), two_sided=True,
    ),
    Question(
        "Which repeats what was heard 3 bars before or more?", "far repeats", "far_repeat_rate",
        "repeats more", "repeats less", "of all bars", 0.02, ("ppm", "copy", "real"), two_sided=True,
    ),
    Question(
        "Which owes more to its own past?", "LZ gain", "lz_gain",
        "owes more", "owes less", "LZ gain", 0.02, ("ppm", "copy", "real"), two_sided=True,
    ),
    Question(
        "Which is like itself at the distances at which the real piece is?", "curve error", "curve_error",
        "is farther from that", "is nearer to that", "mean error", 0.005, ("ppm", "copy", "real"),
    ),
)  # fmt: skip
ASKED_TOO = (  # beside LSTM against tanh RNN, of both: figure, other row, question
    ("nats", "ppm", "Does the {} know more than counts of the last few tokens?"),
    ("nats", "copy", "Does the {} know more than counts that copy the longest match?"),
    ("primer_recall", "ppm", "Does the {} come back to its primer more than counts of the last few tokens do?"),
    ("primer_recall", "real", "Does the {} come back to its primer as much as real pieces do?"),
)


@click.command()
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(log: Path) -> None:
    """Print the page of a LOG that rnn_vs_lstm.py keeps."""
    click.echo(table(read_log(log)), nl=False)


def read_log(path: Path) -> Record:
    """The log of the comparison. Raises CheckpointError when it is damaged."""
    try:
        log: Record = json.loads(read_bytes(path))
        pieces, primers = log["pieces"]["test"], len(log["test"]["primers"])
        for record in log["trainings"]:
            record["setting"]["layers"], record["device"], record["parameters"], record["best_epoch"]
            figures = [record["seconds"], record.get("trial", record.get("seed"))]
            figures += [] if record["valid"] is None and "trial" in record else [record["valid"]]
            if not np.isfinite(figures).all() or record["cell"] not in CELLS:
                raise ValueError("a training without figures")
            if "seed" in record:
                check_nats(record["nats"], pieces)
                check_kept(record["kept"], primers)
        check_nats(log["test"] | {"cuts": [log["test"]["cut"]] * (len(CUTS) + 1)}, pieces)
        for name, row in log["rows"].items():
            if name in COUNTED:
                check_nats(row["nats"], pieces)
            for kept in row["kept"]:
                check_kept(kept, primers)
            if name not in NAMES:
                raise ValueError(f"a row {name}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        reason = " ".join(f"{type(problem).__name__}: {problem}".split())
        raise CheckpointError(
            f"{path}: damaged, not a log of rnn_vs_lstm.py ({reason}); move it away: finished trainings are kept in "
            "the folder of --runs and found again"
        ) from None
    return log


def check_nats(nats: Record, pieces: int) -> None:
    """Raise ValueError where nats are not those of so many pieces."""
    shapes = {"tokens": (pieces,), "bars": (len(BAR_GROUPS), pieces), "strata": (len(STRATA), pieces)}
    shapes["cuts"] = (len(CUTS) + 1, pieces)
    check_arrays(nats, shapes)


def check_kept(kept: Record, primers: int) -> None:
    """Raise ValueError where measures are not those of so many primers."""
    check_arrays(kept["measures"], {name: (primers,) for name in MEASURES})
    kept["curve"], kept["halves"], kept["warnings"], kept["continuations"]


def check_arrays(arrays: Record, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise ValueError where something is not finite numbers of its shape."""
    for name, shape in shapes.items():
        array = np.array(arrays[name], dtype=np.float64)
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"{name} of shape {array.shape} where it must be {shape}")


class Found:
    """The figures of a log: for each row and figure values (seeds, pieces), and what divides them, (pieces,)."""

    def __init__(self, log: Record) -> None:
        self.log = log
        self.resamples = int(log["plan"]["resamples"])
        done = {cell: of(log, cell, "seed") for cell in CELLS}
        self.seeds = min(map(len, done.values()))
        self.models = {cell: records[: self.seeds] for cell, records in done.items()} if self.seeds else {}
        self.rows = [name for name in NAMES if name in self.models or name in log["rows"]]
        self.finished = len(self.rows) == len(NAMES)

    def nats_of(self, row: str) -> list[Record]:
        """Of each seed the nats by part; of counts one; of a loop and of real pieces none."""
        if row in self.models:
            return [record["nats"] for record in self.models[row]]
        return [self.log["rows"][row]["nats"]] if row in COUNTED else []

    def kept(self, row: str) -> list[Record]:
        """Of each seed what continuations keep."""
        if row in self.models:
            return [record["kept"] for record in self.models[row]]
        found: list[Record] = self.log["rows"][row]["kept"]
        return found[: max(self.seeds, 1)]

    def values(self, row: str, figure: str) -> tuple[Floats, Floats]:
        """Values (seeds, pieces) of a figure, and weights (pieces,): the figure is the sum of these over that of those.

        ``nats`` in all; ``bars N`` and ``strata N`` by number; ``cut N`` by number, the last with all that came before;
        ``gain``: what a token costs less where a bar or more was heard before than elsewhere in the piece; ``far``:
        what it costs more with 4 bars alone; else a measure of continuations.
        """
        if figure in MEASURES:
            rows = np.array([kept["measures"][figure] for kept in self.kept(row)])
            return rows, np.ones(rows.shape[1])
        nats = self.nats_of(row)
        name, _, number = figure.partition(" ")
        if figure == "nats":
            return np.array([each["tokens"] for each in nats]), self._counts["tokens"]
        if name in ("bars", "strata"):
            return np.array([each[name][int(number)] for each in nats]), self._counts[name][int(number)]
        cuts = np.array([each["cuts"] for each in nats])
        if name == "cut":
            return cuts[:, int(number)], self._counts["cut"]
        if figure == "far":
            there = self._counts["cut"] > 0
            return (cuts[:, NEAR] - cuts[:, -1])[:, there], self._counts["cut"][there]
        strata, counts = np.array([each["strata"] for each in nats]), self._counts["strata"]
        new, heard = counts[:HEARD].sum(axis=0), counts[HEARD:].sum(axis=0)
        both = (new > 0) & (heard > 0)
        of_new = strata[:, :HEARD].sum(axis=1)[:, both] / new[both]
        of_heard = strata[:, HEARD:].sum(axis=1)[:, both] / heard[both]
        return (of_new - of_heard) * heard[both], heard[both]

    @cached_property
    def _counts(self) -> dict[str, Floats]:
        return {name: np.array(self.log["test"][name], np.float64) for name in ("tokens", "bars", "strata", "cut")}

    def mean(self, row: str, figure: str) -> float:
        """The pooled figure."""
        values, weights = self.values(row, figure)
        return float(values.mean(axis=0).sum() / weights.sum()) if weights.sum() else np.nan

    def shown(self, row: str, figure: str, digits: int = 3) -> str:
        """The pooled figure with its interval."""
        values, weights = self.values(row, figure)
        if not weights.sum():
            return ""
        mean, low, high = interval(values, weights, resamples=self.resamples)
        return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    @cached_property
    def differences(self) -> dict[tuple[str, str, str], tuple[Difference, float]]:
        """By figure and pair: the difference, and p adjusted for all of them."""
        asked = [
            (question.figure, one, other)
            for question in QUESTIONS
            for one, other in (*PAIRS, *itertools.product(reversed(CELLS), question.beside))
            if one in self.rows and other in self.rows
        ]
        found = []
        for figure, one, other in asked:
            first, weights = self.values(one, figure)
            second, _ = self.values(other, figure)
            found.append(difference(first, second, weights, resamples=self.resamples))
        adjusted = holm([each.p for each in found])
        return {which: (each, p) for which, each, p in zip(asked, found, adjusted, strict=True)}


def of(log: Record, cell: str, kind: str) -> list[Record]:
    """The trainings of a cell that are of a kind, "trial" or "seed", in order."""
    return sorted((r for r in log["trainings"] if kind in r and r["cell"] == cell), key=lambda record: record[kind])


def verdict(low: float, high: float, p: float, margin: float, seeds: int) -> str:
    """The rule of this page: "shown", "not shown" or "undecided"."""
    if seeds < MIN_SEEDS:
        return "undecided"
    if (low > 0 or high < 0) and p < ALPHA:
        return "shown"
    return "not shown" if -margin <= low and high <= margin else "undecided"


def sentence(found: Found, question: Question, one: str, other: str) -> str:
    """What is shown, not shown or undecided of two rows."""
    each, p = found.differences[question.figure, one, other]
    mean, low, high = each.interval
    ruling = verdict(low, high, p, question.margin, found.seeds)
    a, b = (found.mean(row, question.figure) for row in (one, other))
    figures = f"{a:.3f} against {b:.3f} {question.unit}; difference {mean:+.3f} [{low:+.3f}, {high:+.3f}], {told(p)}"
    if question.two_sided and other != "real":
        real = found.mean("real", question.figure)
        figures += f"; real pieces {real:.3f}, {nearer(a, b, real, one, other)}"
    said = f"{NAMES[one]} {question.more if mean > 0 else question.less} than {NAMES[other]}"
    if mean == 0:
        said = f"{NAMES[one]} and {NAMES[other]} are the same"
    if ruling == "not shown":
        said = f"{NAMES[one]} and {NAMES[other]} differ by less than {question.margin:g}"
    if ruling == "undecided":
        few = found.seeds < MIN_SEEDS
        why = f"{found.seeds} seed{'s' * (found.seeds != 1)} cannot tell" if few else "pieces and seeds do not tell"
        said = f"{why}; here {said}"
    return f"**{ruling.capitalize()}:** {said} ({figures})."


def told(p: float) -> str:
    """An adjusted p."""
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}"


def nearer(a: float, b: float, real: float, one: str, other: str) -> str:
    """Which of two rows stands nearer to real music, in words."""
    if abs(a - real) == abs(b - real):
        return "both as far from them"
    near = one if abs(a - real) < abs(b - real) else other
    between = min(a, b) < real < max(a, b)
    return f"{NAMES[near]} nearer to them{', the other on their other side' * between}"


def table(log: Record) -> str:
    """The figures as Markdown, from as many seeds as every cell has."""
    found = Found(log)
    lines = [*opening(found), ""]
    if not found.finished:
        lines += [UNFINISHED, ""]
    if found.models and "ppm" in found.rows and "real" in found.rows:
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
        f"Validation chose among {plan['trials']} random settings for each cell, trained for {plan['trial_epochs']} of "
        f"{plan['epochs']} epochs"
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


def wrapped(text: str) -> list[str]:
    """A paragraph as lines."""
    return textwrap.wrap(text, 118, break_on_hyphens=False)


def sentences(found: Found) -> list[str]:
    """A sentence for each question: LSTM against tanh RNN, then both against counts and against real pieces."""
    margins = ", ".join(f"{question.short} {question.margin:g}" for question in QUESTIONS)
    by_figure = {question.figure: question for question in QUESTIONS}
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
        *(f"- {question.asks} {sentence(found, question, 'lstm', 'rnn')}" for question in QUESTIONS),
        *(
            f"- {asks.format(NAMES[cell])} {sentence(found, by_figure[figure], cell, other)}"
            for figure, other, asks in ASKED_TOO
            for cell in ("lstm", "rnn")
        ),
    ]


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
    lines += stopped(found)
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
    early = [NAMES[row] for row, records in found.models.items() if min(r["epochs"] for r in records) < planned]
    if not early or not found.log["quick"]:
        return []
    said = f"The clock stopped {', '.join(early)} before epoch {planned}: the cells were not trained equally long."
    return ["", *wrapped(f"**{said}**")]


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
            "better. Primer recall: share of new bars that stand in the primer. Far repeats: share of bars that stood "
            "3 bars before or more. LZ gain, return strength, lag of the best return and curve error: as in "
            "seqaudio.structure. Lag and curve error are against the real piece of the same primer, in the row of real "
            "pieces against another real piece; the error of the mean curve against all real pieces, there of one half "
            "against the other. Notes copied: the longest run of notes that the new bars share with a training piece, "
            "in any key."
        ),
        "",
        f"| row | {' | '.join(title for title, _ in COLUMNS)} |",
        "|---" * (1 + len(COLUMNS)) + "|",
    ]
    for row in found.rows:
        title = f"**{NAMES[row]}**" if row in found.models else NAMES[row]
        lines.append(f"| {title} | {' | '.join(show(found, row) for _, show in COLUMNS)} |")
    return lines


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
        (mean, low, high), question = each.interval, by_figure[figure]
        ruling = verdict(low, high, p, question.margin, found.seeds)
        shown = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
        title = f"{question.short} | {NAMES[one]} | {NAMES[other]}"
        lines.append(f"| {title} | {shown} | {told(p).removeprefix('p ')} | {ruling} |")
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
        f"| trial | {' | '.join(names)} | {' | '.join(NAMES[cell] for cell in CELLS)} |",
        "|---" * (1 + len(names) + len(CELLS)) + "|",
    ]
    valid = {(record["cell"], record["trial"]): record["valid"] for record in trials}
    best = {
        cell: min((v for (c, _), v in valid.items() if c == cell and v is not None), default=None) for cell in CELLS
    }
    for number in sorted({record["trial"] for record in trials}):
        setting = next(record["setting"] for record in trials if record["trial"] == number)
        row = [str(setting[name]) for name in names]
        for cell in CELLS:
            figure = valid.get((cell, number), "")
            row.append(found_by_trial(figure, figure == best[cell]))
        lines.append(f"| {number} | {' | '.join(row)} |")
    return lines


def found_by_trial(valid: float | str | None, best: bool) -> str:
    """The validation of a trial, if it has one, as a cell of the table."""
    if not isinstance(valid, float):
        return "ran away" if valid is None else valid
    return f"**{valid:.3f}**" if best else f"{valid:.3f}"


def footer(log: Record) -> list[str]:
    """What made it."""
    seconds = sum(record["seconds"] for record in log["trainings"])
    versions = ", ".join(f"{name} {value}" for name, value in log["versions"].items())
    devices = sorted(record["device"] for record in log["trainings"])
    where = "; ".join(f"{device}: {len(list(same))}" for device, same in itertools.groupby(devices)) or "nothing"
    arguments = f"--corpus {log['corpus']}{' --quick' * log['quick']}"
    return [
        f"Command: `python recipes/rnn_vs_lstm.py {arguments}`. {versions}. {log['date']}, "
        f"{len(log['trainings'])} trainings ({where}), {seconds / 3600:.1f} hours if one by one.",
        f"Corpus: tokens SHA-256 {log['sha256'][:16]}.",
    ]


if __name__ == "__main__":
    try:
        main()
    except SeqAudioError as problem:
        sys.exit(f"rnn_vs_lstm_table: {problem}")
