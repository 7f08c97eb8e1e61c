"""Are the figures in the table and the model cards what the shipped weights give?"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seqaudio.report.retention import RANGES, read_ranges

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (.+?) \| ([\d.]+) \[", flags=re.M)


def test_evaluate_gives_the_table_again(tmp_path: Path) -> None:
    pytest.importorskip("music21", reason="the corpora come with music21")
    shutil.copytree(ROOT / "seqaudio" / "pretrained", tmp_path / "models")
    command = [sys.executable, str(ROOT / "recipes" / "train_folk.py"), "--evaluate"]
    paths = ["--out", str(tmp_path / "models"), "--results", str(tmp_path / "folk.md")]
    done = subprocess.run([*command, *paths], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found, committed = (dict(ROW.findall(text)) for text in (done.stdout, _text(ROOT / "docs" / "results" / "folk.md")))
    assert {"folk", "folk-rnn", "PPM, order 6", "unigram"} <= set(found) == set(committed)
    for name, nats in committed.items():
        assert float(found[name]) == pytest.approx(float(nats), abs=2e-3)
        assert f"| {name} | {nats} |" in _text(ROOT / "seqaudio" / "pretrained" / "folk" / "MODEL_CARD.md")
    for name in ("folk", "folk-rnn"):
        measured, shipped = (
            read_ranges(at / name / RANGES) for at in (tmp_path / "models", ROOT / "seqaudio" / "pretrained")
        )
        assert measured == shipped
        assert len(shipped) == 10
    assert float(found["folk"]) < min(float(found[name]) for name in found if name != "folk")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
