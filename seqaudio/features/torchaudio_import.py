"""How is torchaudio imported beside a CPU build of torch?

The torchaudio wheel on the package index links CUDA libraries, so beside a CPU build ``import torchaudio`` raises
OSError while it loads its compiled extension. The transforms are pure Python and need no extension: when the import
fails for that reason, a stand-in takes the extension's place and the import is tried again. Nothing that needs the
extension (reading files among it) is used in this project.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from seqaudio.errors import MissingDependencyError

EXTENSION = "torchaudio._extension"


def import_torchaudio() -> ModuleType:
    """The module torchaudio, with or without its compiled extension.

    Raises:
        MissingDependencyError: it is not installed, or fails for another reason than its extension.
    """
    try:
        return importlib.import_module("torchaudio")
    except ImportError as problem:
        raise MissingDependencyError(
            f"torchaudio cannot be imported ({problem}); run: pip install torchaudio"
        ) from None
    except OSError:
        pass
    for name in [name for name in sys.modules if name == "torchaudio" or name.startswith("torchaudio.")]:
        del sys.modules[name]  # what the failed import left behind
    sys.modules[EXTENSION] = _stand_in()
    try:
        return importlib.import_module("torchaudio")
    except (ImportError, OSError, AttributeError) as problem:
        del sys.modules[EXTENSION]
        raise MissingDependencyError(
            f"torchaudio does not work here ({problem}); install the one for your torch"
        ) from None


def _stand_in() -> ModuleType:
    """An extension module that offers nothing and lets every decorated function through as it is."""

    def unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    def unchanged_with_arguments(*_: object, **__: object) -> Callable[..., Any]:
        return unchanged

    module = ModuleType(EXTENSION)
    vars(module).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_RIR_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        fail_if_no_align=unchanged,
        fail_with_message=unchanged_with_arguments,
    )
    return module
