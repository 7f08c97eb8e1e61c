"""How is a function run on many items so that one of them can take down neither the run nor its neighbours?

In worker processes (``corpus/worker.py``), each with one item under way. An item that hangs, dies or eats memory costs
its worker; a new one goes on with the rest. Items take a millisecond or less, so many are handed out at a time. How far
a worker has come is known to the item, and what it had not answered is given to others: the function must be pure.

Time is counted while a worker says nothing and this process looks: neither a slow consumer nor a run that was stopped
and continued makes an item late.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Pipe, wait
from typing import Any, Generic, TypeVar

from seqaudio.corpus.worker import NOT_READY, Failed, OutOfMemory, Results, read_count, write_count
from seqaudio.errors import OptionError, SeqAudioError

T = TypeVar("T")
R = TypeVar("R")

CHUNK_S = 0.2  # a worker gets items for about this long
MOST_ITEMS = 256  # and never more than this; with a slow consumer, so many results are waiting per worker
START_S = 120.0  # in which an interpreter has started, imported the function and prepared itself, if machines are busy
EXIT_S = 2.0  # in which a process that closed its connection has an exit status
MOST_MEMORY_MB = 2**40  # more bytes than any machine has, and fewer than the system can count
LOOK_S = 0.5  # how often silent workers are looked at

_START = (
    "import sys; sys.path[:] = sys.argv[3:]; from seqaudio.corpus.worker import serve; "
    "serve(int(sys.argv[1]), int(sys.argv[2]))"
)


@dataclass(frozen=True)
class Lost:
    """An item without a result: its process hung or died.

    Attributes:
        rule: "hung" or "crashed".
        reason: one line, such as "took longer than 60 s; give more with --timeout".
    """

    rule: str
    reason: str


def run_isolated(
    function: Callable[[T], R],
    items: Sequence[T],
    *,
    jobs: int = 1,
    timeout_s: float = 60.0,
    memory_mb: int | None = 2048,
    prepare_worker: Callable[[], None] | None = None,
    in_turn: bool = True,
) -> Generator[tuple[int, R | Lost], None, None]:
    """Call a pure function on every item, each in a worker process that it may take down.

    Workers are started by the first ``next`` and are gone when the iterator ends, is closed, or this process is killed.

    Args:
        function: importable by its name (or a ``functools.partial`` of such a one); it catches what it expects.
        items: what to call it on; they and the results must pickle.
        jobs: worker processes.
        timeout_s: seconds for one item.
        memory_mb: memory for one item beyond what the libraries take, in MB of 10^6 bytes (Linux); None: no limit.
        prepare_worker: called by each worker before its first item, at nobody's cost in time and memory.
        in_turn: the first worker is done with that before others are started, so that they find what it left on disk.

    Yields:
        (index, result), in the order in which they are done, every index once; ``Lost`` for an item that hung, died or
        needed too much memory. At most 256 results per worker are waiting, so a slow consumer costs no memory.

    Raises:
        OptionError: jobs or a limit is not positive, or a worker cannot import the function.
        SeqAudioError: no worker process can be started.
        Exception: whatever the function raises, except MemoryError.
    """
    if memory_mb is not None and memory_mb > MOST_MEMORY_MB:
        raise OptionError(f"memory_mb is {memory_mb}; at most {MOST_MEMORY_MB} is possible")
    if jobs < 1 or not timeout_s > 0 or (memory_mb is not None and memory_mb <= 0):
        raise OptionError(f"jobs ({jobs}), timeout_s ({timeout_s:g}) and memory_mb ({memory_mb}) must be above 0")
    return _Crew(function, items, jobs, timeout_s, memory_mb, prepare_worker, in_turn).results()


class _InWorker(Exception):
    """Shows the traceback of the worker as the cause of an exception raised here."""


class ItemQueue:
    """Which items are still to do; handed out so many at a time as take ``chunk_s`` at the speed of the last ones."""

    def __init__(self, count: int, chunk_s: float, fewest: int, most: int):
        self._chunk_s, self._fewest, self._most = chunk_s, fewest, most
        self._next, self._count = 0, count
        self._again: deque[int] = deque()
        self._size = fewest

    def __len__(self) -> int:
        return self._count - self._next + len(self._again)

    def take(self, divisor: int) -> list[int]:
        """The next indices, at most this part of what is left; those that came back go out one by one."""
        if self._again:
            return [self._again.popleft()]
        first, left = self._next, self._count - self._next
        self._next += min(left, max(self._fewest, min(self._size, left // divisor)))
        return list(range(first, self._next))

    def took(self, count: int, seconds: float) -> None:
        """So long took so many items."""
        if count and seconds > 0:
            self._size = max(self._fewest, min(int(self._chunk_s * count / seconds), 4 * self._size, self._most))

    def put_back(self, indices: Sequence[int]) -> None:
        """They were handed out and not answered."""
        self._again.extend(indices)


class _Worker:
    """A worker process, seen from here. ``todo`` are the indices it has and has not answered."""

    def __init__(self) -> None:
        self.todo: deque[int] = deque()
        self.handed_out = 0  # how many it got last time
        self.answered = 0  # ever
        self.heard_at = time.monotonic()
        self.silent_s = 0.0  # since the last sign of life, as far as this process looked
        self.connection, theirs = Pipe()
        self._begun_file = tempfile.TemporaryFile(buffering=0)
        self._begun_before = write_count(self._begun_file.fileno(), NOT_READY)
        fds = (theirs.fileno(), self._begun_file.fileno())
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, *map(str, fds), *map(os.fspath, sys.path)],
                stdin=subprocess.PIPE,  # never written to: its end tells the worker that this process is gone
                stdout=subprocess.DEVNULL,  # a parser that prints disturbs nobody
                pass_fds=fds,
                start_new_session=True,  # Ctrl-C is for this process, which ends its workers
            )

    @property
    def begun(self) -> int:
        """How many items it has begun, ever; NOT_READY before it has the function."""
        return read_count(self._begun_file.fileno())

    def heard(self) -> None:
        """It gave a sign of life, or was given work."""
        self.heard_at, self.silent_s = time.monotonic(), 0.0

    def is_late(self, looked_at: float, timeout_s: float) -> bool:
        """Has it been silent for too long? A while in which nobody looked counts for little: see the module's head."""
        if self.begun != self._begun_before:
            self._begun_before = self.begun
            self.heard()
        self.silent_s += min(time.monotonic() - max(looked_at, self.heard_at), 2 * LOOK_S)
        patience_s = START_S if self._begun_before == NOT_READY else timeout_s
        return self.silent_s > patience_s and not self.connection.poll()  # it may have spoken while the consumer worked

    def is_gone(self) -> bool:
        """Has it ended, with nothing left to receive?"""
        return self.process.poll() is not None and not self.connection.poll()

    def kill(self, grace_s: float = 0.0) -> int | None:
        """The exit status; None where not even the kernel can end it (a dead network disk)."""
        for patience_s in (grace_s, 5.0):
            with suppress(subprocess.TimeoutExpired):
                return self.process.wait(patience_s)
            self.process.kill()
        return None

    def close(self) -> None:
        """Give back what this process holds of it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.connection.close()
        self._begun_file.close()


class _Crew(Generic[T, R]):
    """The workers of one run and what is left to do."""

    def __init__(
        self,
        function: Callable[[T], R],
        items: Sequence[T],
        jobs: int,
        timeout_s: float,
        memory_mb: int | None,
        prepare_worker: Callable[[], None] | None,
        in_turn: bool,
    ):
        self._function, self._items, self._jobs = function, items, jobs
        self._timeout_s, self._memory_mb = timeout_s, memory_mb
        self._prepare_worker = prepare_worker
        self._one_is_ready = prepare_worker is None or not in_turn
        self._queue = ItemQueue(len(items), CHUNK_S, 1, MOST_ITEMS)
        self._returned: set[int] = set()  # items handed out alone whose worker died before it began them
        self._workers: list[_Worker] = []

    def results(self) -> Generator[tuple[int, R | Lost], None, None]:
        """Every index once, with its result or how it was lost."""
        try:
            looked = time.monotonic()
            while True:
                self._hand_out()
                busy = {worker.connection: worker for worker in self._workers if worker.todo}
                if not busy:
                    return
                ready = wait(list(busy), min(LOOK_S, self._timeout_s / 4))
                looked_before, looked = looked, time.monotonic()
                for connection, worker in busy.items():
                    if connection in ready:
                        yield from self._receive(worker)
                    else:
                        yield from self._look_at(worker, looked_before)
        finally:
            for worker in self._workers:
                worker.process.kill()
            for worker in self._workers:
                worker.kill()
                worker.close()

    def _hand_out(self) -> None:
        """Give work to whom has none, and hire while there is work and room."""
        for worker in list(self._workers):
            if not worker.todo:
                self._give(worker)
        self._one_is_ready |= any(worker.begun != NOT_READY for worker in self._workers)
        while len(self._queue) and len(self._workers) < (self._jobs if self._one_is_ready else 1):
            worker = _Worker()
            self._workers.append(worker)
            self._send(worker, (self._function, self._memory_mb, self._prepare_worker))
            self._give(worker)

    def _give(self, worker: _Worker) -> None:
        """The next items; it has none, so it is receiving and this cannot block for long."""
        if indices := self._queue.take(2 * self._jobs):
            worker.todo.extend(indices)
            worker.handed_out = len(indices)
            worker.heard()
            self._send(worker, [self._items[index] for index in indices])

    def _send(self, worker: _Worker, message: object) -> None:
        with suppress(ConnectionError):  # it died; the next look at it will tell
            worker.connection.send(message)

    def _receive(self, worker: _Worker) -> Iterator[tuple[int, R | Lost]]:
        """What a worker has to say."""
        try:
            message: Any = worker.connection.recv()
        except (EOFError, OSError):
            yield from self._bury(worker, None)
            return
        match message:
            case Results(results, seconds):
                worker.heard()
                worker.answered += len(results)
                self._queue.took(len(results), seconds)
                indices = [worker.todo.popleft() for _ in results]
                if not worker.todo:
                    self._give(worker)  # before the consumer takes its time
                yield from zip(indices, results, strict=True)
            case OutOfMemory():
                reason = f"needed more than {self._memory_mb} MB of memory; give more with --memory"
                yield from self._bury(worker, Lost("crashed", reason))
            case Failed(error, where):
                raise error from _InWorker(f"\n{where}")

    def _look_at(self, worker: _Worker, looked_at: float) -> Iterator[tuple[int, R | Lost]]:
        """A worker says nothing: is it dead, or has it been silent for too long?"""
        if worker.is_gone():
            yield from self._bury(worker, None)
        elif worker.is_late(looked_at, self._timeout_s):
            reason = f"took longer than {self._timeout_s:g} s; give more with --timeout"
            yield from self._bury(worker, Lost("hung", reason))

    def _bury(self, worker: _Worker, lost: Lost | None) -> Iterator[tuple[int, R | Lost]]:
        """End a worker. The item it was at is lost, for the reason given or its exit; the rest goes to others."""
        self._workers.remove(worker)
        status = worker.kill(0 if lost else EXIT_S)
        begun = worker.begun
        worker.close()
        if begun == NOT_READY:
            raise SeqAudioError(f"no worker process can be started: {'it is too slow' if lost else _exit_text(status)}")
        left = list(worker.todo)
        at = begun - worker.answered - 1  # those before it were done, but their results are gone with the worker
        if at < 0 and worker.handed_out == 1:  # it may be what killed the worker on arrival: twice is no accident
            at = 0 if left[0] in self._returned else at
            self._returned.add(left[0])
        if at >= 0:
            yield left.pop(at), lost or Lost("crashed", _exit_text(status))
        self._queue.put_back(left)


def _exit_text(status: int | None) -> str:
    """How a process ended, in words."""
    if status is None or status >= 0:
        return f"its process ended (exit code {status})"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"its process died ({name}{'; is the machine out of memory?' if -status == signal.SIGKILL else ''})"
