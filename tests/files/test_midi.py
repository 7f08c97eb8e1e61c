"""Laws of reading and writing MIDI files, and other readers' word for it."""

import io
import os
import re
from collections import Counter, defaultdict, deque
from dataclasses import asdict
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import symusic
from hypothesis import given, settings, strategies as st

from seqaudio.errors import BadFileError, OptionError, OverLimitError
from seqaudio.files import Limits, midi_bytes, read_midi, read_midi_bytes, write_midi
from seqaudio.files.midi_scan import clean_name
from seqaudio.files.symusic_score import score_from_symusic
from seqaudio.music import Score

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))
END = b"\x00\xff\x2f\x00"


def midi_file(*tracks: bytes, midi_format: int = 1, division: int = 480) -> bytes:
    numbers = b"".join(n.to_bytes(2, "big") for n in (midi_format, len(tracks), division))
    return b"MThd\0\0\0\6" + numbers + b"".join(b"MTrk" + len(t).to_bytes(4, "big") + t for t in tracks)


def read(*tracks: bytes, **header: int) -> Score:
    return read_midi_bytes(midi_file(*tracks, **header), "test.mid")


def rows(score: Score) -> list[tuple[int, ...]]:
    return list(
        zip(score.onset.tolist(), score.duration.tolist(), score.pitch.tolist(), score.velocity.tolist(), strict=True)
    )


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Scores inside the round-trip law: per track and pitch, notes end in the order in which they begin."""
    names = draw(st.lists(st.text("aé曲 🎵", max_size=4), min_size=1, max_size=20))
    kinds = [draw(st.tuples(st.integers(0, 127), st.booleans())) for _ in names]
    spot = st.tuples(st.integers(0, len(names) - 1), st.integers(0, 127))
    columns, pedals = [], []
    for track, pitch in draw(st.lists(spot, max_size=12, unique=True)):
        starts = sorted(draw(st.lists(st.integers(0, 4000), min_size=1, max_size=5)))
        ends = np.maximum.accumulate([start + draw(st.integers(1, 900)) for start in starts])
        for start, end in zip(starts, ends, strict=True):
            columns.append((start, end - start, pitch, draw(st.integers(1, 127)), *kinds[track], track))
    for track in draw(st.lists(st.integers(0, len(names) - 1), max_size=3, unique=True)):
        cuts = sorted(draw(st.lists(st.integers(0, 5000), min_size=2, max_size=6, unique=True)))
        pedals += [(a, b - a, track) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    tempos = draw(st.lists(st.tuples(st.integers(0, 2**29), st.integers(1, 2**24 - 1)), max_size=4))
    metre = st.tuples(st.integers(0, 5000), st.integers(1, 255), st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
    table = np.array(columns, dtype=np.int64).reshape(-1, 7).T
    return Score(
        draw(st.integers(1, 32767)),
        *table,
        tempos=np.array(tempos).reshape(-1, 2),
        time_signatures=np.array(draw(st.lists(metre, max_size=4))).reshape(-1, 3),
        pedals=np.array(pedals).reshape(-1, 3),
        track_names=tuple(names),
    )


@settings(max_examples=150, deadline=None)
@given(scores())
def test_what_was_written_is_read(score: Score) -> None:
    data = midi_bytes(score)
    assert read_midi_bytes(data, "test.mid") == score
    assert midi_bytes(read_midi_bytes(data, "test.mid")) == data


@settings(max_examples=40, deadline=None)
@given(scores())
def test_mido_reads_the_same_notes(score: Score) -> None:
    assert sorted(mido_notes(midi_bytes(score))) == sorted(rows(score))


@settings(max_examples=40, deadline=None)
@given(scores())
def test_symusic_reads_the_same_notes(score: Score) -> None:
    theirs = score_from_symusic(symusic.Score.from_midi(midi_bytes(score)))
    assert sorted(rows(theirs)) == sorted(rows(score))


def mido_notes(data: bytes) -> list[tuple[int, ...]]:
    """Notes by mido's events: first in first out, unreleased ones to the end of the track, 1 tick at least."""
    notes = []
    for track in mido.MidiFile(file=io.BytesIO(data), clip=False).tracks:
        tick, sounding = 0, defaultdict(deque)
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity > 0:
                sounding[message.channel, message.note].append((tick, message.velocity))
            elif message.type in ("note_on", "note_off") and sounding[message.channel, message.note]:
                onset, velocity = sounding[message.channel, message.note].popleft()
                notes.append((onset, max(tick - onset, 1), message.note, velocity))
        for (_, pitch), waiting in sounding.items():
            notes += [(onset, max(tick - onset, 1), pitch, velocity) for onset, velocity in waiting]
    return notes


def test_pretty_midi_reads_a_written_file(tmp_path: Path) -> None:
    score = Score.from_notes(
        [0, 480, 960], [480, 240, 960], [60, 64, 36], velocity=[1, 64, 127], program=[5, 5, 0],
        is_drum=[False, False, True], track=[0, 0, 1], track_names=["Klavier", "Drums"],
        tempos=[(0, 600_000), (480, 300_000)], time_signatures=[(0, 3, 4)],
    )  # fmt: skip
    write_midi(score, tmp_path / "a.mid")
    midi = pretty_midi.PrettyMIDI(str(tmp_path / "a.mid"))
    assert [(i.name, i.program, i.is_drum, len(i.notes)) for i in midi.instruments] == [
        ("Klavier", 5, False, 2),
        ("Drums", 0, True, 1),
    ]
    assert [n.start for n in midi.instruments[0].notes] == pytest.approx([0, 0.6])
    assert [(t.numerator, t.denominator) for t in midi.time_signature_changes] == [(3, 4)]


def test_seventeen_tracks_stay_apart() -> None:
    score = Score.from_notes(np.zeros(40), 480, 60, track=np.arange(40), track_names=[str(i) for i in range(40)])
    assert read_midi_bytes(midi_bytes(score), "test.mid") == score


def test_tracks_of_several_programs_are_split_and_keep_their_pedal() -> None:
    score = Score.from_notes([0, 480], 480, [60, 62], program=[1, 2], pedals=[(0, 960, 0)], track_names=["duo"])
    again = read_midi_bytes(midi_bytes(score), "test.mid")
    assert (again.track_names, again.program.tolist()) == (("duo", "duo"), [1, 2])
    assert again.pedals.tolist() == [[0, 960, 0], [0, 960, 1]]


def test_long_silences_are_bridged() -> None:
    score = Score.from_notes([0, 2**30], 100, 60, ticks_per_quarter=32767)
    assert read_midi_bytes(midi_bytes(score), "test.mid") == score


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\0\x90\x3c\x40\x60\x90\x3e\x40\x60" + END[1:], [(0, 192, 60, 64), (96, 96, 62, 64)]),  # never released
        (b"\0\x90\x3c\x40\x60\x3c\x50\x60\x3c\0\x60\x3c\0" + END, [(0, 192, 60, 64), (96, 192, 60, 80)]),  # overlap
        (b"\0\x90\x3c\x40\0\x80\x3c\0" + END, [(0, 1, 60, 64)]),  # no length
        (b"\0\x90\x3c\x40" + END, [(0, 1, 60, 64)]),  # neither released nor followed by anything
        (b"\0\x80\x3c\0\0\x90\x3c\x40\x60\x80\x3c\0\0\x80\x3c\0" + END, [(0, 96, 60, 64)]),  # releases of nothing
        (b"\0\x91\x3c\x40\x60\x80\x3c\0\x60\x81\x3c\0" + END, [(0, 192, 60, 64)]),  # release on another channel
        (b"\0\x90\x3c\x40\0\xf0\x02\x01\xf7\x60\x3c\0" + END, [(0, 96, 60, 64)]),  # running status across sysex
        (b"\0\x90\x3c\x40\0\xf4\0\xf8\0\xf2\1\2\x60\x80\x3c\0" + END, [(0, 96, 60, 64)]),  # system events
        (b"\0\x90\x3c\x40\0\xff\x90\x01\x05\x60\x80\x3c\0" + END, [(0, 96, 60, 64)]),  # unknown meta type
        (b"\0\x90\x3c\x40\x60\x80\x3c\0" + END + b"\0\x90\x40\x40", [(0, 96, 60, 64)]),  # events after the end
    ],
)
def test_rules_for_notes(body: bytes, expected: list[tuple[int, ...]]) -> None:
    assert rows(read(body)) == expected


def test_releases_match_a_slow_queue() -> None:
    rng = np.random.default_rng(1)
    body = b"".join(
        bytes([rng.integers(3), 0x80 | 16 * rng.integers(2) | rng.integers(2), 60 + rng.integers(2), rng.integers(2)])
        for _ in range(4000)
    )
    data = midi_file(body[: len(body) // 8 * 4] + END, body[len(body) // 8 * 4 :] + END)
    assert sorted(rows(read_midi_bytes(data, "test.mid"))) == sorted(mido_notes(data))


def test_program_holds_from_onset() -> None:
    score = read(b"\0\xc0\x05\0\x90\x3c\x40\x10\xc0\x06\x10\x90\x3e\x40\x10\x3c\0\0\x3e\0" + END)
    assert dict(zip(score.pitch.tolist(), score.program.tolist(), strict=True)) == {60: 5, 62: 6}


def test_pedals() -> None:
    note = b"\0\x90\x3c\x40\x60\x80\x3c\0"
    again = b"\0\xb0\x40\x40\x08\x40\x7f\x08\x40\x3f\x08\x40\0\x08\x40\x7f\0\x40\0\x08\x40\x50" + note + END
    assert read(again).pedals.tolist() == [[0, 16, 0], [40, 96, 0]]


def test_tempo_and_metre_of_any_track() -> None:
    note = b"\0\x90\x3c\x40\x60\x80\x3c\0"
    tempo = b"\0\xff\x51\x03\x07\xa1\x20\x10\xff\x51\x03\0\0\0\0\xff\x51\x02\x01\x01"  # a tempo, a zero, a short one
    metre = b"\0\xff\x58\x04\0\x02\x18\x08\0\xff\x58\x04\x03\x07\x18\x08\0\xff\x58\x04\x06\x03\x18\x08"
    score = read(note + END, tempo + metre + END)
    assert score.tempos.tolist() == [[0, 500_000]]
    assert score.time_signatures.tolist() == [[16, 6, 8]]
    assert score.track_names == ("",)


@pytest.mark.parametrize(
    ("division", "ticks_per_quarter", "seconds"),
    [(0xE728, 500, 1.0), (0xE250, 1200, 1.0), (0xE350, 1200, 1.001), (0xE701, 25, 40.0), (0xE804, 48, 1000 / 96)],
)
def test_smpte_ticks_last_as_long_as_their_time_code_says(
    division: int, ticks_per_quarter: int, seconds: float
) -> None:
    long_note = b"\0\x90\x3c\x40\0\xff\x51\x03\x01\x00\x00"  # the tempo means nothing under a time code
    frames_per_s, per_frame = 256 - (division >> 8), division & 255
    ticks = 1000 if frames_per_s != 30 and frames_per_s != 29 else 2400
    end = bytes([0x80 | ticks >> 7, ticks & 127]) + b"\x80\x3c\0"
    score = read(long_note + end + END, division=division)
    assert score.ticks_per_quarter == ticks_per_quarter
    assert score.seconds(ticks) == pytest.approx(seconds, rel=1e-12)
    assert per_frame * (30000 / 1001 if frames_per_s == 29 else frames_per_s) * seconds == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Élise 曲🎵".encode(), "Élise 曲🎵"),
        ("ピアノ".encode("shift_jis"), "ピアノ"),
        ("Flöte für Klaviär".encode("latin-1"), "Flöte für Klaviär"),
        (b"a\x00\x1b[2Jb\x9b", "a[2Jb"),
        (b"two\nlines", "two lines"),
    ],
)
def test_track_names(raw: bytes, name: str) -> None:
    assert clean_name(raw) == name


def test_noteless_file_is_an_empty_score() -> None:
    assert len(read(b"\x10\xe0\0\x40" + END)) == 0
    assert len(read(END, END)) == 0


def test_budgets_are_named() -> None:
    data = midi_bytes(Score.from_notes([0, 480, 960], 480, 60))
    assert len(read_midi_bytes(data, "a.mid", Limits(len(data), 3, 7, 2, 3))) == 3
    small = Limits(max_quarters=2), Limits(max_notes=2), Limits(max_tracks=1), Limits(max_events=6), Limits(max_bytes=9)
    for limits, budget in zip(small, ("quarters", "notes", "tracks", "events", "bytes"), strict=True):
        with pytest.raises(OverLimitError, match=rf"^a\.mid: .* {budget}, .*Limits\(max_{budget}="):
            read_midi_bytes(data, "a.mid", limits)


def test_limits_from_text() -> None:
    assert Limits.parse(["max_notes=7", " max_seconds = 9 ", "max_notes=8"]) == Limits(max_notes=8, max_seconds=9)
    assert Limits.parse([]) == Limits()
    budgets = ", ".join(asdict(Limits()))
    for pair in ("max_note=1", "", "=", "max_notes"):
        with pytest.raises(OptionError, match=rf"NAME is one of {budgets}$" if pair != "max_notes" else "whole number"):
            Limits.parse([pair])
    for pair in ("max_notes=many", "max_notes=-1", "max_notes=1.5", "max_notes=", "max_events=99999999999"):
        with pytest.raises(OptionError, match=f"limit .?{pair[:10]}"):
            Limits.parse([pair])


def test_a_limit_can_be_raised_as_its_error_says() -> None:
    data = midi_bytes(Score.from_notes([0, 480, 960], 480, 60))
    for limits in (Limits(max_quarters=2), Limits(max_notes=2), Limits(max_tracks=1), Limits(max_events=6)):
        with pytest.raises(OverLimitError) as caught:
            read_midi_bytes(data, "a.mid", limits)
        option = re.search(r"--limit (max_[a-z]+=\d+)", str(caught.value))
        assert option, caught.value
        assert len(read_midi_bytes(data, "a.mid", Limits.parse([option[1]]))) == 3


@pytest.mark.parametrize(
    "score",
    [
        Score.from_notes([0], 480, 60, time_signatures=[(0, 4, 3)]),
        Score.from_notes([0], 480, 60, time_signatures=[(0, 256, 4)]),
        Score.from_notes([0], 480, 60, tempos=[(0, 2**24)]),
        Score.from_notes([2**31 - 1], 1, 60),
    ],
)
def test_what_midi_cannot_hold_is_refused(score: Score) -> None:
    with pytest.raises(OptionError, match="does not fit a MIDI file"):
        midi_bytes(score)


def test_writing_is_atomic_and_failures_name_the_path(tmp_path: Path) -> None:
    score = Score.from_notes([0], 480, 60)
    target = tmp_path / "é 曲.mid"
    target.write_bytes(b"old")
    write_midi(score, target)
    assert read_midi(target) == score
    for bad in (tmp_path / "none" / "a.mid", tmp_path, target / "a.mid", "", "a\0b.mid"):
        with pytest.raises(BadFileError, match="cannot be written"):
            write_midi(score, bad)
    with pytest.raises(OptionError):
        write_midi(score.replaced(tempos=np.array([[0, 2**24]])), target)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_every_tenth_real_file_against_mido() -> None:
    files = sorted((SHARED / "data" / "midi").rglob("*.mid"))[::10]
    if not files:
        pytest.skip(f"no MIDI files under {SHARED / 'data' / 'midi'}; SEQAUDIO_SHARED names another folder")
    for path in files:
        data = path.read_bytes()
        score = read_midi_bytes(data, path.name)
        assert sorted(rows(score)) == sorted(mido_notes(data)), path
        again = read_midi_bytes(midi_bytes(score), path.name)
        assert sorted(rows(again)) == sorted(rows(score)), path
        assert again.tempos.tolist() == score.tempos.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["groove", "nottingham", "pop909"])
def test_every_real_file_against_symusic(folder: str) -> None:
    files = sorted((SHARED / "data" / "midi" / folder).rglob("*.mid"))
    if not files:
        pytest.skip(f"no MIDI files under {SHARED / 'data' / 'midi' / folder}; SEQAUDIO_SHARED names another folder")
    for path in files:
        score = read_midi(path)
        ours = Counter(rows(score))
        theirs = Counter(rows(score_from_symusic(symusic.Score.from_file(str(path)))))
        assert not theirs - ours, path
        for onset, duration, _, _ in ours - theirs:  # symusic leaves out what is never released
            assert onset + duration == score.end, path
