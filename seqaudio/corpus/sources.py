"""Which files does a source stand for, in which order, and what is known about them beforehand?

A source is a folder (taken recursively, any mix of formats), a single music file, a list file (``.txt`` or ``.lst``:
one path per line, relative to the list's folder; ``#`` begins a comment), or the name of a corpus. The order is that of
the sources, then of the names, never that of the directory. The files of a folder are on the side of the split that
tables in it or below say; those of a list on the side that tables in their own folder or above it say.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seqaudio.corpus.download import Progress, no_progress
from seqaudio.corpus.named import CORPORA, NamedCorpus, corpus_folder
from seqaudio.corpus.official import official_splits, official_splits_of
from seqaudio.corpus.walk import Found, walk
from seqaudio.errors import BadFileError, NoNotesError, OptionError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.audio import is_recording
from seqaudio.files.limits import DEFAULT_LIMITS, Limits
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
        problem: why it cannot be read, where that is known: a folder whose files nobody could see stands here too.
    """

    name: str
    path: Path
    split: str = ""
    licence: str = ""
    numbered: bool = False
    problem: str = ""


def source_files(
    sources: Sequence[str],
    without: Callable[[Path], bool] = lambda path: False,
    fetching: Progress = no_progress,
    limits: Limits = DEFAULT_LIMITS,
) -> list[SourceFile]:
    """The files of all sources, each path once; a name that two of them share gets its source in front.

    Args:
        sources: folders, files, lists or names of corpora.
        without: tells paths that do not count, such as those of the corpus being written.
        fetching: told how far the download of a named corpus is.
        limits: budgets; ``max_bytes`` holds for a list, too.

    Raises:
        OptionError: a source does not exist, or is no file or folder that can be opened.
        BadFileError: a list cannot be read.
        NoNotesError: a source holds no music file.
    """
    found: dict[str, tuple[str, SourceFile]] = {}
    for source in sources:
        for file in files_of(source, without, fetching, limits):
            found.setdefault(os.path.abspath(file.path), (source, file))
    times = Counter(file.name for _, file in found.values())
    return [
        replace(file, name=f"{shown(source)}/{file.name}") if times[file.name] > 1 else file
        for source, file in found.values()
    ]


def files_of(
    source: str,
    without: Callable[[Path], bool] = lambda path: False,
    fetching: Progress = no_progress,
    limits: Limits = DEFAULT_LIMITS,
) -> list[SourceFile]:
    """The files of one source, sorted by name; raises as :func:`source_files`."""
    if is_corpus(source):
        folder, prefix = corpus_folder(source, progress=fetching), source + "/"
    else:
        folder, prefix = Path(source), ""
    if not _is_folder(source, folder):
        is_list = folder.suffix.lower() in LIST_SUFFIXES
        return _listed(folder, limits) if is_list else [SourceFile(prefix + shown(folder.name), folder)]
    known = CORPORA.get(source)
    suffixes = MUSIC_SUFFIXES + (ROLL_SUFFIXES if known else ())
    found = walk(folder)
    if folder in found.closed:
        raise OptionError(f"{shown(source)}: cannot be listed: {found.closed[folder]}; check its permissions")
    paths = [path for path in found.files if path.suffix.lower() in suffixes]
    if known:
        paths = _of_corpus(known, folder, paths)
    official = official_splits(folder)
    licence, numbered = (known.licence, known.numbered) if known else ("", False)
    named = [(path.relative_to(folder).as_posix(), path, "") for path in paths if not without(path)]
    named += [(f"{path.relative_to(folder).as_posix()}/", path, why) for path, why in found.closed.items()]
    if not named:
        links = f"; {len(found.linked)} linked folders are not followed, name them as sources" * bool(found.linked)
        sound = "; recordings are for `seqaudio features`" * any(map(is_recording, found.files))
        raise NoNotesError(f"{shown(source)}: no music file inside (looked for {', '.join(suffixes)}){links}{sound}")
    return [
        SourceFile(prefix + shown(name), path, official.get(name, ""), licence, numbered, problem)
        for name, path, problem in sorted(named)
    ]


def is_corpus(source: str) -> bool:
    """Whether a source is the name of a corpus; if not of one there is, it is a mistake, and no path."""
    return source in CORPORA or source.startswith("music21:")


def _of_corpus(corpus: NamedCorpus, folder: Path, paths: list[Path]) -> list[Path]:
    """The music in its folder that is part of a corpus."""
    songs = corpus.songs(folder) if corpus.songs else None
    return [
        path
        for path in paths
        if path.name not in corpus.without and (songs is None or path.relative_to(folder).as_posix() in songs)
    ]


def _is_folder(source: str, path: Path) -> bool:
    """Is it a folder, or a file? Raises OptionError when it is neither."""
    if not source:
        raise OptionError("the SOURCE is empty; name a folder, a file or a corpus")
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        problem = f"no such folder or corpus; corpora are {', '.join(CORPORA)}"
    except (OSError, ValueError) as error:
        problem = f"cannot be read: {getattr(error, 'strerror', None) or error}; check the path and its permissions"
    else:
        if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            return stat.S_ISDIR(mode)
        problem = "not a regular file; name a folder, a music file or a list"
    raise OptionError(f"{shown(source)}: {problem}")


def passed_over(sources: Sequence[str], without: Callable[[Path], bool] = lambda path: False) -> dict[str, int]:
    """How many files in the folders among the sources are not looked at, by suffix, and links to folders; none hidden.

    So that nobody wonders where the 500 files in ``.mid.gz`` are.
    """
    counts: Counter[str] = Counter()
    for folder in (Path(source) for source in sources if source not in CORPORA):
        found = walk(folder) if folder.is_dir() else Found()
        seen = [(path, shown(path.suffix.lower()) or "no suffix") for path in found.files if _is_other(path)]
        for path, kind in [*seen, *((path, "linked folders") for path in found.linked)]:
            if not path.name.startswith(".") and not without(path):
                counts[kind] += 1
    return {kind: counts[kind] for kind in sorted(counts)}


def _is_other(path: Path) -> bool:
    return path.suffix.lower() not in MUSIC_SUFFIXES and os.path.isfile(path)


def _listed(path: Path, limits: Limits) -> list[SourceFile]:
    """The entries of a list file, whether they exist or not: the ones that do not are dropped with a rule."""
    text = read_bytes(path, limits).decode("utf-8-sig", "surrogateescape")  # names of files need not be text
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
