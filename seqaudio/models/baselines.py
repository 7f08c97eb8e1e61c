"""How predictable is a piece from counts alone? Two Markov models, the baselines any learned model has to beat.

Conventions: a piece is a one-dimensional integer array of token ids in ``0..vocabulary_size - 1``. An order-n model
looks at the last n tokens and no further; contexts never cross the border between pieces, so the first token of a
piece is predicted from the empty context. Probabilities are natural logarithms, losses are nats (1 bit = 0.693 nats),
one per token. Every distribution is exactly normalised and gives no token probability zero. Both models are functions
of the counts alone: the order in which pieces are fitted changes nothing, and a model never fitted is uniform.

How counts are stored: level k lists the distinct (k+1)-grams of the training pieces as sorted integers, context id
times vocabulary size plus next token, where a context's id is its row in level k - 1. That is a trie in flat arrays:
no order and no vocabulary overflows, a context's followers are neighbours, and a lookup is a binary search.

Sources: J. G. Cleary and I. H. Witten, "Data compression using adaptive coding and partial string matching", IEEE
Trans. Commun. 32(4), 1984 (PPM); A. Moffat, "Implementing the PPM data compression scheme", IEEE Trans. Commun. 38(11),
1990 (escape method C); I. H. Witten and T. C. Bell, "The zero-frequency problem", IEEE Trans. Inf. Theory 37(4), 1991
(Witten-Bell); S. F. Chen and J. Goodman, "An empirical study of smoothing techniques for language modeling", Computer
Speech & Language 13(4), 1999 (three discounts); M. T. Pearce and G. A. Wiggins, "Improved methods for statistical
modelling of monophonic music", J. New Music Research 33(4), 2004 (PPM for music: long-term and adapting models).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import OptionError, VocabularyError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Smoothing = Literal["witten-bell", "absolute"]
Followers = Mapping[int, int]  # next token -> how often it followed one context

ABSENT = -1  # the id of a context or n-gram that the training pieces do not contain


class NGram:
    """An order-n Markov model whose orders are interpolated, from the longest context down to the uniform distribution.

    Each context keeps most of its counts and passes the rest of its probability to the context one token shorter:
    ``p(s | context) = (kept(s) + passed * p(s | shorter context)) / total``. A context never seen passes everything.

    ``smoothing="witten-bell"`` passes as many counts as the context has distinct followers; ``"absolute"`` takes a
    discount off every count, one each for counts 1, 2 and 3 or more, estimated per order from the counts of counts.

    Args:
        order: tokens of context, 0 or more (1 is a bigram model).
        vocabulary_size: number of token ids, 1 or more.
        smoothing: ``"witten-bell"`` or ``"absolute"``.

    Raises:
        OptionError: an argument is outside what is allowed.
    """

    def __init__(self, order: int, vocabulary_size: int, smoothing: Smoothing = "witten-bell") -> None:
        _check_sizes(order, vocabulary_size)
        if smoothing not in get_args(Smoothing):
            raise OptionError(f"smoothing is {smoothing!r}; choose one of {', '.join(get_args(Smoothing))}")
        self.order = order
        self.vocabulary_size = vocabulary_size
        self.smoothing = smoothing
        self.fit(())

    def fit(self, pieces: Iterable[ArrayLike]) -> NGram:
        """Count the n-grams of ``pieces``, forgetting what was fitted before; returns the model itself.

        Raises:
            VocabularyError: a piece is not a one-dimensional integer array of ids inside the vocabulary.
        """
        self._levels = _count(pieces, self.order, self.vocabulary_size)
        self._blends = [_blend_of(level, self.smoothing) for level in self._levels]
        return self

    def log_probabilities(self, context: ArrayLike) -> FloatArray:
        """Log probability of every token after ``context`` (its last ``order`` tokens count), shape (vocabulary,).

        Raises:
            VocabularyError: as for ``fit``.
        """
        context_ids = _contexts_after(self._levels, context, self.vocabulary_size)
        probabilities = np.full(self.vocabulary_size, 1 / self.vocabulary_size)
        for level, blend, context_id in zip(self._levels, self._blends, context_ids, strict=True):
            if context_id == ABSENT or not level.totals[context_id]:
                break  # longer contexts are absent too
            rows = level.rows_after(context_id)
            probabilities *= blend.passed[context_id]
            probabilities[level.tokens[rows]] += blend.kept[rows]
            probabilities /= blend.total[context_id]
        log_probabilities: FloatArray = np.log(probabilities)
        return log_probabilities

    def nats(self, piece: ArrayLike) -> FloatArray:
        """-log p of each token given the tokens before it, in nats, shape (tokens,).

        Raises:
            VocabularyError: as for ``fit``.
        """
        tokens = _checked(piece, self.vocabulary_size)
        return _blended_nats(self._levels, self._blends, tokens, self.vocabulary_size)


class PPM:
    """Prediction by partial matching: believe the longest context seen before, escape to shorter ones for new tokens.

    Escape method C: a context with n tokens counted, d of them distinct, gives a follower counted c times c / (n + d)
    and the escape d / (n + d). An escape proves that the token is none of the context's followers, so with
    ``exclusion`` shorter contexts leave those out of n (not out of d, as Moffat does), and order -1 is uniform over the
    tokens left. Where nothing is left to escape to, there is no escape. Contexts never seen are skipped at no cost.
    Counts are full counts at every order (no update exclusion), which keeps the model independent of piece order.

    With ``exclusion=False`` an excluded token would waste probability; instead all orders are blended by their
    escapes, ``p(s) = (c + d * p_shorter(s)) / (n + d)``, the interpolated form that Pearce and Wiggins recommend.

    A model never fitted, scored with ``adapt=True``, is their short-term model: it knows the piece's own past alone.

    Args:
        order: tokens of the longest context, 0 or more.
        vocabulary_size: number of token ids, 1 or more.
        exclusion: exclude what an escape ruled out, or blend all orders.

    Raises:
        OptionError: an argument is outside what is allowed.
    """

    def __init__(self, order: int = 6, *, vocabulary_size: int, exclusion: bool = True) -> None:
        _check_sizes(order, vocabulary_size)
        self.order = order
        self.vocabulary_size = vocabulary_size
        self.exclusion = exclusion
        self.fit(())

    def fit(self, pieces: Iterable[ArrayLike]) -> PPM:
        """Build the long-term counts from ``pieces``, forgetting what was fitted before; returns the model itself.

        Raises:
            VocabularyError: a piece is not a one-dimensional integer array of ids inside the vocabulary.
        """
        self._levels = _count(pieces, self.order, self.vocabulary_size)
        self._blends = [_blend_of(level, "witten-bell") for level in self._levels]
        return self

    def log_probabilities(self, context: ArrayLike) -> FloatArray:
        """Log probability of every token after ``context`` (its last ``order`` tokens count), shape (vocabulary,).

        Raises:
            VocabularyError: as for ``fit``.
        """
        context_ids = _contexts_after(self._levels, context, self.vocabulary_size)
        followers = [level.followers(each) for level, each in zip(self._levels, context_ids, strict=True)]
        return np.log([self._probability(followers, token) for token in range(self.vocabulary_size)])

    def nats(self, piece: ArrayLike, adapt: bool = False) -> FloatArray:
        """-log p of each token given the tokens before it, in nats, shape (tokens,).

        With ``adapt`` each token, once coded, is counted on top of the long-term counts until the end of this piece.
        The fitted model itself never changes.

        Raises:
            VocabularyError: as for ``fit``.
        """
        tokens = _checked(piece, self.vocabulary_size)
        if adapt:
            return self._adapting_nats(tokens)
        if self.exclusion:
            return _escaping_nats(self._levels, tokens, self.vocabulary_size)
        return _blended_nats(self._levels, self._blends, tokens, self.vocabulary_size)

    def _adapting_nats(self, tokens: IntArray) -> FloatArray:
        contexts, _ = _follow(self._levels, tokens, self.vocabulary_size)
        past = tuple(tokens.tolist())
        overlay: dict[tuple[int, ...], dict[int, int]] = {}  # the counts of each context this piece has met
        nats = np.empty(len(tokens))
        for i, token in enumerate(past):
            met = []
            for k in range(min(i, self.order) + 1):
                context = past[i - k : i]
                if context not in overlay:
                    overlay[context] = self._levels[k].followers(contexts[k][i])
                met.append(overlay[context])
            nats[i] = 0.0 - math.log(self._probability(met, token))
            for followers in met:
                followers[token] = followers.get(token, 0) + 1
        return nats

    def _probability(self, followers: Sequence[Followers], token: int) -> float:
        rule = _escaping_probability if self.exclusion else _blended_probability
        return rule(followers, token, self.vocabulary_size)


# ---- counting: pieces -> levels -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Level:
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
        return slice(int(self.first[context_id]), int(self.first[context_id + 1]))

    def followers(self, context_id: int) -> dict[int, int]:
        if context_id == ABSENT:
            return {}
        rows = self.rows_after(context_id)
        return dict(zip(self.tokens[rows].tolist(), self.counts[rows].tolist(), strict=True))


def _count(pieces: Iterable[ArrayLike], order: int, vocabulary_size: int) -> list[_Level]:
    checked = [_checked(piece, vocabulary_size) for piece in pieces]
    tokens = np.concatenate([*checked, np.empty(0, np.int64)])
    lengths = np.array([len(piece) for piece in checked if len(piece)], np.int64)
    opens_piece = np.zeros(len(tokens), bool)
    opens_piece[np.cumsum(lengths) - lengths] = True

    levels: list[_Level] = []
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
) -> tuple[_Level, IntArray]:
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

    level = _Level(
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


def _follow(levels: Sequence[_Level], tokens: IntArray, vocabulary_size: int) -> tuple[list[IntArray], list[IntArray]]:
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


def _contexts_after(levels: Sequence[_Level], context: ArrayLike, vocabulary_size: int) -> list[int]:
    """Ids of the last 0, 1, ..., order tokens of ``context``; ABSENT where unseen or longer than ``context``."""
    tokens = _checked(context, vocabulary_size)
    nearest = tokens[max(0, len(tokens) - len(levels) + 1) :]
    contexts, _ = _follow(levels, nearest, vocabulary_size)
    return [int(ids[-1]) for ids in contexts]


# ---- blending: every order has a say --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Blend:
    """In counts: what each gram keeps, shape (grams,); what each context passes on and holds in all, (contexts,)."""

    kept: FloatArray
    passed: FloatArray
    total: FloatArray


def _blend_of(level: _Level, smoothing: Smoothing) -> _Blend:
    match smoothing:
        case "witten-bell":
            passed: FloatArray = level.distinct.astype(np.float64)
            return _Blend(level.counts.astype(np.float64), passed, level.totals + passed)
        case "absolute":
            discounts = _discounts(level.counts)
            context_of = np.repeat(np.arange(len(level.distinct)), level.distinct)
            passed = np.bincount(context_of, weights=discounts, minlength=len(level.distinct)).astype(np.float64)
            return _Blend(level.counts - discounts, passed, level.totals.astype(np.float64))


def _discounts(counts: IntArray) -> FloatArray:
    """Chen and Goodman's discount of each count; half a count where too few grams are rare to estimate one."""
    once, twice, thrice, four = (int(np.sum(counts == n)) for n in (1, 2, 3, 4))
    discounts = np.full(4, 0.5)  # index: the count, 3 meaning 3 or more
    for n, (fewer, more) in enumerate([(once, twice), (twice, thrice), (thrice, four)], start=1):
        if fewer and once:
            estimate = n - (n + 1) * once / (once + 2 * twice) * more / fewer
            if 0 < estimate < n:
                discounts[n] = estimate
    return discounts[np.minimum(counts, 3)]


def _blended_nats(
    levels: Sequence[_Level], blends: Sequence[_Blend], tokens: IntArray, vocabulary_size: int
) -> FloatArray:
    contexts, grams = _follow(levels, tokens, vocabulary_size)
    probability = np.full(len(tokens), 1 / vocabulary_size)
    for level, blend, context, gram in zip(levels, blends, contexts, grams, strict=True):
        at = _with_followers(level, context[:-1])
        ids = context[at]
        kept = np.where(gram[at] != ABSENT, blend.kept[gram[at]], 0.0)
        probability[at] = (kept + blend.passed[ids] * probability[at]) / blend.total[ids]
    return _nats(probability)


def _blended_probability(followers: Sequence[Followers], token: int, vocabulary_size: int) -> float:
    """PPM's blend for one token; ``followers`` are those of the contexts of length 0, 1, ... ."""
    probability = 1 / vocabulary_size
    for counts in followers:
        if counts:
            kept = counts.get(token, 0)
            probability = (kept + len(counts) * probability) / (sum(counts.values()) + len(counts))
    return probability


# ---- escaping: the longest context that knows the token decides -----------------------------------------------------
#
# Both functions rest on one fact: what followed a context also followed the same context without its first token. So
# the tokens excluded at order k are exactly the followers of the nearest longer context that has any.


def _escaping_nats(levels: Sequence[_Level], tokens: IntArray, vocabulary_size: int) -> FloatArray:
    contexts, grams = _follow(levels, tokens, vocabulary_size)
    probability = np.ones(len(tokens))
    excluded = np.zeros(len(tokens), np.int64)  # counts that exclusion takes from the next context
    coded = np.zeros(len(tokens), bool)
    for level, context, gram in zip(reversed(levels), reversed(contexts), reversed(grams), strict=True):
        at = _with_followers(level, context[:-1], ~coded)
        ids, hit = context[at], gram[at] != ABSENT
        escape = np.where(level.distinct[ids] < vocabulary_size, level.distinct[ids], 0)
        share = np.where(hit, level.counts[gram[at]], escape)
        probability[at] *= share / (level.totals[ids] - excluded[at] + escape)
        excluded[at] = level.excluded[ids]
        coded[at[hit]] = True
    probability[~coded] /= max(vocabulary_size - len(levels[0].codes), 1)  # order -1; with every token known, unused
    return _nats(probability)


def _escaping_probability(followers: Sequence[Followers], token: int, vocabulary_size: int) -> float:
    """PPM's rule for one token; ``followers`` are those of the contexts of length 0, 1, ... ."""
    probability = 1.0
    excluded: Followers = {}
    for counts in reversed(followers):
        if not counts:
            continue
        escape = len(counts) if len(counts) < vocabulary_size else 0
        total = sum(counts.values()) - sum(map(counts.__getitem__, excluded)) + escape
        if token in counts:
            # a token of `excluded` has been coded by a longer context, so this one is fresh
            return probability * counts[token] / total
        probability *= escape / total
        excluded = counts
    return probability / (vocabulary_size - len(excluded))


def _with_followers(level: _Level, contexts: IntArray, among: NDArray[np.bool_] | None = None) -> IntArray:
    """Positions whose context was seen with a follower; a context that only ever closed a piece says nothing."""
    known = contexts != ABSENT
    at = np.flatnonzero(known if among is None else known & among)
    return at[level.totals[contexts[at]] > 0]


def _nats(probability: FloatArray) -> FloatArray:
    nats: FloatArray = 0.0 - np.log(probability)  # a certain token costs 0.0, not -0.0
    return nats


# ---- checks ---------------------------------------------------------------------------------------------------------


def _check_sizes(order: int, vocabulary_size: int) -> None:
    if order < 0:
        raise OptionError(f"order is {order}; allowed: 0 or more tokens of context")
    if vocabulary_size < 1:
        raise OptionError(f"vocabulary_size is {vocabulary_size}; allowed: 1 or more")


def _checked(piece: ArrayLike, vocabulary_size: int) -> IntArray:
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
