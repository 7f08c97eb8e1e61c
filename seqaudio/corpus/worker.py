"""What does a worker process do? It calls one function on the items it is sent and says how far it has come.

Started by ``corpus/workers.py`` as a fresh interpreter. It never sees the ``__main__`` of the run that started it, so a
script without ``if __name__ == "__main__"`` is not run again, and it inherits no threads or locks, as a fork would.

    it receives     (function, memory_mb, prepare_worker), then one list of items after the other
    it sends        Results, in the order of the items, or Failed, or OutOfMemory
    beside that     in an open file of eight bytes, how many items it has begun, ever: this is what tells the item that
                    killed it, and costs a microsecond where a message would cost twenty
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, NamedTuple

from seqaudio.errors import OptionError

COUNT_BYTES = 8
NOT_READY = -1  # in place of the count: the function has not arrived yet, or the worker is preparing itself
FLUSH_S = 0.02  # results are sent together that took this long to make


class Results(NamedTuple):
    """The results of the next items, and the seconds they took."""

    results: list[Any]
    seconds: float


class Failed(NamedTuple):
    """The function raised, or it cannot be called here."""

    error: Exception
    where: str


class OutOfMemory(NamedTuple):
    """The item under way needed more memory than allowed; this worker ends."""


def serve(connection_fd: int, begun_fd: int) -> None:
    """Work until the other end of the connection is closed."""
    _end_with_parent()
    _set_limit("RLIMIT_CORE", 0)
    connection = Connection(connection_fd)
    with suppress(EOFError, ConnectionError):  # the run is over
        try:
            _serve(connection, begun_fd)
        except Exception as problem:  # said there, if anybody listens: a traceback here would be nobody's
            connection.send(Failed(_sendable(problem), traceback.format_exc()))


def _serve(connection: Connection, begun_fd: int) -> None:
    try:
        function, memory_mb, prepare_worker = connection.recv()
    except (AttributeError, ImportError) as problem:
        reason = f"a worker process cannot import the function ({problem}); define it in a module, not in a script"
        connection.send(Failed(OptionError(reason), traceback.format_exc()))
        return
    if prepare_worker is not None:
        prepare_worker()
    if memory_mb is not None:  # counted from here: what was prepared is not an item's
        _set_limit("RLIMIT_DATA", _data_bytes() + memory_mb * 1_000_000)
    begun = write_count(begun_fd, 0)
    while _work(connection, function, begun_fd, begun):
        begun = read_count(begun_fd)


def read_count(fd: int) -> int:
    """The number in a file of COUNT_BYTES."""
    return int.from_bytes(os.pread(fd, COUNT_BYTES, 0), "little", signed=True)


def write_count(fd: int, count: int) -> int:
    """Put the number into a file of COUNT_BYTES; gives it back."""
    os.pwrite(fd, count.to_bytes(COUNT_BYTES, "little", signed=True), 0)
    return count


def _work(connection: Connection, function: Callable[[Any], Any], begun_fd: int, begun: int) -> bool:
    """Receive some items and answer them; can this worker go on?"""
    results: list[Any] = []
    try:
        items: Sequence[Any] = connection.recv()
        since = time.perf_counter()
        for item in items:
            begun = write_count(begun_fd, begun + 1)
            try:
                results.append(function(item))
            except MemoryError:
                raise
            except Exception as problem:
                connection.send(Results(results, time.perf_counter() - since))
                connection.send(Failed(_sendable(problem), traceback.format_exc()))
                return False
            seconds = time.perf_counter() - since
            if seconds > FLUSH_S:
                connection.send(Results(results, seconds))
                results = []
                since = time.perf_counter()  # time spent waiting for a slow receiver is not counted
        if results:
            connection.send(Results(results, time.perf_counter() - since))
    except MemoryError:
        _set_limit("RLIMIT_DATA", None)  # what was computed can still be sent
        connection.send(Results(results, 0.0))
        connection.send(OutOfMemory())
        return False
    return True


def _sendable(problem: Exception) -> Exception:
    """The exception itself if it survives pickling, otherwise one with its text."""
    try:
        ForkingPickler.loads(ForkingPickler.dumps(problem))
    except Exception:
        return RuntimeError(f"{type(problem).__name__}: {problem}")
    return problem


def _end_with_parent() -> None:
    """Stop as soon as the process that started this one is gone, killed or not.

    It holds the other end of standard input and never writes there. A thread sees the end of it; on Linux the kernel
    sends SIGKILL as well, which stops C code that never lets a thread run.
    """

    def watch() -> None:
        os.read(0, 1)
        os._exit(1)

    import fcntl  # late: so that this module can be imported on Windows

    threading.Thread(target=watch, daemon=True).start()
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)


def _set_limit(name: str, soft: int | None) -> None:
    """Set the soft limit; None: as high as allowed. Where the system refuses, the item runs without it."""
    import resource  # late, as above

    which = getattr(resource, name)
    hard = resource.getrlimit(which)[1]
    if soft is None or (hard != resource.RLIM_INFINITY and soft > hard):
        soft = hard
    with suppress(ValueError, OSError):
        resource.setrlimit(which, (soft, hard))


def _data_bytes() -> int:
    """What Python and its libraries have reserved before the first item (libraries reserve much and use little)."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0
