"""Is a damaged prepared corpus refused in one line, whatever is wrong with it?"""

import json
from pathlib import Path

import numpy as np
import pytest

from seqaudio.corpus import PreparedCorpus, PrepareOptions, prepare
from seqaudio.errors import BadFileError
from seqaudio.files import write_midi
from seqaudio.music import Score


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for i in range(4):
        write_midi(
            Score.from_notes(np.arange(32) * 480, 480, 60 + (np.arange(32) * (i + 1)) % 12), tmp_path / f"{i}.mid"
        )
    prepare([str(tmp_path)], tmp_path / "ready", PrepareOptions(melody=True))
    return tmp_path / "ready"


def test_a_sound_one_opens(corpus: Path) -> None:
    opened = PreparedCorpus.open(corpus)
    assert sum(len(opened.split(name)) for name in ("train", "valid", "test")) == 4
    assert len(opened.split("valid")) >= 1


def changed_tokens(folder: Path) -> None:
    tokens = np.load(folder / "tokens.npy")
    tokens[5] ^= 1
    np.save(folder / "tokens.npy", tokens)


def manifest(**changes: object):
    def damage(folder: Path) -> None:
        values = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(values | changes))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        changed_tokens,
        lambda folder: np.save(folder / "tokens.npy", np.load(folder / "tokens.npy").astype(float)),
        lambda folder: np.save(folder / "index.npy", np.load(folder / "index.npy")[::-1]),
        lambda folder: np.save(folder / "index.npy", np.zeros(0, np.int64)),
        lambda folder: (folder / "manifest.json").write_text("[]"),
        lambda folder: (folder / "manifest.json").write_text("[" * 100_000),
        lambda folder: (folder / "tokenizer.json").write_text("{}"),
        lambda folder: (folder / "index.npy").unlink(),
        manifest(pieces=3),
        manifest(pieces=[{"split": "train"}] * 3 + [{"split": "elsewhere"}]),
        manifest(tokens_sha256=""),
    ],
)
def test_damage_is_refused(corpus: Path, damage) -> None:
    damage(corpus)
    with pytest.raises(BadFileError, match=r"prepare") as refused:
        PreparedCorpus.open(corpus)
    assert str(refused.value).startswith(str(corpus))
    assert "\n" not in str(refused.value)
