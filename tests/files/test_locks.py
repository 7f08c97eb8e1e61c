"""One holder at a time, of processes and, unless they hold it together, within one; whoever ends frees it."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from seqaudio.files.locks import HeldByAnotherError, holding_lock

HOLD = """
import sys
from seqaudio.files.locks import holding_lock
with holding_lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("within_process", [True, False])
def test_another_process_is_waited_for_until_it_ends(tmp_path: Path, within_process: bool) -> None:
    lock = tmp_path / "lock"
    with holder(lock) as process:
        with (
            pytest.raises(HeldByAnotherError, match="another process holds it"),
            holding_lock(lock, within_process=within_process),
        ):
            pass
        threading.Timer(0.2, process.kill).start()  # it frees nothing itself
        with holding_lock(lock, patience_s=60, within_process=within_process):
            assert process.wait(60) != 0


def test_within_a_process_it_is_another_or_the_same(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with holding_lock(lock), pytest.raises(HeldByAnotherError), holding_lock(lock):
        pass
    together = []

    def hold() -> None:
        with holding_lock(lock, within_process=False):
            together.append(True)

    with holding_lock(lock, within_process=False):
        with holding_lock(lock, within_process=False):
            together.append(True)
        thread = threading.Thread(target=hold)
        thread.start()
        thread.join(60)
        with pytest.raises(HeldByAnotherError), holding_lock(lock):  # the inner ones have not freed it
            pass
    assert together == [True, True]
    with holding_lock(lock):
        pass


def test_what_fails_inside_is_told_as_it_is_and_frees_it(tmp_path: Path) -> None:
    for problem in (TimeoutError("of a network folder"), KeyboardInterrupt()):
        with pytest.raises(type(problem)), holding_lock(tmp_path / "lock"):
            raise problem
    with holding_lock(tmp_path / "lock"):
        pass


def test_a_lock_that_cannot_be_made_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), holding_lock(tmp_path / "file" / "lock", patience_s=600):
        pass
