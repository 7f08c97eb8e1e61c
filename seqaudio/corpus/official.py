"""Which pieces did the makers of a data set put on which side of the split?

Conventions: data sets say so in a CSV file at their root with a column for the file (``midi_filename``, ``filename``,
``file`` or ``path``, the first that is there) and one named ``split``. Paths are POSIX and relative to the CSV file,
and a folder may hold several sets, each with its own. A CSV file without these columns says nothing about splits and is
passed over, and so are rows for files that are not there (the audio of a set of which only the MIDI was fetched).

Sources: ``info.csv`` of the Groove MIDI Dataset, ``maestro-v3.0.0.csv`` of MAESTRO.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.limits import Limits

FILE_COLUMNS = ("midi_filename", "filename", "file", "path")
SPLITS = {"train": "train", "valid": "valid", "validation": "valid", "val": "valid", "test": "test"}
MAX_BYTES = 64 * 2**20  # a million rows


def official_splits(folder: Path) -> dict[str, str]:
    """The split of each file that the CSV files in ``folder`` and below assign.

    Returns:
        POSIX path relative to ``folder`` -> ``"train"``, ``"valid"`` or ``"test"``; empty when no CSV file says so.

    Raises:
        BadFileError: such a CSV file is malformed, names an unknown split or puts one file on two sides.
    """
    splits: dict[str, str] = {}
    for root in sorted({path.parent for path in folder.rglob("*.[cC][sS][vV]")}, key=lambda path: len(path.parts)):
        below = root.relative_to(folder)
        for name, split in _splits_at(root).items():
            splits.setdefault((below / name).as_posix(), split)  # of two sets, one in the other, the outer one says
    return splits


def _splits_at(root: Path) -> dict[str, str]:
    splits: dict[str, str] = {}
    for path in sorted(root.glob("*.[cC][sS][vV]")):
        for line, name, split in _rows(path):
            if splits.setdefault(name, split) != split:
                raise BadFileError(
                    f"{shown(path)}: line {line}: {shown(name)} is in {split} here and in {splits[name]} before; "
                    "give each file one split"
                )
    return splits


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line number, file and split of each row whose file is there; nothing if the table has no such columns."""
    table = path.is_file() and _table(path)
    if not table:
        return
    (_, header), *rows = table
    names = [cell.strip().lower() for cell in header]
    column = next((names.index(name) for name in FILE_COLUMNS if name in names), None)
    if column is None or "split" not in names:
        return
    which = names.index("split")
    for line, row in rows:
        if not row:
            continue  # a blank line
        place = f"{shown(path)}: line {line}"
        if len(row) <= max(column, which) or not row[column].strip():
            raise BadFileError(f"{place}: {len(row)} cells without a file and a split; mend or remove the line")
        name = _inside(row[column].strip(), place)
        if not (path.parent / name).is_file():
            continue
        split = SPLITS.get(row[which].strip().lower())
        if split is None:
            raise BadFileError(f"{place}: no split is named {row[which].strip()!r}; there are {', '.join(SPLITS)}")
        yield line, name, split


def _table(path: Path) -> list[tuple[int, list[str]]]:
    """Every row with the line it ends on; a file whose first line names no split is not read any further."""
    data = read_bytes(path, Limits(max_bytes=MAX_BYTES))
    if b"split" not in data[: data.find(b"\n")].lower():
        return []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise BadFileError(f"{shown(path)}: line {line}: not in UTF-8; save it as UTF-8 text") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return [(reader.line_num, row) for row in reader]
    except csv.Error as problem:
        raise BadFileError(f"{shown(path)}: line {reader.line_num}: {problem}; mend the CSV file") from None


def _inside(name: str, place: str) -> str:
    """The path in POSIX form; one that leaves the folder is refused."""
    posix = PurePosixPath(name.replace("\\", "/"))
    if posix.is_absolute() or ".." in posix.parts or PureWindowsPath(name).drive or not name.isprintable():
        raise BadFileError(f"{place}: {shown(name)[:200]} is outside the folder; give paths relative to the CSV file")
    return posix.as_posix()
