"""How do notes become a line of tokens? Loops over one integer a note, compiled once they pay.

Conventions: times are steps. A voice is 0 for drums, else the program plus 1. A length is an index into ``DURATIONS``,
a loudness one of 32 steps of velocity. A note is packed so that sorting gives the order in which tokens are written,
and of equal notes the longer, then the louder first:

    onset << 27 | voice << 19 | pitch << 12 | (127 - length) << 5 | (31 - loudness)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqaudio.compiled import compiled
from seqaudio.music.pedals import VOICES
from seqaudio.music.score import IntArray
from seqaudio.tokens.bars.metre import STEPS_PER_QUARTER

SINGLE_STEPS = 8 * STEPS_PER_QUARTER  # up to here a duration may be any number of steps
LONGEST_QUARTERS = 32
DURATIONS = np.append(
    np.arange(1, SINGLE_STEPS), np.arange(SINGLE_STEPS, STEPS_PER_QUARTER * LONGEST_QUARTERS + 1, STEPS_PER_QUARTER)
)  # steps
LAST_STEP = 2**36 - 1  # what is left of 63 bits; a MIDI file ends before it


class FirstIds(NamedTuple):
    """The first id of each kind of token; -1 for one that is not written."""

    BOS: int
    EOS: int
    Bar: int
    TimeSig: int
    Position: int
    Pitch: int
    PitchDrum: int
    Duration: int
    Program: int
    Velocity: int


@compiled
def pack(
    onset: IntArray,
    duration: IntArray,
    lasting: IntArray,
    pitch: IntArray,
    velocity: IntArray,
    program: IntArray,
    is_drum: NDArray[np.bool_],
    ticks_per_quarter: int,
    programs: bool,
    velocities: bool,
) -> tuple[IntArray, int, int, int, int, int, int]:
    """Notes on the grid, packed, in the order of the columns.

    ``lasting`` is what to write as duration (ticks), ``duration`` what to compare it with.

    Returns:
        The notes; how many onsets moved, durations changed, velocities rounded, drums dropped and programs dropped;
        and how many notes end behind the last step a note can have.
    """
    notes = np.empty(len(onset), np.int64)
    count = moved = changed = rounded = drums = replaced = beyond = 0
    last_tick = LAST_STEP // STEPS_PER_QUARTER * ticks_per_quarter
    for i in range(len(onset)):
        voice = 0 if is_drum[i] else int(program[i]) + 1
        if not programs and voice == 0:
            drums += 1
            continue
        start = int(onset[i])
        stop = start + int(lasting[i])
        if stop > last_tick:
            beyond += 1
            continue
        step = (2 * STEPS_PER_QUARTER * start + ticks_per_quarter) // (2 * ticks_per_quarter)
        end = (2 * STEPS_PER_QUARTER * stop + ticks_per_quarter) // (2 * ticks_per_quarter)
        length = _nearest_length(max(end - step, 1))
        moved += step * ticks_per_quarter != start * STEPS_PER_QUARTER
        changed += steps_of(length) * ticks_per_quarter != int(duration[i]) * STEPS_PER_QUARTER
        loudness = 0
        if velocities:
            loudness = int(velocity[i]) // 4
            rounded += 4 * loudness + 3 != int(velocity[i])
        if not programs:
            replaced += voice != 1
            voice = 1
        notes[count] = step << 27 | voice << 19 | int(pitch[i]) << 12 | (127 - length) << 5 | (31 - loudness)
        count += 1
    return notes[:count], moved, changed, rounded, drums, replaced, beyond


@compiled
def struck_once(notes: IntArray) -> tuple[IntArray, int, int, int]:
    """Sorted notes in which no key sounds twice at a time: the first of equal ones, each ended at the next strike.

    Returns:
        The notes; how many were merged and how many cut short; the step at which the last of them ends.
    """
    latest = np.full(VOICES * 128, -1, np.int64)  # the last note of each voice and pitch
    kept = np.empty_like(notes)
    count = merged = cut = end = 0
    before = -1
    for i in range(len(notes)):
        note = int(notes[i])
        key = note >> 12
        if key == before:
            merged += 1
            continue
        before = key
        j = int(latest[key & 0x7FFF])
        if j >= 0:
            earlier = int(kept[j])
            longest = _longest_within((key >> 15) - (earlier >> 27))
            too_long = 127 - (earlier >> 5 & 127) - longest
            if too_long > 0:
                kept[j] = earlier + (too_long << 5)
                cut += 1
        latest[key & 0x7FFF] = count
        kept[count] = note
        count += 1
    for i in range(count):
        note = int(kept[i])
        end = max(end, (note >> 27) + steps_of(127 - (note >> 5 & 127)))
    return kept[:count], merged, cut, end


@compiled
def write(notes: IntArray, others: IntArray, metres: IntArray, last_line: int, first: FirstIds) -> IntArray:
    """Token ids of packed notes, from BOS to EOS.

    Args:
        notes: packed and sorted.
        others: tokens at positions that are no notes, as ``step << 12 | id``, sorted.
        metres: step, index and steps per bar of each metre, shape (changes, 3).
        last_line: step of the bar line behind the last bar.
        first: where the ids of each kind begin.
    """
    lines = np.append(metres[1:, 0], last_line)
    bars = 0
    for row in range(len(metres)):
        bars += -((metres[row, 0] - lines[row]) // metres[row, 2])
    ids = np.empty(2 + 2 * bars + 2 * len(others) + 5 * len(notes), np.int64)
    ids[0] = first.BOS
    n, i, j = 1, 0, 0
    running, loudness = -1, -1  # voice, and 31 - loudness
    for row in range(len(metres)):
        bar, length = int(metres[row, 0]), int(metres[row, 2])
        first_bar = True
        while bar < lines[row]:
            ids[n] = first.Bar
            n += 1
            if first_bar:
                ids[n] = first.TimeSig + metres[row, 1]
                n += 1
                first_bar = False
            line = bar + length
            while True:
                step = int(notes[i]) >> 27 if i < len(notes) else line
                if j < len(others):
                    step = min(step, int(others[j]) >> 12)
                if step >= line:
                    break
                ids[n] = first.Position + step - bar
                n += 1
                while j < len(others) and int(others[j]) >> 12 == step:
                    ids[n] = int(others[j]) & 4095
                    n, j = n + 1, j + 1
                while i < len(notes) and int(notes[i]) >> 27 == step:
                    note = int(notes[i])
                    n, running, loudness = _write_note(note, running, loudness, ids, n, first)
                    i += 1
            bar = line
    ids[n] = first.EOS
    return ids[: n + 1].copy()


def _write_note(note: int, running: int, loudness: int, ids: IntArray, n: int, first: FirstIds) -> tuple[int, int, int]:
    """One note behind ``n`` ids; the new count, voice and 31 - loudness."""
    voice = note >> 19 & 255
    if first.Program >= 0 and voice != running:
        ids[n] = first.Program + voice
        n += 1
    if first.Velocity >= 0 and note & 31 != loudness:
        ids[n] = first.Velocity + 31 - (note & 31)
        n += 1
    ids[n] = (first.Pitch if voice else first.PitchDrum) + (note >> 12 & 127)
    ids[n + 1] = first.Duration + 127 - (note >> 5 & 127)
    return n + 2, voice, note & 31


def steps_of(length: int) -> int:
    """``DURATIONS[length]``."""
    if length < SINGLE_STEPS:
        return length + 1
    return STEPS_PER_QUARTER * (length - SINGLE_STEPS + 9)


def _nearest_length(steps: int) -> int:
    """The length nearest to so many steps, the longer of two."""
    if steps <= SINGLE_STEPS:
        return steps - 1
    return SINGLE_STEPS - 9 + min((steps + STEPS_PER_QUARTER // 2) // STEPS_PER_QUARTER, LONGEST_QUARTERS)


def _longest_within(steps: int) -> int:
    """The longest length of at most so many steps, of which there is one."""
    if steps <= SINGLE_STEPS:
        return steps - 1
    return SINGLE_STEPS - 9 + min(steps // STEPS_PER_QUARTER, LONGEST_QUARTERS)
