"""Is a damaged prepared corpus refused in one line, whatever is wrong with it? Is a copy as good as the original?"""

import copy
import hashlib
import json
import multiprocessing
import pickle
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from seqaudio.corpus.loader import StreamBatches
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import BadFileError, OptionError
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
    for ask in (opened.split, opened.of_split):
        with pytest.raises(OptionError, match="'validation'; name one of train, valid, test"):
            ask("validation")


def test_as_a_sequence_it_is_its_pieces_in_order(corpus: Path) -> None:
    opened = PreparedCorpus.open(corpus)
    assert len(opened) == len(opened.manifest["pieces"]) == 4
    pieces = [opened.piece(i).tolist() for i in range(4)]
    assert [ids.tolist() for ids in opened] == [opened[i].tolist() for i in range(4)] == pieces
    for outside in (-1, 4):
        for ask in (opened.piece, opened.__getitem__):
            with pytest.raises(IndexError, match=f"piece {outside} of a corpus of 4 pieces"):
                ask(outside)


def test_it_shows_how_much_it_holds(corpus: Path) -> None:
    opened = PreparedCorpus.open(corpus)
    sizes = ", ".join(f"{len(opened.split(name))} {name}" for name in ("train", "valid", "test"))
    assert repr(opened) == f"PreparedCorpus(4 pieces ({sizes}), {len(opened.tokens)} bars tokens)"


COPIES = {"pickle": lambda corpus: pickle.loads(pickle.dumps(corpus)), "copy": copy.copy, "deep copy": copy.deepcopy}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_as_good_as_the_original(corpus: Path, way: str) -> None:
    opened = PreparedCorpus.open(corpus)
    again = COPIES[way](opened)
    assert again == opened
    assert len({again, opened}) == 1
    assert again.token_file == opened.token_file
    assert isinstance(again.tokens, np.memmap)
    for name in ("train", "valid", "test"):
        there = [piece.tolist() for piece in again.split(name)]
        assert there == [piece.tolist() for piece in opened.split(name)]
    batches = [StreamBatches(of, "train", streams=2, window=8)[0] for of in (opened, again)]
    assert [part.tolist() for part in batches[0]] == [part.tolist() for part in batches[1]]


def test_a_corpus_goes_to_processes_that_were_not_forked(corpus: Path) -> None:
    opened = PreparedCorpus.open(corpus)
    assert len(pickle.dumps(opened)) < 500 < opened.tokens.nbytes
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(PreparedCorpus.piece, (opened, 1)).tolist() == opened.piece(1).tolist()


def test_corpora_with_the_same_tokens_in_other_splits_differ(corpus: Path) -> None:
    opened = PreparedCorpus.open(corpus)
    shutil.copytree(corpus, corpus.with_name("other"))
    assert PreparedCorpus.open(corpus.with_name("other")) == opened
    manifest(pieces=[{**piece, "split": "train"} for piece in opened.manifest["pieces"]])(corpus.with_name("other"))
    other = PreparedCorpus.open(corpus.with_name("other"))
    assert other.fingerprint == opened.fingerprint
    assert other != opened


def test_a_pickle_of_what_is_there_no_more_is_refused(corpus: Path) -> None:
    opened = PreparedCorpus.open(corpus)
    pickles = [pickle.dumps(opened), pickle.dumps(StreamBatches(opened, "train", streams=2, window=8))]
    changed_tokens(corpus)
    sha256 = hashlib.sha256((corpus / "tokens.npy").read_bytes()).hexdigest()
    for values, text in ({"tokens_sha256": sha256}, "prepared anew since"), ({"tokens_sha256": None}, "damaged, its"):
        manifest(**values)(corpus)
        for data in pickles:
            with pytest.raises(BadFileError, match=text) as refused:
                pickle.loads(data)
            assert "\n" not in str(refused.value)
    shutil.rmtree(corpus)
    for data in pickles:
        with pytest.raises(BadFileError, match="not a prepared corpus"):
            pickle.loads(data)


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
