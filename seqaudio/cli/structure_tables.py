"""How is the structure of pieces shown to people? One piece by all its measures, several by the headlines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from seqaudio.cli.terminal import table_of, table_text
from seqaudio.structure.evaluation import MEASURES
from seqaudio.structure.real_range import FEWEST_PIECES
from seqaudio.structure.reference import SHARED_RUN

COUNTS = ("return_lag", "sections", "pitch_range", "n_pitches_used", "n_pitch_classes_used", SHARED_RUN)
READINGS = {"below": "low", "above": "high", "within": "", "undefined": ""}
TITLES = {"headline": "structure", "detail": "details", "blind": "material (blind to structure)"}
COLUMNS = {
    "far_repeat_rate": "far repeats",
    "primer_recall": "primer recall",
    "return_strength": "return",
    "return_lag": "lag",
    "lz_gain": "LZ gain",
    "sections": "sections",
    SHARED_RUN: "shared run",
}


def tables(facts: dict[str, Any]) -> str:
    """The facts of ``seqaudio structure`` as text."""
    rows = facts["pieces"]
    parts = [_one(rows[0])] if len(rows) == 1 else [_several(rows)]
    reference = facts.get("reference")
    if reference:
        parts.append(beside_words(facts))
        if knows_usual(facts) and len(rows) > 1:
            parts.append(
                f"similarity-curve error of all {len(rows)} pieces: {reference['similarity_error']:.3f}; "
                f"half of the real pieces against the other half: {reference['null']:.3f}"
            )
    return "\n".join(parts)


def knows_usual(facts: dict[str, Any]) -> bool:
    """Whether there are real pieces enough to say what is usual."""
    return any(row.get("real") for row in facts["pieces"])


def beside_words(facts: dict[str, Any]) -> str:
    """What real pieces the values stand beside, and how to read that."""
    reference = facts["reference"]
    how = (
        "low and high are outside of where nine in ten of those of the same length lie"
        if knows_usual(facts)
        else f"too few to say what is usual, it takes {FEWEST_PIECES}"
    )
    return f"beside {counted(reference['pieces'], 'piece')} of {reference['name']}: {how}"


def counted(count: int, what: str) -> str:
    """A count and its noun: 1 bar, 2 bars."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def _one(row: dict[str, Any]) -> str:
    real = row.get("real", {})
    table = _table(["measure", "value", *(["real", ""] if real else []), "what it is"])
    for trust, title in TITLES.items():
        table.add_row(f"[bold]{title}[/bold]")
        names = [name for name in row["measures"] if _trust(name) == trust]
        for name in names:
            value = row["measures"][name]
            if math.isnan(value):
                continue
            usual = [_usual(name, real.get(name)), READINGS[row["reading"].get(name, "undefined")]] if real else []
            says = (
                MEASURES[name].says
                if name in MEASURES
                else f"notes in a row, in any key: {escape(str(row['shared_with']))}"
            )
            table.add_row(f"  {name}", _number(name, value), *usual, says)
    lines = [f"{row['name']}: {counted(row['bars'], 'bar')}, {counted(row['notes'], 'note')}", table_text(table)]
    starts = ", ".join(str(bar + 1) for bar in [0, *row["boundaries"]])
    lines += [f"sections begin at bars {starts}"] if row["boundaries"] else []
    return "\n".join(lines + [f"warning: {warning}" for warning in row["warnings"]])


def _several(rows: list[dict[str, Any]]) -> str:
    shown = [name for name in COLUMNS if name in rows[0]["measures"]]
    table = _table(["piece", "bars", *(COLUMNS[name] for name in shown), "warnings"], numbers=len(shown) + 1)
    for row in rows:
        cells = [f"{_number(n, row['measures'][n])} {_mark(row, n)}".rstrip() for n in shown]
        table.add_row(escape(row["name"]), str(row["bars"]), *cells, "; ".join(row["warnings"]))
    values = {name: [row["measures"][name] for row in rows] for name in shown}
    middle = [_number(name, float(np.median(column))) for name, column in values.items()]
    warned = sum(bool(row["warnings"]) for row in rows)
    bars = f"{np.median([row['bars'] for row in rows]):g}"
    table.add_row(f"[bold]median of {len(rows)}[/bold]", bars, *middle, f"{warned} with warnings")
    return table_text(table)


def _mark(row: dict[str, Any], name: str) -> str:
    return READINGS[row.get("reading", {}).get(name, "undefined")]


def _trust(name: str) -> str:
    return MEASURES[name].trust if name in MEASURES else "headline"


def _usual(name: str, real: dict[str, Any] | None) -> str:
    return f"{_number(name, real['low'])} to {_number(name, real['high'])}" if real else ""


def _number(name: str, value: float) -> str:
    count = name in COUNTS or name.startswith("longest_")
    return f"{round(value, 1):g}" if count else f"{value:.2f}"


def _table(headers: Sequence[str], numbers: int = 1) -> Table:
    """A table whose first column and those behind so many numbers are words."""
    return table_of([(header, not 0 < place <= numbers) for place, header in enumerate(headers)])
