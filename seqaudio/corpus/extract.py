"""How do folders of recordings become files of features, and how little of it must be done again?

    a/x.npz         the features of ``a/x.wav``, see ``corpus/feature_files.py``
    manifest.json   command's options, versions, and for each recording: name, size, time of change, and what was made;
                    and those that were refused, with the reason
    .journal.jsonl  while a run is under way: what it needs to go on after a kill

A folder of features has one set of options. What has not changed since (by size and time of change) is not read again,
what was refused is tried again, and what earlier runs made of other recordings stays.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from seqaudio.corpus.feature_files import Extracted, extract_file, readiness
from seqaudio.corpus.feature_options import FeatureOptions
from seqaudio.corpus.ground import MANIFEST
from seqaudio.corpus.provenance import TORN, versions_of
from seqaudio.corpus.recordings import SoundFile, sound_files
from seqaudio.corpus.walk import Source, as_sources
from seqaudio.corpus.workers import Lost, run_isolated
from seqaudio.errors import BadFileError, NoSoundError, OptionError
from seqaudio.files.atomic import append_line, clear_unfinished, read_bytes, shown, write_bytes
from seqaudio.files.limits import DEFAULT_LIMITS, Limits
from seqaudio.files.locks import alone, cannot_be_written

FORMAT = 1
MAKERS = ("seqaudio", "numpy", "torch", "torchaudio", "librosa", "soundfile", "soxr")  # others may make other numbers
JOURNAL, MANIFEST_NAME = ".journal.jsonl", "manifest.json"

Facts = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a run is, in recordings: ``reused`` were done before, ``refused`` are of no use."""

    files: int
    done: int = 0
    reused: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Extraction:
    """What a run made: recordings read now and unchanged since, why others were refused, and remarks with counts."""

    out: str
    files: int
    read: int
    reused: int
    refused: dict[str, str]
    remarks: dict[str, int]
    seconds: float
    outputs: list[str]

    def facts(self) -> Facts:
        """All of it as JSON values."""
        return asdict(self)


def extract_features(
    sources: Source | Iterable[Source],
    out: str | os.PathLike[str],
    options: FeatureOptions,
    *,
    limits: Limits = DEFAULT_LIMITS,
    jobs: int = 1,
    timeout_s: float = 60.0,
    memory_mb: int = 2048,
    show: Callable[[Progress], object] = lambda progress: None,
) -> Extraction:
    """Write the features of every recording into the folder ``out``, one .npz each.

    The files depend on the recordings, the options and the versions, not on ``jobs`` or on how often the run was
    stopped before.

    Args:
        sources: one or several folders and recordings, each a str or a path.
        out: a new or empty folder, or one of an earlier run with the same options.
        options: which features.
        limits: budgets for one recording.
        jobs: worker processes.
        timeout_s: seconds that one recording may take.
        memory_mb: memory that one recording may take, in MB of 10^6 bytes.
        show: called after every recording.

    Raises:
        OptionError: a source does not exist or is no str or path, a feature has no such setting, ``out`` holds other
            things or was made with other options, or another run is writing it.
        NoSoundError: no recording can be used.
        BadFileError: the folder cannot be written, or its manifest is damaged.
    """
    folder = Path(os.path.realpath(out))
    named = as_sources(sources)
    files = sound_files(named)
    with alone(folder, folder.with_name(f".{folder.name}.lock"), "seqaudio features"):
        shelf = _Shelf(folder, options)
        work = partial(extract_file, options, limits, folder)
        budgets: dict[str, Any] = {"jobs": jobs, "timeout_s": timeout_s, "memory_mb": memory_mb}
        try:
            made, refused, reused = _fill(shelf, files, work, readiness(options, files), budgets, show)
            shelf.close(named, refused)
        finally:
            shelf.clear_unused()
    if not made:
        name, reason = next(iter(refused.items()))
        raise NoSoundError(f"none of {len(files)} recordings can be used; the first, {shown(name)}: {reason}")
    return Extraction(
        out=str(out),
        files=len(files),
        read=len(files) - reused,
        reused=reused,
        refused=refused,
        remarks=dict(Counter(remark for record in made for remark in record["remarks"])),
        seconds=round(sum(record["seconds"] for record in made), 3),
        outputs=[record["output"] for record in made],
    )


def _fill(
    shelf: _Shelf,
    files: Sequence[SoundFile],
    work: Callable[[SoundFile], Extracted],
    ready: Callable[[], None],
    budgets: dict[str, Any],
    show: Callable[[Progress], object],
) -> tuple[list[Facts], dict[str, str], int]:
    """What is known of each recording that is of use, why the others are refused, and how many were done before."""
    made = {i: record for i, file in enumerate(files) if (record := shelf.unchanged(file))}
    left, refused = [i for i in range(len(files)) if i not in made], dict[int, str]()
    progress = Progress(len(files), done=len(made), reused=len(made))
    show(progress)
    if left:
        results = run_isolated(work, [files[i] for i in left], prepare_worker=ready, in_turn=False, **budgets)
        with closing(results):  # when interrupted, nobody works on
            for number, result in results:
                i = left[number]
                if isinstance(result, Lost) or result.reason:
                    refused[i] = result.reason
                else:
                    made[i] = shelf.put(files[i], result)
                progress = replace(progress, done=progress.done + 1, refused=len(refused))
                show(progress)
    return [made[i] for i in sorted(made)], {files[i].name: refused[i] for i in sorted(refused)}, progress.reused


class _Shelf:
    """A folder of features: what is in it, and what is put there.

    Raises:
        OptionError: it holds other things, or what was made with other options.
    """

    def __init__(self, folder: Path, options: FeatureOptions) -> None:
        self._folder = folder
        self._head: Facts = {"format": FORMAT, "options": options.facts, "versions": versions_of(MAKERS)}
        self._manifest, self._journal = folder / MANIFEST_NAME, folder / JOURNAL
        try:
            folder.mkdir(parents=True, exist_ok=True)
            strange = not (self._manifest.exists() or self._journal.exists()) and any(folder.iterdir())
        except OSError as problem:
            raise cannot_be_written(folder, problem) from None
        if strange:
            raise OptionError(f"{shown(folder)}: exists and holds other things than features; name a new folder")
        self._records = self._of_manifest() | self._of_journal()
        for inside in {folder, *(folder / record["output"] for record in self._records.values())}:
            clear_unfinished(inside if inside == folder else inside.parent)
        if not self._journal.exists():
            append_line(self._journal, json.dumps(self._head))

    def unchanged(self, file: SoundFile) -> Facts | None:
        """What is known of a recording that has not changed since its features were made, and they are there."""
        record = self._records.get(file.name)
        if file.problem or not record or record["output"] != file.output:
            return None
        with suppress(OSError):
            same = _change(file.path) == (record["bytes"], record["changed_ns"])
            if same and (self._folder / file.output).stat().st_size == record["output_bytes"]:
                return record
        return None

    def put(self, file: SoundFile, made: Extracted) -> Facts:
        """Note what was made; once this returns, no kill can undo it."""
        size, changed_ns = _change(file.path)
        record = {"bytes": size, "changed_ns": changed_ns, **asdict(made)}
        del record["reason"]
        append_line(self._journal, json.dumps(record))
        self._records[file.name] = record
        return record

    def close(self, sources: Sequence[str], refused: dict[str, str]) -> None:
        """Write the manifest, if there is anything to tell."""
        if not self._records:
            return
        files = [self._records[name] for name in sorted(self._records)]
        facts = {**self._head, "sources": list(sources), "files": files, "refused": refused}
        write_bytes(self._manifest, (json.dumps(facts, indent=1) + "\n").encode())
        self._journal.unlink(missing_ok=True)

    def clear_unused(self) -> None:
        """Leave no trace where nothing was made, so that other options may be tried."""
        if not self._records:
            self._journal.unlink(missing_ok=True)
            with suppress(OSError):  # it may have been there, and empty, before
                self._folder.rmdir()

    def _of_manifest(self) -> dict[str, Facts]:
        if not self._manifest.exists():
            return {}
        try:
            facts = json.loads(read_bytes(self._manifest, MANIFEST))
            return self._known(facts, facts["files"])
        except TORN:
            raise BadFileError(f"{shown(self._manifest)}: damaged; remove it, or name a new folder") from None

    def _of_journal(self) -> dict[str, Facts]:
        if not self._journal.exists():
            return {}
        lines = read_bytes(self._journal, MANIFEST).split(b"\n")[:-1]  # the last one may be torn
        try:
            known = self._known(json.loads(lines[0]), map(json.loads, lines[1:]))
        except TORN:
            known = {}
        if not known:
            self._journal.unlink()
        return known

    def _known(self, head: Facts, records: Any) -> dict[str, Facts]:
        """Records under their names; nothing of other versions. Raises OptionError for other options."""
        found = FeatureOptions.model_validate(head["options"]).facts
        if found != self._head["options"]:
            raise OptionError(_differs(self._folder, found, self._head["options"]))
        if (head["format"], head["versions"]) != (FORMAT, self._head["versions"]):
            return {}
        return {str(record["name"]): dict(record) for record in records}


def _change(path: Path) -> tuple[int, int]:
    """Size and time of the last change of a recording."""
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def _differs(folder: Path, found: Facts, asked: Facts) -> str:
    """Which options are other ones."""
    other = [name for name in asked if asked[name] != found[name]]
    told = "; ".join(f"{name} {_words(found[name])}, now {_words(asked[name])}" for name in other)
    return f"{shown(folder)}: made with other options ({told}); ask for the same, or name another folder"


def _words(value: Any) -> str:
    match value:
        case None:
            return "as recorded"
        case list():
            return ",".join(value)
        case dict():
            return " ".join(f"{name}={setting}" for name, setting in value.items()) or "as by default"
    return str(value).lower()
