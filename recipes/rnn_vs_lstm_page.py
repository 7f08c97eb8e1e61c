"""The comparison of cells as one page to see and hear: words, tables, and one primer as each row goes on with it.

The primer is that of the first test piece that is continued, whatever became of it; the continuations are those that
were measured, the first of the first seed. Models come from the folder of --runs; a row without one there is left out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rnn_vs_lstm_answers import MODELS, NAMES, of
from rnn_vs_lstm_measures import Material
from rnn_vs_lstm_table import table
from score_parts import as_measured
from trainings import Record

from seqaudio.continuation import load_engine
from seqaudio.continuation.engines import Predictor
from seqaudio.continuation.likelihood import bar_nats, token_nats
from seqaudio.models.checkpoint import WEIGHTS
from seqaudio.music.score import Score
from seqaudio.report.page import Matrix, Page, Panel, Series, Table, roll_of
from seqaudio.report.retention import HEADLINES, figures
from seqaudio.structure import Bars, degeneracy, evaluate, real_ranges, similarity_matrix

LONGEST = "All differences"  # a table that the page leaves to the Markdown


def comparison_page(log: Record, material: Material, runs: Path, counted: Callable[[str], Predictor]) -> Page:
    """The page of a log.

    Args:
        log: of rnn_vs_lstm.py.
        material: what was measured.
        runs: where the trained models are.
        counted: from the name of a row of counts to its predictor.
    """
    text = table(log)
    predictors = dict(_predictors(log, runs, counted))
    total, primer_bars = material.setting.total, material.setting.primer_bars
    ranges = real_ranges(evaluate(score, primer_bars, bars=total) for [score] in material.real())
    gates = {row: of(log, row, "seed")[0]["gate_temperature"] for row in predictors if row in MODELS}
    sampling = {row: material.setting.sampling(gates.get(row, 1.0)) for row in predictors}
    scores = {row: material.continue_one(0, each, 0, sampling[row])[0] for row, each in predictors.items()}
    scores |= {"loop": material.looped()[0][0], "real": material.real()[0][0]}
    real = as_measured(scores["real"], total)
    return Page(
        title=text.splitlines()[0].removeprefix("# "),
        summary=summary_of(text),
        panels=[
            _panel(
                row, scores[row], real, primer_bars, total, ranges, _surprise(row, predictors, scores[row], material)
            )
            for row in NAMES
            if row in scores
        ],
        tables=[found for found in tables_of(text) if found.title != LONGEST],
        settings={"corpus": log["corpus"], **log["plan"], **log["versions"], "date": log["date"]},
        command=["python", *sys.argv],
    )


def _predictors(log: Record, runs: Path, counted: Callable[[str], Predictor]) -> Iterator[tuple[str, Predictor]]:
    """The rows that can write, by name."""
    for row in NAMES:
        folder = runs / f"{row}-seed-0"
        if row in MODELS and (folder / WEIGHTS).is_file():
            yield row, load_engine(folder)
        elif row not in MODELS and "nats" in log["rows"].get(row, {}):
            yield row, counted(row)


def _panel(
    row: str, score: Score, real: Score, primer_bars: int, total: int, ranges: Any, series: Sequence[Series]
) -> Panel:
    """One row's continuation of the primer."""
    measured = as_measured(score, total)
    name = "The real piece" if row == "real" else f"{NAMES[row]} goes on"
    matrices = [Matrix(name, similarity_matrix(Bars.of_score(measured).part(0, total)), 1, primer_bars)]
    if row != "real":
        matrices.append(Matrix("The real piece", similarity_matrix(Bars.of_score(real).part(0, total)), 1, primer_bars))
    values = evaluate(measured, primer_bars, bars=total)
    return Panel(
        title=name,
        facts=[f"{primer_bars} bars of primer, {total - primer_bars} behind them"],
        warnings=degeneracy(measured, total).warnings(),
        roll=roll_of(measured, int(measured.bars()[primer_bars])),
        matrices=matrices,
        figures=figures({measure: values[measure] for measure in HEADLINES}, ranges),
        series=series,
        real="the test pieces that were continued, cut to as many bars",
    )


def _surprise(row: str, predictors: dict[str, Predictor], score: Score, material: Material) -> list[Series]:
    """Nats of each bar: of a continuation under its own model, of the real piece under all of them."""
    asked = predictors if row == "real" else {row: predictors[row]} if row in predictors else {}
    ids = material.tokenizer.encode(as_measured(score, material.setting.total))[:-1]
    lines = {NAMES[name]: bar_nats(material.tokenizer, ids, token_nats(each, ids)) for name, each in asked.items()}
    meaning = "How unlikely a model finds each bar; a bar of many notes needs more."
    title, cut = "Surprise by bar", material.setting.primer_bars
    return [Series(title, "nats", lines, 1, cut, None, meaning)] if lines else []


def blocks_of(text: str) -> list[str]:
    """A page in Markdown as its headings, paragraphs, lists and tables."""
    return [block.strip() for block in text.split("\n\n") if block.strip()]


def summary_of(text: str) -> list[str]:
    """What a page says before its tables: what was done, each warning of the page, the rule, and the answers."""
    _, opening, *before = blocks_of(text.partition("\n## Likelihood\n")[0])
    warnings = [block for block in blocks_of(text) if block.startswith("**")]
    said = [opening, *warnings, *(block for block in before if not block.startswith(("#", "**")))]
    lines = [line for block in said for line in (block.splitlines() if block.startswith("- ") else [joined(block)])]
    return [line.removeprefix("- ").replace("**", "") for line in lines]


def tables_of(text: str) -> Iterator[Table]:
    """The tables of a page in Markdown.

    The heading before each, or the line that leads to it, is its title; what else is said around it is its note.
    """
    title, note, rows = "", "", []
    for block in [*blocks_of(text.replace("**", "")), "## "]:
        ends = block.startswith(("## ", "|")) or block.endswith(":")
        if ends and rows:
            yield Table(title, rows[0], rows[2:], note)
            note, rows = "", []
        if block.startswith("|"):
            rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines()]
        elif ends:
            title, note = joined(block).removeprefix("## ").removesuffix(":"), ""
        else:
            note = f"{note} {joined(block)}".strip()


def joined(block: str) -> str:
    """A paragraph as one line."""
    return " ".join(block.split())
