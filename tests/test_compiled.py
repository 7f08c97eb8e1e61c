"""A compiled function is the interpreted one, only faster, and one call needs no compiler."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqaudio import compiled as room
from seqaudio.compiled import Compiled, compiled


def _twice(value: int) -> int:
    return 2 * value


@compiled
def total(data: bytes, weights: np.ndarray) -> int:
    found = 0
    for i in range(len(data)):
        found += _twice(int(data[i])) * weights[i]
    return found


def test_machine_code_gives_what_the_interpreter_gives() -> None:
    data = bytes(range(200))
    weights = np.arange(200, dtype=np.int64)
    expected = 2 * sum(i * i for i in range(200))
    assert total.interpreted(data, weights) == total.machine_code(data, weights) == expected


def test_a_function_is_interpreted_until_it_has_cost_as_much_as_compiling(monkeypatch) -> None:
    calls = []
    function = compiled(lambda: calls.append("interpreted"))
    assert isinstance(function, Compiled)
    monkeypatch.setattr(room, "_jitted", lambda _: lambda: calls.append("machine code"))
    monkeypatch.setattr(Compiled, "spent_s", 0.0)
    function()
    monkeypatch.setattr(Compiled, "spent_s", room.WORTH_LOADING_S)  # and there is nothing to load
    function()
    monkeypatch.setattr(Compiled, "spent_s", room.WORTH_COMPILING_S)
    function()
    function()
    assert calls == ["interpreted", "interpreted", "machine code", "machine code"]


KERNEL = """
from seqaudio.compiled import compiled

@compiled
def one(value):
    return value

@compiled
def other(value):
    return -value
"""
CALLS = """
import sys
sys.path.insert(0, sys.argv[1])
import kernel
from seqaudio.compiled import WORTH_LOADING_S, Compiled, compile_now
Compiled.spent_s = WORTH_LOADING_S
if sys.argv[2] == "compile":
    compile_now()
    kernel.one(3)
else:
    print(kernel.one(3), "numba" in sys.modules)
    print(kernel.other(3), kernel.other._machine_code)
"""


def test_machine_code_that_lies_on_disk_is_loaded_sooner(tmp_path: Path) -> None:
    """A new process interprets what nobody has compiled yet, and loads what an earlier one has."""
    (tmp_path / "kernel.py").write_text(KERNEL)
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}

    def run(what: str) -> list[str]:
        command = [sys.executable, "-c", CALLS, str(tmp_path), what]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()

    assert run("call") == ["3 False", "-3 None"]
    run("compile")
    assert run("call") == ["3 True", "-3 None"]


def test_a_first_call_imports_no_compiler() -> None:
    code = (
        "import sys; from seqaudio.compiled import compiled\n"
        "assert compiled(lambda a: a + 1)(2) == 3\nassert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_machine_code_on_disk_follows_constants_and_functions_of_other_modules(tmp_path: Path) -> None:
    """numba itself watches the file of the function alone."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import kernel\n"
        "print(kernel.times.machine_code(7), kernel.times.interpreted(7))\n"
        "print(sum(kernel.times.machine_code.stats.cache_hits.values()))"
    )
    (tmp_path / "kernel.py").write_text(
        "from seqaudio.compiled import compiled\nfrom elsewhere import FACTOR, TABLE, more\n"
        "def _inner(value):\n    return value * FACTOR\n"
        "@compiled\ndef times(value):\n    return _inner(value) + TABLE[0] + more(value)\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    found = []
    for factor, table, more in ((2, 0, "OF"), (2, 0, "OF"), (3, 0, "OF"), (3, 5, "OF"), (2, 0, "OF"), (2, 0, "2 * OF")):
        text = f"import numpy as np\nFACTOR = {factor}\nTABLE = np.array([{table}])\nOF = 10\n"
        text += f"from seqaudio.compiled import compiled\n@compiled\ndef more(value):\n    return {more}\n"
        (tmp_path / "elsewhere.py").write_text(text)
        run = [sys.executable, "-c", code, str(tmp_path)]
        done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
        found.append(tuple(map(int, done.stdout.split())))
    assert found == [(24, 24, 0), (24, 24, 1), (31, 31, 0), (36, 36, 0), (24, 24, 1), (34, 34, 0)]


def test_whoever_measures_decides_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(room, "_jitted", lambda _: lambda: calls.append("machine code"))
    monkeypatch.setattr(Compiled, "spent_s", room.WORTH_COMPILING_S)
    function = compiled(lambda: calls.append("interpreted"))
    room.never_compile()
    function()
    room.compile_now()
    function()
    assert calls == ["interpreted", "machine code"]
