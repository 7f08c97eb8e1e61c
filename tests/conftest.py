"""Every test, and every process it starts, uses one thread: sums have one order, and tests do not fight for cores.

And every process hears Ctrl-C: a shell starts what is in the background deaf to it, which is inherited.
"""

import os
import signal

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("seqaudio", deadline=None)  # a busy machine is no mistake
settings.load_profile("seqaudio")

LONGEST = ("tests/test_readme.py", "tests/recipes/", "tests/training/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes come first: of two processes that share files out, neither waits long for the other."""
    items.sort(
        key=lambda item: next((i for i, begin in enumerate(LONGEST) if item.nodeid.startswith(begin)), len(LONGEST))
    )
