"""Laws of the named corpora: the facts are well formed, the hashes are those of the real files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from seqaudio.corpus import named
from seqaudio.corpus.named import (
    CORPORA,
    DOWNLOADED,
    IN_MUSIC21,
    NamedCorpus,
    corpus_folder,
    data_folder,
    standing_corpus,
)
from seqaudio.corpus.sources import files_of
from seqaudio.corpus.unpack import contents_sha256
from seqaudio.errors import DownloadError, MissingDependencyError, OptionError
from tests.corpus.archives import zip_of

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared")) / "data"
each_download = pytest.mark.parametrize("corpus", DOWNLOADED, ids=lambda corpus: corpus.name)
ONLY_HTTP = {"hog.ee.columbia.edu"}  # its page links it so; what came is known by its hash


def test_only_the_corpora_offered_are_found() -> None:
    assert list(CORPORA) == [
        *("music21:oneills", "music21:airds", "music21:bach", "groove", "maestro", "pop909"),
        *("nottingham", "openewld", "jsb", "lakh", "lakh-clean"),
    ]
    for name in ("music21:ryansMammoth", "music21:ryans", "music21:nothing", "oneills", "", "../groove", "Groove"):
        for asked in (corpus_folder, standing_corpus):
            with pytest.raises(OptionError, match=r"no corpus is named .*; there are music21:oneills, music21:airds"):
                asked(name)
    assert not any("ryan" in f"{corpus.folder} {corpus.remote}".lower() for corpus in CORPORA.values())


@each_download
def test_facts_of_downloads_are_well_formed(corpus: NamedCorpus) -> None:
    remote = corpus.remote
    assert remote is not None
    address = urlsplit(remote.url)
    assert address.scheme == ("http" if address.hostname in ONLY_HTTP else "https")
    assert address.hostname not in ONLY_HTTP or remote.archive_sha256
    assert re.fullmatch(r"[0-9a-f]{64}", remote.sha256)
    assert bool(remote.archive_sha256) != bool(remote.contents_sha256)
    assert "/" not in remote.file
    assert remote.size_bytes > 10**6
    assert re.compile(remote.members).groups == 1
    if "github" in remote.url:  # a branch would move
        assert re.search(r"/[0-9a-f]{40}[./]", remote.url)
    assert remote.archive_sha256 or "github.com" in remote.url


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=lambda corpus: corpus.name)
def test_facts_are_stated(corpus: NamedCorpus) -> None:
    assert corpus.pieces > 100
    assert corpus.weights.split(",")[0] in ("yes", "no")
    assert corpus.licence
    assert corpus.title
    assert (corpus.remote is None) == bool(corpus.folder)


def test_names_and_places_are_not_shared() -> None:
    remotes = [corpus.remote for corpus in DOWNLOADED if corpus.remote]
    assert len({remote.file for remote in remotes}) == len({remote.sha256 for remote in remotes}) == len(DOWNLOADED)
    assert not {remote.file for remote in remotes} & set(CORPORA)


@pytest.mark.parametrize(
    ("name", "path", "pieces"),
    [
        ("groove", "groove/drummer1/session1/1_funk_80_beat_4-4.mid", 1150),
        ("groove", "groove/info.csv", None),
        ("maestro", "maestro-v3.0.0/2004/MIDI-Unprocessed_01.midi", None),
        ("maestro", "maestro-v3.0.0/maestro-v3.0.0.csv", None),
        ("pop909", "POP909-Dataset-1/POP909/001/001.mid", None),
        ("nottingham", "nottingham-dataset-1/MIDI/jigs1.mid", None),
        (
            "openewld",
            "OpenEWLD-1/dataset/Abe_Olman-Ed_Rose/Oh_Johnny,_oh_Johnny,_Oh!/Oh_Johnny,_oh_Johnny,_Oh!.mxl",
            None,
        ),
        ("openewld", "OpenEWLD-1/OpenEWLD.db", None),
        ("jsb", "Jsb16thSeparated.json", None),
        ("lakh", "lmd_full/0/00.mid", None),
        ("lakh-clean", "clean_midi/ABBA/S.O.S..mid", None),
    ],
)
def test_members_that_are_used(name: str, path: str, pieces: int | None) -> None:
    remote = CORPORA[name].remote
    assert remote is not None
    assert re.fullmatch(remote.members, path)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("groove", "groove/README"),
        ("maestro", "maestro-v3.0.0/maestro-v3.0.0.json"),
        ("pop909", "POP909-Dataset-1/POP909/001/versions/001-v1.mid"),
        ("pop909", "POP909-Dataset-1/POP909/001/beat_midi.txt"),
        ("nottingham", "nottingham-dataset-1/MIDI/chords/jigs1.mid"),
        ("nottingham", "nottingham-dataset-1/MIDI/melody/jigs1.mid"),
        ("openewld", "OpenEWLD-1/dataset/Abe_Olman-Ed_Rose/Oh_Johnny,_oh_Johnny,_Oh!/Oh_Johnny,_oh_Johnny,_Oh!.csv"),
        ("openewld", "OpenEWLD-1/OpenEWLDcreation.py"),
        ("lakh-clean", "clean_midi/.DS_Store"),
    ],
)
def test_members_that_are_not(name: str, path: str) -> None:
    remote = CORPORA[name].remote
    assert remote is not None
    assert not re.fullmatch(remote.members, path)


@pytest.mark.parametrize(
    ("name", "folder", "place"),
    [
        ("pop909", "midi/pop909", "POP909-Dataset-{0}/POP909/{1.stem}/{1.name}"),
        ("nottingham", "midi/nottingham", "nottingham-dataset-{0}/MIDI/{1.name}"),
    ],
)
def test_contents_hashes_are_those_of_the_real_files(tmp_path: Path, name: str, folder: str, place: str) -> None:
    """Packed by us in the layout of GitHub's archive, with a file that is not used."""
    if not (SHARED / folder).is_dir():
        pytest.skip(f"no folder {SHARED / folder}; SEQAUDIO_SHARED names another parent")
    corpus = CORPORA[name]
    assert corpus.remote is not None
    files = {place.format("0" * 40, path): path.read_bytes() for path in (SHARED / folder).glob("*.mid")}
    assert len(files) == corpus.pieces
    archive = zip_of(tmp_path / "archive.zip", files | {"README.md": b"not used"})
    assert contents_sha256(archive, corpus.remote.members) == corpus.remote.contents_sha256


def test_openewld_is_what_was_hashed_without_songs_that_may_be_under_copyright(tmp_path: Path) -> None:
    """Packed by us in the layout of GitHub's archive, and put there by hand."""
    source, corpus = SHARED / "scores/openewld", CORPORA["openewld"]
    if not source.is_dir():
        pytest.skip(f"no folder {source}; SEQAUDIO_SHARED names another parent")
    assert corpus.remote is not None
    files = {f"OpenEWLD-1/dataset/{path.relative_to(source)}": path.read_bytes() for path in source.rglob("*.mxl")}
    files["OpenEWLD-1/OpenEWLD.db"] = (source / "OpenEWLD.db").read_bytes()
    zip_of(tmp_path / corpus.remote.file, files | {"OpenEWLD-1/README.md": b"not used"})
    folder = corpus_folder("openewld", tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQAUDIO_DATA", str(tmp_path))
        found = {file.path.relative_to(folder).as_posix() for file in files_of("openewld")}
    assert len(found) == corpus.pieces < len(files)
    late, early = "Johnny_Mercer-Victor_Schertzinger/Tangerine", "James_Thornton/When_You_Were_Sweet_Sixteen"
    assert not any(late in name for name in found)  # of 1942
    assert any(early in name for name in found)  # its author died in 1938


def test_the_hash_of_the_jsb_file(tmp_path: Path) -> None:
    """Put there by hand, it is verified and used, with no network at all."""
    remote = CORPORA["jsb"].remote
    assert remote is not None
    source = SHARED / "poly/jsb" / remote.file
    if not source.is_file():
        pytest.skip(f"no file {source}; SEQAUDIO_SHARED names another parent")
    (tmp_path / remote.file).write_bytes(source.read_bytes())
    folder = corpus_folder("jsb", tmp_path)
    assert folder == standing_corpus("jsb", tmp_path) == tmp_path / "jsb"
    assert (folder / remote.file).read_bytes() == source.read_bytes()


def test_where_downloads_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for variable in ("SEQAUDIO_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert data_folder() == tmp_path / ".cache" / "seqaudio"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the standard
    assert data_folder() == tmp_path / ".cache" / "seqaudio"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_folder() == tmp_path / "cache" / "seqaudio"
    monkeypatch.setenv("SEQAUDIO_DATA", "~/music")
    assert data_folder() == tmp_path / "music"
    assert standing_corpus("groove") is None
    assert not (tmp_path / "music").exists()  # asking makes nothing


@each_download
def test_offline_every_download_says_what_to_do(
    corpus: NamedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqaudio.corpus.download._open", _nothing_answers)
    assert corpus.remote is not None
    with pytest.raises(DownloadError) as caught:
        corpus_folder(corpus.name, tmp_path)
    for wanted in (corpus.name, corpus.remote.url, str(tmp_path / corpus.remote.file), "repeat the command"):
        assert wanted in str(caught.value)


def _nothing_answers(*_: object) -> None:
    from seqaudio.corpus.download import _BrokenLineError

    raise _BrokenLineError("Name or service not known")


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named.importlib.util, "find_spec", lambda _: None)
    for corpus in IN_MUSIC21:
        with pytest.raises(MissingDependencyError, match=r"pip install 'seqaudio\[corpora\]'"):
            corpus_folder(corpus.name)
        assert standing_corpus(corpus.name) is None


def test_bach_is_there_without_what_is_no_chorale() -> None:
    pytest.importorskip("music21", reason="the corpus comes with music21")
    corpus = CORPORA["music21:bach"]
    names = [file.path.name for file in files_of(corpus.name)]
    assert len(names) == corpus.pieces
    assert all((corpus_folder(corpus.name) / name).is_file() and name not in names for name in corpus.without)
    assert corpus.without


def test_only_the_songs_that_a_corpus_names_are_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/kept.mid", "a/left.mid", "kept.mid"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"MThd")
    corpus = NamedCorpus("some", "", 1, "", "yes", folder="x", songs=lambda folder: frozenset({"a/kept.mid"}))
    monkeypatch.setitem(CORPORA, "some", corpus)
    monkeypatch.setattr("seqaudio.corpus.sources.corpus_folder", lambda name, progress: tmp_path)
    assert [file.name for file in files_of("some")] == ["some/a/kept.mid"]
