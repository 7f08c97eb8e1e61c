"""Every tokenizer keeps every law under every option. To add one, add it to ``CASES``."""

import os
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.errors import BrokenLawError, CheckpointError, OptionError, OverLimitError
from seqaudio.files import read_midi
from seqaudio.music import Score
from seqaudio.tokens import (
    BarsTokenizer,
    Loss,
    MelodyTokenizer,
    PerformanceTokenizer,
    PianorollTokenizer,
    Tokenizer,
    check_tokenizer,
    load_tokenizer,
    tokenizer_from_json,
)
from tests.contracts import tokenizer_laws as laws
from tests.contracts.any_scores import scores

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))
BOTH = (False, True)
CASES: list[Tokenizer] = [
    *(BarsTokenizer(programs=p, velocities=v) for p, v in product(BOTH, BOTH)),
    *(PerformanceTokenizer(p, pedals) for p, pedals in product(BOTH, ("tokens", "durations", "drop"))),
    BarsTokenizer(pedals="tokens"),
    BarsTokenizer(programs=False, tempos=False, pedals="tokens"),
    BarsTokenizer(velocities=False, pedals="drop"),
    MelodyTokenizer(),
    PianorollTokenizer(),
    PianorollTokenizer(128, 4),
    PianorollTokenizer(88, 7),
]


def label(tokenizer: Tokenizer) -> str:
    options = (f"{f.name}={getattr(tokenizer, f.name)}" for f in fields(tokenizer))  # type: ignore[arg-type]
    return f"{tokenizer.name}({', '.join(options)})"


every_tokenizer = pytest.mark.parametrize("tokenizer", CASES, ids=label)


def examples(tokenizer: Tokenizer, of_bars: int) -> settings:
    """So many examples for bars, whose options meet in the most ways, and 40 for the others."""
    return settings(max_examples=of_bars if isinstance(tokenizer, BarsTokenizer) else 40, deadline=None)


@every_tokenizer
def test_scores_and_ids_go_round(tokenizer: Tokenizer) -> None:
    @examples(tokenizer, of_bars=120)
    @given(score=scores())
    def keeps_the_laws(score: Score) -> None:
        laws.decoding_gives_the_score_on_the_grid(tokenizer, score)
        laws.what_is_on_the_grid_loses_nothing(tokenizer, score)
        laws.what_is_left_out_is_counted(tokenizer, score)
        laws.encoded_ids_come_back(tokenizer, score)
        ids = tokenizer.encode(score)
        laws.grammar_accepts_what_is_encoded(tokenizer, ids)
        laws.tokens_name_the_notes(tokenizer, ids)

    keeps_the_laws()


@every_tokenizer
def test_it_passes_what_those_of_others_are_checked_with(tokenizer: Tokenizer) -> None:
    """Which has the laws that no score is needed for as well."""
    scores = [band(), Score.from_notes([], [], [])]
    check_tokenizer(tokenizer, scores)
    with pytest.raises(OptionError, match="no scores to try the tokenizer on; give some"):
        check_tokenizer(tokenizer, [])


def band() -> Score:
    """Some notes of all kinds, off every grid."""
    rng = np.random.default_rng(0)
    onset = rng.integers(0, 3800, 60)
    return Score.from_notes(
        onset, rng.integers(1, 700, 60), rng.integers(40, 90, 60), velocity=rng.integers(1, 128, 60),
        program=rng.integers(0, 3, 60), is_drum=rng.random(60) < 0.2, pedals=[(100, 900, 0), (1200, 700, 0)],
    )  # fmt: skip


def off_by_one(self: Tokenizer, score: Score) -> tuple[Score, Loss]:
    grid, loss = MelodyTokenizer().quantize(score)
    return grid, replace(loss, notes_dropped=loss.notes_dropped + 1)


@pytest.mark.parametrize(
    ("wrong", "method", "law"),
    [
        ("encode", lambda self, score: np.array([1, 2]), r"score 0: decode\(encode\(score\)\) must be quantize"),
        ("encode", lambda self, score: MelodyTokenizer().encode(score)[:-1], "score 0: encode must end with EOS_None"),
        ("quantize", off_by_one, "score 0: notes kept, merged and dropped must be the 60 there were, not 61"),
        ("grammar", lambda self, state: np.ones(133, bool), "its vocabulary: nothing but BOS_None may begin"),
        (
            "grammar",
            lambda self, state: np.arange(133) == 1,
            "score 0: the grammar must allow what encode made",
        ),
        (
            "transpose",
            lambda self, ids, semitones: ids,
            "score 0: transpose by -12 must give what decodes to",
        ),
    ],
)
def test_a_broken_law_is_named(wrong: str, method: Callable[..., object], law: str) -> None:
    with pytest.raises(BrokenLawError, match=f"^melody, {law}"):
        check_tokenizer(type("Broken", (MelodyTokenizer,), {wrong: method})(), [band()])


@every_tokenizer
def test_moving_ids_is_moving_the_score(tokenizer: Tokenizer) -> None:
    @examples(tokenizer, of_bars=60)
    @given(score=scores(), semitones=st.integers(-30, 30))
    def keeps_the_law(score: Score, semitones: int) -> None:
        laws.moving_ids_is_moving_the_score(tokenizer, score, semitones)

    keeps_the_law()


@every_tokenizer
@pytest.mark.parametrize("seed", range(6))
def test_what_the_grammar_allows_is_music(tokenizer: Tokenizer, seed: int) -> None:
    assert laws.what_is_sampled_decodes_and_opens_elsewhere(tokenizer, seed, tokens=250) > 10


@every_tokenizer
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tokens=st.integers(0, 120))
def test_whatever_is_sampled_decodes(tokenizer: Tokenizer, seed: int, tokens: int) -> None:
    score = tokenizer.decode(laws.sampled(tokenizer, np.random.default_rng(seed), tokens))
    laws.encoded_ids_come_back(tokenizer, score)
    laws.what_is_on_the_grid_loses_nothing(tokenizer, score)


@every_tokenizer
def test_the_grammar_refuses_disorder(tokenizer: Tokenizer) -> None:
    rng = np.random.default_rng(3)
    ids = laws.sampled(tokenizer, rng, 40)
    refused = [laws.any_disorder_is_refused_or_decodes(tokenizer, rng.permutation(ids)) for _ in range(40)]
    assert all(refused)
    without = [laws.any_disorder_is_refused_or_decodes(tokenizer, np.delete(ids, i)) for i in range(len(ids))]
    assert any(without) or isinstance(tokenizer, MelodyTokenizer)  # where any code may follow any other


@every_tokenizer
def test_sequences_may_stop_anywhere(tokenizer: Tokenizer) -> None:
    ids = laws.sampled(tokenizer, np.random.default_rng(5), 120)
    for cut in range(len(ids) + 1):
        laws.decoding_a_beginning_gives_the_beginning(tokenizer, ids, cut)


@every_tokenizer
def test_decoding_is_linear(tokenizer: Tokenizer) -> None:
    laws.decoding_is_linear(tokenizer, band())


@every_tokenizer
def test_a_saved_tokenizer_is_the_same(tokenizer: Tokenizer, tmp_path: Path) -> None:
    score = Score.from_notes([0, 480, 480], 480, [60, 64, 36], program=[0, 7, 0], is_drum=[False, False, True])
    laws.saving_changes_nothing(tokenizer, score, tmp_path / "tokenizer.json")
    assert load_tokenizer(tmp_path / "tokenizer.json") == tokenizer == tokenizer_from_json(tokenizer.to_json())
    laws.ids_outside_the_vocabulary_are_named(tokenizer, score)


@every_tokenizer
def test_a_text_that_is_another_tokenizer_is_refused(tokenizer: Tokenizer) -> None:
    good = tokenizer.to_json()
    first = f'"{tokenizer.vocabulary.names[-1]}"'
    for text in ("", "[]", "{}", "null", good[:100], good.replace(first, '"Other_1"'), good.replace('"tokens"', '"t"')):
        with pytest.raises(CheckpointError, match="tokenizer"):
            tokenizer_from_json(text)
        with pytest.raises(CheckpointError, match=tokenizer.name):
            type(tokenizer).from_json(text)  # type: ignore[attr-defined]


@every_tokenizer
def test_an_empty_score_is_the_shortest_sequence(tokenizer: Tokenizer) -> None:
    empty = Score.from_notes([], [], [])
    assert [tokenizer.vocabulary.names[i] for i in tokenizer.encode(empty)] == ["BOS_None", "EOS_None"]
    assert len(tokenizer.decode([])) == len(tokenizer.decode(tokenizer.encode(empty))) == 0


def real_files() -> list[Path]:
    files = sorted((SHARED / "data" / "midi").rglob("*.mid"))
    if not files:
        pytest.skip(f"no MIDI files under {SHARED / 'data' / 'midi'}; SEQAUDIO_SHARED names another folder")
    return files


def keep_the_laws(tokenizer: Tokenizer, score: Score) -> None:
    laws.decoding_gives_the_score_on_the_grid(tokenizer, score)
    laws.what_is_on_the_grid_loses_nothing(tokenizer, score)
    laws.what_is_left_out_is_counted(tokenizer, score)


def test_every_twentieth_real_file() -> None:
    for number, path in enumerate(real_files()[::20]):
        score = read_midi(path)
        for tokenizer in CASES[number % 7 :: 7]:
            keep_the_laws(tokenizer, score)


@pytest.mark.slow
def test_every_real_file() -> None:
    for path in real_files():
        score = read_midi(path)
        for tokenizer in CASES:
            keep_the_laws(tokenizer, score)


def test_a_roll_beyond_the_budget_is_refused_before_it_is_made() -> None:
    long = Score.from_notes([0], [10**9], [60])
    with pytest.raises(OverLimitError, match=r"max_cells=733333304"):
        PianorollTokenizer().encode(long)
