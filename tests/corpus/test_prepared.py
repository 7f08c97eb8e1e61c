"""Is a damaged prepared corpus refused in one line, whatever is wrong with it?"""

import hashlib
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import BadFileError
from seqaudio.files import write_midi
from seqaudio.music import Score


@pytest.fixture
def corpus(tmp_path: Path, in_process: None) -> Path:
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


@pytest.mark.usefixtures("in_process")
def test_only_the_tracks_of_lead_sheets_have_their_names(tmp_path: Path) -> None:
    both = Score.from_notes([*range(0, 9600, 480)] * 2, 480, [72] * 20 + [48] * 20, program=np.repeat([73, 0], 20))
    write_midi(both, tmp_path / "a.mid")
    for lead_sheet, names in ((True, {"melody", "chords"}), (False, {""})):
        prepare([str(tmp_path / "a.mid")], tmp_path / "out", PrepareOptions(lead_sheet=lead_sheet))
        opened = PreparedCorpus.open(tmp_path / "out")
        assert set(opened.score(opened.piece(0)).track_names) == names


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
        lambda folder: (folder / "tokens.npy").write_bytes(b""),
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


def test_opening_takes_little_memory(corpus: Path) -> None:
    """Eighty megabytes of ids are checked without being held."""
    tokens = np.tile(np.load(corpus / "tokens.npy"), 40_000_000 // len(np.load(corpus / "tokens.npy")))
    np.save(corpus / "tokens.npy", tokens)
    index = np.load(corpus / "index.npy")
    np.save(corpus / "index.npy", np.append(index[:-1], len(tokens)))
    sha256 = hashlib.sha256((corpus / "tokens.npy").read_bytes()).hexdigest()
    manifest(tokens_sha256=sha256)(corpus)
    tracemalloc.start()
    opened = PreparedCorpus.open(corpus)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(opened.tokens) == len(tokens) > 39_000_000
    assert peak < 8_000_000
    tokens[-1] = 65_535  # outside the vocabulary, in the last block
    np.save(corpus / "tokens.npy", tokens)
    manifest(tokens_sha256=hashlib.sha256((corpus / "tokens.npy").read_bytes()).hexdigest())(corpus)
    with pytest.raises(BadFileError, match="damaged"):
        PreparedCorpus.open(corpus)
