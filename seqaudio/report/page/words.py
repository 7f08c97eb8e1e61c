"""What do the drawings say to those who do not see them? A sentence for each, and all of a piece as a table by bar."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqaudio.report.page.content import Figure, Floats, Ints, Matrix, Panel, Roll, Series

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
TABLE_BARS = 256  # rows of the table by bar
BAR_NOTES = 24  # notes named in a row
ALIKE = 0.5  # share of common notes from which a bar counts as a return


class Bar(NamedTuple):
    """A row of the table: its cells, the first of them the bar's number."""

    number: int
    is_new: bool
    cells: tuple[str, ...]


def pitch_name(pitch: int, is_drum: bool = False) -> str:
    """C4 is middle C, 60; drums are told by number."""
    return f"drum {pitch}" if is_drum else f"{NAMES[pitch % 12]}{pitch // 12 - 1}"


def number(value: float, figure: Figure) -> str:
    """A measure's value as it is printed."""
    if not np.isfinite(value):
        return "-"
    if figure.percent:
        return f"{100 * value:.0f} %"
    return f"{value:.2f} {figure.unit}".rstrip()


def say_roll(roll: Roll) -> str:
    """What the roll shows."""
    last = roll.first_bar + roll.bars - 1
    length = f"{len(roll.pitch)} notes in bars {roll.first_bar} to {last}, {roll.bar_lines_s[-1]:.0f} seconds"
    if not len(roll.pitch):
        return f"Piano roll: no notes in bars {roll.first_bar} to {last}."
    low, high = pitch_name(int(roll.pitch.min())), pitch_name(int(roll.pitch.max()))
    split = ""
    if roll.new_from_bar is not None:
        split = f" The continuation begins in bar {roll.first_bar + roll.new_from_bar}."
    return f"Piano roll: {length}, from {low} to {high}.{split}"


def say_matrix(matrix: Matrix) -> str:
    """How much of it returns: bars that have half of their notes, or more, in common with an earlier bar."""
    bars = len(matrix.values)
    best, _ = _best_before(matrix)
    start = matrix.new_from_bar or 0
    returning = int((best[start:] >= ALIKE).sum())
    which = "the new bars" if start else "the bars"
    return f"{bars} by {bars} bars. Of {which}, {returning} of {bars - start} are at least half like an earlier bar."


def say_series(series: Series) -> str:
    """Its means, on both sides of the cut."""
    said = []
    unit = f" {series.unit}" if series.unit else ""
    for name, values in series.lines.items():
        parts = [("", values)]
        if series.new_from_bar:
            parts = [
                (" of the primer", values[: series.new_from_bar]),
                (" of the continuation", values[series.new_from_bar :]),
            ]
        for where, part in parts:
            known = part[np.isfinite(part)]
            if len(known):
                said.append(f"{name}{where}: mean {known.mean():.2f}{unit}, highest {known.max():.2f}{unit}")
    text = "; ".join(said) + "." if said else "no bar has a number."
    return text[0].upper() + text[1:]


def bar_table(panel: Panel) -> tuple[list[str], list[Bar], int]:
    """Column heads, rows, and how many bars had no room; nothing without a roll."""
    roll = panel.roll
    if roll is None:
        return [], [], 0
    heads, columns = ["bar", "notes"], [_notes(roll)]
    for series in panel.series:
        for name, values in series.lines.items():
            head = name if len(series.lines) == 1 else f"{series.title}, {name}"
            heads.append(f"{head} ({series.unit})" if series.unit else head)
            columns.append(_placed([f"{v:.2f}" if np.isfinite(v) else "" for v in values], series.first_bar, roll))
    if panel.matrices:
        heads.append("most like bar")
        columns.append(_placed(_returns(panel.matrices[0]), panel.matrices[0].first_bar, roll))
    count = min(roll.bars, TABLE_BARS)
    start = max(0, min((roll.new_from_bar or 0) - TABLE_BARS // 4, roll.bars - count))
    rows = [
        Bar(
            roll.first_bar + bar,
            roll.new_from_bar is not None and bar >= roll.new_from_bar,
            tuple(column[bar] for column in columns),
        )
        for bar in range(start, start + count)
    ]
    return heads, rows, roll.bars - count


def _notes(roll: Roll) -> list[str]:
    """The names of what begins in each bar, of the notes that the model heard or wrote."""
    at = np.searchsorted(roll.bar_lines_s, roll.onset_s + 1e-6, side="right") - 1
    said: list[list[str]] = [[] for _ in range(roll.bars)]
    more = [0] * roll.bars
    for bar, pitch, drum, kind in zip(at.tolist(), roll.pitch.tolist(), roll.is_drum.tolist(), roll.kind, strict=True):
        if not 0 <= bar < roll.bars or not kind:
            continue
        if len(said[bar]) < BAR_NOTES:
            said[bar].append(pitch_name(pitch, drum))
        else:
            more[bar] += 1
    return [" ".join(names) + (f" and {n} more" if n else "") for names, n in zip(said, more, strict=True)]


def _best_before(matrix: Matrix) -> tuple[Floats, Ints]:
    """For each bar the highest similarity to an earlier one, (bars,), and which that is; the last of equals."""
    earlier = np.tril(matrix.values, -1)
    size = len(earlier)
    best = earlier.max(axis=1, initial=0.0)
    which = size - 1 - np.argmax(earlier[:, ::-1], axis=1) if size else np.zeros(0, np.int64)
    return best, which


def _returns(matrix: Matrix) -> list[str]:
    best, which = _best_before(matrix)
    return [
        f"{matrix.first_bar + earlier} ({100 * value:.0f} %)" if value >= ALIKE else ""
        for value, earlier in zip(best.tolist(), which.tolist(), strict=True)
    ]


def _placed(cells: list[str], first_bar: int, roll: Roll) -> list[str]:
    """Cells that begin at one bar, in the rows of the roll, which may begin at another."""
    shift = roll.first_bar - first_bar
    return [cells[bar + shift] if 0 <= bar + shift < len(cells) else "" for bar in range(roll.bars)]
