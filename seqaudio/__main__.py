"""``python -m seqaudio`` is ``seqaudio``."""

from seqaudio.cli.main import run

run()
