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
    is_melody, found_as = find_melody_notes(score)
    return Melody(cut_where_next_begins(score.notes(is_melody)), found_as)


def find_melody_notes(score: Score) -> tuple[NDArray[np.bool_], str]:
    """Which notes of a score are its melody, (notes,), and how they were found.

    Raises:
        NoNotesError: the score has no pitched notes.
    """
    symbols = chord_symbols(score)
    pitched = ~score.is_drum & ~symbols
    if not pitched.any():
        raise NoNotesError("no pitched notes, only drums, which have no melody" if len(score) else "no notes")
    tracks = np.unique(score.track[pitched]).tolist()
    named = [t for t in tracks if is_melody_name(score.track_names[t])]
    chosen = pitched
    if len(tracks) == 1:
        found_as = "the only track beside the chord symbols" if symbols.any() else "the only track"
    elif named:
        name = score.track_names[named[0]]  # a track that changes its instrument is several score tracks of one name
        chosen = pitched & np.isin(score.track, [t for t in tracks if score.track_names[t] == name])
        found_as = f"track {named[0] + 1} of {len(score.track_names)}, named {name!r}"
    else:
        found_as = f"the highest notes of {len(tracks)} tracks"
    line = chosen.copy()
    line[chosen] = _begins_on_top(score.notes(chosen))
    if line.sum() < chosen.sum() and "highest" not in found_as:
        found_as += ", its highest notes"
    return line, found_as


def chord_symbols(score: Score) -> NDArray[np.bool_]:
    """Which notes are chord symbols of a lead sheet, (notes,); none, where no other pitched notes are."""
    return _is_symbol(score, ~score.is_drum)


def without_symbols(score: Score) -> Score:
    """The notes but for the chord symbols of a lead sheet, which stand beside its tune; all, where there is no tune."""
    symbols = _is_symbol(score, np.ones(len(score), dtype=bool))
    return score.notes(~symbols) if symbols.any() else score


def _is_symbol(score: Score, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which notes are chord symbols, (notes,); none, where there is nothing else among some notes."""
    tracks = [track for track, name in enumerate(score.track_names) if name == CHORD_TRACK]
    symbols: NDArray[np.bool_] = np.isin(score.track, tracks) & among
    return symbols & bool((among & ~symbols).any())


def is_melody_name(name: str) -> bool:
    """Does a track's name say that it carries the melody, and not that it accompanies one?"""
    words = " ".join(WORD_BREAK.split(name))
    return bool(MELODY_NAMES.search(words)) and not ACCOMPANIMENT_NAMES.search(words)


def skyline(score: Score) -> Score:
    """Only the notes that begin as the highest sounding ones, each cut where the next begins."""
    return cut_where_next_begins(score.notes(_begins_on_top(score)))


def cut_where_next_begins(line: Score) -> Score:
    """Notes of which no two begin together, each ended where the next begins, if not before."""
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
