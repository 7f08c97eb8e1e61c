"""Every test, and every process it starts, uses one thread: sums have one order, and tests do not fight for cores.

And every process hears Ctrl-C: a shell starts what is in the background deaf to it, which is inherited.
"""

import os
import signal

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("seqaudio", deadline=None)  # a busy machine is no mistake
settings.load_profile("seqaudio")
