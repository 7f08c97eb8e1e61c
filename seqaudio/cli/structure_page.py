"""What does the report of ``structure`` show? The first pieces with their notes, and a table of all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from seqaudio.cli.drawings import SHOWN_NOTES, bars_alike, shown_bars_alike
from seqaudio.cli.structure_tables import beside_words, counted, knows_usual
from seqaudio.music.metre import with_gathered_beats
from seqaudio.music.score import Score
from seqaudio.report.page import Matrix, Page, Panel, Table, roll_of
from seqaudio.report.retention import HEADLINES, figures
from seqaudio.structure import Bars, RealRange
from seqaudio.structure.reference import Reference

MOST_ROWS = 1000  # of the table of all pieces


def structure_page(facts: dict[str, Any], scores: Sequence[Score], beside: Reference | None) -> Page:
    """The page of the facts that the command prints.

    Args:
        facts: of the command.
        scores: of its first pieces, to be drawn.
        beside: the real pieces, if there are any.
    """
    rows = facts["pieces"]
    name = facts.get("reference", {}).get("name", "")
    panels = [
        _panel(row, score, facts["primer_bars"] or 0, beside, name, SHOWN_NOTES // len(scores))
        for row, score in zip(rows, scores, strict=False)
    ]
    few = f" The first {len(scores)} are drawn." if len(scores) < len(rows) else ""
    summary = [f"{len(rows)} pieces, {sum(row['bars'] for row in rows)} bars.{few}"] if len(rows) > 1 else []
    summary += [f"Read {beside_words(facts)}."] if beside and not knows_usual(facts) else []
    return Page(
        title=f"Structure of {rows[0]['name']}" if len(rows) == 1 else f"Structure of {len(rows)} pieces",
        summary=summary,
        panels=panels,
        tables=[_table(rows)] if len(rows) > 1 else [],
        settings={"primer_bars": facts["primer_bars"], "reference": name or None, "seqaudio": version("seqaudio")},
        command=["seqaudio", *sys.argv[1:]],
    )


def _panel(
    row: dict[str, Any], score: Score, primer_bars: int, beside: Reference | None, reference: str, most_notes: int
) -> Panel:
    score = with_gathered_beats(score)
    lines, bars = score.bars(), Bars.of_score(score)
    cut = primer_bars if 0 < primer_bars < len(bars) else None
    roll = roll_of(score, None if cut is None else int(lines[cut]), most_notes=most_notes)
    matrices = [shown_bars_alike(row["name"], bars, roll)] if len(bars) else []
    real = ""
    if beside is not None and matrices:
        numbers = beside.like(len(bars))
        real = f"{len(numbers)} pieces of {reference}" if row["real"] else ""
        others = [number for number in numbers if beside.names[number] != row["name"]]
        matrices += [_real_matrix(beside, others, len(bars))] if others else []
    facts = [counted(row["bars"], "bar"), counted(row["notes"], "note")]
    if row["boundaries"]:
        facts.append("sections begin at bars " + ", ".join(str(bar + 1) for bar in [0, *row["boundaries"]]))
    return Panel(
        title=row["name"],
        facts=facts,
        warnings=row["warnings"],
        roll=roll,
        matrices=matrices,
        figures=figures(row["measures"], {name: RealRange(**ends) for name, ends in row.get("real", {}).items()}),
        real=real,
    )


def _real_matrix(beside: Reference, numbers: Sequence[int], bars: int) -> Matrix:
    """The bars of the real piece whose length is nearest."""
    number = min(numbers, key=lambda number: abs(len(Bars.of_score(beside.scores[number])) - bars))
    return bars_alike(f"A real piece: {beside.names[number]}", beside.scores[number])


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    """The headlines of all pieces, and their means."""
    names = [name for name in HEADLINES if name in rows[0]["measures"]]
    heads = ["piece", "bars", *(name.replace("_", " ").replace("lz", "LZ") for name in names)]
    means = [f"{np.mean([row['measures'][name] for row in rows]):.2f}" for name in names]
    cells = [
        [row["name"], row["bars"], *(f"{row['measures'][name]:.2f}" for name in names)] for row in rows[:MOST_ROWS]
    ]
    total = ["mean", round(float(np.mean([row["bars"] for row in rows])), 1), *means]
    more = f"{len(rows) - MOST_ROWS} more pieces are counted in the mean." if len(rows) > MOST_ROWS else ""
    return Table("All pieces", heads, [total, *cells], more)
