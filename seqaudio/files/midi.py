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

A score that was read from a file, whatever file, is always inside this law. A tick behind 2^31 - 1 is refused.

The bytes become columns in :mod:`seqaudio.files.midi_scan` and are never handed to another parser.
"""

from __future__ import annotations

import os

import numpy as np

from seqaudio.errors import BadFileError, OptionError
from seqaudio.files.atomic import read_bytes, shown, write_bytes
from seqaudio.files.limits import DEFAULT_LIMITS, Limits, checked
from seqaudio.files.midi_scan import EXPORT_AGAIN, clean_name, scan
from seqaudio.files.midi_walk import (
    DRUM_CHANNEL,
    LAST,
    MAX_TICK,
    METRES,
    MIXED,
    PARTS,
    PEDAL,
    PEDALS,
    TEMPOS,
    Found,
)
from seqaudio.music.score import IntArray, Score, rows_in_order

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
    found, ticks_per_quarter, smpte_tempo_us = scan(data, name, limits)
    if found.counts[LAST] > MAX_TICK:
        raise BadFileError(f"{name}: tick {found.counts[LAST]} is beyond 2^31; {EXPORT_AGAIN}")
    return checked(_score(data, found, ticks_per_quarter, smpte_tempo_us), limits, name)


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


def _score(data: bytes, found: Found, ticks_per_quarter: int, smpte_tempo_us: int) -> Score:
    n = found.counts.tolist()
    columns, is_drum = found.sorted_columns()
    onset, duration, pitch, velocity, program, track = columns
    tempos = np.array([[0, smpte_tempo_us]]) if smpte_tempo_us else found.tempos[: n[TEMPOS]].copy()
    metres = found.metres[: n[METRES]].copy()
    if n[MIXED]:  # in several tracks
        tempos, metres = rows_in_order(tempos, 1), rows_in_order(metres, 1)
    return Score.trusted(
        ticks_per_quarter,
        onset=onset,
        duration=duration,
        pitch=pitch,
        velocity=velocity,
        program=program,
        is_drum=is_drum,
        track=track,
        tempos=tempos,
        time_signatures=metres,
        pedals=rows_in_order(found.pedals[: n[PEDALS]].copy(), 3),
        track_names=tuple(clean_name(data[start:end]) for _, start, end in found.parts[: n[PARTS]].tolist()),
    )


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
    return _track_chunk(tempos + metres, end=min(int(score.bars()[-1]), MAX_TICK))


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
