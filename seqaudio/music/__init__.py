"""What a piece is. numpy only; frozen values."""

from seqaudio.music.melody import Melody, find_melody
from seqaudio.music.score import Score
from seqaudio.music.waveform import Waveform

__all__ = ["Melody", "Score", "Waveform", "find_melody"]
