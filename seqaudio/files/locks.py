"""How do processes take turns? By a file that one of them holds; the system frees it when its holder ends."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from seqaudio.errors import OptionError
from seqaudio.files.atomic import reason_of, shown


class HeldByAnotherError(Exception):
    """A lock was not free in time."""


@contextmanager
def holding_lock(
    path: str | os.PathLike[str], patience_s: float = 0.0, *, within_process: bool = True
) -> Iterator[None]:
    """Hold the lock at ``path``, which is made where it is absent and stays.

    Args:
        path: of the lock, in a folder that exists.
        patience_s: seconds to wait while another holds it.
        within_process: whether a holder in this process counts as another, too; otherwise all of them hold it together.

    Raises:
        HeldByAnotherError: another holds it.
        OSError: it cannot be made.
    """
    # here, for FileLock would wait for a file that it cannot make as if another held it
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))
    lock = FileLock(path, is_singleton=not within_process, thread_local=within_process)
    try:
        lock.acquire(timeout=patience_s)
    except Timeout:
        raise HeldByAnotherError(f"{os.fspath(path)}: another process holds it") from None
    try:
        yield
    finally:
        lock.release()


def cannot_be_written(out: str | os.PathLike[str], problem: Exception) -> OptionError:
    """The system's reason, under the name that the user gave."""
    return OptionError(f"{shown(out)}: cannot be written: {reason_of(problem)}; check its folder, or name another one")


@contextmanager
def alone(out: Path, path: Path, command: str) -> Iterator[None]:
    """No second run of a command writes ``out`` meanwhile; the lock at ``path`` goes with the process, however it ends.

    Raises OptionError when another holds it, or it cannot be made.
    """
    lock = ExitStack()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # or its holder has just ended
            if not _is_empty_file(path):
                raise OptionError(f"{shown(path)}: exists and is no lock of ours; move it away")
        lock.enter_context(holding_lock(path))
    except HeldByAnotherError:
        raise OptionError(
            f"{shown(out)}: another {command} is writing it; wait until it is done, or name another folder"
        ) from None
    except OSError as problem:
        raise cannot_be_written(out, problem) from None
    with lock:
        try:
            yield
        finally:
            with suppress(OSError):  # Windows removes no file that is open
                path.unlink()  # while it is ours: one that somebody else has made since must stay


def _is_empty_file(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_size == 0
