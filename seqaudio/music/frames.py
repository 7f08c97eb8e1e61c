"""How does a score become a piano roll, one row of keys per step, and a roll a score?

Conventions: frames are bool, shape (steps, keys); step 0 begins at tick 0, key 0 is ``lowest_pitch``. A note fills the
steps from its onset to its end, both at the nearest step (halves up), at least one. A roll has no onsets: the steps of
a key that follow each other are one note. Scores made from frames have whole ticks per step, near 480 per quarter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.music.score import IntArray, Score
from seqaudio.music.spans import merged_spans
from seqaudio.music.steps import nearest_steps

Frames = NDArray[np.bool_]

LOWEST_PITCH = {88: 21, 128: 0}
"""The MIDI pitch of key 0, for the numbers of keys that a roll may have."""


def ticks_per_step(steps_per_quarter: int) -> int:
    """Ticks of a step in a score made from frames: 480 to the quarter where that divides, else a little less."""
    return max(1, 480 // steps_per_quarter)


def steps_of_notes(score: Score, steps_per_quarter: int) -> tuple[IntArray, IntArray]:
    """First step of each note and the step behind its last, shapes (notes,); at least one step lies between."""
    onset = nearest_steps(score.onset, score.ticks_per_quarter, steps_per_quarter)
    end = nearest_steps(score.onset + score.duration, score.ticks_per_quarter, steps_per_quarter)
    return onset, np.maximum(end, onset + 1)


def runs_of_score(score: Score, steps_per_quarter: int) -> tuple[IntArray, IntArray, IntArray]:
    """Pitch, first step and step behind the last of every run of a key, sorted by (pitch, step); all notes count."""
    return merged_spans(score.pitch, *steps_of_notes(score, steps_per_quarter), touching=True)


def frames_of_runs(key: IntArray, start: IntArray, end: IntArray, shape: tuple[int, int]) -> Frames:
    """Frames of a shape (steps, keys) from runs that do not overlap."""
    frames = np.zeros(shape, dtype=bool)
    for k, first, stop in zip(key.tolist(), start.tolist(), end.tolist(), strict=True):
        frames[first:stop, k] = True
    return frames


def runs_of_frames(frames: Frames) -> tuple[IntArray, IntArray, IntArray]:
    """Key, first step and step behind the last of every run, sorted by (key, step)."""
    edges = np.diff(frames.T.astype(np.int8), axis=1, prepend=0, append=0)  # (keys, steps + 1)
    key, start = np.nonzero(edges == 1)
    return key, start, np.nonzero(edges == -1)[1]


def transposed_frames(frames: Frames, semitones: int) -> Frames:
    """Frames moved up by so many keys, or down where below 0; what leaves the keyboard is lost, shape as before."""
    keys = frames.shape[1]
    moved = np.zeros_like(frames)
    moved[:, max(0, semitones) : max(0, keys + semitones)] = frames[:, max(0, -semitones) : max(0, keys - semitones)]
    return moved


def score_of_runs(
    pitch: IntArray,
    start: IntArray,
    end: IntArray,
    steps_per_quarter: int,
    *,
    track: ArrayLike = 0,
    track_names: Sequence[str] = ("",),
) -> Score:
    """A score of piano notes at velocity 80, one for each run of steps."""
    step = ticks_per_step(steps_per_quarter)
    return Score.from_notes(
        start * step,
        (end - start) * step,
        pitch,
        track=track,
        ticks_per_quarter=step * steps_per_quarter,
        track_names=track_names,
    )


def score_of_frames(frames: Frames, lowest_pitch: int, steps_per_quarter: int) -> Score:
    """The score of a roll of shape (steps, keys); silence behind the last note is no part of a score."""
    key, start, end = runs_of_frames(frames)
    return score_of_runs(key + lowest_pitch, start, end, steps_per_quarter)
