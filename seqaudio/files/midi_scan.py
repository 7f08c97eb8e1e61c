"""What events does a MIDI file hold? One pass over its bytes that trusts none of them.

Conventions: ticks are absolute, from 0. Channel events are packed into one integer each, in file order:
``tick << 22 | status << 14 | first data byte << 7 | second``. Only events a score needs are kept: notes, programs
and the sustain pedal. Offsets in messages count from the first byte of the file.

Tolerated, because sequencers write it and the meaning is certain: a RIFF (.rmi) or MacBinary wrapper, bytes after the
last track, unknown chunks, a track count in the header that is too small, a track length beyond the end of the file
when the track's end event is there, running status across meta and system events, system events of every status,
meta events of unknown type or wrong length. Refused: whatever would lose or invent notes.

Source: The Complete MIDI 1.0 Detailed Specification, part 5, Standard MIDI Files 1.0.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field

from seqaudio.errors import BadFileError
from seqaudio.files.limits import Limits

MAX_TICK = 2**31 - 1
EXPORT_AGAIN = "open it in a sequencer or notation program and export it as MIDI again"
SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # every other system message has none
FILM_SECONDS = {24: (24, 1_000_000), 25: (25, 1_000_000), 29: (30, 1_001_000), 30: (30, 1_000_000)}  # frames in us

DISGUISES = (  # what a file with the wrong suffix really is, and what to do then
    (rb"\x1f\x8b", "gzip data", "unpack it with gunzip first"),
    (rb"PK\x03\x04", "a zip archive (compressed MusicXML is one)", "name it .mxl if it is MusicXML, else unpack it"),
    (rb"SMF2CLIP", "a MIDI 2.0 clip file", "export it as a Standard MIDI File (MIDI 1.0)"),
    (rb"RIFF....(?!RMID)|fLaC|OggS|ID3|FORM", "an audio file", "audio cannot be read yet, give MIDI or ABC"),
    (rb"\s*(<!DOCTYPE html|<html)", "a web page, not the file behind it", "download the file itself"),
    (rb"(\xef\xbb\xbf)?\s*<\?xml", "XML text, perhaps MusicXML", "name it .musicxml"),
    (rb"(\xef\xbb\xbf)?\s*(%abc|X:\s*\d)", "ABC text", "name it .abc"),
)


@dataclass
class MidiEvents:
    """Columns read from a file's bytes.

    Attributes:
        ticks_per_quarter: resolution; for a SMPTE division one that fits ``smpte_tempo_us``.
        smpte_tempo_us: microseconds per quarter that stand for a SMPTE division, else 0.
        words: packed channel events of all tracks, see the module.
        word_counts, end_ticks, names: one entry per track of the file.
        tempos: tick and microseconds per quarter, in turn.
        time_signatures: tick, numerator and denominator, in turn.
    """

    ticks_per_quarter: int
    smpte_tempo_us: int
    words: array[int] = field(default_factory=lambda: array("q"))
    word_counts: list[int] = field(default_factory=list)
    end_ticks: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    tempos: array[int] = field(default_factory=lambda: array("q"))
    time_signatures: array[int] = field(default_factory=lambda: array("q"))


class _Damage(Exception):
    """Why the bytes cannot be read; the caller adds the path."""

    def __init__(self, reason: str, at: int | None, remedy: str = EXPORT_AGAIN) -> None:
        super().__init__(f"{reason}{'' if at is None else f' at byte {at}'}; {remedy}")


def scan(data: bytes, path: str, limits: Limits) -> MidiEvents:
    """Every event of a Standard MIDI File that a score needs.

    Args:
        data: the whole file.
        path: what messages call the file.
        limits: budgets; size, tracks and events are checked here.

    Raises:
        BadFileError: the bytes are no MIDI file, or damaged.
        OverLimitError: a budget is exceeded.
    """
    limits.check("max_bytes", len(data), path)
    try:
        at, stop = _unwrapped(data)
        at, midi_format, declared, events = _header(data, at, stop)
        _tracks(data, at, stop, declared, events, limits, path)
        if midi_format == 2 and len(events.names) > 1:
            reason = f"format 2, {len(events.names)} independent pieces in one file"
            raise _Damage(reason, None, "save each piece as a file of format 0 or 1")
    except _Damage as damage:
        raise BadFileError(f"{path}: {damage}") from None
    count = len(events.words) + len(events.tempos) // 2 + len(events.time_signatures) // 3
    limits.check("max_events", count, path)
    return events


def clean_name(raw: bytes | str) -> str:
    """A track name as printable text: UTF-8, else Shift-JIS if that reads as Japanese, else Latin-1."""
    text = raw if isinstance(raw, str) else _decoded(raw)
    return "".join(c if c.isprintable() else " " * c.isspace() for c in text)


def _decoded(raw: bytes) -> str:
    for encoding, looks_right in (("utf-8", ""), ("shift_jis", "[\u3040-\u30ff\u4e00-\u9fff]{2}")):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if re.search(looks_right, text):
            return text
    return raw.decode("latin-1")


def _unwrapped(data: bytes) -> tuple[int, int]:
    """Where the MIDI file begins and ends inside its bytes."""
    if not data:
        raise _Damage("the file is empty", None, "copy or download it again")
    if data[:4] == b"MThd":
        return 0, len(data)
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        for tag, start, length in _chunks(data, 12, len(data)):
            if tag == b"data" and data[start : start + 4] == b"MThd":
                return start, min(start + length, len(data))
    mac = data.find(b"MThd", 128, 136)
    if data[0] == 0 and mac > 0:  # MacBinary: 128 bytes of Finder facts, some writers pad them, then the file
        return mac, len(data)
    for pattern, kind, remedy in DISGUISES:
        if re.match(pattern, data, re.DOTALL | re.IGNORECASE):
            raise _Damage(f"not a MIDI file but {kind}", None, remedy)
    raise _Damage("not a MIDI file, no 'MThd'", 0, "check that the file is what its suffix says")


def _chunks(data: bytes, at: int, stop: int) -> list[tuple[bytes, int, int]]:
    """Tag, first byte and length of the chunks of a RIFF file."""
    chunks = []
    while at + 8 <= stop:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        chunks.append((data[at : at + 4], at + 8, length))
        at += 8 + length + length % 2
    return chunks


def _header(data: bytes, at: int, stop: int) -> tuple[int, int, int, MidiEvents]:
    """The byte after the header, the format, the declared number of tracks, and events at the right resolution."""
    if stop - at < 14:
        raise _Damage("the file ends inside its header", stop, "copy or download it again")
    length, midi_format, declared, division = (
        int.from_bytes(data[at + i : at + j], "big") for i, j in ((4, 8), (8, 10), (10, 12), (12, 14))
    )
    if not 6 <= length <= stop - at - 8:
        raise _Damage(f"a header of {length} bytes instead of 6", at + 4)
    if midi_format > 2:
        raise _Damage(f"MIDI format {midi_format} instead of 0, 1 or 2", at + 8)
    return at + 8 + length, midi_format, declared, MidiEvents(*_resolution(division, at + 12))


def _resolution(division: int, at: int) -> tuple[int, int]:
    """Ticks per quarter and, for ticks that are parts of film frames, the tempo that makes a quarter last so long."""
    if division & 0x8000 == 0:
        if division == 0:
            raise _Damage("0 ticks per quarter note", at)
        return division, 0
    frames, ticks_per_frame = 256 - (division >> 8), division & 0xFF
    if frames not in FILM_SECONDS or ticks_per_frame == 0:
        raise _Damage(f"a time code of {frames} frames a second, {ticks_per_frame} ticks each,", at)
    frames_per_span, span_us = FILM_SECONDS[frames]
    ticks = frames_per_span * ticks_per_frame
    return (ticks // 2, span_us // 2) if ticks % 2 == 0 else (ticks, span_us)  # 120 per minute where it divides


def _tracks(data: bytes, at: int, stop: int, declared: int, events: MidiEvents, limits: Limits, path: str) -> None:
    """Read chunk after chunk; afterwards account for what was declared and what is left over."""
    complete = True
    while stop - at >= 8:
        tag, end = data[at : at + 4], at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if tag == b"MTrk":
            limits.check("max_tracks", len(events.names) + 1, path)
            complete = _track(data[at + 8 : min(end, stop)], at + 8, end > stop, events)
        elif tag == b"MThd":
            raise _Damage("a second MIDI file begins", at, "save the two as separate files")
        elif not re.fullmatch(rb"[ -~]{4}", tag):
            break  # padding
        elif end > stop:  # an unknown chunk with a false length: go on at the next track
            found = data.find(b"MTrk", at + 8, stop)
            end = found if found > 0 else stop
        at = min(end, stop)
    if len(events.names) < max(declared, 1):
        reason = f"{len(events.names)} tracks found, {declared} declared; they stop"
        raise _Damage(reason, at, "copy or download it again")
    if at < stop and not complete:
        raise _Damage("a track without an end event is followed by bytes of no chunk", at)


def _track(body: bytes, offset: int, cut: bool, events: MidiEvents) -> bool:
    """Add one track's events; True when it has an end event.

    ``offset`` is where the body lies in the file, ``cut`` says that the file ends before the track's declared length.
    """
    words = len(events.words)
    events.names.append("")
    try:
        tick, complete = _events(body, offset, events)
    except IndexError:
        if not cut:
            raise _Damage("a track ends in the middle of an event", offset + len(body)) from None
        tick, complete = 0, False
    if cut and not complete:
        raise _Damage("the file is cut off inside a track, it ends", offset + len(body), "copy or download it again")
    events.word_counts.append(len(events.words) - words)
    events.end_ticks.append(tick)
    return complete


def _events(body: bytes, offset: int, events: MidiEvents) -> tuple[int, bool]:
    """Walk over the events of a track: at what tick it stopped, and whether at an end event.

    An IndexError says that the body ended inside an event.
    """
    keep = events.words.append
    at = tick = status = 0
    while at < len(body):
        delta = body[at]
        at += 1
        if delta > 127:
            delta, at = _quantity(body, at - 1, offset)
        tick += delta
        if tick > MAX_TICK:
            raise _Damage(f"tick {tick} is beyond 2^31", offset + at)
        if body[at] >= 0xF0:
            if body[at : at + 2] == b"\xff\x2f":
                return tick, True
            at = _other_event(body, at, offset, tick, events)
            continue
        if body[at] > 127:
            status = body[at]
            at += 1
        elif not status:
            raise _Damage(f"data byte {body[at]} where an event must begin", offset + at)
        kind = status >> 4
        first, second = body[at], 0
        at += 1
        if kind != 0xC and kind != 0xD:
            second = body[at]
            at += 1
        if (first | second) > 127:
            raise _Damage(f"data of {max(first, second)} in a channel event, at most 127 is possible,", offset + at)
        if kind <= 9 or kind == 0xC or (kind == 0xB and first == 64):
            keep(tick << 22 | status << 14 | first << 7 | second)
    return tick, False


def _quantity(body: bytes, at: int, offset: int) -> tuple[int, int]:
    """A variable-length quantity of at most four bytes, and where the next byte is."""
    value = 0
    for i in range(at, at + 4):
        value = value << 7 | body[i] & 127
        if body[i] < 128:
            return value, i + 1
    raise _Damage("a number of more than four bytes", offset + at)


def _other_event(body: bytes, at: int, offset: int, tick: int, events: MidiEvents) -> int:
    """Take what a score needs from a meta event, pass over a system event; where the next event begins."""
    status = body[at]
    if status not in (0xF0, 0xF7, 0xFF):
        return _within(body, at + 1 + SYSTEM_DATA_BYTES.get(status, 0))
    meta = body[at + 1] if status == 0xFF else None
    length, at = _quantity(body, at + (1 if meta is None else 2), offset)
    end = _within(body, at + length)
    if meta == 0x51 and length >= 3:
        if tempo_us := int.from_bytes(body[at : at + 3], "big"):
            events.tempos.extend((tick, tempo_us))
    elif meta == 0x58 and length >= 2:
        if body[at] > 0 and body[at + 1] <= 6:
            events.time_signatures.extend((tick, body[at], 1 << body[at + 1]))
    elif meta == 0x03 and not events.names[-1]:
        events.names[-1] = clean_name(body[at:end])
    return end


def _within(body: bytes, end: int) -> int:
    if end > len(body):
        raise IndexError
    return end
