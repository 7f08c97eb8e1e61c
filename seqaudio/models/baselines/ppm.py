"""How predictable is a piece when the longest context that knows the next token decides?

Sources: J. G. Cleary and I. H. Witten, "Data compression using adaptive coding and partial string matching", IEEE
Trans. Commun. 32(4), 1984 (PPM); A. Moffat, "Implementing the PPM data compression scheme", IEEE Trans. Commun. 38(11),
1990 (escape method C); M. T. Pearce and G. A. Wiggins, "Improved methods for statistical modelling of monophonic
music", J. New Music Research 33(4), 2004 (PPM for music: long-term and adapting models).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from seqaudio.models.baselines.blending import (
    Followers,
    blend_of,
    blended_log_probabilities,
    blended_nats,
    blended_probability,
)
from seqaudio.models.baselines.counting import (
    ABSENT,
    FloatArray,
    IntArray,
    Level,
    check_sizes,
    checked_tokens,
    contexts_after,
    count_grams,
    follow,
    nats_of,
    with_followers,
)


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
        check_sizes(order, vocabulary_size)
        self.order = order
        self.vocabulary_size = vocabulary_size
        self.exclusion = exclusion
        self.fit(())

    def fit(self, pieces: Iterable[ArrayLike]) -> PPM:
        """Build the long-term counts from ``pieces``, forgetting what was fitted before; returns the model itself.

        Raises:
            VocabularyError: a piece is not a one-dimensional integer array of ids inside the vocabulary.
        """
        self._levels = count_grams(pieces, self.order, self.vocabulary_size)
        self._blends = [blend_of(level, "witten-bell") for level in self._levels]
        return self

    def log_probabilities(self, context: ArrayLike) -> FloatArray:
        """Log probability of every token after ``context`` (its last ``order`` tokens count), shape (vocabulary,).

        Raises:
            VocabularyError: as for ``fit``.
        """
        if self.exclusion:
            return _escaping_log_probabilities(self._levels, context, self.vocabulary_size)
        return blended_log_probabilities(self._levels, self._blends, context, self.vocabulary_size)

    def nats(self, piece: ArrayLike, adapt: bool = False) -> FloatArray:
        """-log p of each token given the tokens before it, in nats, shape (tokens,).

        With ``adapt`` each token, once coded, is counted on top of the long-term counts until the end of this piece.
        The fitted model itself never changes.

        Raises:
            VocabularyError: as for ``fit``.
        """
        tokens = checked_tokens(piece, self.vocabulary_size)
        if adapt:
            return self._adapting_nats(tokens)
        if self.exclusion:
            return _escaping_nats(self._levels, tokens, self.vocabulary_size)
        return blended_nats(self._levels, self._blends, tokens, self.vocabulary_size)

    def _adapting_nats(self, tokens: IntArray) -> FloatArray:
        contexts, _ = follow(self._levels, tokens, self.vocabulary_size)
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
        rule = _escaping_probability if self.exclusion else blended_probability
        return rule(followers, token, self.vocabulary_size)


# ---- escaping: the longest context that knows the token decides -----------------------------------------------------
#
# The functions rest on one fact: what followed a context also followed the same context without its first token. So
# the tokens excluded at order k are exactly the followers of the nearest longer context that has any.


def _escaping_nats(levels: Sequence[Level], tokens: IntArray, vocabulary_size: int) -> FloatArray:
    contexts, grams = follow(levels, tokens, vocabulary_size)
    probability = np.ones(len(tokens))
    excluded = np.zeros(len(tokens), np.int64)  # counts that exclusion takes from the next context
    coded = np.zeros(len(tokens), bool)
    for level, context, gram in zip(reversed(levels), reversed(contexts), reversed(grams), strict=True):
        at = with_followers(level, context[:-1], ~coded)
        ids, hit = context[at], gram[at] != ABSENT
        escape = np.where(level.distinct[ids] < vocabulary_size, level.distinct[ids], 0)
        share = np.where(hit, level.counts[gram[at]], escape)
        probability[at] *= share / (level.totals[ids] - excluded[at] + escape)
        excluded[at] = level.excluded[ids]
        coded[at[hit]] = True
    probability[~coded] /= max(vocabulary_size - len(levels[0].codes), 1)  # order -1; with every token known, unused
    return nats_of(probability)


def _escaping_log_probabilities(levels: Sequence[Level], context: ArrayLike, vocabulary_size: int) -> FloatArray:
    """PPM's rule for every token at once, shape (vocabulary,)."""
    probabilities = np.zeros(vocabulary_size)
    coded = np.zeros(vocabulary_size, bool)
    left, excluded = 1.0, 0  # probability of all escapes so far, and counts that exclusion takes from the next context
    context_ids = contexts_after(levels, context, vocabulary_size)
    for level, context_id in zip(reversed(levels), reversed(context_ids), strict=True):
        if context_id == ABSENT or not level.totals[context_id]:
            continue
        rows, distinct = level.rows_after(context_id), int(level.distinct[context_id])
        escape = distinct if distinct < vocabulary_size else 0
        total = max(int(level.totals[context_id]) - excluded + escape, 1)  # 0: nothing is left to be coded here
        tokens = level.tokens[rows]
        probabilities[tokens] = np.where(coded[tokens], probabilities[tokens], left * level.counts[rows] / total)
        coded[tokens] = True
        left, excluded = left * escape / total, int(level.excluded[context_id])
    probabilities[~coded] = left / max(int(np.sum(~coded)), 1)
    log_probabilities: FloatArray = np.log(probabilities)
    return log_probabilities


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
