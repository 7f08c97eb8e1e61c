"""How is a piece moved to another key, and how far may it go? One small part per kind of piece, handed to the loop.

Conventions: semitones, up is positive. A piece stays on the piano, MIDI pitches 21 to 108; one that leaves it already
moves no further out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from seqaudio.corpus.batches import Piece
from seqaudio.errors import OptionError
from seqaudio.music.frames import transposed_frames
from seqaudio.tokens import Tokenizer

LOWEST_PITCH, HIGHEST_PITCH = 21, 108


class Transposition(Protocol):
    """What the loop asks of a kind of piece."""

    def pitch_range(self, piece: Piece) -> tuple[int, int]:
        """Lowest and highest pitch; (127, 0) of a silent piece."""

    def moved(self, piece: Piece, semitones: int) -> Piece:
        """The piece, moved; int64 ids, or frames."""


@dataclass(frozen=True)
class TokenTransposition:
    """Pieces of tokens (steps,) are moved by their tokenizer."""

    tokenizer: Tokenizer

    def pitch_range(self, piece: Piece) -> tuple[int, int]:
        """Lowest and highest pitch of the tokens that have one."""
        pitch = self.tokenizer.pitch_of_token[piece]
        pitch = pitch[pitch >= 0]
        return int(pitch.min(initial=127)), int(pitch.max(initial=0))

    def moved(self, piece: Piece, semitones: int) -> Piece:
        """As the tokenizer does it."""
        return self.tokenizer.transpose(np.asarray(piece, dtype=np.int64), semitones)


@dataclass(frozen=True)
class FrameTransposition:
    """Pieces of frames (steps, keys), key 0 at ``lowest_pitch``."""

    lowest_pitch: int

    def pitch_range(self, piece: Piece) -> tuple[int, int]:
        """Lowest and highest pitch that sounds."""
        pitch = self.lowest_pitch + np.flatnonzero(piece.any(axis=0))
        return int(pitch.min(initial=127)), int(pitch.max(initial=0))

    def moved(self, piece: Piece, semitones: int) -> Piece:
        """The frames with every key so many places further up."""
        return transposed_frames(piece, semitones)


@dataclass(frozen=True)
class Unmoved:
    """Pieces without pitch, such as texts and series: there is no room to move them."""

    def pitch_range(self, piece: Piece) -> tuple[int, int]:
        """The whole piano, whatever the piece is."""
        return LOWEST_PITCH, HIGHEST_PITCH

    def moved(self, piece: Piece, semitones: int) -> Piece:
        """The piece itself. Raises OptionError where it is to go anywhere."""
        if semitones:
            raise OptionError(f"{semitones} semitones: a piece without pitch cannot be moved; ask for 0")
        return piece


def room(pitch_range: tuple[int, int], most: int) -> tuple[int, int]:
    """How far a piece of this range may go down and up, each from 0 to ``most`` semitones."""
    low, high = pitch_range
    return max(0, min(most, low - LOWEST_PITCH)), max(0, min(most, HIGHEST_PITCH - high))
