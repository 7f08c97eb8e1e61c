"""In which order, and with whom, does a model meet the pieces of a corpus?

A batch holds whole pieces of similar length, padded at the end: of the folk corpus, at 16 pieces a batch, 91 % of the
places are real tokens. The order depends on the generator alone, so an epoch can be rebuilt from its seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POOL_BATCHES = 32  # batches' worth of shuffled pieces that are sorted by length together


@dataclass(frozen=True)
class Batch:
    """Whole pieces side by side: ``ids`` (pieces, longest) with 0 behind each end, ``lengths`` (pieces,)."""

    ids: NDArray[np.int64]
    lengths: NDArray[np.int64]


def stack(pieces: Sequence[NDArray[np.integer]]) -> Batch:
    """One batch of these pieces, in this order."""
    lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
    ids = np.zeros((len(pieces), lengths.max()), dtype=np.int64)
    for row, piece in zip(ids, pieces, strict=True):
        row[: len(piece)] = piece
    return Batch(ids, lengths)


def batch_order(lengths: NDArray[np.int64], batch_size: int, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """The piece numbers of each batch of one epoch: every piece once, neighbours of similar length together."""
    order = generator.permutation(len(lengths))
    pool = batch_size * POOL_BATCHES
    pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    batches = [
        by_length[start : start + batch_size]
        for by_length in (p[np.argsort(-lengths[p], kind="stable")] for p in pools)
        for start in range(0, len(by_length), batch_size)
    ]
    return [batches[i] for i in generator.permutation(len(batches))]


def in_order(pieces: Sequence[NDArray[np.integer]], batch_size: int) -> Iterator[tuple[NDArray[np.int64], Batch]]:
    """Every piece once, longest first, with its number: for evaluation, where the order does not matter."""
    order = np.argsort([-len(piece) for piece in pieces], kind="stable")
    for start in range(0, len(order), batch_size):
        numbers = order[start : start + batch_size]
        yield numbers, stack([pieces[i] for i in numbers])
