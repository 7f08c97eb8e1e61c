"""The only room that opens music files. Damaged and hostile files end in a BadFileError."""

from seqaudio.files.limits import DEFAULT_LIMITS, Limits
from seqaudio.files.midi import midi_bytes, read_midi, read_midi_bytes, write_midi

__all__ = ["DEFAULT_LIMITS", "Limits", "midi_bytes", "read_midi", "read_midi_bytes", "write_midi"]
