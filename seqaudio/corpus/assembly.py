"""How do finished files become a prepared corpus that is whole or not there?

The folder is built beside its place, synced to disk and renamed; what was there before goes only once the new one
stands. Memory holds what is known of each piece, and the ids of one file at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from seqaudio.corpus.ground import remove_corpus
from seqaudio.corpus.journal import Key, Record, key_line
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.pieces import PreparedPiece, token_type
from seqaudio.corpus.report import report_text
from seqaudio.corpus.sources import SourceFile
from seqaudio.corpus.splits import groups, sides_of, sides_with_official
from seqaudio.music.splits import SPLITS

FORMAT = 2
COPY = "copy of an official test/valid piece"


@dataclass(frozen=True)
class Placed:
    """A piece with its file, its group and its side of the split; ``piece.rule`` says why it was dropped, if it was."""

    file: SourceFile
    sha256: str
    piece: PreparedPiece
    group: str = ""
    split: str = ""


@dataclass(frozen=True)
class Head:
    """What a corpus is made from: sources, options, what its ids depend on, and how many files were not looked at."""

    sources: Sequence[str]
    options: PrepareOptions
    key: Key
    passed_over: Mapping[str, int]


def place(files: Sequence[SourceFile], records: Sequence[Record], options: PrepareOptions) -> list[list[Placed]]:
    """Every piece of each file with its group and side; copies of official evaluation pieces become dropped ones."""
    made = [
        [Placed(file, record.sha256, piece) for piece in record.pieces]
        for file, record in zip(files, records, strict=True)
    ]
    kept = [placed for of_file in made for placed in of_file if not placed.piece.rule]
    marks = [placed.piece.marks for placed in kept]
    official = [placed.file.split or placed.piece.split for placed in kept]
    shares = (options.seed, options.valid_share, options.test_share)
    sides = sides_with_official(
        marks, official, lambda names: sides_of(names, *shares, need_valid="valid" not in official)
    )
    evaluated = {p.piece.marks[0]: p.piece.name for p, side in zip(kept, official, strict=True) if side in SPLITS[1:]}
    placed_anew = iter(
        _with_side(placed, group, side, evaluated)
        for placed, group, side in zip(kept, groups(marks), sides, strict=True)
    )
    return [[placed if placed.piece.rule else next(placed_anew) for placed in of_file] for of_file in made]


def _with_side(placed: Placed, group: str, side: str, evaluated: dict[str, str]) -> Placed:
    if side:
        return replace(placed, group=group, split=side)
    reason = f"its notes, moved or not, are those of {evaluated[placed.piece.marks[0]]}, which may not be trained on"
    return replace(placed, piece=replace(placed.piece, rule=COPY, reason=reason))


def write_corpus(
    folder: Path, head: Head, placed: Sequence[Sequence[Placed]], records: Sequence[Record]
) -> dict[str, Any]:
    """Write all files of a prepared corpus into a new folder; returns the manifest without its lists of pieces."""
    options = head.options
    remove_corpus(folder)
    folder.mkdir()
    kept = [p for of_file in placed for p in of_file if not p.piece.rule]
    dropped = [p for of_file in placed for p in of_file if p.piece.rule]
    with (folder / "tokens.npy").open("wb") as data, (folder / "files.jsonl").open("wb") as lines:
        lines.write(key_line(head.key))
        sha256 = _write_tokens(data, lines, options, placed, records)
    np.save(folder / "index.npy", np.cumsum([0, *(p.piece.tokens for p in kept)], dtype=np.int64))
    options.make_tokenizer().save(folder / "tokenizer.json")
    (folder / "report.txt").write_text(report_text(head, kept, dropped), encoding="utf-8")
    facts = {
        "format": FORMAT,
        "versions": head.key["versions"],
        "sources": list(head.sources),
        "options": options.model_dump(mode="json"),
        "tokens_sha256": sha256,
        "files_not_looked_at": dict(head.passed_over),
    }
    with (folder / "manifest.json").open("w", encoding="utf-8") as file:
        _write_manifest(file, facts, {"pieces": map(_kept_facts, kept), "dropped": map(_dropped_facts, dropped)})
    for path in folder.iterdir():
        _sync(path)
    return facts


def _write_tokens(
    data: IO[bytes],
    lines: IO[bytes],
    options: PrepareOptions,
    placed: Sequence[Sequence[Placed]],
    records: Sequence[Record],
) -> str:
    """The ids of all kept pieces as ``np.save`` would write them, and the lines that find them again; their SHA-256."""
    dtype = token_type(options.make_tokenizer())
    total = sum(p.piece.tokens for of_file in placed for p in of_file if not p.piece.rule)
    facts = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (total,)}
    np.lib.format.write_array_header_1_0(data, facts)
    data.flush()
    digest = hashlib.sha256(Path(data.name).read_bytes())
    written = 0
    for of_file, record in zip(placed, records, strict=True):
        ids = record.ids(dtype)
        ends = np.cumsum([0, *(piece.tokens for piece in record.pieces)])
        parts = [ids[a:b] for a, b, p in zip(ends, ends[1:], of_file, strict=False) if not p.piece.rule]
        for part in parts:
            data.write(part.tobytes())
            digest.update(part.tobytes())
        now_written = sum(map(len, parts))
        if now_written == len(ids):  # a file that lost copies cannot be taken from here: it is read again
            lines.write(record.line(written))
        written += now_written
    return digest.hexdigest()


def _kept_facts(placed: Placed) -> dict[str, object]:
    piece = placed.piece
    return {
        "name": piece.name,
        "file": placed.file.name,
        "sha256": placed.sha256,
        "split": placed.split,
        "licence": placed.file.licence,
        "group": placed.group,
        "notes": piece.notes,
        "bars": piece.bars,
        "tokens": piece.tokens,
        "lost": piece.lost,
    }


def _dropped_facts(placed: Placed) -> dict[str, object]:
    piece = placed.piece
    return {
        "name": piece.name,
        "file": placed.file.name,
        "sha256": placed.sha256,
        "rule": piece.rule,
        "reason": piece.reason,
    }


def _write_manifest(file: IO[str], head: dict[str, Any], lists: dict[str, Iterator[dict[str, object]]]) -> None:
    """One JSON object, a line for each fact and each piece, without holding its text."""
    file.write("{\n" + ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()))
    for key, values in lists.items():
        file.write(f",\n {json.dumps(key)}: [")
        for number, value in enumerate(values):
            file.write(",\n  " if number else "\n  ")
            file.write(json.dumps(value, ensure_ascii=False))
        file.write("\n ]")
    file.write("\n}\n")


def _sync(path: Path) -> None:
    """Have the system write a file to disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
