"""A recipe as a module, though its folder is no package."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

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
