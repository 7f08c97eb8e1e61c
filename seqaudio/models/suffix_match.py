"""Where in the piece so far did the last few symbols stand before, and what followed them there?

Conventions: a piece is a one-dimensional array of integer ids, of tokens or of frames. The match at step t is the
longest suffix of ``ids[:t]``, up to ``max_length``, that also ends at an earlier step; of several places the most
recent. It may overlap the suffix itself. It is told by its length and by the step that followed it, ``s < t``: what
stood there, ``ids[s]``, is the guess for ``ids[t]``. Nothing at or after t is looked at.

Method: the contexts met so far are kept in a binary tree, sorted by their symbols from the last one backwards, with the
most recent always above the older ones. The way of a new context down this tree passes the longest match, and the
tree is split along that way so that the new context becomes its root. A step therefore costs its depth: where order and
age are unrelated, a small multiple of the logarithm of the distinct contexts. No hashes, no bounds: the match is exact.

Sources: the binary-tree match finder of I. Pavlov's LZMA, there for the bytes that follow; C. R. Aragon and R. Seidel,
"Randomized search trees", FOCS 1989 (such a tree, with priorities for ages); M. Mahoney, "Adaptive weighing of context
models for lossless data compression", Florida Tech. CS-2005-16, 2005 (the match as a predictor).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.compiled import compiled
from seqaudio.errors import OptionError, VocabularyError

IntArray = NDArray[np.int64]

MAX_LENGTH = 64
NO_MATCH = -1
"""The step that followed where nothing matched."""
LENGTH_EDGES = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48])
"""The shortest length of each bucket of matches but the first, which holds the steps without a match."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd, so that the product with it is another name for the same id


def longest_matches(ids: ArrayLike, max_length: int = MAX_LENGTH) -> tuple[IntArray, IntArray]:
    """Match length and step that followed the match at steps 0 to n, shapes (n + 1,); step n is what comes next.

    Where nothing matches, as at steps 0 and 1, the length is 0 and the step ``NO_MATCH``.

    Raises:
        VocabularyError: ``ids`` is not a one-dimensional array of integers.
        OptionError: ``max_length`` is below 1.
    """
    array = _checked(ids, max_length)
    spread = spread_ids(array)
    lengths = np.zeros(len(array) + 1, np.int64)
    followers = np.full(len(array) + 1, NO_MATCH, np.int64)
    children = np.empty(2 * len(array) + 2, np.int64)
    match_on(spread, 0, len(spread), max_length, children, lengths, followers)
    return lengths, followers


def match_at_end(ids: ArrayLike, max_length: int = MAX_LENGTH) -> tuple[int, int]:
    """The last of :func:`longest_matches` alone, length and step, in a time that hardly grows with the piece.

    Raises:
        VocabularyError: as there.
        OptionError: as there.
    """
    array = _checked(ids, max_length)
    places, length = np.arange(1, len(array)), 0  # behind which the last ``length`` symbols stand as well
    while length < max_length:
        longer = places[np.searchsorted(places, length, side="right") :]  # the others have nothing further back
        longer = longer[array[longer - 1 - length] == array[-1 - length]] if longer.size else longer
        if not longer.size:
            break
        places, length = longer, length + 1
    return length, int(places[-1]) if length else NO_MATCH


def _checked(ids: ArrayLike, max_length: int) -> NDArray[Any]:
    array = np.asarray(ids)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise VocabularyError(f"ids are a one-dimensional array of integers; got shape {array.shape}, {array.dtype}")
    if max_length < 1:
        raise OptionError(f"max_length is {max_length}; allowed: 1 or more ids of context")
    return array


@compiled
def spread_ids(ids: NDArray[Any]) -> NDArray[np.uint64]:
    """Other names for ids: those that rise or fall through a piece would make a list of the tree; these do not."""
    spread: NDArray[np.uint64] = ids.astype(np.uint64) * _SPREAD
    return spread


@compiled
def match_on(
    ids: NDArray[np.uint64],
    begin: int,
    end: int,
    max_length: int,
    children: IntArray,
    lengths: IntArray,
    followers: IntArray,
) -> None:
    """Match of each step behind ``begin`` up to ``end``, whose ids are new; what came before is in the arrays already.

    Node t of the tree is the context before step t, its children stand at 2 t and 2 t + 1. The ids are spread over all
    integers by :func:`spread_ids`; the other arrays have room for 2 ``end`` + 2, ``end`` + 1 and ``end`` + 1 numbers.
    """
    root = begin if begin else NO_MATCH
    for t in range(begin + 1, end + 1):
        lengths[t], followers[t] = _insert(ids, t, root, max_length, children)
        root = t


def _insert(ids: NDArray[np.uint64], t: int, root: int, max_length: int, children: IntArray) -> tuple[int, int]:
    """Make node t the root of the tree; returns its longest match with an older node, and that node."""
    longest, where = 0, NO_MATCH
    smaller, greater = 2 * t, 2 * t + 1  # where the next node smaller or greater than t is to hang
    common_smaller, common_greater = 0, 0  # symbols t shares with the last node that was hung there
    node = root
    while node != NO_MATCH:
        common = min(common_smaller, common_greater)  # all nodes between two neighbours share what these do
        while common < max_length and common < node and ids[node - 1 - common] == ids[t - 1 - common]:
            common += 1
        if common > longest:
            longest, where = common, node
        if common == max_length:  # the same context for us: the new node takes the place of the old
            children[smaller], children[greater] = children[2 * node], children[2 * node + 1]
            return longest, where
        if common == node or ids[node - 1 - common] < ids[t - 1 - common]:  # the beginning is below every symbol
            children[smaller] = node
            smaller, common_smaller = 2 * node + 1, common
            node = children[smaller]
        else:
            children[greater] = node
            greater, common_greater = 2 * node, common
            node = children[greater]
    children[smaller], children[greater] = NO_MATCH, NO_MATCH
    return longest, where
