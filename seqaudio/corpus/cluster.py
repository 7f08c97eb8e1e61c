"""How is the same done on a Dask cluster?

Each thread of the cluster's workers runs chunks of items through ``run_isolated``, so an item is lost there by the same
rules and with the same words as here, and costs no Dask worker. A Dask worker that dies nevertheless (a machine that is
switched off, memory taken by others) is Dask's to replace; a chunk that keeps killing them is tried alone and divided.

A chunk is made for some seconds, because each starts a process, which takes half a second.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from seqaudio.corpus.workers import ItemQueue, Lost, run_isolated
from seqaudio.errors import MissingDependencyError, OptionError, SeqAudioError

T = TypeVar("T")
R = TypeVar("R")

CHUNK_S = 5.0
FEWEST_ITEMS, MOST_ITEMS = 16, 4096
CONNECT_S = 5.0
NO_WORKERS_S = 60.0  # a cluster may lose all its workers for so long


def run_on_cluster(
    function: Callable[[T], R],
    items: Sequence[T],
    address: str,
    *,
    timeout_s: float = 60.0,
    memory_mb: int | None = 2048,
    prepare_worker: Callable[[], None] | None = None,
) -> Iterator[tuple[int, R | Lost]]:
    """``run_isolated`` on the workers of a Dask scheduler; the same results in some other order.

    Closing the iterator cancels what has not begun; chunks under way end by themselves within seconds.

    Args:
        function: importable on the workers, where what it reads must lie under the same paths.
        items: what to call it on.
        address: of the scheduler, such as ``tcp://192.168.0.7:8786``.
        timeout_s: seconds for one item.
        memory_mb: memory for one item, in MB; None: no limit.
        prepare_worker: called in each process before its first item, at nobody's cost in time and memory.

    Yields:
        (index, result) as they are done, every index once. Two chunks per thread of the cluster are under way.

    Raises:
        MissingDependencyError: Dask is not installed.
        OptionError: no scheduler answers at the address, it has no workers, or they run another seqaudio or Python.
        SeqAudioError: the cluster went away.
        Exception: whatever the function raises, except MemoryError.
    """
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise MissingDependencyError(
            "--dask needs Dask, which is not installed; pip install 'seqaudio[cluster]'"
        ) from None
    client = _connect(address)
    try:
        budgets = {"timeout_s": timeout_s, "memory_mb": memory_mb, "prepare_worker": prepare_worker}
        yield from _Chunks(client, function, items, budgets).results()
    finally:
        client.close()


def _connect(address: str) -> Any:
    from distributed import Client
    from distributed.core import connect
    from distributed.utils import LoopRunner

    async def greet() -> None:
        comm = await connect(address, timeout=CONNECT_S)
        await comm.close()

    try:  # before a Client exists: one that could not connect is not easily got rid of
        LoopRunner().run_sync(greet)
    except Exception as problem:  # Dask has no family of its own; another kind of server even ends in a MemoryError
        reason = " ".join(str(problem).split()) or type(problem).__name__
        hint = "start one with `dask scheduler` and give its tcp:// address"
        raise OptionError(f"{address}: no Dask scheduler answers ({reason}); {hint}") from None
    client: Any = Client(address, timeout=CONNECT_S, set_as_default=False)
    try:
        _check(client, address)
    except BaseException:
        client.close()
        raise
    return client


def _check(client: Any, address: str) -> None:
    """Workers that would make other tokens, or none at all, are refused before any work."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError:
        raise OptionError(
            f"{address}: this scheduler has no workers; start some with `dask worker {address}`"
        ) from None
    versions = client.get_versions(packages=["seqaudio"])
    python = _python(versions["client"])
    for worker, there in versions["workers"].items():
        found = there["packages"].get("seqaudio")
        if found != version("seqaudio") or _python(there) != python:
            there = f"Python {_python(there)} with seqaudio {found or '(none)'}"
            here = f"Python {python} with {version('seqaudio')}"
            raise OptionError(f"{worker}: this Dask worker runs {there}, here it is {here}; install the same on both")


def _python(versions: Any) -> str:
    """The Python of one side, as 3.11."""
    return ".".join(str(versions["host"]["python"]).split(".")[:2])


def _run_chunk(
    function: Callable[[T], R], items: list[T], budgets: dict[str, Any]
) -> tuple[list[R | Lost] | Exception, float]:
    """On the cluster: the results in the order of the items, and the seconds they took without starting a process.

    What the function raises is a result too, or it could not be told from what befalls the cluster.
    """
    results: dict[int, R | Lost] = {}
    first = last = 0.0
    try:
        for index, result in run_isolated(function, items, **budgets):
            results[index] = result
            last = time.monotonic()
            first = first or last
    except Exception as problem:
        return problem, 0.0
    return [results[index] for index in range(len(items))], last - first


class _Chunks:
    """What is under way on the cluster and what is left to do."""

    def __init__(self, client: Any, function: Callable[[Any], Any], items: Sequence[Any], budgets: dict[str, Any]):
        self._client, self._function, self._items, self._budgets = client, function, items, budgets
        self._queue = ItemQueue(len(items), CHUNK_S, FEWEST_ITEMS, MOST_ITEMS)
        self._under_way: dict[Any, list[int]] = {}
        self._suspects: deque[list[int]] = deque()
        self._on_trial = False
        self._done: SimpleQueue[Any] = SimpleQueue()

    def results(self) -> Iterator[tuple[int, Any]]:
        """Every index once, with its result or how it was lost."""
        try:
            self._submit()
            while self._under_way:
                future = self._next_done()
                indices = self._under_way.pop(future)
                results = self._results_of(future, indices)
                future.release()
                self._submit()
                yield from results
        finally:
            self._client.cancel(list(self._under_way))

    def _submit(self) -> None:
        """Keep two chunks under way per thread; at the end, try the suspects with nothing beside them."""
        threads = max(1, sum(self._client.nthreads().values()))
        while len(self._under_way) < 2 * threads and (indices := self._queue.take(threads)):
            self._send(indices)
        if self._suspects and not self._under_way:
            self._on_trial = True
            self._send(self._suspects.popleft())

    def _send(self, indices: list[int]) -> None:
        chunk = [self._items[index] for index in indices]
        future = self._client.submit(_run_chunk, self._function, chunk, self._budgets, pure=False)
        self._under_way[future] = indices
        future.add_done_callback(self._done.put)

    def _next_done(self) -> Any:
        """Wait for a chunk; a cluster without workers is waited for only so long."""
        alone_since = math.inf
        while True:
            try:
                return self._done.get(timeout=1.0)
            except Empty:
                alone = self._client.status != "running" or not self._client.nthreads()
                alone_since = min(alone_since, time.monotonic()) if alone else math.inf
            if time.monotonic() - alone_since > NO_WORKERS_S:
                raise SeqAudioError(
                    f"the Dask cluster has had no workers for {NO_WORKERS_S:g} s; start some and try again"
                )

    def _results_of(self, future: Any, indices: list[int]) -> list[tuple[int, Any]]:
        """The results of a chunk; none if Dask workers died of it, or of one that waited beside it."""
        from distributed import CancelledError, KilledWorker

        try:
            results, seconds = future.result()
        except KilledWorker:
            if self._on_trial and len(indices) == 1:
                return [(indices[0], Lost("crashed", "every Dask worker that was given it died"))]
            middle = len(indices) // 2 if self._on_trial else 0
            self._suspects.extend(half for half in (indices[:middle], indices[middle:]) if half)
            return []
        except (CancelledError, OSError) as problem:
            raise SeqAudioError(f"the Dask cluster went away ({' '.join(str(problem).split())}); try again") from None
        if isinstance(results, Exception):
            raise results
        self._queue.took(len(indices), seconds)
        return list(zip(indices, results, strict=True))
