"""What does a set of piano rolls hold for a model of frames? Pieces as frames (steps, keys), by the set's own splits.

Conventions: frames are bool; key 0 is the MIDI pitch ``lowest_pitch``. All rolls of a set have the same keys.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.rolls import Roll, read_rolls_of_bytes
from seqaudio.music.frames import Frames
from seqaudio.music.splits import check_split


@dataclass(frozen=True)
class FrameCorpus:
    """A set of rolls that :meth:`open` has read; two are equal when name and fingerprint are.

    Attributes:
        name: the path of the set, as it may be printed.
        rolls: all pieces, in order of the splits.
        fingerprint: SHA-256 of the file.
    """

    name: str
    rolls: tuple[Roll, ...] = field(compare=False)
    fingerprint: str

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> FrameCorpus:
        """Read a set of rolls: a .mat, .json or .npz file, see :mod:`seqaudio.files.rolls`.

        Raises:
            BadFileError: the file is no set of rolls, does not say its splits, or mixes numbers of keys.
        """
        data, name = read_bytes(path), shown(path)
        rolls = tuple(read_rolls_of_bytes(data, path))
        if not all(roll.split for roll in rolls):
            raise BadFileError(f"{name}: does not say which pieces are train, valid and test; name its arrays so")
        if len({roll.frames.shape[1] for roll in rolls}) != 1:
            raise BadFileError(f"{name}: rolls of 88 and of 128 keys, or none; save the set with one number of keys")
        return cls(name, rolls, hashlib.sha256(data).hexdigest())

    def split(self, name: str) -> list[Frames]:
        """The pieces of "train", "valid" or "test", each (steps, keys). Raises OptionError for another name."""
        check_split(name)
        return [roll.frames for roll in self.rolls if roll.split == name]

    @property
    def keys(self) -> int:
        """Entries of a frame."""
        return int(self.rolls[0].frames.shape[1])

    @property
    def lowest_pitch(self) -> int:
        """The MIDI pitch of key 0."""
        return self.rolls[0].lowest_pitch

    @property
    def steps_per_quarter(self) -> int:
        """How many frames make a quarter note."""
        return self.rolls[0].steps_per_quarter
