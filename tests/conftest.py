"""Every test, and every process a test starts, uses one thread: sums have one order, and tests do not fight for cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported
