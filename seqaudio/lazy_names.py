"""How does a room offer names that are loaded when they are first used, so that importing it is quick?"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(
    module: str, homes: Mapping[str, str], rooms: tuple[str, ...] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a module that offers names from other modules, and modules below it.

    Args:
        module: its name.
        homes: the module that each name comes from.
        rooms: names of modules below it, which work whether or not somebody has imported them.
    """

    def load(name: str) -> Any:
        if name in rooms:
            return importlib.import_module(f"{module}.{name}")  # which sets it on the module
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(homes[name]), name)
        setattr(sys.modules[module], name, value)
        return value

    def names() -> list[str]:
        own = (name for name in vars(sys.modules[module]) if name.startswith("__"))
        return sorted({*own, *homes, *rooms})

    return load, names
