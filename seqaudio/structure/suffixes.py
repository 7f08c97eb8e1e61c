"""In which order are the suffixes of a long sequence, so that any run in it is found by bisection?

Conventions: a sequence is ids from 1, int32, shape (steps,); 0 ends it, and may stand inside as a separator. A suffix
is told by its first step.

Method: induced sorting. A suffix that is greater than the one before it and smaller than the one behind (in short: a
local least) is put where its first id belongs; two passes then put all others beside them. If the runs between least
suffixes are not all different, they are named in their order and sorted by the same method, as a sequence of half the
length or less. So time and memory are linear, however often passages come back. Source: G. Nong, S. Zhang and
W. H. Chan, "Linear suffix array construction by almost pure induced-sorting", Data Compression Conference, 2009.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from seqaudio.compiled import Compiled, compiled

P = ParamSpec("P")
R = TypeVar("R")
Ids = NDArray[np.int32]
Flags = NDArray[np.bool_]

INTERPRETED = 2000
"""Steps up to which interpreting is quicker than loading the compiler."""

NONE = -1


def suffix_array(ids: Ids) -> Ids:
    """The steps of a sequence, ordered by the suffixes that begin there, shape (steps,).

    Args:
        ids: int32 from 0 on; the last is 0, and suffixes that differ in nothing but their end may come in any order.
    """
    ended = np.append(ids + np.int32(1), np.int32(0))  # the end must be less than all else, and alone
    return _sorted(ended)[1:]


def _sorted(ids: Ids) -> Ids:
    """The suffix array of a sequence whose last id is 0 and stands nowhere else."""
    rising = _rising(ids)
    least = np.flatnonzero(rising[1:] & ~rising[:-1]).astype(np.int32) + np.int32(1)
    counts = np.bincount(ids)
    ends = np.cumsum(counts)
    induce = _chosen(_induce, len(ids))
    suffixes = induce(ids, rising, least, ends - counts, ends)
    is_least = np.zeros(len(ids), dtype=bool)
    is_least[least] = True
    in_order = suffixes[is_least[suffixes]]
    names = _chosen(_names, len(ids))(ids, is_least, in_order, np.full(len(ids), NONE, dtype=np.int32))[least]
    if len(names) and int(names.max()) + 1 < len(names):
        in_order = least[_sorted(names)]
    else:
        in_order = least[np.argsort(names)]
    found: Ids = induce(ids, rising, in_order, ends - counts, ends)
    return found


def _rising(ids: Ids) -> Flags:
    """For each suffix whether it is less than the one behind it: as the next step at which two ids differ says."""
    step = np.diff(ids)
    last = np.arange(len(step))
    last[step == 0] = len(step)
    differs = np.minimum.accumulate(last[::-1])[::-1]
    rises = np.append(step > 0, False)
    return np.append(rises[differs], True)


def _chosen(function: Compiled[P, R], steps: int) -> Callable[P, R]:
    """The function for a sequence of this length: interpreted, or machine code."""
    return function.interpreted if steps <= INTERPRETED else function.machine_code


@compiled
def _induce(ids: Ids, rising: Flags, least: Ids, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Ids:
    """Put all suffixes in order, given the least ones in theirs; ``starts`` and ``ends`` are where each id's lie."""
    count = len(ids)
    suffixes = np.full(count, -1, np.int32)
    place = ends.copy()
    for i in range(len(least) - 1, -1, -1):
        step = least[i]
        place[ids[step]] -= 1
        suffixes[place[ids[step]]] = step
    place = starts.copy()
    for i in range(count):
        before = suffixes[i] - 1
        if before >= 0 and not rising[before]:
            suffixes[place[ids[before]]] = before
            place[ids[before]] += 1
    place = ends.copy()
    for i in range(count - 1, -1, -1):
        before = suffixes[i] - 1
        if before >= 0 and rising[before]:
            place[ids[before]] -= 1
            suffixes[place[ids[before]]] = before
    return suffixes


@compiled
def _names(ids: Ids, is_least: Flags, in_order: Ids, names: Ids) -> Ids:
    """A number for each run from a least suffix to the next, equal for equal runs, rising in their order."""
    name = -1
    earlier = -1
    for i in range(len(in_order)):
        step = in_order[i]
        same = earlier >= 0
        reach = 0
        while same:
            if ids[step + reach] != ids[earlier + reach]:
                same = False
            elif reach > 0 and (is_least[step + reach] or is_least[earlier + reach]):
                same = is_least[step + reach] and is_least[earlier + reach]
                break
            reach += 1
        if not same:
            name += 1
        names[step] = name
        earlier = step
    return names
