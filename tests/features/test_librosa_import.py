"""No two processes compile librosa at once: halves of both on disk would end every later process."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seqaudio.features.librosa_import import COMPILED_AT_IMPORT, librosa

# librosa's modules are found as ever; in place of executing them it is noted whether that would be done alone, and
# machine code of theirs is written, or what goes wrong is raised
WATCH = """
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from seqaudio.features import librosa_import
from seqaudio.files.locks import HeldByAnotherError, holding_lock

store, fails = Path(sys.argv[1]), sys.argv[2] == "fails"
librosa_import._OneAtATime.patience_s = float(sys.argv[3])
real = SourceFileLoader.exec_module

def watched(self, module):
    if self.name not in librosa_import.COMPILED_AT_IMPORT:
        return real(self, module)
    try:
        with holding_lock(store / "seqaudio-librosa.lock"):
            print(self.name, "free")
    except (HeldByAnotherError, OSError) as problem:
        print(self.name, "held" if isinstance(problem, HeldByAnotherError) else "nowhere")
    if fails:
        raise ImportError
    code = store / f"guf-{self.name.rpartition('.')[2]}._loop-1.nbc"
    if store.is_dir() and not code.exists():
        code.write_bytes(bytes(8))

SourceFileLoader.exec_module = watched
for name in librosa_import.COMPILED_AT_IMPORT:
    folder = Path(librosa_import.librosa.__file__).parent.joinpath(*name.split(".")[1:-1])
    try:
        librosa_import._Finder().find_spec(name, [str(folder)]).loader.exec_module(None)
    except ImportError:
        pass
"""
HELD, FREE = ([f"{name} {how}" for name in COMPILED_AT_IMPORT] for how in ("held", "free"))


def watched(store: Path, how: str = "works", patience_s: float = 60, **environment: str) -> list[str]:
    variables = {**os.environ, "NUMBA_CACHE_DIR": str(store), **environment}
    command = [sys.executable, "-c", WATCH, str(store), how, str(patience_s)]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout.splitlines()


def test_every_module_that_compiles_when_it_is_imported_waits_its_turn() -> None:
    package = Path(librosa.__file__).parent
    found = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for path in package.rglob("*.py")
        if re.search(r"^@(numba\.vectorize|(numba\.)?guvectorize)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert found == set(COMPILED_AT_IMPORT)
    for name in COMPILED_AT_IMPORT:
        assert type(importlib.util.find_spec(name).loader).__module__ == "seqaudio.features.librosa_import"
    assert type(importlib.util.find_spec("librosa.filters").loader).__module__ != "seqaudio.features.librosa_import"


def test_it_is_alone_until_one_process_has_made_what_lies_there(tmp_path: Path) -> None:
    assert watched(tmp_path, "fails") == HELD
    assert watched(tmp_path) == HELD  # what failed has made nothing
    assert watched(tmp_path) == FREE
    (tmp_path / "guf-beat._loop-1.nbc").unlink()
    assert watched(tmp_path) == [*FREE[:-1], HELD[-1]]
    (tmp_path / "guf-beat._loop-1.nbc").write_bytes(bytes(9))  # by somebody else
    assert watched(tmp_path) == [*FREE[:-1], HELD[-1]]
    assert watched(tmp_path, NUMBA_CPU_NAME="generic") == HELD  # for another machine
    assert watched(tmp_path) == FREE


def test_whoever_waits_in_vain_goes_on_and_says_nothing_of_the_machine_code(tmp_path: Path) -> None:
    """The lock of a stuck process: the first module waits, the others know better."""
    code = (
        "import sys, subprocess; from seqaudio.files.locks import holding_lock\n"
        "with holding_lock(sys.argv[1]): subprocess.run(sys.argv[2:], check=True)"
    )
    command = [sys.executable, "-c", WATCH, str(tmp_path), "works", "0.2"]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "seqaudio-librosa.lock"), *command],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == HELD  # by the other
    assert not list(tmp_path.glob("*.compiled"))


def test_where_nothing_can_be_written_it_is_imported_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert watched(tmp_path / "file" / "store") == [f"{name} nowhere" for name in COMPILED_AT_IMPORT]


def test_the_lock_lies_where_the_machine_code_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seqaudio.features import librosa_import

    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    package = Path(librosa.__file__).parent
    closed: list[Path] = []
    monkeypatch.setattr(librosa_import.os, "access", lambda path, _: Path(path) not in closed)
    assert librosa_import._lock() == package / "__pycache__" / "seqaudio-librosa.lock"
    assert librosa_import._store(package / "util" / "utils.py") == package / "util" / "__pycache__"
    closed += [package, package / "util"]
    assert librosa_import._lock() == tmp_path / "numba" / "seqaudio-librosa.lock"
    assert librosa_import._store(package / "util" / "utils.py") == tmp_path / "numba"


@pytest.mark.slow
def test_processes_that_meet_over_an_empty_store_all_live(tmp_path: Path) -> None:
    """Without the lock two of four ended with a segmentation fault, and so did all that came later."""
    code = (
        "import sys, time; time.sleep(float(sys.argv[1])); import numpy as np\n"
        "from seqaudio.features import beat_times\n"
        "beat_times(np.tile(np.eye(1, 11025, dtype=np.float32)[0], 8), 22050)"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def start(late: float) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", code, str(late)], env=environment)

    assert [process.wait(500) for process in [start(late) for late in (0, 0.7, 1.9, 3.1)]] == [0, 0, 0, 0]
    assert start(0).wait(500) == 0
    assert {file.name.rpartition("-")[0] for file in tmp_path.glob("*.compiled")} == set(COMPILED_AT_IMPORT)
