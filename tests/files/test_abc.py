"""Laws of reading ABC: known tunes note by note, bar lines, what cleaning takes out, and hostile text.

Expected notes are (onset, length, pitch) in eighths, written by hand. music21 has a reader of its own to compare with.
"""

import importlib.util
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from seqaudio.errors import BadFileError, OverLimitError
from seqaudio.files import Limits, read_abc, read_pieces
from seqaudio.files.abc import Tune, clean_tune, read_tune, split_book
from seqaudio.music import Score

HEADER = "X:1\nT:Tune\nM:{metre}\nL:1/8\nK:{key}\n"


def tune(body: str, key: str = "C", metre: str = "4/4") -> Tune:
    return read_tune(HEADER.format(metre=metre, key=key) + body + "\n", "a.abc")


def notes(score: Score) -> list[tuple[float, float, int]]:
    eighth = score.ticks_per_quarter / 2
    return [
        (onset / eighth, duration / eighth, pitch)
        for onset, duration, pitch in zip(
            score.onset.tolist(), score.duration.tolist(), score.pitch.tolist(), strict=True
        )
    ]


def pitches(body: str, key: str = "C") -> list[int]:
    return tune(body, key).score.pitch.tolist()


def starts(body: str, metre: str = "4/4") -> dict[float, int]:
    """Pitch at each onset, in eighths."""
    return {onset: pitch for onset, _, pitch in notes(tune(body, metre=metre).score)}


def test_a_scale() -> None:
    assert notes(tune("CDEF GABc|").score) == [(i, 1, p) for i, p in enumerate((60, 62, 64, 65, 67, 69, 71, 72))]
    assert tune("CDEF GABc|").dropped == {}
    assert tune("C,, C, C c c' c''|").score.pitch.tolist() == [36, 48, 60, 72, 84, 96]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("C", [60, 65, 71]), ("D", [61, 66, 71]), ("Bb", [60, 65, 70]), ("Em", [60, 66, 71]), ("A mix", [61, 66, 71]),
        ("Ddor", [60, 65, 71]), ("Eb", [60, 65, 70]), ("F#m", [61, 66, 71]), ("Glyd", [61, 66, 71]),
    ],
)  # fmt: skip
def test_key_signatures(key: str, expected: list[int]) -> None:
    assert pitches("C2 F2 B4|", key) == expected


def test_accidentals_hold_to_the_bar_line() -> None:
    assert pitches("F ^F F _F =F F z2|F8|") == [65, 66, 66, 64, 65, 65, 65]
    assert pitches("=F F z6|F8|", "D") == [65, 65, 66]


def test_lengths() -> None:
    lengths = [length for _, length, _ in notes(tune("C2 D3/2 E/ F/2 G// A/4 z/ B3-|B4 c4|").score)]
    assert lengths == [2, 1.5, 0.5, 0.5, 0.25, 0.25, 7, 4]


def test_broken_rhythm_and_triplets() -> None:
    body = "C>D E<F (3GAB c2|C2>>D2 z4|"
    onsets = [onset for onset, _, _ in notes(tune(body).score)]
    assert onsets == pytest.approx([0, 1.5, 2, 2.5, 4, 4 + 2 / 3, 4 + 4 / 3, 6, 8, 11.5])


def test_repeats_are_written_out() -> None:
    assert pitches("|:C8|D8:|E8|]") == [60, 62, 60, 62, 64]
    assert pitches("C8|D8:|:E8:|") == [60, 62, 60, 62, 64, 64]
    assert pitches("C8|D8::E8:|") == [60, 62, 60, 62, 64, 64]


@pytest.mark.parametrize("endings", ["|[1D8:|[2E8|]", "|1D8:|2E8|]", " | [1 D8 :| [2 E8 |]"])
def test_first_and_second_endings(endings: str) -> None:
    body = f"|:C8{endings}F8|]"
    assert pitches(body) == [60, 62, 60, 64, 65]
    assert tune(body).score.bars().tolist() == [i * 1920 for i in range(6)]


@pytest.mark.parametrize(
    ("body", "metre", "bar", "downbeats"),
    [
        ("CDEF GABc|D8|E8|F8|", "4/4", 8, [60, 62, 64, 65]),
        ("G2|C8|D8|E8|F8|", "4/4", 8, [60, 62, 64, 65]),
        ("G|C3 D3|D6|E6|F3 G2|", "6/8", 6, [60, 62, 64, 65]),
        ("EF|G2A2B2|c6|d6|e6|", "3/4", 6, [67, 72, 74, 76]),
        ("G2|C8|D6:|G2|E8|F8|G8|", "4/4", 8, [60, 62, 60, 62, 64, 65, 67]),
    ],
)
def test_bar_lines_stand_where_they_were_written(body: str, metre: str, bar: int, downbeats: list[int]) -> None:
    """What stands behind a bar line sounds at the beginning of a bar, whatever pickup the tune begins with."""
    score = tune(body, metre=metre).score
    at = {onset: pitch for onset, _, pitch in notes(score)}
    first = 0 if at.get(0.0) == downbeats[0] else bar
    found = [at[onset] for onset in sorted(at) if onset >= first and onset % bar == 0]
    assert [pitch for pitch in found if pitch in downbeats] == downbeats
    assert all(line % (bar * 240) == 0 for line in score.bars().tolist())


def test_a_pickup_ends_the_first_bar() -> None:
    assert starts("G2|C8|D8|E8|")[6] == 67


@pytest.mark.parametrize("bars", [1, 2, 3, 4])
@pytest.mark.parametrize("pickup", ["G", "[GB]", "zG"])
@pytest.mark.parametrize(("metre", "eighths"), [("4/4", 8), ("6/8", 6), ("5/4", 10), ("7/8", 7), ("3/4", 6)])
def test_a_pickup_needs_no_more_than_one_bar_behind_it(metre: str, eighths: int, pickup: str, bars: int) -> None:
    found = starts(f"{pickup}|" + f"{'C' * eighths}|" * bars, metre)
    assert sorted(found)[0] == eighths - 1
    assert len(found) == 1 + bars * eighths
    assert found[eighths] == 60


@pytest.mark.parametrize(
    "body", ["CDEFGABc|", "CDEF|", "CDEFGABc|CDEF|", "|:CDEF:|GABc|", "C4|D4|", "CDE|FGA|", "z4 CDEF|GABcCDEF|"]
)
def test_a_short_tune_without_a_pickup_begins_on_the_beat(body: str) -> None:
    assert starts(body)[4 * body.startswith("z")] == 60


@pytest.mark.parametrize(
    ("rests", "first"),
    [("z8|", 8), ("Z2|", 16), ("x8|z4 z4|", 16), ("z6 G2|", 6), ("z8|z6 G2|", 14), ("zG|", 7)],
)
@pytest.mark.parametrize("behind", ["C8|", "C8|D8|E8|"])
def test_rests_at_the_beginning_are_kept(rests: str, first: int, behind: str) -> None:
    found = starts(rests + behind)
    assert min(found) == first
    assert {onset % 8 for onset, pitch in found.items() if pitch != 67} == {0}


@pytest.mark.parametrize("bars", [0, 1, 2])
def test_a_pickup_of_rests_alone_is_none(bars: int) -> None:
    """As editors put one in to make a repeat add up."""
    empty = "z8|" * bars
    assert starts(f"z2|{empty}C8|D8|E8|") == starts(f"{empty}C8|D8|E8|")
    late = tune(f"z2|{empty}C8|D8|\nQ:1/4=200\nE8|").score
    assert late == tune(f"{empty}C8|D8|\nQ:1/4=200\nE8|").score


def test_a_chord_is_one_accent() -> None:
    """Two halves of a bar with a bar line between them move nothing, whatever stands behind that line."""
    onsets = [onset for onset, _, _ in notes(tune("C8|D4|[CEG]4|E8|F8|G8|").score)]
    assert onsets == [0, 8, 12, 12, 12, 16, 24, 32]


def test_the_notes_of_a_chord_begin_together() -> None:
    assert notes(tune("[CEG]8|").score) == [(0, 8, 60), (0, 8, 64), (0, 8, 67)]


@pytest.mark.parametrize("field", ["M:3/4", "L:1/4"])
def test_fields_inside_a_line_are_kept(field: str) -> None:
    assert clean_tune(f"X:1\nK:C\n[{field}]CDE|")[0].endswith(f"[{field}]CDE|\n")


def test_metre_changes_between_lines() -> None:
    score = tune("CDEF GABc|\nM:3/4\nCDEFGA|cdefga|").score
    assert score.time_signatures.tolist() == [[0, 4, 4], [1920, 3, 4]]
    assert score.bars().tolist() == [0, 1920, 3360, 4800]


@pytest.mark.parametrize("changes", ["Q:1/4=200", "M:3/4\nQ:1/4=200", "Q:1/4=200\nM:3/4", "Q:1/4=60\nQ:1/4=200"])
@pytest.mark.parametrize("pickup", ["", "G|", "zG|"])
def test_tempo_and_metre_change_at_their_bar_line(pickup: str, changes: str) -> None:
    """Also behind a pickup, which begins with the tempo that holds at first."""
    score = tune(f"{pickup}{'C8|' * 4}\n{changes}\nD6|D6|D6|D6|").score
    changed = (4 + bool(pickup)) * 1920
    assert int(score.onset[score.pitch == 62][0]) == changed
    assert [(tick, round(6e7 / each)) for tick, each in score.tempo_map().tolist()] == [(0, 120), (changed, 200)]
    assert score.metre_map()[1:].tolist() == [[changed, 3, 4]] * ("M" in changes)
    at_once = tune(f"Q:1/4=200\n{pickup}C8|C8|").score
    assert at_once.tempo_map().tolist() == [[0, 300_000]]


TWO_VOICES = [(0, 1, 67), (0, 4, 55), (1, 1, 69), (2, 1, 71), (3, 1, 72)]


@pytest.mark.parametrize(
    ("body", "voices"),
    [
        ("GABc & G,4|d4|", [*TWO_VOICES, (4, 4, 74)]),
        ("GABc & \\\nG,4|d4|", [*TWO_VOICES, (4, 4, 74)]),
        ("GABc & G,4 & E,4|d4|", [(0, 1, 67), (0, 4, 55), (0, 4, 52), *TWO_VOICES[2:], (4, 4, 74)]),
        ("(GABc) & (G,4|d4)|", [*TWO_VOICES, (4, 4, 74)]),
        ("(&GABc|d4|&G,4|B,4&)|d4|", [*TWO_VOICES, (4, 4, 74), (4, 4, 59), (8, 4, 74)]),
        ("d|GABc & G,4|d4|", [(3, 1, 74), *((at + 4, *note) for at, *note in TWO_VOICES), (8, 4, 74)]),
    ],
)
def test_a_further_voice_in_a_bar_sounds_with_the_first(body: str, voices: list[tuple[float, float, int]]) -> None:
    score = tune("L:1/4\n" + body).score
    assert sorted((at / 2, length / 2, pitch) for at, length, pitch in notes(score)) == sorted(voices)
    assert set(score.pitch[score.track == 0].tolist()) == {67, 69, 71, 72, 74}
    assert "decorations" not in tune(body.replace("\\", "")).dropped


@pytest.mark.parametrize("voices", ["C8 & E8|C8|", "[V:1]C8|C8|\n[V:2]E8|E8|\n[V:1]"])
def test_tempo_changes_at_its_bar_line_in_tunes_of_several_voices(voices: str) -> None:
    score = tune(f"{voices}\nQ:1/4=200\nD8|D8|").score
    assert score.tempo_map()[:, 0].tolist() == [0, 3840]


PLAIN = "C2D2 E2F2|G2A2 B2c2|"


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ("C2D2 E2F2|% all % of it\nG2A2 B2c2|", {"comments": 1}),
        ('"Slowly"C2D2 "^Am"E2F2|G2A2 "H7"B2c2|', {"annotations": 3}),
        ("{d}C2D2 {ef}E2F2|G2A2 B2{/c}c2|", {"grace notes": 3}),
        ("~C2!trill!D2 +fermata+E2TF2|G2HA2 .B2uc2|", {"decorations": 4, "staccato dots": 1}),
        ("(C2D2) (E2(F2|G2))A2 B2c2|", {"slurs": 6}),
        ("C2D2 E2F2|\\\nG2A2 B2c2|", {"decorations": 1}),
        ("%%MIDI program 5\nC2D2 E2F2|\nw:words to sing\nG2A2 B2c2|\nN:a remark", {}),
    ],
)
def test_cleaning_is_counted_and_harms_no_note(body: str, dropped: dict[str, int]) -> None:
    assert notes(tune(body).score) == notes(tune(PLAIN).score)
    cleaned = {what: count for what, count in clean_tune(body).dropped.items() if count}
    body_has_up_bow = "u" in body and "~" in body
    if body_has_up_bow:  # up-bow marks are left to the parser
        assert {"decorations", "staccato dots"} <= set(cleaned)
    else:
        assert cleaned == dropped


def test_tuplets_survive_the_removal_of_slurs() -> None:
    assert notes(tune("((3CDE) (F6)|").score) == notes(tune("(3CDE F6|").score)


def test_the_terminal_stays_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    found = tune("CDEF ]]]] GABc|")
    assert found.dropped["parser errors"] > 0
    with pytest.raises(BadFileError, match=r"^a\.abc: tune 1: cannot be parsed as ABC \("):
        read_tune("X:1\nK:Nokey\n", "a.abc")
    print("still here")
    assert capfd.readouterr() == ("still here\n", "")


def book(path: Path, *bodies: str, newline: str = "\n", encoding: str = "utf-8") -> Path:
    text = "\n".join(f"X:{n}\nT:Tüne {n}\nM:4/4\nL:1/8\nK:C\n{body}\n" for n, body in enumerate(bodies, 1))
    path.write_bytes(text.replace("\n", newline).encode(encoding))
    return path


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_a_book_of_tunes(tmp_path: Path, newline: str, encoding: str) -> None:
    path = book(tmp_path / "b.abc", "C8|", "D8|", "E4F4|", newline=newline, encoding=encoding)
    tunes = read_abc(path)
    assert [(t.number, t.title, t.score.pitch.tolist()) for t in tunes] == [
        ("1", "Tüne 1", [60]), ("2", "Tüne 2", [62]), ("3", "Tüne 3", [64, 65])
    ]  # fmt: skip
    pieces, problems = read_pieces(path)
    assert [piece.name for piece in pieces] == ["b.abc#1", "b.abc#2", "b.abc#3"]
    assert problems == []


def test_words_between_tunes_are_no_music() -> None:
    texts = split_book("About this book\n\nX:1\nK:C\nC8|\n\n%comment\n\nX:2\nK:C\n\nD8|\n")
    assert texts == ["X:1\nK:C\nC8|", "X:2\nK:C\n\nD8|\n"]


FILE_HEADER = "%abc-2.1\nM:6/8 % jigs\nO:Ireland\nL:1/4\nQ:3/8=100\n%%scale 0.7\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("end", ["\n", " \n\nSome words.\nM:2/4\n\n", ""])
def test_fields_of_the_file_header_hold_for_all_tunes(tmp_path: Path, end: str, newline: str) -> None:
    """But where a tune says otherwise; metre, unit length and tempo matter."""
    path = tmp_path / "b.abc"
    tunes = "X:1\nT:One\nK:D\ndff|\n\nX:2\nM:3/4 % a waltz\nL:1/8\nK:C\nCDE|\nQ:1/4=60\nC|"
    path.write_bytes((FILE_HEADER + end + tunes).replace("\n", newline).encode())
    one, two = read_abc(path)
    assert (one.number, one.title, two.number) == ("1", "One", "2")
    assert [found.score.metre_map()[0, 1:].tolist() for found in (one, two)] == [[6, 8], [3, 4]]
    assert [int(found.score.duration[0]) for found in (one, two)] == [480, 240]
    assert [round(found.score.tempo_qpm()) for found in (one, two)] == [150, 150]
    assert all(text.startswith("X:") for text in split_book(path.read_text()))


@pytest.mark.parametrize("before", ["M:6/8\nA book of tunes\n\n", "A book\n\nM:6/8\n\n", f"M:6/8{' ' * 999}1\n\n"])
def test_words_in_front_of_the_first_tune_are_no_header(before: str) -> None:
    assert split_book(f"{before}X:1\nK:C\nC|\n")[0].startswith("X:1\nK:C\n")


def test_one_bad_tune_does_not_spoil_the_book(tmp_path: Path) -> None:
    path = tmp_path / "b.abc"
    path.write_text("X:1\nK:C\nC8|\n\nX:2\nK:Nokey\nD8|\n\nX:3\nK:C\nE8|\n")
    pieces, problems = read_pieces(path)
    assert [piece.name for piece in pieces] == ["b.abc#1", "b.abc#3"]
    assert len(problems) == 1
    assert str(problems[0]).startswith(f"{path}: tune 2: cannot be parsed as ABC")
    assert str(problems[0]).count("/") == str(path).count("/")  # nothing about the parser's own files
    with pytest.raises(BadFileError, match="tune 2"):
        read_abc(path)


@pytest.mark.parametrize("data", [b"", b"\0\1\2\xff" * 99, b"T:C\nCDEF|\n", b"CK:C", b"MThd\0\0\0\6"])
def test_what_holds_no_tune_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "b.abc"
    path.write_bytes(data)
    with pytest.raises(BadFileError, match=r"b\.abc: no ABC tune inside \(no line begins with 'X:' or 'K:'\)"):
        read_abc(path)


INDENTED = "X:1\nT:Tune\nM:3/4\nL:1/4\nK:D\n|:fcA|\nw:one two three\nd3|\nc:|\n"


@pytest.mark.parametrize("space", [" ", "\t", "  \t "])
def test_spaces_in_front_of_lines_say_nothing(tmp_path: Path, space: str) -> None:
    paths = [tmp_path / "plain.abc", tmp_path / "indented.abc"]
    paths[0].write_text(INDENTED)
    paths[1].write_text(textwrap.indent(INDENTED, space))
    (plain,), (indented,) = map(read_abc, paths)
    assert plain.score.pitch.tolist() == [78, 73, 69, 74, 73] * 2
    assert indented == plain
    with pytest.raises(OverLimitError, match="max_tunes"):
        read_abc(paths[1], Limits(max_tunes=0))


@pytest.mark.parametrize("before", ["", "A tune of mine\n", "%abc\n\n"])
def test_a_tune_without_a_number_is_the_first(tmp_path: Path, before: str) -> None:
    path = tmp_path / "a.abc"
    path.write_text(before + INDENTED.removeprefix("X:1\n"))
    (found,) = read_abc(path)
    assert found == read_tune(INDENTED, "a.abc")
    assert found.number == "1"


def test_an_empty_key_is_no_key_signature() -> None:
    assert pitches("F4 C4|", "") == pitches("F4 C4|", " % none") == [65, 60]
    assert pitches("F4 C4|\nK:\nF4 C4|", "D") == [66, 61, 65, 60]


@pytest.mark.parametrize("text", ["X:1\n", "X:1\nM:4/4\nCDEF|\n", "X:1\n[K:D]CDEF|\n"])
def test_a_tune_without_a_key_is_told_so(text: str) -> None:
    with pytest.raises(BadFileError, match=r"^a\.abc: tune 1: no K: line, .*; write one with the key, such as K:C$"):
        read_tune(text, "a.abc")


def test_a_tune_without_notes_is_an_empty_score() -> None:
    assert len(tune("").score) == len(tune("z8|z8|").score) == 0


def test_budgets_are_named(tmp_path: Path) -> None:
    path = book(tmp_path / "b.abc", "CDEF GABc|")
    assert len(read_abc(path, Limits(max_notes=8, max_quarters=4))) == 1
    for limits, budget in ((Limits(max_notes=7), "notes"), (Limits(max_quarters=3), "quarters"), (Limits(9), "bytes")):
        with pytest.raises(OverLimitError, match=f"over the budget of .*Limits\\(max_{budget}="):
            read_abc(path, limits)


@pytest.mark.parametrize("body", ["C999999999 D|", "C/99999 D|", "Z99999999|C|", "(9:99999:9CDE|", "[M:99999/4]C|"])
def test_lengths_that_overflow_the_parser_are_refused(body: str) -> None:
    with pytest.raises(BadFileError, match="a length or count of 99999"):
        tune(body)


MEGABYTE = 10**6
HOSTILE = {
    "brackets": "[" * MEGABYTE,
    "closing brackets": "]" * MEGABYTE,
    "braces": "{" * MEGABYTE,
    "quotes": '"' * (MEGABYTE - 1),
    "decorations": "H" * MEGABYTE,
    "bars": "|" * MEGABYTE,
    "blank lines": "\n" * MEGABYTE + "C",
    "blank lines of spaces": "\n  \t" * (MEGABYTE // 4) + "C",
    "one long line": "CDEF" * (MEGABYTE // 4),
    "nested repeats": "|:\n" * 2000 + "CDEF|\n" + ":|\n" * 2000,
    "nested repeats in a line": "|:" * 50 + "CDEF|" + ":|" * 50,
    "many repeats": "|:CD:|" * 20000,
    "huge durations": "C999999999 D99999999999999999999|",
    "huge rests": "z999999 Z99999999|C|",
    "slashes": "C" + "/" * 5000 + " D|",
    "octaves": "c" + "'" * 100_000 + " D" + "," * 300 + "|",
    "accidentals": "^" * 100_000 + "c|",
    "tuplets": "(5" * 10_000 + "C|",
    "endless chord": "[" + "C" * 100_000 + "]",
    "fields of nothing": "M:\nL:\nQ:\nV:\nP:\nCDEF|",
    "nothing over nothing": "M:0/0\nL:0/0\nQ:1/0=0\nCDEF|",
    "parts": "P:((((((((A9)9)9)9)9)9)9)9)9\nCDEF|",
    "parts without end": "P:A999999999\nCDEF|",
    "percent": "C%sD%n%s%n" * 1000,
    "NUL bytes": "CD\0EF|\0" * 1000,
    "overlays": "C&D|" * 20000,
    "overlays of nothing": "&" * MEGABYTE,
    "nested overlays": "(&" * 10000 + "C" + "&)" * 10000,
    "voices": "".join(f"V:{i}\nCDEF|\n" for i in range(2000)),
}
TRY = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from seqaudio.errors import BadFileError
from seqaudio.files import read_abc
from seqaudio.music import Score
for path in sys.argv[1:]:
    try:
        assert all(isinstance(tune.score, Score) for tune in read_abc(path))
    except BadFileError as problem:
        assert str(problem).startswith(path)
    print("survived", path, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_hostile_tunes_end_in_a_score_or_a_clear_refusal(tmp_path: Path) -> None:
    """In a process of its own, 10 seconds a tune: no crash, no hang, nothing printed, no exception of another kind."""
    tried = 0
    for number, body in enumerate(HOSTILE.values()):
        path = tmp_path / f"{number}.abc"
        path.write_text(HEADER.format(metre="4/4", key="C") + body + "\n", newline="")
    paths = sorted(map(str, tmp_path.iterdir()))
    for some in (paths[start : start + 9] for start in range(0, len(paths), 9)):
        command = [sys.executable, "-c", TRY, *some]
        done = subprocess.run(command, check=False, capture_output=True, timeout=10 * len(some))
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        assert done.stdout.decode().splitlines() == [f"survived {path}" for path in some]
        tried += len(some)
    assert tried == len(HOSTILE)


def test_a_dozen_tunes_against_music21() -> None:
    """music21's reader hears the same pitches and lengths, where a tune has neither repeats nor ornaments."""
    spec = importlib.util.find_spec("music21")
    if spec is None:
        pytest.skip("music21 is not installed; pip install 'seqaudio[corpora]'")
    music21 = pytest.importorskip("music21")
    folder = Path(spec.origin).parent / "corpus" / "oneills1850"
    compared = 0
    books = [(folder / name).read_text() for name in ("0051-0100.abc", "0101-0200.abc")]
    for text in [text for book in books for text in split_book(book)]:
        lines = [line for line in text.splitlines() if line[1:2] != ":" and not line.startswith("%")]
        music = "\n".join(lines)
        if compared == 12:
            break
        if any(sign in music for sign in ':{~HLMOPSTuv"[.!') or "K:" not in text:
            continue
        theirs = music21.converter.parse(text, format="abc").stripTies().flatten().notes
        mine = read_tune(text, "a.abc").score
        assert mine.pitch.tolist() == [note.pitch.midi for note in theirs], text
        quarters = [float(note.quarterLength) for note in theirs]
        assert (mine.duration / 480).tolist() == pytest.approx(quarters, abs=2 / 480), text  # of a third: whole ticks
        compared += 1
    assert compared == 12
