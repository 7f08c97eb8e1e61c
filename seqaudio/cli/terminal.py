"""How is what a command says shown? Progress goes to stderr, only when a person is watching; tables are text."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

LINE_EVERY_S = 10.0  # where no person is watching
WIDTH = 1000  # columns where no person is watching: a row stays a line


def console() -> Console:
    """The console for progress bars: stderr, silent when it is no terminal."""
    shown = Console(stderr=True)
    shown.quiet = not shown.is_terminal
    return shown


@contextmanager
def bars() -> Iterator[tuple[Progress, Callable[[str], None]]]:
    """Progress as bars to a person, whose tasks say what they are ``doing``; and as a line now and then to a log."""
    watched, last = console(), time.monotonic()

    def log(line: str) -> None:
        nonlocal last
        if watched.quiet and time.monotonic() - last >= LINE_EVERY_S:
            last = time.monotonic()
            click.echo(line, err=True)

    columns = (TextColumn("{task.fields[doing]}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeRemainingColumn(), console=watched) as bar:
        yield bar, log


def table(headers: Sequence[str], *, left: int = 1, last_left: bool = False) -> Table:
    """An empty table: the first so many columns are words and stand left, the others are numbers and stand right.

    Args:
        headers: of the columns.
        left: how many of them are words.
        last_left: the last is words too.
    """
    return table_of(
        [(header, place < left or (last_left and place == len(headers) - 1)) for place, header in enumerate(headers)]
    )


def table_of(columns: Sequence[tuple[str, bool]]) -> Table:
    """An empty table of columns: header, and whether it stands left."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for header, left in columns:
        made.add_column(header, justify="left" if left else "right", overflow="fold")
    return made


def table_text(table: Table) -> str:
    """A table as text: as wide as the terminal, coloured only there."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def span(value: float, ends: tuple[float, float] | None, most: float, form: str = "g") -> str:
    """A figure with its interval, where infinity is more than the most that was measured: 3.1 (2.5 to over 128)."""

    def said(number: float) -> str:
        return f"{number:{form}}" if math.isfinite(number) else f"over {most:g}"

    return said(value) if ends is None else f"{said(value)} ({said(ends[0])} to {said(ends[1])})"
