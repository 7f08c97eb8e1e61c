"""Where is music to be looked for, and what lies in a folder and below it?

All of it is told: also links, and folders that cannot be opened.

A link to a folder is not followed, as it may lead back or to what was not meant; a link to a file is a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from seqaudio.errors import OptionError

Source = str | os.PathLike[str]


def as_sources(
    given: Source | Iterable[Source], is_corpus: Callable[[str], bool] = lambda name: False
) -> tuple[str, ...]:
    """One source or several, as text.

    Args:
        given: each a str or a path.
        is_corpus: tells names that stand for a corpus: a path is a path, so one of such a name gets ``./`` in front.

    Raises:
        OptionError: something else is given.
    """
    several = [given] if isinstance(given, str | os.PathLike) else given
    if isinstance(several, bytes) or not isinstance(several, Iterable):
        raise _no_source(several)
    return tuple(_text(source, is_corpus) for source in several)


def _text(source: object, is_corpus: Callable[[str], bool]) -> str:
    if isinstance(source, str):
        return source
    text = os.fspath(source) if isinstance(source, os.PathLike) else None
    if not isinstance(text, str):
        raise _no_source(source)
    return os.path.join(os.curdir, text) if is_corpus(text) else text


def _no_source(came: object) -> OptionError:
    return OptionError(f"a source is {' '.join(repr(came).split())[:40]}; name one or several, each a str or a path")


@dataclass(frozen=True)
class Found:
    """What lies below a folder, in no order.

    Attributes:
        files: everything that is no folder: pipes and links that lead nowhere, too.
        linked: links to folders.
        closed: folders that cannot be listed, and why in the system's words.
    """

    files: list[Path] = field(default_factory=list)
    linked: list[Path] = field(default_factory=list)
    closed: dict[Path, str] = field(default_factory=dict)


def walk(folder: Path) -> Found:
    """Everything below a folder."""
    found, left = Found(), [folder]
    while left:
        here = left.pop()
        try:
            inside = entries(here)
        except OSError as problem:
            found.closed[here] = (problem.strerror or str(problem)).lower()
            continue
        for entry in inside:
            if entry.is_symlink():
                (found.linked if os.path.isdir(entry.path) else found.files).append(Path(entry.path))
            elif entry.is_dir(follow_symlinks=False):
                left.append(Path(entry.path))
            else:
                found.files.append(Path(entry.path))
    return found


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, in the order of the directory."""
    with os.scandir(folder) as inside:
        return list(inside)
