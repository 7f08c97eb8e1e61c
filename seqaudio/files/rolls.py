"""What piano rolls does one of the standard sets hold?

Conventions: a roll's frames are bool, shape (steps, keys), key 0 is ``lowest_pitch``: 21 for 88 keys, 0 for 128. Forms:

- ``.mat`` (Boulanger-Lewandowski 2012): cell arrays ``traindata``, ``validdata`` and ``testdata`` of matrices
  (steps, keys).
- ``.json``: ``{"train": [piece, ...], "valid": ..., "test": ...}``, a piece a list of steps, a step a list of MIDI
  pitches. Where every step of the file has the same number of entries they are voices, -1 where one is silent, and
  are kept apart: the four of a chorale as soprano, alto, tenor and bass.
- ``.npz``: arrays (steps, keys), one a piece, or (pieces, steps, keys); a name that begins with a split's is in it.

How long a step is stands in no form. A file name with ``16th``, ``8th`` or ``quarter`` says it; else, as their authors
write, the JSB chorales have one step per quarter, and Nottingham, MuseData and Piano-midi.de two; any other file four.
Pickles, and arrays of objects, which hold pickles, are refused: reading one runs whatever program is in it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.limits import DEFAULT_LIMITS, Limits
from seqaudio.files.mat import read_mat
from seqaudio.files.npz import read_npz
from seqaudio.music.frames import LOWEST_PITCH, Frames, score_of_frames, score_of_runs
from seqaudio.music.score import Score
from seqaudio.music.splits import SPLITS

ROLL_SUFFIXES = (".mat", ".json", ".npz")
PICKLE_SUFFIXES = (".pickle", ".pkl", ".p")
STEPS_PER_QUARTER = ((r"16th", 4), (r"8th", 2), (r"quarter", 1), (r"jsb", 1), (r"nottingham|muse.?data|piano.?midi", 2))
CHORALE = ("soprano", "alto", "tenor", "bass")
SILENT = -1
PITCHES = frozenset(range(SILENT, 128))
MOST_PITCHES = 256  # of a step; voices may share a pitch


@dataclass(frozen=True)
class Roll:
    """A piece of a set of rolls.

    Attributes:
        file: the name of the file that it is in.
        place: where in it, such as ``train-1``.
        split: "train", "valid", "test", or "" where the set does not say.
        frames: bool, shape (steps, keys).
        lowest_pitch: the MIDI pitch of key 0.
        steps_per_quarter: how many steps make a quarter note.
        voices: the pitch of each voice at each step, -1 where it is silent, shape (steps, voices); or None.
    """

    file: str
    place: str
    split: str
    frames: Frames
    lowest_pitch: int
    steps_per_quarter: int
    voices: NDArray[np.int64] | None = None

    @property
    def name(self) -> str:
        """File and place, such as ``JSB_Chorales.mat#train-1``."""
        return f"{self.file}#{self.place}"

    def note_count(self) -> int:
        """How many notes its score will have: where a key or a voice begins to sound."""
        if self.voices is None:
            return int(self.frames[0].sum()) + int((self.frames[1:] > self.frames[:-1]).sum())
        begun = (self.voices[1:] != self.voices[:-1]) & (self.voices[1:] != SILENT)
        return int((self.voices[0] != SILENT).sum()) + int(begun.sum())

    def score(self) -> Score:
        """The roll as a score: consecutive steps of a key are one note; each voice is a track, from the first on."""
        if self.voices is None:
            return score_of_frames(self.frames, self.lowest_pitch, self.steps_per_quarter)
        rows = [(*run, voice) for voice, line in enumerate(self.voices.T) for run in _runs_of_line(line)]
        pitch, start, end, track = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        count = self.voices.shape[1]
        names = CHORALE if count == len(CHORALE) else tuple(f"voice {i + 1}" for i in range(count))
        return score_of_runs(pitch, start, end, self.steps_per_quarter, track=track, track_names=names)


def read_rolls(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> list[Roll]:
    """Every roll in a file, in order of the splits.

    Raises:
        BadFileError: the file cannot be read, is no set of rolls, or is a pickle.
        OverLimitError: it is larger than ``limits`` allow.
    """
    _suffix_of_rolls(path)  # before a byte is read
    return read_rolls_of_bytes(read_bytes(path, limits), path, limits)


def read_rolls_of_bytes(data: bytes, path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> list[Roll]:
    """As :func:`read_rolls`, from the bytes of a file; ``path`` gives its suffix and its name."""
    name, suffix = shown(path), _suffix_of_rolls(path)
    base, grid = Path(name).name, _steps_per_quarter(Path(path).name)
    if suffix == ".json":
        return _within_budgets(_from_json(data, name, base, grid, limits), name, limits)
    pieces = _from_mat(data, name, limits) if suffix == ".mat" else _from_npz(data, name, limits)
    rolls, cells = [], 0
    for split, piece, matrix in pieces:
        cells += matrix.size
        limits.check("max_cells", cells, name)
        frames = _binary(matrix, f"{name}: {piece}")
        rolls.append(Roll(base, piece, split, frames, LOWEST_PITCH[frames.shape[1]], grid))
    return _within_budgets(sorted(rolls, key=lambda roll: (*SPLITS, "").index(roll.split)), name, limits)


def _within_budgets(rolls: list[Roll], name: str, limits: Limits) -> list[Roll]:
    """The rolls, if scores may be made of them: a note takes a hundred times the memory of its cell."""
    notes = 0
    for roll in rolls:
        where = f"{name}: {roll.place}"
        limits.check("max_quarters", len(roll.frames) / roll.steps_per_quarter, where)
        count = roll.note_count()
        limits.check("max_notes", count, where)
        notes += count
    limits.check("max_events", notes, name)
    return rolls


def _suffix_of_rolls(path: str | os.PathLike[str]) -> str:
    """The suffix of a file that may hold rolls."""
    name, suffix = shown(path), Path(path).suffix.lower()
    if suffix in PICKLE_SUFFIXES:
        raise BadFileError(
            f"{name}: a pickle runs whatever program is in it; use the .mat, .json or .npz form of the set"
        )
    if suffix not in ROLL_SUFFIXES:
        raise BadFileError(f"{name}: sets of rolls are read from {', '.join(ROLL_SUFFIXES)}")
    return suffix


def _steps_per_quarter(file_name: str) -> int:
    for pattern, steps in STEPS_PER_QUARTER:
        if re.search(pattern, file_name, re.IGNORECASE):
            return steps
    return 4


def _from_mat(data: bytes, name: str, limits: Limits) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Split, name and matrix of each piece."""
    variables = read_mat(data, name, limits)
    if not any(f"{split}data" in variables for split in SPLITS):
        raise BadFileError(f"{name}: no variable is named traindata, validdata or testdata; save the rolls so")
    for split in SPLITS:
        for number, matrix in enumerate(variables.get(f"{split}data", []), start=1):
            yield split, f"{split}-{number}", matrix


def _from_npz(data: bytes, name: str, limits: Limits) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Split, name and matrix of each piece."""
    for key, array in read_npz(data, name, limits):
        split = next((split for split in SPLITS if key.lower().startswith(split)), "")
        if array.ndim == 2:
            yield split, key, array
        elif array.ndim == 3:
            for number, matrix in enumerate(array, start=1):
                yield split, f"{key}-{number}", matrix
        else:
            raise BadFileError(
                f"{name}: {key} has shape {array.shape}; rolls are (steps, keys) or (pieces, steps, keys)"
            )


def _binary(matrix: NDArray[Any], where: str) -> Frames:
    """A matrix as frames."""
    if len(matrix) == 0 or matrix.shape[1] not in LOWEST_PITCH:
        raise BadFileError(f"{where} has shape {matrix.shape}; a roll is (steps, 88) or (steps, 128)")
    frames = np.ascontiguousarray(matrix != 0)
    if (matrix != frames).any():
        other = matrix[matrix != frames].flat[0]
        raise BadFileError(f"{where} holds {other}; a roll holds 0 and 1 only, so set a threshold and save it anew")
    return frames


def _from_json(data: bytes, name: str, base: str, grid: int, limits: Limits) -> list[Roll]:
    limits.check("max_cells", 88 * (data.count(b"[") + data.count(b"{")), name)  # every step is a list
    try:
        stored = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise BadFileError(f"{name}: not a sound JSON file: {problem}; fetch it anew") from None
    if not isinstance(stored, dict) or not any(split in stored for split in SPLITS):
        raise BadFileError(f"{name}: no lists named train, valid or test; a set of rolls has these")
    pieces: list[tuple[str, str, list[list[int]]]] = []
    for split in SPLITS:
        of_split = _list(stored.get(split, []), f"{name}: {split}")
        limits.check("max_pieces", len(pieces) + len(of_split), name)
        for number, piece in enumerate(of_split, start=1):
            label = f"{split}-{number}"
            steps = [_pitches(step, f"{name}: {label}") for step in _list(piece, f"{name}: {label}")]
            if not steps:
                raise BadFileError(f"{name}: {label} has no steps; leave it out")
            pieces.append((split, label, steps))
    sizes = {len(step) for _, _, steps in pieces for step in steps}
    sounding = [pitch for _, _, steps in pieces for step in steps for pitch in step if pitch != SILENT]
    keys = 88 if min(sounding, default=21) >= 21 and max(sounding, default=21) <= 108 else 128
    limits.check("max_cells", keys * sum(len(steps) for _, _, steps in pieces), name)
    voiced = len(sizes) == 1 and sizes != {0}
    rolls = []
    for split, label, steps in pieces:
        voices = np.array(steps, dtype=np.int64) if voiced else None
        rolls.append(Roll(base, label, split, _frames(steps, keys), LOWEST_PITCH[keys], grid, voices))
    return rolls


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadFileError(f"{where} is {_said(value)}; it must be a list")
    return value


def _said(value: Any) -> str:
    """A value of a JSON file as it may stand in a message."""
    return f"a {type(value).__name__}" if isinstance(value, list | dict) else shown(str(value)[:40])


def _pitches(step: Any, where: str) -> list[int]:
    """The pitches of a step, whole numbers even where they are written as 60.0."""
    if len(_list(step, where)) > MOST_PITCHES:
        raise BadFileError(f"{where} has a step of {len(step):,} pitches; {MOST_PITCHES} are the most")
    for pitch in step:
        if not isinstance(pitch, int | float) or isinstance(pitch, bool) or pitch not in PITCHES:
            raise BadFileError(f"{where} holds {_said(pitch)}; pitches are whole numbers from 0 to 127, silence is -1")
    return [int(pitch) for pitch in step]


def _frames(steps: list[list[int]], keys: int) -> Frames:
    frames = np.zeros((len(steps), keys), dtype=bool)
    for row, step in zip(frames, steps, strict=True):
        row[[pitch - LOWEST_PITCH[keys] for pitch in step if pitch != SILENT]] = True
    return frames


def _runs_of_line(line: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Pitch, first step and step behind the last of each note of a voice."""
    bounds = [0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), len(line)]
    for start, end in pairwise(bounds):
        if line[start] != SILENT:
            yield int(line[start]), start, end
