"""How predictable is a key from its own past alone, as if each key were a piece of its own?

Conventions: those of ``frames``. A history is the last values of one key, oldest first, as a binary number; where
a piece is younger than ``order`` steps, the history is as long as the piece. With order 0 this is the per-key unigram.

Source: R. E. Krichevsky and V. K. Trofimov, "The performance of universal encoding", IEEE Trans. Inf. Theory 27(2),
1981 (half a count for each of the two values). The unigram is the simplest row of N. Boulanger-Lewandowski, Y. Bengio
and P. Vincent, "Modeling temporal dependencies in high-dimensional sequences", ICML 2012, whose sets these are.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from seqaudio.errors import OptionError
from seqaudio.models.baselines.counting import FloatArray, IntArray
from seqaudio.models.baselines.frames import check_keys, checked_frames
from seqaudio.music.frames import Frames

MAX_ORDER = 16  # the tables hold 2^order numbers for every key


class MarkovKeys:
    """Each key of a frame predicted from its own last ``order`` values, all keys independent of each other.

    A history seen n times and followed by a sounding key ``on`` times gives it the probability (on + 1/2) / (n + 1).
    The likelihood of a frame is the product over its keys, so it is exact and sums to one over all 2^keys frames.
    Fitting counts every frame, the first one of a piece too.

    Args:
        order: values of history, 0 to 16; 0 is the per-key unigram.
        num_keys: keys of a frame.

    Raises:
        OptionError: an argument is outside what is allowed.
    """

    def __init__(self, order: int = 1, num_keys: int = 88) -> None:
        if not 0 <= order <= MAX_ORDER:
            raise OptionError(f"order is {order}; allowed: 0 to {MAX_ORDER} values of history")
        check_keys(num_keys)
        self.order = order
        self.num_keys = num_keys
        self.fit(())

    def fit(self, pieces: Iterable[ArrayLike]) -> MarkovKeys:
        """Count what followed each history, forgetting what was fitted before; returns the model itself.

        Raises:
            VocabularyError: a piece is not a bool array of shape (steps, num_keys).
        """
        counts = [np.zeros((2, self.num_keys << k)) for k in range(self.order + 1)]
        for piece in pieces:
            frames = checked_frames(piece, self.num_keys)
            for k, rows in enumerate(self._history_rows(frames)):
                following = frames[k:]
                for value in (0, 1):
                    seen = rows[:-1][following == value]
                    counts[k][value] += np.bincount(seen, minlength=self.num_keys << k)
        self._log_p = [np.log((seen + 0.5) / (seen.sum(axis=0) + 1)) for seen in counts]  # (value, history of a key)
        return self

    def log_probabilities(self, context: ArrayLike) -> FloatArray:
        """Log probability that each key is silent and that it sounds before and after each frame of ``context``.

        Shape (steps + 1, 2, keys): row t is given the first t frames, the last row is what comes next.

        Raises:
            VocabularyError: as for ``fit``.
        """
        frames = checked_frames(context, self.num_keys)
        log_p = np.empty((len(frames) + 1, 2, self.num_keys))
        for k, rows in enumerate(self._history_rows(frames)):
            log_p[k:] = self._log_p[k][:, rows].transpose(1, 0, 2)  # (value, steps, keys) -> (steps, value, keys)
        return log_p

    def nats(self, piece: ArrayLike) -> FloatArray:
        """-log p of each frame but the first given the frames before it, in nats, shape (steps - 1,).

        Raises:
            VocabularyError: as for ``fit``.
        """
        frames = checked_frames(piece, self.num_keys)
        log_p = self.log_probabilities(frames)[1:-1]
        nats: FloatArray = -np.where(frames[1:], log_p[:, 1], log_p[:, 0]).sum(axis=1)
        return nats

    def _history_rows(self, frames: Frames) -> list[IntArray]:
        """Row of each key's history in the tables of length 0, 1, ..., at steps k to the end, (steps + 1 - k, keys)."""
        rows = [np.tile(np.arange(self.num_keys), (len(frames) + 1, 1))]
        for k in range(1, min(self.order, len(frames)) + 1):
            newest = frames[k - 1 :]
            rows.append(2 * rows[-1][:-1] + newest)
        return rows
