"""When do the chord symbols of an ABC tune sound?

The parser plays them as an accompaniment with a rhythm of its own, so they are not left to it. Nor is it known where in
a tune a symbol stands once its repeats are written out, but the parser knows. So it reads a second text of the tune, in
which the note behind each symbol has a pitch that no tune has, another one for every symbol: such notes mark the times.

Rules: each chord sounds until the next symbol, until "N.C.", or to the end, in the register of
:mod:`seqaudio.music.chords`, as notes of a track named ``chords``, the last one. Text that is no chord is counted as an
annotation and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from seqaudio.music.chords import CHORD_TRACK, chord_of_name, is_no_chord
from seqaudio.music.score import IntArray, Score

VELOCITY = 80  # mezzoforte, as of the chord symbols of MusicXML
PLACEHOLDER = 0xE000  # a character of no meaning, and those behind it: symbols while the rest of a line is cleaned
MARKERS = (*range(24), *range(108, 120))  # pitches below and above all tunes
OCTAVES = {0: ",,,,,", 1: ",,,,", 9: "'''"}  # of C, which is the octave of middle C
NAMES = ("=C", "^C", "=D", "^D", "=E", "=F", "^F", "=G", "^G", "=A", "^A", "=B")
QUOTED = re.compile(r'"([^"]*)"')
SYMBOL_OR_NOTE = re.compile(r"[\ue000-\uf8ff]|(?:\^{1,2}|_{1,2}|=)?[A-Ga-g][,']*|[xz]")


class ChordSymbols:
    """The chord symbols of a tune, taken out of its text and put back as times."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._waiting: int | None = None  # which one the next note bears

    def taken(self, text: str) -> tuple[str, int]:
        """Some notes with a placeholder for each symbol, and without annotations; and how many these are."""
        annotations = 0

        def placeholder(quoted: re.Match[str]) -> str:
            nonlocal annotations
            name = quoted[1].strip()
            known = is_no_chord(name) or chord_of_name(name) is not None
            if not known or (name not in self._names and len(self._names) == len(MARKERS)):
                annotations += 1
                return ""
            if name not in self._names:
                self._names.append(name)
            return chr(PLACEHOLDER + self._names.index(name))

        return QUOTED.sub(placeholder, text), annotations

    def marked(self, text: str) -> str:
        """Some notes as the parser reads them for the times: behind each placeholder a note of its pitch."""
        return SYMBOL_OR_NOTE.sub(self._marker, text)

    def _marker(self, found: re.Match[str]) -> str:
        if ord(found[0][0]) >= PLACEHOLDER:
            self._waiting = ord(found[0]) - PLACEHOLDER
            return ""
        if self._waiting is None:
            return found[0]
        octave, step = divmod(MARKERS[self._waiting], 12)
        self._waiting = None
        name = NAMES[step] + OCTAVES[octave]
        return name.replace(name[1], name[1].lower()) if octave == 9 else name

    def __bool__(self) -> bool:
        return bool(self._names)

    def times(self, marked: Score) -> list[tuple[int, str]]:
        """Ticks and names in order, from a score of the marked text."""
        names = dict(zip(MARKERS, self._names, strict=False))
        found = {
            (tick, names[pitch])
            for tick, pitch in zip(marked.onset.tolist(), marked.pitch.tolist(), strict=True)
            if pitch in names
        }
        return sorted(found)


def without_placeholders(text: str) -> str:
    """Notes without symbols."""
    return re.sub(r"[\ue000-\uf8ff]", "", text)


def with_chords(score: Score, times: Iterable[tuple[int, str]]) -> Score:
    """A score with the chords of symbols, at ticks in order, in a track behind the others."""
    changes = [*dict(times).items(), (score.end, "")]
    notes = [
        (at, end - at, pitch)
        for (at, name), (end, _) in pairwise(changes)
        if end > at and (chord := chord_of_name(name)) is not None
        for pitch in chord.pitches
    ]
    if not notes:
        return score
    onset, duration, pitch = np.array(notes).T

    def column(name: str, of_chords: IntArray | int) -> IntArray:
        both: IntArray = np.append(getattr(score, name), np.broadcast_to(of_chords, len(notes)))
        return both

    track = len(score.track_names)
    added = {"onset": onset, "duration": duration, "pitch": pitch, "velocity": VELOCITY, "program": 0, "track": track}
    columns = {name: column(name, value) for name, value in added.items()}
    is_drum = np.append(score.is_drum, np.zeros(len(notes), dtype=bool))
    return score.replaced(**columns, is_drum=is_drum, track_names=(*score.track_names, CHORD_TRACK))
