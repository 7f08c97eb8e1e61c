"""How is librosa imported, so that no two processes compile it at once?

numba compiles some of librosa's modules when they are first imported, and keeps the machine code on disk in two parts.
Where two processes do so at once, the disk may keep a part of each, and every process that loads them ends with a
segmentation fault, then and later (numba's issue 10128, open as of 0.68). So each of these modules is executed under a
lock until one process has done it. From then on a file says so, whose name holds what the machine code is for and the
files that it lies in: where any of that is another, the lock is taken again, and else nobody waits.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

from seqaudio.compiled import machine_code_target
from seqaudio.files.locks import HeldByAnotherError, holding_lock

COMPILED_AT_IMPORT = ("librosa.util.utils", "librosa.core.audio", "librosa.core.pitch", "librosa.beat")
PATIENCE_S = 120.0  # several times what compiling all of it takes; then a process goes on without the lock


class _OneAtATime(SourceFileLoader):
    """Executes a module alone, unless its machine code is whole."""

    patience_s = PATIENCE_S

    def exec_module(self, module: ModuleType) -> None:
        if _is_whole(self.name, self.path):
            return super().exec_module(module)
        with ExitStack() as stack:
            alone = False
            try:
                # together with whoever imports here: one module imports another, and threads wait for each other's
                stack.enter_context(holding_lock(_lock(), _OneAtATime.patience_s, within_process=False))
                alone = True
            except HeldByAnotherError:
                _OneAtATime.patience_s = 0.0  # its holder does not end, and no further module is waited for
            except OSError:
                pass  # where nothing can be written, numba keeps nothing either
            super().exec_module(module)
            if alone:
                _mark(self.name, self.path)


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


def _lock() -> Path:
    """One for all of librosa: with one for each module, two that import each other's would wait for ever."""
    folder = _store(Path(str(sys.modules["librosa"].__file__)))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "seqaudio-librosa.lock"


def _is_whole(name: str, source: str) -> bool:
    """Whether the machine code of a module, as it lies there now, was made by one process."""
    with suppress(OSError):
        file = _mark_of(name, source)
        return file is not None and file.is_file()
    return False


def _mark(name: str, source: str) -> None:
    with suppress(OSError):
        if file := _mark_of(name, source):
            file.touch()


def _mark_of(name: str, source: str) -> Path | None:
    """The file that says so; None where there is no machine code."""
    store = _store(Path(source))
    kept = [(file.name, file.stat()) for file in sorted(store.rglob(f"*{Path(source).stem}.*.nb[ic]"))]
    if not kept:
        return None
    parts = [machine_code_target(), *((file, status.st_size, status.st_mtime_ns) for file, status in kept)]
    return store / f"{name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}.compiled"


def _store(source: Path) -> Path:
    """Where numba keeps the machine code of a file: where it is told to, beside the file, else in the user's cache."""
    if named := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(named)
    if os.access(source.parent, os.W_OK):
        return source.parent / "__pycache__"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba"


sys.meta_path.insert(0, _Finder())

import librosa  # noqa: E402

__all__ = ["librosa"]
