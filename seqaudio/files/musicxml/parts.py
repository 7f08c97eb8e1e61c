"""What does a part of a MusicXML score say, measure by measure?

Conventions: times are quarter notes as exact fractions, counted from the beginning of a measure; pitches are MIDI
numbers as they sound. Only what sounds is handed to the parser, music21, one measure at a time so that memory stays
small: notes, rests, their lengths and voices. What it does not know or reads slowly - chord symbols, sounding tempo,
pedals, percussion keys, instruments - travels through it as a numbered mark that it puts in its place.

Rules: grace notes are left out, and cue notes are rests; both are counted. Microtones are rounded. A part is
percussion if it has unpitched notes or its first instrument is on MIDI channel 10; an unpitched note sounds on the
key of its instrument, else on the acoustic snare.
"""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from seqaudio.errors import MissingDependencyError
from seqaudio.music.chords import STEPS, Chord, chord_of_kind

STEP_NAMES = ("C 0", "C 1", "D 0", "D 1", "E 0", "F 0", "F 1", "G 0", "G 1", "A 0", "A 1", "B 0")
SNARE = 38
NO_CHORD = re.compile(r"^\W*(N\. ?C\.?|no chord|tacet)\W*$", re.I)
DYNAMICS = {"pppp": 8, "ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112, "fff": 120, "ffff": 127}
DYNAMICS |= {"sf": 112, "sfz": 112, "fz": 112, "sffz": 126, "fp": 49, "sfp": 49, "rf": 96, "rfz": 96}
TYPES = {"breve": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": 0.5, "16th": 0.25, "32nd": 0.125}
MAX_TEMPO_US = 2**24 - 1  # what a MIDI file can hold


@dataclass(frozen=True)
class WrittenNote:
    """A note as written in a measure; ``tied`` says whether a tie ends at it and whether one begins."""

    at: Fraction
    length: Fraction
    pitch: int
    tied: tuple[bool, bool]


@dataclass(frozen=True)
class Mark:
    """Something at a place that is no note: ``kind`` is tempo, chord, velocity or pedal."""

    at: Fraction
    kind: str
    value: Any


@dataclass
class WrittenMeasure:
    """Notes and marks of one measure, the metre written in it, and how far its notes and rests reach."""

    notes: list[WrittenNote] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    metre: tuple[int, int] | None = None
    filled: Fraction = Fraction(0)


@dataclass(frozen=True)
class WrittenPart:
    """A part: its name, MIDI program and measures."""

    name: str
    program: int
    is_drum: bool
    measures: list[WrittenMeasure]


def read_part(part: Element, about: Element | None, dropped: Counter[str]) -> WrittenPart:
    """A part from its element and its entry in the list of parts; counts what is left out."""
    return _PartReader(part, about, dropped).read()


class _PartReader:
    """What holds from measure to measure while a part is read."""

    def __init__(self, part: Element, about: Element | None, dropped: Counter[str]) -> None:
        self.part, self.dropped = part, dropped
        about = Element("score-part") if about is None else about
        self.name = (about.findtext("part-name") or about.findtext("part-abbreviation") or "").strip()
        self.program = min(max(_number(about.findtext("midi-instrument/midi-program"), 1) - 1, 0), 127)
        self.keys = {
            instrument.get("id"): _number(instrument.findtext("midi-unpitched"), 0) - 1
            for instrument in about.iterfind("midi-instrument")
        }
        on_drums = _number(about.findtext("midi-instrument/midi-channel"), 1) == 10
        self.is_drum = on_drums or part.find("measure/note/unpitched") is not None
        self.transposition = 0
        self.marks: list[tuple[str, Any]] = []

    def read(self) -> WrittenPart:
        parser_of_part, parser_of_measure = _parsers()
        parent = parser_of_part()
        measures = []
        for element in self.part.iterfind("measure"):
            written = WrittenMeasure()
            self.marks = []
            prepared = self._prepared(element, written)
            parser = parser_of_measure(prepared, parent=parent)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parser.parse()
            self._place(parser.stream, written)
            written.filled = max(written.filled, Fraction(parser.offsetMeasureNote))
            measures.append(written)
        return WrittenPart(self.name, self.program, self.is_drum, measures)

    def _prepared(self, element: Element, written: WrittenMeasure) -> Element:
        """The measure with only what the parser is to see."""
        measure = Element("measure", {"number": "1"})
        for child in element:
            match child.tag:
                case "note":
                    self._add_note(child, measure)
                case "backup" | "forward":
                    moved = SubElement(measure, child.tag)
                    moved.extend(child.findall("duration") + child.findall("voice"))
                case "attributes":
                    self._read_attributes(child, measure, written)
                case "harmony":
                    self._add_mark(measure, child, "chord", self._chord(child))
                case "direction":
                    self._read_direction(child, measure)
                case "sound":
                    self._add_tempo(measure, child, child.get("tempo"), 1)
        return measure

    def _read_attributes(self, element: Element, measure: Element, written: WrittenMeasure) -> None:
        attributes = SubElement(measure, "attributes")
        attributes.extend(element.findall("divisions")[:1])
        for transpose in element.iterfind("transpose"):
            self.transposition = _number(transpose.findtext("chromatic"), 0) + 12 * _number(
                transpose.findtext("octave-change"), 0
            )
        for time in element.iterfind("time"):
            if time.find("senza-misura") is None:
                metre = _metre(time)
                written.metre = metre or written.metre
                self.dropped["time signatures that say nothing"] += metre is None

    def _add_note(self, element: Element, measure: Element) -> None:
        if element.find("grace") is not None:
            self.dropped["grace notes"] += 1
            return
        note = SubElement(measure, "note")
        is_cue = element.find("cue") is not None
        pitch = self._pitch(element)
        self.dropped["cue notes"] += is_cue and pitch is not None
        begun = measure[-2] if len(measure) > 1 and measure[-2].tag == "note" else None  # the chord this note is of
        if pitch is None or is_cue:
            if element.find("chord") is not None:
                measure.remove(note)
                return
            SubElement(note, "rest")
        else:
            if element.find("chord") is not None and begun is not None:
                if begun.find("rest") is None:
                    SubElement(note, "chord")
                else:  # the first note of the chord was left out
                    measure.remove(begun)
            note.append(_pitch_element(pitch))
        note.extend(element.findall("duration") + element.findall("voice"))
        ties = element.findall("tie") or element.findall("notations/tied")
        for kind in ("stop", "start"):
            if pitch is not None and any(tie.get("type") == kind for tie in ties):
                SubElement(note, "tie", {"type": kind})

    def _pitch(self, element: Element) -> int | None:
        """The MIDI pitch at which a note sounds, or None for a rest."""
        if element.find("rest") is not None:
            return None
        if (unpitched := element.find("unpitched")) is not None or self.is_drum:
            instrument = element.find("instrument")
            key = self.keys.get(instrument.get("id") if instrument is not None else next(iter(self.keys), None), -1)
            if 0 <= key <= 127:
                return key
            if unpitched is not None:
                self.dropped["percussion notes without a key, given the snare's"] += 1
                return SNARE
        pitch = _pitch_of(element.find("pitch"), "step", "alter")
        octave = element.findtext("pitch/octave")
        if pitch is None or octave is None:
            self.dropped["notes without a pitch"] += 1
            return None
        self.dropped["microtones, rounded"] += pitch != round(pitch)
        sounding = round(pitch) + 12 * (_number(octave, 4) + 1) + (0 if self.is_drum else self.transposition)
        if not 0 <= sounding <= 127:
            self.dropped["notes outside MIDI's range"] += 1
            return None
        return sounding

    def _chord(self, element: Element) -> Chord | None:
        """The chord of a ``harmony`` element as it sounds; None ends the chord before."""
        kind = (element.findtext("kind") or "").strip()
        root = _pitch_of(element.find("root"), "root-step", "root-alter")
        if kind == "none":
            return None
        changes = tuple(
            (
                (degree.findtext("degree-type") or "add").strip(),
                _number(degree.findtext("degree-value"), 0),
                _number(degree.findtext("degree-alter"), 0),
            )
            for degree in element.iterfind("degree")
        )
        bass = _pitch_of(element.find("bass"), "bass-step", "bass-alter")
        if root is not None:
            moved = None if bass is None else round(bass) + self.transposition
            chord = chord_of_kind(kind, round(root) + self.transposition, moved, changes)
            if chord is not None:
                return chord
        self.dropped["chord symbols of unknown kind"] += 1
        return None

    def _read_direction(self, element: Element, measure: Element) -> None:
        sounds = element.findall("sound")
        tempo = next((sound.get("tempo") for sound in sounds if sound.get("tempo")), None)
        if tempo is not None:
            self._add_tempo(measure, element, tempo, 1)
        for metronome in element.iterfind("direction-type/metronome") if tempo is None else ():
            units = metronome.findall("beat-unit")
            quarters = TYPES.get((units[0].text or "").strip(), 0) if len(units) == 1 else 0
            dots = len(metronome.findall("beat-unit-dot"))
            self._add_tempo(measure, element, metronome.findtext("per-minute"), quarters * (2 - 0.5**dots))
        if any(NO_CHORD.match(words.text or "") for words in element.iterfind("direction-type/words")):
            self._add_mark(measure, element, "chord", None)
        for sign in element.iterfind("direction-type/dynamics/*"):
            if sign.tag in DYNAMICS:
                self._add_mark(measure, element, "velocity", DYNAMICS[sign.tag])
        for pedal in element.iterfind("direction-type/pedal"):
            if pedal.get("type") in ("start", "stop", "change"):
                self._add_mark(measure, element, "pedal", pedal.get("type"))

    def _add_tempo(self, measure: Element, place: Element, per_minute: str | None, quarters: float) -> None:
        """A tempo in beats per minute, each of so many quarters."""
        found = re.search(r"\d{1,6}(\.\d{1,6})?", per_minute or "")
        if per_minute is None and place.tag == "sound":
            return
        qpm = float(found[0]) * quarters if found else 0.0
        if qpm <= 0 or not 1 <= 6e7 / qpm <= MAX_TEMPO_US:
            self.dropped["tempos that say nothing"] += 1
            return
        self._add_mark(measure, place, "tempo", round(6e7 / qpm))

    def _add_mark(self, measure: Element, place: Element, kind: str, value: Any) -> None:
        direction = SubElement(measure, "direction")
        SubElement(SubElement(direction, "direction-type"), "rehearsal").text = str(len(self.marks))
        direction.extend(place.findall("offset"))
        self.marks.append((kind, value))

    def _place(self, stream: Any, written: WrittenMeasure) -> None:
        """Notes and marks from where the parser put them."""
        for at, element in _elements(stream):
            if "RehearsalMark" in element.classes:
                kind, value = self.marks[int(element.content)]
                written.marks.append(Mark(max(at, Fraction(0)), kind, value))
                continue
            length = Fraction(element.duration.quarterLength)
            written.filled = max(written.filled, at + length)
            for note in () if element.isRest else getattr(element, "notes", (element,)):
                if length <= 0:
                    self.dropped["notes of no length"] += 1
                    continue
                tie = note.tie.type if note.tie is not None else ""
                tied = (tie in ("stop", "continue"), tie in ("start", "continue"))
                written.notes.append(WrittenNote(at, length, int(note.pitch.midi), tied))
        written.notes.sort(key=lambda note: (note.at, note.pitch))
        written.marks.sort(key=lambda mark: mark.at)
        _spread_chords(written)


def _spread_chords(written: WrittenMeasure) -> None:
    """Chord symbols written at one place share the time up to what comes next: so they are drawn, above one note."""
    marks = written.marks
    chords = [i for i, mark in enumerate(marks) if mark.kind == "chord" and mark.value is not None]
    starts = sorted({note.at for note in written.notes} | {marks[i].at for i in chords} | {written.filled})
    for at in {marks[i].at for i in chords}:
        together = [i for i in chords if marks[i].at == at]
        end = next((start for start in starts if start > at), at)
        for nth, i in enumerate(together):
            marks[i] = replace(marks[i], at=at + (end - at) * nth / len(together))
    marks.sort(key=lambda mark: mark.at)


def _parsers() -> tuple[Any, Any]:
    try:
        from music21.musicxml.xmlToM21 import MeasureParser, PartParser
    except ImportError:
        raise MissingDependencyError(
            "reading MusicXML needs the package music21; run: pip install 'seqaudio[musicxml]'"
        ) from None
    return PartParser, MeasureParser


def _elements(stream: Any) -> Iterator[tuple[Fraction, Any]]:
    """Notes, rests, chords and marks of a measure and its voices, with their places."""
    for element in stream:
        if "Voice" in element.classes:
            yield from _elements(element)
        elif element.isStream is False and ("GeneralNote" in element.classes or "RehearsalMark" in element.classes):
            yield Fraction(element.offset), element


def _pitch_of(element: Element | None, step: str, alter: str) -> float | None:
    """Semitones above C of a step and its alteration, if they are there."""
    if element is None or (element.findtext(step) or "").strip() not in STEPS:
        return None
    try:
        altered = float(element.findtext(alter) or 0)
    except ValueError:
        return None
    return STEPS[(element.findtext(step) or "").strip()] + altered if abs(altered) <= 12 else None


def _pitch_element(pitch: int) -> Element:
    element = Element("pitch")
    name, alter = STEP_NAMES[pitch % 12].split()
    for tag, text in (("step", name), ("alter", alter), ("octave", str(pitch // 12 - 1))):
        SubElement(element, tag).text = text
    return element


def _metre(time: Element) -> tuple[int, int] | None:
    """Numerator and denominator of a time signature; additive ones are summed."""
    total = Fraction(0)
    pairs = list(zip(time.findall("beats"), time.findall("beat-type"), strict=False))
    lowest = 1
    for beats, kind in pairs:
        counts = re.fullmatch(r"\s*\d{1,3}(\s*\+\s*\d{1,3}){0,20}\s*", beats.text or "")
        unit = _number(kind.text, 0)
        if counts is None or unit not in (1, 2, 4, 8, 16, 32, 64):
            return None
        lowest = max(lowest, unit)
        total += Fraction(sum(int(count) for count in re.findall(r"\d+", counts[0])), unit)
    numerator = int(total * lowest)
    return (numerator, lowest) if 1 <= numerator <= 255 else None


def _number(text: str | None, default: int) -> int:
    """A whole number in an element's text, else the default."""
    try:
        number = float(text or "")
    except ValueError:
        return default
    return int(number) if math.isfinite(number) and abs(number) < 10**9 else default
