"""Which notes a page shows: all of them where they fit, those around the cut where they do not, told apart by kind."""

import numpy as np
import pytest

from seqaudio.music.score import Score
from seqaudio.report.page.content import BEFORE, BESIDE, NEW
from seqaudio.report.page.rolls import SHOWN_BARS_BEFORE, roll_of
from tests.samples import tune


def test_every_note_of_a_piece_in_its_bar():
    score = tune(9, (3, 4))
    roll = roll_of(score)
    assert (roll.kind == BEFORE).all()
    assert (roll.first_bar, roll.bars, roll.new_from_bar, roll.left_out) == (1, 9, None, "")
    assert (roll.pitch == score.pitch).all()
    assert np.allclose(roll.onset_s, score.onset / 960)
    assert np.allclose(roll.bar_lines_s, np.arange(10) * 1.5)


def test_before_and_behind_the_cut():
    score = tune(9)
    cut = int(score.bars()[5])
    roll = roll_of(score, cut)
    assert roll.new_from_bar == 5
    assert ((roll.kind == NEW) == (score.onset >= cut)).all()


def test_a_piece_from_nothing_is_new():
    roll = roll_of(tune(3), 0)
    assert (roll.kind == NEW).all()
    assert roll.new_from_bar == 0


def test_the_voice_is_found_in_the_piece_it_came_from():
    """Whatever its resolution, and where its onsets were moved to the grid."""
    melody = tune(4, track=0)
    chords = tune(4, low=40, high=50, seed=1)
    both = Score.from_notes(
        np.append(melody.onset + 3, chords.onset),
        np.append(melody.duration, chords.duration),
        np.append(melody.pitch, chords.pitch),
        track=np.repeat([0, 1], [len(melody), len(chords)]),
        track_names=("melody", "chords"),
    )
    coarse = melody.replaced(ticks_per_quarter=12, onset=melody.onset // 40, duration=melody.duration // 40)
    roll = roll_of(both, int(both.bars()[-1]), coarse)
    assert ((roll.kind == BEFORE) == (both.track == 0)).all()
    assert ((roll.kind == BESIDE) == (both.track == 1)).all()


def test_a_primer_that_ends_in_silence_goes_on_to_the_cut():
    score = tune(4)
    cut = int(score.bars()[-1]) + 4 * 480
    whole = score.replaced(
        onset=np.append(score.onset, cut),
        **{
            name: np.append(getattr(score, name), getattr(score, name)[-1])
            for name in ("duration", "pitch", "velocity", "program", "is_drum", "track")
        },
    )
    roll = roll_of(whole, cut)
    assert roll.new_from_bar == 5
    assert (roll.kind == NEW).sum() == 1


def test_of_a_long_primer_the_end():
    score = tune(SHOWN_BARS_BEFORE + 44)
    cut = int(score.bars()[SHOWN_BARS_BEFORE + 40])
    roll = roll_of(score, cut)
    assert roll.first_bar == 41
    assert roll.new_from_bar == SHOWN_BARS_BEFORE
    assert roll.bars == SHOWN_BARS_BEFORE + 4
    assert len(roll.pitch) == (score.onset >= score.bars()[40]).sum()
    assert roll.onset_s[0] == roll.bar_lines_s[0] == 0
    assert roll.left_out.endswith("bars 1 to 40")


@pytest.mark.parametrize("most", [1, 3, 20, 50, 90, 10_000])
@pytest.mark.parametrize("cut", [None, 0, 4, 16])
def test_never_more_notes_than_allowed_and_none_left_out_unsaid(most, cut):
    score = tune(16)
    roll = roll_of(score, None if cut is None else int(score.bars()[cut]), most_notes=most)
    assert len(roll.pitch) <= most
    assert 1 <= roll.bars <= 16
    assert bool(roll.left_out) == (len(roll.pitch) < len(score))
    if most > 12 and cut == 4:  # the bars next to the cut are there
        first_new = 4 - (roll.first_bar - 1)
        assert roll.new_from_bar == first_new < roll.bars
    lines = score.bars()[roll.first_bar - 1 : roll.first_bar + roll.bars]
    inside = (score.onset >= lines[0]) & (score.onset < lines[-1])
    assert (roll.pitch == score.pitch[inside][:most]).all()


def test_no_notes():
    roll = roll_of(Score.from_notes([], [], []))
    assert len(roll.pitch) == 0


def test_notes_left_out_of_a_bar_that_is_shown_are_counted():
    chord = Score.from_notes([0] * 30, 480, np.arange(50, 80))
    roll = roll_of(chord, most_notes=12)
    assert len(roll.pitch) == 12
    assert roll.left_out.endswith(": 18 notes of the bars shown")
