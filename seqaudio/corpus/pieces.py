"""What becomes of the pieces of one file? Token ids, or the name of the rule that dropped them.

file -> pieces -> (melody, or lead sheet) -> grid -> ids. The answer depends on the file's name and bytes and on the
options alone, so it can be found in any process, in any order, and kept for the next run.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.sources import SourceFile
from seqaudio.corpus.splits import marks
from seqaudio.errors import BadFileError, NoNotesError, OverLimitError, SeqAudioError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.reader import Piece, read_pieces_of_bytes
from seqaudio.music.lead_sheet import lead_sheet
from seqaudio.music.melody import find_melody
from seqaudio.music.metre import with_gathered_beats
from seqaudio.music.score import Score
from seqaudio.tokens import BarsTokenizer, Tokenizer


@dataclass(frozen=True)
class PreparedPiece:
    """A piece that was kept, or the rule that dropped it.

    Attributes:
        name: its file, with the tune's number where the file is a book.
        rule: the rule that dropped it; empty for a piece that was kept.
        reason: what came, what is allowed, what to do.
        tokens, notes, bars: its size on the grid.
        lowest: MIDI pitch of the lowest pitched note, so that two copies can tell how far apart they are.
        marks: what it shares with copies and versions of itself (see :mod:`seqaudio.corpus.splits`).
        lost: what the reader, the melody and the grid left out, as counts by name.
        split: the side of an official split that the file itself states.
    """

    name: str
    rule: str = ""
    reason: str = ""
    tokens: int = 0
    notes: int = 0
    bars: int = 0
    lowest: int = 0
    marks: tuple[str, ...] = ()
    lost: dict[str, int] = field(default_factory=dict)
    split: str = ""


@dataclass(frozen=True)
class PreparedFile:
    """All pieces of a file in order, and ``ids`` (tokens,) of the kept ones in a row; no hash: never to be reused."""

    name: str
    sha256: str
    pieces: tuple[PreparedPiece, ...]
    ids: NDArray[np.unsignedinteger]


def token_type(tokenizer: Tokenizer) -> np.dtype[np.unsignedinteger]:
    """The smallest unsigned type that holds the vocabulary."""
    return np.dtype(np.min_scalar_type(len(tokenizer.vocabulary) - 1))


def prepare_file(options: PrepareOptions, file: SourceFile) -> PreparedFile:
    """Every piece of one file, kept or dropped by a rule with a reason. Raises nothing but MemoryError."""
    if file.problem:
        return dropped_file(file, "unreadable", file.problem)
    tokenizer = options.make_tokenizer()
    sha256 = ""
    made: list[tuple[PreparedPiece, NDArray[np.int64]]] = []
    try:
        data = read_bytes(file.path, options.limits)
        sha256 = hashlib.sha256(data).hexdigest()
        pieces, problems = read_pieces_of_bytes(data, file.path, options.limits)
        made += [(_unreadable(file, problem), _NOTHING) for problem in problems]
        made += [_prepare_piece(options, tokenizer, piece, file) for piece in pieces]
    except (BadFileError, OSError) as problem:
        made = [(_unreadable(file, problem), _NOTHING)]
    except MemoryError:  # whoever runs this says how much memory a file may take
        raise
    except Exception as problem:  # a mistake of ours must cost one file, not the run
        reason = f"unexpected {type(problem).__name__}: {problem}; please report it"
        made = [(PreparedPiece(file.name, "unexpected error", reason), _NOTHING)]
    ids = np.concatenate([_NOTHING, *(ids for _, ids in made)])
    return PreparedFile(file.name, sha256, tuple(piece for piece, _ in made), ids.astype(token_type(tokenizer)))


_NOTHING = np.zeros(0, dtype=np.int64)


def dropped_file(file: SourceFile, rule: str, reason: str) -> PreparedFile:
    """A file of which nothing is known but why."""
    return PreparedFile(file.name, "", (PreparedPiece(file.name, rule, reason),), np.zeros(0, np.uint8))


def _unreadable(file: SourceFile, problem: Exception) -> PreparedPiece:
    """The reason begins with the file's path, which says where it lay, not what is wrong with it."""
    if _is_missing(file.path):
        return PreparedPiece(file.name, "not found", "no such file; mend the list, or bring the file")
    rule = "over a limit" if isinstance(problem, OverLimitError) else "unreadable"
    return PreparedPiece(file.name, rule, str(problem).removeprefix(f"{shown(file.path)}: "))


def _is_missing(path: Path) -> bool:
    """Is there nothing of this name? (A link that leads nowhere is something, and so is what we may not see.)"""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _prepare_piece(
    options: PrepareOptions, tokenizer: Tokenizer, piece: Piece, file: SourceFile
) -> tuple[PreparedPiece, NDArray[np.int64]]:
    folder = file.name[: file.name.rfind("/") + 1]
    found = PreparedPiece(folder + shown(piece.name), split=piece.split)
    lost = Counter({f"reader: {what}": count for what, count in piece.dropped.items()})
    try:
        grid, beside = _on_grid(options, tokenizer, piece.score)
        lost.update(beside)
        # other tokens know nothing of the music's bars
        barred = grid if isinstance(tokenizer, BarsTokenizer) else with_gathered_beats(piece.score)
        found = replace(found, notes=len(grid), bars=len(barred.bars()) - 1)
        if too_small := _too_small(options, found):
            return too_small, _NOTHING
        ids = tokenizer.encode(grid)
    except NoNotesError as problem:
        return replace(
            found, rule="no melody" if options.melody or options.lead_sheet else "no notes", reason=str(problem)
        ), _NOTHING
    except SeqAudioError as problem:
        return replace(found, rule="no tokens", reason=str(problem)), _NOTHING
    if len(ids) > options.max_tokens:
        reason = f"{len(ids)} tokens, max_tokens is {options.max_tokens}; change it with --max-tokens"
        return replace(found, rule="too long", reason=reason), _NOTHING
    kept = replace(
        found,
        tokens=len(ids),
        lowest=int(grid.pitch[~grid.is_drum].min(initial=127)),
        marks=(*marks(grid), *([f"number:{folder}{piece.place}"] if file.numbered and piece.place else [])),
        lost={what: int(lost[what]) for what in sorted(lost) if lost[what]},
    )
    return kept, ids


def prepare_score(options: PrepareOptions, score: Score) -> NDArray[np.int64]:
    """The ids of a score; raises what the tokenizer raises."""
    tokenizer = options.make_tokenizer()
    return tokenizer.encode(_on_grid(options, tokenizer, score)[0])


def _on_grid(options: PrepareOptions, tokenizer: Tokenizer, score: Score) -> tuple[Score, Counter[str]]:
    """A score as it is written, and how much of what is not."""
    score, lost = with_gathered_beats(score), Counter[str]()
    if options.melody:
        score, beside = _melody(score)
        lost.update(beside)
    elif options.lead_sheet:
        lost.update({"drums_dropped": int(score.is_drum.sum()), "pedal_spans_dropped": len(score.pedals)})
        score = lead_sheet(score)
    grid, loss = tokenizer.quantize(score)
    lost.update(loss.nonzero())
    return grid, lost


def _melody(score: Score) -> tuple[Score, dict[str, int]]:
    """The melody of a score, and how many notes are not in it."""
    melody = find_melody(score).score
    drums = int(score.is_drum.sum())
    return melody, {"notes_beside_the_melody": len(score) - drums - len(melody), "drums_dropped": drums}


def _too_small(options: PrepareOptions, piece: PreparedPiece) -> PreparedPiece | None:
    """The piece as dropped, if there is too little in it."""
    if piece.notes < options.min_notes:
        reason = f"{piece.notes} notes, min_notes is {options.min_notes}; change it with --min-notes"
        return replace(piece, rule="too few notes", reason=reason)
    if piece.bars < options.min_bars:
        reason = f"{piece.bars} bars, min_bars is {options.min_bars}; change it with --min-bars"
        return replace(piece, rule="too few bars", reason=reason)
    return None
