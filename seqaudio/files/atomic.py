"""How is a file read whole and written whole? Bounded reads; writes that leave the old file or the new, never half.

The one exception is a log, which grows line by line.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seqaudio.errors import BadFileError
from seqaudio.files.limits import DEFAULT_LIMITS, Limits


def read_bytes(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> bytes:
    """All bytes of a regular file.

    Raises:
        BadFileError: it cannot be opened or is no regular file.
        OverLimitError: it is larger than ``limits.max_bytes``.
    """
    size = file_size(path)
    limits.check("max_bytes", size, shown(path))
    with reading(path), open(path, "rb") as file:
        data = file.read(size + 1)  # not up to the budget, whose memory would be taken first
        return data if len(data) <= size else data + file.read(limits.max_bytes - size)


def file_size(path: str | os.PathLike[str]) -> int:
    """The bytes of a regular file. Raises BadFileError when it is none, or is not to be seen."""
    with reading(path):
        facts = os.stat(path)
    if not stat.S_ISREG(facts.st_mode):  # a pipe would block, a device would never end
        what = "a folder" if stat.S_ISDIR(facts.st_mode) else "not a regular file"
        raise BadFileError(f"{shown(path)}: {what}; name a music file")
    return facts.st_size


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """What the system says against reading a file becomes a BadFileError."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise BadFileError(
            f"{shown(path)}: cannot be read: {reason_of(error)}; check the path and its permissions"
        ) from None


def write_bytes(path: str | os.PathLike[str], data: bytes, *, lasting: bool = True) -> None:
    """Write all of the data or nothing: an existing file stays until the new one is complete on disk.

    Args:
        path: the file.
        data: all of it.
        lasting: wait until the disk has it, so that it outlives a loss of power; that takes milliseconds.

    Raises:
        BadFileError: the file cannot be written.
    """
    name, target = shown(path), Path(path)
    part = target.parent / f".{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        if target.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        os.replace(part, target)
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError):
            part.unlink(missing_ok=True)
        raise _unwritable(name, error) from None


def check_writable(path: str | os.PathLike[str]) -> None:
    """See whether a file may be written, before the work that fills it; its folder need not be there yet.

    Raises:
        BadFileError: :func:`write_bytes` would fail now, or no folder can be made there.
    """
    target = Path(path)
    try:
        if target.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        folder = target.parent
        while not folder.exists():
            folder = folder.parent
        part = folder / f".{os.getpid()}-{secrets.token_hex(4)}.tmp"
        with open(part, "xb"):  # asking for permissions would not tell of a file system that is read-only
            part.unlink()
        if not target.parent.exists() or target.exists() or target.is_symlink():
            return  # a link that leads nowhere must not be removed in place of what it would lead to
        target.touch()  # the name itself may be too long, or hold what no name may
        target.unlink()
    except (OSError, ValueError) as error:
        raise _unwritable(shown(path), error) from None


def clear_unfinished(folder: Path) -> None:
    """Remove what :func:`write_bytes` left in a folder when it was killed. For whoever alone writes there."""
    for part in folder.glob(".*-*.tmp"):
        with suppress(OSError):
            part.unlink()


def append_line(path: str | os.PathLike[str], line: str) -> None:
    """Write a line behind those of a log. Raises BadFileError when it cannot be written."""
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise _unwritable(shown(path), error) from None


def shown(path: str | os.PathLike[str]) -> str:
    """A path as it may be printed: one line, control characters and undecodable bytes as escapes."""
    text = os.fspath(path)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _unwritable(name: str, error: Exception) -> BadFileError:
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    advice = "make room on the disk" if full else "check the folder and its permissions"
    return BadFileError(f"{name}: cannot be written: {reason_of(error)}; {advice}")


def reason_of(error: Exception) -> str:
    """Why a path cannot be read or written, in the system's words, but where these say what is not the matter."""
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a file stands where a folder is needed"
    return getattr(error, "strerror", None) or str(error)
