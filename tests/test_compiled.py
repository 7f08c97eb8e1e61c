"""A compiled function is the interpreted one, only faster, and one call needs no compiler."""

import subprocess
import sys

import numpy as np

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
    monkeypatch.setattr(room, "WORTH_COMPILING_S", 0.0)
    function()
    function()
    assert calls == ["interpreted", "machine code", "machine code"]


def test_a_first_call_imports_no_compiler() -> None:
    code = (
        "import sys; from seqaudio.compiled import compiled\n"
        "assert compiled(lambda a: a + 1)(2) == 3\nassert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
