"""How do processes take turns? By a file that one of them holds; the system frees it when its holder ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout


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
