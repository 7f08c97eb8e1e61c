"""Which files does a source stand for, in which order, and what is known about them beforehand?

A source is a folder (taken recursively, any mix of formats), a single music file, a list file (``.txt`` or ``.lst``:
one path per line, relative to the list's folder; ``#`` begins a comment), or the name of a corpus. The order is that of
the sources, then of the names, never that of the directory. The files of a folder are on the side of the split that
tables in it or below say; those of a list on the side that tables in their own folder or above it say.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seqaudio.corpus.download import Progress, no_progress
from seqaudio.corpus.named import CORPORA, corpus_folder
from seqaudio.corpus.official import official_splits, official_splits_of
from seqaudio.errors import BadFileError, NoNotesError, OptionError
from seqaudio.files.atomic import shown
from seqaudio.files.reader import MUSIC_SUFFIXES
from seqaudio.files.rolls import ROLL_SUFFIXES

LIST_SUFFIXES = (".txt", ".lst")


@dataclass(frozen=True)
class SourceFile:
    """A file to prepare.

    Attributes:
        name: what it is called in the manifest and the report: its path inside its source.
        path: where it is.
        split: the side of the official split of its source; empty when there is none.
        licence: what may be done with it, where that is known.
        numbered: the number of a tune means the same in every file of its folder.
    """

    name: str
    path: Path
    split: str = ""
    licence: str = ""
    numbered: bool = False


def source_files(
    sources: Sequence[str],
    without: Callable[[Path], bool] = lambda path: False,
    fetching: Progress = no_progress,
) -> list[SourceFile]:
    """The files of all sources, each path once; a name that two of them share gets its source in front.

    Args:
        sources: folders, files, lists or names of corpora.
        without: tells paths that do not count, such as those of the corpus being written.
        fetching: told how far the download of a named corpus is.

    Raises:
        OptionError: a source does not exist.
        BadFileError: a list cannot be read.
        NoNotesError: a source holds no music file.
    """
    found: dict[str, tuple[str, SourceFile]] = {}
    for source in sources:
        for file in files_of(source, without, fetching):
            found.setdefault(os.path.abspath(file.path), (source, file))
    times = Counter(file.name for _, file in found.values())
    return [
        replace(file, name=f"{shown(source)}/{file.name}") if times[file.name] > 1 else file
        for source, file in found.values()
    ]


def files_of(
    source: str, without: Callable[[Path], bool] = lambda path: False, fetching: Progress = no_progress
) -> list[SourceFile]:
    """The files of one source, sorted by name; raises as :func:`source_files`."""
    if source in CORPORA or source.startswith("music21:"):
        folder, prefix = corpus_folder(source, progress=fetching), source + "/"
    else:
        folder, prefix = Path(source), ""
    if folder.is_file():
        is_list = folder.suffix.lower() in LIST_SUFFIXES
        return _listed(folder) if is_list else [SourceFile(prefix + shown(folder.name), folder)]
    if not folder.is_dir():
        raise OptionError(f"{shown(source)}: no such folder or corpus; corpora are {', '.join(CORPORA)}")
    known = CORPORA.get(source)
    suffixes = MUSIC_SUFFIXES + (ROLL_SUFFIXES if known else ())
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file()]
    official = official_splits(folder)
    licence, numbered = (known.licence, known.numbered) if known else ("", False)
    named = sorted((path.relative_to(folder).as_posix(), path) for path in paths if not without(path))
    if not named:
        raise NoNotesError(f"{shown(source)}: no music file inside (looked for {', '.join(suffixes)})")
    return [SourceFile(prefix + shown(name), path, official.get(name, ""), licence, numbered) for name, path in named]


def passed_over(sources: Sequence[str], without: Callable[[Path], bool] = lambda path: False) -> dict[str, int]:
    """How many files in the folders among the sources are not looked at, by suffix; hidden files do not count.

    So that nobody wonders where the 500 files in ``.mid.gz`` are.
    """
    counts: Counter[str] = Counter()
    for folder in (Path(source) for source in sources if source not in CORPORA):
        for path in folder.rglob("*") if folder.is_dir() else ():
            suffix = path.suffix.lower()
            if suffix not in MUSIC_SUFFIXES and path.is_file() and not path.name.startswith(".") and not without(path):
                counts[shown(suffix) or "no suffix"] += 1
    return {suffix: counts[suffix] for suffix in sorted(counts)}


def _listed(path: Path) -> list[SourceFile]:
    """The entries of a list file, whether they exist or not: the ones that do not are dropped with a rule."""
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")  # names of files need not be text
    except OSError as problem:
        raise BadFileError(f"{shown(path)}: cannot be read: {problem.strerror}; check its permissions") from None
    entries = sorted({*_entries(text.splitlines())})
    if not entries:
        raise NoNotesError(f"{shown(path)}: the list names no file; write one path per line")
    if "\0" in text:
        raise BadFileError(f"{shown(path)}: not a list of files; write one path per line")
    official = official_splits_of(path.parent / entry for entry in entries)
    return [
        SourceFile(shown(Path(entry).as_posix()), path.parent / entry, official.get(path.parent / entry, ""))
        for entry in entries
    ]


def _entries(lines: Iterable[str]) -> Iterable[str]:
    return (entry for line in lines if (entry := line.strip()) and not entry.startswith("#"))
