"""In which order, and with whom, does a model meet the pieces of a corpus?

Two ways, both random from a seed and both the same whenever they are asked again:

- whole pieces of similar length side by side, the longest first, padded at the end: of the folk corpus, at 16 pieces a
  batch, 91 % of the places are real tokens;
- parallel streams: each row reads piece after piece in windows of equal length; the model's state is carried from
  window to window and set back where the batch says that a piece begins.

Conventions: a batch is a tuple of numpy arrays, rows first. A piece is tokens (steps,), int64 ids with 0 (PAD) where
nothing is, or frames (steps, keys), bool with False there, or real numbers with 0. A plan is made from the lengths of
the pieces alone, so batch ``k`` of an epoch can be made without the batches before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Piece = NDArray[Any]  # tokens (steps,) or frames (steps, keys)

POOL_BATCHES = 32  # batches' worth of shuffled pieces that are sorted by length together


class Batch(NamedTuple):
    """Whole pieces side by side.

    Attributes:
        steps: ids (pieces, longest) with 0 behind each end, or frames (pieces, longest, keys) with False there.
        lengths: (pieces,) steps of each.
        heard: what the model hears of each step: the steps, or (pieces, longest, numbers) where it hears more.
    """

    steps: Piece
    lengths: NDArray[np.int64]
    heard: Piece


class StreamBatch(NamedTuple):
    """A window of parallel streams, each (streams, window).

    Attributes:
        inputs: ids to read.
        targets: the id that follows each input in its piece.
        real: False where there is nothing to read or to predict; leave those out of the loss.
        reset: True where an input is the first of its piece: the state before it must be the initial one.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    real: NDArray[np.bool_]
    reset: NDArray[np.bool_]


def stack(pieces: Sequence[Piece], heard: Sequence[Piece] | None = None) -> Batch:
    """One batch of these pieces, in this order, and of what the model hears of them where that is more."""
    lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
    steps = _padded(pieces, lengths)
    return Batch(steps, lengths, steps if heard is None else _padded(heard, lengths))


def _padded(pieces: Sequence[Piece], lengths: NDArray[np.int64]) -> Piece:
    """Pieces side by side, zeros behind each."""
    of_step, dtype = pieces[0].shape[1:], pieces[0].dtype if pieces[0].ndim > 1 else np.dtype(np.int64)
    steps = np.zeros((len(pieces), lengths.max(), *of_step), dtype=dtype)
    for row, piece in zip(steps, pieces, strict=True):
        row[: len(piece)] = piece
    return steps


def batch_order(lengths: NDArray[np.int64], batch_size: int, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    """The piece numbers of each batch of one epoch, (batch,) each: every piece once, those of similar length together.

    ``lengths`` are those of the pieces, (pieces,).
    """
    order = generator.permutation(len(lengths))
    pool = batch_size * POOL_BATCHES
    pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    batches = [
        by_length[start : start + batch_size]
        for by_length in (p[np.argsort(-lengths[p], kind="stable")] for p in pools)
        for start in range(0, len(by_length), batch_size)
    ]
    return [batches[i] for i in generator.permutation(len(batches))]


def in_order(
    pieces: Sequence[Piece], batch_size: int, hear: Callable[[Piece], Piece] | None = None
) -> Iterator[tuple[NDArray[np.int64], Batch]]:
    """Every piece once, longest first, with its number: for evaluation, where the order does not matter."""
    order = np.argsort([-len(piece) for piece in pieces], kind="stable")
    for start in range(0, len(order), batch_size):
        numbers = order[start : start + batch_size]
        chosen = [pieces[i] for i in numbers]
        yield numbers, stack(chosen, [hear(piece) for piece in chosen] if hear else None)
