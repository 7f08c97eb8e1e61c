"""What does one track of a MIDI file hold? The walk over its bytes, in plain loops that become machine code.

Conventions: ticks are absolute, from 0. A part, which becomes a score track, is a track of the file, a channel and a
program: ``part = (track * 16 + channel) * 128 + program``; without its track it is below 2048. Nothing is raised: a
code says how the walk ended and a place says where, as a byte of the file. It ends when notes, metres, or events of
all kinds fill their array, which has room for one more than the budget. Pedals and parts that do not fit are counted
and not stored: the caller compares the counts with its budgets.

Source: The Complete MIDI 1.0 Detailed Specification, part 5, Standard MIDI Files 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.compiled import compiled

IntArray = NDArray[np.int64]

MAX_TICK = 2**31 - 1
DRUM_CHANNEL = 9
PEDAL = 64  # control number of the sustain pedal, and the value from which it is down
NOBODY = -1  # no note, no tick, no end yet

# How a walk ended: at an end event, without one, at a byte that makes no sense, or because an array is full.
COMPLETE, NO_END, CUT, LONG_NUMBER, LATE, NO_STATUS, NO_DATA, FULL = range(8)
SYSTEM = -1  # in place of the data of a channel event; below it is minus a code

# What is counted over the tracks of a file, how often a tempo or metre is earlier than the one before, the last tick,
# and the place of the current track's name.
NOTES, EVENTS, PEDALS, PARTS, TEMPOS, METRES, MIXED, LAST, NAME, NAME_END, COUNTS = range(11)
ONSET, END, VALUES, BEHIND, NOTE_ROWS = range(5)
FIRST_IN, LAST_IN, MARK, QUEUE_ROWS = range(4)


@dataclass
class Found:
    """What the tracks of a file hold, and room for more of it.

    Attributes:
        counts: how much of the arrays is used; EVENTS counts what a score needs, stored or not.
        notes: shape (4, room), in the order in which notes begin in the file. While their track is walked: onset, end,
            ``(channel * 128 + program) << 14 | pitch << 7 | velocity``, and the note behind in the queue for a release.
            Then the third row has the index of the part in place of channel and program, and the fourth the key by
            which the notes of a score are sorted.
        pedals: shape (room, 3): tick, duration, index of the part.
        parts: shape (room, 3), sorted: the part, and where the name of its track begins and ends in the file.
        tempos, metres: shape (room, 2) and (room, 3): tick, microseconds per quarter; tick, numerator, denominator.
    """

    counts: IntArray
    notes: IntArray
    pedals: IntArray
    parts: IntArray
    tempos: IntArray
    metres: IntArray

    @classmethod
    def room(cls, notes: int, events: int, metres: int) -> Found:
        """Nothing found yet, and room for so many notes, events and changes of metre. Memory is taken when used."""
        return cls(
            np.zeros(COUNTS, np.int64),
            np.empty((NOTE_ROWS, notes), np.int64),
            np.empty((events, 3), np.int64),
            np.empty((events, 3), np.int64),
            np.empty((events, 2), np.int64),
            np.empty((metres, 3), np.int64),
        )

    def walk(self, data: bytes, at: int, stop: int, track: int) -> tuple[int, int, int]:
        """Add the track whose body is ``data[at:stop]``: how the walk ended, where, and the value wrong there."""
        return _walk_track(
            data, at, stop, track, self.counts, self.notes, self.pedals, self.parts, self.tempos, self.metres
        )

    def sorted_columns(self) -> tuple[IntArray, NDArray[np.bool_]]:
        """The notes as a score keeps them: onset, duration, pitch, velocity, program, track (6, notes); and is_drum."""
        notes = self.notes[:, : self.counts[NOTES]]
        # Notes that are equal in onset, track and pitch begin in the order in which they end.
        return _columns(notes, notes[BEHIND].argsort(kind="stable"), self.parts)


@compiled
def _walk_track(
    data: bytes,
    at: int,
    stop: int,
    track: int,
    counts: IntArray,
    notes: IntArray,
    pedals: IntArray,
    parts: IntArray,
    tempos: IntArray,
    metres: IntArray,
) -> tuple[int, int, int]:
    """See ``Found.walk``."""
    first_note, first_pedal, before = int(counts[NOTES]), int(counts[PEDALS]), int(counts[EVENTS])
    counts[NAME] = counts[NAME_END] = 0
    down_since = np.full(16, NOBODY)
    queues = np.full((QUEUE_ROWS, 2048), NOBODY)
    ended, at, value, tick, sounding = _events(
        data, at, stop, counts, notes, queues, down_since, pedals, tempos, metres
    )
    if ended == COMPLETE or ended == NO_END:
        for channel in range(16):
            if down_since[channel] != NOBODY:  # lasts to the end of the track
                _press(False, max(tick, down_since[channel] + 1), channel, counts, down_since, pedals)
        any_event = counts[EVENTS] > before
        first_of = _list_parts(track, sounding, any_event, first_pedal, counts, queues[MARK], pedals, parts)
        _share_pedals(first_of, first_pedal, counts, pedals)
        if counts[NOTES] > first_note:
            _close_notes(tick, counts, queues[MARK], notes[:, first_note : counts[NOTES]])
    return ended, at, value


def _events(
    data: bytes,
    at: int,
    stop: int,
    counts: IntArray,
    notes: IntArray,
    queues: IntArray,
    down_since: IntArray,
    pedals: IntArray,
    tempos: IntArray,
    metres: IntArray,
) -> tuple[int, int, int, int, int]:
    """Event after event: how it ended, where, a wrong value, the tick, and the channels with notes as bits."""
    onset, end, values, behind = notes[ONSET], notes[END], notes[VALUES], notes[BEHIND]
    first_in, last_in, mark = queues[FIRST_IN], queues[LAST_IN], queues[MARK]
    programs = np.zeros(16, np.int64)
    n, room = int(counts[NOTES]), len(onset)
    events = tick = status = sounding = 0
    events_left = _events_left(counts, tempos)
    ended = NO_END
    while at < stop:
        if n >= room or events >= events_left or counts[METRES] >= len(metres):
            ended = FULL
            break
        at, tick, status, event = _event(data, at, stop, tick, status)
        if event == SYSTEM:
            if data[at] == 0xFF and at + 1 < stop and data[at + 1] == 0x2F:
                ended = COMPLETE
                break
            code, at = _system_event(data, at, stop, tick, counts, tempos, metres)
            if code:
                return code, at, 0, tick, sounding
            events_left = _events_left(counts, tempos)
            continue
        if event < SYSTEM:
            return -event, at, status, tick, sounding
        kind, channel = status >> 4, status & 15
        if kind == 9 and event & 127:
            part = channel << 7 | programs[channel]
            onset[n], end[n], values[n], behind[n] = tick, NOBODY, part << 14 | event, NOBODY
            _queue(n, channel << 7 | event >> 7, first_in, last_in, behind)
            mark[part] = 0
            sounding |= 1 << channel
            n += 1
        elif kind <= 9:
            _release(channel << 7 | event >> 7, tick, first_in, behind, end)
        elif kind == 0xC:
            programs[channel] = event >> 7
        elif kind == 0xB and event >> 7 == PEDAL:
            _press(event & 127 >= PEDAL, tick, channel, counts, down_since, pedals)
        else:
            continue
        events += 1
    counts[NOTES] = n
    counts[EVENTS] += events
    return ended, at, 0, tick, sounding


def _events_left(counts: IntArray, tempos: IntArray) -> int:
    """How many more events fill the budget: as many as there is room for tempos."""
    return len(tempos) - int(counts[EVENTS] + counts[TEMPOS] + counts[METRES])


def _event(data: bytes, at: int, stop: int, tick: int, status: int) -> tuple[int, int, int, int]:
    """The next event: the byte behind it, its tick, its status, and its two data bytes as ``first << 7 | second``.

    For a system event ``SYSTEM`` stands for the data, the running status stays, and the byte is its first. For damage
    minus the code stands for the data, the byte is the place, and the status is the value that is wrong there.
    """
    delta = data[at]
    at += 1
    if delta > 127:
        delta, at = _quantity(data, at - 1, stop)
        if delta < 0:
            return at, tick, 0, delta
    tick += delta
    if tick > MAX_TICK:
        return at, tick, tick, -LATE
    if at >= stop:
        return stop, tick, 0, -CUT
    byte = data[at]
    if byte >= 0xF0:
        return at, tick, status, SYSTEM
    if byte > 127:
        status = byte
        at += 1
    elif status == 0:
        return at, tick, byte, -NO_STATUS
    if 0xC0 <= status < 0xE0:  # program and channel pressure have one data byte
        if at >= stop:
            return stop, tick, 0, -CUT
        first, second = data[at], 0
        at += 1
    else:
        if at + 1 >= stop:
            return stop, tick, 0, -CUT
        first, second = data[at], data[at + 1]
        at += 2
    if (first | second) > 127:
        return at, tick, max(first, second), -NO_DATA
    return at, tick, status, first << 7 | second


def _quantity(data: bytes, at: int, stop: int) -> tuple[int, int]:
    """A variable-length quantity of at most four bytes, and where the next byte is; or minus a code, and a place."""
    value = 0
    for i in range(at, at + 4):
        if i >= stop:
            return -CUT, stop
        value = value << 7 | data[i] & 127
        if data[i] < 128:
            return value, i + 1
    return -LONG_NUMBER, at


def _system_event(
    data: bytes, at: int, stop: int, tick: int, counts: IntArray, tempos: IntArray, metres: IntArray
) -> tuple[int, int]:
    """Take what a score needs from a meta event, pass over a system event: a code or 0, and where the next begins."""
    status = data[at]
    if status != 0xF0 and status != 0xF7 and status != 0xFF:
        at += 3 if status == 0xF2 else 2 if status == 0xF1 or status == 0xF3 else 1  # these have data bytes
        return (CUT, stop) if at > stop else (0, at)
    meta = -1
    at += 1
    if status == 0xFF:
        if at >= stop:
            return CUT, stop
        meta = int(data[at])
        at += 1
    length, at = _quantity(data, at, stop)
    if length < 0:
        return -length, at
    if at + length > stop:
        return CUT, stop
    if meta == 0x51 and length >= 3:
        us = int(data[at]) << 16 | int(data[at + 1]) << 8 | int(data[at + 2])
        if us > 0:
            n = counts[TEMPOS]
            tempos[n, 0], tempos[n, 1] = tick, us
            counts[MIXED] += n > 0 and tick < tempos[n - 1, 0]
            counts[TEMPOS] += 1
    elif meta == 0x58 and length >= 2:
        if data[at] > 0 and data[at + 1] <= 6:
            n = counts[METRES]
            metres[n, 0], metres[n, 1], metres[n, 2] = tick, data[at], 1 << int(data[at + 1])
            counts[MIXED] += n > 0 and tick < metres[n - 1, 0]
            counts[METRES] += 1
    elif meta == 0x03 and counts[NAME_END] == 0 and _is_visible(data, at, at + length):
        counts[NAME], counts[NAME_END] = at, at + length
    return 0, at + length


def _is_visible(data: bytes, at: int, end: int) -> bool:
    """Whether a name has more than control characters."""
    for i in range(at, end):
        byte = data[i]
        if 32 <= byte != 127 or 9 <= byte <= 13 or 28 <= byte <= 31:  # the last two are spaces
            return True
    return False


def _queue(n: int, key: int, first_in: IntArray, last_in: IntArray, behind: IntArray) -> None:
    """Put a note at the end of the queue of its channel and pitch."""
    if first_in[key] == NOBODY:
        first_in[key] = n
    else:
        behind[last_in[key]] = n
    last_in[key] = n


def _release(key: int, tick: int, first_in: IntArray, behind: IntArray, end: IntArray) -> None:
    """End the note that has waited longest in the queue of its channel and pitch, if there is one."""
    i = first_in[key]
    if i != NOBODY:
        end[i] = tick
        first_in[key] = behind[i]


def _press(down: bool, tick: int, channel: int, counts: IntArray, down_since: IntArray, pedals: IntArray) -> None:
    """Put a channel's pedal down, or lift it and keep the span, with the channel in place of the part."""
    since = int(down_since[channel])
    if down and since == NOBODY:
        down_since[channel] = tick
    elif not down and since != NOBODY:
        down_since[channel] = NOBODY
        if tick > since:
            n = counts[PEDALS]
            if n < len(pedals):
                pedals[n, 0], pedals[n, 1], pedals[n, 2] = since, tick - since, channel
            counts[PEDALS] += 1


def _list_parts(
    track: int,
    sounding: int,
    any_event: bool,
    first_pedal: int,
    counts: IntArray,
    mark: IntArray,
    pedals: IntArray,
    parts: IntArray,
) -> IntArray:
    """List the parts of a track in order, mark them with their index, and say where those of each channel begin.

    A channel with a pedal alone is a part, and so is a track with neither notes nor pedals, if it has a channel event.
    """
    before, pressed = int(counts[PARTS]), 0
    for i in range(first_pedal, min(int(counts[PEDALS]), len(pedals))):
        pressed |= 1 << int(pedals[i, 2])
    first_of = np.zeros(17, np.int64)
    for channel in range(16):
        first_of[channel] = counts[PARTS]
        if sounding >> channel & 1:
            for program in range(128):
                if mark[channel << 7 | program] != NOBODY:
                    mark[channel << 7 | program] = counts[PARTS]
                    _add_part(track << 11 | channel << 7 | program, counts, parts)
        elif pressed >> channel & 1:
            _add_part(track << 11 | channel << 7, counts, parts)
    first_of[16] = counts[PARTS]
    if counts[PARTS] == before and any_event:
        _add_part(track << 11, counts, parts)
    return first_of


def _add_part(part: int, counts: IntArray, parts: IntArray) -> None:
    n = counts[PARTS]
    if n < len(parts):
        parts[n, 0], parts[n, 1], parts[n, 2] = part, counts[NAME], counts[NAME_END]
    counts[PARTS] += 1


def _share_pedals(first_of: IntArray, first_pedal: int, counts: IntArray, pedals: IntArray) -> None:
    """Give a track's pedals the index of their part, and a copy to each further part of their channel."""
    for i in range(first_pedal, min(int(counts[PEDALS]), len(pedals))):
        start, duration, channel = pedals[i, 0], pedals[i, 1], int(pedals[i, 2])
        pedals[i, 2] = first_of[channel]
        counts[LAST] = max(counts[LAST], start + duration)
        n, copies = int(counts[PEDALS]), int(first_of[channel + 1]) - int(first_of[channel]) - 1
        for k in range(min(copies, max(len(pedals) - n, 0))):
            pedals[n + k, 0], pedals[n + k, 1], pedals[n + k, 2] = start, duration, first_of[channel] + k + 1
        counts[PEDALS] += copies


def _close_notes(tick: int, counts: IntArray, mark: IntArray, notes: IntArray) -> None:
    """Finish the notes of a track: every one has an end, the index of its part, and the key to sort it by."""
    onset, end, values, key = notes[ONSET], notes[END], notes[VALUES], notes[BEHIND]
    for i in range(notes.shape[1]):
        stop, value = end[i], values[i]
        if stop == NOBODY:  # never released: to the end of the track
            stop = tick
        end[i] = stop = max(stop, onset[i] + 1)
        counts[LAST] = max(counts[LAST], stop)
        values[i] = value = mark[value >> 14] << 14 | value & 0x3FFF
        key[i] = onset[i] << 32 | value >> 7  # a tick has 31 bits, the index of a part and a pitch have 32


@compiled
def _columns(notes: IntArray, order: IntArray, parts: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
    """See ``Found.sorted_columns``."""
    columns = np.empty((6, len(order)), np.int64)
    onset, values = notes[ONSET][order], notes[VALUES][order]
    track = values >> 14
    part = parts[:, 0][track]
    columns[0] = onset
    columns[1] = notes[END][order] - onset
    columns[2] = values >> 7 & 127
    columns[3] = values & 127
    columns[4] = part & 127
    columns[5] = track
    return columns, part >> 7 & 15 == DRUM_CHANNEL
