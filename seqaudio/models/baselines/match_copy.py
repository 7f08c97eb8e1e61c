"""How much of a piece is told by its own past: what followed the longest match, once more?

Conventions: a piece is token ids, shape (tokens,), or bool frames, shape (steps, keys), as the base model takes them.
The guess at step t is the symbol that followed the longest suffix of the piece so far where that stood before, up to 64
symbols back, the most recent of equals (``suffix_match``). Losses have the shape of the base model's.

Sources: M. Mahoney, "Adaptive weighing of context models for lossless data compression", Florida Tech. CS-2005-16, 2005
(the match model of PAQ, its trust looked up by the length); F. Jelinek and R. L. Mercer, "Interpolated estimation of
Markov source parameters from sparse data", 1980 (weights by bucket, from data that the parts were not fitted on).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import OptionError
from seqaudio.models.baselines.counting import FloatArray, IntArray
from seqaudio.models.baselines.frames import codes_of_frames
from seqaudio.models.suffix_match import LENGTH_EDGES, longest_matches, match_at_end

FOLDS = 2
HALVINGS = 60  # of the interval 0 to 1: all that a double can tell apart


class Baseline(Protocol):
    """What a model has to offer to be mixed with copies."""

    def fit(self, pieces: Iterable[ArrayLike]) -> Any:
        """Forget, and learn from these pieces; in any order they give the same model."""

    def nats(self, piece: ArrayLike) -> FloatArray:
        """-log p of the last symbols of a piece, all or all but the first, each given those before it."""


@runtime_checkable
class TokenBaseline(Protocol):
    """A model of tokens, which can say how likely each of them is next."""

    vocabulary_size: int

    def log_probabilities(self, context: ArrayLike) -> FloatArray:
        """Log probability of every token after a context, shape (vocabulary,)."""


class MatchCopy:
    """A base model mixed with a copy of what followed the longest match: ``p(s) = w [s = guess] + (1 - w) base(s)``.

    Both are normalised, so the mixture is. The weight w belongs to the bucket of the match length, is 0 without a match
    and always below 1. It is the most likely one on the training pieces, each of them predicted by a base that was
    fitted on the other half of them: a base that knew the piece would leave nothing to the copy. One miss more than was
    seen, and one symbol that behaves like the bucket of the shorter matches, keep rare buckets modest.

    A model never fitted has all weights 0: it is its base.

    Args:
        make_base: makes a base model that was never fitted.

    Attributes:
        base: the base, fitted on all pieces.
        weights: w of each bucket, shape (12,).
    """

    def __init__(self, make_base: Callable[[], Baseline]) -> None:
        self._make_base = make_base
        self.fit(())

    def fit(self, pieces: Iterable[ArrayLike]) -> MatchCopy:
        """Fit the base and the weights, forgetting what was fitted before; returns the model itself.

        Raises:
            VocabularyError: the base model refuses a piece.
        """
        given = list(pieces)
        self.base = self._make_base()
        self.base.fit(given)
        ordered = sorted((np.asarray(piece) for piece in given), key=_content)
        buckets, hits, probabilities = [np.empty(0, np.int64)], [np.empty(0, bool)], [np.empty(0)]
        for fold in range(FOLDS):
            base = self._make_base()
            base.fit(piece for i, piece in enumerate(ordered) if i % FOLDS != fold)
            for piece in ordered[fold::FOLDS]:
                nats = base.nats(piece)
                bucket, hit = _guesses(piece, len(nats))
                buckets.append(bucket)
                hits.append(hit)
                probabilities.append(np.exp(-nats))
        self.weights = _weights(np.concatenate(buckets), np.concatenate(hits), np.concatenate(probabilities))
        return self

    def nats(self, piece: ArrayLike) -> FloatArray:
        """-log p of each symbol given those before it, in nats, shaped as the base's: (tokens,) or (steps - 1,).

        Raises:
            VocabularyError: as for ``fit``.
        """
        base = self.base.nats(piece)
        bucket, hit = _guesses(np.asarray(piece), len(base))
        weight = self.weights[bucket]
        hit &= weight > 0
        nats = base - np.log1p(-weight)  # of a symbol that is not the guess; exp(-base) may be too small for a double
        nats[hit] = -np.log(weight[hit] + (1 - weight[hit]) * np.exp(-base[hit]))
        return nats

    def log_probabilities(self, context: ArrayLike) -> FloatArray:
        """Log probability of every token after ``context``, the whole piece so far, shape (vocabulary,).

        Raises:
            OptionError: the base is a model of frames, which are too many to list.
            VocabularyError: as for ``fit``.
        """
        if not isinstance(self.base, TokenBaseline):
            raise OptionError(
                f"{type(self.base).__name__} is a model of frames, which are too many to list; give one of tokens"
            )
        base, past = self.base.log_probabilities(context), np.asarray(context)
        length, follower = match_at_end(past)
        weight = self.weights[np.searchsorted(LENGTH_EDGES, length, side="right")]
        if weight == 0:
            return base
        guess = past[follower]
        mixed: FloatArray = base + np.log1p(-weight)
        mixed[guess] = np.log(weight + (1 - weight) * np.exp(base[guess]))
        return mixed


def _guesses(piece: NDArray[Any], count: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """Bucket of the match length before each of the last ``count`` symbols, and whether the guess is that symbol."""
    symbols = piece if piece.ndim == 1 else codes_of_frames(piece)
    ids = np.unique(symbols, return_inverse=True)[1]
    lengths, followers = longest_matches(ids)
    hit = (lengths[:-1] > 0) & (ids[followers[:-1]] == ids)
    first = len(ids) - count
    return np.searchsorted(LENGTH_EDGES, lengths[first:-1], side="right"), hit[first:]


def _weights(buckets: IntArray, hits: NDArray[np.bool_], probabilities: FloatArray) -> FloatArray:
    """The most likely weight of each bucket, given how likely the base held each symbol."""
    weights = np.zeros(len(LENGTH_EDGES) + 1)
    for k in range(1, len(weights)):
        found = probabilities[(buckets == k) & hits]
        misses = np.count_nonzero((buckets == k) & ~hits)
        weights[k] = _most_likely(found, misses + 1.0, float(weights[k - 1]))
    return weights


def _most_likely(found: FloatArray, misses: float, sure: float) -> float:
    """The w that makes the sum of log(w + (1 - w) found), ``misses`` log(1 - w) and ``sure`` log(w) the largest.

    Its slope only falls, so halving finds where it is 0, and that is below 1, as ``misses`` are 1 or more.
    """
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        w = (low + high) / 2
        slope = ((1 - found) / (w + (1 - w) * found)).sum() - misses / (1 - w) + sure / w
        low, high = (w, high) if slope > 0 else (low, w)
    return low


def _content(piece: NDArray[Any]) -> tuple[Sequence[int], bytes]:
    """What pieces are sorted by, so that folds and sums do not depend on the order they came in."""
    return piece.shape, piece.tobytes()
