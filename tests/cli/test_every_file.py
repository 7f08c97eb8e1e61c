"""Does `seqaudio continue` succeed on every real file that is here?"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MIDI = Path(os.environ.get("SEQAUDIO_SHARED", ROOT.parent / "shared")) / "data" / "midi"


@pytest.mark.slow
@pytest.mark.skipif(not MIDI.is_dir(), reason="the real files of shared/data are not here")
@pytest.mark.parametrize("folder", ["nottingham", "pop909"])
def test_every_file_of_a_folder_is_continued(folder: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "continue_files.py"), str(MIDI / folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert " 0 failures" in done.stdout
