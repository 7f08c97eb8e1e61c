"""Laws of preparing: the bytes depend on files and options alone, every drop has a rule, the folder is whole or old."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqaudio.corpus import walk
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.corpus.sources import SourceFile
from seqaudio.errors import BadFileError, NoNotesError, OptionError
from seqaudio.files import Limits, write_midi
from seqaudio.music import Score
from seqaudio.music.lead_sheet import CHORDS_PROGRAM, MELODY_PROGRAM
from seqaudio.music.melody import find_melody
from seqaudio.tokens import BarsTokenizer

SMALL = PrepareOptions(min_notes=4, min_bars=1, valid_share=0.3, test_share=0.3)


def tune(seed: int, transpose: int = 0, notes: int = 24) -> Score:
    pitches = 60 + np.random.default_rng(seed).integers(0, 12, notes) + transpose
    return Score.from_notes(np.arange(notes) * 480, 480, pitches, velocity=83)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder of good, doubled, damaged and empty files, made in no order."""
    folder = tmp_path / "music"
    (folder / "deep").mkdir(parents=True)
    for seed in (5, 2, 9, 1, 8):
        write_midi(tune(seed), folder / f"{seed}.mid")
        write_midi(tune(seed + 10), folder / "deep" / f"{seed}.MID")
    write_midi(tune(5), folder / "deep" / "copy of 5.mid")
    write_midi(tune(5, transpose=7), folder / "deep" / "5 a fifth up.mid")
    write_midi(tune(1, notes=3), folder / "three notes.mid")
    write_midi(Score.from_notes([], 1, 60), folder / "no notes.mid")
    (folder / "broken.mid").write_bytes(b"MThd broken")
    (folder / "book.abc").write_text("X:1\nM:4/4\nK:C\nCDEF GABc|cBAG FEDC|\n\nX:2\nK:Nokey\nCDEF|\n")
    (folder / "notes.txt").write_text("no music")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_jobs_and_reruns_change_no_byte(music: Path, tmp_path: Path) -> None:
    prepare([str(music)], tmp_path / "one", SMALL, jobs=1)
    prepare([str(music)], tmp_path / "two", SMALL, jobs=2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    first = files_of(tmp_path / "one")
    assert set(first) == {"tokens.npy", "index.npy", "tokenizer.json", "manifest.json", "files.jsonl", "report.txt"}
    prepare([str(music)], tmp_path / "one", SMALL)
    assert files_of(tmp_path / "one") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["music", "one", "two"]


@pytest.mark.usefixtures("in_process")
def test_the_order_of_the_directory_changes_no_byte(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare([str(music)], tmp_path / "one", SMALL)
    listed = walk.entries
    monkeypatch.setattr(walk, "entries", lambda folder: sorted(listed(folder), key=lambda entry: entry.name)[::-1])
    prepare([str(music)], tmp_path / "two", SMALL)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


@pytest.mark.usefixtures("in_process")
def test_pieces_come_back_as_the_tokenizer_made_them(music: Path, tmp_path: Path) -> None:
    prepare([str(music)], tmp_path / "out", SMALL)
    corpus = PreparedCorpus.open(tmp_path / "out")
    names = [piece["name"] for piece in corpus.manifest["pieces"]]
    assert corpus.tokenizer == BarsTokenizer()
    assert corpus.piece(names.index("5.mid")).tolist() == BarsTokenizer().encode(tune(5)).tolist()
    assert names == sorted(names, key=lambda name: name.split("#")[0])
    assert {"book.abc#1", "deep/8.MID"} <= set(names)
    together = [i for split in ("train", "valid", "test") for i in corpus.of_split(split)]
    assert sorted(together) == list(range(len(names)))
    assert sum(len(piece) for split in ("train", "valid", "test") for piece in corpus.split(split)) == len(
        corpus.tokens
    )
    assert len(corpus.fingerprint) == 64


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("seed", range(5))
def test_copies_stay_on_one_side(music: Path, tmp_path: Path, seed: int) -> None:
    report = prepare([str(music)], tmp_path / "out", SMALL.model_copy(update={"seed": seed})).report
    pieces = {p["name"]: p for p in PreparedCorpus.open(tmp_path / "out").manifest["pieces"]}
    same = [pieces[name] for name in ("5.mid", "deep/copy of 5.mid", "deep/5 a fifth up.mid")]
    assert len({piece["group"] for piece in same}) == len({piece["split"] for piece in same}) == 1
    assert len({piece["group"] for piece in pieces.values()}) == len(pieces) - 2
    assert "\n  5.mid = deep/5 a fifth up.mid (+7) = deep/copy of 5.mid\n" in report


@pytest.mark.usefixtures("in_process")
def test_a_new_file_moves_no_piece(music: Path, tmp_path: Path) -> None:
    prepare([str(music)], tmp_path / "out", SMALL)
    before = {p["name"]: p["split"] for p in PreparedCorpus.open(tmp_path / "out").manifest["pieces"]}
    assert len(set(before.values())) > 1
    write_midi(tune(77), music / "0 new.mid")
    prepare([str(music)], tmp_path / "out", SMALL)
    after = {p["name"]: p["split"] for p in PreparedCorpus.open(tmp_path / "out").manifest["pieces"]}
    assert len(after) == len(before) + 1
    assert {name: after[name] for name in before} == before


@pytest.mark.usefixtures("in_process")
def test_every_drop_has_a_rule_and_a_reason(music: Path, tmp_path: Path) -> None:
    report = prepare([str(music)], tmp_path / "out", SMALL).report
    dropped = json.loads((tmp_path / "out" / "manifest.json").read_text())["dropped"]
    rules = {Path(d["name"].split(":")[0]).name: d["rule"] for d in dropped}
    assert rules == {
        "broken.mid": "unreadable", "no notes.mid": "too few notes", "three notes.mid": "too few notes",
        "book.abc": "unreadable",
    }  # fmt: skip
    assert all(d["reason"] for d in dropped)
    assert "13 of 17 pieces kept" in report
    assert "dropped: 4" in report
    assert "3 notes, min_notes is 4" in report


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(
    ("options", "rule", "reason"),
    [
        ({"min_notes": 25}, "too few notes", "24 notes, min_notes is 25"),
        ({"min_bars": 7}, "too few bars", "6 bars, min_bars is 7"),
        ({"max_tokens": 80}, "too long", "tokens, max_tokens is 80"),
    ],
)
def test_rules_at_their_edge(tmp_path: Path, options: dict[str, int], rule: str, reason: str) -> None:
    write_midi(tune(1), tmp_path / "a.mid")
    tokens = len(BarsTokenizer().encode(tune(1)))
    just_enough = {"min_notes": 24, "min_bars": 6, "max_tokens": tokens}
    prepare([str(tmp_path / "a.mid")], tmp_path / "out", PrepareOptions(**just_enough))
    with pytest.raises(NoNotesError, match=rule):
        prepare([str(tmp_path / "a.mid")], tmp_path / "none", PrepareOptions(**just_enough | options))
    write_midi(tune(2, notes=30), tmp_path / "b.mid")
    limits = just_enough | {"max_tokens": 1000} | options
    write_midi(tune(2, notes=16 if "max_tokens" in options else 30), tmp_path / "b.mid")
    report = prepare(
        [str(tmp_path / "a.mid"), str(tmp_path / "b.mid")],
        tmp_path / "out",
        PrepareOptions(**limits | ({"min_notes": 1, "min_bars": 1} if "max_tokens" in options else {})),
    ).report
    assert f"{rule}: 1\n    a.mid: " in report
    assert reason in report


@pytest.mark.usefixtures("in_process")
def test_files_that_are_no_music_are_counted(music: Path, tmp_path: Path) -> None:
    for name in ("1.mid.gz", "2.mid.gz", "cover.JPG", "README", ".hidden"):
        (music / name).write_bytes(b"")
    report = prepare([str(music)], tmp_path / "out", SMALL).report
    assert "files of other kinds, not looked at: 5 (.gz 2, .jpg 1, .txt 1, no suffix 1)" in report
    inside = prepare([str(music)], music / "out", SMALL).report
    assert inside == report


def test_bars_are_those_of_the_music_whatever_the_tokens(tmp_path: Path) -> None:
    score = Score.from_notes(np.arange(24) * 480, 480, 60 + np.arange(24), tempos=[(0, 1_500_000)])  # 40 per minute
    write_midi(score.replaced(time_signatures=[(0, 3, 4)]), tmp_path / "slow.mid")
    for name in ("bars", "performance", "melody", "pianoroll"):
        prepare([str(tmp_path / "slow.mid")], tmp_path / name, PrepareOptions(tokenizer=name))
        assert PreparedCorpus.open(tmp_path / name).manifest["pieces"][0]["bars"] == 8


def test_pieces_have_numbers_from_0_up(music: Path, tmp_path: Path) -> None:
    prepare([str(music)], tmp_path / "out", SMALL)
    corpus = PreparedCorpus.open(tmp_path / "out")
    count = len(corpus.index) - 1
    for number in (-1, count):
        with pytest.raises(IndexError, match=f"piece {number} of a corpus of {count} pieces"):
            corpus.piece(number)


def test_melody_only(tmp_path: Path) -> None:
    drums = Score.from_notes(np.arange(20) * 480, 480, 36, is_drum=True)
    write_midi(drums, tmp_path / "drums.mid")
    both = Score.from_notes([*range(0, 9600, 480)] * 2, 480, [72] * 20 + [48] * 20, program=3, velocity=20)
    write_midi(both, tmp_path / "both.mid")
    report = prepare([str(tmp_path)], tmp_path / "out", PrepareOptions(melody=True)).report
    corpus = PreparedCorpus.open(tmp_path / "out")
    assert corpus.tokenizer == BarsTokenizer(programs=False, velocities=False, tempos=False, pedals="drop")
    assert set(corpus.tokenizer.decode(corpus.piece(0)).pitch.tolist()) == {72}
    assert "no melody: 1\n    drums.mid: no pitched notes, only drums" in report


def test_lead_sheets(tmp_path: Path) -> None:
    drums = Score.from_notes(np.arange(20) * 480, 480, 36, is_drum=True)
    write_midi(drums, tmp_path / "drums.mid")
    both = Score.from_notes([*range(0, 9600, 480)] * 2, 480, [72] * 20 + [48] * 20, program=3, velocity=20)
    write_midi(both.replaced(pedals=[(0, 480, 0), (960, 480, 0)]), tmp_path / "both.mid")
    beats = both.pitch == 48
    beaten = both.replaced(pitch=both.pitch + 1, track=beats.astype(int), is_drum=beats, track_names=("", ""))
    report = prepare([str(tmp_path)], tmp_path / "out", PrepareOptions(lead_sheet=True)).report
    assert "drums_dropped" not in report
    write_midi(beaten, tmp_path / "with_drums.mid")
    report = prepare([str(tmp_path)], tmp_path / "out", PrepareOptions(lead_sheet=True)).report
    assert "drums_dropped: 20" in report
    corpus = PreparedCorpus.open(tmp_path / "out")
    heard = corpus.score(corpus.piece(0))
    assert set(heard.track_names) == {"melody", "chords"}
    assert find_melody(heard).score.pitch.tolist() == [72] * 20
    told_apart = {int(program): set(heard.pitch[heard.program == program].tolist()) for program in heard.program}
    assert told_apart == {MELODY_PROGRAM: {72}, CHORDS_PROGRAM: {48}}
    assert "tokenizer: bars, lead sheets" in report
    assert "no melody: 1\n    drums.mid: no pitched notes, only drums" in report
    assert "pedal_spans_dropped: 2" in report


@pytest.mark.usefixtures("in_process")
def test_nothing_usable_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    with pytest.raises(NoNotesError, match=r"no music file inside \(looked for \.mid"):
        prepare([str(folder)], tmp_path / "out")
    for i in range(3):
        write_midi(tune(i, notes=5), folder / f"{i}.mid")
    (folder / "broken.mid").write_bytes(b"MThd")
    with pytest.raises(NoNotesError, match=r"no usable piece in .*: 3 x too few notes; 1 x unreadable") as caught:
        prepare([str(folder)], tmp_path / "out")
    assert caught.value.exit_code == 3
    assert not (tmp_path / "out").exists()
    with pytest.raises(OptionError, match="no such folder or corpus; corpora are music21:oneills"):
        prepare([str(tmp_path / "none")], tmp_path / "out")


@pytest.mark.usefixtures("in_process")
def test_a_folder_that_is_something_else_is_left_alone(music: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for out in (mine, mine / "thesis.txt", music):
        with pytest.raises(OptionError, match="exists and is no prepared corpus; name a new folder"):
            prepare([str(music)], out, SMALL)
    assert files_of(mine) == {"thesis.txt": b"years of work"}
    (tmp_path / "empty").mkdir()
    prepare([str(music)], tmp_path / "empty", SMALL)
    PreparedCorpus.open(tmp_path / "empty")


def test_a_folder_whose_manifest_is_another_programs_is_left_alone(music: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "manifest.json").write_text('{"name": "a browser extension"}')
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(OptionError, match="exists and is no prepared corpus"):
        prepare([str(music)], mine, SMALL)
    assert set(files_of(mine)) == {"manifest.json", "thesis.txt"}


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("step", ["numpy.save", "json.dumps", "pathlib.Path.rename"])
def test_an_interrupted_write_leaves_the_old_corpus(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    prepare([str(music)], tmp_path / "out", SMALL)
    before = files_of(tmp_path / "out")
    (music / "1.mid").unlink()

    rename = Path.rename

    def fail(*given: object, **__: object) -> object:
        if step.endswith("rename") and Path(str(given[0])).name != "new":
            return rename(*given)  # only the new folder fails to get its name
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(step, fail)
        with pytest.raises(OSError, match="disk full"):
            prepare([str(music)], tmp_path / "out", SMALL)
    assert files_of(tmp_path / "out") == before
    left = {path.name for path in tmp_path.glob(".out.part/*")}
    assert left == (set() if step == "json.dumps" else {"files.jsonl", "tokens.bin", "new"})  # the first write failed
    parts = [".out.part"] * bool(left)
    assert sorted(path.name for path in tmp_path.iterdir()) == [*parts, "music", "out"]
    prepare([str(music)], tmp_path / "out", SMALL)
    prepare([str(music)], tmp_path / "clean", SMALL)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "clean") != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean", "music", "out"]


@pytest.mark.usefixtures("in_process")
def test_damaged_corpora_are_refused(music: Path, tmp_path: Path) -> None:
    prepare([str(music)], tmp_path / "out", SMALL)
    with pytest.raises(BadFileError, match="not a prepared corpus"):
        PreparedCorpus.open(music)
    for name in ("manifest.json", "tokens.npy", "index.npy", "tokenizer.json"):
        shutil.copytree(tmp_path / "out", tmp_path / name)
        (tmp_path / name / name).unlink()
        with pytest.raises(BadFileError, match="not a prepared corpus"):
            PreparedCorpus.open(tmp_path / name)
    np.save(tmp_path / "out" / "index.npy", np.array([0, 5]))
    with pytest.raises(BadFileError, match="damaged, its files do not fit together"):
        PreparedCorpus.open(tmp_path / "out")


def test_options_refuse_what_makes_no_sense() -> None:
    bad = ({"min_notes": 0}, {"valid_share": 1.0}, {"valid_share": 0.5, "test_share": 0.5}, {"melodies": True})
    for options in bad:
        with pytest.raises(OptionError, match=r"^PrepareOptions: 1 mistake: "):
            PrepareOptions(**options)


def test_named_corpora_are_found_without_importing_music21() -> None:
    pytest.importorskip("music21")
    code = (
        "import sys; from seqaudio.corpus.sources import files_of; "
        "print(len(files_of('music21:oneills')), len(files_of('music21:airds')), 'music21' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    oneills, airds, imported = done.stdout.split()
    assert int(oneills) > 30
    assert int(airds) == 6
    assert imported == "False"


@pytest.mark.skipif(os.name != "posix", reason="kills processes by signal")
def test_workers_end_with_a_killed_run(music: Path, tmp_path: Path) -> None:
    """Nobody is left behind, waiting for work that never comes."""
    code = (
        "import sys, time\nfrom seqaudio.corpus.prepare import prepare\n"
        "def slow(counts):\n    print('began', flush=True)\n    time.sleep(60)\n"
        "prepare([sys.argv[1]], sys.argv[2], jobs=2, show=slow)"
    )
    command = [sys.executable, "-c", code, str(music), str(tmp_path / "out")]
    run = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stdout.readline() == b"began\n"
    run.kill()
    # every worker holds the pipe open: it ends when the last of them is gone
    run.communicate(timeout=30)
    assert not (tmp_path / "out").exists()


def test_the_bytes_that_are_hashed_are_those_that_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that changes meanwhile is what its hash says."""
    pieces = sys.modules["seqaudio.corpus.pieces"]
    path = tmp_path / "tune.mid"
    write_midi(tune(2), path)
    first = path.read_bytes()

    def read(*_: object) -> bytes:
        write_midi(tune(3), path)
        return first

    monkeypatch.setattr(pieces, "read_bytes", read)
    found = pieces.prepare_file(SMALL, SourceFile("tune.mid", path))
    assert found.sha256 == hashlib.sha256(first).hexdigest()
    assert found.ids.tolist() == BarsTokenizer().encode(tune(2)).tolist()


@pytest.mark.usefixtures("in_process")
def test_the_report_names_every_dropped_piece_and_the_summary_some(tmp_path: Path) -> None:
    for name in (f"{i}.mid" for i in range(8)):
        (tmp_path / "music" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "music" / name).write_bytes(b"MThd broken")
    write_midi(tune(1), tmp_path / "music" / "good.mid")
    done = prepare([str(tmp_path / "music")], tmp_path / "out", SMALL)
    report = (tmp_path / "out" / "report.txt").read_text()
    assert [f"    {i}.mid: " in report for i in range(8)] == [True] * 8
    assert [f"    {i}.mid: " in done.report for i in range(8)] == [True] * 5 + [False] * 3
    assert "    ... and 3 more (report.txt has all)\n" in done.report
    assert "--timeout S, --memory MB" in report
    assert "  over a limit: max_bytes is " in report
    assert "over a limit" not in done.report


@pytest.mark.usefixtures("in_process")
def test_the_summary_names_some_versions_and_the_budgets_that_a_file_was_over(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    for i in range(16):  # eight pieces, twice each
        write_midi(tune(i // 2), tmp_path / "music" / f"{i:02}.mid")
    (tmp_path / "music" / "large.mid").write_bytes(b"MThd" + bytes(70_000))
    options = PrepareOptions(min_notes=1, min_bars=1, limits=Limits(max_bytes=60_000))
    done = prepare([str(tmp_path / "music")], tmp_path / "out", options)
    report = (tmp_path / "out" / "report.txt").read_text()
    groups = report.count(".mid = "), done.report.count(".mid = ")
    assert groups[0] > groups[1] == 5
    assert f"  ... and {groups[0] - 5} more (report.txt has all)\n" in done.report
    assert "over a limit: max_bytes is 60000, max_notes is 500000, " in done.report
    (tmp_path / "music" / "large.mid").unlink()
    done = prepare([str(tmp_path / "music")], tmp_path / "out", options)
    assert "over a limit: max_bytes is 60000; raise one with --limit NAME=VALUE" in done.report
