"""What does a grid of 10 ms keep of a score?

Conventions: a step is 10 ms, whatever the tempo; the score on the grid has 500 ticks per quarter at 120 per minute, so
a tick is a millisecond and a step is 10 ticks. Onsets and ends go to the nearest step (halves up, in whole numbers:
nothing depends on floating point); a note lasts at least one step. Two notes of one program and pitch on one onset
become one (the longer, the louder); a note still sounding when its key is struck again ends there. A pedal acts on
every program of its track but the drums; pedal spans of one program that overlap become one, a span lasts at least one
step, and the pedal of a track without pitched notes is dropped. Tempo and metre are no part of the grid: the times are
kept, the beats are not.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from seqaudio.music.pedals import spans_of_no_voice, spans_of_voices, with_pedals_in_durations
from seqaudio.music.score import IntArray, Score
from seqaudio.music.spans import joined
from seqaudio.music.steps import nearest_steps
from seqaudio.tokens.tokenizer import Loss, Pedals

STEP_US = 10_000
TICKS_PER_QUARTER = 500
TICKS_PER_STEP = 10


def quantize(score: Score, *, programs: bool, pedals: Pedals) -> tuple[Score, Loss]:
    """A score on the grid, one track per program, and what was lost on the way.

    Without ``programs`` drums are dropped and every note has program 0. ``pedals`` are kept, folded into the durations
    of the notes they hold, or dropped.
    """
    lost = dict.fromkeys(asdict(Loss()), 0)
    lost["tempo_changes_dropped"] = len(score.tempos)
    lost["metre_changes_dropped"] = len(score.time_signatures)
    if pedals == "drop":
        lost["pedal_spans_dropped"] = len(score.pedals)
        score = score.replaced(pedals=score.pedals[:0])
    if not programs:
        lost["drums_dropped"] = int(score.is_drum.sum())
        score = score.notes(~score.is_drum)
        lost["programs_dropped"] = int((score.program != 0).sum())
        score = score.replaced(program=np.zeros_like(score.program))
    if pedals == "durations":
        lost["pedal_spans_dropped"] = spans_of_no_voice(score)
        score = with_pedals_in_durations(score)
    program = np.where(score.is_drum, -1, score.program)
    of_pedal, down, up = _pedals_on_grid(score, program, lost)
    onset, end, pitch, program, velocity = _notes_on_grid(score, program, lost)
    names, track = np.unique(program, return_inverse=True)
    grid = Score.from_notes(
        onset * TICKS_PER_STEP,
        (end - onset) * TICKS_PER_STEP,
        pitch,
        velocity=velocity,
        program=np.maximum(program, 0),
        is_drum=program < 0,
        track=track.reshape(-1),
        ticks_per_quarter=TICKS_PER_QUARTER,
        pedals=np.column_stack([down * TICKS_PER_STEP, (up - down) * TICKS_PER_STEP, np.searchsorted(names, of_pedal)]),
        track_names=[""] * max(len(names), 1),
    )
    return grid, Loss(**lost)


def _to_steps(score: Score, ticks: IntArray) -> tuple[IntArray, IntArray]:
    """Exact times of ticks, in microseconds times ticks_per_quarter, and their nearest steps, halves up."""
    tempos = score.tempo_map()
    starts = np.append(0, np.cumsum(np.diff(tempos[:, 0]) * tempos[:-1, 1]))
    at = np.searchsorted(tempos[:, 0], ticks, side="right") - 1
    time = starts[at] + (ticks - tempos[at, 0]) * tempos[at, 1]
    return time, nearest_steps(time, STEP_US * score.ticks_per_quarter)


def _notes_on_grid(score: Score, program: IntArray, lost: dict[str, int]) -> tuple[IntArray, ...]:
    """Onset, end (steps), pitch, program and velocity of the notes that stay, sorted by (onset, program, pitch)."""
    start, onset = _to_steps(score, score.onset)
    stop, end = _to_steps(score, score.onset + score.duration)
    end = np.maximum(end, onset + 1)
    velocity = 4 * (score.velocity // 4) + 3
    step = STEP_US * score.ticks_per_quarter
    lost["onsets_moved"] = int((onset * step != start).sum())
    lost["durations_changed"] = int(((end - onset) * step != stop - start).sum())
    lost["velocities_rounded"] = int((velocity != score.velocity).sum())

    order = np.lexsort((-velocity, -end, score.pitch, program, onset))
    rows = np.stack([onset, end, score.pitch, program, velocity])[:, order]  # (5, notes)
    repeated = np.append(False, (np.diff(rows[[0, 2, 3]]) == 0).all(axis=0))[: len(order)]
    lost["notes_merged"] = int(repeated.sum())
    onset, end, pitch, program, velocity = rows[:, ~repeated]

    order = np.lexsort((onset, pitch, program))
    key = (program * 128 + pitch)[order]
    again = order[1:][np.diff(key) == 0]
    cut = end.copy()
    cut[order[:-1][np.diff(key) == 0]] = onset[again]
    cut = np.minimum(cut, end)
    lost["overlaps_cut"] = int((cut != end).sum())
    return onset, cut, pitch, program, velocity


def _pedals_on_grid(score: Score, program: IntArray, lost: dict[str, int]) -> tuple[IntArray, IntArray, IntArray]:
    """Program, start and end (steps) of every pedal span, shapes (spans,), sorted by (program, start)."""
    start, down = _to_steps(score, score.pedals[:, 0])
    stop, up = _to_steps(score, score.pedals[:, 0] + score.pedals[:, 1])
    up = np.maximum(up, down + 1)
    row, voice, silent = spans_of_voices(score, program + 1)
    step = STEP_US * score.ticks_per_quarter
    moved = (down * step != start) | (up * step != stop)
    key, down, up = np.unique(np.stack([voice, down[row], up[row]]), axis=1)  # equal ones of two tracks are one
    first, end = joined(key, down, up, False)
    lost["pedal_spans_dropped"] += silent
    lost["pedal_spans_moved"] = int(moved[np.unique(row)].sum()) + len(key) - len(first)
    return key[first] - 1, down[first], end
