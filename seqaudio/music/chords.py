"""Which notes does a chord symbol stand for?

Conventions: roots and basses are pitch classes 0..11 from C. A chord is written as degrees of the major scale of its
root, as musicians say it: ``1 b3 5 b7`` is a minor seventh. Names of kinds are those of MusicXML, whose definitions
they follow; in a thirteenth above a major third the eleventh is left out, as players do.

Voicing: the bass lies in the octave C3..B3 (MIDI 48..59) and every other pitch class once, within the octave above it,
so that chords stay under most melodies and move little.
Source: MusicXML 4.0, the elements harmony, kind and degree, https://www.w3.org/2021/06/musicxml40/
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CHORD_TRACK = "chords"  # the name of a track that holds a lead sheet's chord symbols
LOWEST_BASS = 48
MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

KINDS = {
    "major": "1 3 5",
    "minor": "1 b3 5",
    "augmented": "1 3 #5",
    "diminished": "1 b3 b5",
    "dominant": "1 3 5 b7",
    "major-seventh": "1 3 5 7",
    "minor-seventh": "1 b3 5 b7",
    "diminished-seventh": "1 b3 b5 bb7",
    "augmented-seventh": "1 3 #5 b7",
    "half-diminished": "1 b3 b5 b7",
    "major-minor": "1 b3 5 7",
    "major-sixth": "1 3 5 6",
    "minor-sixth": "1 b3 5 6",
    "dominant-ninth": "1 3 5 b7 9",
    "major-ninth": "1 3 5 7 9",
    "minor-ninth": "1 b3 5 b7 9",
    "dominant-11th": "1 3 5 b7 9 11",
    "major-11th": "1 3 5 7 9 11",
    "minor-11th": "1 b3 5 b7 9 11",
    "dominant-13th": "1 3 5 b7 9 13",
    "major-13th": "1 3 5 7 9 13",
    "minor-13th": "1 b3 5 b7 9 11 13",
    "suspended-second": "1 2 5",
    "suspended-fourth": "1 4 5",
    "power": "1 5",
    "pedal": "1",
    # not in the standard, but written by MuseScore and music21
    "minor-major": "1 b3 5 7",
    "augmented-ninth": "1 3 #5 b7 9",
    "maj69": "1 3 5 6 9",
}


SUFFIXES = {
    "major": ("", "maj", "major", "M"),
    "minor": ("m", "min", "minor", "mi", "-"),
    "augmented": ("aug", "+"),
    "diminished": ("dim", "d", "°"),
    "dominant": ("7", "dom7"),
    "major-seventh": ("maj7", "ma7", "M7", "j7", "Δ", "Δ7"),
    "minor-seventh": ("m7", "min7", "mi7", "-7"),
    "diminished-seventh": ("dim7", "o7", "°7"),
    "augmented-seventh": ("aug7", "+7", "7+", "7#5"),
    "half-diminished": ("m7b5", "min7b5", "-7b5", "ø", "ø7"),
    "major-minor": ("mM7", "mmaj7", "minmaj7", "m(maj7)", "m(M7)"),
    "major-sixth": ("6", "maj6", "M6"),
    "minor-sixth": ("m6", "min6", "-6"),
    "dominant-ninth": ("9",),
    "major-ninth": ("maj9", "ma9", "M9"),
    "minor-ninth": ("m9", "min9", "-9"),
    "dominant-11th": ("11",),
    "major-11th": ("maj11", "M11"),
    "minor-11th": ("m11", "min11", "-11"),
    "dominant-13th": ("13",),
    "major-13th": ("maj13", "M13"),
    "minor-13th": ("m13", "min13", "-13"),
    "suspended-second": ("sus2",),
    "suspended-fourth": ("sus", "sus4"),
    "power": ("5",),
    "maj69": ("69", "6/9"),
}
"""How the kinds are written behind a root, as in ``Am7``; a d for diminished and ``D/f+`` are abc's."""
CHANGED = {
    "7sus4": ("suspended-fourth", ("add", 7, 0)),
    "7sus": ("suspended-fourth", ("add", 7, 0)),
    "7b9": ("dominant", ("add", 9, -1)),
    "7#9": ("dominant", ("add", 9, 1)),
    "7b5": ("dominant", ("alter", 5, -1)),
    "add9": ("major", ("add", 9, 0)),
    "madd9": ("minor", ("add", 9, 0)),
}
_KIND_OF = {suffix: kind for kind, suffixes in SUFFIXES.items() for suffix in suffixes}
_NAME = re.compile(r"([A-G])([#b♯♭]?)(.*?)(?:/([A-Ga-g])([#b♯♭+]?))?")
_ALTERED = {"": 0, "#": 1, "♯": 1, "+": 1, "b": -1, "♭": -1}


@dataclass(frozen=True)
class Chord:
    """A chord symbol: pitch classes of root and bass, and semitones above the root of all its degrees."""

    root: int
    intervals: tuple[int, ...]
    bass: int

    @property
    def pitches(self) -> tuple[int, ...]:
        """MIDI pitches from the bass up, in the register the module states."""
        bass = LOWEST_BASS + self.bass % 12
        others = {bass + (self.root + interval - bass) % 12 for interval in self.intervals}
        return tuple(sorted({bass} | others))


def semitones(degree: str) -> int:
    """Semitones above the root of a degree such as ``b3`` or ``#11``."""
    number = int(degree.lstrip("#b")) - 1
    return 12 * (number // 7) + MAJOR_SCALE[number % 7] + degree.count("#") - degree.count("b")


def chord_of_kind(
    kind: str, root: int, bass: int | None = None, changes: tuple[tuple[str, int, int], ...] = ()
) -> Chord | None:
    """The chord of a MusicXML kind, or None if the kind is unknown or says nothing about notes.

    Args:
        kind: such as ``minor-seventh``.
        root: pitch class.
        bass: pitch class, if it is not the root.
        changes: (``add``, ``alter`` or ``subtract``, degree from 1, alteration in semitones): an alteration of an added
            degree counts from the dominant chord, of another from the degree as the kind has it.
    """
    if kind not in KINDS:
        return None
    degrees = {int(re.sub("[#b]", "", name)): semitones(name) for name in KINDS[kind].split()}
    for what, degree, alteration in changes:
        if not 1 <= degree <= 13:
            continue
        plain = semitones("b7" if degree == 7 else str(degree))
        if what == "subtract":
            degrees.pop(degree, None)
        elif what == "add":
            degrees[degree] = plain + alteration
        else:
            degrees[degree] = degrees.get(degree, plain) + alteration
    return Chord(root % 12, tuple(sorted(set(degrees.values()))), (root if bass is None else bass) % 12)


def is_no_chord(name: str) -> bool:
    """Whether a symbol says that no chord sounds: ``N.C.``."""
    return name.upper().replace(".", "").replace(" ", "") in ("NC", "NOCHORD")


def chord_of_name(name: str) -> Chord | None:
    """The chord of a symbol such as ``Am7``, ``Bb`` or ``D7/F#``, or None for what is no such symbol."""
    found = _NAME.fullmatch(name.strip())
    if not found:
        return None
    step, sign, suffix, bass, bass_sign = found.groups()
    if suffix not in _KIND_OF:
        suffix = re.sub(r"[()]", "", suffix.replace("♭", "b").replace("♯", "#"))
        suffix = re.sub(r"(?<=7)-(?=[59])", "b", suffix)
    kind, *changes = CHANGED.get(suffix, (_KIND_OF.get(suffix, ""),))
    root = STEPS[step] + _ALTERED[sign]
    lowest = STEPS[bass.upper()] + _ALTERED[bass_sign] if bass else None
    return chord_of_kind(kind, root, lowest, tuple(changes))
