"""Every test, and every process it starts, uses one thread: sums have one order, and tests do not fight for cores.

And every process hears Ctrl-C: a shell starts what is in the background deaf to it, which is inherited. The files that
take longest come first: the last of them would keep one worker busy while the other has nothing left to do.
"""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import seqaudio.features.librosa_import  # noqa: F401  two workers that compile librosa at once may break it

settings.register_profile("seqaudio", deadline=None)  # a busy machine is no mistake
settings.load_profile("seqaudio")

LONGEST = ("test_readme.py", "test_tokenizers.py", "test_rnn_vs_lstm.py", "test_polyphonic_benchmark.py")  # 40 to 160 s


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest files first, all others as they were found."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def seeded() -> Iterator[None]:
    """torch draws from the same seed in every test of a module that uses this, whatever ran before."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
