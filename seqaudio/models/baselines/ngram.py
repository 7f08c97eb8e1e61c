"""How predictable is a piece from the last few tokens, when every order has a say?

Sources: Witten and Bell 1991; Chen and Goodman 1999; both in ``blending``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from numpy.typing import ArrayLike

from seqaudio.errors import OptionError
from seqaudio.models.baselines.blending import Smoothing, blend_of, blended_log_probabilities, blended_nats
from seqaudio.models.baselines.counting import FloatArray, check_sizes, checked_tokens, count_grams


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
        check_sizes(order, vocabulary_size)
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
        self._levels = count_grams(pieces, self.order, self.vocabulary_size)
        self._blends = [blend_of(level, self.smoothing) for level in self._levels]
        return self

    def log_probabilities(self, context: ArrayLike) -> FloatArray:
        """Log probability of every token after ``context`` (its last ``order`` tokens count), shape (vocabulary,).

        Raises:
            VocabularyError: as for ``fit``.
        """
        return blended_log_probabilities(self._levels, self._blends, context, self.vocabulary_size)

    def nats(self, piece: ArrayLike) -> FloatArray:
        """-log p of each token given the tokens before it, in nats, shape (tokens,).

        Raises:
            VocabularyError: as for ``fit``.
        """
        tokens = checked_tokens(piece, self.vocabulary_size)
        return blended_nats(self._levels, self._blends, tokens, self.vocabulary_size)
