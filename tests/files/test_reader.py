"""Is a file read as what it is, whatever its name says, and are budgets on books of tunes kept?"""

import gzip
import importlib.util
import json
from pathlib import Path

import pytest

from seqaudio.cli.primers import read_primer
from seqaudio.errors import BadFileError, MissingDependencyError, OptionError, OverLimitError
from seqaudio.files import Limits, midi_bytes, read_pieces, reader
from seqaudio.files.reader import kind_of, read_piece
from tests.files.musicxml_samples import attributes, document, harmony, note, zipped
from tests.samples import tune

MIDI = midi_bytes(tune())
XML = document([attributes() + harmony("C", "major") + note("C5", 4)]).encode()
needs_music21 = pytest.mark.skipif(importlib.util.find_spec("music21") is None, reason="MusicXML needs music21")


@pytest.mark.parametrize(
    ("data", "suffix", "kind"),
    [
        (MIDI, ".mid", "midi"),
        (MIDI, ".xml", "midi"),
        (MIDI, ".abc", "midi"),
        (b"RIFF\0\0\0\0RMIDdata", ".mxl", "midi"),
        (XML, ".mid", "musicxml"),
        (zipped(XML), ".kar", "musicxml"),
        (b"\xef\xbb\xbf\n<score-partwise/>", "", "musicxml"),
        (b"X:1\nK:C\nC|", ".ABC", "abc"),
        (b"<C> D|", ".abc", "abc"),
        (b"", ".mid", "midi"),
        (b"<!doctype html>", ".xml", "midi"),
    ],
)
def test_bytes_decide_and_else_the_suffix(data: bytes, suffix: str, kind: str) -> None:
    assert kind_of(data, suffix) == kind


@pytest.mark.parametrize(
    ("data", "reason"), [(gzip.compress(MIDI), "gzip"), (b"fLaC", "audio"), (b"<html>", "web page"), (b"", "empty")]
)
@pytest.mark.parametrize("suffix", [".mid", ".mxl", ".musicxml"])
def test_what_is_no_music_is_named(tmp_path: Path, data: bytes, reason: str, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    with pytest.raises(BadFileError, match=reason):
        read_pieces(path)


def test_midi_under_another_name_is_read(tmp_path: Path) -> None:
    for suffix in (".mid", ".xml", ".abc", ".mxl"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(MIDI)
        pieces, problems = read_pieces(path)
        assert (pieces[0].score, pieces[0].name, pieces[0].split, problems) == (tune(), path.name, "", [])


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_book_may_hold_so_many_tunes(tmp_path: Path, newline: str) -> None:
    path = tmp_path / "a.abc"
    path.write_text("".join(f"X:{i}\nK:C\nC8|\n\n" for i in range(5)), newline=newline)
    assert len(read_pieces(path, Limits(max_tunes=5))[0]) == 5
    with pytest.raises(OverLimitError, match=r"5 tunes, over the budget of 4; .*max_tunes=5"):
        read_pieces(path, Limits(max_tunes=4))


@needs_music21
def test_a_lead_sheet_is_a_primer(tmp_path: Path) -> None:
    path = tmp_path / "a.mxl"
    path.write_bytes(zipped(XML.replace(b"<note>", b"<note><grace/></note><note>", 1)))
    piece, remarks = read_primer(path)
    assert piece.score.pitch.tolist() == [72, 48, 52, 55]
    assert remarks == ["left out of the tune: 1 grace notes"]


BOOK = "".join(
    f"X:{number}\nT:{title}\nK:C\n{note}8|\n\n"
    for number, title, note in (
        (1, "The Jig of Slurs", "C"),
        (2, "Kesh Jig", "D"),
        (7, "Jig", "E"),
        (7, "Morrison's", "F"),
    )
)


@pytest.mark.parametrize(
    ("wanted", "position"), [(None, 0), ("2", 1), ("jig", 2), ("Morrison", 3), ("#3", 2), ("slurs", 0)]
)
def test_one_tune_of_a_book(tmp_path: Path, wanted: str | None, position: int) -> None:
    path = tmp_path / "b#7.abc"
    path.write_text(BOOK)
    piece, count = read_piece(path, wanted)
    assert (piece, count) == (read_pieces(path)[0][position], 4)
    assert piece.name == f"b#7.abc#{piece.place}"
    with pytest.raises(OptionError, match=r"'9' is none of its 4 pieces \(1 'The Jig of Slurs', "):
        read_piece(path, "9")


def test_every_title_of_a_tune_finds_it_and_the_first_names_it(tmp_path: Path) -> None:
    path = tmp_path / "b.abc"
    path.write_text("X:1\nT:The Maid\nT:The Castle\nK:C\nC8|\nT:part two\nD8|\n\nX:2\nT:Reel\nK:C\nE8|\n")
    piece, _ = read_piece(path, "castle")
    assert (piece.place, piece.title, piece.score.track_names) == ("1", "The Maid", ("The Maid",))


def test_budgets_hold_for_one_tune_as_for_all(tmp_path: Path) -> None:
    path = tmp_path / "b.abc"
    path.write_text(BOOK)
    for limits in (Limits(max_tunes=3), Limits(max_quarters=1), Limits(max_bytes=9)):
        with pytest.raises(OverLimitError):
            read_piece(path, "2", limits)


def test_what_the_parser_stumbles_over_is_not_told_as_left_out(tmp_path: Path) -> None:
    path = tmp_path / "b.abc"
    path.write_text("X:1\nM:0/4\nL:1/4\nK:C\n{g}CDEF|C4|\n")
    assert read_primer(path)[1] == [
        "left out of the tune: 1 grace notes",
        "not all of its notation is clear to the parser: 1 error, 2 warnings",
    ]


def test_a_tune_that_cannot_be_read_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "b.abc"
    path.write_text(BOOK + "\nX:8\nK:C\n" + "C123456|\n")
    assert len(read_pieces(path)[1]) == 1
    assert read_piece(path, "2")[0].score.pitch.tolist() == [62]
    with pytest.raises(BadFileError, match="tune 8"):
        read_piece(path, "8")


def test_what_needs_a_missing_package_is_told_as_a_primer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise MissingDependencyError("music21 is not installed")

    monkeypatch.setattr(reader, "read_musicxml_bytes", missing)
    (tmp_path / "a.musicxml").write_bytes(XML)
    with pytest.raises(BadFileError, match=r"a\.musicxml: music21 is not installed"):
        read_piece(tmp_path / "a.musicxml")


def test_one_roll_of_a_set_is_found_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a#set-quarter.json"
    path.write_text(json.dumps({"train": [[[60]], [[70]]], "test": [[[80]]]}))
    assert read_piece(path, "train-2")[0].score.pitch.tolist() == [70]
    assert read_piece(path)[0].score.pitch.tolist() == [60]
    assert read_primer(path)[1] == ["roll train-1, the first of 3; --tune names another"]
    assert read_primer(path, "test-1")[1] == ["roll test-1, one of 3"]
    with pytest.raises(OptionError, match=r"'test' is none of its 3 pieces \(train-1, train-2, test-1\)"):
        read_piece(path, "test")


def test_a_file_of_one_piece_has_no_others(tmp_path: Path) -> None:
    path = tmp_path / "a#3.abc"  # by its name a book
    path.write_bytes(MIDI)
    assert read_piece(path)[0].score == tune()
    with pytest.raises(OptionError, match=r"a#3\.abc: is one piece, with no '3' in it; leave out which"):
        read_piece(path, "3")


def test_a_set_of_rolls_is_several_pieces_with_their_splits(tmp_path: Path) -> None:
    steps = [[60, 64], [60, 64], [62]]
    path = tmp_path / "set-quarter.json"
    path.write_text(json.dumps({"train": [steps, [[70]]], "valid": [], "test": [steps]}))
    pieces, problems = read_pieces(path)
    assert problems == []
    assert [(piece.place, piece.split) for piece in pieces] == [
        ("train-1", "train"),
        ("train-2", "train"),
        ("test-1", "test"),
    ]
    quarter = pieces[0].score.ticks_per_quarter
    assert pieces[0].score.pitch.tolist() == [60, 64, 62]
    assert pieces[0].score.onset.tolist() == [0, 0, 2 * quarter]
    assert pieces[0].score.duration.tolist() == [2 * quarter, 2 * quarter, quarter]


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.pickle"
    path.write_bytes(b"\x80\x04N.")
    with pytest.raises(BadFileError, match="a pickle runs whatever program is in it"):
        read_pieces(path)


@needs_music21
def test_every_reader_keeps_the_budgets_of_a_piece(tmp_path: Path) -> None:
    """Two quarters at 120 a minute last a second."""
    files = {
        "a.mid": midi_bytes(tune(1)),
        "a.abc": b"X:1\nL:1/4\nQ:1/4=120\nK:C\nCDEF|\n",
        "a.musicxml": document([attributes() + note("C5") * 4]).encode(),
        "set-quarter.json": json.dumps({"train": [[[60]], [[60], [62], [64], [65]]]}).encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        pieces, problems = read_pieces(tmp_path / name, Limits(max_seconds=2, max_quarters=4))
        assert (len(pieces[-1].score) > 3, problems) == (True, [])
        for budget, less in (("max_seconds", 1), ("max_quarters", 3), ("max_notes", 3)):
            with pytest.raises(OverLimitError, match=f"{name}.*{budget}="):
                raise_all(read_pieces(tmp_path / name, Limits(**{budget: less}))[1])


def raise_all(problems: list[BadFileError]) -> None:
    for problem in problems:
        raise problem
