"""How does a Standard MIDI File become a score, and a score a file?

Conventions: ticks are kept as they are in the file. A score track is one (track, channel, program) of the file that has
notes; a track of the file without notes becomes an empty score track if it selects a program or holds a pedal, and
none if it only carries tempos, metres or text. Rules where files leave room:

- A note that is never released ends at the end of its track. Of overlapping notes of one pitch on one channel, the
  first to begin is the first to end. A note released at its own onset lasts 1 tick. Releases of nothing are ignored.
- A note keeps the program that holds at its onset. Programs and pedals act within their own track.
- A pedal (control 64, down from 64) that is never lifted lasts to the end of its track. It belongs to every score
  track that comes from its channel.
- Tempos and time signatures count in whatever track they are. A tempo of 0, a numerator of 0 and a denominator above
  64 are ignored: what held before goes on.
- Under a SMPTE division ticks are clock time: the score gets a constant tempo (120 per minute where that divides) and
  ticks that last exactly as long; tempo events are ignored, as the specification says.
- Format 2 with several tracks, which is several pieces, is refused. Events after the end of a track are not its own.

``read_midi_bytes(midi_bytes(score)) == score`` if every track has one program and is_drum, names are printable, pedals
of a track do not overlap, and no note lies within a longer one of its track and pitch that began before it: MIDI has no
way to say which of two equal notes ends, and the two would exchange their ends. What a MIDI file
cannot hold at all raises OptionError on writing.

The bytes become columns in :mod:`seqaudio.files.midi_scan` and are never handed to another parser.
"""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.files.atomic import read_bytes, shown, write_bytes
from seqaudio.files.limits import DEFAULT_LIMITS, Limits
from seqaudio.files.midi_scan import MAX_TICK, MidiEvents, scan
from seqaudio.music.score import IntArray, Score

PEDAL = 64  # control number of the sustain pedal, and the value from which it is down
DRUM_CHANNEL = 9
MELODIC_CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]
MAX_DELTA = 2**28 - 1  # the largest four-byte variable-length quantity

Event = tuple[int, int, bytes]  # tick, rank among events of that tick, message


def read_midi(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Score:
    """The piece in a MIDI file.

    Raises:
        BadFileError: the file cannot be opened or is not a sound MIDI file.
        OverLimitError: it exceeds one of the budgets.
    """
    return read_midi_bytes(read_bytes(path, limits), shown(path), limits)


def read_midi_bytes(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Score:
    """The piece in the bytes of a MIDI file; ``name`` stands for the path in messages. Raises as read_midi."""
    events = scan(data, name, limits)
    words = np.asarray(events.words, dtype=np.int64)
    limits.check("max_notes", int(np.count_nonzero(_is_note_on(words))), name)
    score = _score(words, events)
    limits.check("max_metres", len(score.time_signatures), name)
    end = max(score.end, int(score.pedals[:, :2].sum(axis=1).max(initial=0)))
    limits.check("max_quarters", end / score.ticks_per_quarter, name)
    return score


def write_midi(score: Score, path: str | os.PathLike[str]) -> None:
    """Write a score as a MIDI file: all of it or nothing, an existing file stays until the new one is complete.

    Raises:
        OptionError: the score holds what a MIDI file cannot, see midi_bytes.
        BadFileError: the file cannot be written.
    """
    write_bytes(path, midi_bytes(score))


def midi_bytes(score: Score) -> bytes:
    """A score as a MIDI file of format 1: a track of tempos and metres, then one per track and instrument of the score.

    The first track ends on the last bar line.
    Equal scores give equal bytes. Drums are on channel 10; other tracks take the fifteen other channels in turn.

    Raises:
        OptionError: a tick above 2^31 - 1, a tempo above 2^24 - 1, a metre above 255 or with a denominator other than
            1, 2, 4 ... 64, or more than 65,534 instruments.
    """
    _check_writable(score)
    tracks = [_conductor(score), *_instruments(score)]
    if len(tracks) > 65535:
        raise OptionError(
            f"a MIDI file holds 65,534 instruments, the score has {len(tracks) - 1:,}; write fewer tracks"
        )
    header = b"MThd" + b"".join(n.to_bytes(size, "big") for n, size in ((6, 4), (1, 2), (len(tracks), 2)))
    return header + score.ticks_per_quarter.to_bytes(2, "big") + b"".join(tracks)


def _is_note_on(words: IntArray) -> NDArray[np.bool_]:
    return np.asarray(((words >> 18) & 15 == 9) & (words & 127 > 0))


def _score(words: IntArray, events: MidiEvents) -> Score:
    tick, status, first, second = words >> 22, (words >> 14) & 255, (words >> 7) & 127, words & 127
    kind = status >> 4
    file_track = np.repeat(np.arange(len(events.names)), events.word_counts)
    voice = file_track * 16 + (status & 15)
    track_ends = np.array(events.end_ticks, dtype=np.int64)

    on, pedal = _is_note_on(words), kind == 0xB
    part = voice * 128 + _programs(voice, kind == 0xC, first)  # one number for track, channel and program
    note = on | (kind == 8) | (kind == 9)
    end = _releases((voice * 128 + first)[note], on[note], tick[note], track_ends[file_track[on]])
    spans, span_voice = _pedal_spans(voice[pedal], second[pedal] >= PEDAL, tick[pedal], track_ends)

    parts = _parts(part[on], span_voice, file_track)
    first_of_voice = np.searchsorted(parts // 128, span_voice, side="left")
    copies = np.searchsorted(parts // 128, span_voice, side="right") - first_of_voice
    pedal_track = np.repeat(first_of_voice, copies) + _counts_up(copies)
    tempos = [0, events.smpte_tempo_us] if events.smpte_tempo_us else events.tempos
    return Score.from_notes(
        tick[on],
        np.maximum(end - tick[on], 1),
        first[on],
        velocity=second[on],
        program=part[on] % 128,
        is_drum=voice[on] % 16 == DRUM_CHANNEL,
        track=np.searchsorted(parts, part[on]),
        ticks_per_quarter=events.ticks_per_quarter,
        tempos=np.array(tempos, dtype=np.int64),
        time_signatures=np.array(events.time_signatures, dtype=np.int64),
        pedals=np.column_stack([np.repeat(spans, copies, axis=0), pedal_track]),
        track_names=[events.names[number // 2048] for number in parts.tolist()],
    )


def _programs(voice: IntArray, is_change: NDArray[np.bool_], program: IntArray) -> IntArray:
    """The program that holds at each event: that of the last change in its voice, 0 before the first."""
    order = np.argsort(voice, kind="stable")
    last_change = np.maximum.accumulate(np.where(is_change[order], np.arange(len(order)), -1))
    known = last_change >= np.searchsorted(voice[order], voice[order], side="left")
    held = np.zeros_like(voice)
    held[order] = np.where(known, program[order][last_change], 0)
    return held


def _releases(key: IntArray, on: NDArray[np.bool_], tick: IntArray, track_end: IntArray) -> IntArray:
    """The tick at which each note-on is released, first in first out within a key; else ``track_end``.

    Shape: key, on, tick (events,) in file order, every other event a release; track_end and result (notes,).
    """
    order = np.argsort(key, kind="stable")
    key, rising = key[order], on[order]
    # Sounding notes per key, as if releases of nothing counted too: those are the new lows below zero. A step down
    # from key to key, larger than any count, starts the running minimum afresh in each.
    counted = np.cumsum(np.where(rising, 1, -1))
    start = np.searchsorted(key, key, side="left")
    floor = -start * 3
    level = counted - np.append(0, counted)[start] + floor
    low = np.minimum(np.minimum.accumulate(level), floor)
    idle = ~rising & (level < np.append(0, low)[:-1]) & (level < floor)

    n = len(key) + 1
    releases = order[~rising & ~idle]
    on_code, off_code = _ranked(key[rising], n), _ranked(key[~rising & ~idle], n)
    at = np.searchsorted(off_code, on_code)
    matched = np.append(off_code, -1)[at] == on_code
    end = np.zeros(len(key), dtype=np.int64)
    end[on] = track_end
    end[order[rising][matched]] = tick[releases[at[matched]]]
    return end[on]


def _ranked(key: IntArray, n: int) -> IntArray:
    """Sorted keys made unique: key times n, plus the rank among equals."""
    return key * n + np.arange(len(key)) - np.searchsorted(key, key, side="left")


def _pedal_spans(
    voice: IntArray, down: NDArray[np.bool_], tick: IntArray, track_ends: IntArray
) -> tuple[IntArray, IntArray]:
    """Tick and duration of each time the pedal is down, shape (spans, 2), and the voice it belongs to (spans,)."""
    order = np.argsort(voice, kind="stable")
    voice, down, tick = voice[order], down[order], tick[order]
    opens = np.append(True, voice[1:] != voice[:-1])[: len(voice)]
    before = np.where(opens, False, np.append(False, down[:-1])[: len(voice)])
    changes = down != before  # from here on down and up alternate within a voice
    voice, down, tick = voice[changes], down[changes], tick[changes]
    lifted = np.append(~down[1:], False)[: len(voice)]
    up = np.where(lifted, np.append(tick[1:], 0)[: len(voice)], np.maximum(track_ends[voice // 16], tick + 1))
    spans = np.column_stack([tick, up - tick])
    real = down & (spans[:, 1] > 0)
    return spans[real], voice[real]


def _parts(note_parts: IntArray, pedal_voices: IntArray, file_track: IntArray) -> IntArray:
    """The score tracks, each as its (track, channel, program) number, sorted."""
    parts = np.unique(note_parts)
    lonely = np.setdiff1d(pedal_voices, parts // 128) * 128
    parts = np.union1d(parts, lonely)
    silent = np.setdiff1d(file_track, parts // 2048) * 2048
    return np.union1d(parts, silent)


def _counts_up(lengths: IntArray) -> IntArray:
    """0, 1 ... n - 1 for each length n, one after the other."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


# Writing: columns of notes to bytes -------------------------------------------------------------------------------


def _check_writable(score: Score) -> None:
    metre, ticks = score.time_signatures, (score.tempos[:, 0], score.time_signatures[:, 0])
    last = max(int(column.max(initial=0)) for column in (*ticks, score.pedals[:, :2].sum(axis=1)))
    rules = {
        "ticks end at 2^31 - 1": max(last, score.end) <= MAX_TICK,
        "tempos end at 2^24 - 1 microseconds per quarter": (score.tempos[:, 1] < 2**24).all(),
        "numerators end at 255": (metre[:, 1] <= 255).all(),
        "denominators are 1, 2, 4 ... 64": np.isin(metre[:, 2], [1, 2, 4, 8, 16, 32, 64]).all(),
        "pedals belong to a track": (score.pedals[:, 2] < len(score.track_names)).all(),
    }
    broken = [rule for rule, kept in rules.items() if not kept]
    if broken:
        raise OptionError(f"the score does not fit a MIDI file, where {', '.join(broken)}; change it before writing")


def _conductor(score: Score) -> bytes:
    tempos = [(tick, 0, b"\xff\x51\x03" + us.to_bytes(3, "big")) for tick, us in score.tempos.tolist()]
    metres = [
        (tick, 0, bytes([0xFF, 0x58, 4, numerator, denominator.bit_length() - 1, 24, 8]))
        for tick, numerator, denominator in score.time_signatures.tolist()
    ]
    return _track_chunk(tempos + metres, end=int(score.bars()[-1]))


def _instruments(score: Score) -> list[bytes]:
    """One track chunk for each (track, program, is_drum) of the score, and one for each track without notes."""
    part = (score.track * 128 + score.program) * 2 + score.is_drum
    empty = np.setdiff1d(np.arange(len(score.track_names)), score.track) * 256
    order = np.argsort(part, kind="stable")
    parts = np.union1d(part, empty)
    note_cuts = np.searchsorted(part[order], parts[1:])
    pedals = score.pedals[np.argsort(score.pedals[:, 2], kind="stable")]
    chunks = []
    for index, (number, notes) in enumerate(zip(parts.tolist(), np.split(order, note_cuts), strict=False)):
        track, program = number // 256, number // 2 % 128
        channel = DRUM_CHANNEL if number % 2 else MELODIC_CHANNELS[index % 15]
        events = [(0, -2, _name_event(score.track_names[track])), (0, -1, bytes([0xC0 | channel, program]))]
        low, high = np.searchsorted(pedals[:, 2], [track, track + 1])
        chunks.append(_track_chunk(events + _pedal_events(pedals[low:high], channel) + _notes(score, notes, channel)))
    return chunks


def _name_event(name: str) -> bytes:
    raw = name.encode("utf-8", errors="replace")
    return b"\xff\x03" + _quantity_bytes(len(raw)) + raw


def _pedal_events(spans: IntArray, channel: int) -> list[Event]:
    rows = spans[:, :2].tolist()
    downs = [(tick, 1, bytes([0xB0 | channel, PEDAL, 127])) for tick, _ in rows]
    return downs + [(tick + duration, 0, bytes([0xB0 | channel, PEDAL, 0])) for tick, duration in rows]


def _notes(score: Score, notes: IntArray, channel: int) -> list[Event]:
    """Releases come before onsets of the same tick, so that a repeated note is not cut short."""
    columns = (score.onset, score.onset + score.duration, score.pitch, score.velocity)
    rows = list(zip(*(column[notes].tolist() for column in columns), strict=True))
    ons = [(onset, 1, bytes([0x90 | channel, pitch, velocity])) for onset, _, pitch, velocity in rows]
    return ons + [(end, 0, bytes([0x80 | channel, pitch, 64])) for _, end, pitch, _ in rows]


def _track_chunk(events: list[Event], end: int = 0) -> bytes:
    """A track of events in order of tick and rank, with its end event at the last of them, or at ``end`` if later."""
    body = bytearray()
    now = 0
    last = max([end, *(tick for tick, _, _ in events)])
    for tick, _, message in [*sorted(events, key=lambda event: event[:2]), (last, 0, b"\xff\x2f\x00")]:
        while tick - now > MAX_DELTA:  # bridge with empty text
            body += _quantity_bytes(MAX_DELTA) + b"\xff\x01\x00"
            now += MAX_DELTA
        body += _quantity_bytes(tick - now) + message
        now = tick
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def _quantity_bytes(value: int) -> bytes:
    """A variable-length quantity: seven bits a byte, the high bit on all but the last."""
    raw = [value & 127]
    while value := value >> 7:
        raw.append(value & 127 | 128)
    return bytes(reversed(raw))
