"""Laws of shared runs: the suffix array is the sorted one, runs are those of a slow search, keys do not matter."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from seqaudio.errors import OptionError
from seqaudio.music import Score
from seqaudio.structure import suffixes
from seqaudio.structure.copying import NOWHERE, RunIndex, SharedRun, _longest, note_symbols, token_symbols
from seqaudio.structure.suffixes import _induce, _names, suffix_array
from tests.samples import MELODY
from tests.structure.pieces import tune

rows = st.lists(st.integers(0, 3), max_size=30)
pieces = st.lists(rows, max_size=4)


@pytest.mark.parametrize("interpreted", [0, 10**9])
def test_the_suffix_array_is_the_sorted_one(interpreted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suffixes, "INTERPRETED", interpreted)
    rng = np.random.default_rng(interpreted % 7)
    for trial in range(300):
        row = rng.integers(0, 1 + trial % 5, rng.integers(0, 30))
        row = np.concatenate([row, row[3:], row, [0]]).astype(np.int32)
        expected = sorted(range(len(row)), key=lambda step: row[step:].tolist())
        assert suffix_array(row).tolist() == expected


def test_a_long_sequence_with_long_repeats_is_in_order() -> None:
    rng = np.random.default_rng(0)
    part = rng.integers(1, 200, 20_000).astype(np.int32)
    row = np.concatenate([part, part[5000:], [0], part[:9000], part, [0]]).astype(np.int32)
    order = suffix_array(row)
    assert sorted(order.tolist()) == list(range(len(row)))
    checked = 0
    for a, b in zip(order[::97].tolist(), order[1::97].tolist(), strict=False):
        assert row[a:].tolist() < row[b:].tolist()
        checked += 1
    assert checked > 500


def slow_length(query: list[int], corpus: list[list[int]]) -> int:
    runs = {tuple(piece[a:b]) for piece in corpus for a in range(len(piece)) for b in range(a + 1, len(piece) + 1)}
    own = {tuple(query[a:b]) for a in range(len(query)) for b in range(a + 1, len(query) + 1)}
    return max((len(run) for run in runs & own), default=0)


@given(query=rows, corpus=pieces, spread=st.sampled_from([1, 10**12]))
def test_the_longest_run_is_that_of_a_slow_search(query: list[int], corpus: list[list[int]], spread: int) -> None:
    bounds = np.cumsum([0, *map(len, corpus)])
    index = RunIndex.build(spread * np.array([id_ for piece in corpus for id_ in piece], dtype=np.int64), bounds)
    symbols = spread * np.array(query, dtype=np.int64)
    for without in range(-1, len(corpus)):
        run = index.longest_run(symbols, without=without)
        assert run.length == slow_length(query, [p for i, p in enumerate(corpus) if i != without])
        if run.length:
            there = corpus[run.piece][run.place : run.place + run.length]
            assert query[run.start : run.start + run.length] == there
            assert run.piece != without
        else:
            assert run == SharedRun(0, 0, NOWHERE, 0)


def test_machine_code_gives_what_the_interpreter_gives() -> None:
    row = np.array([1, 2, 1, 2, 3, 0, 2, 1, 2, 0, 0], dtype=np.int32)
    rising = suffixes._rising(row)
    least = np.flatnonzero(rising[1:] & ~rising[:-1]).astype(np.int32) + np.int32(1)
    ends = np.cumsum(np.bincount(row))
    arguments = (row, rising, least, ends - np.bincount(row), ends)
    assert _induce.interpreted(*arguments).tolist() == _induce.machine_code(*arguments).tolist()
    is_least = np.zeros(len(row), bool)
    is_least[least] = True
    names = [f(row, is_least, least, np.full(11, -1, np.int32)) for f in (_names.interpreted, _names.machine_code)]
    assert names[0].tolist() == names[1].tolist()
    query = np.array([3, 2, 1, 2, -1], dtype=np.int32)
    piece = np.array([0] * 6 + [1] * 5, dtype=np.int32)
    for without in (-1, 0, 1):
        given_ = (query, row, suffix_array(row), piece, without)
        assert _longest.interpreted(*given_) == tuple(map(int, _longest.machine_code(*given_)))


def test_a_passage_in_another_key_tempo_and_resolution_is_found() -> None:
    corpus = [tune("AB", seed) for seed in range(6)]
    source = corpus[4]
    lines = source.bars()
    inside = (source.onset >= lines[3]) & (source.onset < lines[9])
    notes = int(inside.sum())
    stolen = source.notes(inside).transposed(-4)
    other = tune("C", 77).transposed(3)
    shift = int(other.end)
    joined = Score.from_notes(
        np.append(other.onset, stolen.onset - lines[3] + shift) // 10,
        np.append(other.duration, stolen.duration) // 10,
        np.append(other.pitch, stolen.pitch),
        ticks_per_quarter=48,
        tempos=[(0, 700_000)],
    )
    index = RunIndex.of_scores(corpus)
    run = index.longest_run(joined)
    assert (run.length, run.piece) == (notes - 1, 4)  # the interval into the passage is another
    assert index.longest_run(joined, without=4).length < notes // 3


def test_a_piece_shares_all_of_itself_and_little_of_others() -> None:
    corpus = [tune("AB", seed) for seed in range(8)]
    index = RunIndex.of_scores(corpus)
    for number, score in enumerate(corpus):
        assert index.longest_run(score) == SharedRun(len(score), 0, number, 0)
        assert index.longest_run(score, without=number).length < len(score) // 4


def test_drums_keep_their_pitches() -> None:
    kick = Score.from_notes(np.arange(8) * 480, 240, 36, is_drum=True)
    snare = kick.replaced(pitch=np.full(8, 38))
    assert not set(note_symbols(kick).tolist()) & set(note_symbols(snare).tolist())
    assert RunIndex.of_scores([kick]).longest_run(snare).length == 0


def test_tokens_in_another_key_are_the_same_symbols() -> None:
    score = tune("A", 5)
    ids = [MELODY.encode(score), MELODY.encode(score.transposed(5)), MELODY.encode(tune("B", 6))]
    bounds = np.cumsum([0, *map(len, ids)])
    symbols = token_symbols(np.concatenate(ids), bounds, MELODY.pitch_of_token)
    first, second, third = (symbols[a:b].tolist() for a, b in pairwise(bounds))
    assert first == second != third
    plain = [i for i, token in enumerate(ids[0]) if MELODY.pitch_of_token[token] < 0]
    assert [first[i] for i in plain] == ids[0][plain].tolist()
    assert len(set(first)) > 12


def test_notes_are_told_by_interval_whatever_their_track() -> None:
    def two(pitches: list[int], tracks: list[int]) -> Score:
        onset = np.repeat(np.arange(4), 2) * 480
        return Score.from_notes(onset, 480, pitches, track=tracks, track_names=("a", "b"))

    up = [60, 64, 62, 65, 64, 67, 65, 69]
    plain = note_symbols(two(up, [0] * 8))
    assert note_symbols(two(up, [1, 0] * 4)).tolist() == plain.tolist()
    assert note_symbols(two(up[::-1], [0] * 8)).tolist() != plain.tolist()
    ids = [MELODY.encode(Score.from_notes(np.arange(8) * 480, 480, line)) for line in (up, up[::-1])]
    bounds = np.cumsum([0, *map(len, ids)])
    symbols = token_symbols(np.concatenate(ids), bounds, MELODY.pitch_of_token)
    assert symbols[: bounds[1]].tolist() != symbols[bounds[1] :].tolist()


def test_nothing_shares_nothing() -> None:
    empty = Score.from_notes([], 1, 60)
    assert RunIndex.of_scores([]).longest_run(tune()).length == 0
    assert RunIndex.of_scores([empty]).longest_run(tune()).length == 0
    assert RunIndex.of_scores([tune()]).longest_run(empty).length == 0


@pytest.mark.parametrize(
    ("symbols", "bounds", "words"),
    [
        ([1, 2, 3], [0, 2], "bounds must rise from 0 to the number of symbols, 3"),
        ([1, 2, 3], [0, 2, 1, 3], "bounds must rise"),
        ([1.5], [0, 1], "symbols are integers"),
        ([[1]], [0, 1], "symbols are integers"),
    ],
)
def test_what_cannot_be_is_refused_in_words(symbols: list, bounds: list, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        RunIndex.build(symbols, bounds)
