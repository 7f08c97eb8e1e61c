"""Which reader does a file need? MIDI by its bytes, ABC by its suffix; a book of tunes gives several pieces."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from seqaudio.errors import BadFileError
from seqaudio.files.abc import read_book, read_tune
from seqaudio.files.atomic import shown
from seqaudio.files.limits import DEFAULT_LIMITS, Limits
from seqaudio.files.midi import read_midi
from seqaudio.music.score import Score

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi", ".smf")
ABC_SUFFIXES = (".abc",)
MUSIC_SUFFIXES = MIDI_SUFFIXES + ABC_SUFFIXES


@dataclass(frozen=True)
class Piece:
    """A piece and where it comes from; ``dropped`` counts what its reader left out."""

    name: str
    score: Score
    dropped: dict[str, int] = field(default_factory=dict)


def read_pieces(
    path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS
) -> tuple[list[Piece], list[BadFileError]]:
    """Every piece in a music file, in order: one for MIDI, one per tune for ABC; and the tunes that cannot be read.

    Raises:
        BadFileError: the file as a whole cannot be read, or is not what it seems.
        OverLimitError: it is larger than ``limits`` allow.
    """
    path = Path(path)
    if path.suffix.lower() not in ABC_SUFFIXES:
        return [Piece(path.name, read_midi(path, limits))], []
    pieces: list[Piece] = []
    problems: list[BadFileError] = []
    for text in read_book(path, limits):
        try:
            tune = read_tune(text, shown(path), limits)
        except BadFileError as problem:
            problems.append(problem)
        else:
            pieces.append(Piece(f"{path.name}#{tune.number}", tune.score, tune.dropped))
    return pieces, problems
