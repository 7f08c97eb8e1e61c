"""How does finished work survive a kill? File by file, in two files that only grow.

    data     the ids of all files in a row, in the smallest type that holds the vocabulary
    lines    first what the ids depend on (versions, tokenizer, options), then one JSON object per finished file, behind
             the CRC-32 of its text

The ids are written before their line, and the line carries their CRC-32 too: whatever a killed process or a full disk
left behind, the lines up to the first that is torn or does not fit are sound. A prepared corpus holds the same two
files, its ``tokens.npy`` being the data, so the next run takes unchanged files from there in the same way.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.corpus.pieces import PreparedFile, PreparedPiece
from seqaudio.corpus.provenance import TORN
from seqaudio.errors import BadFileError
from seqaudio.files.atomic import shown
from seqaudio.music.splits import SPLITS

Key = dict[str, Any]  # what the ids depend on, as JSON values


@dataclass(frozen=True)
class Record:
    """A finished file, its ids still on disk: ``tokens`` of them in ``data``, from the byte ``at`` on."""

    name: str
    sha256: str
    pieces: tuple[PreparedPiece, ...]
    data: Path
    at: int
    tokens: int
    crc: int

    def ids(self, dtype: np.dtype[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
        """The ids of the file's kept pieces in a row, (tokens,). Raises BadFileError when they are no longer there."""
        ids = np.fromfile(self.data, dtype, self.tokens, offset=self.at) if self.tokens else np.zeros(0, dtype)
        if zlib.crc32(ids.tobytes()) != self.crc:
            raise BadFileError(f"{shown(self.data)}: changed while it was being read; remove it and start again")
        return ids

    def line(self, at: int) -> bytes:
        """The JSON line of this file when its ids begin at the token ``at``."""
        pieces = [{key: value for key, value in asdict(piece).items() if value} for piece in self.pieces]
        values = {"file": self.name, "sha256": self.sha256, "at": at, "crc": self.crc, "pieces": pieces}
        text = json.dumps(values).encode()
        return b"%08x %b\n" % (zlib.crc32(text), text)


def read_records(lines: Path, data: Path, key: Key, dtype: np.dtype[Any], start: int) -> Iterator[tuple[Record, int]]:
    """The sound records of two files made under the same key, each with the byte where its line ends.

    Args:
        lines: the file of JSON lines.
        data: the file of ids.
        key: what the ids depend on; under another key there are no records.
        dtype: type of the ids.
        start: the byte of ``data`` where the ids begin.
    """
    if not (lines.is_file() and data.is_file()):
        return
    with lines.open("rb") as line_file, data.open("rb") as data_file:
        first, size = line_file.readline(), data.stat().st_size
        if first != key_line(key):
            return
        end = len(first)
        for line in line_file:
            record = _record(line, data, dtype.itemsize, start)
            if record is None or record.at + record.tokens * dtype.itemsize > size:
                return
            data_file.seek(record.at)
            if zlib.crc32(data_file.read(record.tokens * dtype.itemsize)) != record.crc:
                return
            end += len(line)
            yield record, end


def key_line(key: Key) -> bytes:
    """The first line of a file of lines."""
    return json.dumps(key, sort_keys=True).encode() + b"\n"


def _record(line: bytes, data: Path, itemsize: int, start: int) -> Record | None:
    """The record of a line; None for one that is torn."""
    try:
        crc, _, text = line.removesuffix(b"\n").partition(b" ")
        if not line.endswith(b"\n") or int(crc, 16) != zlib.crc32(text):
            return None
        values = json.loads(text)
        pieces = tuple(PreparedPiece(**{**p, "marks": tuple(p.get("marks", ()))}) for p in values["pieces"])
        name, sha256, first, crc_of_ids = (values[key] for key in ("file", "sha256", "at", "crc"))
        if not (
            _are(str, name, sha256) and _are(int, first, crc_of_ids) and first >= 0 and all(map(_is_sound, pieces))
        ):
            return None
        tokens = sum(piece.tokens for piece in pieces)
        return Record(name, sha256, pieces, data, start + first * itemsize, tokens, crc_of_ids)
    except TORN:
        return None


def _is_sound(piece: PreparedPiece) -> bool:
    """Has a stored piece the types of a piece? Somebody may have edited it, with its CRC."""
    sizes = (piece.tokens, piece.notes, piece.bars, piece.lowest, *piece.lost.values())
    words = (piece.name, piece.rule, piece.reason, piece.split, *piece.marks, *piece.lost)
    right = _are(str, *words) and _are(int, *sizes) and min(sizes) >= 0 and piece.split in ("", *SPLITS)
    return right and (piece.tokens == 0 if piece.rule else piece.tokens > 0 and len(piece.marks) > 0)


def _are(kind: type, *values: object) -> bool:
    """Have all values exactly this type? (True is no number here.)"""
    return all(type(value) is kind for value in values)


class Journal:
    """The finished files of a run, in a folder; opening it again goes on behind the last sound line.

    Args:
        folder: where its two files lie.
        key: what the ids depend on; what was written under another key is thrown away.
        dtype: type of the ids.
    """

    def __init__(self, folder: Path, key: Key, dtype: np.dtype[np.unsignedinteger]) -> None:
        self._data_path, lines = folder / "tokens.bin", folder / "files.jsonl"
        found = list(read_records(lines, self._data_path, key, dtype, 0))
        self.records = [record for record, _ in found]
        self._dtype = dtype
        self._at = sum(record.tokens for record in self.records)
        self._data = self._data_path.open("ab")
        self._lines = lines.open("ab")
        self._data.truncate(self._at * dtype.itemsize)
        self._lines.truncate(found[-1][1] if found else 0)
        if not found:
            self._lines.write(key_line(key))
            self._lines.flush()

    def append(self, file: PreparedFile) -> Record:
        """Write a finished file down; once this returns, no kill can undo it."""
        ids = file.ids.astype(self._dtype).tobytes()
        at = self._at * self._dtype.itemsize
        record = Record(file.name, file.sha256, file.pieces, self._data_path, at, len(file.ids), zlib.crc32(ids))
        self._data.write(ids)
        self._data.flush()
        self._lines.write(record.line(self._at))
        self._lines.flush()
        self._at += record.tokens
        return record

    def close(self) -> None:
        """Close both files."""
        for file in (self._data, self._lines):
            try:
                file.close()
            except OSError:  # of a full disk, which append has reported already
                pass
