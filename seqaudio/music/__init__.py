"""What a piece is. numpy only; frozen values."""

from seqaudio.music.score import Score

__all__ = ["Score"]
