"""What does a grid of 12 steps per quarter keep of a score?

A grid is in steps; as a score it has 480 ticks per quarter, so a step is 40 ticks. Onsets and ends go to the nearest
step (halves up), so notes that touch still touch; a note lasts at least one step. Durations above eight quarters go to
the nearest whole quarter, 32 quarters at most. Two notes of one program and pitch at one onset become one (the longer,
the louder); a note still sounding when its pitch is struck again ends there, as it does on any instrument. Tempos and
pedals are kept up to the last bar line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqaudio.errors import OptionError
from seqaudio.music.pedals import held_durations, spans_of_no_voice
from seqaudio.music.score import PLAIN_VELOCITY, IntArray, Score
from seqaudio.music.steps import nearest_steps
from seqaudio.tokens.bars.metre import METRE_INDEX, METRES, STEPS_PER_QUARTER, bar_steps, writable_metres
from seqaudio.tokens.bars.notes import DURATIONS, LAST_STEP, pack, struck_once
from seqaudio.tokens.bars.pedals import spans_on_grid
from seqaudio.tokens.bars.tempo import MARKS_US, tempos_on_grid
from seqaudio.tokens.tokenizer import Pedals

TICKS_PER_QUARTER = 480
TICKS_PER_STEP = TICKS_PER_QUARTER // STEPS_PER_QUARTER

NO_TEMPOS = np.zeros((0, 2), np.int64)
NO_PEDALS = np.zeros((0, 3), np.int64)


@dataclass(frozen=True)
class Grid:
    """A score in steps.

    Attributes:
        notes: packed and sorted, see ``notes.py``.
        metres: step, index into METRES and steps per bar, shape (changes, 3).
        last_line: step of the bar line behind the last bar; 0 without notes.
        tempos: step and index of the metronome mark, shape (changes, 2).
        pedals: steps of down and up, and the voice, sorted by voice and time, shape (spans, 3).
    """

    notes: IntArray
    metres: IntArray
    last_line: int
    tempos: IntArray
    pedals: IntArray

    def score(self, *, velocities: bool) -> Score:
        """The same at 480 ticks per quarter, a track for each program."""
        notes = self.notes
        voice = notes >> 19 & 255
        voices, track = np.unique(voice, return_inverse=True)
        return Score.from_notes(
            (notes >> 27) * TICKS_PER_STEP,
            DURATIONS[127 - (notes >> 5 & 127)] * TICKS_PER_STEP,
            notes >> 12 & 127,
            velocity=4 * (31 - (notes & 31)) + 3 if velocities else PLAIN_VELOCITY,
            program=np.maximum(voice - 1, 0),
            is_drum=voice == 0,
            track=track,
            ticks_per_quarter=TICKS_PER_QUARTER,
            tempos=np.column_stack([self.tempos[:, 0] * TICKS_PER_STEP, MARKS_US[self.tempos[:, 1]]]),
            time_signatures=[(step * TICKS_PER_STEP, *METRES[metre]) for step, metre, _ in self.metres.tolist()],
            pedals=np.column_stack(
                [
                    self.pedals[:, 0] * TICKS_PER_STEP,
                    (self.pedals[:, 1] - self.pedals[:, 0]) * TICKS_PER_STEP,
                    np.searchsorted(voices, self.pedals[:, 2]),
                ]
            ),
            track_names=[""] * max(len(voices), 1),
        )


def on_grid(
    score: Score, *, programs: bool, velocities: bool, tempos: bool, pedals: Pedals
) -> tuple[Grid, dict[str, int]]:
    """A score on the grid, and what was lost on the way, by the names of :class:`Loss`.

    Without ``programs`` drums are dropped and every note has program 0, without ``velocities`` every note has velocity
    80. What ``tempos`` and ``pedals`` mean says :class:`BarsTokenizer`.

    Raises:
        OptionError: the score lasts longer than any MIDI file can.
    """
    lost: dict[str, int] = {}
    folds = pedals == "durations" and len(score.pedals) > 0
    notes = _notes(score, _lasting(score, programs) if folds else score.duration, programs, velocities, lost)
    notes.sort()
    notes, lost["notes_merged"], lost["overlaps_cut"], end = struck_once(notes)
    metres, last_line, lost["metre_changes_replaced"] = _metres(score, end)
    changes, spans = NO_TEMPOS, NO_PEDALS
    if not tempos:
        lost["tempo_changes_dropped"] = len(score.tempos)
    elif len(score.tempos):
        changes, lost["tempos_rounded"], lost["tempo_changes_dropped"] = tempos_on_grid(
            score.tempos, score.ticks_per_quarter, last_line
        )
    if pedals == "drop":
        lost["pedal_spans_dropped"] = len(score.pedals)
    elif folds:
        lost["pedal_spans_dropped"] = spans_of_no_voice(score)
    elif len(score.pedals):
        spans, lost["pedal_spans_moved"], lost["pedal_spans_dropped"] = spans_on_grid(
            score, _voices(score, programs), last_line
        )
    return Grid(notes, metres, last_line, changes, spans), lost


def _voices(score: Score, programs: bool) -> IntArray:
    """The voice of each note: 0 for drums, else the program plus 1."""
    pitched = score.program + 1 if programs else np.ones_like(score.program)
    return np.where(score.is_drum, 0, pitched)


def _lasting(score: Score, programs: bool) -> IntArray:
    """Durations in ticks with the pedals folded in."""
    lasting = held_durations(score, _voices(score, programs))
    lasting.flags.writeable = False  # as the columns of a score: the same machine code serves
    return lasting


def _notes(score: Score, lasting: IntArray, programs: bool, velocities: bool, lost: dict[str, int]) -> IntArray:
    """The notes packed, in the order of the score."""
    notes, *counts, beyond = pack(
        score.onset,
        score.duration,
        lasting,
        score.pitch,
        score.velocity,
        score.program,
        score.is_drum,
        score.ticks_per_quarter,
        programs,
        velocities,
    )
    if beyond:
        quarters = (LAST_STEP + 1) // STEPS_PER_QUARTER
        raise OptionError(f"{beyond} notes end after more than {quarters:,} quarters; cut the score before encoding it")
    names = ("onsets_moved", "durations_changed", "velocities_rounded", "drums_dropped", "programs_dropped")
    lost.update(zip(names, counts, strict=True))
    return notes


def _metres(score: Score, end: int) -> tuple[IntArray, int, int]:
    """Step, index and steps per bar of each metre (changes, 3), the last bar line, and how many were replaced."""
    rows = score.time_signatures.tolist() or [[0, 4, 4]]
    if rows[0][0] == 0 and all(row[1:] == rows[0][1:] for row in rows):  # one metre, however often it is told
        rows = rows[:1]
    else:
        metre = score.metre_map()
        steps = nearest_steps(metre[:, 0], score.ticks_per_quarter, STEPS_PER_QUARTER)
        rows = [*zip(steps.tolist(), *metre[:, 1:].T.tolist(), strict=True)]
    written, replaced = writable_metres(rows, end)
    metres = [(step, METRE_INDEX[n, d], bar_steps(n, d)) for step, n, d in written]
    start, _, length = metres[-1]
    return np.array(metres, dtype=np.int64), start - (start - end) // length * length, replaced
