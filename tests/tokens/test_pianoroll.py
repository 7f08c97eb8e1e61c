"""Piano rolls: pretty_midi's roll of the same notes, frames and tokens there and back, and what is counted as lost."""

import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from seqaudio.errors import OptionError, OverLimitError, VocabularyError
from seqaudio.files import Limits
from seqaudio.music import Score
from seqaudio.tokens import PianorollTokenizer

ROLL = PianorollTokenizer()


def random_frames(seed: int, steps: int, keys: int) -> NDArray[np.bool_]:
    frames = np.random.default_rng(seed).random((steps, keys)) < 0.2
    frames[-1:, 0] = True  # silence at the end is no part of a score
    return frames


@pytest.mark.parametrize("keys", [88, 128])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), steps=st.integers(0, 30), grid=st.integers(1, 480))
def test_frames_scores_and_tokens_go_round(keys: int, seed: int, steps: int, grid: int) -> None:
    tokenizer = PianorollTokenizer(keys, grid)  # type: ignore[arg-type]
    frames = random_frames(seed, steps, keys)
    score = tokenizer.score_of(frames)
    assert np.array_equal(tokenizer.frames(score), frames)
    assert np.array_equal(tokenizer.frames_of(tokenizer.ids_of(frames)), frames)
    assert tokenizer.encode(score).tolist() == tokenizer.ids_of(frames).tolist()
    assert len(score) == (np.diff(frames.astype(int), axis=0, prepend=0) == 1).sum()
    assert tokenizer.quantize(score)[1].nonzero() == {}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20), st.integers(0, 127)), min_size=1, max_size=30))
def test_the_roll_is_pretty_midis(notes: list[tuple[int, int, int]]) -> None:
    onset, length, pitch = np.array(notes).T  # sixteenths
    score = Score.from_notes(onset * 120, length * 120, pitch)
    midi = pretty_midi.PrettyMIDI()
    midi.instruments = [pretty_midi.Instrument(0)]
    midi.instruments[0].notes = [pretty_midi.Note(80, p, on / 8, (on + n) / 8) for on, n, p in notes]
    theirs = midi.get_piano_roll(fs=8).T > 0  # (steps, 128)
    ours = PianorollTokenizer(128).frames(score)
    assert np.array_equal(ours, theirs[: len(ours)])
    assert not theirs[len(ours) :].any()


def test_the_tokens_are_as_documented() -> None:
    ids = ROLL.encode(Score.from_notes([0, 120, 360], [240, 120, 120], [64, 60, 64]))
    assert [ROLL.vocabulary.names[i] for i in ids] == [
        "BOS_None", "Pitch_64", "Step_None", "Pitch_60", "Pitch_64", "Step_None", "Step_None",
        "Pitch_64", "Step_None", "EOS_None",
    ]  # fmt: skip
    assert ROLL.vocabulary.names[4] == "Pitch_21"
    assert len(ROLL.vocabulary) == 4 + 88
    assert ROLL.frames_of(ids[:-2]).shape == (3, 88)  # a step that is not complete is left out


@pytest.mark.parametrize(
    ("onset", "duration", "pitch", "more", "expected"),
    [
        ([0, 120], [120, 120], [60, 62], {}, {}),
        ([0, 120], [120, 120], [60, 60], {}, {"notes_merged": 1}),
        ([0, 0, 60], [480, 480, 60], [60, 60, 62], {}, {"notes_merged": 1, "onsets_moved": 1, "durations_changed": 1}),
        ([0, 0], [480, 480], [20, 60], {}, {"notes_dropped": 1}),
        ([0, 0], [480, 480], [60, 60], {"is_drum": [True, False]}, {"drums_dropped": 1}),
        ([0], [480], [60], {"program": 4, "tempos": [(0, 9)], "pedals": [(0, 9, 0)], "time_signatures": [(0, 3, 4)]},
         {"programs_dropped": 1, "tempo_changes_dropped": 1, "pedal_spans_dropped": 1, "metre_changes_dropped": 1}),
    ],
)  # fmt: skip
def test_what_is_lost_is_counted(
    onset: list[int], duration: list[int], pitch: list[int], more: dict[str, object], expected: dict[str, int]
) -> None:
    assert ROLL.quantize(Score.from_notes(onset, duration, pitch, **more))[1].nonzero() == expected


def test_wrong_shapes_options_and_orders_are_refused() -> None:
    for frames in (np.zeros((3, 87)), np.zeros(88), np.full((3, 88), 2), np.full((3, 88), np.nan)):
        with pytest.raises(OptionError, match=r"a roll has shape \(steps, 88\) of 0 and 1"):
            ROLL.score_of(frames)
    for keys, grid in ((87, 4), (88, 0), (88, 481)):
        with pytest.raises(OptionError, match="88 or 128 keys, and 1 to 480 steps"):
            PianorollTokenizer(keys, grid)  # type: ignore[arg-type]
    for tokens in (["Pitch_60", "Pitch_60"], ["Pitch_60", "Pitch_59"], ["Pitch_60", "EOS_None"]):
        with pytest.raises(VocabularyError, match=f"token {tokens[1]} may not follow Pitch_60 here"):
            ROLL.decode([ROLL.vocabulary.id(name) for name in tokens])


def test_cells_are_counted_before_they_are_made() -> None:
    score = Score.from_notes([0], [480], [60])
    with pytest.raises(OverLimitError, match="max_cells"):
        ROLL.frames(score, Limits(max_cells=351))
    assert ROLL.frames(score, Limits(max_cells=352)).shape == (4, 88)
    with pytest.raises(OverLimitError, match="max_cells"):
        ROLL.frames_of(ROLL.encode(score), Limits(max_cells=351))
