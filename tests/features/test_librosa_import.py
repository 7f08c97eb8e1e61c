"""No two processes compile librosa at once: halves of both on disk would end every later process."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from seqaudio.features.librosa_import import COMPILED_AT_IMPORT, librosa

# librosa's modules are found as ever, and what executing them would do is noted in place of doing it
WATCH = """
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from seqaudio.features import librosa_import
from seqaudio.files.locks import held

real = SourceFileLoader.exec_module

def watched(self, module):
    if self.name not in librosa_import.COMPILED_AT_IMPORT:
        return real(self, module)
    try:
        with held(Path(sys.argv[1]) / "seqaudio-librosa.lock"):
            print(self.name, "free")
    except TimeoutError:
        print(self.name, "held")

SourceFileLoader.exec_module = watched
for name in librosa_import.COMPILED_AT_IMPORT:
    folder_of = Path(librosa_import.librosa.__file__).parent.joinpath(*name.split(".")[1:-1])
    spec = librosa_import._Finder().find_spec(name, [str(folder_of)])
    spec.loader.exec_module(None)
"""


def test_every_module_that_compiles_when_it_is_imported_waits_its_turn() -> None:
    package = Path(librosa.__file__).parent
    found = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts)
        for path in package.rglob("*.py")
        if re.search(r"^@(numba\.vectorize|(numba\.)?guvectorize)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert found == set(COMPILED_AT_IMPORT)


def test_it_is_executed_under_the_lock_until_one_process_has_done_so(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def run() -> list[str]:
        command = [sys.executable, "-c", WATCH, str(tmp_path)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()

    assert run() == [f"{name} held" for name in COMPILED_AT_IMPORT]
    assert run() == [f"{name} free" for name in COMPILED_AT_IMPORT]
    next(tmp_path.glob("librosa.beat*.compiled")).unlink()
    assert [line for line in run() if line.endswith("held")] == ["librosa.beat held"]


def test_python_loads_these_modules_so_and_no_other() -> None:
    for name in COMPILED_AT_IMPORT:
        assert type(find_spec(name).loader).__module__ == "seqaudio.features.librosa_import"
    assert type(find_spec("librosa.filters").loader).__module__ != "seqaudio.features.librosa_import"


def test_where_nothing_can_be_written_it_is_imported_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "file" / "cache"), "TMPDIR": str(tmp_path / "none")}
    command = [sys.executable, "-c", WATCH, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name} free" for name in COMPILED_AT_IMPORT]
