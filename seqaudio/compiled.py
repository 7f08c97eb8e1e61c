"""When does a plain loop become machine code?

A function marked ``@compiled`` is ordinary Python over numbers, bytes and numpy arrays, and is interpreted at first:
one file needs no compiler. Once all such functions together have cost about as long as loading the compiler does, each
is compiled by numba at its next call, and the machine code is kept on disk for the next process. Both give the same
result, which the tests check on every such function through ``interpreted`` and ``machine_code``.

Conventions: a compiled function raises nothing and returns plain values; it may call functions of its own module,
which are compiled with it; integers stay within 64 bits.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from functools import update_wrapper
from types import FunctionType
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

WORTH_COMPILING_S = 0.4  # what importing numba and loading machine code from disk takes


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
        if self._machine_code is None and Compiled.spent_s < WORTH_COMPILING_S:
            started = time.perf_counter()
            try:
                return self.interpreted(*args, **kwargs)
            finally:
                Compiled.spent_s += time.perf_counter() - started
        return self.machine_code(*args, **kwargs)

    @property
    def machine_code(self) -> Callable[P, R]:
        """The compiled function; compiled, or loaded from disk, at its first call."""
        if self._machine_code is None:
            self._machine_code = _jitted(self.interpreted)
        return self._machine_code


def compiled(function: Callable[P, R]) -> Compiled[P, R]:
    """Decorator: interpreted at first, machine code once it pays."""
    return Compiled(function)


def _jitted(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under numba, with the functions of its module that it calls."""
    import numba

    assert inspect.isfunction(function)
    called = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    inner = {
        name: _jitted(getattr(value, "interpreted", value))
        for name, value in called.items()
        if getattr(value, "__module__", None) == function.__module__
        and (inspect.isfunction(value) or isinstance(value, Compiled))
        and value is not function
    }
    copy = FunctionType(function.__code__, {**function.__globals__, **inner}, function.__name__, function.__defaults__)
    copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
    try:
        return numba.njit(cache=True)(copy)
    except RuntimeError:  # no folder can be written to: compile anew in each process
        return numba.njit(copy)
