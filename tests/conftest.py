"""Every test, and every process it starts, uses one thread: sums have one order, and tests do not fight for cores."""

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported

settings.register_profile("seqaudio", deadline=None)  # a busy machine is no mistake
settings.load_profile("seqaudio")
