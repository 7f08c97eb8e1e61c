"""When do the chord symbols of an ABC tune sound?

The parser plays them as an accompaniment with a rhythm of its own, so they are not left to it. Nor is it known where in
a tune a symbol stands once its repeats are written out, but the parser knows. So it reads a second text of the tune, in
which the note behind each symbol has a pitch that no tune has, another one for every symbol: such notes mark the times.

Rules: each chord sounds until the next symbol, until "N.C.", or to the end, in the register of
:mod:`seqaudio.music.chords`, as notes of a track named ``chords``, the last one. Of several at one time that of the
first voice counts. Text that is no chord is counted as an annotation and left out; a symbol above rests of whole bars
(``Z``), or of more kinds than there are pitches to mark with, is counted as a chord symbol and left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from seqaudio.music.chords import CHORD_TRACK, Chord, chord_of_name, is_no_chord
from seqaudio.music.score import PLAIN_VELOCITY, IntArray, Score

PLACEHOLDER = 0xE000  # a character of no meaning, and those behind it: symbols while the rest of a line is cleaned
MARKERS = (*range(24), *range(108, 120))  # pitches that hardly a tune has
OCTAVES = {0: ",,,,,", 1: ",,,,", 9: "'''"}  # of C, which is the octave of middle C
NAMES = ("=C", "^C", "=D", "^D", "=E", "=F", "^F", "=G", "^G", "=A", "^A", "=B")
QUOTED = re.compile(r'"([^"]*)"')
SYMBOL_OR_NOTE = re.compile(r"[\ue000-\uf8ff]|(?:\^{1,2}|_{1,2}|=)?[A-Ga-g][,']*|[xzXZ&]")
MOVED = re.compile(r"\s*(?:transpose|octave)=\s*-?\d+|(?<=[a-z])[+-]8\b")  # fields may move notes, and so the marks
TRANSPOSED = re.compile(r"transpose=\s*(-?\d+)")


class ChordSymbols:
    """The chord symbols of a tune, taken out of its text and put back as times."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self.count = 0  # of those that have a place
        self._names: list[str] = []
        self._semitones = 0  # that fields move the notes by
        self._waiting: int | None = None  # which one the next note bears

    def taken(self, text: str) -> str:
        """Some notes with a placeholder for each symbol, and without annotations; what goes is counted."""
        return QUOTED.sub(self._placeholder, without_placeholders(text))

    def _placeholder(self, quoted: re.Match[str]) -> str:
        name = quoted[1].strip()
        if not (is_no_chord(name) or chord_of_name(name)):
            self.dropped["annotations"] += 1
            return ""
        if name not in self._names:
            if len(self._names) == len(MARKERS):
                self.dropped["chord symbols"] += 1
                return ""
            self._names.append(name)
        self.count += 1
        return chr(PLACEHOLDER + self._names.index(name))

    def field(self, text: str) -> str:
        """A field as the text for the times has it: it moves no note. A voice begins without a symbol."""
        if text.lstrip("[")[:1] == "V":
            self._waiting = None
        if found := TRANSPOSED.search(text):
            self._semitones = self._semitones or int(found[1])
        return MOVED.sub("", text) if text.lstrip("[")[:1] in ("K", "V") else text

    def marked(self, text: str) -> str:
        """Some notes as the parser reads them for the times: behind each placeholder a note of its pitch, none tied."""
        return SYMBOL_OR_NOTE.sub(self._marker, text).replace("-", "")

    def _marker(self, found: re.Match[str]) -> str:
        if ord(found[0][0]) >= PLACEHOLDER:
            self._waiting = ord(found[0]) - PLACEHOLDER
            return ""
        if found[0] == "&":  # a further voice, from the bar line on
            self._waiting = None
        if self._waiting is None:
            return found[0]
        octave, step = divmod(MARKERS[self._waiting], 12)
        self._waiting = None
        if found[0] in "XZ":  # how long it is, only the parser knows
            self.dropped["chord symbols"] += 1
            return found[0]
        name = NAMES[step] + OCTAVES[octave]
        return name.replace(name[1], name[1].lower()) if octave == 9 else name

    def times(self, marked: Score) -> list[tuple[int, Chord | None]]:
        """Ticks and chords in order, from a score of the marked text; None: no chord from there on."""
        names, found = dict(zip(MARKERS, self._names, strict=False)), dict[int, str]()
        order = np.lexsort((marked.track, marked.onset))
        for tick, pitch in zip(marked.onset[order].tolist(), marked.pitch[order].tolist(), strict=True):
            if pitch in names:
                found.setdefault(tick, names[pitch])
        return [(tick, self._chord(name)) for tick, name in found.items()]

    def _chord(self, name: str) -> Chord | None:
        """The chord of a name, moved as the notes are."""
        chord, semitones = chord_of_name(name), self._semitones
        if chord is None:
            return None
        return replace(chord, root=(chord.root + semitones) % 12, bass=(chord.bass + semitones) % 12)


def without_placeholders(text: str) -> str:
    """Notes without symbols."""
    return re.sub(r"[\ue000-\uf8ff]", "", text)


def with_chords(score: Score, times: Iterable[tuple[int, Chord | None]], end: int) -> Score:
    """A score with chords from ticks on, in order, up to the last tick, in a track behind the others."""
    notes = [
        (at, after - at, pitch)
        for (at, chord), (after, _) in pairwise([*times, (end, None)])
        if after > at and chord is not None
        for pitch in chord.pitches
    ]
    if not notes:
        return score
    onset, duration, pitch = np.array(notes).T

    def column(name: str, of_chords: IntArray | int) -> IntArray:
        both: IntArray = np.append(getattr(score, name), np.broadcast_to(of_chords, len(notes)))
        return both

    added = {"onset": onset, "duration": duration, "pitch": pitch}
    added |= {"velocity": PLAIN_VELOCITY, "program": 0, "track": len(score.track_names)}
    columns = {name: column(name, value) for name, value in added.items()}
    is_drum = np.append(score.is_drum, np.zeros(len(notes), dtype=bool))
    return score.replaced(**columns, is_drum=is_drum, track_names=(*score.track_names, CHORD_TRACK))
