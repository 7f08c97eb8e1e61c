"""How predictable is a frame when the longest run of frames seen before decides, and any frame at all is possible?

Conventions: those of ``frames``. Every distinct frame of the training pieces is a symbol; all other frames together are
one symbol more, the unknown, so PPM gives each known frame its probability and the unknown what is left.

Sources: those of ``ppm``; A. Moffat, "Word-based text compression", Software: Practice and Experience 19(2), 1989:
after an escape from all known words a new one is spelled out by a model of its letters, here of its keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from seqaudio.models.baselines.counting import FloatArray, IntArray
from seqaudio.models.baselines.frame_tree import tree_of_frames
from seqaudio.models.baselines.frames import check_keys, checked_frames, codes_of_frames, frames_of_codes
from seqaudio.models.baselines.markov_keys import MarkovKeys
from seqaudio.models.baselines.ppm import PPM
from seqaudio.music.frames import Frames, transposed_frames


class FramePPM:
    """PPM over frames whose order -1 is the per-key Markov model over all 2^keys frames.

    A known frame has the probability PPM gives it, a frame never seen the probability of the escape from all known
    frames times its own under the per-key model, given that it is none of the known. So the likelihood is exact, and
    sums to one over all frames, to the rounding of doubles. A context with an unknown frame in it is one never seen.

    With ``transpositions`` the counts are those of copies of each piece moved by so many keys (0 is the piece itself);
    a copy that would leave the keyboard is left out.

    Args:
        order: frames of the longest context, 0 or more.
        num_keys: keys of a frame.
        key_order: order of the per-key Markov model.
        transpositions: semitones to move the copies by.

    Raises:
        OptionError: an argument is outside what is allowed.
    """

    def __init__(
        self, order: int = 6, *, num_keys: int = 88, key_order: int = 1, transpositions: Sequence[int] = (0,)
    ) -> None:
        check_keys(num_keys)
        self.num_keys = num_keys
        self.transpositions = tuple(transpositions)
        self._ppm = PPM(order, vocabulary_size=1)
        self._keys = MarkovKeys(key_order, num_keys)
        self.fit(())

    def fit(self, pieces: Iterable[ArrayLike]) -> FramePPM:
        """Count the frames of ``pieces``, forgetting what was fitted before; returns the model itself.

        Raises:
            VocabularyError: a piece is not a bool array of shape (steps, num_keys).
        """
        checked = [checked_frames(piece, self.num_keys) for piece in pieces]
        copies = [copy for piece in checked for copy in _copies(piece, self.transpositions)]
        codes = [codes_of_frames(copy) for copy in copies]
        nothing = codes_of_frames(np.zeros((0, self.num_keys), bool))
        self._known = np.unique(np.concatenate([*codes, nothing]))
        self._tree = tree_of_frames(frames_of_codes(self._known, self.num_keys))
        num_symbols = min(len(self._known) + 1, 2**self.num_keys)  # no unknown where every frame is known
        self._ppm = PPM(self._ppm.order, vocabulary_size=num_symbols).fit(self._symbols(copy) for copy in copies)
        self._keys = MarkovKeys(self._keys.order, self.num_keys).fit(copies)
        return self

    def nats(self, piece: ArrayLike) -> FloatArray:
        """-log p of each frame but the first given the frames before it, in nats, shape (steps - 1,).

        Raises:
            VocabularyError: as for ``fit``.
        """
        frames = checked_frames(piece, self.num_keys)
        symbols = self._symbols(frames)
        nats = self._ppm.nats(symbols)[1:]
        unknown = np.flatnonzero(symbols[1:] == len(self._known)) + 1
        nats[unknown - 1] += self._nats_among_unknown(frames, unknown)
        return nats

    def _symbols(self, frames: Frames) -> IntArray:
        """Row of each frame among the known, and their number for the unknown, shape (steps,)."""
        codes = codes_of_frames(frames)
        rows = np.searchsorted(self._known, codes)
        found = rows < len(self._known)
        found[found] = self._known[rows[found]] == codes[found]
        return np.where(found, rows, len(self._known))

    def _nats_among_unknown(self, frames: Frames, at: IntArray) -> FloatArray:
        """-log p of the unknown frames at these steps under the per-key model, given that they are unknown."""
        silent, sounds = self._keys.log_probabilities(frames)[at].transpose(1, 0, 2)  # (steps, keys) each
        log_p = np.where(frames[at], sounds, silent).sum(axis=1)
        each = zip(np.exp(silent), np.exp(sounds), strict=True)
        mass = np.array([self._tree.probability(*of_step) for of_step in each])
        left = np.log(np.maximum(1 - mass, np.finfo(np.float64).tiny))
        # the frame itself is unknown, so no less than its own probability is left, whatever rounding says
        nats: FloatArray = np.maximum(left, log_p) - log_p
        return nats


def _copies(piece: Frames, transpositions: Sequence[int]) -> Iterable[Frames]:
    """The piece moved by each of the transpositions that keep all of its notes."""
    for semitones in transpositions:
        copy = transposed_frames(piece, semitones)
        if copy.sum() == piece.sum():
            yield copy
