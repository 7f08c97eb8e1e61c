"""Laws of the lead sheet: every pitched note once, the melody as it is found alone, the rest untouched beside it."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings

from seqaudio.errors import NoNotesError
from seqaudio.music.chords import CHORD_TRACK
from seqaudio.music.lead_sheet import CHORDS_PROGRAM, MELODY_PROGRAM, MELODY_TRACK, lead_sheet, with_names
from seqaudio.music.melody import find_melody
from seqaudio.music.score import Score
from tests.music.test_melody import scores


def counted(score: Score, *columns: str) -> Counter[tuple[int, ...]]:
    return Counter(zip(*(getattr(score, name).tolist() for name in columns), strict=True))


@settings(max_examples=200, deadline=None)
@given(scores())
def test_the_melody_and_beside_it_all_other_pitched_notes(score: Score) -> None:
    pitched = score.notes(~score.is_drum)
    if not len(pitched):
        with pytest.raises(NoNotesError):
            lead_sheet(score)
        return
    sheet = lead_sheet(score)
    assert sheet.track_names == (MELODY_TRACK, CHORD_TRACK)
    assert counted(sheet, "onset", "pitch", "velocity") == counted(pitched, "onset", "pitch", "velocity")
    melody, chords = (sheet.notes(sheet.track == track) for track in (0, 1))
    for name in ("onset", "duration", "pitch"):
        assert getattr(melody, name).tolist() == getattr(find_melody(score).score, name).tolist()
    columns = ("onset", "duration", "pitch")
    assert not counted(chords, *columns) - counted(pitched, *columns)  # as long as they were
    assert set(melody.program.tolist()) == {MELODY_PROGRAM}
    assert set(chords.program.tolist()) <= {CHORDS_PROGRAM}
    assert not sheet.is_drum.any()


def test_pedals_of_tracks_that_are_no_more_are_left_out() -> None:
    score = Score.from_notes([0, 0], 480, [60, 48], track=[0, 1], track_names=("", ""), pedals=[(0, 480, 1)])
    assert not len(lead_sheet(score).pedals)


def test_symbols_are_chords_and_a_lead_sheet_is_its_own() -> None:
    tune, symbols = np.arange(8) * 480, np.repeat([0, 1920], 3)
    score = Score.from_notes(
        np.append(tune, symbols),
        np.append(np.full(8, 480), np.full(6, 1920)),
        [55, 57, 59, 60, 55, 57, 59, 60, 48, 52, 67, 48, 53, 69],  # the tune lies below the highest note of a symbol
        track=np.repeat([1, 0], [8, 6]),
        track_names=(CHORD_TRACK, "Voice"),
        tempos=[(0, 400_000)],
        time_signatures=[(0, 2, 2)],
    )
    sheet = lead_sheet(score)
    assert sheet.pitch[sheet.track == 0].tolist() == [55, 57, 59, 60] * 2
    assert lead_sheet(sheet) == sheet
    assert with_names(sheet.replaced(track_names=("", ""))) == sheet
    assert with_names(sheet.notes(sheet.track == 1).replaced(track_names=("", ""))).track_names == (CHORD_TRACK,) * 2
    assert sheet.tempos.tolist() == [[0, 400_000]]
    assert sheet.time_signatures.tolist() == [[0, 2, 2]]
