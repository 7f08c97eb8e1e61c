"""The chord symbols of ABC sound where they are written, in every repetition, and change nothing of the tune."""

import os
import re
from pathlib import Path

import pytest

from seqaudio.errors import BadFileError
from seqaudio.files import abc, read_abc, read_midi
from seqaudio.files.abc import read_tune
from seqaudio.music import Score
from seqaudio.music.chords import CHORD_TRACK, chord_of_name
from seqaudio.music.melody import find_melody

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))
BOOKS, PLAYED = (SHARED / "data" / kind / "nottingham" for kind in ("abc", "midi"))
HEADER = "X:1\nT:Tune\nM:{metre}\nL:1/8\nK:C\n"


def tune(body: str, metre: str = "4/4") -> tuple[Score, dict[str, int]]:
    found = read_tune(HEADER.format(metre=metre) + body + "\n", "a.abc")
    return found.score, found.dropped


def chords(body: str, metre: str = "4/4") -> list[tuple[float, float, tuple[int, ...]]]:
    """Onset and length in eighths, and the pitches."""
    score = tune(body, metre)[0]
    if CHORD_TRACK not in score.track_names:
        return []
    beside = score.notes(score.track == score.track_names.index(CHORD_TRACK))
    sounding: dict[tuple[float, float], list[int]] = {}
    for onset, duration, pitch in zip(beside.onset, beside.duration, beside.pitch, strict=True):
        sounding.setdefault((onset / 240, duration / 240), []).append(int(pitch))
    return [(*time, tuple(sorted(pitches))) for time, pitches in sorted(sounding.items())]


def named(body: str, metre: str = "4/4") -> list[tuple[float, float, str]]:
    """The same, by the names of these."""
    names = {chord_of_name(name).pitches: name for name in ("C", "F", "G", "G7", "Am", "C/E", "Ab")}  # type: ignore[union-attr]
    return [(onset, lasting, names[pitches]) for onset, lasting, pitches in chords(body, metre)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('"C"C4 "Am"E4|"G7"G8|', [(0, 4, "C"), (4, 4, "Am"), (8, 8, "G7")]),
        ('C4 "F"E4|G8|', [(4, 12, "F")]),
        ('"C"C4 z4|"F"z4 G4|', [(0, 8, "C"), (8, 8, "F")]),  # above a rest
        ('"C"[CEG]4 "G"[GBd]4|', [(0, 4, "C"), (4, 4, "G")]),
        ('"C"C>D "F"E<F "G"(3GAB "Am"c2|', [(0, 2, "C"), (2, 2, "F"), (4, 2, "G"), (6, 2, "Am")]),
        ('"C"C4-"F"C4|', [(0, 4, "C"), (4, 4, "F")]),  # into a note that is tied
        ('"C"^C4 "F"_E4|"G"=F8|', [(0, 4, "C"), (4, 4, "F"), (8, 8, "G")]),
        ('"C" {d}C4 "^slowly" "F" !trill!~E4|', [(0, 4, "C"), (4, 4, "F")]),
        ('"C/E"(G4 "G"|G4)|', [(0, 4, "C/E"), (4, 4, "G")]),  # a bar line behind the symbol
        ('"C"C4 "N.C."E4|"G"G8|', [(0, 4, "C"), (8, 8, "G")]),
        ('"C"C4 "Am" "F"E4|', [(0, 4, "C"), (4, 4, "F")]),  # the later of two
        ('"C"C8|[M:3/4]"F"C6|"G"G6|', [(0, 8, "C"), (8, 6, "F"), (14, 6, "G")]),
        ('"C"C8|"F" [L:1/4] E4|', [(0, 8, "C"), (8, 8, "F")]),
        ('"G"C8|\nV:2\n"Am"C,8|', [(0, 8, "G")]),  # at one time that of the first voice
        ('C4 E4 "G7"|\nV:2\nC,4 "F"C,4|', [(4, 4, "F")]),  # a symbol that no note follows is not the next voice's
        ('"C"CDEF EFGA|"F"E8-|"G"E4-"Am"E4|', [(0, 8, "C"), (8, 8, "F"), (16, 4, "G"), (20, 4, "Am")]),  # over ties
        ('"G"G4z4|"C"z8|', [(0, 8, "G"), (8, 8, "C")]),  # over rests at the end
        ('"C"C4 "G"G4 & C,8|"F"F8|', [(0, 4, "C"), (4, 4, "G"), (8, 8, "F")]),  # beside a further voice
        ('C8 & "C"C,4 "G"G,4|"F"F8|', [(0, 4, "C"), (4, 4, "G"), (8, 8, "F")]),
        ('C8 "G" & E,8|"F"F8|', [(8, 8, "F")]),
        ('"G"z8|"C"C8|', [(0, 8, "G"), (8, 8, "C")]),  # and at the beginning
    ],
)
def test_they_sound_until_the_next(body: str, expected: list[tuple[float, float, str]]) -> None:
    assert named(body) == expected


def test_repeats_and_pickups_move_them() -> None:
    assert named('|:"C"C8|1"F"D8:|2"G"E8|]') == [(0, 8, "C"), (8, 8, "F"), (16, 8, "C"), (24, 8, "G")]
    assert named('"G"G2|"C"C2D2E2F2|"F"F8|"C"E8|"G"D8|"C"C8|')[:3] == [(6, 2, "G"), (8, 8, "C"), (16, 8, "F")]


@pytest.mark.parametrize(
    "body", ['"C"C2D2 "G7"E2F2|"Am"G2A2 "F"B2c2|', '"Ab"^C>D (3[EG]FE z2|:"F#m7b5"A2-A2:|"Bb/d"c4|']
)
def test_the_tune_is_the_tune_without_them(body: str) -> None:
    """Its notes, metres, and the counts; and it is found beside the chords."""
    plain = "".join(body.split('"')[::2])
    score, dropped = tune(body)
    alone, counts = tune(plain)
    assert score.track_names == (*alone.track_names, CHORD_TRACK)
    assert score.notes(score.track < len(alone.track_names)).replaced(track_names=alone.track_names) == alone
    assert dropped == counts
    assert find_melody(score).score.pitch.tolist() == find_melody(alone).score.pitch.tolist()


@pytest.mark.parametrize("text", ["Slowly", "^Am", "H7", "Gx", "(E7)", "Am Em", "", " ", "a7", ">"])
def test_what_is_no_chord_is_an_annotation(text: str) -> None:
    score, dropped = tune(f'"{text}"C4 D4|')
    assert CHORD_TRACK not in score.track_names
    assert dropped == {"annotations": 1}


def test_more_chords_than_can_be_told_apart_are_counted() -> None:
    roots = [root + sign for root in "CDEFGAB" for sign in ("", "b")]
    body = "".join(f'"{root}{kind}"C4' for kind in ("", "m", "7") for root in roots)
    score, dropped = tune(body + "|")
    beside = score.notes(score.track == len(score.track_names) - 1)
    assert len(set(beside.onset.tolist())) == 36
    assert dropped["chord symbols"] == len(roots) * 3 - 36


@pytest.mark.parametrize("field", ["K:C clef=treble-8", "K:C treble+8", "K:C clef=bass octave=-1", "V:1 octave=1"])
def test_fields_that_move_notes_move_no_symbol(field: str) -> None:
    body = '"C"C4 "Am"E4|"G7"G8|'
    assert named(f"{field}\n{body}") == named(body)
    assert named(f"[{field}]{body}") == named(body)


def test_a_transposed_tune_has_transposed_chords() -> None:
    """As its notes sound, also where the mark of one symbol would be moved to that of another."""
    body = '"G"C4 "Ab"E4|"F"G8|'
    found = [
        (onset, {(pitch - 1) % 12 for pitch in pitches}) for onset, _, pitches in chords("K:C transpose=1\n" + body)
    ]
    assert found == [(onset, {pitch % 12 for pitch in pitches}) for onset, _, pitches in chords(body)]


@pytest.mark.parametrize("body", ["GA\uf8ffBc|", "\ue200CDEF|", '\ue000CDEF|"G"GABc|'])
def test_characters_of_no_meaning_are_none(body: str) -> None:
    plain = re.sub("[\ue000-\uf8ff]", "", body)
    assert (tune(body)[0], chords(body)) == (tune(plain)[0], chords(plain))


def test_what_has_no_time_is_counted() -> None:
    score, dropped = tune('"C"C8|"F"Z4|"G"G8|')
    assert dropped == {"chord symbols": 1}
    assert named('"C"C8|"F"Z4|"G"G8|') == [(0, 40, "C"), (40, 8, "G")]
    assert CHORD_TRACK in score.track_names
    silent, dropped = tune('"C"z4|"G"z4|')
    assert (len(silent), dropped["chord symbols"]) == (0, 2)


def test_a_tune_is_not_refused_for_its_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the parser cannot read the text with the marks, the tune is there, and its symbols are counted."""
    body, parsed = '"C"C4 "Am"E4|"G7"G8|', abc._parsed

    def without_marks(text: str, place: str) -> tuple[Score, bytearray]:
        if "," in text:
            raise BadFileError(f"{place}: no such pitch")
        return parsed(text, place)

    monkeypatch.setattr(abc, "_parsed", without_marks)
    score, dropped = tune(body)
    assert dropped == {"chord symbols": 3}
    assert (score, {}) == tune("C4 E4|G8|")


@pytest.mark.skipif(not BOOKS.is_dir(), reason="the tunes of shared/data are not here")
def test_of_nottingham_they_are_those_of_its_midi_files() -> None:
    """Where the MIDI file of a tune has the same notes, its chords are these: all but a few that it has otherwise."""
    agree = compared = 0
    for book in ("jigs", "xmas"):
        for number, found in enumerate(read_abc(BOOKS / f"{book}.abc"), 1):
            path = PLAYED / f"{book}{number}.mid"
            if CHORD_TRACK not in found.score.track_names or not path.is_file():
                continue
            played = read_midi(path)
            ours, theirs = found.score, played.notes(played.track == played.track.max())
            beside = ours.notes(ours.track == len(ours.track_names) - 1)
            melodies = (score.notes(score.track == 0) for score in (ours, played))
            one, other = (list(zip(m.onset * 480 // m.ticks_per_quarter, m.pitch, strict=True)) for m in melodies)
            if one != other:
                continue
            for quarter in range(int(theirs.end / played.ticks_per_quarter)):
                sets = [sounding(s, quarter) for s in (beside, theirs)]
                compared += bool(sets[1])
                agree += bool(sets[1]) and sets[0] == sets[1]
    assert compared > 2000
    assert agree > 0.985 * compared  # basses behind a slash, and some chords, are not the same in both files


def sounding(score: Score, quarter: int) -> set[int]:
    """Pitch classes a little behind a quarter."""
    tick = (4 * quarter + 1) * score.ticks_per_quarter // 4
    return set((score.pitch[(score.onset <= tick) & (tick < score.onset + score.duration)] % 12).tolist())
