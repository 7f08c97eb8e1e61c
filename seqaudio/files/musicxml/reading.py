"""How does a MusicXML score become a Score?

Conventions: every part is a track, in order, at sounding pitch; measures are played in the order that repeats and jumps
say (:mod:`seqaudio.files.musicxml.order`), and what holds at a place as written holds there each time it is played.
Ticks per quarter are 480 or the smallest multiple of it that makes every place and length a whole number of ticks;
beyond 32,767 they are rounded, and the notes that move are counted.

- **Chord symbols** are notes of a track named ``chords``, the last one: each sounds until the next symbol, until
  "N.C.", or to the end, in the register of :mod:`seqaudio.music.chords`. Several above one note share its time. The
  first part that has any gives them.
- **Bars** are as long as their fullest part; without a time signature, what most of them last is the metre. A first
  measure that is short is a pickup: the piece begins with the rest that completes it. Later, short measures that fill
  a bar together share it; what fills none is a bar of its own metre.
- **Ties** join a note to the next of its pitch in its part, where one ends as the other begins.
- **Loudness** is that of the last dynamic sign (pp, mf, ...) of the part, 80 (mf) before the first; hairpins and
  accents change nothing. Tempo marks count in whatever part they are.

Files are checked in :mod:`seqaudio.files.musicxml.document` before music21, an optional package, sees any of it.
Source: MusicXML 4.0, https://www.w3.org/2021/06/musicxml40/
"""

from __future__ import annotations

import math
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, pairwise
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from seqaudio.errors import BadFileError, MissingDependencyError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.limits import DEFAULT_LIMITS, Limits, checked
from seqaudio.files.midi_scan import clean_name
from seqaudio.files.musicxml.bars import bar_metres, usual_metre
from seqaudio.files.musicxml.document import EXPORT_AGAIN, read_document
from seqaudio.files.musicxml.order import play_order
from seqaudio.files.musicxml.parts import Mark, WrittenMeasure, WrittenPart, read_part
from seqaudio.music.chords import CHORD_TRACK
from seqaudio.music.score import DEFAULT_TEMPO_US, PLAIN_VELOCITY, IntArray, Score

BASE_TICKS = 480
MAX_TICKS = 32_767


def read_musicxml(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Score:
    """The piece in a MusicXML file, compressed or not.

    Raises:
        BadFileError: the file cannot be opened or is no sound MusicXML file.
        OverLimitError: it exceeds one of the budgets.
        MissingDependencyError: the package music21 is not installed.
    """
    return read_musicxml_bytes(read_bytes(path, limits), shown(path), limits)[0]


def read_musicxml_bytes(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> tuple[Score, dict[str, int]]:
    """The piece in the bytes of a MusicXML file, and counts of what was left out; raises as :func:`read_musicxml`."""
    root = read_document(data, name, limits)
    dropped: Counter[str] = Counter()
    try:
        score = _read(root, name, limits, dropped)
    except (BadFileError, MissingDependencyError, MemoryError):
        raise
    except Exception as problem:  # music21 meets damage with exceptions of every kind
        reason = (str(problem).splitlines() or [""])[0][:100]
        raise BadFileError(
            f"{name}: no sound MusicXML ({type(problem).__name__}{': ' * bool(reason)}{shown(reason)}); {EXPORT_AGAIN}"
        ) from None
    return score, dict(sorted((+dropped).items()))


def _read(root: Element, name: str, limits: Limits, dropped: Counter[str]) -> Score:
    elements = root.findall("part")
    limits.check("max_tracks", len(elements), name)
    limits.check("max_notes", sum(1 for _ in root.iterfind("part/measure/note")), name)
    about = {entry.get("id"): entry for entry in root.iterfind("part-list/score-part")}
    if not elements:
        raise BadFileError(f"{name}: a MusicXML score without parts; {EXPORT_AGAIN}")
    order = play_order([part.findall("measure") for part in elements], limits.max_quarters, dropped)
    limits.check(
        "max_quarters", len(order), name, and_more=True
    )  # a bar is a quarter or longer in all but the oddest pieces
    parts = [read_part(element, about.get(element.get("id")), dropped) for element in elements]
    played = _Played(parts, order, name, limits, dropped)
    return checked(played.score(), limits, name)


@dataclass(frozen=True)
class _Sounding:
    """A note as it is played: times in quarters from the beginning."""

    onset: Fraction
    end: Fraction
    pitch: int
    velocity: int
    track: int


class _Played:
    """A score played through: where each measure begins, and what sounds."""

    def __init__(
        self, parts: list[WrittenPart], order: list[int], name: str, limits: Limits, dropped: Counter[str]
    ) -> None:
        self.parts, self.order, self.name, self.limits, self.dropped = parts, order, name, limits, dropped
        count = max((len(part.measures) for part in parts), default=0)
        for part in parts:
            part.measures.extend(WrittenMeasure() for _ in range(count - len(part.measures)))
        columns = list(zip(*(part.measures for part in parts), strict=True))
        metres, lengths = _lengths(columns)
        limits.check("max_notes", sum(len(measure.notes) for i in order for measure in columns[i]), name)
        marks = [sum(len(measure.marks) for measure in measures) for measures in columns]
        limits.check("max_events", sum(marks[i] for i in order), name)
        pickup, self.metres = bar_metres([lengths[i] for i in order], [metres[i] for i in order])
        self.starts = [pickup]
        for i in order:
            self.starts.append(self.starts[-1] + lengths[i])
        limits.check("max_quarters", float(self.starts[-1]), name)
        limits.check("max_metres", len(self.metres), name)

    def score(self) -> Score:
        """Everything in ticks."""
        notes = [note for track in range(len(self.parts)) for note in self._notes(track)]
        chords = self._chords()
        names = [clean_name(part.name) for part in self.parts]
        programs, drums = [part.program for part in self.parts], [part.is_drum for part in self.parts]
        if chords:
            notes += chords
            names, programs, drums = [*names, CHORD_TRACK], [*programs, 0], [*drums, False]
        self.limits.check("max_notes", len(notes), self.name)
        tpq = _ticks_per_quarter([time for note in notes for time in (note.onset, note.end)])

        def ticks(time: Fraction) -> int:
            return round(time * tpq)

        whole = [(ticks(note.onset), ticks(note.end)) for note in notes]
        moved = sum(
            note.onset * tpq != at or note.end * tpq != end for note, (at, end) in zip(notes, whole, strict=True)
        )
        self.dropped["notes rounded to whole ticks"] += moved
        return Score.from_notes(
            [at for at, _ in whole],
            [max(end - at, 1) for at, end in whole],
            [note.pitch for note in notes],
            velocity=[note.velocity for note in notes],
            program=[programs[note.track] for note in notes],
            is_drum=[drums[note.track] for note in notes],
            track=[note.track for note in notes],
            ticks_per_quarter=tpq,
            tempos=self._tempos(ticks),
            time_signatures=[(ticks(at), *metre) for at, metre in self.metres],
            pedals=[
                (ticks(at), max(ticks(end) - ticks(at), 1), track)
                for track in range(len(self.parts))
                for at, end in self._pedals(track)
            ],
            track_names=names,
        )

    def _tempos(self, ticks: Callable[[Fraction], int]) -> IntArray:
        """Tick and tempo of every tempo mark as played, kept as numbers: there may be a million."""
        marks = self._in_force([part.measures for part in self.parts], "tempo")
        flat = (number for at, tempo in marks for number in (ticks(at), tempo or DEFAULT_TEMPO_US))
        return np.fromiter(flat, np.int64).reshape(-1, 2)

    def _notes(self, track: int) -> Iterator[_Sounding]:
        """Notes of a part as they are played, ties joined."""
        measures = self.parts[track].measures
        loud = _written_state([measures], "velocity", PLAIN_VELOCITY)
        velocities = [
            [_value_at(measure.marks, "velocity", note.at, before) for note in measure.notes]
            for measure, before in zip(measures, loud, strict=True)
        ]
        held: dict[tuple[int, Fraction], _Sounding] = {}  # notes with an open tie, by pitch and end
        for start, i in zip(self.starts, self.order, strict=False):
            for note, velocity in zip(measures[i].notes, velocities[i], strict=True):
                onset, end = start + note.at, start + note.at + note.length
                before = held.pop((note.pitch, onset), None) if note.tied[0] else None
                sounding = _Sounding(
                    before.onset if before else onset, end, note.pitch, before.velocity if before else velocity, track
                )
                if note.tied[1] and (note.pitch, end) not in held:
                    held[note.pitch, end] = sounding
                else:
                    yield sounding
            over = [key for key in held if key[1] < start]  # ties that led nowhere
            yield from [held.pop(key) for key in over]
        yield from held.values()

    def _chords(self) -> list[_Sounding]:
        """The chord symbols as notes of a track behind the parts."""
        having = [part for part in self.parts if any(m.kind == "chord" for x in part.measures for m in x.marks)]
        symbols = sum(
            mark.value is not None
            for part in having[1:]
            for x in part.measures
            for mark in x.marks
            if mark.kind == "chord"
        )
        self.dropped["chord symbols of further parts"] += symbols
        if not having:
            return []
        changes = chain(self._in_force([having[0].measures], "chord"), [(self.starts[-1], None)])
        notes = (
            _Sounding(at, end, pitch, PLAIN_VELOCITY, len(self.parts))
            for (at, chord), (end, _) in pairwise(changes)
            if chord is not None and end > at
            for pitch in chord.pitches
        )
        sounding = list(islice(notes, self.limits.max_notes + 1))
        self.limits.check("max_notes", len(sounding), self.name, and_more=True)
        return sounding

    def _pedals(self, track: int) -> Iterator[tuple[Fraction, Fraction]]:
        down: Fraction | None = None
        for start, i in zip(self.starts, self.order, strict=False):
            for mark in self.parts[track].measures[i].marks:
                if mark.kind != "pedal":
                    continue
                at = start + mark.at
                if down is not None and at > down:
                    yield down, at
                down = None if mark.value == "stop" else at
        if down is not None and self.starts[-1] > down:
            yield down, self.starts[-1]

    def _in_force(self, columns: list[list[WrittenMeasure]], kind: str) -> Iterator[tuple[Fraction, Any]]:
        """(time, value) of every mark of a kind as played; after a jump, what holds there as written."""
        states = _written_state(columns, kind, None)
        last, now = -1, None
        for start, i in zip(self.starts, self.order, strict=False):
            marks = sorted((m for measures in columns for m in measures[i].marks if m.kind == kind), key=lambda m: m.at)
            if i != last + 1 and states[i] != now and not (marks and marks[0].at == 0):
                yield start, states[i]
                now = states[i]
            for mark in marks:
                yield start + mark.at, mark.value
                now = mark.value
            last = i


def _written_state(columns: list[list[WrittenMeasure]], kind: str, first: Any) -> list[Any]:
    """What holds at the beginning of each measure, as written."""
    states, now = [], first
    for i in range(len(columns[0])):
        states.append(now)
        marks = sorted((m for measures in columns for m in measures[i].marks if m.kind == kind), key=lambda m: m.at)
        now = marks[-1].value if marks else now
    return states


def _value_at(marks: list[Mark], kind: str, at: Fraction, before: Any) -> Any:
    """The value of the last mark of a kind at or before a place."""
    chosen = [mark for mark in marks if mark.kind == kind]
    place = bisect_right([mark.at for mark in chosen], at)
    return chosen[place - 1].value if place else before


def _lengths(columns: list[tuple[WrittenMeasure, ...]]) -> tuple[list[tuple[int, int]], list[Fraction]]:
    """Metre and length in quarters of every measure as written; one that says nothing is as long as its metre."""
    filled = [max(measure.filled for measure in measures) for measures in columns]
    written = [next((measure.metre for measure in measures if measure.metre), None) for measures in columns]
    unsigned = next((i for i, metre in enumerate(written) if metre), len(written))
    metre = usual_metre(filled[:unsigned])
    metres, lengths = [], []
    for own, length in zip(written, filled, strict=True):
        metre = own or metre
        metres.append(metre)
        lengths.append(length or Fraction(4 * metre[0], metre[1]))
    return metres, lengths


def _ticks_per_quarter(times: list[Fraction]) -> int:
    """The smallest multiple of 480 in which every time is whole, a smaller number if that is too large, else 10,080."""
    denominators = {time.denominator for time in times}
    for base in (BASE_TICKS, 1):
        ticks = base
        for denominator in denominators:
            ticks = math.lcm(ticks, denominator)
            if ticks > MAX_TICKS:
                break
        else:
            return ticks
    return 10_080
