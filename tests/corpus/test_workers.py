"""Does every item give its result or its loss exactly once, whatever the others do to their processes?"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqaudio.corpus.workers import MOST_ITEMS, ItemQueue, Lost, run_isolated
from seqaudio.errors import OptionError, SeqAudioError
from tests.corpus.awkward import act, count_call, raise_os_error, raise_unbearable, warm_up

EXPECTED: dict[str, Callable[[Any], Any]] = {
    "square": lambda value: value**2,
    "print": lambda value: value,
    "sleep": lambda value: value,
    "hang": lambda _: Lost("hung", "took longer than 2 s; give more with --timeout"),
    "exit": lambda value: Lost("crashed", f"its process ended (exit code {value})"),
    "crash": lambda _: Lost("crashed", "its process died (SIGSEGV)"),
    "eat": lambda _: Lost("crashed", "needed more than 300 MB of memory; give more with --memory"),
}


def mixed_items(seed: int, awkward: tuple[tuple[str, int], ...]) -> list[tuple[str, int]]:
    """Hundreds of easy items, some that print, and the awkward ones, in a random order."""
    draw = random.Random(seed)
    items = [("square", draw.randrange(1000)) for _ in range(draw.randrange(300, 600))]
    items += [("print", number) for number in range(20)] + list(awkward)
    draw.shuffle(items)
    return items


def is_alive(pid: int) -> bool:
    """Does this process exist and run? (One that nobody waited for is no process any more.)"""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(true: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


@pytest.mark.parametrize(
    ("jobs", "awkward"),
    [
        (1, (("exit", 0), ("crash", 0))),
        (2, (("hang", 0), ("exit", 3))),
        (3, (("eat", 0), ("crash", 0), ("crash", 0), ("exit", 3), ("hang", 0))),
    ],
)
def test_every_item_is_answered_once(
    jobs: int, awkward: tuple[tuple[str, int], ...], capfd: pytest.CaptureFixture[str]
) -> None:
    items = mixed_items(jobs, awkward)
    answered = list(run_isolated(act, items, jobs=jobs, timeout_s=2, memory_mb=300))
    assert sorted(index for index, _ in answered) == list(range(len(items)))
    assert dict(answered) == {index: EXPECTED[what](value) for index, (what, value) in enumerate(items)}
    assert capfd.readouterr().out == ""


def test_large_results_arrive_whole() -> None:
    sizes = [400_000, 3, 400_001, 0]
    got = dict(run_isolated(act, [("array", size) for size in sizes], jobs=2))
    assert len(got) == 4
    for index, size in enumerate(sizes):
        np.testing.assert_array_equal(got[index], np.full(size, size))


def test_no_items_start_no_process() -> None:
    assert list(run_isolated(act, [], jobs=2)) == []


def test_what_the_function_raises_reaches_the_consumer() -> None:
    with pytest.raises(KeyError, match="7") as caught:
        list(run_isolated(act, [("square", 1), ("raise", 7)]))
    assert "in act" in str(caught.value.__cause__)
    with pytest.raises(RuntimeError, match="Unbearable: one and two"):
        list(run_isolated(raise_unbearable, [1]))
    with pytest.raises(OptionError, match="above 0"):
        run_isolated(act, [], jobs=0)


@pytest.mark.parametrize("budget", [{"timeout_s": float("nan")}, {"memory_mb": 10**20}])
def test_budgets_that_mean_nothing_are_refused(budget: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"above 0|at most"):
        run_isolated(act, [("square", 1)], **budget)


def test_a_worker_prints_no_traceback(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """What goes wrong in one outside the function is raised here."""
    monkeypatch.setattr("seqaudio.corpus.workers.MOST_MEMORY_MB", 10**30)
    with pytest.raises(OverflowError):
        list(run_isolated(act, [("square", 1)], memory_mb=10**20))
    assert capfd.readouterr().err == ""


def test_a_slow_consumer_is_waited_for(tmp_path: Path) -> None:
    """Few results are made before they are wanted, and no item is late because nobody looked."""
    calls = tmp_path / "calls"
    calls.touch()
    results = run_isolated(count_call, [calls] * 3000, jobs=1, timeout_s=1)
    taken = list(islice(results, 400))
    time.sleep(1.5)
    assert 400 <= calls.stat().st_size <= 400 + 2 * MOST_ITEMS
    taken += list(results)
    assert sorted(index for index, _ in taken) == list(range(3000))
    assert calls.stat().st_size == 3000
    slow = []
    for _, result in run_isolated(act, [("sleep", 0.3)] * 4, jobs=2, timeout_s=1):
        slow.append(result)
        time.sleep(1.2)
    assert slow == [0.3] * 4


def test_preparing_a_worker_is_at_no_items_cost(tmp_path: Path) -> None:
    """The first takes 1.5 s and 200 MB, where an item may take 0.5 s and 50 MB; the others find what it left."""
    items = [("sleep", 0.2)] * 12
    prepare = partial(warm_up, tmp_path)
    done = dict(run_isolated(act, items, jobs=3, timeout_s=0.5, memory_mb=50, prepare_worker=prepare))
    assert done == dict.fromkeys(range(12), 0.2)
    assert (tmp_path / "calls").read_bytes() == b".++"
    with pytest.raises(OSError, match="no such thing"):
        list(run_isolated(act, items, prepare_worker=partial(raise_os_error, None)))


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    ended = {pid for _, pid in run_isolated(count_call, [calls] * 500, jobs=2)}
    closed = run_isolated(count_call, [calls] * 5000, jobs=2)
    ended |= {pid for _, pid in islice(closed, 500)}
    assert any(map(is_alive, ended))
    closed.close()
    assert 1 < len(ended) <= 4
    assert not any(map(is_alive, ended))


SCRIPT = """
import sys
from seqaudio.corpus.workers import run_isolated
from tests.corpus.awkward import show_process_and_hang
list(run_isolated(show_process_and_hang, sys.argv[1:], jobs=2))  # on purpose without `if __name__ == "__main__"`
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_the_run(number: signal.Signals, tmp_path: Path) -> None:
    """Even those in C code that lets no thread run, and however the run ends."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    shown = [tmp_path / "one", tmp_path / "two"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.Popen([sys.executable, script, *shown], env=environment, stderr=subprocess.PIPE)
    assert wait_until(lambda: all(path.exists() for path in shown))
    pids = [int(path.read_text(encoding="utf-8")) for path in shown]
    assert all(map(is_alive, pids))
    run.send_signal(number)
    _, said = run.communicate(timeout=30)  # the workers hold this pipe open: it ends with the last of them
    assert wait_until(lambda: not any(map(is_alive, pids)), 5)
    assert said.count(b"Traceback") == (number == signal.SIGINT)


def test_a_function_of_a_script_is_refused_in_one_line(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    code = (
        "from seqaudio.corpus.workers import run_isolated\nfrom seqaudio.errors import OptionError\n"
        "def function(item): return item\n"
        "try: list(run_isolated(function, [1, 2], jobs=2))\n"
        "except OptionError as problem: print(problem)"
    )
    script.write_text(code, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    assert run.stdout.count("\n") == 1
    assert "define it in a module" in run.stdout


def test_an_interpreter_that_does_not_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SeqAudioError, match=r"no worker process can be started.*exit code 1"):
        list(run_isolated(act, [("square", 1)]))


@pytest.mark.parametrize("seed", range(20))
def test_the_queue_hands_out_every_item_until_it_is_answered(seed: int) -> None:
    draw = random.Random(seed)
    queue, answered = ItemQueue(count := draw.randrange(3000), 0.2, draw.choice([1, 16]), MOST_ITEMS), []
    while queue:
        chunk = queue.take(draw.choice([1, 2, 8]))
        assert 0 < len(chunk) <= MOST_ITEMS
        done = draw.randrange(len(chunk) + 1) if draw.random() < 0.2 else len(chunk)
        queue.took(done, draw.choice([0, 1e-6, 0.01, 1]))
        answered += chunk[:done]
        queue.put_back(chunk[done:])
    assert sorted(answered) == list(range(count))
