"""How does the memory of a piece grow? Symbols are written behind each other, and each is looked up once.

Conventions: symbols are ids (steps,) or bool frames (steps, keys). All arrays double when they are full, so a step
costs the same however long the piece is, but for the depth of the tree that matches are found in. They are few, as each
that is handed to compiled code costs as much as looking a step up: what is one number a step stands in rows of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from seqaudio.compiled import compiled
from seqaudio.models.match_memory.lag_pointers import TIMELESS, point_by_bars, point_by_steps
from seqaudio.models.suffix_match import MAX_LENGTH, NO_MATCH, match_on, spread_ids

IntArray = NDArray[np.int64]
Symbols = NDArray[Any]
Told = TypeVar("Told")

# rows of what is one number a step; AGREEING: ids that agree with each other as one
IDS, SPREAD, MATCHED, FOLLOWERS, LINES, PLACES, BARS, TIME, CHANGED, AGREEING = range(10)
SOURCES, LENGTHS = range(2)  # of what is found

_NO_CLOCK = np.zeros((0, 2), np.int64)
_EACH_FOR_ITSELF = np.zeros(0, np.int64)


class Recall(NamedTuple):
    """What was found at some steps of a piece.

    Attributes:
        sources: (steps, sources of guesses) the step whose symbol is the guess for the next step, or ``NO_MATCH``.
        lengths: (steps, sources of guesses) of the match or agreement.
        time: (steps,) steps up to here, this one included, or bars ended.
    """

    sources: IntArray
    lengths: IntArray
    time: IntArray


class Pages:
    """Symbols that grow, and what the sources of guesses found at each of them.

    Args:
        like: symbols of the same kind.
        room: steps to make room for at first.
        match: look for the longest match.
        lags: of the pointers.
        clock: from :func:`seqaudio.models.match_memory.lag_pointers.clock_of`; None counts steps.
        agreeing: (vocabulary,) a number for each token, the same where two agree; None: each agrees with itself alone.
    """

    def __init__(
        self,
        like: Symbols,
        room: int,
        *,
        match: bool,
        lags: tuple[int, ...],
        clock: IntArray | None,
        agreeing: IntArray | None,
    ) -> None:
        self.steps = 0
        self._match, self._lags = match, np.array(lags, np.int64)
        self._clock = _NO_CLOCK if clock is None else clock
        self._agreeing = _EACH_FOR_ITSELF if agreeing is None else agreeing
        self._now = np.zeros(3, np.int64)  # of the clock
        self._names: dict[bytes, int] = {}  # a number for each frame met
        self._frames = None if like.ndim == 1 else like[:0]
        self._numbers = np.zeros((AGREEING + 1, 0), np.int64)
        self._children = np.zeros((0, 2), np.int64)
        self._found = np.zeros((2, 0, match + len(lags)), np.int64)
        self._make_room(room)

    @property
    def symbols(self) -> Symbols:
        """What was written."""
        return (self._numbers[IDS] if self._frames is None else self._frames)[: self.steps]

    def write(self, said: Symbols) -> None:
        """Write symbols behind the others, and look each of them up."""
        self.write_by(write_ids, said)

    def write_by(self, write: Callable[..., Told], said: Symbols, *more: IntArray) -> Told:
        """The same by a function that takes what :func:`write_ids` does and more; returns what it returns."""
        begin, end = self.steps, self.steps + len(said)
        if end >= len(self._children):
            self._make_room(2 * end)
        if self._frames is not None:
            self._frames[begin:end] = said
            said = self._numbered(said)
        ids = said.astype(np.int64, copy=False)
        tables = self._lags, self._clock, self._agreeing
        told = write(ids, begin, *tables, self._now, self._numbers, self._children, self._found, *more)
        self.steps = end
        return told

    def read(self, begin: int, end: int) -> Recall:
        """What was found at the steps from ``begin`` to ``end``."""
        sources, lengths = self._found[:, begin:end]
        return Recall(sources, lengths, self._numbers[TIME, begin:end])

    def last_change(self, step: int) -> int:
        """The step at which the symbol of a step was written, not counting repetitions of it in a row."""
        return int(self._numbers[CHANGED, step])

    def up_to(self, steps: int) -> Pages:
        """Other pages with the first so many steps written."""
        lags, clock = tuple(self._lags.tolist()), self._clock if len(self._clock) else None
        agreeing = self._agreeing if len(self._agreeing) else None
        pages = Pages(self.symbols, 2 * steps, match=self._match, lags=lags, clock=clock, agreeing=agreeing)
        pages.write(self.symbols[:steps])
        return pages

    def _numbered(self, frames: Symbols) -> IntArray:
        """A number for each frame, the same for the same keys."""
        names = [self._names.setdefault(row.tobytes(), len(self._names)) for row in np.packbits(frames, axis=1)]
        return np.array(names, np.int64)

    def _make_room(self, steps: int) -> None:
        """Let all arrays hold so many steps, and one row behind them."""
        self._numbers, self._found = (_longer(array, steps + 1, axis=1) for array in (self._numbers, self._found))
        self._children = _longer(self._children, steps + 1)
        self._frames = None if self._frames is None else _longer(self._frames, steps + 1)


@compiled
def write_ids(
    said: IntArray,
    begin: int,
    lags: IntArray,
    clock: IntArray,
    agreeing: IntArray,
    now: IntArray,
    numbers: IntArray,
    children: IntArray,
    found: IntArray,
) -> None:
    """Write ids from step ``begin`` on, and look each of them up: one call, for a call costs more than a step.

    ``numbers``, ``children`` and ``found`` are arrays of :class:`Pages`, with room for the ids and one step more.
    """
    end, match = begin + len(said), int(found.shape[2] > len(lags))
    ids, changed = numbers[IDS], numbers[CHANGED]
    ids[begin:end] = said
    for t in range(begin, end):
        changed[t] = changed[t - 1] if t > 0 and ids[t] == ids[t - 1] else t
    names = ids
    if len(agreeing):
        names = numbers[AGREEING]
        names[begin:end] = agreeing[said]
    pointers, agreements = found[SOURCES, :, match:], found[LENGTHS, :, match:]
    if len(clock):
        lines, places, bars = numbers[LINES], numbers[PLACES], numbers[BARS]
        point_by_bars(names, begin, end, lags, clock, now, lines, places, bars, pointers, agreements)
    else:
        point_by_steps(names, begin, end, lags, pointers, agreements)
    if match:
        spread = numbers[SPREAD].view(np.uint64)
        spread[begin:end] = spread_ids(names[begin:end])
        match_on(spread, begin, end, MAX_LENGTH, children.reshape(-1), numbers[MATCHED], numbers[FOLLOWERS])
        _tell_matches(begin, end, clock, numbers, found)
    for t in range(begin, end):
        numbers[TIME, t] = max(numbers[BARS, t] - 1, 0) if len(clock) else t + 1


def _tell_matches(begin: int, end: int, clock: IntArray, numbers: IntArray, found: IntArray) -> None:
    """The longest match at each step; row t + 1 of the matches tells what may follow step t.

    Of metres and tempos, written only where they change, what stands behind is the guess.
    """
    for t in range(begin, end):
        source = numbers[FOLLOWERS, t + 1]
        if len(clock) and source != NO_MATCH and clock[numbers[IDS, source], 0] == TIMELESS:
            source = source + 1 if source < t else NO_MATCH
        found[SOURCES, t, 0], found[LENGTHS, t, 0] = source, numbers[MATCHED, t + 1]


def _longer(array: NDArray[Any], length: int, axis: int = 0) -> NDArray[Any]:
    """The array with zeros behind it."""
    return np.pad(array, [(0, length - size if number == axis else 0) for number, size in enumerate(array.shape)])
