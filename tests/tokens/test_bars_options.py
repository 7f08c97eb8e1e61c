"""Bar tokens under every combination of options: the laws, and the loops against the definition."""

import json
import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.errors import CheckpointError, OptionError, VocabularyError
from seqaudio.files import midi_bytes, read_midi
from seqaudio.files.midi import read_midi_bytes
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.music import Score, pedals, spans
from seqaudio.pretrained import SHIPPED, model_path
from seqaudio.tokens import BarsTokenizer
from seqaudio.tokens.bars import grid, tokenizer as bars
from tests.contracts import tokenizer_laws as laws
from tests.contracts.any_scores import scores
from tests.tokens.slow_bars import slow_bars

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))
TOKENIZERS = [
    BarsTokenizer(*flags, pedals=pedals)
    for *flags, pedals in product((True, False), (True, False), (True, False), ("tokens", "durations", "drop"))
]
PEDALS = BarsTokenizer(pedals="tokens")
tokenizers = st.sampled_from(TOKENIZERS)
BAR = 1920


@settings(max_examples=400, deadline=None)
@given(tokenizers, scores())
def test_tokens_are_those_of_the_definition(tokenizer: BarsTokenizer, score: Score) -> None:
    names, lost = slow_bars(tokenizer, score)
    assert [tokenizer.vocabulary.names[token] for token in tokenizer.encode(score)] == names
    assert tokenizer.quantize(score)[1].nonzero() == lost


@settings(max_examples=300, deadline=None)
@given(tokenizers, scores())
def test_the_laws_hold_under_all_options(tokenizer: BarsTokenizer, score: Score) -> None:
    laws.decoding_gives_the_score_on_the_grid(tokenizer, score)
    laws.what_is_on_the_grid_loses_nothing(tokenizer, score)
    laws.encoded_ids_come_back(tokenizer, score)
    laws.grammar_accepts_what_is_encoded(tokenizer, tokenizer.encode(score))


KERNELS = [
    (bars, "write"), (grid, "pack"), (grid, "struck_once"), (grid, "tempos_on_grid"),
    (pedals, "sustained"), (spans, "_joined"),
]  # fmt: skip


def busy(seed: int, notes: int = 60) -> Score:
    """Notes, tempos, metres and pedals at random places of three tracks."""
    rng = np.random.default_rng(seed)
    return Score.from_notes(
        rng.integers(0, 16000, notes), rng.integers(1, 6000, notes), rng.integers(58, 64, notes),
        velocity=rng.integers(1, 128, notes), program=rng.integers(0, 3, notes), is_drum=rng.random(notes) < 0.2,
        track=rng.integers(0, 3, notes), track_names="abc",
        tempos=np.column_stack([rng.integers(0, 16000, 5), rng.integers(200_000, 3_000_000, 5)]),
        time_signatures=[(0, 3, 4), (1440 * int(rng.integers(1, 4)), 6, 8)],
        pedals=np.column_stack([rng.integers(0, 16000, 9), rng.integers(1, 2000, 9), rng.integers(0, 3, 9)]),
    )  # fmt: skip


def test_machine_code_gives_what_the_interpreter_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = [(room, name, getattr(room, name)) for room, name in KERNELS]
    found = []
    for mode in ("interpreted", "machine_code"):
        for room, name, kernel in kernels:
            monkeypatch.setattr(room, name, getattr(kernel, mode))
        found.append([(t.encode(s).tolist(), t.quantize(s)) for t in TOKENIZERS for s in map(busy, range(4))])
    assert found[0] == found[1]


@pytest.mark.parametrize("tokenizer", TOKENIZERS[::2], ids=str)
def test_what_is_sampled_is_a_file(tokenizer: BarsTokenizer) -> None:
    for seed in range(3):
        assert laws.what_is_sampled_decodes_and_opens_elsewhere(tokenizer, seed, tokens=300) > 10
        ids = laws.sampled(tokenizer, np.random.default_rng(seed), 300)
        score = tokenizer.decode(ids)
        back = read_midi_bytes(midi_bytes(score), "sampled")
        assert np.array_equal(back.tempo_map(), score.tempo_map())
        assert np.array_equal(back.pedals, score.pedals)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=str)
def test_nothing_is_said_twice(tokenizer: BarsTokenizer) -> None:
    """Whatever may follow changes something: no value that holds already, no pedal where it is."""
    holds: dict[str, int] = {"Tempo": tokenizer.vocabulary.id("Tempo_120")} if tokenizer.tempos else {}
    down: set[int] = set()
    state, checked = tokenizer.start(), 0
    slices, kinds = tokenizer.vocabulary.slices, tokenizer.vocabulary.kinds
    for token in laws.sampled(tokenizer, np.random.default_rng(1), 400).tolist():
        mask = tokenizer.grammar(state)
        for value in holds.values():
            assert not mask[value]
        if "PedalUp" in slices:
            may_lift, may_press = (set(np.flatnonzero(mask[slices[k]]).tolist()) for k in ("PedalUp", "PedalDown"))
            assert may_lift <= down
            assert not may_press & down
            checked += bool(may_lift)
        state = state.after(token)
        kind = kinds[tokenizer.vocabulary.kind_of[token]]
        if kind in ("TimeSig", "Tempo", "Program", "Velocity"):
            holds[kind] = token
        if kind.startswith("Pedal"):
            down ^= {token - slices[kind].start}
    assert len(holds) == 1 + tokenizer.tempos + tokenizer.programs + tokenizer.velocities
    assert checked or tokenizer.pedals != "tokens" or not tokenizer.programs  # one pedal is drawn too seldom


@pytest.mark.parametrize("tokenizer", TOKENIZERS[:3], ids=str)
def test_decoding_takes_time_and_memory_in_proportion(tokenizer: BarsTokenizer) -> None:
    laws.decoding_is_linear(tokenizer, busy(0))


def names(tokenizer: BarsTokenizer, score: Score) -> list[str]:
    return [tokenizer.vocabulary.names[i] for i in tokenizer.encode(score)]


def test_tempos_and_pedals_stand_where_they_change() -> None:
    score = Score.from_notes(
        [0, 960, 1920], [480, 240, 480], [60, 62, 64], velocity=83, program=[0, 5, 0], track=[0, 1, 0],
        track_names=("", ""), tempos=[(0, 500_000), (480, 600_000), (960, 595_000), (1920, 500_000)],
        pedals=[(0, 480, 0), (480, 480, 0), (960, 9999, 1)],
    )  # fmt: skip
    assert names(PEDALS, score) == [
        "BOS_None", "Bar_None", "TimeSig_4/4",
        "Position_0", "PedalDown_0", "Program_0", "Velocity_83", "Pitch_60", "Duration_1.0.12",
        "Position_12", "Tempo_100", "PedalUp_0", "PedalDown_0",
        "Position_24", "PedalUp_0", "PedalDown_5", "Program_5", "Pitch_62", "Duration_0.6.12",
        "Bar_None", "Position_0", "Tempo_120", "Program_0", "Pitch_64", "Duration_1.0.12", "EOS_None",
    ]  # fmt: skip
    grid, loss = PEDALS.quantize(score)
    assert grid.tempos.tolist() == [[480, 600_000], [1920, 500_000]]  # 120 holds from the start without a word
    assert grid.pedals.tolist() == [[0, 480, 0], [480, 480, 0], [960, 2 * BAR - 960, 1]]
    assert loss.nonzero() == {"tempos_rounded": 1, "pedal_spans_moved": 1}


def test_a_pedal_holds_notes_until_it_lifts_or_they_are_struck_again() -> None:
    score = Score.from_notes(
        [0, 0, 480, 960, 1440, 0, 0], 240, [60, 62, 60, 64, 65, 67, 38], velocity=83, track=[0, 0, 0, 0, 0, 1, 2],
        is_drum=[False] * 6 + [True], track_names=("", "", ""), pedals=[(120, 1320, 0), (0, 1000, 2)],
    )  # fmt: skip
    grid, loss = BarsTokenizer().quantize(score)
    ends = {(o, p): o + d for o, d, p, _ in laws.rows(grid)}
    # 60 is struck again at 480; the pedal lifts at 1440; 67 is on a track without a pedal, drums have none
    assert ends == {
        (0, 60): 480, (0, 62): 1440, (480, 60): 1440, (960, 64): 1440, (1440, 65): 1680, (0, 67): 240, (0, 38): 240
    }  # fmt: skip
    assert loss.nonzero() == {"durations_changed": 4, "pedal_spans_dropped": 1}
    assert len(grid.pedals) == 0


def test_options_are_kept_and_older_ones_understood() -> None:
    for tokenizer in TOKENIZERS:
        assert BarsTokenizer.from_json(tokenizer.to_json()) == tokenizer
    stored = json.loads(BarsTokenizer(True, False, False, "drop").to_json())
    old = {key: value for key, value in stored.items() if key not in ("tempos", "pedals")}
    assert BarsTokenizer.from_json(json.dumps(old)) == BarsTokenizer(True, False, False, "drop")
    with pytest.raises(CheckpointError, match=r"not a bars tokenizer: .*pedals is 'sometimes'"):
        BarsTokenizer.from_json(json.dumps(stored | {"pedals": "sometimes"}))
    with pytest.raises(OptionError, match="pedals is 'both', it must be one of drop, tokens, durations"):
        BarsTokenizer(pedals="both")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_know_neither(name: str) -> None:
    """Loading compares the stored token names with the vocabulary, so the ids are those of the training."""
    programs = name in ("drums", "songs")  # its kit; melody and chords
    assert Checkpoint.load(model_path(name)).tokenizer == BarsTokenizer(programs, name == "drums", False, "drop")


NOTE = ("Pitch_60", "Duration_1.0.12")
OPEN = ("BOS_None", "Bar_None", "TimeSig_2/4", "Position_3")


@pytest.mark.parametrize(
    ("tokens", "refused"),
    [
        ((*OPEN, "Tempo_120"), "Tempo_120 may not follow Position"),  # it holds already
        ((*OPEN, "Tempo_60", "Tempo_80"), "Tempo_80 may not follow Tempo"),
        ((*OPEN, "PedalUp_0"), "PedalUp_0 may not follow Position"),  # it is not down
        ((*OPEN, "PedalDown_5", "PedalDown_5"), "PedalDown_5 may not follow PedalDown"),
        ((*OPEN, "PedalDown_5", "PedalDown_4"), "PedalDown_4 may not follow PedalDown"),
        ((*OPEN, "PedalDown_5", "PedalUp_5"), "PedalUp_5 may not follow PedalDown"),  # no span of no length
        ((*OPEN, "PedalDown_5", "Tempo_60"), "Tempo_60 may not follow PedalDown"),
        ((*OPEN, "Program_0", "Velocity_83", *NOTE, "PedalDown_0"), "PedalDown_0 may not follow Duration"),
        ((*OPEN, "Program_0", "Velocity_83", *NOTE, "Velocity_83"), "Velocity_83 may not follow Duration"),
        ((*OPEN[:3], "Bar_None", "TimeSig_2/4"), "TimeSig_2/4 may not follow Bar"),
        ((*OPEN[:3], "Tempo_60"), "Tempo_60 may not follow TimeSig"),
    ],
)
def test_what_breaks_the_order_is_named(tokens: tuple[str, ...], refused: str) -> None:
    with pytest.raises(VocabularyError, match=f"token {refused} here"):
        PEDALS.decode([PEDALS.vocabulary.id(name) for name in tokens])


def test_a_score_longer_than_any_file_is_refused() -> None:
    with pytest.raises(OptionError, match=r"1 notes end after more than 5,726,623,061 quarters"):
        BarsTokenizer().encode(Score.from_notes([0, 2**40 - 480], 480, 60, ticks_per_quarter=1))


@pytest.mark.slow
def test_every_real_file() -> None:
    files = sorted((SHARED / "data" / "midi").rglob("*.mid"))
    if not files:
        pytest.skip(f"no MIDI files under {SHARED / 'data' / 'midi'}; SEQAUDIO_SHARED names another folder")
    for number, path in enumerate(files):
        tokenizer, score = TOKENIZERS[number % len(TOKENIZERS)], read_midi(path)
        laws.decoding_gives_the_score_on_the_grid(tokenizer, score)
        laws.what_is_on_the_grid_loses_nothing(tokenizer, score)
        grid, loss = tokenizer.quantize(score)
        assert len(grid) + loss.notes_merged + loss.drums_dropped == len(score)
        if len(score) < 200:
            assert names(tokenizer, score) == slow_bars(tokenizer, score)[0]
