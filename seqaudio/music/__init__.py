"""What a piece is. numpy only; frozen values."""

from seqaudio.music.melody import Melody, find_melody
from seqaudio.music.score import Score

__all__ = ["Melody", "Score", "find_melody"]
