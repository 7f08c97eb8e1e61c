"""Is nothing in a source passed over in silence, however strange, and does nothing strange end or hang the run?"""

import errno
import os
import socket
from pathlib import Path

import pytest

from seqaudio.corpus import walk
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.sources import files_of, passed_over, source_files
from seqaudio.errors import OptionError, OverLimitError
from seqaudio.files import Limits, write_midi
from tests.samples import tune

pytestmark = [
    pytest.mark.usefixtures("in_process"),
    pytest.mark.skipif(os.name != "posix", reason="makes links, pipes and sockets"),
]


@pytest.fixture
def music(tmp_path: Path) -> Path:
    (tmp_path / "music" / "deep").mkdir(parents=True)
    write_midi(tune(8), tmp_path / "music" / "a.mid")
    write_midi(tune(8, seed=1), tmp_path / "music" / "deep" / "b.mid")
    return tmp_path / "music"


def close(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nobody may list this folder (the superuser could, whatever its permissions are)."""
    listed = walk.entries

    def closed(here: Path) -> list[os.DirEntry[str]]:
        if here == folder:
            raise PermissionError(errno.EACCES, "Permission denied", str(here))
        return listed(here)

    monkeypatch.setattr(walk, "entries", closed)


def test_what_is_no_regular_file_is_dropped_with_a_reason(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(music)  # names of sockets are short
    os.mkfifo("pipe.mid")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.mid")
    os.symlink("nowhere.mid", "dangling.mid")
    os.symlink("loop.mid", "loop.mid")
    os.symlink("/dev/zero", "device.mid")
    os.symlink("a.mid", "link to a file.mid")
    done = prepare([str(music)], tmp_path / "out")
    assert done.files == 8
    assert done.dropped == {"unreadable": 5}
    for name in ("pipe", "socket", "device"):
        assert f"    {name}.mid: not a regular file; name a music file\n" in done.report
    assert "    dangling.mid: cannot be read: No such file or directory" in done.report
    assert "    loop.mid: cannot be read: Too many levels of symbolic links" in done.report


def test_linked_folders_are_counted_and_not_followed(music: Path, tmp_path: Path) -> None:
    (music / "loop").symlink_to(music)
    (music / "deep" / "elsewhere").symlink_to(tmp_path)
    (music / "a.txt").write_text("")
    assert [file.name for file in files_of(str(music))] == ["a.mid", "deep/b.mid"]
    assert passed_over([str(music)]) == {".txt": 1, "linked folders": 2}
    assert "not looked at: 3 (.txt 1, linked folders 2)" in prepare([str(music)], tmp_path / "out").report


def test_a_folder_that_cannot_be_listed_is_dropped_by_its_name(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(monkeypatch, music / "deep")
    done = prepare([str(music)], tmp_path / "out")
    assert done.dropped == {"unreadable": 1}
    assert "    deep/: permission denied\n" in done.report
    assert prepare([str(music)], tmp_path / "out").reused == 1


def test_a_source_that_cannot_be_listed_says_why(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close(monkeypatch, music)
    with pytest.raises(OptionError, match="music: cannot be listed: permission denied; check its permissions"):
        source_files([str(music)])


def test_folders_may_be_deep(tmp_path: Path) -> None:
    """Deeper than Python nests calls; taken down step by step again, as pytest cannot."""
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        Path("a.mid").touch()
        found = files_of(str(tmp_path))
        os.unlink("a.mid")
        for _ in range(1500):
            os.chdir("..")
            os.rmdir("d")
    finally:
        os.chdir(here)
    assert [file.name for file in found] == ["d/" * 1500 + "a.mid"]


def test_a_table_with_a_name_too_long_ends_nothing(music: Path) -> None:
    (music / "split.csv").write_text(f"file,split\n{'x' * 300}.mid,test\na.mid,test\n")
    assert [file.split for file in files_of(str(music))] == ["test", ""]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", "the SOURCE is empty"),
        ("x" * 300, "File name too long"),
        ("x/" * 3000, "File name too long"),
        ("/dev/zero", "not a regular file"),
        ("pipe.mid", "not a regular file"),
        ("pipe.txt", "not a regular file"),
        ("loop", "Too many levels of symbolic links"),
        ("a\0b", "null byte"),
        ("a.mid/b", "no such folder or corpus"),
    ],
)
def test_a_strange_source_is_refused_with_the_reason(
    music: Path, monkeypatch: pytest.MonkeyPatch, source: str, text: str
) -> None:
    monkeypatch.chdir(music)
    os.mkfifo("pipe.mid")
    os.mkfifo("pipe.txt")
    os.symlink("loop", "loop")
    with pytest.raises(OptionError, match=text):
        source_files([source])


def test_no_entry_of_a_list_ends_the_run(music: Path, tmp_path: Path) -> None:
    os.mkfifo(music / "pipe.mid")
    entries = ["a.mid", "x" * 300, "y" * 300 + "/b.mid", "z/" * 3000, "pipe.mid", "a.mid/b.mid"]
    (music / "list.txt").write_text("\n".join(entries))
    done = prepare([str(music / "list.txt")], tmp_path / "out")
    assert (done.files, done.pieces) == (6, {"train": 1})
    assert done.dropped == {"not found": 1, "unreadable": 4}
    assert done.report.count("File name too long") == 3


def test_a_list_keeps_to_the_budget(tmp_path: Path) -> None:
    with (tmp_path / "list.txt").open("wb") as file:
        file.truncate(3 * 2**30)
    with pytest.raises(OverLimitError, match="--limit max_bytes="):
        prepare([str(tmp_path / "list.txt")], tmp_path / "out")
    (tmp_path / "list.txt").write_text("a.mid\n" * 20)
    small = PrepareOptions(limits=Limits(max_bytes=100))
    with pytest.raises(OverLimitError, match="--limit max_bytes=120"):
        prepare([str(tmp_path / "list.txt")], tmp_path / "out", small)


def test_the_corpus_is_no_source_by_whatever_way_it_is_reached(music: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(music)
    for _ in range(2):
        done = prepare([str(tmp_path / "link")], music / "out")
        assert "not looked at" not in done.report
        assert done.files == 2
