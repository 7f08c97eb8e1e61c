"""The tokenizer laws for bar tokens under each pair of options, and the counts of what the grid cannot hold."""

import json
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqaudio.errors import CheckpointError, VocabularyError
from seqaudio.files import read_midi
from seqaudio.music import Score
from seqaudio.tokens import BarsTokenizer, Loss
from seqaudio.tokens.bars_grid import DURATIONS, TICKS_PER_STEP
from tests.contracts import tokenizer_laws as laws

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))
TOKENIZERS = [BarsTokenizer(programs=p, velocities=v) for p in (True, False) for v in (True, False)]
every_tokenizer = pytest.mark.parametrize(
    "tokenizer", TOKENIZERS, ids=["programs and velocities", "programs", "velocities", "plain"]
)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Any score: no note order, no writable metre and no resolution is taken for granted."""
    tpq = draw(st.sampled_from([1, 24, 96, 480, 1000]) | st.integers(1, 32767))
    place = st.integers(0, 12 * tpq) | st.integers(0, 48).map(lambda step: step * tpq // 4)
    length = st.integers(1, 4 * tpq) | st.integers(1, 40 * tpq)
    voice = st.tuples(st.sampled_from([0, 0, 5, 127]), st.booleans())
    pitch = st.sampled_from([60, 60, 62]) | st.integers(0, 127)
    note = st.tuples(place, length, pitch, st.integers(1, 127), voice, st.integers(0, 1))
    notes = draw(st.lists(note, max_size=25))
    metre = st.tuples(place, st.integers(1, 13) | st.integers(1, 300), st.sampled_from([1, 2, 4, 8, 16, 32, 3, 64]))
    columns = [(on, long, p, v, *voice, track) for on, long, p, v, voice, track in notes]
    return Score(
        tpq,
        *np.array(columns, dtype=np.int64).reshape(-1, 7).T,
        tempos=np.array(draw(st.lists(st.tuples(place, st.integers(1, 10**6)), max_size=2))).reshape(-1, 2),
        time_signatures=np.array(draw(st.lists(metre, max_size=5))).reshape(-1, 3),
        pedals=np.array(draw(st.lists(st.tuples(place, length, st.integers(0, 1)), max_size=1))).reshape(-1, 3),
        track_names=("a", "b"),
    )


@every_tokenizer
@settings(max_examples=120, deadline=None)
@given(score=scores())
def test_scores_and_ids_go_round(tokenizer: BarsTokenizer, score: Score) -> None:
    laws.decoding_gives_the_score_on_the_grid(tokenizer, score)
    laws.what_is_on_the_grid_loses_nothing(tokenizer, score)
    laws.encoded_ids_come_back(tokenizer, score)
    laws.grammar_accepts_what_is_encoded(tokenizer, tokenizer.encode(score))


@every_tokenizer
@settings(max_examples=60, deadline=None)
@given(score=scores())
def test_every_note_is_kept_or_counted(tokenizer: BarsTokenizer, score: Score) -> None:
    grid, loss = tokenizer.quantize(score)
    assert len(grid) + loss.notes_merged + loss.drums_dropped == len(score)
    assert (loss.tempo_changes_dropped, loss.pedal_spans_dropped) == (len(score.tempos), len(score.pedals))
    assert loss.drums_dropped == (0 if tokenizer.programs else score.is_drum.sum())


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


@every_tokenizer
@pytest.mark.parametrize("seed", range(6))
def test_what_the_grammar_allows_is_music(tokenizer: BarsTokenizer, seed: int) -> None:
    assert laws.what_is_sampled_decodes_and_opens_elsewhere(tokenizer, seed, tokens=250) > 10


@every_tokenizer
def test_the_grammar_refuses_disorder(tokenizer: BarsTokenizer) -> None:
    rng = np.random.default_rng(3)
    ids = laws.sampled(tokenizer, rng, 40)
    refused = [laws.any_disorder_is_refused_or_decodes(tokenizer, rng.permutation(ids)) for _ in range(40)]
    swapped = [laws.any_disorder_is_refused_or_decodes(tokenizer, np.delete(ids, i)) for i in range(len(ids))]
    assert all(refused)
    assert any(swapped)


@every_tokenizer
def test_sequences_may_stop_anywhere(tokenizer: BarsTokenizer) -> None:
    ids = laws.sampled(tokenizer, np.random.default_rng(5), 120)
    for cut in range(len(ids)):
        laws.decoding_a_beginning_gives_the_beginning(tokenizer, ids, cut)


@every_tokenizer
def test_a_saved_tokenizer_is_the_same(tokenizer: BarsTokenizer, tmp_path: Path) -> None:
    score = Score.from_notes([0, 480, 480], 480, [60, 64, 36], program=[0, 7, 0], is_drum=[False, False, True])
    laws.saving_changes_nothing(tokenizer, score, tmp_path / "tokenizer.json")
    laws.ids_outside_the_vocabulary_are_named(tokenizer, score)


def test_a_tokenizer_of_other_tokens_is_refused() -> None:
    good = BarsTokenizer().to_json()
    other = json.dumps(json.loads(good) | {"tokens": ["PAD_None"]})
    for text in (other, good.replace('"bars"', '"melody"')):
        with pytest.raises(CheckpointError, match="other tokens than the bars tokenizer"):
            BarsTokenizer.from_json(text)
    for text in ("", "[]", "{}", "null", good[:100]):
        with pytest.raises(CheckpointError, match="not a bars tokenizer"):
            BarsTokenizer.from_json(text)


@every_tokenizer
@settings(max_examples=50, deadline=None)
@given(score=scores(), semitones=st.integers(-30, 30))
def test_moving_ids_is_moving_the_score(tokenizer: BarsTokenizer, score: Score, semitones: int) -> None:
    ids = tokenizer.encode(score)
    grid = tokenizer.decode(ids)
    pitched = grid.pitch[~grid.is_drum] + semitones
    if ((pitched < 0) | (pitched > 127)).any():
        with pytest.raises(VocabularyError, match=f"moving by {semitones} semitones leaves the pitches"):
            tokenizer.transpose(ids, semitones)
        return
    moved = tokenizer.transpose(ids, semitones)
    assert tokenizer.decode(moved) == grid.transposed(semitones)
    assert tokenizer.transpose(moved, -semitones).tolist() == ids.tolist()


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
    assert lost(onset, duration, pitch, BarsTokenizer(), **more).nonzero() == expected


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
    assert laws.rows(grid) == [(0, 960, 60, 47)]


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


def test_every_twentieth_real_file() -> None:
    files = sorted((SHARED / "data" / "midi").rglob("*.mid"))[::20]
    if not files:
        pytest.skip(f"no MIDI files under {SHARED / 'data' / 'midi'}; SEQAUDIO_SHARED names another folder")
    for number, path in enumerate(files):
        tokenizer, score = TOKENIZERS[number % 4], read_midi(path)
        laws.decoding_gives_the_score_on_the_grid(tokenizer, score)
        laws.what_is_on_the_grid_loses_nothing(tokenizer, score)
