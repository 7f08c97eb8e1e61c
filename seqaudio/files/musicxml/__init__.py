"""MusicXML files."""

from seqaudio.files.musicxml.reading import read_musicxml, read_musicxml_bytes

__all__ = ["read_musicxml", "read_musicxml_bytes"]
