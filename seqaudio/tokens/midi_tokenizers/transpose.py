"""Which base token is another one so many semitones higher, and which tokens are about drums?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import VocabularyError
from seqaudio.tokens.midi_tokenizers.ids import Ids

ROOTS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def moved(ids: Ids, base: list[int], semitones: int) -> list[int]:
    """Base tokens with pitched notes and the roots of chords moved, drums not.

    Raises:
        VocabularyError: a pitch would leave the range of the tokenizer.
    """
    of_token = [_moved(ids, name, semitones) for name in ids.base]
    out = [token if drums else of_token[token] for token, drums in zip(base, on_drums(ids, base).tolist(), strict=True)]
    if -1 in out:
        raise leaves_the_range(ids, semitones)
    return out


def leaves_the_range(ids: Ids, semitones: int) -> VocabularyError:
    """The error of a pitch that there is no token for."""
    low, high = ids.miditok.config.pitch_range
    return VocabularyError(f"moving by {semitones} semitones leaves the pitches {low}..{high}")


def _moved(ids: Ids, name: str, semitones: int) -> int:
    """The base token for another one that many semitones higher; -1 where there is none."""
    kind, _, value = name.partition("_")
    if kind in ("Pitch", "NoteOn", "NoteOff"):
        name = f"{kind}_{int(value) + semitones}"
    elif kind == "Chord" and ":" in value:
        root, _, quality = value.partition(":")
        name = f"Chord_{ROOTS[(ROOTS.index(root) + semitones) % 12]}:{quality}"
    return ids.of_base.get(name, -1)


def on_drums(ids: Ids, base: list[int]) -> NDArray[np.bool_]:
    """Which tokens are about a drum note although they are named like pitched ones, shape (base tokens,)."""
    config: Any = ids.miditok.config
    drums = ids.of_base.get("Program_-1", -1)
    programs = np.flatnonzero([ids.base[token].startswith("Program_") for token in base])
    if config.use_pitchdrum_tokens or drums < 0 or not len(programs):
        return np.zeros(len(base), dtype=bool)
    # a step names its program behind the pitch, a line in front of it
    nearest = np.searchsorted(programs, np.arange(len(base)), side="left" if ids.miditok.is_multi_voc else "right")
    nearest -= 0 if ids.miditok.is_multi_voc else 1
    known = (nearest >= 0) & (nearest < len(programs))
    named = np.array(base)[programs[np.clip(nearest, 0, len(programs) - 1)]]
    on: NDArray[np.bool_] = known & (named == drums)
    return on
