"""The only room that opens music files. Damaged and hostile files end in a BadFileError."""

from seqaudio.files.abc import Tune, read_abc
from seqaudio.files.audio import AUDIO_SUFFIXES, Recording, audio_facts, read_audio, write_audio
from seqaudio.files.limits import DEFAULT_LIMITS, Limits
from seqaudio.files.midi import midi_bytes, read_midi, read_midi_bytes, write_midi
from seqaudio.files.musicxml import read_musicxml
from seqaudio.files.reader import Piece, read_pieces

__all__ = [
    "AUDIO_SUFFIXES",
    "DEFAULT_LIMITS",
    "Limits",
    "Piece",
    "Recording",
    "Tune",
    "audio_facts",
    "midi_bytes",
    "read_abc",
    "read_audio",
    "read_midi",
    "read_midi_bytes",
    "read_musicxml",
    "read_pieces",
    "write_audio",
    "write_midi",
]
