"""What did beyond_music.py find? Its log as Markdown, and as a page.

    python recipes/beyond_page.py docs/results/beyond_music/beyond_music.json

The rule of the sentences, which nobody's taste enters: a network is *better* or *worse* than a naive row when the 95 %
bootstrap interval of their difference, over seeds and over passages of the text or blocks of time, leaves out 0; else
there is *no difference to be seen*. With fewer than three seeds all is undecided. Nothing is adjusted for how many
differences there are, which the page says.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from trainings import Record, damaged, made_by, page_command, run_recipe, wrapped

from seqaudio.files.atomic import read_bytes
from seqaudio.report.page import Page, Table
from seqaudio.report.statistics import Interval, interval

Floats = NDArray[np.float64]

CELLS = {"rnn": "tanh RNN", "gru": "GRU", "lstm": "LSTM"}
COUNTS = {"ngram": "n-gram", "ppm": "PPM", "copy": "PPM + copy"}
TITLES = {"weather": "The weather of Seattle", "stocks": "Five shares"}
MIN_SEEDS = 3


def read_log(path: Path) -> Record:
    """The log. Raises CheckpointError when it is damaged."""
    try:
        log: Record = json.loads(read_bytes(path))
        log["text"]["predicted"], log["series"]["weather"]["blocks"], log["plan"]["resamples"], log["rows"]
        for record in log["trainings"]:
            record["on"], record["cell"], record["experiment"]["model"], record["seconds"], record["device"]
            if "seed" in record and not np.isfinite(np.array(record["nats"], dtype=np.float64)).all():
                raise ValueError("nats that are no numbers")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise damaged(path, "beyond_music.py", problem) from None
    return log


def of(log: Record, on: str, cell: str) -> list[Record]:
    """The finished trainings with seeds, in order of seeds."""
    found = [r for r in log["trainings"] if (r["on"], r["cell"]) == (on, cell) and "seed" in r]
    return sorted(found, key=lambda record: int(record["seed"]))[: log["seeds"]]


class Shown:
    """Figures of one question: rows of values (seeds, units), with what divides them and what is drawn together."""

    def __init__(self, log: Record, weights: Floats, groups: list[int] | None = None) -> None:
        self.resamples, self.weights, self.groups = int(log["plan"]["resamples"]), weights, groups

    def interval(self, values: Floats) -> Interval:
        """The pooled figure."""
        return interval(values, self.weights, groups=self.groups, resamples=self.resamples)

    def verdict(self, one: Floats, other: Floats) -> tuple[str, Interval]:
        """Whether a network has less than another row, and the difference."""
        found = self.interval(np.atleast_2d(one) - np.atleast_2d(other))
        if len(np.atleast_2d(one)) < MIN_SEEDS:
            return "undecided", found
        return "better" if found.high < 0 else "worse" if found.low > 0 else "no difference to be seen", found


# ---- text -----------------------------------------------------------------------------------------------------------


def text_sentences(log: Record) -> Iterator[str]:
    """What was done, and what came out."""
    facts, plan = log["text"], log["plan"]
    sizes = " / ".join(f"{facts['characters'][part]:,}" for part in ("train", "valid", "test"))
    yield (
        f"{facts['name']}: {sizes} characters to learn from, to choose by and to test with, whole chapters each, "
        f"{facts['symbols']} symbols; {facts['passages']['test']} test passages. Validation chooses the order of "
        f"counts and the setting of networks. In brackets: 95 % bootstrap intervals over passages and seeds."
    )
    if not finished(log, "text"):
        return
    units = Shown(log, np.array(facts["predicted"], np.float64))
    best = min(COUNTS, key=lambda row: log["rows"][row]["valid"])
    for cell, name in CELLS.items():
        ruling, apart = units.verdict(text_nats(log, cell), np.array([log["rows"][best]["nats"]]))
        yield f"{name} against {COUNTS[best]}, the best counts on validation: {ruling}, {apart:+.3f} nats."
    ruling, apart = units.verdict(text_nats(log, "lstm"), text_nats(log, "rnn"))
    yield f"LSTM against tanh RNN: {ruling}, {apart:+.3f} nats a character."
    yield (
        f"Written texts: {plan['texts']} of {plan['length']:,} characters by each model and seed, temperature "
        f"{plan['temperature']:g}, behind {facts['passages']['test']} beginnings of test passages in turn."
    )


def text_nats(log: Record, cell: str) -> Floats:
    """Of a network, (seeds, passages)."""
    return np.array([record["nats"] for record in of(log, "text", cell)], np.float64)


def text_tables(log: Record) -> Iterator[Table]:
    """Likelihood, cut pasts, written texts."""
    if not finished(log, "text"):
        return
    facts, units = log["text"], Shown(log, np.array(log["text"]["predicted"], np.float64))
    rows = []
    for cell, name in CELLS.items():
        records = of(log, "text", cell)
        found = units.interval(text_nats(log, cell))
        valid = f"{np.mean([record['valid'] for record in records]):.3f}"
        rows.append([name, f"{records[0]['parameters']:,}", valid, f"{found:.3f}", f"{found.mean / math.log(2):.2f}"])
    for row, name in COUNTS.items():
        of_row = log["rows"][row]
        found = units.interval(np.array(of_row["nats"]))
        title = f"{name}, order {of_row['order']}"
        rows.append([title, "", f"{of_row['valid']:.3f}", f"{found:.3f}", f"{found.mean / math.log(2):.2f}"])
    columns = ["row", "parameters", "validation", "test", "bits"]
    yield Table("A text: nats per character", columns, rows, "Less is likelier. Bits are nats / ln 2.")
    rows = []
    for cell, name in CELLS.items():
        heard = np.array([[*record["cut"], record["whole"]] for record in of(log, "text", cell)])  # (seeds, sizes + 1)
        rows.append([name, *(f"{mean:.3f}" for mean in heard.mean(axis=0))])
    yield Table(
        "How far back it listens: nats per character when the last n characters are all that is heard",
        ["row", *map(str, facts["sizes"]), "all"],
        rows,
        f"The same characters for every n, those with more than {max(facts['sizes'])} before them in their passage. "
        "Models were trained on whole passages, so a cut past is a beginning that they did not learn from.",
    )
    yield Table(
        "Written texts",
        ["row", "marks closed", "words known"],
        [*written_rows(log)],
        "Marks closed: of ¿ ¡ ( « and the dash of an inserted clause, opened in whole paragraphs, those closed by "
        "their own mark in the same paragraph. Words known: of words of four letters and more, those of the training "
        "chapters; the real chapter has new ones too. Read beside the real chapter, on both sides.",
    )
    samples = [["the real chapter, before it", log["text"]["prompt"]]]
    samples += [[name, of(log, "text", cell)[0]["texts"]["sample"]] for cell, name in CELLS.items()]
    samples += [[COUNTS[row], log["rows"][row]["texts"]["sample"]] for row in ("ngram", "ppm")]
    yield Table(
        "What they write",
        ["row", "text"],
        [[name, " ".join(said[:600].split())] for name, said in samples],
        "The first text of the first seed of each, unchosen, from the same beginning of the test chapter.",
    )


def written_rows(log: Record) -> Iterator[list[object]]:
    """Marks and words of each row's texts."""
    rows = {CELLS[cell]: [record["texts"] for record in of(log, "text", cell)] for cell in CELLS}
    rows |= {COUNTS[row]: [log["rows"][row]["texts"]] for row in ("ngram", "ppm")}
    rows["the real chapter"] = [log["text"]["real"]]
    for name, texts in rows.items():
        # seeds stand side by side: a text is a text
        cells = [
            share(log, *(np.concatenate([each[part] for each in texts]) for part in parts))
            for parts in (("closed", "opened"), ("known", "words"))
        ]
        yield [name, *cells]


def share(log: Record, part: Floats, whole: Floats) -> str:
    """A pooled share with its interval over texts, and how many it is of."""
    if not whole.sum():
        return "none opened"
    found = interval(part, whole + 1e-9, resamples=int(log["plan"]["resamples"]))
    return f"{found:.0%} of {int(whole.sum()):,}"


# ---- series ---------------------------------------------------------------------------------------------------------


def cell_folds(log: Record, name: str, cell: str) -> list[list[Record]]:
    """For each seed the records of all folds."""
    folds = [of(log, f"{name} {number}", cell) for number in range(len(log["series"][name]["blocks"]))]
    return [list(each) for each in zip(*folds, strict=True)]


class Forecasts:
    """All that was forecast of a series."""

    def __init__(self, log: Record, name: str) -> None:
        self.log, self.facts = log, log["series"][name]
        self.groups = [block for fold in self.facts["blocks"] for block in fold]
        self.naive = {row: [folds] for row, folds in log["rows"]["naive"][name].items()}
        self.cells = {CELLS[cell]: cell_folds(log, name, cell) for cell in CELLS}
        self.rows = {**self.cells, **self.naive}

    def sums(self, row: str, what: str, horizon: int | None = None) -> Floats:
        """Sums by block, (seeds, blocks of all folds)."""
        folds_of = self.rows[row]
        return np.array(
            [
                [each for fold in folds for each in (fold[what] if horizon is None else fold[what][horizon])]
                for folds in folds_of
            ],
            np.float64,
        )

    def came(self, horizon: int) -> Floats:
        """How many forecasts of each block came to be seen."""
        return np.array([count for fold in self.facts["came"] for count in fold[horizon]])

    def held(self, row: str, horizon: int) -> str:
        """What the intervals hold."""
        return f"{self.sums(row, 'held', horizon).mean(axis=0).sum() / self.came(horizon).sum():.0%}"

    def units(self, horizon: int) -> Shown:
        """What is drawn together."""
        return Shown(self.log, self.came(horizon), self.groups)


def finished(log: Record, name: str) -> bool:
    """Whether every cell and every baseline has been measured."""
    if name == "text":
        return all(of(log, "text", cell) for cell in CELLS) and set(COUNTS) <= set(log["rows"])
    folds = range(len(log["series"][name]["blocks"]))
    return all(len(of(log, f"{name} {number}", cell)) == log["seeds"] for number in folds for cell in CELLS)


def series_sentences(log: Record, name: str) -> Iterator[str]:
    """What was done, and what came out."""
    facts = log["series"][name]
    ahead = ", ".join(map(str, facts["horizons"]))
    forecasts, folds = sum(sum(fold[0]) for fold in facts["came"]), len(facts["blocks"])
    yield (
        f"Walk-forward over {folds} folds, {forecasts:.0f} forecasts of the {facts['judged']}, {ahead} "
        f"{facts['step']}s ahead; the models of a fold know nothing from its first {facts['step']} on. Errors are "
        f"absolute, in {facts['unit']}. In brackets: 95 % bootstrap intervals over blocks of {facts['block']} "
        f"{facts['step']}s and over seeds."
    )
    if not finished(log, name):
        return
    found = Forecasts(log, name)
    for cell in found.cells:
        at: dict[str, list[str]] = {}
        for number, horizon in enumerate(facts["horizons"]):
            at.setdefault(against_reference(found, cell, number)[0], []).append(str(horizon))
        said = "; ".join(f"{ruling} at {', '.join(horizons)}" for ruling, horizons in at.items())
        yield f"{cell} against {facts['reference']}, by {facts['step']}s ahead: {said}."
    for cell in found.cells:
        ruling, apart = found.units(0).verdict(found.sums(cell, "nats"), found.sums(facts["surest"], "nats"))
        yield f"{cell} against {facts['surest']}, nats one {facts['step']} ahead: {ruling}, {apart:+.3f}."


def against_reference(found: Forecasts, cell: str, horizon: int) -> tuple[str, Interval]:
    """The ruling on a network's errors, and the difference."""
    reference = found.sums(found.facts["reference"], "error", horizon)
    return found.units(horizon).verdict(found.sums(cell, "error", horizon), reference)


def series_tables(log: Record, name: str) -> Iterator[Table]:
    """Errors, intervals held, nats."""
    if not finished(log, name):
        return
    found, facts = Forecasts(log, name), log["series"][name]
    columns = [f"{horizon} {facts['step']}{'s' * (horizon > 1)}" for horizon in facts["horizons"]]
    horizons = range(len(columns))
    rows = [
        [row, *(f"{found.units(n).interval(found.sums(row, 'error', n)):.2f}" for n in horizons)] for row in found.rows
    ]
    yield Table(f"{TITLES[name]}: mean absolute error in {facts['unit']}", ["row", *columns], rows, "Less is better.")
    rows = [[cell, *(f"{against_reference(found, cell, n)[1]:+.2f}" for n in horizons)] for cell in found.cells]
    title = f"{TITLES[name]}: error of the networks minus that of {facts['reference']}"
    yield Table(title, ["row", *columns], rows, "Below zero the network is better.")
    rows = [
        [
            row,
            f"{found.units(0).interval(found.sums(row, 'nats')):.3f}",
            *(found.held(row, number) for number in horizons),
        ]
        for row in found.rows
    ]
    yield Table(
        f"{TITLES[name]}: how sure a forecast may be of itself",
        ["row", f"nats, 1 {facts['step']}", *columns],
        rows,
        f"Nats of the density one {facts['step']} ahead (less is better), and how often the interval that is to hold "
        f"{facts['level']:.0%} does, by horizon. Naive forecasts are Gaussians as wide as their errors before the "
        "fold.",
    )


# ---- all of it ------------------------------------------------------------------------------------------------------


def parts(log: Record) -> Iterator[tuple[str, list[str], list[Table]]]:
    """Heading, sentences and tables of each part."""
    yield "A text", list(text_sentences(log)), list(text_tables(log))
    for name, title in TITLES.items():
        yield title, list(series_sentences(log, name)), list(series_tables(log, name))


TITLE = "Beyond music: a text, the weather and the stock market"
OPENING = (
    "The same models, for what is not music: characters are tokens, measured series are frames of real numbers. "
    "Cells of equal size, beside what costs nothing. Better or worse: the interval of the difference leaves out 0. "
    f"With fewer than {MIN_SEEDS} seeds all is undecided; of many differences one in twenty leaves out 0 by chance."
)


def markdown(log: Record) -> str:
    """All of it as Markdown."""
    lines = [f"# {TITLE}", "", *wrapped(f"{OPENING} Seeds: {log['seeds']}."), ""]
    for heading, sentences, tables in parts(log):
        first, *found = sentences
        lines += [f"## {heading}", "", *wrapped(first), ""]
        lines += [*(f"- {sentence}" for sentence in found), ""] if found else ["**Not finished.**", ""]
        for table in tables:
            lines += [f"### {table.title}", "", f"| {' | '.join(table.columns)} |", "|---" * len(table.columns) + "|"]
            lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in table.rows]
            lines += ["", *wrapped(table.note), ""]
    command = f"python recipes/beyond_music.py{' --quick' * log['quick']}"
    return "\n".join([*lines, *wrapped(made_by(command, log))]) + "\n"


def beyond_page(log: Record) -> Page:
    """All of it as a page."""
    found = list(parts(log))
    return Page(
        title=TITLE,
        summary=[OPENING, *(f"{heading}. {sentence}" for heading, sentences, _ in found for sentence in sentences)],
        tables=[table for _, _, tables in found for table in tables],
        settings={"seeds": log["seeds"], **log["plan"], **log["versions"], "date": log["date"]},
        command=["python", "recipes/beyond_music.py", *(["--quick"] if log["quick"] else [])],
    )


if __name__ == "__main__":
    run_recipe(page_command("beyond_music.py", lambda log: markdown(read_log(log))), "beyond_page")
