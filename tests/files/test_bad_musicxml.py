"""Damaged and hostile MusicXML: a score or one BadFileError with path and reason, in bounded time and memory."""

import io
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from seqaudio.errors import BadFileError, OverLimitError
from seqaudio.files import Limits
from seqaudio.files.musicxml import read_musicxml_bytes, reading
from seqaudio.music import Score
from tests.files.musicxml_samples import (
    STANDARD,
    attributes,
    document,
    harmony,
    note,
    repeat,
    tie,
    volta,
    words,
    zipped,
)

pytest.importorskip("music21", reason="MusicXML needs music21; pip install 'seqaudio[musicxml]'")
PLAIN = document([attributes() + note("C5", 4)], doctype=STANDARD)
MARKS = (
    "<direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>70</per-minute></metronome>"
    "<dynamics><f/></dynamics></direction-type><offset>2</offset></direction>"
)
RICH = document(
    [
        attributes("4/4", "<transpose><chromatic>-2</chromatic></transpose>") + harmony("Bb", "dominant") + note("G4"),
        note("C5", 4, "<voice>1</voice>", tie("start")) + "<backup><duration>16</duration></backup>"
        + note("E4", 4, "<voice>2</voice>"),
        volta("1", note("C5", 2, tie("stop")) + note("E5", 2, "<chord/>") + note("r", 2)) + repeat("backward"),
        volta("2", MARKS + note("D5", 4)) + words("D.C. al Fine"),
    ],
    [attributes() + note("C3"), *[note("r", 4)] * 3],
    about="<midi-instrument><midi-channel>3</midi-channel><midi-program>5</midi-program></midi-instrument>",
    doctype=STANDARD,
).encode()  # fmt: skip


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not well formed"),
        (b"<score-partwise>", "not well formed"),
        (b"\xff\xfe<\0", "not well formed"),
        (b"<?xml version='1.0' encoding='klingon'?><a/>", "not well formed"),
        (b"<html><body/></html>", "no score in it"),
        (b"<score-partwise/>", "without parts"),
        (PLAIN.replace("<divisions>4", "<divisions>0").encode(), "no sound MusicXML"),
        (PLAIN.replace("<duration>16", "<duration>nan").encode(), "no sound MusicXML"),
        (PLAIN.replace("<duration>16", "<duration>1e300").encode(), "over the budget"),
        (PLAIN.replace("<duration>16", "<duration>99999999").encode(), "max_quarters"),
        (PLAIN.replace(STANDARD, "<!DOCTYPE a [<!ENTITY b 'c'>]>").encode(), "defines entities"),
        (PLAIN.replace(STANDARD, "<!DOCTYPE a [<!ENTITY % b SYSTEM 'file:///x'> %b;]>").encode(), "defines entities"),
        (PLAIN.replace("<note>", "<note>" + "<a>" * 200).encode(), "nested more than"),
        (b"PK\x03\x04" + b"\0" * 50, "damaged zip"),
        (zipped(PLAIN)[:-30], "damaged zip"),
        (zipped(PLAIN, container="<rootfile full-path='other.xml'/>"), ""),
        (zipped(PLAIN, "a.txt", "<rootfile full-path='other.xml'/>"), "which is not in it"),
        (zipped(PLAIN, "a.txt", None), "no XML files"),
        (zipped("<score-partwise>" + " " * 10**7), "more than 300 times"),
    ],
)  # fmt: skip
def test_what_is_refused(data: bytes, reason: str) -> None:
    if not reason:  # the only XML file is the score, whatever the index says
        assert len(read_musicxml_bytes(data, "a.mxl")[0]) == 1
        return
    with pytest.raises(BadFileError, match=rf"^a\.mxl: .*{reason}") as refused:
        read_musicxml_bytes(data, "a.mxl")
    assert "\n" not in str(refused.value)


def test_archives_with_many_members_or_foreign_packing_are_refused() -> None:
    for members, method in ((1200, zipfile.ZIP_STORED), (1, zipfile.ZIP_LZMA)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for i in range(members):
                archive.writestr(f"{i}.xml", PLAIN)
        with pytest.raises(BadFileError, match=r"at most 1000|does not allow"):
            read_musicxml_bytes(buffer.getvalue(), "a.mxl")


def test_the_standard_document_type_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", fetch)
    assert len(read_musicxml_bytes(PLAIN.encode(), "a")[0]) == 1


NAMES = [b"note", b"chord", b"rest", b"pitch", b"backup", b"start", b"stop", b"voice", b"step"]


def mutant(data: bytes, rng: np.random.Generator) -> bytes:
    """The document with one to four damages: bits, cuts, swapped or doubled tags, wild numbers."""
    for _ in range(rng.integers(1, 5)):
        at, to = sorted(rng.integers(0, len(data), 2).tolist())
        match rng.integers(0, 6):
            case 0:
                data = data[:at] + bytes([data[at] ^ (1 << int(rng.integers(0, 8)))]) + data[at + 1 :]
            case 1:
                data = data[:at] + data[to:] if to - at < 200 else data[:to]
            case 2:
                tags = data.split(b"<")
                i, j = rng.integers(1, len(tags), 2).tolist() if len(tags) > 2 else (0, 0)
                tags[i], tags[j] = tags[j], tags[i]
                data = b"<".join(tags)
            case 3:
                wild = [b"-1", b"0", b"1e9", b"", b"x", b"99999999999999999999", b"nan", b"0.3", b"\xc3\xa4"]
                starts = [i for i in range(len(data) - 1) if data[i : i + 1] == b">" and data[i + 1 : i + 2].isdigit()]
                if starts:
                    i = starts[int(rng.integers(0, len(starts)))]
                    data = data[: i + 1] + wild[int(rng.integers(0, len(wild)))] + data[data.find(b"<", i) :]
            case 4:
                begins = [i for i in range(len(data)) if data[i : i + 5] == b"<note" or data[i : i + 8] == b"<measure"]
                if len(begins) > 1:
                    i, j = sorted(rng.choice(begins, 2, replace=False).tolist())
                    data = data[:i] + data[j:] if rng.integers(2) else data[:j] + data[i:]
            case 5:
                old, new = rng.choice(NAMES, 2)
                data = data.replace(bytes(old), bytes(new), int(rng.integers(1, 4)) * 2)
        data = data or b"<"
    return data


@pytest.mark.parametrize("seed", range(4))
def test_mutants_end_in_a_score_or_a_clear_refusal(seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(seed)
    refused = []
    count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(300):
            data = mutant(RICH, rng)
            if number % 3 == 0:
                data = zipped(data)
            if number % 6 == 0:
                data = mutant(data, rng)
            try:
                score, _ = read_musicxml_bytes(data, "a.mxl")
            except BadFileError as problem:
                refused.append(str(problem))
            else:
                assert isinstance(score, Score)
                count += 1
    assert all(text.startswith("a.mxl: ") and "\n" not in text for text in refused)
    assert min(count, len(refused)) > 30
    assert capfd.readouterr() == ("", "")


def test_marks_count_as_often_as_they_are_played() -> None:
    again = repeat("backward", times=' times="1000"')
    for marks in ("<sound tempo='77'/>" * 100, harmony("C", "major") * 100):
        text = document([attributes("1/4") + marks + note("C5") + again]).encode()
        assert len(read_musicxml_bytes(text, "a.xml", Limits(max_events=100_000))[0]) >= 1000
        with pytest.raises(OverLimitError, match=r"^a\.xml: 100,000 events, .*--limit max_events=100000"):
            read_musicxml_bytes(text, "a.xml", Limits(max_events=99_999))
    with pytest.raises(OverLimitError, match=r"at least 501 quarters, over the budget of 500; .*max_quarters=1002"):
        read_musicxml_bytes(text, "a.xml", Limits(max_quarters=500))


def test_want_of_memory_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reading, "play_order", greedy)
    with pytest.raises(MemoryError):
        read_musicxml_bytes(PLAIN.encode(), "a")


LONG = 20_000
HOSTILE = {
    "many notes": document([attributes() + note("C5") * 60_000]),
    "many measures": document([attributes("1/4") + note("C5")] + [note("C5")] * LONG),
    "many elements": "<score-partwise>" + "<a/>" * 4_000_000,
    "much layout": "<score-partwise>" + "<print/>" * 2_000_000 + "</score-partwise>",
    "text": PLAIN.replace("<note>", "<words>" + "N.C. " * 2_000_000 + "</words><note>"),
    "repeats": document([attributes("1/4") + note("C5") + repeat("backward", times=' times="999999"')] * 500),
    "endings": document([attributes("1/4") + note("C5"), *[volta("1,2,999", note("C5")) + repeat("backward")] * LONG]),
    "chord symbols": document([attributes() + harmony("C", "major") * LONG + note("C5", 4)]),
    "degrees": document([attributes() + harmony("C", "major", "<degree/>" * LONG) + note("C5", 4)]),
    "a wide chord": document([attributes() + note("C5") + note("E5", 1, "<chord/>") * LONG]),
    "ties": document([attributes() + note("C5", 1, tie("start", "stop")) * LONG]),
    "odd divisions": document(["".join(attributes("", divisions=n) + note("C5") for n in range(1, 5000))]),
    "metres": document([attributes(f"{n % 9 + 1}/8") + note("C5") for n in range(LONG)]),
    "tempos": document([attributes() + "<sound tempo='77'/>" * LONG + note("C5", 4)] * 2),
    "repeated tempos": document([
        attributes("1/4") + "<sound tempo='77'/>" * 1190 + note("C5") + repeat("backward", times=' times="1000"')
    ]),
    "repeated chord symbols": document([
        attributes("1/4") + (harmony("C", "major-13th") + "<forward><duration>1</duration></forward>") * 1100
        + repeat("backward", times=' times="300"')
    ]),
    "parts": document(*[[attributes() + note("C5", 4)]] * 3000),
    "backups": document([attributes() + (note("C5") + "<backup><duration>9</duration></backup>") * LONG]),
}  # fmt: skip
TRY = """
import sys, time
from seqaudio.errors import BadFileError
from seqaudio.files import read_pieces
for path in sys.argv[1:]:
    started = time.process_time()
    try:
        score = read_pieces(path)[0][0].score
    except BadFileError as problem:
        assert str(problem).startswith(path)
    print("survived", path, flush=True)
    highest = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(time.process_time() - started, int(highest) // 1024, file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_hostile_scores_are_bounded(tmp_path: Path) -> None:
    """In a process each: at most 300 MB more than a small score needs, 20 seconds on a busy machine."""
    plain = tmp_path / "plain.xml"
    plain.write_text(PLAIN)
    grown = []
    for number, text in enumerate(HOSTILE.values()):
        path = tmp_path / f"{number}.mxl"
        path.write_bytes(text.encode())
        command = [sys.executable, "-c", TRY, str(plain), str(path)]
        done = subprocess.run(command, check=False, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        assert done.stdout.decode().splitlines() == [f"survived {plain}", f"survived {path}"]
        (_, before), (seconds, after) = (line.split() for line in done.stderr.decode().splitlines())
        grown.append((list(HOSTILE)[number], float(seconds), int(after) - int(before)))
    assert max(seconds for _, seconds, _ in grown) < 20, grown
    assert max(megabytes for _, _, megabytes in grown) < 300, grown
