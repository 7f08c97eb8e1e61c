"""How are long tasks run in several processes, so that none of them outlives the one that asked for them?

The parent tells its workers to leave by SIGTERM, once; a worker whose parent has died tells itself. A training that is
told so finishes its step and saves (:class:`seqaudio.training.run.Run`), any other task is dropped. Ctrl-C is for the
parent alone: a second signal would stop a training without saving it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from typing import TypeVar

Result = TypeVar("Result")

leaving, busy = threading.Event(), threading.Lock()  # of a worker


@contextmanager
def workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that take calls of :func:`work`; they end when the inside is left, by an error or a signal too."""
    before = {signal.SIGINT: signal.getsignal(signal.SIGINT), signal.SIGTERM: signal.getsignal(signal.SIGTERM)}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    others = set(active_children())
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=begin)
    try:
        yield pool
    except BaseException:
        for number in before:  # nothing is left to interrupt: the workers need a step of time to save
            signal.signal(number, signal.SIG_IGN)
        for process in set(active_children()) - others:
            process.terminate()
        pool.shutdown(cancel_futures=True)
        raise
    finally:
        pool.shutdown()
        for number, handler in before.items():
            signal.signal(number, handler)


def begin() -> None:
    """Make this process a worker."""

    def follow() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        with busy:
            os._exit(1)

    signal.signal(signal.SIGTERM, lambda number, frame: leaving.set())
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=follow, daemon=True).start()


def work(task: Callable[..., Result], *arguments: object) -> Result:
    """A task in a worker. Raises KeyboardInterrupt when it is told to leave, and at once when it has been before."""
    with busy:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            if leaving.is_set():
                raise KeyboardInterrupt
            return task(*arguments)
        except KeyboardInterrupt:
            leaving.set()
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
