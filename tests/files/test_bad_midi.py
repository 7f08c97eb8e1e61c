"""Damaged and hostile MIDI files: a clear BadFileError or a right Score, quickly and in little memory."""

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqaudio.errors import BadFileError, OverLimitError
from seqaudio.files import Limits, midi_walk, read_midi, read_midi_bytes
from seqaudio.music import Score

from .midi_mutants import check_laws, good_files, mutant, outcome

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))
END = b"\x00\xff\x2f\x00"
NOTES = b"".join(bytes([0, 0x90, 60 + i, 64, 0x83, 0x60, 0x80, 60 + i, 0]) for i in range(8))


def header(midi_format: int = 1, tracks: int = 1, division: int = 480) -> bytes:
    return b"MThd\0\0\0\6" + b"".join(n.to_bytes(2, "big") for n in (midi_format, tracks, division))


def chunk(body: bytes, tag: bytes = b"MTrk", length: int | None = None) -> bytes:
    return tag + (len(body) if length is None else length).to_bytes(4, "big") + body


GOOD = header() + chunk(NOTES + END)
MAC = b"\0\x08song.mid" + bytes(118)

REFUSED = {
    "the file is empty": b"",
    "no 'MThd' at byte 0": b"\0",
    "inside its header": GOOD[:13],
    "0 tracks found, 1 declared": GOOD[:14],
    "1 tracks found, 2 declared": header(tracks=2) + chunk(NOTES + END),
    "header of 5 bytes": GOOD.replace(b"\0\0\0\6", b"\0\0\0\5"),
    "header of 4294967295 bytes": GOOD.replace(b"\0\0\0\6", b"\xff\xff\xff\xff"),
    "format 9": header(9) + chunk(NOTES + END),
    "2 independent pieces": header(2, 2) + chunk(NOTES + END) * 2,
    "0 ticks per quarter": header(division=0) + chunk(NOTES + END),
    "time code of 25 frames a second, 0 ticks": header(division=0xE700) + chunk(NOTES + END),
    "time code of 128 frames": header(division=0x8000) + chunk(NOTES + END),
    "gzip data; unpack": gzip.compress(GOOD),
    "ABC text": b"X:1\nT:tune\nK:C\nCDEF|\n",
    "XML": b"<?xml version='1.0'?><score-partwise/>",
    "zip archive": b"PK\x03\x04" + bytes(40),
    "MIDI 2.0 clip": b"SMF2CLIP" + bytes(20),
    "audio file; give MIDI, ABC or MusicXML \\(recordings: continue": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
    "web page": b"<!DOCTYPE html><html></html>",
    "data byte 60 where an event must begin at byte 23": header() + chunk(b"\0\x3c\x40" + NOTES + END),
    "cut off inside a track, it ends at byte 50": GOOD[:50],
    "ends in the middle of an event at byte 25": header() + chunk(b"\0\x90\x3c"),
    "number of more than four bytes": header() + chunk(b"\xff" * 64 + NOTES + END),
    "data of 255": header() + chunk(b"\0\x90\x3c\xff" + NOTES + END),
    "beyond 2\\^31": header() + chunk(b"\0\x90\x3c\x40" + b"\xff\xff\xff\x7f\xff\1\0" * 9 + NOTES + END),
    "a second MIDI file begins at byte 98": GOOD + GOOD,
    "bytes of no chunk at byte 40": header() + chunk(NOTES + END, length=18),
}

READ = {
    "good": GOOD,
    "rmid": b"RIFF" + (len(GOOD) + 12).to_bytes(4, "little") + b"RMIDdata" + len(GOOD).to_bytes(4, "little") + GOOD,
    "macbinary": MAC + GOOD + bytes(30),
    "padding": GOOD + b"\x1a" * 4096,
    "none declared": header(tracks=0) + chunk(NOTES + END),
    "fewer declared": header(tracks=1) + chunk(END) * 2 + chunk(NOTES + END),
    "length too long": header() + chunk(NOTES + END, length=2**32 - 1),
    "no end event": header() + chunk(NOTES),
    "unknown chunk": header() + chunk(b"abc", b"XFIH") + chunk(NOTES + END),
    "unknown chunk, false length": header() + chunk(b"abc", b"XFIH", 2**32 - 16) + chunk(NOTES + END),
    "long header": b"MThd\0\0\0\x08" + GOOD[8:14] + b"\0\0" + GOOD[14:],
    "empty first track": header(tracks=2) + chunk(b"") + chunk(NOTES + END),
    "format 2, one track": header(2) + chunk(NOTES + END),
    "end event far away": header() + chunk(NOTES + b"\xff\xff\xff\x7f\xff\x2f\0"),
    "numerator 0": header() + chunk(b"\0\xff\x58\4\0\2\x18\x08" + NOTES + END),
    "denominator 2^255": header() + chunk(b"\0\xff\x58\4\4\xff\x18\x08" + NOTES + END),
    "sysex of 0 bytes": header() + chunk(b"\0\xf0\0" + NOTES + END),
    "sysex of 1 MiB": header() + chunk(b"\0\xf0\xc0\x80\x00" + bytes(2**20 - 1) + b"\xf7" + NOTES + END),
    "undefined statuses": header() + chunk(b"\0\xf4\0\xf5\0\xfd" + NOTES + END),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused_with_a_reason(reason: str) -> None:
    with pytest.raises(BadFileError, match=reason) as caught:
        read_midi_bytes(REFUSED[reason], "folder/a.mid")
    assert str(caught.value).startswith("folder/a.mid: ")
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


@pytest.mark.parametrize("case", READ)
def test_tolerated_and_complete(case: str) -> None:
    score = read_midi_bytes(READ[case], "a.mid")
    assert score.pitch.tolist() == list(range(60, 68))
    assert score.onset.tolist() == list(range(0, 8 * 480, 480))
    assert score.bars().tolist() == [0, 1920, 3840]


def test_far_notes_are_over_the_limit() -> None:
    with pytest.raises(OverLimitError, match=r"Limits\(max_quarters="):
        read_midi_bytes(header() + chunk(b"\xff\xff\xff\x7f\x90\x3c\x40" + NOTES + END), "a.mid")


@pytest.mark.parametrize("way", ["interpreted", "machine_code"])
@pytest.mark.parametrize(
    ("budget", "event"),
    [("max_notes", b"\0\x90\x3c\x40"), ("max_events", b"\0\xc0\5"), ("max_events", b"\0\xff\x51\3\7\0\0"),
     ("max_metres", b"\0\xff\x58\2\4\2")],
)  # fmt: skip
def test_the_walk_ends_where_a_budget_does(
    monkeypatch: pytest.MonkeyPatch, way: str, budget: str, event: bytes
) -> None:
    """The same error, whatever lies behind: more of it, damage, or nothing."""
    monkeypatch.setattr(midi_walk, "_walk_track", getattr(midi_walk._walk_track, way))
    what = budget.removeprefix("max_")
    full = header() + chunk(event * 5 + END)
    assert read_midi_bytes(full, "a.mid", Limits(**{budget: 5})) == read_midi_bytes(full, "a.mid")
    with pytest.raises(OverLimitError, match=rf"^a\.mid: at least 5 {what}, over the budget of 4; .*{budget}=10 "):
        read_midi_bytes(full, "a.mid", Limits(**{budget: 4}))
    for behind in (event * 1000 + END, b"\0\x90\xff\xff", b"\xff" * 100):
        for file in (header() + chunk(event * 5 + behind), header(tracks=2) + chunk(event * 5 + END) + chunk(behind)):
            with pytest.raises(OverLimitError, match=rf"^a\.mid: at least 5 {what}, over the budget of 4"):
                read_midi_bytes(file, "a.mid", Limits(**{budget: 4}))


def test_slow_music_is_over_the_limit_in_seconds() -> None:
    slow = header() + chunk(b"\0\xff\x51\3\xff\xff\xff\0\x90\x3c\x40\x81\x95\x9d\x00\x3c\0" + END)
    with pytest.raises(OverLimitError, match=r"a\.mid: 85,457 seconds, .* --limit max_seconds=85457 \(in Python"):
        read_midi_bytes(slow, "a.mid", Limits(max_seconds=85_456))
    assert read_midi_bytes(slow, "a.mid", Limits(max_seconds=85_457)).end == 2_444_928


def test_a_tick_behind_the_last_is_refused_and_not_wrapped() -> None:
    far = b"\xff\xff\xff\x7f\xff\1\0" * 7 + b"\xff\xff\xff\x7e"  # 7 * (2^28 - 1) + 2^28 - 2 = 2^31 - 9
    at_end = header(division=32767) + chunk(far + b"\x90\x3c\x40\7\x3c\0" + END)
    assert read_midi_bytes(at_end, "a.mid").end == 2**31 - 2
    check_laws(read_midi_bytes(at_end, "a.mid"))
    behind = header(division=32767) + chunk(far + b"\xff\1\0\x08\x90\x3c\x40\0\x3c\0" + END)
    with pytest.raises(BadFileError, match="tick 2147483648 is beyond 2\\^31"):
        read_midi_bytes(behind, "a.mid")


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.mid").mkdir()
    os.mkfifo(tmp_path / "pipe.mid")
    strange = tmp_path / "new\nline.mid"
    for path in (tmp_path / "none.mid", tmp_path / "folder.mid", tmp_path / "pipe.mid", strange, "nul\0.mid", ""):
        with pytest.raises(BadFileError) as caught:
            read_midi(path)
        assert "\n" not in str(caught.value)


def mutants_apart(first: int, stop: int, timeout_s: float) -> dict[str, float]:
    """What became of mutants in another process, so that a crash, a hang or a growing memory is seen from outside."""
    command = [sys.executable, "-m", "tests.files.midi_mutants", str(first), str(stop)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_mutants(first: int, stop: int, timeout_s: float) -> None:
    found = mutants_apart(first, stop, timeout_s)
    assert found["read"] + found["refused"] == stop - first
    assert min(found["read"], found["refused"]) > (stop - first) // 4
    assert found["tokens"] > 0
    assert found["grown_kb"] < 300 * 1024
    assert found["cpu_s"] < 10
    assert found["wall_s"] < 30


def test_mutants_end_in_a_lawful_score_or_one_clear_line() -> None:
    check_mutants(0, 5_000, timeout_s=60)


@pytest.mark.slow
def test_a_hundred_thousand_mutants() -> None:
    check_mutants(5_000, 105_000, timeout_s=3600)


@pytest.mark.parametrize("file", range(len(good_files())))
def test_what_is_mutated_was_sound(file: int) -> None:
    score = read_midi_bytes(good_files()[file].written(), "a.mid")
    assert len(score) >= 8
    check_laws(score)


def test_machine_code_reads_what_the_interpreter_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [*READ.values(), *REFUSED.values(), *(mutant(seed) for seed in range(1000))]
    outcomes = []
    for way in ("interpreted", "machine_code"):
        for kernel in ("_walk_track", "_columns"):
            monkeypatch.setattr(midi_walk, kernel, getattr(getattr(midi_walk, kernel), way))
        outcomes.append([outcome(data) for data in files])
        monkeypatch.undo()
    assert outcomes[0] == outcomes[1]
    assert 300 < sum(isinstance(found, Score) for found in outcomes[0]) < 900


READ_ALL = """
import json, resource, sys, time
from seqaudio.errors import BadFileError
from seqaudio.files import read_midi
def peak_kb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    before, cpu, wall = peak_kb(), time.process_time(), time.perf_counter()
    try:
        score = read_midi(path)
        found = f"{len(score)} notes" + ("" if len(score.bars()) < 3_000_000 else ", too many bars")
    except BadFileError as error:
        found = str(error)
    took = [time.process_time() - cpu, time.perf_counter() - wall]
    print(json.dumps([path, found, peak_kb() - before, *took]), flush=True)
"""


def read_apart(paths: list[Path]) -> list[tuple[str, str]]:
    """Read files in another process, so that a crash, a hang or a growing memory is seen from outside.

    Each takes ten seconds of the processor at most; others may use it meanwhile, so thirty on the clock.
    """
    command = [sys.executable, "-c", READ_ALL, *map(str, paths)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for path, _, grown_kb, cpu_s, wall_s in found:
        assert grown_kb < 300 * 1024, path
        assert cpu_s < 10, path
        assert wall_s < 30, path
    return [(path, text) for path, text, *_ in found]


def test_greedy_files_stay_small(tmp_path: Path) -> None:
    bodies = {
        "pedal": b"\1\xb0\x40\x7f" + b"\1\x40\0\1\x40\x7f" * 400_000,
        "notes": b"\0\x90\x40\x7f" + b"\1\x40\x7f" * 499_000 + b"\1\x40\0" * 499_000,
        "pedals of many programs": b"".join(
            bytes([0, 0xC0, program, 0, 0x90, 0x40, 0x7F, 0, 0x40, 0]) for program in range(128)
        )
        + b"\0\xb0\x40\0"
        + b"\1\x40\x7f\1\x40\0" * 200_000,
        "pressure": b"\0\xd0\0" + b"\0\0" * 8_000_000,
        "one tick": b"\0\x90\x40\x7f" + b"\0\x40\x7f" * 450_000,
    }
    paths = []
    for name, body in bodies.items():
        paths.append(tmp_path / f"{name}.mid")
        paths[-1].write_bytes(header() + chunk(body + END))
    for path, found in read_apart(paths):
        if "many programs" in path:
            assert "25,600,000 events, over the budget" in found
        else:
            assert found.endswith("notes"), found


def test_the_folder_of_bad_files() -> None:
    folder = SHARED / "bad" / "midi"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}; SEQAUDIO_SHARED names another parent")
    with open(folder / "MANIFEST.tsv", encoding="utf-8", newline="") as file:
        expected = {row["file"]: row["expected"] for row in csv.DictReader(file, delimiter="\t")}
    results = read_apart([folder / name for name in expected])
    assert len(results) == len(expected) > 0
    for path, found in results:
        match expected[Path(path).name]:
            case "OK8":
                assert found == "8 notes", path
            case "OK":
                assert found.endswith(" notes"), path
            case "REJECT":
                assert found.startswith(f"{path}: "), found
