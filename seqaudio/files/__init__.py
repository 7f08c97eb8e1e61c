"""The only room that opens music files. Damaged and hostile files end in a BadFileError.

The names below are loaded when they are first used: readers of notes and of sound need different libraries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqaudio.lazy_names import lazy_names

_PUBLIC = {
    "AUDIO_SUFFIXES": "seqaudio.files.audio",
    "DEFAULT_LIMITS": "seqaudio.files.limits",
    "Limits": "seqaudio.files.limits",
    "Piece": "seqaudio.files.reader",
    "Recording": "seqaudio.files.audio",
    "Tune": "seqaudio.files.abc",
    "audio_facts": "seqaudio.files.audio",
    "midi_bytes": "seqaudio.files.midi",
    "read_abc": "seqaudio.files.abc",
    "read_audio": "seqaudio.files.audio",
    "read_midi": "seqaudio.files.midi",
    "read_midi_bytes": "seqaudio.files.midi",
    "read_musicxml": "seqaudio.files.musicxml",
    "read_pieces": "seqaudio.files.reader",
    "write_audio": "seqaudio.files.audio",
    "write_midi": "seqaudio.files.midi",
}
__all__ = list(_PUBLIC)

if TYPE_CHECKING:  # the same names, for type checkers and editors: what is not renamed to itself is not exported
    from seqaudio.files.abc import Tune as Tune, read_abc as read_abc
    from seqaudio.files.audio import (
        AUDIO_SUFFIXES as AUDIO_SUFFIXES,
        Recording as Recording,
        audio_facts as audio_facts,
        read_audio as read_audio,
        write_audio as write_audio,
    )
    from seqaudio.files.limits import DEFAULT_LIMITS as DEFAULT_LIMITS, Limits as Limits
    from seqaudio.files.midi import (
        midi_bytes as midi_bytes,
        read_midi as read_midi,
        read_midi_bytes as read_midi_bytes,
        write_midi as write_midi,
    )
    from seqaudio.files.musicxml import read_musicxml as read_musicxml
    from seqaudio.files.reader import Piece as Piece, read_pieces as read_pieces


__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
