"""Which files does a source stand for? Laws of order, names and lists."""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from seqaudio.corpus import sources, walk
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.sources import files_of, is_corpus, source_files
from seqaudio.corpus.walk import as_sources
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.files import write_midi
from tests.samples import tune


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def names(*of: object) -> list[str]:
    return [file.name for file in source_files([str(source) for source in of])]


def test_a_folder_is_searched_to_its_depth_by_suffix_in_any_case(tmp_path: Path) -> None:
    touch(tmp_path, "b.mid", "a/z.ABC", "a/b/c.MIDI", "readme.md", "a.mid")
    assert names(tmp_path) == ["a.mid", "a/b/c.MIDI", "a/z.ABC", "b.mid"]


def test_one_source_or_several_are_text_or_paths() -> None:
    for came in ("a/b", Path("a/b"), ["a/b"], [Path("a/b")], (source for source in ["a/b"])):
        assert as_sources(came, is_corpus) == ("a/b",)
    assert as_sources(["jsb", Path("jsb"), Path("music21:x"), Path("/jsb")], is_corpus) == (
        "jsb",
        "./jsb",
        "./music21:x",
        "/jsb",
    )  # a path is no name of a corpus
    for came, named in ((3, "3"), (None, "None"), ([None], "None"), ([b"a"], "b'a'"), ([["a"]], "['a']")):
        with pytest.raises(OptionError, match=re.escape(f"a source is {named}; name one or several, each a str or a")):
            as_sources(came, is_corpus)  # type: ignore[arg-type]


@pytest.mark.usefixtures("in_process")
def test_music_is_prepared_from_paths_as_from_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "music").mkdir()
    for i in range(3):
        write_midi(tune(8, seed=i), tmp_path / "music" / f"{i}.mid")
    monkeypatch.chdir(tmp_path)
    for came in ("music", Path("music"), [Path("music")], ["music"]):
        assert prepare(came, Path("out")).files == 3
        assert json.loads(Path("out/manifest.json").read_text())["sources"] == ["music"]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(["b.mid", "a/z.mid", "A.mid", "é.mid", "a.mid", "10.mid", "9.mid"]))
def test_the_order_of_the_directory_does_not_matter(tmp_path: Path, order: list[str]) -> None:
    touch(tmp_path, *order)
    places = [*order, "a"]
    listed = walk.entries

    def shuffled(folder: Path) -> list[os.DirEntry[str]]:
        return sorted(listed(folder), key=lambda entry: places.index(os.path.relpath(entry.path, tmp_path)))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(walk, "entries", shuffled)
        assert names(tmp_path) == sorted(order)


def test_a_list_names_files_relative_to_itself(tmp_path: Path) -> None:
    touch(tmp_path, "music/a.mid", "music/b.mid", "lists/c.mid")
    text = f"# my files\n../music/b.mid\n\n  c.mid  \n{tmp_path}/music/a.mid\nc.mid\n../gone.mid\n"
    (tmp_path / "lists" / "mine.lst").write_bytes(b"\xef\xbb\xbf" + text.encode())
    found = files_of(str(tmp_path / "lists" / "mine.lst"))
    assert [file.name for file in found] == sorted(
        ["../gone.mid", "../music/b.mid", f"{tmp_path}/music/a.mid", "c.mid"]
    )
    assert [file.path.exists() for file in found] == [name != "../gone.mid" for name in (f.name for f in found)]


@pytest.mark.usefixtures("in_process")
def test_what_a_list_names_in_vain_is_reported(tmp_path: Path) -> None:
    write_midi(tune(8), tmp_path / "a.mid")
    (tmp_path / "mine.txt").write_text("a.mid\nb.mid\n.\n")
    done = prepare([str(tmp_path / "mine.txt")], tmp_path / "out")
    assert done.dropped == {"not found": 1, "unreadable": 1}
    assert "  not found: 1\n    b.mid: no such file" in done.report
    assert "    .: a folder; name a music file\n" in done.report


@pytest.mark.parametrize("text", ["", "\n# nothing\n"])
def test_an_empty_list_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(NoNotesError, match=r"mine\.txt: the list names no file; write one path per line"):
        source_files([str(tmp_path / "mine.txt")])


def test_a_file_named_twice_counts_once_and_equal_names_get_their_source(tmp_path: Path) -> None:
    touch(tmp_path, "x/1.mid", "x/2.mid", "y/1.mid")
    x, y = tmp_path / "x", tmp_path / "y"
    assert names(x, x, x / "2.mid") == ["1.mid", "2.mid"]
    assert names(x, y) == [f"{x}/1.mid", "2.mid", f"{y}/1.mid"]
    assert names(y, x) == [f"{y}/1.mid", f"{x}/1.mid", "2.mid"]


@pytest.mark.usefixtures("in_process")
def test_the_corpus_itself_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus may be written into the folder it is made from, though its files may look like music."""
    monkeypatch.setattr(sources, "MUSIC_SUFFIXES", (".mid", ".json"))
    write_midi(tune(8), tmp_path / "a.mid")
    for _ in range(2):
        assert prepare([str(tmp_path)], tmp_path / "prepared" / "out").files == 1


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="none: no such folder or corpus; corpora are"):
        source_files([str(tmp_path / "none")])
    with pytest.raises(NoNotesError, match=r"no music file inside \(looked for .*\)$"):
        source_files([str(tmp_path)])
    touch(tmp_path, "sounds/a.flac")
    with pytest.raises(NoNotesError, match=r"no music file inside .*; recordings are for `seqaudio features`$"):
        source_files([str(tmp_path)])


def test_official_sides_and_licences_come_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a/1.mid", "2.mid")
    monkeypatch.setattr(sources, "official_splits", lambda folder: {"a/1.mid": "test"} if folder == tmp_path else {})
    assert [(file.name, file.split) for file in files_of(str(tmp_path))] == [("2.mid", ""), ("a/1.mid", "test")]
    pytest.importorskip("music21")
    named = files_of("music21:airds")
    assert all(file.licence and file.numbered and file.name.startswith("music21:airds/") for file in named)


def test_the_files_of_a_list_stay_on_their_official_side(tmp_path: Path) -> None:
    touch(tmp_path, "set/a/1.mid", "set/a/2.mid", "lists/3.mid")
    (tmp_path / "set" / "info.csv").write_text("midi_filename,split\na/1.mid,test\na/2.mid,validation\n")
    (tmp_path / "lists" / "mine.txt").write_text("../set/a/1.mid\n../set/a/2.mid\n3.mid\ngone.mid\n")
    found = {file.name: file.split for file in files_of(str(tmp_path / "lists" / "mine.txt"))}
    assert found == {"../set/a/1.mid": "test", "../set/a/2.mid": "valid", "3.mid": "", "gone.mid": ""}
