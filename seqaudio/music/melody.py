"""Which line of a score is its melody?

A track that says so by its name, else the skyline: of the notes that begin together the highest, unless a higher one
is still sounding. Source: the skyline rule of Uitdenbogerd & Zobel 1999.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import NoNotesError
from seqaudio.music.chords import CHORD_TRACK
from seqaudio.music.score import Score

MELODY_NAMES = re.compile(
    r"\b(melody|melodie|mel[oó]d[ií]a|lead|vocals?|vox|voice|voz|sopran[oa]?|tune|cantus|solo)\b", re.I
)
ACCOMPANIMENT_NAMES = re.compile(r"\b(backing|background|oohs|aahs|choir|pad|chords?|harmony)\b", re.I)
WORD_BREAK = re.compile(r"[\W_\d]+|(?<=[a-z])(?=[A-Z])")  # Vocal_1 and LeadVox are two words each


@dataclass(frozen=True)
class Melody:
    """A single line: a score in which no two notes sound together, and how it was found, for people to read."""

    score: Score
    found_as: str


def find_melody(score: Score) -> Melody:
    """The melody of a score, as a line in which each note ends before the next begins.

    Raises:
        NoNotesError: the score has no pitched notes.
    """
    pitched = without_symbols(score.notes(~score.is_drum))
    if not len(pitched):
        raise NoNotesError("no pitched notes, only drums, which have no melody" if len(score) else "no notes")
    tracks = np.unique(pitched.track).tolist()
    named = [t for t in tracks if is_melody_name(score.track_names[t])]
    if len(tracks) == 1:
        chosen, found_as = pitched, "the only track"
    elif named:
        name = score.track_names[named[0]]  # a track that changes its instrument is several score tracks of one name
        chosen = pitched.notes(np.isin(pitched.track, [t for t in tracks if score.track_names[t] == name]))
        found_as = f"track {named[0] + 1} of {len(score.track_names)}, named {name!r}"
    else:
        chosen, found_as = pitched, f"the skyline of {len(tracks)} tracks"
    line = skyline(chosen)
    if len(line) < len(chosen) and "skyline" not in found_as:
        found_as += ", its highest notes"
    return Melody(line, found_as)


def without_symbols(score: Score) -> Score:
    """The notes but for the chord symbols of a lead sheet, which stand beside its tune; all, where there is no tune."""
    symbols = np.isin(score.track, [t for t, name in enumerate(score.track_names) if name == CHORD_TRACK])
    return score if symbols.all() else score.notes(~symbols)


def is_melody_name(name: str) -> bool:
    """Does a track's name say that it carries the melody, and not that it accompanies one?"""
    words = " ".join(WORD_BREAK.split(name))
    return bool(MELODY_NAMES.search(words)) and not ACCOMPANIMENT_NAMES.search(words)


def skyline(score: Score) -> Score:
    """Only the notes that begin as the highest sounding ones, each cut where the next begins."""
    line = score.notes(_begins_on_top(score))
    until_next = np.append(np.diff(line.onset), np.iinfo(np.int64).max)[: len(line)]
    return line.replaced(duration=np.minimum(line.duration, until_next))


def _begins_on_top(score: Score) -> NDArray[np.bool_]:
    """For each note: is it the highest of its onset, with no higher one sounding on?

    A note that outlasts the next onset by less than a sixteenth is played legato, not held against it.
    """
    on_top = np.zeros(len(score), dtype=bool)
    legato = score.ticks_per_quarter // 4
    sounds_until = np.full(129, -1)  # by pitch; the last place stays empty
    last_onset = -1
    for i in np.lexsort((-score.pitch, score.onset)).tolist():
        onset, pitch = int(score.onset[i]), int(score.pitch[i])
        if onset != last_onset and sounds_until[pitch + 1 :].max() <= onset + legato:
            on_top[i] = True
            last_onset = onset
        sounds_until[pitch] = max(sounds_until[pitch], onset + int(score.duration[i]))
    return on_top
