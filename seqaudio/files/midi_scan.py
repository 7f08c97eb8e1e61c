"""What does a MIDI file hold? One pass over its bytes that trusts none of them.

Conventions: places in messages count from the first byte of the file. The header and the chunks are read here, the
events of a track in :mod:`seqaudio.files.midi_walk`. Only what a score needs is kept: notes, programs, the sustain
pedal, tempos, metres and track names. Memory is taken for as many events as the budgets allow and the bytes can hold.

Tolerated, because sequencers write it and the meaning is certain: a RIFF (.rmi) or MacBinary wrapper, bytes after the
last track, unknown chunks, a track count in the header that is too small, a track length beyond the end of the file
when the track's end event is there, running status across meta and system events, system events of every status,
meta events of unknown type or wrong length. Refused: whatever would lose or invent notes.

Source: The Complete MIDI 1.0 Detailed Specification, part 5, Standard MIDI Files 1.0.
"""

from __future__ import annotations

import re
import struct

from seqaudio.errors import BadFileError
from seqaudio.files.limits import Limits
from seqaudio.files.midi_walk import (
    COMPLETE,
    CUT,
    EVENTS,
    FULL,
    LATE,
    LONG_NUMBER,
    METRES,
    NO_DATA,
    NO_END,
    NO_STATUS,
    NOTES,
    PEDALS,
    TEMPOS,
    Found,
)

EXPORT_AGAIN = "open it in a sequencer or notation program and export it as MIDI again"
FILM_SECONDS = {24: (24, 1_000_000), 25: (25, 1_000_000), 29: (30, 1_001_000), 30: (30, 1_000_000)}  # frames in us

WALK_DAMAGES = {
    CUT: "a track ends in the middle of an event",
    LONG_NUMBER: "a number of more than four bytes",
    LATE: "tick {} is beyond 2^31",
    NO_STATUS: "data byte {} where an event must begin",
    NO_DATA: "data of {} in a channel event, at most 127 is possible,",
}

DISGUISES = (  # what a file with the wrong suffix really is, and what to do then
    (rb"\x1f\x8b", "gzip data", "unpack it with gunzip first"),
    (rb"PK\x03\x04", "a zip archive (compressed MusicXML is one)", "name it .mxl if it is MusicXML, else unpack it"),
    (rb"SMF2CLIP", "a MIDI 2.0 clip file", "export it as a Standard MIDI File (MIDI 1.0)"),
    (
        rb"RIFF....(?!RMID)|fLaC|OggS|ID3|FORM",
        "an audio file",
        "give MIDI, ABC or MusicXML (recordings: continue, features, info)",
    ),
    (rb"\s*(<!DOCTYPE html|<html)", "a web page, not the file behind it", "download the file itself"),
    (rb"(\xef\xbb\xbf)?\s*<\?xml", "XML text, perhaps MusicXML", "name it .musicxml"),
    (rb"(\xef\xbb\xbf)?\s*(%abc|X:\s*\d)", "ABC text", "name it .abc"),
)


class _Damage(Exception):
    """Why the bytes cannot be read; the caller adds the path."""

    def __init__(self, reason: str, at: int | None, remedy: str = EXPORT_AGAIN) -> None:
        super().__init__(f"{reason}{'' if at is None else f' at byte {at}'}; {remedy}")


def scan(data: bytes, path: str, limits: Limits) -> tuple[Found, int, int]:
    """What a score needs of a Standard MIDI File, its ticks per quarter, and its tempo under a SMPTE division, else 0.

    Args:
        data: the whole file.
        path: what messages call the file.
        limits: budgets; size, tracks, notes, events and metres are checked here.

    Raises:
        BadFileError: the bytes are no MIDI file, or damaged.
        OverLimitError: a budget is exceeded.
    """
    limits.check("max_bytes", len(data), path)
    most = (len(data) // 2, limits.max_notes), (len(data) // 2, limits.max_events), (len(data) // 6, limits.max_metres)
    found = Found.room(*(min(possible, allowed) + 1 for possible, allowed in most))
    try:
        at, stop = _unwrapped(data)
        at, midi_format, declared, resolution = _header(data, at, stop)
        tracks = _tracks(data, at, stop, declared, found, limits, path)
        if midi_format == 2 and tracks > 1:
            reason = f"format 2, {tracks} independent pieces in one file"
            raise _Damage(reason, None, "save each piece as a file of format 0 or 1")
    except _Damage as damage:
        raise BadFileError(f"{path}: {damage}") from None
    _check_counts(found, limits, path)
    return found, *resolution


def _check_counts(found: Found, limits: Limits, path: str, *, and_more: bool = False) -> None:
    n = found.counts.tolist()
    limits.check("max_events", n[EVENTS] + n[TEMPOS] + n[METRES], path, and_more=and_more)
    limits.check("max_notes", n[NOTES], path, and_more=and_more)
    limits.check("max_metres", n[METRES], path, and_more=and_more)
    limits.check("max_events", n[PEDALS], path)


def clean_name(raw: bytes | str) -> str:
    """A track name as printable text: UTF-8, else Shift-JIS if that reads as Japanese, else Latin-1."""
    text = raw if isinstance(raw, str) else _decoded(raw)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " * c.isspace() for c in text)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("shift_jis", errors="replace")
        looks_right = "\ufffd" not in text and re.search("[\u3040-\u30ff\u4e00-\u9fff]{2}", text)
        return text if looks_right else raw.decode("latin-1")


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


def _header(data: bytes, at: int, stop: int) -> tuple[int, int, int, tuple[int, int]]:
    """The byte after the header, the format, the declared number of tracks, and the resolution."""
    if stop - at < 14:
        raise _Damage("the file ends inside its header", stop, "copy or download it again")
    length, midi_format, declared, division = struct.unpack_from(">IHHH", data, at + 4)
    if not 6 <= length <= stop - at - 8:
        raise _Damage(f"a header of {length} bytes instead of 6", at + 4)
    if midi_format > 2:
        raise _Damage(f"MIDI format {midi_format} instead of 0, 1 or 2", at + 8)
    return at + 8 + length, midi_format, declared, _resolution(division, at + 12)


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


def _tracks(data: bytes, at: int, stop: int, declared: int, found: Found, limits: Limits, path: str) -> int:
    """Read chunk after chunk, account for what was declared and what is left over; the number of tracks."""
    complete, tracks = True, 0
    while stop - at >= 8:
        tag, end = data[at : at + 4], at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if tag == b"MTrk":
            limits.check("max_tracks", tracks + 1, path)
            ended, place, value = found.walk(data, at + 8, min(end, stop), tracks)
            if ended == FULL:
                _check_counts(found, limits, path, and_more=True)
            complete = _is_complete(ended, place, value, stop if end > stop else None)
            tracks += 1
        elif tag == b"MThd":
            raise _Damage("a second MIDI file begins", at, "save the two as separate files")
        elif not re.fullmatch(rb"[ -~]{4}", tag):
            break  # padding
        elif end > stop:  # an unknown chunk with a false length: go on at the next track
            next_track = data.find(b"MTrk", at + 8, stop)
            end = next_track if next_track > 0 else stop
        at = min(end, stop)
    if tracks < max(declared, 1):
        raise _Damage(f"{tracks} tracks found, {declared} declared; they stop", at, "copy or download it again")
    if at < stop and not complete:
        raise _Damage("a track without an end event is followed by bytes of no chunk", at)
    return tracks


def _is_complete(ended: int, place: int, value: int, cut_at: int | None) -> bool:
    """Does a track that was walked have an end event? ``cut_at``: where the file ends, if before the track does."""
    if cut_at is not None and ended in (NO_END, CUT):
        raise _Damage("the file is cut off inside a track, it ends", cut_at, "copy or download it again")
    if ended not in (COMPLETE, NO_END):
        raise _Damage(WALK_DAMAGES[ended].format(value), place)
    return ended == COMPLETE
