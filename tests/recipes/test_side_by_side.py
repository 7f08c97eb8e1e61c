"""Workers end with the process that asked for them, whatever ends it, and each may finish what it has in hand."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"

PAGE = """
import os, sys, time
from concurrent.futures import as_completed
from pathlib import Path
sys.path.insert(0, {recipes!r})
from side_by_side import work, workers
here = Path(__file__).parent

def sleep(number):
    (here / f"{{number}}.begun").write_text(str(os.getpid()))
    try:
        time.sleep(60)
    finally:
        time.sleep(0.1)
        (here / f"{{number}}.saved").touch()

if __name__ == "__main__":
    with workers(2) as pool:
        for task in as_completed([pool.submit(work, sleep, number) for number in range(6)]):
            task.result()
"""


@pytest.mark.parametrize(
    ("number", "to", "saved"),
    [
        (signal.SIGINT, "parent", 2),
        (signal.SIGTERM, "parent", 2),
        (signal.SIGKILL, "parent", 2),
        (signal.SIGTERM, "worker", 2),
        (signal.SIGKILL, "worker", 0),  # the pool ends the other one too, and not gently
    ],
)
def test_no_worker_is_left(tmp_path, number, to, saved):
    page = tmp_path / "page.py"
    page.write_text(PAGE.format(recipes=str(RECIPES)))
    with subprocess.Popen([sys.executable, str(page)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        try:
            while len(begun := [path for path in tmp_path.glob("*.begun") if path.read_text()]) < 2:
                assert parent.poll() is None
                time.sleep(0.02)
            told = parent.pid if to == "parent" else int(begun[0].read_text())
            os.kill(told, number)
            parent.communicate(timeout=60)  # returns when nobody is left who could write to it
        finally:
            parent.kill()
    assert parent.returncode != 0
    assert len(list(tmp_path.glob("*.begun"))) == 2  # those that waited never began
    assert len(list(tmp_path.glob("*.saved"))) >= saved


def test_results_come_back_and_the_signals_are_as_before(monkeypatch):
    monkeypatch.syspath_prepend(str(RECIPES))
    monkeypatch.setenv("PYTHONPATH", str(RECIPES), prepend=":")
    from side_by_side import work, workers

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with workers(1) as pool:
        assert [pool.submit(work, pow, 2, each).result() for each in range(3)] == [1, 2, 4]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
