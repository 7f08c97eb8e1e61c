"""What may follow, where only the last token matters?

A chain is a table: row = the last token (the last row: nothing yet), column = the next one. A sequence runs from BOS
to EOS with PAD behind it; the rest is the tokenizer's own.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import VocabularyError
from seqaudio.music.score import IntArray
from seqaudio.tokens.stored import StoredTokenizer
from seqaudio.tokens.vocabulary import Vocabulary

PAD, BOS, EOS = 0, 1, 2  # the first three ids of every tokenizer


@dataclass(frozen=True, eq=False)
class Chain:
    """Which token may follow which, shape (vocabulary + 1, vocabulary)."""

    vocabulary: Vocabulary
    follows: NDArray[np.bool_]

    @classmethod
    def between(cls, vocabulary: Vocabulary, body: NDArray[np.bool_], may_end: NDArray[np.bool_]) -> Chain:
        """A chain from BOS to EOS.

        Args:
            vocabulary: the tokens.
            body: which token may follow which, shape (vocabulary, vocabulary); the row of BOS says how to begin.
            may_end: behind which tokens EOS may stand, shape (vocabulary,).
        """
        follows = np.vstack([body, np.zeros(len(vocabulary), dtype=bool)])
        follows[:, [PAD, BOS]] = False
        follows[:-1, EOS] = may_end
        follows[[PAD, EOS]] = False
        follows[[PAD, EOS], PAD] = True
        follows[-1, BOS] = True
        follows.flags.writeable = False
        return cls(vocabulary, follows)

    def start(self) -> ChainState:
        """The state before BOS."""
        return ChainState(self)

    def body(self, ids: ArrayLike) -> NDArray[np.int64]:
        """The ids between BOS and EOS; BOS may be left out, and the end may be missing.

        Raises:
            VocabularyError: an id is outside the vocabulary, or may not stand where it does.
        """
        ids = self.vocabulary.checked(ids)
        last = np.append(-1, ids[:-1])[: len(ids)]
        if len(ids) and ids[0] != BOS:
            last[0] = BOS
        wrong = np.flatnonzero(~self.follows[last, ids])
        if wrong.size:
            raise VocabularyError(self._refusal(int(last[wrong[0]]), int(ids[wrong[0]])))
        return ids[ids > EOS]

    def after(self, last: int, token: int) -> int:
        """The token itself, once it is known that it may follow. Raises VocabularyError when not."""
        if not (0 <= token < len(self.vocabulary)) or not self.follows[last, token]:
            raise VocabularyError(self._refusal(last, token))
        return token

    def _refusal(self, last: int, token: int) -> str:
        names = self.vocabulary.names
        name = names[token] if 0 <= token < len(names) else token
        return f"token {name} may not follow {names[last] if last >= 0 else 'nothing'} here"


@dataclass(frozen=True)
class ChainState:
    """Where a line of tokens stands: its last token, -1 before the first."""

    chain: Chain
    last: int = -1

    def after(self, token: int) -> ChainState:
        """The state once ``token`` is written. Raises VocabularyError when it may not follow."""
        return ChainState(self.chain, self.chain.after(self.last, token))


class ChainTokenizer(StoredTokenizer):
    """A tokenizer whose grammar is a chain, and whose notes are its Pitch tokens."""

    @property
    @abstractmethod
    def chain(self) -> Chain:
        """Which token may follow which."""

    def start(self) -> ChainState:
        """The grammar before BOS."""
        return self.chain.start()

    def grammar(self, state: ChainState) -> NDArray[np.bool_]:
        """Which tokens may follow a state, shape (vocabulary,)."""
        mask: NDArray[np.bool_] = self.chain.follows[state.last]
        return mask

    @cached_property
    def pitch_of_token(self) -> NDArray[np.int64]:
        """The pitch that each Pitch token names, -1 for every other token, shape (vocabulary,)."""
        return self.vocabulary.numbers("Pitch")

    @cached_property
    def begins_note(self) -> NDArray[np.bool_]:
        """The Pitch tokens, shape (vocabulary,)."""
        return self.vocabulary.is_kind("Pitch")

    def transpose(self, ids: IntArray, semitones: int) -> IntArray:
        """Every note moved. Raises VocabularyError when one would leave the range of the Pitch tokens."""
        return self.vocabulary.transposed(ids, semitones, "Pitch")
