"""Which integer stands for which musical fact?

A vocabulary is an ordered tuple of names ``Kind_value`` (MidiTok's spelling: ``Bar_None``, ``Position_4``,
``Pitch_60``); the id of a token is its place. The tokens of one kind are consecutive, so a kind is a slice and its
values can be looked up with array arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import VocabularyError

SHOWN_KINDS = 16  # in a repr: all kinds of our own tokenizers, few of one whose tokens are all of their own kind


@dataclass(frozen=True)
class Vocabulary:
    """Token names in id order; the names of one kind stand together."""

    names: tuple[str, ...]

    @classmethod
    def of_kinds(cls, kinds: Mapping[str, Iterable[object]]) -> Vocabulary:
        """A vocabulary from the values of each kind, in order."""
        return cls(tuple(f"{kind}_{value}" for kind, values in kinds.items() for value in values))

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        more = ", ..." * (len(self.kinds) > SHOWN_KINDS)
        return f"Vocabulary({len(self)} tokens: {', '.join(self.kinds[:SHOWN_KINDS])}{more})"

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds in order of their first token."""
        return tuple(dict.fromkeys(name.partition("_")[0] for name in self.names))

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The ids of each kind, as a slice."""
        of_token = [name.partition("_")[0] for name in self.names]
        return {kind: slice(of_token.index(kind), of_token.index(kind) + of_token.count(kind)) for kind in self.kinds}

    @cached_property
    def first(self) -> dict[str, int]:
        """The first id of each kind."""
        return {kind: ids.start for kind, ids in self.slices.items()}

    @cached_property
    def kind_of(self) -> NDArray[np.int8]:
        """Index into ``kinds`` for every id, shape (vocabulary,)."""
        return np.concatenate([np.full(ids.stop - ids.start, k, np.int8) for k, ids in enumerate(self.slices.values())])

    def id(self, name: str) -> int:
        """The id of a token name. Raises VocabularyError when there is no such token."""
        if name not in self._ids:
            raise VocabularyError(f"no token {name!r} in a vocabulary of {len(self)} tokens of kinds {self.kinds}")
        return self._ids[name]

    def is_kind(self, *kinds: str) -> NDArray[np.bool_]:
        """Which tokens are of the kinds named, shape (vocabulary,); a kind that is not there has none."""
        return np.isin(self.kind_of, [k for k, kind in enumerate(self.kinds) if kind in kinds])

    def numbers(self, *kinds: str) -> NDArray[np.int64]:
        """The numbers that the tokens of some kinds name, -1 for every other token, shape (vocabulary,)."""
        chosen = self.is_kind(*kinds).tolist()
        return np.array(
            [int(name.partition("_")[2]) if of else -1 for name, of in zip(self.names, chosen, strict=True)]
        )

    def transposed(self, ids: NDArray[np.int64], semitones: int, *kinds: str) -> NDArray[np.int64]:
        """The tokens of kinds whose values are pitches moved. Raises VocabularyError when one would leave its kind."""
        moved = ids.copy()
        for kind in kinds:
            place = self.slices[kind]
            of_kind = (ids >= place.start) & (ids < place.stop)
            moved[of_kind] += semitones
            if (of_kind & ((moved < place.start) | (moved >= place.stop))).any():
                low, high = (self.names[i].partition("_")[2] for i in (place.start, place.stop - 1))
                raise VocabularyError(f"moving by {semitones} semitones leaves the pitches {low}..{high}")
        return moved

    def checked(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Ids as a one-dimensional int64 array. Raises VocabularyError for an id outside the vocabulary."""
        array = np.asarray(ids, dtype=np.int64).reshape(-1)
        outside = np.flatnonzero((array < 0) | (array >= len(self)))
        if outside.size:
            where = outside[0]
            raise VocabularyError(f"token id {array[where]} at place {where} is outside 0..{len(self) - 1}")
        return array
