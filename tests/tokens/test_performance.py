"""Performance tokens: their exact form, a player and a grid written another way, and what is counted as lost."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.errors import OptionError, VocabularyError
from seqaudio.music import Score
from seqaudio.tokens import BarsTokenizer, Loss, PerformanceTokenizer, Tokenizer
from seqaudio.tokens.performance.grammar import permits
from tests.contracts import tokenizer_laws as laws
from tests.contracts.any_scores import scores

PLAIN, FULL = PerformanceTokenizer(), PerformanceTokenizer(programs=True)


def names(tokenizer: PerformanceTokenizer, score: Score) -> list[str]:
    return [tokenizer.vocabulary.names[i] for i in tokenizer.encode(score)]


def test_the_tokens_are_as_documented() -> None:
    score = Score.from_notes(
        [0, 500, 2600], [500, 2100, 10], [60, 60, 36], velocity=[80, 80, 100], program=[5, 5, 0],
        is_drum=[False, False, True], track=[0, 0, 1], ticks_per_quarter=500, track_names=["", ""],
        pedals=[(0, 500, 0), (500, 100, 0)],
    )  # fmt: skip
    assert names(PLAIN, score) == [
        "BOS_None", "PedalDown_None", "Velocity_83", "NoteOn_60",
        "TimeShift_50", "NoteOff_60", "PedalUp_None", "PedalDown_None", "NoteOn_60",
        "TimeShift_10", "PedalUp_None", "TimeShift_100", "TimeShift_100", "NoteOff_60", "EOS_None",
    ]  # fmt: skip
    assert names(FULL, score)[-9:] == [
        "TimeShift_100", "TimeShift_100", "NoteOff_60",
        "Program_-1", "Velocity_103", "NoteOnDrum_36", "TimeShift_1", "NoteOffDrum_36", "EOS_None",
    ]  # fmt: skip
    assert names(PerformanceTokenizer(pedals="drop"), score)[:3] == ["BOS_None", "Velocity_83", "NoteOn_60"]


def test_the_vocabulary_is_that_of_performance_rnn_and_the_pedal() -> None:
    sizes = {"PAD": 1, "BOS": 1, "EOS": 1, "NoteOn": 128, "NoteOff": 128, "TimeShift": 100, "Velocity": 32}
    assert PerformanceTokenizer(pedals="drop").sizes == sizes
    assert PLAIN.sizes == sizes | {"PedalUp": 1, "PedalDown": 1}
    with pytest.raises(OptionError, match="pedals is 'folded', it must be one of drop, tokens, durations"):
        PerformanceTokenizer(pedals="folded")  # type: ignore[arg-type]


def played(tokenizer: PerformanceTokenizer, ids: list[int]) -> list[tuple[int, int, int, int, int]]:
    """Tokens played one by one: step, end, program (-1 drums), pitch and velocity of each note."""
    now, program, velocity = 0, 0, 0
    sounding: dict[tuple[int, int], tuple[int, int]] = {}
    notes = []
    for token in ids:
        kind, _, value = tokenizer.vocabulary.names[token].partition("_")
        match kind.removesuffix("Drum"):
            case "TimeShift":
                now += int(value)
            case "Program":
                program = int(value)
            case "Velocity":
                velocity = int(value)
            case "NoteOn":
                assert (program, int(value)) not in sounding
                sounding[program, int(value)] = (now, velocity)
            case "NoteOff":
                onset, loud = sounding.pop((program, int(value)))
                notes.append((onset, now, program, int(value), loud))
    left = [(onset, max(now, onset + 1), *key, loud) for key, (onset, loud) in sounding.items()]
    return sorted(notes + left)


def heard(score: Score) -> list[tuple[int, int, int, int, int]]:
    program = np.where(score.is_drum, -1, score.program)
    columns = (score.onset // 10, (score.onset + score.duration) // 10, program, score.pitch, score.velocity)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("tokenizer", [PLAIN, FULL])
@pytest.mark.parametrize("seed", range(5))
def test_decoding_is_playing_the_tokens_one_by_one(tokenizer: PerformanceTokenizer, seed: int) -> None:
    ids = laws.sampled(tokenizer, np.random.default_rng(seed), 400)
    assert heard(tokenizer.decode(ids)) == played(tokenizer, ids.tolist())


def nearest_steps(score: Score, ticks: list[int]) -> list[int]:
    """The nearest steps of 10 ms, halves up, with the tempo map walked in exact fractions."""
    found = []
    for tick in ticks:
        time, last, tempo = Fraction(0), 0, 500_000
        for change, us in score.tempos.tolist():
            if change <= tick:
                time, last, tempo = time + Fraction((change - last) * tempo, score.ticks_per_quarter), change, us
        time += Fraction((tick - last) * tempo, score.ticks_per_quarter)
        found.append(int(time / 10_000 + Fraction(1, 2)))
    return found


@settings(max_examples=100, deadline=None)
@given(scores())
def test_the_grid_is_the_one_a_slow_loop_finds(score: Score) -> None:
    onset = nearest_steps(score, score.onset.tolist())
    end = nearest_steps(score, (score.onset + score.duration).tolist())
    notes: dict[tuple[int, int, int], tuple[int, int]] = {}
    for on, off, pitch, program, drum, velocity in zip(
        onset, end, score.pitch.tolist(), score.program.tolist(), score.is_drum.tolist(), score.velocity.tolist(),
        strict=True,
    ):  # fmt: skip
        key = (-1 if drum else program, pitch, on)
        notes[key] = max(notes.get(key, (0, 0)), (max(off, on + 1), 4 * (velocity // 4) + 3))
    expected = []
    for (program, pitch, on), (off, loud) in notes.items():
        again = [other for p, k, other in notes if (p, k) == (program, pitch) and other > on]
        expected.append((on, min([off, *again]), program, pitch, loud))
    ids = FULL.encode(score)
    assert played(FULL, ids.tolist()) == sorted(expected)
    seconds = score.seconds(score.onset)
    assert np.abs(np.array(onset) * 0.01 - seconds).max(initial=0) < 0.005 + 1e-9


@pytest.mark.parametrize(
    ("onset", "duration", "pitch", "more", "expected"),
    [
        ([0, 20], [10, 10], [60, 60], {}, {}),
        ([4, 20], [6, 10], [60, 62], {}, {"onsets_moved": 1, "durations_changed": 1}),
        ([0], [1], [60], {}, {"durations_changed": 1}),
        ([0, 0], [10, 20], [60, 60], {}, {"notes_merged": 1}),
        ([0, 10], [20, 20], [60, 60], {}, {"overlaps_cut": 1}),
        ([0, 10], [10, 20], [60, 60], {}, {}),  # struck again at its release
        ([0], [10], [60], {"velocity": 80}, {"velocities_rounded": 1}),
        ([0], [10], [60], {"tempos": [(0, 500_000)], "time_signatures": [(0, 3, 4)]},
         {"tempo_changes_dropped": 1, "metre_changes_dropped": 1}),
        ([0], [10], [60], {"pedals": [(0, 10, 0), (10, 5, 0)]}, {"pedal_spans_moved": 1}),
        ([0], [10], [60], {"pedals": [(0, 4, 0), (0, 10, 1)]},
         {"pedal_spans_moved": 1, "pedal_spans_dropped": 1}),  # less than a step; a track without notes
        ([0], [10], [60], {"pedals": [(0, 20, 0), (10, 20, 0)]}, {"pedal_spans_moved": 1}),  # two become one
        ([0], [10], [60], {"program": 3}, {"programs_dropped": 1}),
        ([0], [10], [60], {"is_drum": True}, {"drums_dropped": 1}),
    ],
)  # fmt: skip
def test_what_is_lost_is_counted(
    onset: list[int], duration: list[int], pitch: list[int], more: dict[str, object], expected: dict[str, int]
) -> None:
    facts = {"velocity": 83, "track_names": ["", ""], "ticks_per_quarter": 500}
    assert PLAIN.quantize(Score.from_notes(onset, duration, pitch, **(facts | more)))[1].nonzero() == expected


def test_pedals_are_kept_folded_or_dropped() -> None:
    score = Score.from_notes([0, 200], [100, 100], [60, 64], velocity=83, ticks_per_quarter=500, pedals=[(50, 500, 0)])
    grid, loss = PLAIN.quantize(score)
    assert (grid.pedals.tolist(), grid.duration.tolist(), loss) == ([[50, 500, 0]], [100, 100], Loss())
    grid, loss = PerformanceTokenizer(pedals="durations").quantize(score)
    assert (grid.pedals.tolist(), grid.duration.tolist(), loss) == ([], [550, 350], Loss())
    grid, loss = PerformanceTokenizer(pedals="drop").quantize(score)
    assert (grid.pedals.tolist(), grid.duration.tolist()) == ([], [100, 100])
    assert loss == Loss(pedal_spans_dropped=1)


@pytest.mark.parametrize("tokenizer", [FULL, PerformanceTokenizer(True, "durations"), BarsTokenizer(pedals="tokens")])
def test_drums_have_no_pedal(tokenizer: Tokenizer) -> None:
    score = Score.from_notes(
        [0, 0], 480, [60, 36], velocity=83, is_drum=[False, True], track=[0, 1], track_names="ab",
        pedals=[(0, 960, 1), (0, 480, 1)],
    )  # fmt: skip
    grid, loss = tokenizer.quantize(score)
    assert len(grid.pedals) == 0
    assert loss.nonzero() == {"pedal_spans_dropped": 2}
    assert not any("Pedal" in tokenizer.vocabulary.names[token] for token in tokenizer.encode(score))


def test_no_pedal_may_follow_the_drums() -> None:
    state = FULL.start()
    for name in ("BOS_None", "Program_-1", "Velocity_3", "NoteOnDrum_36"):
        state = state.after(FULL.vocabulary.id(name))
    shifted = state.after(FULL.vocabulary.id("TimeShift_1"))
    for here in (state, shifted):
        assert not FULL.grammar(here)[FULL.vocabulary.is_kind("PedalUp", "PedalDown")].any()
    with pytest.raises(VocabularyError, match="token PedalDown_None may not follow TimeShift here"):
        shifted.after(FULL.vocabulary.id("PedalDown_None"))


@pytest.mark.parametrize("tokenizer", [PLAIN, BarsTokenizer(pedals="tokens")])
def test_a_pedal_lasts_at_least_one_step(tokenizer: Tokenizer) -> None:
    grid, loss = tokenizer.quantize(Score.from_notes([0], 480, 60, velocity=83, pedals=[(0, 1, 0)]))
    assert len(grid.pedals) == 1
    assert grid.pedals[0, 1] > 0
    assert loss.nonzero() == {"pedal_spans_moved": 1}


@pytest.mark.parametrize("tokenizer", [PLAIN, FULL, PerformanceTokenizer(True, "drop")])
def test_the_mask_is_what_is_permitted_token_by_token(tokenizer: PerformanceTokenizer) -> None:
    rng, tokens = np.random.default_rng(1), tokenizer.vocabulary
    state = tokenizer.start()
    for token in laws.sampled(tokenizer, rng, 150).tolist():
        one_by_one = [
            permits(state, kind, value) for kind, ids in tokens.slices.items() for value in range(ids.stop - ids.start)
        ]
        assert tokenizer.grammar(state).tolist() == one_by_one
        state = state.after(token)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["NoteOn_60"], "^token NoteOn_60 may not follow BOS"),  # how loud?
        (["NoteOff_60"], "^token NoteOff_60 may not follow BOS"),
        (["Velocity_3", "NoteOn_60", "NoteOn_60"], "^token NoteOn_60 may not follow NoteOn"),
        (["Velocity_3", "NoteOn_60", "NoteOff_60"], "^token NoteOff_60 may not follow NoteOn"),  # no time has passed
        (["Velocity_3", "NoteOn_60", "NoteOn_59"], "^token NoteOn_59 may not follow NoteOn"),  # pitches rise
        (["TimeShift_3", "TimeShift_3"], "^token TimeShift_3 may not follow TimeShift"),
        (["PedalUp_None"], "^token PedalUp_None may not follow BOS"),
        (["Velocity_3", "TimeShift_1"], "^token TimeShift_1 may not follow Velocity"),
        (["Velocity_3", "EOS_None"], "^token EOS_None may not follow Velocity"),
    ],
)
def test_ids_that_break_the_grammar_are_named(tokens: list[str], message: str) -> None:
    with pytest.raises(VocabularyError, match=message):
        PLAIN.decode([PLAIN.vocabulary.id(name) for name in tokens])


def test_what_is_not_released_ends_with_the_sequence() -> None:
    def decoded(*tokens: str) -> Score:
        return PLAIN.decode([PLAIN.vocabulary.id(name) for name in tokens])

    score = decoded("PedalDown_None", "Velocity_3", "NoteOn_60", "TimeShift_7")
    assert (score.duration.tolist(), score.pedals.tolist()) == ([70], [[0, 70, 0]])
    score = decoded("PedalDown_None", "Velocity_3", "NoteOn_60")
    assert (score.duration.tolist(), score.pedals.tolist()) == ([10], [[0, 10, 0]])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=6))
def test_any_wait_is_written_and_read(waits: list[int]) -> None:
    onset = np.cumsum(waits) * 10
    score = Score.from_notes(onset, 10, np.arange(60, 60 + len(waits)), velocity=83, ticks_per_quarter=500)
    assert sorted(PLAIN.decode(PLAIN.encode(score)).onset.tolist()) == onset.tolist()
