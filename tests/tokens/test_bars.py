"""Bar tokens: their exact form, the counts of what the grid cannot hold, and the ids that are refused."""

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from seqaudio.errors import CheckpointError, VocabularyError
from seqaudio.music import Score
from seqaudio.tokens import BarsTokenizer, Loss
from seqaudio.tokens.bars.grid import DURATIONS, TICKS_PER_STEP
from tests.contracts.any_scores import scores
from tests.contracts.tokenizer_laws import rows


@settings(max_examples=150, deadline=None)
@given(scores())
def test_onsets_go_to_the_nearest_step_halves_up(score: Score) -> None:
    grid, loss = BarsTokenizer().quantize(score)
    steps = [Fraction(12 * onset, score.ticks_per_quarter) for onset in score.onset.tolist()]
    nearest = [int(step + Fraction(1, 2)) for step in steps]  # int() of a positive number rounds down
    assert set((grid.onset // TICKS_PER_STEP).tolist()) == set(nearest)
    assert loss.onsets_moved == sum(step != n for step, n in zip(steps, nearest, strict=True))
    assert set((grid.duration // TICKS_PER_STEP).tolist()) <= set(DURATIONS.tolist())
    for program, is_drum, pitch in set(zip(grid.program, grid.is_drum, grid.pitch, strict=True)):
        line = grid.notes((grid.program == program) & (grid.is_drum == is_drum) & (grid.pitch == pitch))
        assert (np.diff(line.onset) >= line.duration[:-1]).all()  # no two strikes of one key sound together


def test_a_tokenizer_of_other_tokens_is_refused() -> None:
    good = BarsTokenizer().to_json()
    other = json.dumps(json.loads(good) | {"tokens": ["PAD_None"]})
    for text in (other, good.replace('"bars"', '"melody"')):
        with pytest.raises(CheckpointError, match="other tokens than the bars tokenizer"):
            BarsTokenizer.from_json(text)
    for text in ("", "[]", "{}", "null", good[:100]):
        with pytest.raises(CheckpointError, match="not a bars tokenizer"):
            BarsTokenizer.from_json(text)


def names(tokenizer: BarsTokenizer, score: Score) -> list[str]:
    return [tokenizer.vocabulary.names[i] for i in tokenizer.encode(score)]


def test_the_tokens_of_a_bar_are_as_documented() -> None:
    score = Score.from_notes(
        [0, 720, 720], [480, 240, 4320], [60, 38, 64], velocity=[80, 80, 100], program=[5, 0, 5],
        is_drum=[False, True, False], time_signatures=[(0, 3, 4)],
    )  # fmt: skip
    assert names(BarsTokenizer(), score) == [
        "BOS_None", "Bar_None", "TimeSig_3/4",
        "Position_0", "Program_5", "Velocity_83", "Pitch_60", "Duration_1.0.12",
        "Position_18", "Program_-1", "PitchDrum_38", "Duration_0.6.12",
        "Program_5", "Velocity_103", "Pitch_64", "Duration_9.0.12",
        "Bar_None", "Bar_None", "Bar_None", "EOS_None",
    ]  # fmt: skip
    assert names(BarsTokenizer(False, False), score) == [
        "BOS_None", "Bar_None", "TimeSig_3/4", "Position_0", "Pitch_60", "Duration_1.0.12",
        "Position_18", "Pitch_64", "Duration_9.0.12", "Bar_None", "Bar_None", "Bar_None", "EOS_None",
    ]  # fmt: skip
    assert names(BarsTokenizer(), score.notes(score.onset < 0)) == ["BOS_None", "EOS_None"]


# velocity 83 is one that can be written, so these show one loss at a time
def lost(onset: list[int], duration: list[int], pitch: list[int], tokenizer: BarsTokenizer, **more: object) -> Loss:
    return tokenizer.quantize(Score.from_notes(onset, duration, pitch, **({"velocity": 83} | more)))[1]


@pytest.mark.parametrize(
    ("onset", "duration", "pitch", "more", "expected"),
    [
        ([0, 160, 320, 480, 720, 840], [160, 160, 160, 240, 120, 120], [60, 62, 64, 65, 67, 69], {}, {}),  # triplets
        ([1, 480], [479, 480], [60, 62], {}, {"onsets_moved": 1, "durations_changed": 1}),
        ([0, 480], [481, 480], [60, 62], {}, {"durations_changed": 1}),
        ([19], [480], [60], {}, {"onsets_moved": 1}),
        ([0], [1], [60], {}, {"durations_changed": 1}),
        ([0], [9 * 480], [60], {}, {}),  # a whole number of quarters above eight
        ([0], [9 * 480 + 40], [60], {}, {"durations_changed": 1}),
        ([0], [33 * 480], [60], {}, {"durations_changed": 1}),
        ([0, 0], [480, 960], [60, 60], {}, {"notes_merged": 1}),
        ([0, 480], [960, 480], [60, 60], {}, {"overlaps_cut": 1}),
        ([0, 480], [960, 480], [60, 60], {"program": [0, 1]}, {}),  # two instruments may
        ([0, 480], [480, 480], [60, 60], {}, {}),  # touching is not overlapping
        ([0, 480], [480, 480], [60, 62], {"velocity": [80, 83]}, {"velocities_rounded": 1}),
        ([0], [480], [60], {"tempos": [(0, 400_000), (9, 1)], "pedals": [(0, 9, 0)]},
         {"tempo_changes_dropped": 2, "pedal_spans_dropped": 1}),
        ([0], [9600], [60], {"time_signatures": [(0, 3, 4), (1440, 6, 8)]}, {}),
        ([0], [480], [60], {"time_signatures": [(0, 17, 32)]}, {"metre_changes_replaced": 1}),
        ([0], [480], [60], {"time_signatures": [(0, 9, 4)]}, {"metre_changes_replaced": 1}),
        ([0], [480], [60], {"time_signatures": [(0, 3, 4), (9600, 9, 4)]}, {}),  # behind the end: not part of it
    ],
)  # fmt: skip
def test_what_is_lost_is_counted(
    onset: list[int], duration: list[int], pitch: list[int], more: dict[str, object], expected: dict[str, int]
) -> None:
    assert lost(onset, duration, pitch, BarsTokenizer(tempos=False, pedals="drop"), **more).nonzero() == expected


def test_what_options_leave_out_is_counted() -> None:
    facts = {"program": [0, 5, 9], "is_drum": [False, False, True], "velocity": [1, 2, 3]}
    for velocities in (False, True):
        loss = lost([0, 480, 960], [480] * 3, [60, 62, 64], BarsTokenizer(False, velocities), **facts)
        rounded = {"velocities_rounded": 2} if velocities else {}
        assert loss.nonzero() == {"programs_dropped": 1, "drums_dropped": 1} | rounded
    grid = BarsTokenizer(False, False).quantize(Score.from_notes([0], [480], [60], velocity=1, program=5))[0]
    assert (grid.velocity.tolist(), grid.program.tolist()) == ([80], [0])


def test_of_two_equal_notes_the_longer_and_louder_stays() -> None:
    grid, _ = BarsTokenizer().quantize(Score.from_notes([0, 0, 7], [480, 960, 960], 60, velocity=[99, 43, 47]))
    assert rows(grid) == [(0, 960, 60, 47)]


def test_a_bar_cut_short_gets_a_metre_of_its_own() -> None:
    score = Score.from_notes([0, 2400], [480, 480], [60, 62], velocity=83, time_signatures=[(0, 4, 4), (2400, 3, 4)])
    grid, loss = BarsTokenizer().quantize(score)
    assert grid.time_signatures.tolist() == [[0, 4, 4], [1920, 1, 4], [2400, 3, 4]]
    assert loss == Loss()
    assert grid.bars().tolist() == [0, 1920, 2400, 3840] == score.bars().tolist()


NOTE = ("Bar_None", "TimeSig_2/4", "Position_3", "Pitch_60", "Duration_1.0.12")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["Bar_None", "Position_0"], "^token Position_0 may not follow Bar here"),
        (["Bar_None", "TimeSig_2/4", "Position_24"], "^token Position_24 may not follow TimeSig here"),
        (["Bar_None", "TimeSig_2/4", "Position_3", "Pitch_60", "Pitch_61"], "^token Pitch_61 may not follow Pitch"),
        ([*NOTE, "Position_3"], "^token Position_3 may not follow Duration"),  # positions rise
        ([*NOTE, "Pitch_60"], "^token Pitch_60 may not follow Duration"),  # and at one position pitches do
        ([*NOTE, "Pitch_59"], "^token Pitch_59 may not follow Duration"),
        (["EOS_None", "Bar_None"], "^token Bar_None may not follow EOS"),
        (["BOS_None", "BOS_None"], "^token BOS_None may not follow BOS"),
    ],
)
def test_ids_that_break_the_grammar_are_named(tokens: list[str], message: str) -> None:
    tokenizer = BarsTokenizer(False, False)
    ids = [tokenizer.vocabulary.id(name) for name in tokens]
    with pytest.raises(VocabularyError, match=message):
        tokenizer.decode(ids)
