"""Which pieces did the makers of a data set put on which side of the split?

Conventions: data sets say so in a CSV file at their root with a column for the file (``midi_filename``, ``filename``,
``file`` or ``path``, the first that is there) and one named ``split``. Paths are POSIX and relative to the CSV file,
and a folder may hold several sets, each with its own. A CSV file whose first line lacks these columns says nothing
about splits and is passed over, as is one that cannot be read or is larger than 64 MiB, and so are rows for files that
are not there (the audio of a set of which only the MIDI was fetched). A table that is malformed is passed over too,
unless one of its lines names a file that is there: then it is about this music, and its split must not get lost.

Sources: ``info.csv`` of the Groove MIDI Dataset, ``maestro-v3.0.0.csv`` of MAESTRO.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath, PureWindowsPath

from seqaudio.corpus.walk import walk
from seqaudio.errors import BadFileError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.limits import Limits

FILE_COLUMNS = ("midi_filename", "filename", "file", "path")
SPLITS = {"train": "train", "valid": "valid", "validation": "valid", "val": "valid", "test": "test"}
MAX_BYTES = 64 * 2**20  # a million rows
MAX_HEADER_BYTES = 2**16
LEAVE_OUT = "remove or rename the table if it is not about this music"


def official_splits(folder: Path) -> dict[str, str]:
    """The split of each file that the CSV files in ``folder`` and below assign.

    Returns:
        POSIX path relative to ``folder`` -> ``"train"``, ``"valid"`` or ``"test"``; empty when no CSV file says so.

    Raises:
        BadFileError: a CSV file about these files is malformed, names an unknown split or puts one on two sides.
    """
    splits: dict[str, str] = {}
    roots = {path.parent for path in walk(folder).files if path.suffix.lower() == ".csv"}
    for root in sorted(roots, key=lambda path: len(path.parts)):
        below = root.relative_to(folder)
        for name, split in _splits_at(root).items():
            splits.setdefault((below / name).as_posix(), split)  # of two sets, one in the other, the outer one says
    return splits


def official_splits_of(paths: Iterable[Path]) -> dict[Path, str]:
    """The split of each of these files that CSV files in its folder and in those above it assign.

    Raises as :func:`official_splits`; of two sets, one in the other, the outer one says.
    """
    splits: dict[Path, str] = {}
    splits_at = cache(_splits_at)
    for path in paths:
        whole = Path(os.path.abspath(path))
        for folder in reversed(whole.parents):
            split = splits_at(folder).get(whole.relative_to(folder).as_posix())
            if split:
                splits.setdefault(path, split)
    return splits


def _splits_at(root: Path) -> dict[str, str]:
    splits: dict[str, str] = {}
    try:
        tables = sorted(root.glob("*.[cC][sS][vV]"))
    except OSError:  # a folder that a list names, closed or with too long a name: its files are dropped with the reason
        return {}
    for path in tables:
        for line, name, split in _rows(path):
            if splits.setdefault(name, split) != split:
                raise BadFileError(
                    f"{shown(path)}: line {line}: {shown(name)} is in {split} here and in {splits[name]} before; "
                    f"give each file one split, or {LEAVE_OUT}"
                )
    return splits


def _rows(path: Path) -> list[tuple[int, str, str]]:
    """Line number, file and split of each row whose file is there; none if the table is about something else."""
    columns = _columns(path)
    if columns is None:
        return []
    try:
        data = read_bytes(path, Limits(max_bytes=MAX_BYTES))
    except BadFileError:
        return []
    try:
        return list(_strict_rows(path, data, *columns))
    except BadFileError:
        if _names_a_file(path.parent, data, columns[0]):
            raise
        return []


def _columns(path: Path) -> tuple[int, int] | None:
    """Where the first line has the file and the split; nothing behind it is read."""
    try:
        if not path.is_file():
            return None
        with open(path, "rb") as file:
            first = file.readline(MAX_HEADER_BYTES).decode("utf-8-sig", "replace")
        header = next(csv.reader(io.StringIO(first, newline="")), [])
    except (OSError, csv.Error):
        return None
    names = [cell.strip().lower() for cell in header]
    column = next((names.index(name) for name in FILE_COLUMNS if name in names), None)
    return None if column is None or "split" not in names else (column, names.index("split"))


def _names_a_file(folder: Path, data: bytes, column: int) -> bool:
    """Does any line name a file that is there, however badly the table is written?"""
    for line in data.decode("utf-8", "surrogateescape").splitlines()[1:]:
        try:
            cells = next(csv.reader([line]), [])
            if len(cells) > column and (folder / _inside(cells[column].strip(), "")).is_file():
                return True
        except (csv.Error, BadFileError, OSError):
            continue
    return False


def _strict_rows(path: Path, data: bytes, column: int, which: int) -> Iterator[tuple[int, str, str]]:
    for line, row in _table(path, data)[1:]:
        if not row:
            continue  # a blank line
        place = f"{shown(path)}: line {line}"
        if len(row) <= max(column, which) or not row[column].strip():
            raise BadFileError(f"{place}: {len(row)} cells without a file and a split; mend the line, or {LEAVE_OUT}")
        name = _inside(row[column].strip(), place)
        if not os.path.isfile(path.parent / name):  # which says so of a name that is too long, too
            continue
        split = SPLITS.get(row[which].strip().lower())
        if split is None:
            raise BadFileError(
                f"{place}: no split is named {row[which].strip()[:40]!r}; there are {', '.join(SPLITS)}: "
                f"mend the line, or {LEAVE_OUT}"
            )
        yield line, name, split


def _table(path: Path, data: bytes) -> list[tuple[int, list[str]]]:
    """Every row with the line it ends on."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise BadFileError(f"{shown(path)}: line {line}: not in UTF-8; save it as UTF-8 text, or {LEAVE_OUT}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return [(reader.line_num, row) for row in reader]
    except csv.Error as problem:
        place = f"{shown(path)}: line {reader.line_num}"
        raise BadFileError(f"{place}: {problem}; mend the CSV file, or {LEAVE_OUT}") from None


def _inside(name: str, place: str) -> str:
    """The path in POSIX form; one that leaves the folder is refused."""
    posix = PurePosixPath(name.replace("\\", "/"))
    if posix.is_absolute() or ".." in posix.parts or PureWindowsPath(name).drive or not name.isprintable():
        raise BadFileError(
            f"{place}: {shown(name)[:200]} is outside the folder; give paths relative to the CSV file, or {LEAVE_OUT}"
        )
    return posix.as_posix()
