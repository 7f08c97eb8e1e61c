"""When does a plain loop become machine code?

A function marked ``@compiled`` is ordinary Python over numbers, bytes and numpy arrays, and is interpreted at first:
one file needs no compiler. Once all such functions together have cost about as long as loading machine code from disk
does, those whose machine code lies there are loaded at their next call; where there is none yet, once they have cost as
long as making it. It is kept on disk for the next process. Both give the same
result, which the tests check on every such function through ``interpreted`` and ``machine_code``. Whoever measures what
a call takes decides beforehand, with ``compile_now`` or ``never_compile``.

The machine code on disk belongs to the text of its file (which numba watches) and to the values of the constants it
uses, wherever they come from, and to the text of what it calls in other files: numba builds those in and does not watch
them, so they are part of its name.

Conventions: a compiled function raises nothing and returns plain values; it may call functions of its own module and
compiled ones of others, which are compiled with it; integers stay within 64 bits.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import sys
import time
from collections.abc import Callable
from functools import cached_property, update_wrapper
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, ClassVar, Generic, Literal, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

WORTH_LOADING_S = 0.4  # what importing numba and loading machine code from disk takes
WORTH_COMPILING_S = 10.0  # what making the machine code of all that a command needs takes


class Compiled(Generic[P, R]):
    """A function that is interpreted until compiling it pays.

    Attributes:
        spent_s: seconds that interpreted calls of all these functions have taken in this process.
    """

    spent_s: ClassVar[float] = 0.0

    def __init__(self, function: Callable[P, R]) -> None:
        self.interpreted = function
        self._machine_code: Callable[P, R] | None = None
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function as it is now."""
        if self._machine_code is None and not self._is_worth_it():
            started = time.perf_counter()
            try:
                return self.interpreted(*args, **kwargs)
            finally:
                Compiled.spent_s += time.perf_counter() - started
        return self.machine_code(*args, **kwargs)

    def _is_worth_it(self) -> bool:
        """Whether interpreting has cost as much as having machine code would."""
        if Compiled.spent_s < WORTH_LOADING_S:
            return False
        return Compiled.spent_s >= WORTH_COMPILING_S or self._is_on_disk

    @cached_property
    def _is_on_disk(self) -> bool:
        """Whether numba has written machine code beside the source, as it does where it may; of this Python."""
        code, name = self.interpreted.__code__, self.interpreted.__qualname__
        file, version = Path(code.co_filename), f"py{sys.version_info.major}{sys.version_info.minor}"
        index = f"{file.stem}.{name}_{constants_digest(self.interpreted)}-{code.co_firstlineno}.{version}.nbi"
        return (file.parent / "__pycache__" / index).is_file()

    @property
    def machine_code(self) -> Callable[P, R]:
        """The compiled function; compiled, or loaded from disk, at its first call."""
        if self._machine_code is None:
            self._machine_code = _jitted(self.interpreted)
        return self._machine_code


def compiled(function: Callable[P, R]) -> Compiled[P, R]:
    """Decorator: interpreted at first, machine code once it pays."""
    return Compiled(function)


def compile_now() -> None:
    """From here on, a first call compiles."""
    Compiled.spent_s = math.inf


def never_compile() -> None:
    """From here on, everything not compiled yet is interpreted."""
    Compiled.spent_s = -math.inf


def machine_code_target() -> str:
    """What numba makes machine code for here: versions, and the CPU with its features, its own or one it is told."""
    import llvmlite.binding
    import numba

    cpu = os.environ.get("NUMBA_CPU_NAME") or llvmlite.binding.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES") or llvmlite.binding.get_host_cpu_features().flatten()
    return f"{sys.implementation.cache_tag} numba {numba.__version__} {cpu} {features}"


def _jitted(function: Callable[..., Any], inline: Literal["never", "always"] = "never") -> Callable[..., Any]:
    """The function under numba, with the functions that it calls inlined: of small files a sixth less."""
    import numba

    assert inspect.isfunction(function)
    inner = {name: _jitted(value, "always") for name, value in _called_by(function).items()}
    copy = FunctionType(function.__code__, {**function.__globals__, **inner}, function.__name__, function.__defaults__)
    # numba finds its file by this name
    copy.__qualname__, copy.__module__ = f"{function.__qualname__}_{constants_digest(function)}", function.__module__
    try:
        return numba.njit(cache=True, inline=inline)(copy)
    except RuntimeError:  # no folder can be written to: compile anew in each process
        return numba.njit(inline=inline)(copy)


def constants_digest(function: Callable[..., Any]) -> str:
    """A hash of all plain constants that a function uses, itself or through those it calls, and of foreign text."""
    found: dict[str, str] = {}
    _add_constants(function, function.__module__, found)
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:16]


def _add_constants(function: Callable[..., Any], home: str, found: dict[str, str]) -> None:
    """Each constant, and each function, so that none is looked at twice; with its text if it is not at home."""
    module = function.__module__
    name = f"{module}.{function.__qualname__}"
    if name in found:
        return
    found[name] = "" if module == home else inspect.getsource(function)
    for constant, value in _globals_of(function).items():
        if (text := _constant_text(value)) is not None:
            found[f"{module}.{constant}"] = text
    for called in _called_by(function).values():
        _add_constants(called, home, found)


def _constant_text(value: object) -> str | None:
    """A plain constant as text that differs whenever it does; None for what is none."""
    if isinstance(value, (bool, int, float, complex, str, bytes, type(None))):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, tuple):
        return f"({', '.join(str(_constant_text(part)) for part in value)})"
    if isinstance(value, (np.ndarray, np.generic)):
        return f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    return None


def _called_by(function: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The functions that a function names: plain ones of its module, compiled ones of any."""
    return {
        name: getattr(value, "interpreted", value)
        for name, value in _globals_of(function).items()
        if (isinstance(value, Compiled) or (inspect.isfunction(value) and value.__module__ == function.__module__))
        and getattr(value, "interpreted", value) is not function
    }


def _globals_of(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function's global names mean now, those in its comprehensions too."""
    names: set[str] = set()
    codes: list[CodeType] = [function.__code__]
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        codes += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
    return {name: function.__globals__[name] for name in sorted(names) if name in function.__globals__}
