"""Is nothing left to compile once a worker has begun its first file?"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqaudio.corpus import warming
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.sources import SourceFile
from seqaudio.corpus.warming import FEW_BYTES, FEW_FILES, preparation
from seqaudio.files import write_midi
from seqaudio.music import Score
from tests.samples import tune

# No kernel compiles anything, be it loaded or not, for files of all kinds, after the warm-up.
AFTER_WARMING = """
import gc, sys
from seqaudio import compiled
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.pieces import prepare_file
from seqaudio.corpus.sources import source_files
from seqaudio.corpus.warming import warm_up

def variants():
    kernels = [found for found in gc.get_objects() if type(found) is compiled.Compiled and found._machine_code]
    return {(found.__qualname__, str(variant)) for found in kernels for variant in found._machine_code.signatures}

for settings in ({}, {"pedals": "tokens"}, {"velocities": "false"}):
    options = PrepareOptions(min_notes=1, min_bars=1, settings=settings)
    warm_up(options)
    warm = variants()
    assert len(warm) >= 7
    for file in source_files([sys.argv[1]]):
        prepare_file(options, file)
    assert variants() == warm
"""


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for seed in range(FEW_FILES + 4):
        pedals = [(100 * i, 80, 0) for i in range(seed)]
        write_midi(tune(8, seed=seed, pedals=pedals, tempos=[(0, 400_000)] * (seed % 2)), folder / f"{seed}.mid")
    write_midi(Score.from_notes([], 1, 60), folder / "none.mid")
    write_midi(Score.from_notes([0], 480, 60), folder / "one.mid")
    write_midi(Score.from_notes(np.arange(40) * 240, 240, 36, is_drum=True), folder / "drums.mid")
    (folder / "book.abc").write_text("X:1\nM:4/4\nK:C\nCDEF GABc|cBAG FEDC|\n")
    (folder / "broken.mid").write_bytes(b"MThd broken")
    return folder


def test_nothing_is_compiled_after_the_warm_up(music: Path) -> None:
    subprocess.run([sys.executable, "-c", AFTER_WARMING, str(music)], check=True)


def test_few_files_are_interpreted_and_many_compiled(tmp_path: Path) -> None:
    def prepared(*sizes: int) -> object:
        files = [SourceFile(str(i), tmp_path / str(i)) for i in range(len(sizes))]
        for file, size in zip(files, sizes, strict=True):
            file.path.write_bytes(bytes(size))
        return preparation(PrepareOptions(), files)

    assert prepared(1, 2) is prepared(FEW_BYTES) is warming.never_compile
    for many in (prepared(*[1] * (FEW_FILES + 1)), prepared(1, FEW_BYTES)):
        assert many.func is warming.warm_up
    assert preparation(PrepareOptions(), [SourceFile("a", tmp_path / "absent")]) is warming.never_compile


@pytest.mark.slow
def test_a_cold_cache_drops_no_file(music: Path, tmp_path: Path) -> None:
    """Compiling takes longer than a file may, and more memory."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "seqaudio", "prepare", music, tmp_path / "out", "--jobs", "2", "--min-notes", "4"]
    budgets = ["--timeout", "3", "--memory", "60", "--min-bars", "1"]
    done = subprocess.run([*command, *budgets], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "hung" not in done.stdout.partition("thresholds")[0]
    assert "crashed" not in done.stdout.partition("thresholds")[0]
    assert list((tmp_path / "cache").rglob("*.nbc"))
