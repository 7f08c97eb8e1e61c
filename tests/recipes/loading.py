"""A recipe as a module, though its folder is no package."""

import importlib.util
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"


@contextmanager
def loaded(name: str) -> Iterator[ModuleType]:
    """The recipe of that name; inside, its neighbours can be imported too."""
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its worker processes import it by this name
    sys.path.insert(0, str(RECIPES))
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(RECIPES))


def work_here(patch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
    """Modules that ask for worker processes work in this one: what is patched counts, and torch is not loaded again."""
    for module in modules:
        patch.setattr(module, "work", lambda task, *arguments: task(*arguments))
        if hasattr(module, "workers"):
            patch.setattr(module, "workers", _Here)


class _Here:
    """A pool that does what it is given at once."""

    def __init__(self, jobs: int) -> None: ...

    def __enter__(self) -> "_Here":
        return self

    def __exit__(self, *problem: object) -> None: ...

    def submit(self, call, *arguments):
        done = Future()
        done.set_result(call(*arguments))
        return done
