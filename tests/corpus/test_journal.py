"""Laws of stopping: killed at any line, cut or flipped at any byte, with a full disk, the next run makes the same."""

import json
import os
import shutil
import subprocess
import sys
import threading
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.pieces import prepare_file
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.sources import source_files
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.files import write_midi
from seqaudio.music import Score

prepare_module = sys.modules["seqaudio.corpus.prepare"]  # the package has a function of that name
SMALL = PrepareOptions(min_notes=4, min_bars=1, valid_share=0.3, test_share=0.3)
posix = pytest.mark.skipif(os.name != "posix", reason="kills processes by signal")


def write_music(folder: Path, seeds: range) -> None:
    folder.mkdir(exist_ok=True)
    for seed in seeds:
        pitches = 60 + np.random.default_rng(seed).integers(0, 12, 24)
        write_midi(Score.from_notes(np.arange(24) * 480, 480, pitches, velocity=83), folder / f"{seed}.mid")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Good files, a damaged one and a book."""
    write_music(tmp_path / "music", range(4))
    (tmp_path / "music" / "broken.mid").write_bytes(b"MThd broken")
    (tmp_path / "music" / "book.abc").write_text("X:1\nM:4/4\nK:C\nCDEF GABc|cBAG FEDC|\n\nX:2\nK:Nokey\nCDEF|\n")
    return tmp_path / "music"


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# Forks one process for each line to die at: as sudden as SIGKILL, and exactly there.
DIE_AT_EVERY_LINE = """
import os, resource, shutil, signal, sys
from pathlib import Path
import numpy as np
from seqaudio.corpus import assembly, ground, journal
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.prepare import prepare

module = sys.modules["seqaudio.corpus.prepare"]
folder, with_old = Path(sys.argv[1]), sys.argv[2] == "old"
module.run_isolated = lambda function, files, **_: ((i, function(file)) for i, file in enumerate(files))
os.fsync = lambda descriptor: None  # matters to a power cut, not to a kill, and costs most of the time
options = PrepareOptions(min_notes=4, min_bars=1, valid_share=0.3, test_share=0.3)
watched = {module.__file__, assembly.__file__, ground.__file__, journal.__file__}
out, part = folder / "out", folder / ".out.part"

def files_of(path):
    return {p.name: p.read_bytes() for p in path.iterdir()}

def begin():
    for path in (out, part):
        shutil.rmtree(path, ignore_errors=True)
    if with_old:
        shutil.copytree(folder / "old", out)

def died(prepare_in_child):
    begin()
    pid = os.fork()
    if pid == 0:
        try:
            prepare_in_child()
        except OSError:
            os._exit(7)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def until_line(last):
    seen = 0
    def on_line(frame, event, argument):
        nonlocal seen
        if event == "line":
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
        return on_line
    sys.settrace(lambda frame, event, argument: on_line if frame.f_code.co_filename in watched else None)
    prepare([str(folder / "music")], out, options)
    sys.settrace(None)
    (folder / "lines").write_text(str(seen))

def with_full_disk(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    prepare([str(folder / "music")], out, options)

def goes_on():
    if out.exists():
        assert files_of(out) in ([old, clean] if with_old else [clean]), "half a corpus"
    else:
        assert not with_old or files_of(part / "old") == old, "the old corpus is gone"
    prepare([str(folder / "music")], out, options)
    assert files_of(out) == clean, "not the bytes of a clean build"
    assert not part.exists()

prepare([str(folder / "music")], folder / "clean", options)
clean = files_of(folder / "clean")
old = files_of(folder / "old")
assert died(lambda: until_line(0)) == 0
lines = int((folder / "lines").read_text())
places = np.random.default_rng(0).choice(lines - 24, 16, replace=False) + 1
kills = 0
for last in [*places.tolist(), *range(lines - 23, lines + 1)]:
    assert died(lambda: until_line(last)) == -signal.SIGKILL
    goes_on()
    kills += 1
full = 0
for size in range(0, 4000, 600):
    full += died(lambda: with_full_disk(size)) == 7
    goes_on()
print(kills, full)
"""


@posix
@pytest.mark.parametrize("before", ["old", "nothing"])
def test_dying_anywhere_changes_no_byte(music: Path, tmp_path: Path, before: str) -> None:
    write_music(tmp_path / "other", range(2, 6))
    prepare([str(tmp_path / "other")], tmp_path / "old", SMALL)
    command = [sys.executable, "-c", DIE_AT_EVERY_LINE, str(tmp_path), before]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    kills, full = map(int, done.stdout.split())
    assert kills == 40
    assert full >= 3


@posix
def test_killed_again_and_again_with_two_workers(tmp_path: Path) -> None:
    write_music(tmp_path / "music", range(12))
    code = (
        "import sys\nfrom seqaudio.corpus.prepare import prepare\nfrom seqaudio.corpus.options import PrepareOptions\n"
        "options = PrepareOptions(min_notes=4, min_bars=1, valid_share=0.3, test_share=0.3)\n"
        "show = lambda counts: print(counts.done, counts.reused, flush=True)\n"
        "done = prepare([sys.argv[1]], sys.argv[2], options, jobs=2, show=show)\n"
        "print('read', done.read, flush=True)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "music"), str(tmp_path / "out")]
    written = 0
    for more in (3, 4):
        run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        while written < (3, 7)[more == 4]:
            written, reused = map(int, run.stdout.readline().split())
        assert reused >= (0, 3)[more == 4]
        run.kill()
        run.communicate(timeout=60)
        assert not (tmp_path / "out").exists()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert int(done.stdout.split()[-1]) <= 12 - 7  # what was finished is not read again
    prepare([str(tmp_path / "music")], tmp_path / "clean", SMALL)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "clean")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with music, its clean corpus, and the journal of a run that was stopped before the end."""
    folder = tmp_path_factory.mktemp("stopped")
    write_music(folder / "music", range(6))
    prepare([str(folder / "music")], folder / "clean", SMALL)

    def stop(counts) -> None:
        if counts.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([str(folder / "music")], folder / "out", SMALL, show=stop)
    shutil.copytree(folder / ".out.part", folder / "journal")
    return folder


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.usefixtures("in_process")
@given(
    name=st.sampled_from(["files.jsonl", "tokens.bin"]),
    place=st.floats(0, 1),
    damage=st.sampled_from(["cut", "flip", "zeros", "more"]),
)
def test_a_damaged_journal_is_used_up_to_the_damage(stopped: Path, name: str, place: float, damage: str) -> None:
    shutil.rmtree(stopped / ".out.part", ignore_errors=True)
    shutil.rmtree(stopped / "out", ignore_errors=True)
    shutil.copytree(stopped / "journal", stopped / ".out.part")
    path = stopped / ".out.part" / name
    data = path.read_bytes()
    at = int(place * (len(data) - 1))
    path.write_bytes(
        {
            "cut": data[:at],
            "flip": data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],
            "zeros": data[:at] + bytes(len(data) - at),
            "more": data + data[at:],
        }[damage]
    )
    done = prepare([str(stopped / "music")], stopped / "out", SMALL)
    assert done.read + done.reused == 6
    assert done.reused == 5 if damage == "more" else done.reused <= 5
    assert files_of(stopped / "out") == files_of(stopped / "clean")
    assert not (stopped / ".out.part").exists()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read, as they are read."""
    names: list[str] = []

    def watched(function, files, **_):
        for i, file in enumerate(files):
            names.append(file.name)
            yield i, function(file)

    monkeypatch.setattr(prepare_module, "run_isolated", watched)
    return names


def test_only_what_changed_is_read_again(music: Path, tmp_path: Path, read: list[str]) -> None:
    def again(**changes: object) -> tuple[int, list[str]]:
        read.clear()
        done = prepare([str(music)], tmp_path / "out", SMALL.model_copy(update=changes))
        prepared = files_of(tmp_path / "out")
        assert (done.files, done.read) == (len(list(music.iterdir())), len(read))
        now = list(read)
        prepare([str(music)], tmp_path / "clean", SMALL.model_copy(update=changes))
        assert files_of(tmp_path / "clean") == prepared
        shutil.rmtree(tmp_path / "clean")
        return done.reused, now

    every = sorted(path.name for path in music.iterdir())
    assert again() == (0, every)
    assert again() == (6, [])
    assert again(seed=1, valid_share=0.5) == (6, [])  # no token depends on the split
    write_music(music, range(7, 8))
    (music / "0.mid").write_bytes((music / "1.mid").read_bytes())
    (music / "2.mid").unlink()
    os.utime(music / "1.mid", (0, 0))  # its bytes are what counts
    assert again() == (4, ["0.mid", "7.mid"])
    assert again(min_notes=5) == (0, sorted(path.name for path in music.iterdir()))
    (music / "3.mid").rename(music / "4.mid")
    assert again(min_notes=5) == (5, ["4.mid"])


def test_the_same_folder_elsewhere_is_the_same(music: Path, tmp_path: Path, read: list[str]) -> None:
    """No path of this machine is in what is kept, so nothing goes stale when a folder moves."""
    prepare([str(music)], tmp_path / "out", SMALL)
    (tmp_path / "elsewhere").mkdir()
    music.rename(tmp_path / "elsewhere" / "music")
    read.clear()
    prepare([str(tmp_path / "elsewhere" / "music")], tmp_path / "out", SMALL)
    assert read == []
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert not [entry for entry in manifest["pieces"] + manifest["dropped"] if str(tmp_path) in str(entry)]


def header(text: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


BAD_ARRAYS = (
    b"PK\x03\x04 no archive",
    header(b"{'descr': '<u2', 'fortran_order': False, 'shape': ((\n"),
    header(b"{'descr': '<u2', 'fortran_order': False, 'shape': (%d,), }\n" % 10**30),
    header(b"(" * 9000),
)


def test_a_damaged_corpus_is_read_anew(music: Path, tmp_path: Path, read: list[str]) -> None:
    prepare([str(music)], tmp_path / "clean", SMALL)
    sound = files_of(tmp_path / "clean")
    damages = {
        "tokens.npy": [b"", sound["tokens.npy"][:-3], sound["tokens.npy"][:140] + bytes(100), b"no array", *BAD_ARRAYS],
        "files.jsonl": [b"", b"{}", b"[" * 100_000, sound["files.jsonl"].replace(b"0", b"1")],
    }
    for name, contents in damages.items():
        for content in contents:
            shutil.copytree(tmp_path / "clean", tmp_path / "out")
            (tmp_path / "out" / name).write_bytes(content)
            read.clear()
            prepare([str(music)], tmp_path / "out", SMALL)
            assert read
            assert files_of(tmp_path / "out") == sound
            shutil.rmtree(tmp_path / "out")


EDITS = {
    "at": ["3", 3.0, -1, 10**30, None, True],
    "crc": ["3", None, 2**70],
    "file": [3, None, ["a"]],
    "name": [7, None, ["a"]],
    "sha256": [3, ["a"]],
    "tokens": ["3", 3.5, -2, 10**30, 10**18, 1.5, 0],
    "notes": ["x", "3", 3.5, -2, [3]],
    "lowest": ["60"],
    "bars": ["4", 1.5, None],
    "rule": [3, 7, "dropped, yet with tokens"],
    "marks": [[3], [], 3, [{}, {}], None],
    "lost": [[1], {"a": 1.5}, {"a": "b"}, {"a": -1}, 3],
    "split": ["foo", 3, ["train"]],
    "another": [1],
}


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("key", EDITS)
def test_a_corpus_that_was_edited_is_read_anew(music: Path, tmp_path: Path, key: str) -> None:
    """With the CRC of its lines mended, too."""
    prepare([str(music)], tmp_path / "out", SMALL)
    sound = files_of(tmp_path / "out")
    head, *lines = sound["files.jsonl"].splitlines()
    for value in EDITS[key]:
        edited = json.loads(lines[0][9:])
        (edited if key in edited else edited["pieces"][0])[key] = value
        text = json.dumps(edited).encode()
        line = b"%08x %b" % (zlib.crc32(text), text)
        (tmp_path / "out" / "files.jsonl").write_bytes(b"\n".join([head, line, *lines[1:], b""]))
        done = prepare([str(music)], tmp_path / "out", SMALL)
        assert done.reused == 0, value
        assert files_of(tmp_path / "out") == sound


def test_what_hung_or_crashed_is_dropped_and_tried_again(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_two(function, files, **_):
        for i, file in reversed(list(enumerate(files))):
            lost = {"1.mid": ("hung", "no answer"), "2.mid": ("crashed", "killed")}.get(file.name)
            yield i, prepare_module.Lost(*lost) if lost else function(file)

    prepare([str(music)], tmp_path / "clean", SMALL)
    with monkeypatch.context() as patched:
        patched.setattr(prepare_module, "run_isolated", without_two)
        done = prepare([str(music)], tmp_path / "out", SMALL)
    assert done.dropped == {"crashed": 1, "hung": 1, "unreadable": 2}
    assert "  hung: 1\n    1.mid: no answer\n" in done.report
    done = prepare([str(music)], tmp_path / "out", SMALL)
    assert (done.read, done.reused) == (2, 4)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "clean")


@posix
def test_two_runs_do_not_write_one_corpus(music: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom seqaudio.corpus.prepare import prepare\n"
        "prepare([sys.argv[1]], sys.argv[2], show=lambda counts: (print('began', flush=True), sys.stdin.read()))"
    )
    command = [sys.executable, "-c", code, str(music), str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"began\n"
        with pytest.raises(OptionError, match="another seqaudio prepare is writing it; wait until it is done"):
            prepare([str(music)], tmp_path / "out", SMALL)
        run.communicate(timeout=60)
    prepare([str(music)], tmp_path / "out", SMALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["music", "out"]


@pytest.mark.usefixtures("in_process")
def test_two_threads_do_not_write_one_corpus(music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor while the first of them is tidying up."""
    refused: list[str] = []

    def in_a_thread() -> None:
        try:
            prepare([str(music)], tmp_path / "out", SMALL)
        except OptionError as problem:
            refused.append(str(problem))

    def meanwhile(*_: object) -> None:
        thread = threading.Thread(target=in_a_thread)
        thread.start()
        thread.join()

    clear = prepare_module.clear_part

    def watched(part: Path) -> None:
        meanwhile()
        clear(part)

    with monkeypatch.context() as patched:
        patched.setattr(prepare_module, "clear_part", watched)
        prepare([str(music)], tmp_path / "out", SMALL, show=meanwhile)
    assert len(refused) == 6 + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["music", "out"]


def test_the_room_can_be_imported_where_there_is_no_fcntl() -> None:
    code = "import sys; sys.modules['fcntl'] = sys.modules['resource'] = None; "
    code += "import seqaudio.corpus.prepare, seqaudio.corpus.extract"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_kept_leaves_nothing_behind(music: Path, tmp_path: Path) -> None:
    with pytest.raises(NoNotesError, match=r"lower --min-notes \(now 900\)"):
        prepare([str(music)], tmp_path / "out", SMALL.model_copy(update={"min_notes": 900}))
    assert [path.name for path in tmp_path.iterdir()] == ["music"]


def test_ids_are_never_all_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty million ids of a hundred files, 100 MB, go through in a tenth of that."""
    import tracemalloc

    write_music(tmp_path / "music", range(100))
    each = 500_000
    files = source_files([str(tmp_path / "music")])
    small = {file.name: prepare_file(SMALL, file) for file in files}  # before anything is counted

    def large(function, files, **_):
        for i, file in enumerate(files):
            piece = replace(small[file.name].pieces[0], tokens=each)
            yield i, replace(small[file.name], pieces=(piece,), ids=np.full(each, i, dtype=np.uint16))

    monkeypatch.setattr(prepare_module, "run_isolated", large)
    tracemalloc.start()
    prepare([str(tmp_path / "music")], tmp_path / "out", SMALL)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "out" / "tokens.npy").stat().st_size > 100_000_000
    assert peak < 10_000_000
    tokens = np.load(tmp_path / "out" / "tokens.npy", mmap_mode="r")
    assert tokens[::each].tolist() == list(range(100))


@pytest.mark.usefixtures("in_process")
def test_a_corpus_caught_between_its_two_names_comes_back(music: Path, tmp_path: Path) -> None:
    """The old corpus had lost its name and the new one had none yet; the next run fails for a reason of its own."""
    prepare([str(music)], tmp_path / "out", SMALL)
    before = files_of(tmp_path / "out")
    (tmp_path / ".out.part").mkdir()
    (tmp_path / "out").rename(tmp_path / ".out.part" / "old")
    with pytest.raises(NoNotesError):
        prepare([str(music)], tmp_path / "out", SMALL.model_copy(update={"min_notes": 900}))
    assert files_of(tmp_path / "out") == before
