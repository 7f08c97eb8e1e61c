"""What did the user hand over as a primer? A MIDI or MusicXML file, a tune of an ABC book, or melody codes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seqaudio.errors import NoNotesError, OptionError
from seqaudio.files.atomic import shown
from seqaudio.files.limits import DEFAULT_LIMITS, Limits
from seqaudio.files.reader import Piece, read_piece
from seqaudio.music.score import Score
from seqaudio.pretrained import AUTO, DEFAULT_MODEL
from seqaudio.pretrained.choice import Choice, check_fits, choose_model
from seqaudio.structure.bars import first_bars
from seqaudio.tokens.melody import MelodyTokenizer


def read_primer(path: Path, tune: str | None = None, limits: Limits = DEFAULT_LIMITS) -> tuple[Piece, list[str]]:
    """The piece in a file, or the one of a book or set that is named, and what should be said about it.

    Raises:
        OptionError: no piece of the file is named so, or several are.
        BadFileError: it cannot be read, for want of a package too.
        OverLimitError: it is larger than ``limits`` allow.
    """
    piece, count = read_piece(path, tune, limits)
    remarks: list[str] = []
    if count > 1:
        named = " ".join(["tune" if piece.roll is None else "roll", *([piece.place] if piece.place else [])])
        named += f" {piece.title!r}" if piece.title else ""
        others = f"one of {count:,}" if tune is not None else f"the first of {count:,}; --tune names another"
        remarks.append(f"{named}, {others}")
    left_out, unclear = list[str](), list[str]()
    for what, n in piece.dropped.items():
        if what.startswith("parser "):
            unclear.append(f"{n} {what.removeprefix('parser ').removesuffix('s')}{'s' * (n > 1)}")
        else:
            left_out.append(f"{n} {what}")
    if left_out:
        remarks.append(f"left out of the tune: {', '.join(left_out)}")
    if unclear:
        remarks.append(f"not all of its notation is clear to the parser: {', '.join(unclear)}")
    return piece, remarks


def the_model(
    asked: str, score: Score | None = None, primer_bars: int | None = None, *, straight: bool | None = None
) -> Choice:
    """The model to use: the one asked for, or for "auto" the one that fits the primer, or the bars of it to be heard.

    Raises NoNotesError for a primer without notes, or with none that the shipped model asked for has learnt of.
    """
    if score is None:
        return Choice(DEFAULT_MODEL, "a piece without a primer") if asked == AUTO else Choice(asked)
    heard = first_bars(score, primer_bars) if primer_bars else score
    if asked != AUTO:
        check_fits(asked, heard, "without --model the one that fits is chosen")
        return Choice(asked)
    return choose_model(heard if len(heard) else score, straight=straight)


@contextmanager
def naming(path: Path | None) -> Iterator[None]:
    """Put the primer's path in front of what is wrong with its notes."""
    try:
        yield
    except (NoNotesError, OptionError) as problem:
        raise type(problem)(f"{shown(path) if path else 'the primer'}: {problem}") from None


def melody_primer(text: str, tune: str | None = None) -> tuple[Piece, list[str]]:
    """A piece from magenta's melody codes, ``"[60, -2, 67, -1]"``, four to a quarter, and nothing to say about it.

    Codes: -2 the note or silence goes on, -1 the note ends, 0..127 a note begins.

    Raises:
        OptionError: the text is no such list, or a tune of it is named.
    """
    if tune is not None:
        raise OptionError("--tune names a piece of a file, and melody codes are one; leave it out")
    try:
        codes = ast.literal_eval(text)
        valid = isinstance(codes, (list, tuple)) and all(type(c) is int and -2 <= c <= 127 for c in codes) and codes
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        valid = False
    if not valid:
        raise OptionError(f"--primer_melody {text!r}: write a list of codes -2 to 127, such as '[60, -2, 67, -1]'")
    tokenizer = MelodyTokenizer()
    return Piece("", tokenizer.decode(tokenizer.ids_of(codes))), []
