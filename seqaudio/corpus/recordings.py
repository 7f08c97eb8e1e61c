"""Which recordings do folders and files stand for, and where do the features of each go?

A folder is taken recursively, by suffixes; a file is taken as it is. The features of ``music/a/x.wav``, found in
``music``, go to ``a/x.npz``; where two recordings would share that name, to ``a/x.wav.npz``.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seqaudio.corpus.walk import walk
from seqaudio.errors import NoSoundError, OptionError
from seqaudio.files.atomic import shown
from seqaudio.files.audio import AUDIO_SUFFIXES


@dataclass(frozen=True)
class SoundFile:
    """A recording whose features are wanted.

    Attributes:
        name: its path inside the folder that was named, or its file name.
        path: where it is.
        output: where its features go, inside the folder of features.
        problem: why it cannot be read, where that is known: a folder that nobody can look into stands here too.
    """

    name: str
    path: Path
    output: str = ""
    problem: str = ""


def sound_files(sources: Sequence[str]) -> list[SoundFile]:
    """The recordings of all sources, each path once, in the order of the sources and then of the names.

    Raises:
        OptionError: a source does not exist, is neither, or two of them hold recordings of one name.
        NoSoundError: a folder holds no recording.
    """
    found: dict[str, SoundFile] = {}
    for source in sources:
        for file in _of_source(source):
            found.setdefault(os.path.abspath(file.path), file)
    files = list(found.values())
    times = Counter(_plain(file) for file in files)
    placed = [_placed(file, f"{file.name}.npz" if times[_plain(file)] > 1 else _plain(file)) for file in files]
    times = Counter(file.output for file in placed if not file.problem)
    if twice := [file for file in placed if times[file.output] > 1]:
        raise OptionError(
            f"{shown(twice[0].path)} and {shown(twice[1].path)} would both become {shown(twice[0].output)}; "
            "name a folder that holds both, or give each its own -o"
        )
    return placed


def _plain(file: SoundFile) -> str:
    return str(PurePosixPath(file.name).with_suffix(".npz"))


def _placed(file: SoundFile, output: str) -> SoundFile:
    return SoundFile(file.name, file.path, output, file.problem)


def _of_source(source: str) -> list[SoundFile]:
    folder = Path(source)
    if not _is_folder(source):
        return [SoundFile(folder.name, folder)]
    inside = walk(folder)
    if folder in inside.closed:
        raise OptionError(f"{shown(source)}: cannot be listed: {inside.closed[folder]}; check its permissions")
    files = [
        SoundFile(path.relative_to(folder).as_posix(), path)
        for path in inside.files
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith("._")
    ]
    files += [SoundFile(path.relative_to(folder).as_posix(), path, "", why) for path, why in inside.closed.items()]
    if not files:
        raise NoSoundError(f"{shown(source)}: no recording inside (looked for {', '.join(AUDIO_SUFFIXES)})")
    return sorted(files, key=lambda file: file.name)


def _is_folder(source: str) -> bool:
    """Is it a folder, or a file? Raises OptionError when it is neither."""
    try:
        mode = os.stat(source).st_mode
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise OptionError(f"{shown(source) or 'AUDIO'}: {reason}; name a folder or a recording") from None
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise OptionError(f"{shown(source)}: not a regular file; name a folder or a recording")
    return stat.S_ISDIR(mode)
