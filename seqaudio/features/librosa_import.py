"""How is librosa imported, so that no two processes compile it at once?

numba compiles some of librosa's modules when they are first imported, and keeps the machine code on disk in two parts.
Where two processes do so at once, the disk may keep a part of each, and every process that loads them ends with a
segmentation fault, then and later (numba's issue 10128, open as of 0.68). So each of these modules is executed under a
lock until one process has done it; from then on a file beside the machine code says so, and nobody waits.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from seqaudio.files.locks import held

COMPILED_AT_IMPORT = ("librosa.util.utils", "librosa.core.audio", "librosa.core.pitch", "librosa.beat")
PATIENCE_S = 300  # many times what compiling takes; who has waited so long goes on without the lock


class _OneAtATime(SourceFileLoader):
    """Executes a module under the lock, unless that has been done with the same versions on this machine."""

    def exec_module(self, module: ModuleType) -> None:
        folder = _folder()
        done = folder / f"{self.name}-{_stamp(Path(self.path))}.compiled"
        if done.exists():
            return super().exec_module(module)
        with ExitStack() as stack:
            with suppress(OSError):  # TimeoutError among them
                # together with whoever imports here: one module imports another, and threads wait for each other's
                stack.enter_context(held(folder / "seqaudio-librosa.lock", PATIENCE_S, within_process=False))
            super().exec_module(module)
            with suppress(OSError):
                done.touch()


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in COMPILED_AT_IMPORT:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _OneAtATime(fullname, spec.loader.path)
        return spec


def _folder() -> Path:
    """Where numba keeps machine code, one folder for all of librosa; the temporary one where numba finds another."""
    package = Path(str(sys.modules["librosa"].__file__)).parent
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or package / "__pycache__")
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())


def _stamp(source: Path) -> str:
    """What the machine code of a file depends on."""
    at = source.stat()
    parts = at.st_mtime_ns, at.st_size, sys.version, version("numba"), platform.node(), os.path.expanduser("~")
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


sys.meta_path.insert(0, _Finder())

import librosa  # noqa: E402

__all__ = ["librosa"]
