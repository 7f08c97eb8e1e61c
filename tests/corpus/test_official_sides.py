"""Are official splits kept, are copies of what is evaluated kept out of training, and does the report say so?"""

import json
from pathlib import Path

import numpy as np
import pytest

from seqaudio.corpus import sources
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.files import write_midi
from seqaudio.music import Score
from seqaudio.tokens import BarsTokenizer

SMALL = PrepareOptions(min_notes=4, min_bars=1, valid_share=0.3, test_share=0.3)
COPY = "copy of an official test/valid piece"
OFFICIAL = {"1.mid": "train", "2.mid": "valid", "3.mid": "test", "copy of 3.mid": "train", "like 3.mid": "train"}


def line(seed: int, up: int = 0, length: int = 480) -> Score:
    pitches = 60 + np.random.default_rng(seed).integers(0, 12, 24) + up
    return Score.from_notes(np.arange(24) * 480, length, pitches, velocity=83)


@pytest.fixture
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: None) -> Path:
    """An official set with a copy of a test piece in training, and files that do not belong to it."""
    folder = tmp_path / "music"
    folder.mkdir()
    for seed in (1, 2, 3, 4):
        write_midi(line(seed), folder / f"{seed}.mid")
    write_midi(line(3, up=5), folder / "copy of 3.mid")
    write_midi(line(3, length=240), folder / "like 3.mid")
    write_midi(line(3, up=-2), folder / "my own 3.mid")
    monkeypatch.setattr(sources, "official_splits", lambda of: OFFICIAL)
    return folder


@pytest.mark.parametrize("seed", range(4))
def test_official_pieces_stay_and_copies_of_them_go(music: Path, tmp_path: Path, seed: int) -> None:
    done = prepare([str(music)], tmp_path / "out", SMALL.model_copy(update={"seed": seed}))
    manifest = PreparedCorpus.open(tmp_path / "out").manifest
    sides = {piece["name"]: piece["split"] for piece in manifest["pieces"]}
    assert sides.pop("4.mid") in ("train", "valid", "test")
    assert sides == {
        "1.mid": "train",
        "2.mid": "valid",
        "3.mid": "test",
        "like 3.mid": "train",
    }  # openings may be equal
    dropped = {piece["name"]: (piece["rule"], piece["reason"]) for piece in manifest["dropped"]}
    reason = "its notes, moved or not, are those of 3.mid, which may not be trained on"
    assert dropped == {"copy of 3.mid": (COPY, reason), "my own 3.mid": (COPY, reason)}
    assert f"  {COPY}: 2\n" in done.report
    assert "\n  3.mid [test] ~ like 3.mid [train]\n" in done.report


def test_without_the_official_split_the_copies_come_back(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare([str(music)], tmp_path / "out", SMALL)
    assert prepare([str(music)], tmp_path / "out", SMALL).read == 2  # the copies' ids are not kept
    monkeypatch.setattr(sources, "official_splits", lambda of: {})
    assert prepare([str(music)], tmp_path / "out", SMALL).dropped == {}
    prepare([str(music)], tmp_path / "clean", SMALL)
    assert (tmp_path / "out" / "tokens.npy").read_bytes() == (tmp_path / "clean" / "tokens.npy").read_bytes()
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (tmp_path / "clean" / "manifest.json").read_bytes()


def test_the_manifest_says_what_each_piece_is(music: Path, tmp_path: Path) -> None:
    prepare([str(music)], tmp_path / "out", SMALL)
    corpus = PreparedCorpus.open(tmp_path / "out")
    for number, piece in enumerate(corpus.manifest["pieces"]):
        ids = corpus.piece(number)
        assert set(piece) == {
            "name", "file", "sha256", "split", "licence", "group", "notes", "bars", "tokens", "lost",
        }  # fmt: skip
        assert piece["tokens"] == len(ids)
        assert piece["notes"] == BarsTokenizer().begins_note[ids].sum() == 24
        assert piece["bars"] == 6
    assert corpus.manifest["options"] == json.loads(SMALL.model_dump_json())


def test_tokens_are_as_numpy_saves_them_in_the_smallest_type(music: Path, tmp_path: Path) -> None:
    prepare([str(music)], tmp_path / "out", SMALL)
    tokens = np.load(tmp_path / "out" / "tokens.npy")
    assert tokens.dtype == np.uint16
    np.save(tmp_path / "again.npy", tokens)
    assert (tmp_path / "again.npy").read_bytes() == (tmp_path / "out" / "tokens.npy").read_bytes()
