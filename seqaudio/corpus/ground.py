"""What lies where a corpus is to be written, and is all of it ours?

Ours is what ``prepare`` writes: the files of a corpus in the folder OUT, and beside it ``.OUT.part`` with a journal, a
corpus on its way (``new``) and the one that it replaces (``old``). Whatever else is found there stays, and is named.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from seqaudio.errors import BadFileError, OptionError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.limits import Limits
from seqaudio.files.locks import cannot_be_written

FILES = {"tokens.npy", "index.npy", "tokenizer.json", "manifest.json", "files.jsonl", "report.txt"}
JOURNAL = {"tokens.bin", "files.jsonl"}
MANIFEST = Limits(max_bytes=2**31)  # a million pieces take a quarter of it


def ground_of(out: str | os.PathLike[str]) -> tuple[Path, Path]:
    """OUT and its ``.OUT.part``, links resolved. Raises OptionError where no corpus may be written."""
    name = os.fspath(out)
    if not name:
        raise OptionError("OUT is empty; name a new folder")
    try:
        folder = Path(os.path.realpath(name))
        if not folder.name:
            raise OptionError(f"{shown(name)}: cannot be replaced by a corpus; name a new folder")
        if os.path.islink(name) and not os.path.exists(name):
            raise OptionError(f"{shown(name)}: is a link to nothing; remove it or name a new folder")
        if os.path.lexists(folder) and not may_be_replaced(folder):
            raise OptionError(f"{shown(name)}: exists and is no prepared corpus; name a new folder")
    except (OSError, ValueError) as problem:
        raise cannot_be_written(out, problem) from None
    return folder, folder.with_name(f".{folder.name}.part")


def make_part(out: Path, part: Path) -> None:
    """Have the folder ``.OUT.part``, new or from an earlier run. Raises OptionError when other things are in it."""
    try:
        if os.path.lexists(part) and not _is_part(part):
            raise OptionError(f"{shown(part)}: exists and holds other things than a run of prepare; move it away")
        part.mkdir(exist_ok=True)
    except OSError as problem:
        raise cannot_be_written(out, problem) from None


def _is_part(part: Path) -> bool:
    """Is this a folder with nothing inside but what a run leaves?"""
    if not _is_folder(part):
        return False
    for path in part.iterdir():
        match path.name:
            case "old":
                ours = may_be_replaced(path)
            case "new":  # it may have been stopped anywhere
                ours = _is_folder(path) and all(inner.name in FILES and _is_file(inner) for inner in path.iterdir())
            case name:
                ours = name in JOURNAL and _is_file(path)
        if not ours:
            return False
    return True


def may_be_replaced(out: Path) -> bool:
    """Is this an empty folder, or a prepared corpus with nothing else inside?"""
    if not _is_folder(out):
        return False
    inside = {path.name: _is_file(path) for path in out.iterdir()}
    return not inside or (inside.keys() <= FILES and all(inside.values()) and _is_manifest(out / "manifest.json"))


def _is_manifest(path: Path) -> bool:
    """Is this file the manifest of a corpus, and not of a web page, say?"""
    try:
        facts = json.loads(read_bytes(path, MANIFEST))
    except (BadFileError, ValueError, RecursionError):
        return False
    return isinstance(facts, dict) and type(facts.get("format")) is int and isinstance(facts.get("tokens_sha256"), str)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def clear_part(part: Path) -> None:
    """Remove what is ours in ``.OUT.part``, and the folder if nothing else is in it; leaves what cannot be removed."""
    for folder in (part / "new", part / "old"):
        remove_corpus(folder)
    _remove(part, sorted(JOURNAL))


def clear_unused(part: Path) -> None:
    """Remove ``.OUT.part`` after a run that finished no file."""
    with suppress(OSError):
        if {path.name for path in part.iterdir()} <= JOURNAL:
            lines = part / "files.jsonl"
            with lines.open("rb") if lines.exists() else open(os.devnull, "rb") as file:
                used = file.readline() and file.readline()  # the first says only what the ids depend on
            if not used:
                clear_part(part)


def remove_corpus(folder: Path) -> None:
    """Remove the files of a corpus, its manifest last so that it is one as long as anything is left."""
    _remove(folder, sorted(FILES, key=lambda name: (name == "manifest.json", name)))


def _remove(folder: Path, names: list[str]) -> None:
    with suppress(OSError):
        for name in names:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def put_in_place(new: Path, out: Path, old: Path) -> None:
    """Give ``new`` the name ``out``, and what was there before the name ``old`` until it may go."""
    if not out.exists():
        new.rename(out)
        return
    remove_corpus(old)
    out.rename(old)
    try:
        new.rename(out)
    except OSError:
        old.rename(out)
        raise


def put_back(out: Path, old: Path) -> None:
    """Undo a :func:`put_in_place` that was killed between its two renames."""
    if old.exists() and not out.exists():
        old.rename(out)
