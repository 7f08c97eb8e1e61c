"""How does music in files become a prepared corpus?

files -> pieces -> (melody) -> grid -> token ids; each piece kept or dropped by a rule with a name. A prepared corpus
is a folder that appears whole or not at all:

    tokens.npy        all ids in a row, uint16
    index.npy         int64 (pieces + 1,): piece i is tokens[index[i]:index[i + 1]]
    tokenizer.json
    manifest.json     options, sources, and for each piece: name, split, group, notes, bars, SHA-256 of its file
    report.txt        what was kept, what was dropped and by which rule, for people
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from seqaudio.corpus.named import CORPORA, corpus_folder
from seqaudio.corpus.report import report_text
from seqaudio.corpus.splits import groups, marks, sides_of
from seqaudio.errors import BadFileError, NoNotesError, OptionError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.reader import MUSIC_SUFFIXES, Piece, read_pieces
from seqaudio.music.melody import find_melody
from seqaudio.music.metre import with_gathered_beats
from seqaudio.tokens.bars import BarsTokenizer

FORMAT = 1
FILES = {"tokens.npy", "index.npy", "tokenizer.json", "manifest.json", "report.txt"}


class PrepareOptions(BaseModel):
    """What decides which tokens come out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    melody: bool = Field(False, description="keep only the melody of each piece, without programs and velocities")
    min_notes: int = Field(16, ge=1)
    min_bars: int = Field(4, ge=1)
    max_tokens: int = Field(65_536, ge=16)
    valid_share: float = Field(0.05, ge=0, lt=1)
    test_share: float = Field(0.05, ge=0, lt=1)
    seed: int = 0

    @model_validator(mode="after")
    def _room_for_training(self) -> PrepareOptions:
        if self.valid_share + self.test_share >= 1:
            raise ValueError("valid_share and test_share together must stay below 1")
        return self

    @property
    def tokenizer(self) -> BarsTokenizer:
        """The tokenizer these options ask for."""
        kept = not self.melody
        return BarsTokenizer(programs=kept, velocities=kept, tempos=kept, pedals="durations" if kept else "drop")


DEFAULTS = PrepareOptions()


@dataclass(frozen=True)
class Prepared:
    """A piece that was kept, as ids, or the rule that dropped it."""

    name: str
    source: str
    sha256: str
    rule: str = ""  # empty: kept
    reason: str = ""
    ids: NDArray[np.uint16] | None = None
    marks: tuple[str, ...] = ()
    notes: int = 0
    bars: int = 0
    lost: tuple[tuple[str, int], ...] = ()
    group: str = ""
    split: str = ""


def music_files(source: str) -> list[tuple[str, Path]]:
    """The files of a folder (recursively), a single file or a named corpus: (name to print, path), sorted by name.

    Raises:
        OptionError: the source does not exist.
        NoNotesError: it holds no music file.
    """
    if source in CORPORA or source.startswith("music21:"):
        folder, prefix = corpus_folder(source), source + "/"
    else:
        folder, prefix = Path(source), ""
    if folder.is_file():
        return [(prefix + folder.name, folder)]
    if not folder.is_dir():
        raise OptionError(f"{shown(source)}: no such folder or corpus; corpora are {', '.join(CORPORA)}")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in MUSIC_SUFFIXES and path.is_file()]
    if not found:
        raise NoNotesError(f"{shown(source)}: no music file inside (looked for {', '.join(MUSIC_SUFFIXES)})")
    return sorted((prefix + path.relative_to(folder).as_posix(), path) for path in found)


def prepare_file(options: PrepareOptions, named_path: tuple[str, Path]) -> list[Prepared]:
    """Every piece of one file, kept or dropped."""
    name, path = named_path
    try:
        sha256 = hashlib.sha256(read_bytes(path)).hexdigest()
        pieces, problems = read_pieces(path)
    except (BadFileError, OSError) as problem:
        return [Prepared(name, name, "", "unreadable", str(problem))]
    results = [Prepared(str(problem), name, sha256, "unreadable", str(problem)) for problem in problems]
    folder = name[: -len(path.name)]
    for piece in pieces:
        # the books of a named corpus are numbered throughout: one number is one tune, in however many transcriptions
        number = f"{folder}{piece.name.partition('#')[2]}" if folder.startswith(tuple(CORPORA)) else ""
        results.append(_prepare_piece(options, piece, folder + piece.name, name, sha256, number))
    return results


def _prepare_piece(options: PrepareOptions, piece: Piece, name: str, source: str, sha256: str, number: str) -> Prepared:
    dropped = partial(Prepared, name, source, sha256)
    score = with_gathered_beats(piece.score)
    beside, drums = 0, int(piece.score.is_drum.sum()) if options.melody else 0
    try:
        if options.melody:
            score = find_melody(score).score
            beside = int((~piece.score.is_drum).sum()) - len(score)
    except NoNotesError as problem:
        return dropped("no melody", str(problem))
    tokenizer = options.tokenizer
    grid, loss = tokenizer.quantize(score)
    bars = len(grid.bars()) - 1
    if len(grid) < options.min_notes:
        return dropped("too few notes", f"{len(grid)} notes, min_notes is {options.min_notes}")
    if bars < options.min_bars:
        return dropped("too few bars", f"{bars} bars, min_bars is {options.min_bars}")
    ids = tokenizer.encode(grid)
    if len(ids) > options.max_tokens:
        return dropped("too long", f"{len(ids)} tokens, max_tokens is {options.max_tokens}")
    lost = (
        Counter(loss.nonzero())
        + Counter({"notes_beside_the_melody": beside, "drums_dropped": drums})
        + Counter({f"reader: {what}": count for what, count in piece.dropped.items()})
    )
    return Prepared(
        name,
        source,
        sha256,
        ids=ids.astype(np.uint16),
        marks=tuple(marks(grid)) + ((f"number:{number}",) if number else ()),
        notes=len(grid),
        bars=bars,
        lost=tuple(sorted(lost.items())),
    )


def prepare(
    sources: Sequence[str],
    out: str | Path,
    options: PrepareOptions = DEFAULTS,
    *,
    jobs: int = 1,
    progress: Callable[[Iterable[list[Prepared]], int], Iterable[list[Prepared]]] = lambda items, total: items,
) -> str:
    """Prepare folders, files or named corpora into the folder ``out``; returns the report.

    The result depends on the bytes of the files and the options, not on ``jobs`` or the order of the directory.

    Args:
        sources: folders, single files or names such as ``music21:oneills``.
        out: the folder to make; one that ``prepare`` made before is replaced, anything else is left alone.
        options: what to keep and how to split.
        jobs: worker processes.
        progress: wraps the iterable of results per file, with their total, to show progress.

    Raises:
        OptionError: a source does not exist, or ``out`` is something else than a prepared corpus.
        NoNotesError: no piece is left; the text gives the rules that dropped them.
    """
    out = Path(out)
    if out.exists() and not _may_be_replaced(out):
        raise OptionError(f"{shown(out)}: exists and is no prepared corpus; name a new folder")
    files = [named for source in sources for named in music_files(source)]
    with ExitStack() as stack:
        results: Iterator[list[Prepared]] = map(partial(prepare_file, options), files)
        if jobs > 1:
            pool = ProcessPoolExecutor(jobs, initializer=_end_with_parent, initargs=(os.getpid(),))
            stack.callback(pool.shutdown, cancel_futures=True)  # an interruption does not wait for the rest
            results = pool.map(partial(prepare_file, options), files, chunksize=4)
        pieces = [piece for of_file in progress(results, len(files)) for piece in of_file]
    kept = _with_groups([piece for piece in pieces if not piece.rule], options)
    report = report_text(sources, options, kept, [piece for piece in pieces if piece.rule])
    if not kept:
        rules = Counter(piece.rule for piece in pieces).most_common(3)
        raise NoNotesError(
            f"no usable piece in {', '.join(map(shown, sources))}: {'; '.join(f'{n} x {rule}' for rule, n in rules)}"
        )
    _write(out, sources, options, kept, [piece for piece in pieces if piece.rule], report)
    return report


def _end_with_parent(parent: int) -> None:
    """In a worker: stop as soon as the process that started it is gone, killed or not."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _with_groups(kept: list[Prepared], options: PrepareOptions) -> list[Prepared]:
    """The pieces with the group each belongs to and the side of the split it goes to."""
    names = groups([piece.marks for piece in kept])
    sides = sides_of(names, options.seed, options.valid_share, options.test_share)
    return [replace(p, group=name, split=where) for p, name, where in zip(kept, names, sides, strict=True)]


def _write(
    out: Path,
    sources: Sequence[str],
    options: PrepareOptions,
    kept: list[Prepared],
    dropped: list[Prepared],
    report: str,
) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        ids = [piece.ids for piece in kept if piece.ids is not None]
        np.save(part / "tokens.npy", np.concatenate(ids))
        np.save(part / "index.npy", np.cumsum([0, *map(len, ids)], dtype=np.int64))
        options.tokenizer.save(part / "tokenizer.json")
        (part / "report.txt").write_text(report, encoding="utf-8")
        manifest = {
            "format": FORMAT,
            "versions": {name: version(name) for name in ("seqaudio", "numpy", "symusic")},
            "sources": list(sources),
            "licences": {source: CORPORA[source].licence for source in sources if source in CORPORA},
            "options": options.model_dump(),
            "tokens_sha256": hashlib.sha256((part / "tokens.npy").read_bytes()).hexdigest(),
            "pieces": [
                {
                    "name": piece.name,
                    "split": piece.split,
                    "group": piece.group,
                    "notes": piece.notes,
                    "bars": piece.bars,
                    "sha256": piece.sha256,
                    "lost": dict(piece.lost),
                }
                for piece in kept
            ],
            "dropped": [{"name": p.name, "rule": p.rule, "reason": p.reason} for p in dropped],
        }
        (part / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
        part.chmod(0o755)  # as any new folder, not as a temporary one
        _put_in_place(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _may_be_replaced(out: Path) -> bool:
    """Is this an empty folder, or a prepared corpus with nothing else inside?"""
    if not out.is_dir():
        return False
    inside = {path.name for path in out.iterdir()}
    return not inside or ("manifest.json" in inside and inside <= FILES)


def _put_in_place(part: Path, out: Path) -> None:
    """Give ``part`` the name ``out``; what was there before goes only once the new folder stands."""
    if not out.exists():
        part.rename(out)
        return
    old = part.with_name(part.name + "-old")
    out.rename(old)
    try:
        part.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)
