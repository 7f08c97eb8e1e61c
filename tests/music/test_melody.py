"""Laws of the melody: one note at a time, taken from the score, the named track before the skyline."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.errors import NoNotesError
from seqaudio.music import Score
from seqaudio.music.chords import CHORD_TRACK
from seqaudio.music.melody import MELODY_NAMES, find_melody, skyline


@st.composite
def scores(draw: st.DrawFn) -> Score:
    note = st.tuples(st.integers(0, 40), st.integers(1, 30), st.integers(50, 70), st.integers(0, 1), st.booleans())
    columns = np.array(draw(st.lists(note, min_size=1, max_size=25))).T
    onset, duration, pitch, track, is_drum = columns * np.array([[6], [5], [1], [1], [1]])
    return Score.from_notes(
        onset, duration, pitch, track=track, is_drum=is_drum, track_names=["a", "b"], ticks_per_quarter=24
    )


def slow_skyline(score: Score) -> list[tuple[int, int, int]]:
    """Every pair of notes compared: of one onset the highest, unless a higher one sounds on beyond a sixteenth."""
    notes = list(zip(score.onset.tolist(), (score.onset + score.duration).tolist(), score.pitch.tolist(), strict=True))
    held = score.ticks_per_quarter // 4
    top: dict[int, tuple[int, int]] = {}
    for onset, end, pitch in notes:
        higher = [n for n in notes if n[2] > pitch and (n[0] == onset or (n[0] < onset and n[1] > onset + held))]
        if not higher and onset not in top:
            top[onset] = (end, pitch)
    starts = sorted(top)
    return [
        (start, min(top[start][0], after) - start, top[start][1])
        for start, after in zip(starts, [*starts[1:], 10**9], strict=True)
    ]


@settings(max_examples=300, deadline=None)
@given(scores())
def test_the_skyline_is_what_a_slow_search_finds(score: Score) -> None:
    line = skyline(score)
    found = list(zip(line.onset.tolist(), line.duration.tolist(), line.pitch.tolist(), strict=True))
    assert [n[::2] for n in found] == [n[::2] for n in slow_skyline(score)]
    assert (line.onset[1:] >= (line.onset + line.duration)[:-1]).all()
    assert skyline(line) == line


@settings(max_examples=100, deadline=None)
@given(scores())
def test_a_melody_is_one_line_of_pitched_notes_of_the_score(score: Score) -> None:
    if score.is_drum.all():
        with pytest.raises(NoNotesError, match="only drums"):
            find_melody(score)
        return
    melody = find_melody(score).score
    assert len(melody) > 0
    assert not melody.is_drum.any()
    assert (melody.onset[1:] >= (melody.onset + melody.duration)[:-1]).all()
    spots = set(zip(score.onset.tolist(), score.pitch.tolist(), strict=True))
    assert set(zip(melody.onset.tolist(), melody.pitch.tolist(), strict=True)) <= spots


def two_tracks(*names: str) -> Score:
    return Score.from_notes([0, 0, 480, 480], 480, [72, 60, 74, 62], track=[0, 1, 0, 1], track_names=names)


@pytest.mark.parametrize("name", ["MELODY", "Vocals", "lead guitar", "Solo", "Soprano", "Melodía", "my voice 1"])
def test_a_track_that_names_itself_is_the_melody(name: str) -> None:
    melody = find_melody(two_tracks("Piano", name))
    assert melody.score.pitch.tolist() == [60, 62]
    assert melody.found_as == f"track 2 of 2, named {name!r}"


@pytest.mark.parametrize("name", ["Bass", "invoice", "leading", "", "Misleading"])
def test_other_names_say_nothing(name: str) -> None:
    assert not MELODY_NAMES.search(name)
    melody = find_melody(two_tracks("", name))
    assert melody.score.pitch.tolist() == [72, 74]
    assert melody.found_as == "the highest notes of 2 tracks"


def test_one_line_is_its_own_melody() -> None:
    score = Score.from_notes([0, 480], 480, [60, 62])
    assert find_melody(score).score == score
    assert find_melody(score).found_as == "the only track"
    chords = Score.from_notes([0, 0, 480], 480, [60, 64, 62])
    assert find_melody(chords).score.pitch.tolist() == [64, 62]
    assert find_melody(chords).found_as == "the only track, its highest notes"


def test_a_tune_with_chord_symbols_is_the_tune_and_drums_are_no_tune() -> None:
    score = Score.from_notes(
        [0, 480, 0, 0],
        480,
        [60, 62, 72, 36],
        track=[0, 0, 1, 2],
        is_drum=[False] * 3 + [True],
        track_names=("", CHORD_TRACK, ""),
    )
    melody = find_melody(score)
    assert melody.score.pitch.tolist() == [60, 62]
    assert melody.found_as == "the only track beside the chord symbols"
    symbols_and_drums = score.notes(score.track > 0)  # without a tune the symbols are what there is
    assert find_melody(symbols_and_drums).score.pitch.tolist() == [72]
    assert find_melody(symbols_and_drums).found_as == "the only track"


def test_no_notes_no_melody() -> None:
    with pytest.raises(NoNotesError, match=r"^no notes$"):
        find_melody(Score.from_notes([], 1, 60))
