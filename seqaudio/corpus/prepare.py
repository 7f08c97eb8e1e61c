"""How does music in files become a prepared corpus, and how little of it must be done again?

files -> pieces -> (melody, or lead sheet) -> grid -> token ids; each piece kept or dropped by a rule with a name. A
prepared corpus is a folder that appears whole or not at all:

    tokens.npy        all ids in a row, in the smallest unsigned type that holds the vocabulary
    index.npy         int64 (pieces + 1,): piece i is tokens[index[i]:index[i + 1]]
    tokenizer.json
    manifest.json     options, sources, and for each piece: name, file, SHA-256, split, licence, group, sizes, losses
    files.jsonl       what the next run needs to take unchanged files from here (see journal.py)
    report.txt        what was kept, what was dropped and by which rule, for people

While it is being made, ``.OUT.part`` beside it holds the journal, and ``.OUT.lock`` keeps other runs away.
A run that was killed is gone on with from there; the result is the same, to the byte, as that of a run that never
stopped.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from seqaudio.corpus.assembly import Head, Placed, place, write_corpus
from seqaudio.corpus.cluster import run_on_cluster
from seqaudio.corpus.download import Progress, no_progress
from seqaudio.corpus.ground import clear_part, clear_unused, ground_of, make_part, put_back, put_in_place
from seqaudio.corpus.journal import Journal, Key, Record, read_records
from seqaudio.corpus.options import DEFAULTS, PrepareOptions
from seqaudio.corpus.pieces import PreparedFile, dropped_file, prepare_file, token_type
from seqaudio.corpus.provenance import versions_of
from seqaudio.corpus.report import EXAMPLES, nothing_kept, report_text
from seqaudio.corpus.sources import SourceFile, is_corpus, passed_over, source_files
from seqaudio.corpus.walk import Source, as_sources
from seqaudio.corpus.warming import preparation
from seqaudio.corpus.workers import Lost, run_isolated
from seqaudio.errors import BadFileError, NoNotesError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.locks import alone
from seqaudio.tokens.own import source_of

READERS = ("seqaudio", "numpy", "symusic", "music21", "miditok")  # another version may write other ids
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Counts:
    """How far a run is, in files, of which ``reused`` were finished before; and the pieces in them."""

    files: int
    done: int = 0
    reused: int = 0
    kept: int = 0
    dropped: int = 0


@dataclass(frozen=True)
class Summary:
    """What a run made: files read now and taken from before, pieces by split and by rule, and the report, shortened."""

    out: str
    files: int
    read: int
    reused: int
    pieces: dict[str, int]
    dropped: dict[str, int]
    tokens: int
    fingerprint: str
    report: str

    def facts(self) -> dict[str, Any]:
        """All but the report, as JSON values."""
        return {key: value for key, value in asdict(self).items() if key != "report"}


@dataclass(frozen=True)
class _Work:
    """Where a run reads, in worker processes or on a Dask cluster, and what one file may take there."""

    jobs: int
    dask: str
    timeout_s: float
    memory_mb: int

    def results(
        self, options: PrepareOptions, files: Sequence[SourceFile]
    ) -> Generator[tuple[int, PreparedFile | Lost], None, None]:
        """What becomes of each file, with its number, as it is done."""
        function = partial(prepare_file, options)
        budgets: dict[str, Any] = {"timeout_s": self.timeout_s, "memory_mb": self.memory_mb}
        budgets["prepare_worker"] = preparation(options, files)
        if files and self.dask:
            yield from run_on_cluster(function, files, self.dask, **budgets)
        elif files:
            yield from run_isolated(function, files, jobs=self.jobs, **budgets)


def prepare(
    sources: Source | Iterable[Source],
    out: str | os.PathLike[str],
    options: PrepareOptions = DEFAULTS,
    *,
    jobs: int = 1,
    dask: str = "",
    timeout_s: float = 60.0,
    memory_mb: int = 2048,
    show: Callable[[Counts], object] = lambda counts: None,
    fetching: Progress = no_progress,
) -> Summary:
    """Prepare folders, files, lists or named corpora into the folder ``out``.

    The result depends on the bytes of the files, the options and the versions, not on ``jobs``, the order of the
    directory, or on how often the run was killed before. Files that have not changed since ``out`` was made, or since
    the run that was killed, are not read again.

    Args:
        sources: one or several: folders, files, lists, each a str or a path, or names such as ``music21:oneills``.
        out: the folder to make; one that ``prepare`` made before is replaced, anything else is left alone.
        options: what to keep, as which tokens, and how to split.
        jobs: worker processes.
        dask: address of a Dask scheduler whose workers see the same files, instead of worker processes.
        timeout_s: seconds one file may take before it is dropped as hung.
        memory_mb: memory one file may take, in MB of 10^6 bytes, before it is dropped as crashed.
        show: called after every file with the counts so far.
        fetching: called while a named corpus is downloaded, with the bytes that are here and all of them, if known.

    Raises:
        OptionError: a source does not exist or is no str or path, ``out`` is something else than a prepared corpus, or
            another run is writing it.
        NoNotesError: no piece is left; the text gives the rules that dropped them and how to relax them.
        OSError: the disk is full; the same call goes on once it is not.
    """
    named = as_sources(sources, is_corpus)
    out, part = ground_of(out)

    @lru_cache(maxsize=1024)
    def is_ours(folder: str) -> bool:
        inside = Path(os.path.realpath(folder))
        return not {out, part}.isdisjoint((inside, *inside.parents))

    def ours(path: Path) -> bool:
        return is_ours(os.path.dirname(path))

    files = source_files(named, ours, fetching, options.limits)
    with alone(out, out.with_name(f".{out.name}.lock"), "seqaudio prepare"):
        make_part(out, part)
        try:
            put_back(out, part / "old")
            counts, records = _records(files, out, part, options, _Work(jobs, dask, timeout_s, memory_mb), show)
            placed = place(files, records, options)
            head = Head(named, options, _key(options), passed_over(named, ours))
            summary = _finish(head, placed, records, counts, out, part)
        except OSError as problem:
            raise _told(problem, out) from None
        finally:
            clear_unused(part)
        clear_part(part)
    return summary


def _told(problem: OSError, out: Path) -> OSError:
    """An error of the system; of a full disk with the name of what did not fit and the way on."""
    if problem.errno not in DISK_FULL:
        return problem
    reason = f"{problem.strerror}; make room, the same command goes on where it stopped"
    return OSError(problem.errno, reason, str(problem.filename or out))


def _records(
    files: Sequence[SourceFile],
    out: Path,
    part: Path,
    options: PrepareOptions,
    work: _Work,
    show: Callable[[Counts], object],
) -> tuple[Counts, list[Record]]:
    """What became of each file: found by an earlier run, or now."""
    key, dtype = _key(options), token_type(options.make_tokenizer())
    journal = Journal(part, key, dtype)
    try:
        known = {(r.name, r.sha256): r for r in [*_records_of_corpus(out, key, dtype), *journal.records] if r.sha256}
        names = {name for name, _ in known}
        records: dict[int, Record] = {}
        counts = Counts(len(files))
        for i, file in enumerate(files):
            if file.name in names and (found := known.get((file.name, _sha256(file, options)))):
                records[i] = found
                counts = _counted(counts, found, reused=True)
                show(counts)
        left = [i for i in range(len(files)) if i not in records]
        with closing(work.results(options, [files[i] for i in left])) as results:  # when interrupted, nobody works on
            for number, result in results:
                i = left[number]
                records[i] = journal.append(
                    dropped_file(files[i], result.rule, result.reason) if isinstance(result, Lost) else result
                )
                counts = _counted(counts, records[i])
                show(counts)
    finally:
        journal.close()
    return counts, [records[i] for i in range(len(files))]


def _counted(counts: Counts, record: Record, reused: bool = False) -> Counts:
    dropped = sum(bool(piece.rule) for piece in record.pieces)
    return replace(
        counts,
        done=counts.done + 1,
        reused=counts.reused + reused,
        kept=counts.kept + len(record.pieces) - dropped,
        dropped=counts.dropped + dropped,
    )


def _finish(
    head: Head, placed: Sequence[Sequence[Placed]], records: Sequence[Record], counts: Counts, out: Path, part: Path
) -> Summary:
    """Files, the name OUT."""
    pieces = [p for of_file in placed for p in of_file]
    rules = Counter(p.piece.rule for p in pieces if p.piece.rule)
    splits = Counter(p.split for p in pieces if not p.piece.rule)
    if not splits:
        clear_part(part)  # with other options, nothing in it can be used
        first = f"{pieces[0].piece.name}: {pieces[0].piece.reason}" if pieces else "no piece at all"
        raise NoNotesError(nothing_kept(", ".join(map(shown, head.sources)), rules, head.options, first))
    manifest = write_corpus(part / "new", head, placed, records)
    kept, dropped = ([p for p in pieces if bool(p.piece.rule) is gone] for gone in (False, True))
    put_in_place(part / "new", out, part / "old")
    return Summary(
        out=str(out),
        files=counts.files,
        read=counts.files - counts.reused,
        reused=counts.reused,
        pieces=dict(sorted(splits.items())),
        dropped=dict(sorted(rules.items())),
        tokens=sum(p.piece.tokens for p in pieces if not p.piece.rule),
        fingerprint=manifest["tokens_sha256"],
        report=report_text(head, kept, dropped, most=EXAMPLES),
    )


def _key(options: PrepareOptions) -> Key:
    """What the ids of a file depend on, beside its bytes."""
    tokenizer = options.make_tokenizer()
    digest = hashlib.sha256(tokenizer.to_json().encode() + source_of(tokenizer)).hexdigest()
    return {"versions": versions_of(READERS), "tokenizer": digest, "options": options.of_tokens}


def _records_of_corpus(out: Path, key: Key, dtype: np.dtype[np.unsignedinteger]) -> list[Record]:
    """What a prepared corpus holds of files that may not have changed; nothing from one made otherwise, or damaged."""
    tokens = out / "tokens.npy"
    try:
        with tokens.open("rb") as file:
            np.lib.format.read_magic(file)
            *_, found = np.lib.format.read_array_header_1_0(file)
            start = file.tell()
    except Exception:  # numpy parses Python here: a damaged header can raise nearly anything
        return []
    return (
        [record for record, _ in read_records(out / "files.jsonl", tokens, key, dtype, start)] if found == dtype else []
    )


def _sha256(file: SourceFile, options: PrepareOptions) -> str:
    try:
        return hashlib.sha256(read_bytes(file.path, options.limits)).hexdigest()
    except BadFileError:
        return ""
