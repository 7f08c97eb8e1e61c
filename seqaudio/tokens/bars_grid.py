"""What does a grid of 12 steps per quarter keep of a score?

Everything here is in ticks of a score at 480 per quarter, so a step is 40 ticks. Onsets and ends go to the nearest
step (halves up), so notes that touch still touch; a note lasts at least one step. Durations above eight quarters go to
the nearest whole quarter, 32 quarters at most. Two notes of one program and pitch at one onset become one (the longer,
the louder); a note still sounding when its pitch is struck again ends there, as it does on any instrument.
"""

from __future__ import annotations

import numpy as np

from seqaudio.music.score import IntArray, Score
from seqaudio.tokens.metre import STEPS_PER_QUARTER, writable_metres
from seqaudio.tokens.tokenizer import Loss

TICKS_PER_QUARTER = 480
TICKS_PER_STEP = TICKS_PER_QUARTER // STEPS_PER_QUARTER
DURATIONS = np.concatenate([np.arange(1, 8 * STEPS_PER_QUARTER), STEPS_PER_QUARTER * np.arange(8, 33)])  # steps
PLAIN_VELOCITY = 80  # what a note without a velocity token gets


def quantize(score: Score, *, programs: bool, velocities: bool) -> tuple[Score, Loss]:
    """A score on the grid at 480 ticks per quarter, and what was lost on the way.

    One track per program remains. Tempo and pedal are no part of the grid; without ``programs`` drums are dropped and
    every note has program 0, without ``velocities`` every note has velocity 80.
    """
    lost = {
        "tempo_changes_dropped": len(score.tempos),
        "pedal_spans_dropped": len(score.pedals),
    }
    if not programs:
        lost["drums_dropped"] = int(score.is_drum.sum())
        score = score.notes(~score.is_drum)
        lost["programs_dropped"] = int((score.program != 0).sum())
    tpq = score.ticks_per_quarter
    onset, end = to_steps(score.onset, tpq), to_steps(score.onset + score.duration, tpq)
    duration = _nearest_duration(np.maximum(end - onset, 1))
    program = np.where(score.is_drum, -1, score.program) if programs else np.zeros_like(score.pitch)
    velocity = 4 * (score.velocity // 4) + 3 if velocities else np.full_like(score.velocity, PLAIN_VELOCITY)
    lost["onsets_moved"] = int((onset * tpq != score.onset * STEPS_PER_QUARTER).sum())
    lost["durations_changed"] = int((duration * tpq != score.duration * STEPS_PER_QUARTER).sum())
    if velocities:
        lost["velocities_rounded"] = int((velocity != score.velocity).sum())

    order = np.lexsort((-velocity, -duration, score.pitch, program, onset))
    onset, pitch, program, velocity, duration = (c[order] for c in (onset, score.pitch, program, velocity, duration))
    repeated = np.append(False, (np.diff(onset) == 0) & (np.diff(program) == 0) & (np.diff(pitch) == 0))[: len(onset)]
    lost["notes_merged"] = int(repeated.sum())
    onset, pitch, program, velocity, duration = (c[~repeated] for c in (onset, pitch, program, velocity, duration))
    cut = _until_struck_again(onset, pitch, program, duration)
    lost["overlaps_cut"] = int((cut != duration).sum())

    metre = score.metre_map()
    metre[:, 0] = to_steps(metre[:, 0], tpq)
    metre, lost["metre_changes_replaced"] = writable_metres(metre, int((onset + cut).max(initial=0)))
    names, track = np.unique(program, return_inverse=True)
    grid = Score.from_notes(
        onset * TICKS_PER_STEP,
        cut * TICKS_PER_STEP,
        pitch,
        velocity=velocity,
        program=np.maximum(program, 0),
        is_drum=program < 0,
        track=track,
        ticks_per_quarter=TICKS_PER_QUARTER,
        time_signatures=metre * [TICKS_PER_STEP, 1, 1],
        track_names=[""] * max(len(names), 1),
    )
    return grid, Loss(**lost)


def to_steps(ticks: IntArray, ticks_per_quarter: int) -> IntArray:
    """Nearest steps, halves up."""
    return (2 * STEPS_PER_QUARTER * ticks + ticks_per_quarter) // (2 * ticks_per_quarter)


def notes_on_grid(grid: Score) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray]:
    """Onset (steps), pitch, program (-1 for drums), velocity, duration (steps), in the order tokens are written."""
    onset, program = grid.onset // TICKS_PER_STEP, np.where(grid.is_drum, -1, grid.program)
    order = np.lexsort((grid.pitch, program, onset))
    columns = (onset, grid.pitch, program, grid.velocity, grid.duration // TICKS_PER_STEP)
    onset, pitch, program, velocity, duration = (column[order] for column in columns)
    return onset, pitch, program, velocity, duration


def _nearest_duration(steps: IntArray) -> IntArray:
    """The nearest duration that can be written."""
    above = np.minimum(np.searchsorted(DURATIONS, steps), len(DURATIONS) - 1)
    below = np.maximum(above - 1, 0)
    return np.where(steps - DURATIONS[below] < DURATIONS[above] - steps, DURATIONS[below], DURATIONS[above])


def _until_struck_again(onset: IntArray, pitch: IntArray, program: IntArray, duration: IntArray) -> IntArray:
    """Durations with each note ended where the same pitch of the same program begins again."""
    order = np.lexsort((onset, pitch, program))
    same = (np.diff(pitch[order]) == 0) & (np.diff(program[order]) == 0)
    until_next = np.where(same, np.diff(onset[order]), DURATIONS[-1])
    cut = duration.copy()
    if len(cut) > 1:
        # a cut duration must be writable too, so it goes to the longest one that fits
        fits = DURATIONS[np.searchsorted(DURATIONS, until_next, side="right") - 1]
        cut[order[:-1]] = np.minimum(duration[order[:-1]], fits)
    return cut
