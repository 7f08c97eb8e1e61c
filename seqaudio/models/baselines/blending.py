"""How do all orders have a say in one prediction? Each context keeps counts and passes the rest to the shorter one.

Conventions: all values are in counts, so ``p(s | context) = (kept(s) + passed * p(s | shorter context)) / total``.

Sources: I. H. Witten and T. C. Bell, "The zero-frequency problem", IEEE Trans. Inf. Theory 37(4), 1991 (Witten-Bell);
S. F. Chen and J. Goodman, "An empirical study of smoothing techniques for language modeling", Computer Speech &
Language 13(4), 1999 (three discounts).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from seqaudio.models.baselines.counting import (
    ABSENT,
    FloatArray,
    IntArray,
    Level,
    contexts_after,
    follow,
    nats_of,
    with_followers,
)

Smoothing = Literal["witten-bell", "absolute"]
Followers = Mapping[int, int]  # next token -> how often it followed one context


@dataclass(frozen=True, eq=False)
class Blend:
    """In counts: what each gram keeps, shape (grams,); what each context passes on and holds in all, (contexts,)."""

    kept: FloatArray
    passed: FloatArray
    total: FloatArray


def blend_of(level: Level, smoothing: Smoothing) -> Blend:
    """What the contexts of one length keep and pass: a count a distinct follower, or discounts of each count."""
    match smoothing:
        case "witten-bell":
            passed: FloatArray = level.distinct.astype(np.float64)
            return Blend(level.counts.astype(np.float64), passed, level.totals + passed)
        case "absolute":
            discounts = _discounts(level.counts)
            context_of = np.repeat(np.arange(len(level.distinct)), level.distinct)
            passed = np.bincount(context_of, weights=discounts, minlength=len(level.distinct)).astype(np.float64)
            return Blend(level.counts - discounts, passed, level.totals.astype(np.float64))


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


def blended_nats(
    levels: Sequence[Level], blends: Sequence[Blend], tokens: IntArray, vocabulary_size: int
) -> FloatArray:
    """-log p of each token given the tokens before it, all orders blended, in nats, shape (tokens,)."""
    contexts, grams = follow(levels, tokens, vocabulary_size)
    probability = np.full(len(tokens), 1 / vocabulary_size)
    for level, blend, context, gram in zip(levels, blends, contexts, grams, strict=True):
        at = with_followers(level, context[:-1])
        ids = context[at]
        kept = np.where(gram[at] != ABSENT, blend.kept[gram[at]], 0.0)
        probability[at] = (kept + blend.passed[ids] * probability[at]) / blend.total[ids]
    return nats_of(probability)


def blended_log_probabilities(
    levels: Sequence[Level], blends: Sequence[Blend], context: ArrayLike, vocabulary_size: int
) -> FloatArray:
    """Log probability of every token after a context, all orders blended, shape (vocabulary,)."""
    probabilities = np.full(vocabulary_size, 1 / vocabulary_size)
    context_ids = contexts_after(levels, context, vocabulary_size)
    for level, blend, context_id in zip(levels, blends, context_ids, strict=True):
        if context_id == ABSENT or not level.totals[context_id]:
            break  # longer contexts are absent too
        rows = level.rows_after(context_id)
        probabilities *= blend.passed[context_id]
        probabilities[level.tokens[rows]] += blend.kept[rows]
        probabilities /= blend.total[context_id]
    log_probabilities: FloatArray = np.log(probabilities)
    return log_probabilities


def blended_probability(followers: Sequence[Followers], token: int, vocabulary_size: int) -> float:
    """PPM's blend for one token; ``followers`` are those of the contexts of length 0, 1, ... ."""
    probability = 1 / vocabulary_size
    for counts in followers:
        if counts:
            kept = counts.get(token, 0)
            probability = (kept + len(counts) * probability) / (sum(counts.values()) + len(counts))
    return probability
