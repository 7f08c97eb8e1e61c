"""How is compiling kept out of the time and memory that a file may take?

A worker process compiles, or loads machine code from disk, before its first file: it reads and tokenizes a small piece
of its own. Where there is so little to read that compiling does not pay, it interprets, whatever is on disk: what is
kept must not depend on what an earlier run left there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from seqaudio.compiled import compile_now, never_compile
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.pieces import prepare_score
from seqaudio.corpus.sources import SourceFile
from seqaudio.errors import SeqAudioError
from seqaudio.files import midi_bytes, read_midi_bytes
from seqaudio.music.score import NOTE_COLUMNS, Score
from seqaudio.tokens.own import register, registered

FEW_FILES, FEW_BYTES = 16, 50_000  # up to here, interpreting takes less than loading machine code


def preparation(options: PrepareOptions, files: Sequence[SourceFile]) -> Callable[[], None]:
    """What a worker has to do before the first of these files; it pickles."""
    ready = never_compile if _are_few(files) else partial(warm_up, options)
    own = registered(options.tokenizer)
    return ready if own is None else partial(_with_own, own, ready)


def _with_own(tokenizer: type, ready: Callable[[], None]) -> None:
    """Unpickling the class has imported its module, as this process had; now it can be found by its name."""
    register(tokenizer)
    ready()


def warm_up(options: PrepareOptions) -> None:
    """Have every compiled loop on the way from file to ids as machine code."""
    compile_now()
    piece = _piece()
    empty = piece.replaced(**{name: getattr(piece, name)[:0] for name in NOTE_COLUMNS})
    read = [read_midi_bytes(midi_bytes(score), "a piece of our own") for score in (piece, empty)]
    for score in (piece, read[0]):  # from another reader; from a MIDI file
        with suppress(SeqAudioError):  # a trained tokenizer need not know all of this
            prepare_score(options, score)


def _piece() -> Score:
    """Two tracks and drums, with all that a file can hold."""
    onset = [0, 0, 0, 480, 480, 960, 960]
    return Score.from_notes(
        onset,
        480,
        [60, 36, 48, 62, 36, 64, 64],
        program=[0, 0, 40, 0, 0, 0, 0],
        is_drum=[False, True, False, False, True, False, False],
        track=[0, 1, 2, 0, 1, 0, 0],
        tempos=[(0, 500_000), (960, 400_000)],
        time_signatures=[(0, 4, 4), (1920, 3, 4)],
        pedals=[(0, 700, 0), (800, 300, 0)],
        track_names=("a", "b", "c"),
    )


def _are_few(files: Sequence[SourceFile]) -> bool:
    if len(files) > FEW_FILES:
        return False
    size = 0
    for file in files:
        with suppress(OSError):  # one that is not there is dropped without being read
            size += os.path.getsize(file.path)
    return size <= FEW_BYTES
