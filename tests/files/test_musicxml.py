"""Laws of reading MusicXML: small scores note by note, in quarters, and real lead sheets against a slow reading.

Expected notes are (onset, length, pitch) in quarters, written by hand.
"""

import os
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from seqaudio.errors import BadFileError, MissingDependencyError
from seqaudio.files import Limits, read_musicxml, read_pieces
from seqaudio.files.musicxml import read_musicxml_bytes
from seqaudio.files.musicxml.bars import bar_metres
from seqaudio.music import Score
from seqaudio.music.chords import CHORD_TRACK
from seqaudio.music.melody import find_melody
from tests.files.musicxml_samples import (
    STANDARD,
    attributes,
    document,
    harmony,
    note,
    notes,
    repeat,
    tie,
    volta,
    words,
    zipped,
)

pytest.importorskip("music21", reason="MusicXML needs music21; pip install 'seqaudio[musicxml]'")
SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))
LEAD_SHEETS = sorted((SHARED / "data" / "scores" / "openewld").rglob("*.mxl"))


def read(*parts: list[str], **facts: object) -> tuple[Score, dict[str, int]]:
    return read_musicxml_bytes(document(*parts, **facts).encode(), "a.musicxml")  # type: ignore[arg-type]


def pitches(*measures: str) -> list[int]:
    """Pitches as they are played; the measures are in 1/4 unless they say otherwise."""
    return read([attributes("1/4") + measures[0], *measures[1:]])[0].pitch.tolist()


BACK = repeat("backward")
A, B, C, D, E = (note(name) for name in ("A4", "B4", "C5", "D5", "E5"))


def test_two_parts_become_two_tracks_with_names_and_programs() -> None:
    about = "<midi-instrument><midi-channel>1</midi-channel><midi-program>41</midi-program></midi-instrument>"
    score, dropped = read(
        [attributes() + note("C4", 4), note("D4", 4)],
        [attributes() + note("C3", 2) + note("Eb3", 2, "<chord/>") + note("r", 2), note("F#3", 4)],
        names=("Violin", "Viola"), about=about,
    )  # fmt: skip
    assert score.track_names == ("Violin", "Viola")
    assert notes(score, 0) == [(0, 4, 60), (4, 4, 62)]
    assert notes(score, 1) == [(0, 2, 48), (0, 2, 51), (4, 4, 54)]
    assert set(score.program.tolist()) == {40}
    assert not score.is_drum.any()
    assert dropped == {}


def test_voices_and_backup() -> None:
    body = note("C5", 4, "<voice>1</voice>") + "<backup><duration>16</duration></backup>"
    body += "<forward><duration>4</duration></forward>" + note("E4", 2, "<voice>2</voice>")
    assert notes(read([attributes() + body])[0]) == [(0, 4, 72), (1, 2, 64)]


def test_a_pickup_ends_the_first_bar() -> None:
    score, _ = read([attributes() + note("G4"), note("C5", 4), note("D5", 4)])
    assert notes(score) == [(3, 1, 67), (4, 4, 72), (8, 4, 74)]
    assert score.bars().tolist() == [0, 1920, 3840, 5760]


def test_a_pickup_returns_where_the_repeated_section_stops_short() -> None:
    score, _ = read([attributes() + note("G4"), note("C5", 4), note("D5", 3) + BACK])
    assert notes(score) == [(3, 1, 67), (4, 4, 72), (8, 3, 74), (11, 1, 67), (12, 4, 72), (16, 3, 74)]
    assert score.time_signatures.tolist() == [[0, 4, 4]]


def test_a_bar_of_another_length_has_a_metre_of_its_own() -> None:
    score, _ = read([attributes() + note("C5", 4), note("D5", 1.5), note("E5", 4), note("F5", 4)])
    assert score.time_signatures.tolist() == [[0, 4, 4], [1920, 3, 8], [2640, 4, 4]]
    assert score.bars().tolist() == [0, 1920, 2640, 4560, 6480]
    without, _ = read([attributes("") + note("C5"), *[note("D5", 3)] * 3])
    assert without.time_signatures.tolist() == [[0, 3, 4]]
    assert without.onset[0] == 960


@pytest.mark.parametrize("seed", range(20))
def test_bar_lines_stand_where_measures_begin(seed: int) -> None:
    """Of full and overlong measures every one begins a bar, whatever pickup comes before them."""
    rng = np.random.default_rng(seed)
    lengths = [Fraction(int(rng.choice([1, 2, 3])))] + [Fraction(int(n)) for n in rng.choice([4, 4, 4, 5, 7], 12)]
    pickup, changes = bar_metres(lengths, [(4, 4)] * 13)
    starts = (float(pickup) + np.cumsum([0, *map(float, lengths)]))[1:-1] * 480
    score = Score.from_notes(starts, 480, 60, time_signatures=[(int(at * 480), *metre) for at, metre in changes])
    assert pickup + lengths[0] == 4
    assert set(starts.tolist()) <= set(score.bars().tolist())


def test_ties_are_joined() -> None:
    score, _ = read(
        [attributes() + note("C5", 4, tie("start")), note("C5", 4, tie("stop", "start")),
         note("C5", 2, tie("stop")) + note("C5", 2)]
    )  # fmt: skip
    assert notes(score) == [(0, 10, 72), (10, 2, 72)]
    unfinished, _ = read([attributes() + note("C5", 2, tie("start")) + note("D5", 2), note("C5", 4, tie("stop"))])
    assert notes(unfinished) == [(0, 2, 72), (2, 2, 74), (4, 4, 72)]


def test_a_tie_into_the_second_ending() -> None:
    score, _ = read(
        [attributes("1/4") + note("C5", 1, tie("start")), volta("1", note("C5", 1, tie("stop"))) + BACK,
         volta("2", note("C5", 1, tie("stop"))), D]
    )  # fmt: skip
    assert notes(score) == [(0, 2, 72), (2, 2, 72), (4, 1, 74)]


@pytest.mark.parametrize(("actual", "tpq"), [(3, 480), (5, 480), (7, 3360), (9, 1440), (11, 5280), (13, 6240)])
def test_tuplets_are_whole_ticks(actual: int, tpq: int) -> None:
    body = "".join(note("C5", 0.25) for _ in range(actual))
    score, dropped = read([attributes("1/4", divisions=actual) + body])
    assert score.ticks_per_quarter == tpq
    assert score.onset.tolist() == [tpq // actual * i for i in range(actual)]
    assert set(score.duration.tolist()) == {tpq // actual}
    assert dropped == {}


def test_what_is_no_whole_tick_is_rounded_and_counted() -> None:
    body = "".join(attributes("", divisions=n) + note("C5", 0.25) for n in (7, 11, 13, 17, 19))
    score, dropped = read([body])
    assert len(score) == 5
    assert dropped["notes rounded to whole ticks"] > 0


def test_grace_notes_and_cue_notes_are_left_out() -> None:
    grace = "<note><grace/><pitch><step>B</step><octave>4</octave></pitch></note>"
    score, dropped = read([attributes() + grace + note("C5", 2) + note("D5", 1, "<cue/>") + note("E5")])
    assert notes(score) == [(0, 2, 72), (3, 1, 76)]
    assert dropped == {"cue notes": 1, "grace notes": 1}


def test_a_chord_whose_first_note_is_left_out_keeps_the_others() -> None:
    score, dropped = read([attributes() + note("C9", 4) + note("C#9", 4, "<chord/>") + note("C5", 4, "<chord/>")])
    assert notes(score) == [(0, 4, 72), (0, 4, 120), (0, 4, 121)]
    score, dropped = read([attributes() + note("A9", 4) + note("C5", 4, "<chord/>") + note("E5", 4, "<chord/>")])
    assert notes(score) == [(0, 4, 72), (0, 4, 76)]
    assert dropped == {"notes outside MIDI's range": 1}


def test_a_clarinet_in_b_flat_sounds_a_tone_lower_and_so_do_its_chord_symbols() -> None:
    down = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    score, _ = read([attributes("4/4", down) + harmony("D", "minor") + note("D5", 4)])
    assert notes(score, 0) == [(0, 4, 72)]
    assert notes(score, 1) == [(0, 4, 48), (0, 4, 51), (0, 4, 55)]
    octave = "<transpose><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>"
    assert notes(read([attributes("4/4", octave) + note("C3", 4)])[0]) == [(0, 4, 36)]


def test_unpitched_notes_sound_on_the_key_of_their_instrument() -> None:
    kit = "".join(
        f'<midi-instrument id="{name}"><midi-channel>10</midi-channel>'
        f"<midi-unpitched>{key + 1}</midi-unpitched></midi-instrument>"
        for name, key in (("bass", 36), ("hat", 42))
    )
    hit = (
        "<note>{chord}<unpitched><display-step>F</display-step><display-octave>4</display-octave></unpitched>"
        "<duration>4</duration>{of}</note>"
    )
    body = hit.format(chord="", of='<instrument id="bass"/>') + hit.format(
        chord="<chord/>", of='<instrument id="hat"/>'
    )
    score, dropped = read([attributes("2/4") + body + hit.format(chord="", of='<instrument id="gone"/>')], about=kit)
    assert notes(score) == [(0, 1, 36), (0, 1, 42), (1, 1, 38)]
    assert score.is_drum.all()
    assert dropped == {"percussion notes without a key, given the snare's": 1}


def test_tempo_counts_in_any_part_and_as_written_after_a_repeat() -> None:
    sound = '<direction><direction-type/><sound tempo="90"/></direction>'
    mark = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>c. 40</per-minute></metronome></direction-type></direction>"
    )
    score, _ = read(
        [attributes("1/4") + C, D, E + BACK],
        [attributes("1/4") + sound + C, mark + D, note("r")],
    )
    slow, fast = 666_667, 1_000_000
    assert score.tempos.tolist() == [[0, slow], [480, fast], [1440, slow], [1920, fast]]


def test_dynamics_are_velocities_of_their_part() -> None:
    loud = "<direction><direction-type><dynamics><ff/></dynamics></direction-type></direction>"
    score, _ = read([attributes("1/4") + C, loud + D, E + BACK], [attributes("1/4") + A, A, A])
    assert score.velocity[score.track == 0].tolist() == [80, 112, 112] * 2
    assert set(score.velocity[score.track == 1].tolist()) == {80}


def test_pedals() -> None:
    down, up, change = (
        f'<direction><direction-type><pedal type="{kind}"/></direction-type></direction>'
        for kind in ("start", "stop", "change")
    )
    score, _ = read([attributes("1/4") + down + C, change + D, up + E, down + C])
    assert score.pedals.tolist() == [[0, 480, 0], [480, 480, 0], [1440, 480, 0]]


@pytest.mark.parametrize(
    ("measures", "played"),
    [
        ([A, B + BACK, C], "ABABC"),
        ([A, repeat("forward", "left") + B + BACK, C + BACK], "ABBCC"),
        ([A + repeat("backward", times=' times="4"'), B], "AAAAB"),
        ([A, volta("1", B) + BACK, volta("2", C), D], "ABACD"),
        ([A, volta("1, 2", B) + BACK, volta("3", C), D], "ABABACD"),
        ([A, volta("1", B), C + BACK, volta("2", D)], "ABCAD"),
        ([A, volta("1", B) + BACK, C], "ABAC"),
        ([A, volta("1", B) + BACK, volta("3", C)], "ABAC"),
        ([A, volta("1", B) + BACK, volta("2", C) + BACK, D + BACK, E], "ABACDDE"),
        ([A, B + words("Fine"), C + words("D.C. al Fine")], "ABCAB"),
        ([A, "<sound segno='s'/>" + B, C + '<sound dalsegno="s"/>', D], "ABCBCD"),
        ([A + "<sound tocoda='c'/>", B, C + words("D.C. al Coda"), "<sound coda='c'/>" + D, E], "ABCADE"),
        ([A, B + BACK, C + words("da capo")], "ABABCABC"),
        ([A, B + words("D.S.")], "AB"),
        ([A, B + words("coda fine art, D.Cecil")], "AB"),
    ],
)  # fmt: skip
def test_repeats_endings_and_jumps_are_written_out(measures: list[str], played: str) -> None:
    names = {69: "A", 71: "B", 72: "C", 74: "D", 76: "E"}
    assert "".join(names[pitch] for pitch in pitches(*measures)) == played


def test_a_jump_to_a_missing_sign_is_counted() -> None:
    assert read([attributes("1/4") + A, B + words("D.S. al Fine")])[1] == {"jumps to signs that are missing": 1}


def test_chord_symbols_sound_until_the_next_one() -> None:
    no_chord = "<harmony><root><root-step>C</root-step></root><kind>none</kind></harmony>"
    score, dropped = read(
        [attributes() + note("G4", 4), harmony("C", "major") + note("G4", 4),
         note("A4", 2) + harmony("Bb", "dominant") + note("A4", 2), note("G4", 4),
         no_chord + note("G4", 4), harmony("A", "minor-seventh") + note("G4", 4)]
    )  # fmt: skip
    assert score.track_names == ("", CHORD_TRACK)
    assert notes(score, 1) == (
        [(4, 6, pitch) for pitch in (48, 52, 55)]
        + [(10, 6, pitch) for pitch in (58, 62, 65, 68)]
        + [(20, 4, pitch) for pitch in (57, 60, 64, 67)]
    )
    assert dropped == {}
    assert find_melody(score).found_as == "the only track beside the chord symbols"
    assert find_melody(score).score.pitch.tolist() == [67, 67, 69, 69, 67, 67, 67]


def test_chord_symbols_above_one_note_share_its_time() -> None:
    two = harmony("C", "major") + harmony("Bb", "major")
    score, dropped = read([attributes() + two + note("G4", 3) + harmony("F", "major") + note("A4", 1), note("C5", 4)])
    roots = [(on, length) for on, length, pitch in notes(score, 1) if pitch in (48, 58, 53) and on < 3]
    assert roots == [(0, 1.5), (1.5, 1.5)]
    assert {pitch for on, _, pitch in notes(score, 1) if on == 1.5} == {58, 62, 65}
    assert {on for on, _, _ in notes(score, 1)} == {0, 1.5, 3}
    assert dropped == {}


def test_words_say_no_chord_and_offsets_move_symbols() -> None:
    moved = harmony("C", "major", "<offset>8</offset>")
    score, _ = read([attributes() + moved + note("G4", 4), words("N.C.") + note("G4", 4)])
    assert notes(score, 1) == [(2, 2, 48), (2, 2, 52), (2, 2, 55)]


def test_a_chord_goes_on_as_written_after_a_repeat() -> None:
    score, _ = read(
        [attributes("1/4") + harmony("C", "major") + A, repeat("forward", "left") + B,
         harmony("F", "power") + C + BACK, D]
    )  # fmt: skip
    roots = [row for row in notes(score, 1) if row[2] in (48, 53)]
    assert roots == [(0, 2, 48), (2, 1, 53), (3, 1, 48), (4, 2, 53)]


def test_chord_symbols_that_say_no_notes_are_counted() -> None:
    body = harmony("C", "Tristan") + note("C5", 2) + harmony("D", "major") + note("C5", 2)
    score, dropped = read([attributes() + body], [attributes() + harmony("E", "major") + note("C4", 4)])
    assert dropped == {"chord symbols of further parts": 1, "chord symbols of unknown kind": 1}
    assert {pitch for _, _, pitch in notes(score, 2)} == {50, 54, 57}


def test_a_score_ordered_by_measures() -> None:
    text = (
        "<score-timewise><part-list><score-part id='a'><part-name>Up</part-name></score-part></part-list>"
        f"<measure><part id='a'>{attributes() + note('C5', 4)}</part></measure>"
        f"<measure><part id='a'>{note('D5', 4)}</part></measure></score-timewise>"
    )
    score, _ = read_musicxml_bytes(text.encode(), "a.xml")
    assert notes(score) == [(0, 4, 72), (4, 4, 74)]
    assert score.track_names == ("Up",)


PLAIN = document([attributes() + note("C5", 4)], doctype=STANDARD)


@pytest.mark.parametrize("suffix", [".mxl", ".musicxml", ".xml", ".mid", ".txt"])
@pytest.mark.parametrize("data", [PLAIN.encode(), PLAIN.replace("UTF-8", "UTF-16").encode("utf-16"), zipped(PLAIN),
    zipped(PLAIN, container=None), zipped(PLAIN, "it's.xml", "<rootfile full-path='it's.xml'/>")])  # fmt: skip
def test_bytes_say_what_a_file_is(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    pieces, problems = read_pieces(path)
    assert [piece.name for piece in pieces] == [path.name]
    assert notes(pieces[0].score) == [(0, 4, 72)]
    assert problems == []
    assert read_musicxml(path) == pieces[0].score


def test_a_missing_package_is_a_reason_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "music21.musicxml.xmlToM21", None)
    path = tmp_path / "a.musicxml"
    path.write_text(PLAIN)
    with pytest.raises(MissingDependencyError, match=r"pip install 'seqaudio\[musicxml\]'"):
        read_musicxml(path)
    pieces, problems = read_pieces(path)
    assert pieces == []
    assert str(problems[0]).startswith(f"{path}: reading MusicXML needs the package music21")
    assert isinstance(problems[0], BadFileError)


def test_budgets_are_named() -> None:
    data = document(
        [attributes() + note("C5", 4), harmony("C", "major") + note("D5", 4) + repeat("backward", times=' times="9"')]
    ).encode()
    fits = Limits(max_notes=48, max_quarters=72, max_tracks=1, max_elements=99, max_unpacked_bytes=len(data))
    assert len(read_musicxml_bytes(data, "a", fits)[0]) == 18 + 27
    for limits, budget in (
        (Limits(max_notes=40), "notes"), (Limits(max_quarters=71), "quarters"), (Limits(max_quarters=5), "quarters"),
        (Limits(max_tracks=0), "tracks"), (Limits(max_elements=20), "elements"),
        (Limits(max_unpacked_bytes=99), "unpacked_bytes"),
    ):  # fmt: skip
        with pytest.raises(BadFileError, match=rf"^a: .* {budget}, over the budget of .*max_{budget}"):
            read_musicxml_bytes(zipped(data), "a", limits)
