"""Which reader does a file need? Its first bytes decide, and its suffix where they say nothing.

Conventions: a file is read as what it is, whatever its name: MIDI begins with ``MThd`` or a RIFF header of kind RMID, a
zip archive or XML text is MusicXML. ABC and sets of piano rolls have no mark of their own, so their suffixes decide; a
MIDI reader gets all the rest and says what it found instead (gzip, audio, a web page). A book of tunes and a set of
rolls give several pieces. The suffixes of rolls belong to many other things too, so they are no part of what is looked
for in a folder: name such a file itself.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from seqaudio.errors import BadFileError, MissingDependencyError
from seqaudio.files.abc import Tune, book_texts, number_of, read_tune, titles_of
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.finding import find_piece
from seqaudio.files.limits import DEFAULT_LIMITS, Limits, checked
from seqaudio.files.midi import read_midi_bytes
from seqaudio.files.musicxml import read_musicxml_bytes
from seqaudio.files.rolls import PICKLE_SUFFIXES, ROLL_SUFFIXES, Roll, read_rolls_of_bytes
from seqaudio.music.score import Score

MIDI_SUFFIXES = (".mid", ".midi", ".kar", ".rmi", ".smf")
ABC_SUFFIXES = (".abc",)
MUSICXML_SUFFIXES = (".mxl", ".musicxml", ".xml")
MUSIC_SUFFIXES = MIDI_SUFFIXES + ABC_SUFFIXES + MUSICXML_SUFFIXES

MIDI_BYTES = re.compile(rb"MThd|RIFF....RMID", re.DOTALL)
XML_BYTES = re.compile(rb"PK\x03\x04|(?:\xef\xbb\xbf)?\s*<(?!!DOCTYPE html|html)|\xff\xfe\s*<\0|\xfe\xff\0<", re.I)


@dataclass(frozen=True)
class Piece:
    """A piece and where it comes from.

    Attributes:
        file: the name of the file that it is in.
        score: what sounds.
        dropped: counts of what its reader left out.
        place: which of the file's pieces it is: the number of a tune in a book, the place in a set of rolls; None
            where a file is one piece.
        title: of a tune.
        split: the side of the split that the file itself puts it on (train, valid, test), if it says so.
        roll: what it was made from, of a set of rolls.
    """

    file: str
    score: Score
    dropped: dict[str, int] = field(default_factory=dict)
    place: str | None = None
    title: str = ""
    split: str = ""
    roll: Roll | None = None

    @property
    def name(self) -> str:
        """File and place, such as ``book.abc#12``."""
        return self.file if self.place is None else f"{self.file}#{self.place}"


def read_pieces(
    path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS
) -> tuple[list[Piece], list[BadFileError]]:
    """Every piece in a music file, in order, and what of it cannot be read.

    MIDI and MusicXML hold one piece, a book in ABC one per tune, a set of rolls one per roll.

    A format whose optional package is missing is among what cannot be read, so that a folder of many formats is not
    lost for one of them.

    Raises:
        BadFileError: the file as a whole cannot be read, or is not what it seems.
        OverLimitError: it is larger than ``limits`` allow.
    """
    return read_pieces_of_bytes(read_bytes(path, limits), path, limits)


def read_pieces_of_bytes(
    data: bytes, path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS
) -> tuple[list[Piece], list[BadFileError]]:
    """As :func:`read_pieces`, from the bytes of a file; ``path`` gives its suffix and its name in errors."""
    path, name = Path(path), shown(path)
    if path.suffix.lower() in ROLL_SUFFIXES + PICKLE_SUFFIXES:
        rolls = read_rolls_of_bytes(data, path, limits)
        return [
            Piece(roll.file, checked(roll.score(), limits, name), place=roll.place, split=roll.split, roll=roll)
            for roll in rolls
        ], []
    match kind_of(data, path.suffix):
        case "abc":
            return _read_book(data, path, limits)
        case "musicxml":
            try:
                score, dropped = read_musicxml_bytes(data, name, limits)
            except MissingDependencyError as problem:
                return [], [BadFileError(f"{name}: {problem}")]
            return [Piece(path.name, score, dropped)], []
    return [Piece(path.name, read_midi_bytes(data, name, limits))], []


def kind_of(data: bytes, suffix: str) -> str:
    """``midi``, ``abc`` or ``musicxml``, from the first bytes of a file, else from its suffix."""
    if MIDI_BYTES.match(data):
        return "midi"
    if suffix.lower() in ABC_SUFFIXES:
        return "abc"
    return "musicxml" if XML_BYTES.match(data) else "midi"


def _read_book(data: bytes, path: Path, limits: Limits) -> tuple[list[Piece], list[BadFileError]]:
    pieces: list[Piece] = []
    problems: list[BadFileError] = []
    for text in book_texts(data, shown(path), limits):
        try:
            tune = read_tune(text, shown(path), limits)
        except BadFileError as problem:
            problems.append(problem)
        else:
            pieces.append(_tune_piece(path, tune))
    return pieces, problems


def _tune_piece(path: Path, tune: Tune) -> Piece:
    return Piece(path.name, tune.score, tune.dropped, place=tune.number, title=tune.title)


def read_piece(
    path: str | os.PathLike[str], wanted: str | None = None, limits: Limits = DEFAULT_LIMITS
) -> tuple[Piece, int]:
    """One piece of a music file, and how many it holds. Of a book no other tune is parsed.

    Args:
        path: of the file.
        wanted: which of them, as :func:`seqaudio.files.finding.find_piece` takes it; None: the first.
        limits: budgets for the file.

    Raises:
        OptionError: no piece is wanted so, or several are.
        BadFileError: the file cannot be read, for want of a package too.
        OverLimitError: it is larger than ``limits`` allow.
    """
    data, path, name = read_bytes(path, limits), Path(path), shown(path)
    if kind_of(data, path.suffix) == "abc":
        texts = book_texts(data, name, limits)
        known = [(number_of(text), *titles_of(text)) for text in texts]
        found = 0 if wanted is None else find_piece(wanted, known, name)
        return _tune_piece(path, read_tune(texts[found], name, limits)), len(texts)
    pieces, problems = read_pieces_of_bytes(data, path, limits)
    for problem in problems:
        raise problem
    found = 0 if wanted is None else find_piece(wanted, [(piece.place or "",) for piece in pieces], name)
    return pieces[found], len(pieces)
