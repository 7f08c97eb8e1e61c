"""Which damaged MIDI files should a reader survive? Seeded mutants of sound files, damaged as pieces of music are.

Conventions: mutant i depends on i alone. Damage is done to events and chunks, whose lengths are then repaired in most
cases, so that it reaches what lies behind the length checks; the rest is damage to raw bytes.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random

import numpy as np

from seqaudio.errors import BadFileError
from seqaudio.files import midi_bytes, read_midi_bytes
from seqaudio.music import Score
from seqaudio.tokens.bars import BarsTokenizer

NAME = "folder/mutant.mid"
PLACE_AND_REASON = re.compile(
    r".+ at byte \d+; .+"  # where it is
    r"|[\d,]+ [a-z]+, over the budget of .+; .+ --limit max_[a-z]+=\d+ .+"  # what is too much
    r"|(the file is empty|not a MIDI file but|format 2, \d+ independent pieces).*; .+"  # the whole file
)
END = b"\xff\x2f\x00"
QUANTITIES = (0, 1, 100, 127, 128, 16383, 2**21, 2**28 - 1)
ODD_EVENTS = (
    b"\x90\x3c\x40", b"\x3c\x40", b"\x3c\x00", b"\x99\x24\x7f", b"\xb0\x40\x7f", b"\xb0\x40\x00", b"\x40\x50",
    b"\xc3\x05", b"\x05", b"\xd0\x11", b"\xe0\x00\x40", b"\xa0\x3c\x40", b"\xf0\x03\x01\x02\xf7", b"\xf7\x01\x00",
    b"\xf8", b"\xf2\x01\x02", b"\xf4", b"\xff\x51\x03\x00\x00\x01", b"\xff\x51\x03\xff\xff\xff",
    b"\xff\x51\x03\x00\x00\x00", b"\xff\x51\x02\x01\x01", b"\xff\x58\x04\x03\x02\x18\x08",
    b"\xff\x58\x04\x00\x02\x18\x08", b"\xff\x58\x04\x01\x06\x18\x08", b"\xff\x58\x04\x04\xff\x18\x08",
    b"\xff\x58\x01\x04", b"\xff\x03\x04name", b"\xff\x03\x02\x1b\x9b", b"\xff\x7f\x00", b"\xff\x90\x01\x05",
    b"\xff\x05\xff\xff\xff\x7f", b"\xff", b"\xf0", b"\x90", b"\x90\x3c", b"\xff\x2f\x00", b"\xff\x2f\x7f",
)  # fmt: skip


@dataclass
class Chunk:
    """A chunk by its events, each a time in bytes and a message; ``length_error`` is what its length is wrong by."""

    events: list[tuple[bytes, bytes]]
    tag: bytes = b"MTrk"
    length_error: int = 0

    def written(self) -> bytes:
        body = b"".join(delta + message for delta, message in self.events)
        return self.tag + ((len(body) + self.length_error) % 2**32).to_bytes(4, "big") + body


@dataclass
class MidiFile:
    """A file by its chunks; ``declared`` is the number of tracks its header claims, None the true one."""

    chunks: list[Chunk] = field(default_factory=list)
    midi_format: int = 1
    division: int = 480
    declared: int | None = None

    def written(self) -> bytes:
        tracks = sum(chunk.tag == b"MTrk" for chunk in self.chunks) if self.declared is None else self.declared
        numbers = (self.midi_format, min(tracks, 65535), self.division)
        header = b"MThd\0\0\0\6" + b"".join(n.to_bytes(2, "big") for n in numbers)
        return header + b"".join(chunk.written() for chunk in self.chunks)


def quantity(value: int) -> bytes:
    raw = bytes([value & 127])
    while value := value >> 7:
        raw = bytes([value & 127 | 128]) + raw
    return raw


def _events(body: bytes) -> list[tuple[bytes, bytes]]:
    """The events of a track written by seqaudio: each has its status byte, and system events are metas."""
    events, at = [], 0
    while at < len(body):
        start = at
        while body[at] > 127:
            at += 1
        delta = body[start : at + 1]
        start = at = at + 1
        if body[at] == 0xFF:
            at += 2
            length = 0
            while True:
                length, at = length << 7 | body[at] & 127, at + 1
                if body[at - 1] < 128:
                    break
            at += length
        else:
            at += 2 if body[at] >> 4 in (0xC, 0xD) else 3
        events.append((delta, body[start:at]))
    return events


def _taken_apart(data: bytes) -> MidiFile:
    chunks, at = [], 14
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        chunks.append(Chunk(_events(data[at + 8 : at + 8 + length])))
        at += 8 + length
    return MidiFile(chunks, division=int.from_bytes(data[12:14], "big"))


def _running(chunk: Chunk) -> Chunk:
    """The same events without a status byte where that of the event before goes on."""
    events, status = [], 0
    for delta, message in chunk.events:
        repeated = message[0] == status and status < 0xF0
        status = message[0]
        events.append((delta, message[1:] if repeated else message))
    return Chunk(events)


@cache
def good_files() -> tuple[MidiFile, ...]:
    """Sound files: tracks, tempos, metres, pedals; then with running status, SMPTE time, in one track, and so on."""
    rng = np.random.default_rng(7)
    count = 24
    track = np.arange(count) % 3
    score = Score.from_notes(
        np.sort(rng.integers(0, 12, count)) * 240, rng.integers(1, 5, count) * 120, rng.integers(57, 64, count),
        velocity=rng.integers(1, 128, count), program=np.array([0, 40, 0])[track], is_drum=track == 2, track=track,
        track_names=["piano", "Flöte 曲", ""], tempos=[(0, 500_000), (960, 400_000), (1440, 16_777_215)],
        time_signatures=[(0, 3, 4), (1440, 7, 8)], pedals=[(0, 480, 0), (480, 700, 0), (200, 900, 1)],
    )  # fmt: skip
    plain = _taken_apart(midi_bytes(score))
    extra = [(b"\x00", message) for message in ODD_EVENTS[9:18]]
    tracks = [_running(chunk) for chunk in plain.chunks]
    one = Chunk([event for chunk in plain.chunks for event in chunk.events[:-1]] + [(b"\x00", END)])
    duet = [(b"\x00", bytes([0xC0, program])) for program in (1, 2, 3)]
    changes = [event for pair in zip(duet * 8, plain.chunks[1].events[2:-1], strict=False) for event in pair]
    return (
        plain,
        replace(plain, chunks=tracks),
        replace(plain, chunks=tracks, division=0xE728),
        replace(plain, chunks=tracks, division=32767),
        replace(plain, chunks=[one], midi_format=0),
        replace(plain, chunks=[_running(one)], midi_format=2, division=1),
        replace(
            plain, chunks=[*plain.chunks[:2], Chunk([(b"\x00", b"abc")], b"XFIH"), Chunk(extra + tracks[2].events)]
        ),
        replace(plain, chunks=[Chunk([*changes, (b"\x60", b"\xb0\x40\x7f"), (b"\x60", END)])]),
    )


def mutant(seed: int) -> bytes:
    """The damaged file of this number."""
    rng = Random(seed)
    base = rng.choice(good_files())
    file = replace(base, chunks=[replace(chunk, events=list(chunk.events)) for chunk in base.chunks])
    for _ in range(rng.randint(1, 4)):
        rng.choices((_damage_event, _damage_chunk, _damage_header), (8, 3, 1))[0](file, rng)
    data = file.written()
    return _damaged_bytes(data, rng) if rng.random() < 0.3 else data


def _damage_event(file: MidiFile, rng: Random) -> None:
    chunks = [chunk for chunk in file.chunks if chunk.events]
    if not chunks:
        return
    events = rng.choice(chunks).events
    at = rng.randrange(len(events))
    delta, message = events[at]
    match rng.randrange(9):
        case 0:
            events.insert(at, (quantity(rng.choice(QUANTITIES[:5])), rng.choice(ODD_EVENTS)))
        case 1:
            del events[at]
        case 2:
            events[at:at] = events[at : at + rng.randint(1, 6)] * rng.choice((1, 1, 1, 40))
        case 3:
            other = rng.choice(chunks).events
            to = rng.randrange(len(other))
            events[at], other[to] = other[to], events[at]
        case 4:
            events[at] = delta, bytes([rng.choice((rng.randrange(128, 256), 0xFF, 0xF0))]) + message[1:]
        case 5:
            spot = rng.randrange(len(message)) if message else 0
            events[at] = delta, message[:spot] + bytes([rng.choice((0, 127, rng.randrange(256)))]) + message[spot + 1 :]
        case 6:
            events[at] = quantity(rng.choice((*QUANTITIES, rng.randrange(2**28)))), message
        case 7:
            events[at] = (
                rng.choice((b"\x80\x80\x80\x00", b"\x80\x00", b"\xff" * 5, b"\x80" * 4 + b"\x00", b"")),
                message,
            )
        case _:
            events[at] = delta, message[: rng.randint(0, len(message))] + rng.randbytes(rng.randrange(3))


def _damage_chunk(file: MidiFile, rng: Random) -> None:
    other = rng.choice(rng.choice(good_files()).chunks)
    file.chunks.insert(rng.randint(0, len(file.chunks)), replace(other, events=list(other.events)))
    at = rng.randrange(len(file.chunks))
    chunk = file.chunks[at]
    match rng.randrange(8):
        case 0:  # the other chunk stays
            pass
        case 1:
            del file.chunks[at]
        case 2:
            file.chunks[at:at] = [replace(chunk, events=list(chunk.events)) for _ in range(rng.choice((1, 2, 20)))]
        case 3:
            rng.shuffle(file.chunks)
        case 4:
            chunk.tag = rng.choice((b"XFIH", b"MThd", b"mtrk", b"\0\0\0\0", b"MTrk"))
        case 5:
            chunk.length_error = rng.choice((-1, 1, 4, -9, 1000, -1 - 2**31))
        case 6:
            chunk.events = [event for event in chunk.events if event[1] != END]
        case _:
            cut = rng.randint(0, len(chunk.events))
            chunk.events[cut:] = rng.choice(file.chunks).events[cut:]


def _damage_header(file: MidiFile, rng: Random) -> None:
    match rng.randrange(3):
        case 0:
            file.midi_format = rng.choice((0, 1, 2, 2, 3, 65535))
        case 1:
            file.division = rng.choice((0, 1, 24, 32767, 0x8000, 0xE728, 0xE350, 0xE2FF, 0xE700, rng.randrange(65536)))
        case _:
            file.declared = rng.choice((0, 1, 2, len(file.chunks) + 1, 65535))


def _damaged_bytes(data: bytes, rng: Random) -> bytes:
    raw = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at, size = rng.randrange(len(raw) + 1), rng.randint(1, 8)
        match rng.randrange(7):
            case 0:
                del raw[at:]
            case 1:
                del raw[at : at + size]
            case 2:
                raw[at:at] = rng.randbytes(size)
            case 3:
                raw += rng.choice((b"\x1a" * 64, data, b"MTrk", rng.randbytes(20)))
            case 4:
                raw[:0] = rng.choice((b"RIFF\0\0\0\0RMIDdata" + len(data).to_bytes(4, "little"), b"\0" * 128, b"\0"))
            case _:
                for _ in range(size):
                    if raw:
                        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw)


def outcome(data: bytes, then: Callable[[Score], None] = lambda score: None) -> Score | str:
    """The score, of which the laws are checked; or the one line that says why there is none."""
    try:
        score = read_midi_bytes(data, NAME)
    except BadFileError as error:
        text = str(error)
        assert text.startswith(f"{NAME}: "), text
        assert PLACE_AND_REASON.fullmatch(text.removeprefix(f"{NAME}: ")), text
        return text
    then(score)
    return score


def check_laws(score: Score) -> None:
    """What was read has bars, and writing and reading it again changes nothing."""
    bars = score.bars()
    assert bars[0] == 0
    assert bars[-1] >= score.end
    assert read_midi_bytes(midi_bytes(score), NAME) == score


def main(first: int, stop: int) -> None:
    """Read mutants and print what came of them: counts, the largest growth of the peak memory, the longest time."""
    tokenizer = BarsTokenizer()
    found = {"read": 0, "refused": 0, "tokens": 0, "grown_kb": 0, "cpu_s": 0.0, "wall_s": 0.0}
    for seed in range(first, stop):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            score = outcome(mutant(seed), check_laws)
            if seed % 8 == 0 and isinstance(score, Score):
                found["tokens"] += len(tokenizer.encode(score))
        except BaseException:
            print(f"mutant {seed}", file=sys.stderr)
            raise
        found["refused" if isinstance(score, str) else "read"] += 1
        found["cpu_s"] = max(found["cpu_s"], time.process_time() - cpu)
        found["wall_s"] = max(found["wall_s"], time.perf_counter() - wall)
        found["grown_kb"] = max(found["grown_kb"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
