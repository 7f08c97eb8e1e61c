"""How do processes take turns? By a file that one of them holds; the system frees it when its holder ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock


@contextmanager
def held(path: str | os.PathLike[str], patience_s: float = 0.0, *, within_process: bool = True) -> Iterator[None]:
    """Hold the lock at ``path``, which is made where it is absent and stays.

    Args:
        path: of the lock, in a folder that exists.
        patience_s: seconds to wait while another holds it.
        within_process: whether a holder in this process counts as another, too; otherwise all of them hold it together.

    Raises:
        TimeoutError: another holds it.
        OSError: it cannot be made.
    """
    os.close(
        os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    )  # what cannot be made would be waited for as if another held it
    lock = FileLock(path, is_singleton=not within_process, thread_local=within_process)
    with lock.acquire(timeout=patience_s):
        yield
