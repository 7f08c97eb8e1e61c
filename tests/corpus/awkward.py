"""Functions that worker processes are tried with; imported by them, so it imports next to nothing."""

import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def act(item: tuple[str, Any]) -> Any:
    """Do what the item says, with its value."""
    what, value = item
    match what:
        case "square":
            return value**2
        case "array":
            return np.full(value, value, dtype=np.int64)
        case "print":
            print("garbage " * 100)
            sys.stdout.flush()
            os.write(1, b"\x00\x00\x00\x04more")
            return value
        case "sleep":
            time.sleep(value)
            return value
        case "hang":
            hold_the_interpreter(60)
        case "exit":
            os._exit(value)
        case "crash":
            ctypes.string_at(0)
        case "eat":
            eaten = []
            while True:
                eaten.append(np.ones(1_000_000))
        case "raise":
            raise KeyError(value)
        case "kill the parent":
            os.kill(os.getppid(), 9)
            time.sleep(60)
    raise AssertionError(what)


def hold_the_interpreter(seconds: int) -> None:
    """Sleep in C code that lets no other thread of this process run, as compiled loops do."""
    ctypes.PyDLL(None).sleep(seconds)


def count_call(path: Path) -> int:
    """Leave a byte in a file; gives the process."""
    with path.open("ab") as file:
        file.write(b".")
    return os.getpid()


def show_process_and_hang(path: str) -> None:
    """Write this process's number into a file, then hang."""
    Path(path + ".part").write_text(str(os.getpid()), encoding="utf-8")
    Path(path + ".part").rename(path)
    hold_the_interpreter(60)


class Unbearable(Exception):
    """Pickles, but cannot be built again from what was pickled."""

    def __init__(self, one: str, two: str):
        super().__init__(f"{one} and {two}")


def raise_unbearable(_: int) -> None:
    raise Unbearable("one", "two")


KEPT: list[bytearray] = []


def warm_up(folder: Path) -> None:
    """Take long and eat much; quick where somebody has done so before."""
    cache = folder / "cache"
    with (folder / "calls").open("ab") as calls:
        calls.write(b"+" if cache.exists() else b".")
    if not cache.exists():
        KEPT.append(bytearray(b"x" * 200_000_000))
        time.sleep(1.5)
        cache.touch()


def raise_os_error(_: object) -> None:
    raise OSError(f"no such thing in {os.getpid()}")
