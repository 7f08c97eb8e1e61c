"""Does a run of prepare leave alone what is not its own, and say why it does not write there?"""

import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seqaudio.cli.main import run
from seqaudio.corpus import ground
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import OptionError
from seqaudio.files import write_midi
from seqaudio.files.locks import alone
from tests.samples import tune

prepare_module = sys.modules["seqaudio.corpus.prepare"]
pytestmark = pytest.mark.usefixtures("in_process")
posix = pytest.mark.skipif(os.name != "posix", reason="makes links and pipes")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    (tmp_path / "music").mkdir()
    write_midi(tune(8), tmp_path / "music" / "a.mid")
    return tmp_path / "music"


def corpus_of_another(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"name": "a web page"}')


def file_in(*parts: str) -> Callable[[Path], None]:
    def make(tmp_path: Path) -> None:
        path = tmp_path.joinpath(".out.part", *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")

    return make


STRANGE_PARTS: dict[str, Callable[[Path], None]] = {
    "another file": file_in("thesis.txt"),
    "a file": lambda tmp_path: (tmp_path / ".out.part").write_text("mine") and None,
    "a link": lambda tmp_path: (tmp_path / ".out.part").symlink_to(tmp_path / "music"),
    "in old": file_in("old", "thesis.txt"),
    "in new": file_in("new", "thesis.txt"),
    "a manifest in old": lambda tmp_path: corpus_of_another(tmp_path / ".out.part" / "old"),
    "a folder of our name": file_in("files.jsonl", "thesis.txt"),
    "new as a file": file_in("new"),
    "a pipe of our name": lambda tmp_path: (
        ((tmp_path / ".out.part").mkdir(), os.mkfifo(tmp_path / ".out.part/files.jsonl")) and None
    ),
    "a pipe": lambda tmp_path: ((tmp_path / ".out.part").mkdir(), os.mkfifo(tmp_path / ".out.part/lock")) and None,
}


def everything(folder: Path) -> list[tuple[str, bytes]]:
    return sorted((str(path), path.read_bytes() if path.is_file() else b"") for path in folder.rglob("*"))


@posix
@pytest.mark.parametrize("kind", STRANGE_PARTS)
def test_another_ones_part_stays(music: Path, tmp_path: Path, kind: str) -> None:
    STRANGE_PARTS[kind](tmp_path)
    before = everything(tmp_path)
    with pytest.raises(OptionError, match=r"\.out\.part: exists and holds other things .*; move it away"):
        prepare([str(music)], tmp_path / "out")
    assert everything(tmp_path) == before


@posix
@pytest.mark.parametrize("kind", ["text", "link", "pipe"])
def test_another_ones_lock_stays(music: Path, tmp_path: Path, kind: str) -> None:
    lock = tmp_path / ".out.lock"
    if kind == "pipe":
        os.mkfifo(lock)
    else:
        target = lock if kind == "text" else tmp_path / "mine"
        target.write_text("mine")
        if kind == "link":
            lock.symlink_to(target)
    before = everything(tmp_path)
    with pytest.raises(OptionError, match=r"\.out\.lock: exists and is no lock of ours; move it away"):
        prepare([str(music)], tmp_path / "out")
    assert everything(tmp_path) == before


@pytest.mark.parametrize("text", ['{"name": "a web page"}', '{"format": 2}', "[" * 100_000, "[]", "no json", ""])
def test_a_manifest_of_something_else_stays(music: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text(text)
    before = everything(tmp_path)
    with pytest.raises(OptionError, match="out: exists and is no prepared corpus"):
        prepare([str(music)], tmp_path / "out")
    assert everything(tmp_path) == before


@posix
@pytest.mark.parametrize("name", ["tokens.npy", "files.jsonl", "manifest.json"])
def test_a_pipe_in_a_corpus_does_not_hang(music: Path, tmp_path: Path, name: str) -> None:
    prepare([str(music)], tmp_path / "out")
    (tmp_path / "out" / name).unlink()
    os.mkfifo(tmp_path / "out" / name)
    with pytest.raises(OptionError, match="out: exists and is no prepared corpus"):
        prepare([str(music)], tmp_path / "out")


@posix
def test_a_link_is_followed_to_the_folder_it_names(music: Path, tmp_path: Path) -> None:
    (tmp_path / "disk" / "real").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "real")
    for _ in range(2):
        prepare([str(music)], tmp_path / "out")
        assert (tmp_path / "out").is_symlink()
        assert len(PreparedCorpus.open(tmp_path / "disk" / "real").manifest["pieces"]) == 1
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["real"]


@posix
@pytest.mark.parametrize("out", ["dangling", "/", "", "x" * 250, "x" * 300])
def test_where_no_corpus_can_be_it_is_said_before_any_work(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SystemExit) as ended:
        run(["prepare", "music", out])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert (out or "OUT is empty") in said
    assert said.count("\n") == 1
    assert ".part" not in said
    assert ".lock" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "music"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="asks Linux for a folder in which nothing can be made")
def test_where_nothing_can_be_made_nobody_is_said_to_write() -> None:
    with pytest.raises(OptionError, match="/proc/out: cannot be written: No such file"):
        with alone(Path("/proc/out"), Path("/proc/.out.lock"), "seqaudio features"):
            pass


def test_a_folder_that_refuses_is_named_as_it_was_given(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OptionError, match=r"/out: cannot be written: Permission denied"):
        prepare([str(music)], tmp_path / "out")


def test_a_run_that_finished_nothing_leaves_nothing(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> object:
        raise OptionError("no Dask scheduler answers")

    monkeypatch.setattr(prepare_module, "run_on_cluster", refused)
    with pytest.raises(OptionError, match="no Dask scheduler"):
        prepare([str(music)], tmp_path / "out", dask="tcp://127.0.0.1:1")
    assert [path.name for path in tmp_path.iterdir()] == ["music"]


def test_a_full_disk_names_the_corpus_and_the_way_on(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(prepare_module.Journal, "append", full)
        with pytest.raises(SystemExit):
            run(["prepare", str(music), str(tmp_path / "out")])
    assert (
        f"{tmp_path / 'out'}: No space left on device; make room, the same command goes on" in capsys.readouterr().err
    )


def test_what_is_taken_for_ours_is_what_is_written(music: Path, tmp_path: Path) -> None:
    prepare([str(music)], tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == ground.FILES
    assert ground.may_be_replaced(tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "manifest.json").read_text())
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(facts, indent=4))
    assert ground.may_be_replaced(tmp_path / "out")
