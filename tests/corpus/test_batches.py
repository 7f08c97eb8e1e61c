"""Laws of batches: each piece once, the same from the same seed, little padding, padding behind the end only."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.corpus.batches import batch_order, in_order, stack


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 500), max_size=300), st.integers(1, 40), st.integers(0, 2**32))
def test_an_epoch_holds_each_piece_once(lengths: list[int], batch_size: int, seed: int) -> None:
    batches = batch_order(np.array(lengths, dtype=np.int64), batch_size, np.random.default_rng(seed))
    assert sorted(i for batch in batches for i in batch.tolist()) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    again = batch_order(np.array(lengths, dtype=np.int64), batch_size, np.random.default_rng(seed))
    assert [batch.tolist() for batch in again] == [batch.tolist() for batch in batches]


def test_epochs_differ() -> None:
    lengths = np.random.default_rng(0).integers(50, 500, 600)
    generator = np.random.default_rng(1)
    first, second = ([b.tolist() for b in batch_order(lengths, 16, generator)] for _ in range(2))
    assert sorted(map(sorted, first)) != sorted(map(sorted, second))  # other company, not just another order
    longest = [max(lengths[b]) for b in first]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


def real_share(batch_size: int) -> float:
    """Share of real tokens with 2,865 lengths as folk tunes have them: around 460 tokens, a few far longer."""
    lengths = np.random.default_rng(2).lognormal(6.13, 0.44, 2865).astype(np.int64)
    batches = batch_order(lengths, batch_size, np.random.default_rng(3))
    return float(lengths.sum() / sum(len(batch) * lengths[batch].max() for batch in batches))


@pytest.mark.parametrize("batch_size", [8, 16, 32])
def test_padding_is_far_below_that_of_a_shuffle(batch_size: int) -> None:
    lengths = np.random.default_rng(2).lognormal(6.13, 0.44, 2865).astype(np.int64)
    shuffled = np.array_split(np.random.default_rng(3).permutation(len(lengths)), len(lengths) // batch_size)
    padding = lengths.sum() / sum(len(batch) * lengths[batch].max() for batch in shuffled)
    assert 1 - real_share(batch_size) < (1 - padding) / 2


def test_nine_places_in_ten_are_real() -> None:
    assert real_share(16) >= 0.9


@given(st.lists(st.lists(st.integers(1, 999), min_size=1, max_size=9), min_size=1, max_size=6))
def test_a_batch_is_its_pieces_and_zeros(pieces: list[list[int]]) -> None:
    batch = stack([np.array(piece, dtype=np.uint16) for piece in pieces])
    assert batch.steps.dtype == np.int64
    assert batch.steps.shape == (len(pieces), max(map(len, pieces)))
    assert [row[:n].tolist() for row, n in zip(batch.steps, batch.lengths, strict=True)] == pieces
    assert all((row[n:] == 0).all() for row, n in zip(batch.steps, batch.lengths, strict=True))


def test_in_order_is_longest_first_with_numbers() -> None:
    pieces = [np.full(n, n) for n in (3, 9, 1, 9, 5)]
    found = [(numbers.tolist(), batch.lengths.tolist()) for numbers, batch in in_order(pieces, 2)]
    assert found == [([1, 3], [9, 9]), ([4, 0], [5, 3]), ([2], [1])]
    assert list(in_order([], 2)) == []
