"""How often did each token follow each context? n-grams of every order as flat arrays, and the lookup of contexts.

Conventions: a piece is a one-dimensional integer array of token ids in ``0..vocabulary_size - 1``. Contexts never cross
the border between pieces, so the first token of a piece follows the empty context. The order in which pieces are
counted changes nothing.

Level k lists the distinct (k+1)-grams of the pieces as sorted integers, context id times vocabulary size plus next
token, where a context's id is its row in level k - 1. That is a trie in flat arrays: no order and no vocabulary
overflows, a context's followers are neighbours, and a lookup is a binary search.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import OptionError, VocabularyError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

ABSENT = -1  # the id of a context or n-gram that the counted pieces do not contain


@dataclass(frozen=True, eq=False)
class Level:
    """The (k+1)-grams of the training pieces, and sums over each length-k context, whose ids are rows of level k-1.

    Attributes:
        codes: context id * vocabulary + token, ascending, shape (grams,).
        tokens, counts: the gram's last token and how often it was seen, shape (grams,).
        first: the context's followers are rows first[id] to first[id + 1], shape (contexts + 1,).
        totals: how many tokens followed the context, shape (contexts,).
        distinct: how many different tokens followed the context, shape (contexts,).
        excluded: how often the context one token shorter was followed by one of these, shape (contexts,). Order 0
            has no shorter context, and no use for it.
    """

    codes: IntArray
    tokens: IntArray
    counts: IntArray
    first: IntArray
    totals: IntArray
    distinct: IntArray
    excluded: IntArray

    def rows_after(self, context_id: int) -> slice:
        """Where the grams of a context stand."""
        return slice(int(self.first[context_id]), int(self.first[context_id + 1]))

    def followers(self, context_id: int) -> dict[int, int]:
        """How often each token followed a context; nothing for one that is absent."""
        if context_id == ABSENT:
            return {}
        rows = self.rows_after(context_id)
        return dict(zip(self.tokens[rows].tolist(), self.counts[rows].tolist(), strict=True))


def count_grams(pieces: Iterable[ArrayLike], order: int, vocabulary_size: int) -> list[Level]:
    """The grams of 1, 2, ..., order + 1 tokens.

    Raises:
        VocabularyError: a piece is not a one-dimensional integer array of ids inside the vocabulary.
    """
    checked = [checked_tokens(piece, vocabulary_size) for piece in pieces]
    tokens = np.concatenate([*checked, np.empty(0, np.int64)])
    lengths = np.array([len(piece) for piece in checked if len(piece)], np.int64)
    opens_piece = np.zeros(len(tokens), bool)
    opens_piece[np.cumsum(lengths) - lengths] = True

    levels: list[Level] = []
    contexts = np.zeros(len(tokens), np.int64)  # id of the length-k context before each token; the root is 0
    shorter_grams = contexts  # id of the k-gram that ends at each token
    shorter_counts = np.array([len(tokens)], np.int64)
    for _ in range(order + 1):
        level, grams = _count_level(tokens, contexts, shorter_grams, shorter_counts, vocabulary_size)
        levels.append(level)
        contexts = np.where(opens_piece, ABSENT, np.roll(grams, 1))
        shorter_grams, shorter_counts = grams, level.counts
    return levels


def _count_level(
    tokens: IntArray, contexts: IntArray, shorter_grams: IntArray, shorter_counts: IntArray, vocabulary_size: int
) -> tuple[Level, IntArray]:
    """The level of grams (context, token), and the id of the gram that ends at each token (ABSENT without context)."""
    at = np.flatnonzero(contexts != ABSENT)
    codes, sample, ids, counts = np.unique(
        contexts[at] * vocabulary_size + tokens[at], return_index=True, return_inverse=True, return_counts=True
    )
    grams = np.full(len(tokens), ABSENT)
    grams[at] = ids

    num_contexts = len(shorter_counts)
    context_of, last = np.divmod(codes, vocabulary_size)
    first = np.searchsorted(context_of, np.arange(num_contexts + 1))
    shorter = shorter_counts[shorter_grams[at[sample]]]  # count of the same gram without its first token

    def per_context(values: IntArray) -> IntArray:
        sums = np.bincount(context_of, weights=values, minlength=num_contexts)  # float64: exact below 2^53
        return sums.astype(np.int64)

    level = Level(
        codes=codes,
        tokens=last,
        counts=counts.astype(np.int64),
        first=first.astype(np.int64),
        totals=per_context(counts),
        distinct=np.diff(first),
        excluded=per_context(shorter),
    )
    return level, grams


# ---- lookup: tokens -> ids of contexts and grams --------------------------------------------------------------------


def follow(levels: Sequence[Level], tokens: IntArray, vocabulary_size: int) -> tuple[list[IntArray], list[IntArray]]:
    """Per order, ids of the context before each token and after the last, (tokens + 1,), and of the gram, (tokens,)."""
    contexts: list[IntArray] = [np.zeros(len(tokens) + 1, np.int64)]
    grams: list[IntArray] = []
    for level in levels:
        # an absent context makes a negative code, which no level contains
        grams.append(_find(level.codes, contexts[-1][:-1] * vocabulary_size + tokens))
        contexts.append(np.concatenate([[ABSENT], grams[-1]]))
    return contexts[: len(levels)], grams


def _find(codes: IntArray, wanted: IntArray) -> IntArray:
    """The row of each wanted code in ``codes`` (ascending), or ABSENT."""
    if not len(codes):
        return np.full(len(wanted), ABSENT)
    rows = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
    return np.where(codes[rows] == wanted, rows, ABSENT)


def contexts_after(levels: Sequence[Level], context: ArrayLike, vocabulary_size: int) -> list[int]:
    """Ids of the last 0, 1, ..., order tokens of ``context``; ABSENT where unseen or longer than ``context``."""
    tokens = checked_tokens(context, vocabulary_size)
    nearest = tokens[max(0, len(tokens) - len(levels) + 1) :]
    contexts, _ = follow(levels, nearest, vocabulary_size)
    return [int(ids[-1]) for ids in contexts]


def with_followers(level: Level, contexts: IntArray, among: NDArray[np.bool_] | None = None) -> IntArray:
    """Positions whose context was seen with a follower; a context that only ever closed a piece says nothing."""
    known = contexts != ABSENT
    at = np.flatnonzero(known if among is None else known & among)
    return at[level.totals[contexts[at]] > 0]


def nats_of(probability: FloatArray) -> FloatArray:
    """-log p of each, and 0.0 for a certain one."""
    nats: FloatArray = 0.0 - np.log(probability)  # a certain token costs 0.0, not -0.0
    return nats


# ---- checks ---------------------------------------------------------------------------------------------------------


def check_sizes(order: int, vocabulary_size: int) -> None:
    """Refuse an order below 0 and a vocabulary without ids.

    Raises:
        OptionError: one of them is so.
    """
    if order < 0:
        raise OptionError(f"order is {order}; allowed: 0 or more tokens of context")
    if vocabulary_size < 1:
        raise OptionError(f"vocabulary_size is {vocabulary_size}; allowed: 1 or more")


def checked_tokens(piece: ArrayLike, vocabulary_size: int) -> IntArray:
    """A piece as int64.

    Raises:
        VocabularyError: it is not a one-dimensional integer array of ids inside the vocabulary.
    """
    tokens = np.asarray(piece)
    if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
        raise VocabularyError(
            f"a piece is a one-dimensional array of integers; got shape {tokens.shape}, {tokens.dtype}"
        )
    outside = np.flatnonzero((tokens < 0) | (tokens >= vocabulary_size))
    if outside.size:
        raise VocabularyError(
            f"token id {tokens[outside[0]]} at position {outside[0]} is outside 0..{vocabulary_size - 1}; "
            "encode the piece with the model's own vocabulary"
        )
    return tokens.astype(np.int64)
