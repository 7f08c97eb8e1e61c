"""Real lead sheets: melodies and chord symbols against a slow reading, and chords against music21's."""

import os
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import numpy as np
import pytest

from seqaudio.files import read_musicxml, read_pieces
from seqaudio.music.chords import CHORD_TRACK, KINDS, chord_of_kind
from seqaudio.music.melody import find_melody
from tests.files.musicxml_samples import Notes, notes

pytest.importorskip("music21", reason="MusicXML needs music21; pip install 'seqaudio[musicxml]'")
SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))
LEAD_SHEETS = sorted((SHARED / "data" / "scores" / "openewld").rglob("*.mxl"))


def slow_reading(path: Path) -> tuple[Notes, list[tuple[float, str]]]:
    """Notes and chord symbols of a lead sheet without repeats, voices and grace notes: one loop over its elements."""
    with zipfile.ZipFile(path) as archive:
        root = ET.fromstring(archive.read(next(n for n in archive.namelist() if not n.startswith("META"))))
    found: list[list[float]] = []
    symbols = []
    now, divisions = 0.0, 1
    open_ties = False
    steps = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
    for measure in root.iterfind("part/measure"):
        written: list[tuple[float, str]] = []
        starts = set()
        for element in measure:
            divisions = int(element.findtext("divisions") or divisions)
            if element.tag == "harmony":
                written.append((now + int(element.findtext("offset") or 0) / divisions, element.findtext("kind")))
            if element.tag != "note":
                continue
            length = int(element.findtext("duration")) / divisions
            if element.find("rest") is None:
                starts.add(now)
                pitch = 12 * int(element.findtext("pitch/octave")) + 12 + steps[element.findtext("pitch/step")]
                pitch += int(element.findtext("pitch/alter") or 0)
                kinds = {mark.get("type") for mark in element.iterfind("tie")}
                if open_ties and "stop" in kinds and found[-1][2] == pitch:
                    found[-1][1] += length
                else:
                    found.append([now, length, pitch])
                open_ties = "start" in kinds
            else:
                open_ties = False
            now += length
        symbols += shared_out(written, starts | {now})
    return [tuple(row) for row in found], symbols


def shared_out(written: list[tuple[float, str]], starts: set[float]) -> list[tuple[float, str]]:
    """Symbols of one measure, those at one place spread up to the next note, symbol or bar line."""
    known = [at for at, kind in written if kind in KINDS]
    out, taken = [], dict.fromkeys(known, 0)
    for at, kind in written:
        if kind in KINDS:
            end = min((start for start in starts | set(known) if start > at), default=at)
            out.append((at + (end - at) * taken[at] / known.count(at), kind))
            taken[at] += 1
        else:
            out.append((at, kind))
    return out


def is_simple(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        text = archive.read(next(n for n in archive.namelist() if not n.startswith("META"))).decode("utf-8", "replace")
    return not any(
        sign in text
        for sign in ("<repeat", "<grace", "<chord/>", "<chord />", "<backup", "D.C.", "D.S.", "<transpose", "tempo=")
    )


def compare(path: Path) -> None:
    score = read_musicxml(path)
    found, symbols = slow_reading(path)
    shift = score.onset[score.track == 0].min() / score.ticks_per_quarter - found[0][0]
    expected = [(onset + shift, length, pitch) for onset, length, pitch in found]
    np.testing.assert_allclose(notes(score, 0), expected, atol=1e-6)
    chords = score.notes(score.track == 1)
    begun = np.unique(chords.onset) / score.ticks_per_quarter
    end = score.end / score.ticks_per_quarter
    sounding = {round(at + shift, 6) for at, kind in symbols if kind in KINDS and at + shift < end}
    silent = {round(at + shift, 6) for at, kind in symbols if kind not in KINDS}
    assert sounding - silent <= set(np.round(begun, 6).tolist()) <= sounding


@pytest.mark.skipif(not LEAD_SHEETS, reason="the lead sheets of shared/data are not here")
def test_some_lead_sheets_against_a_slow_reading() -> None:
    simple = [path for path in LEAD_SHEETS[::16] if is_simple(path)]
    assert len(simple) > 10
    for path in simple:
        compare(path)


@pytest.mark.slow
@pytest.mark.skipif(not LEAD_SHEETS, reason="the lead sheets of shared/data are not here")
def test_every_lead_sheet_is_read_with_its_chords() -> None:
    compared = 0
    for path in LEAD_SHEETS:
        pieces, problems = read_pieces(path)
        assert problems == []
        score = pieces[0].score
        assert score.track_names[-1] == CHORD_TRACK
        assert len(find_melody(score).score) > 0
        if is_simple(path):
            compare(path)
            compared += 1
    assert len(LEAD_SHEETS) == 502
    assert compared > 150


def test_chord_kinds_against_music21() -> None:
    """music21 realises chord symbols too, slowly; pitch classes agree where players leave nothing out."""
    from music21 import harmony as theirs

    compared = 0
    for kind in KINDS:
        if kind in ("pedal", "maj69", "minor-major", "augmented-ninth", "major-13th", "dominant-13th"):
            continue
        name = {"dominant": "dominant-seventh", "major-minor": "minor-major-seventh"}.get(kind, kind)
        name = {"half-diminished": "half-diminished-seventh"}.get(name, name)
        chord = chord_of_kind(kind, 2)
        expected = {p.pitchClass for p in theirs.ChordSymbol(root="D", kind=name).pitches}
        assert {p % 12 for p in chord.pitches} == expected, kind
        compared += 1
    assert compared > 18
