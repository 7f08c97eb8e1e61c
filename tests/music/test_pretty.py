"""Through pretty_midi and back, to the tick."""

import io
import os
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.errors import OptionError
from seqaudio.files import read_midi, read_midi_bytes
from seqaudio.music import Score

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))
NOTE_NAMES = ("onset", "duration", "pitch", "velocity", "program", "is_drum", "track")


def assert_same_piece(one: Score, other: Score) -> None:
    for name in (*NOTE_NAMES, "time_signatures", "pedals"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    assert (one.ticks_per_quarter, one.track_names) == (other.ticks_per_quarter, other.track_names)
    ticks = np.unique(np.concatenate([[0], one.tempos[:, 0], other.tempos[:, 0], [one.end]])).tolist()
    assert [one.tempo_qpm(tick) for tick in ticks] == [other.tempo_qpm(tick) for tick in ticks]


@st.composite
def scores(draw: st.DrawFn) -> Score:
    tracks = draw(st.integers(1, 3))
    kinds = [draw(st.tuples(st.integers(0, 127), st.booleans())) for _ in range(tracks)]
    column = st.tuples(
        st.integers(0, 50_000),
        st.integers(1, 5000),
        st.integers(0, 127),
        st.integers(1, 127),
        st.integers(0, tracks - 1),
    )
    notes = draw(st.lists(column, max_size=30))
    tempo = st.tuples(st.integers(0, 50_000), st.integers(10_000, 2**24 - 1))
    metre = st.tuples(st.integers(0, 50_000), st.integers(1, 20), st.sampled_from([1, 2, 4, 8, 16]))
    cuts = sorted(draw(st.lists(st.integers(0, 50_000), max_size=8, unique=True)))
    onset, duration, pitch, velocity, track = np.array(notes, dtype=np.int64).reshape(-1, 5).T
    program, is_drum = np.array(kinds, dtype=np.int64).reshape(-1, 2).T
    return Score(
        draw(st.sampled_from([24, 96, 120, 220, 480, 960])),
        onset, duration, pitch, velocity, program[track], is_drum[track] > 0, track,
        tempos=np.array(draw(st.lists(tempo, max_size=4))).reshape(-1, 2),
        time_signatures=np.array(draw(st.lists(metre, max_size=3))).reshape(-1, 3),
        pedals=np.array([(a, b - a, 0) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]).reshape(-1, 3),
        track_names=tuple(f"track {i}" for i in range(tracks)),
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(scores())
def test_there_and_back_to_the_tick(score: Score) -> None:
    assert_same_piece(Score.from_pretty_midi(score.to_pretty_midi()), score)


def test_pretty_midi_writes_the_same_ticks() -> None:
    score = Score.from_notes(
        [0, 481, 963, 963], [480, 479, 1000, 10], [60, 62, 36, 64], program=[3, 3, 0, 3],
        is_drum=[False, False, True, False], track=[0, 0, 1, 0], track_names=["a", "b"],
        tempos=[(0, 600_000), (480, 337_000), (1000, 1_234_567)], time_signatures=[(0, 3, 4), (1440, 6, 8)],
        pedals=[(10, 700, 0), (710, 100, 0)],
    )  # fmt: skip
    buffer = io.BytesIO()
    score.to_pretty_midi().write(buffer)
    written = read_midi_bytes(buffer.getvalue(), "written.mid")
    for name in (*NOTE_NAMES, "time_signatures", "pedals"):
        np.testing.assert_array_equal(getattr(written, name), getattr(score, name), name)
    # pretty_midi rounds tempos towards zero
    np.testing.assert_allclose(written.tempos, score.tempos, rtol=0, atol=1)


def test_a_midi_made_by_hand() -> None:
    midi = pretty_midi.PrettyMIDI(resolution=100, initial_tempo=60)
    part = pretty_midi.Instrument(7, name="by hand")
    part.notes = [pretty_midi.Note(90, 60, 0.504, 1.0), pretty_midi.Note(90, 62, 2.0, 2.0)]
    part.control_changes = [pretty_midi.ControlChange(64, 100, 0.25), pretty_midi.ControlChange(7, 1, 0.5)]
    midi.instruments.append(part)
    score = Score.from_pretty_midi(midi)
    assert (score.onset.tolist(), score.duration.tolist()) == ([50, 200], [50, 1])
    assert score.pedals.tolist() == [[25, 175, 0]]  # never lifted: to the end of the instrument
    assert score.tempos.tolist() == [[0, 1_000_000]]
    assert (score.program.tolist(), score.track_names) == ([7, 7], ("by hand",))


def test_a_track_of_two_programs_becomes_two_instruments() -> None:
    score = Score.from_notes([0, 1], 1, 60, program=[1, 2], pedals=[(0, 5, 0)])
    assert [i.program for i in score.to_pretty_midi().instruments] == [1, 2]
    assert len(Score.from_pretty_midi(score.to_pretty_midi()).pedals) == 2


def test_what_pretty_midi_cannot_hold_is_refused() -> None:
    with pytest.raises(OptionError, match="pretty_midi holds ticks below 10,000,000"):
        Score.from_notes([10**7], 1, 60).to_pretty_midi()


def test_real_files_through_pretty_midi() -> None:
    files = sorted((SHARED / "data" / "midi").rglob("*.mid"))[::100]
    if not files:
        pytest.skip(f"no MIDI files under {SHARED / 'data' / 'midi'}; SEQAUDIO_SHARED names another folder")
    for path in files:
        score = read_midi(path)
        assert_same_piece(Score.from_pretty_midi(score.to_pretty_midi()), score)
