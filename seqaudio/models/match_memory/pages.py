"""How does the memory of a piece grow? Symbols are written behind each other, and each is looked up once.

Conventions: symbols are ids (steps,) or bool frames (steps, keys). All arrays double when they are full, so a step
costs the same however long the piece is, but for the depth of the tree that matches are found in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqaudio.compiled import compiled
from seqaudio.models.match_memory.lag_pointers import TIMELESS, point_by_bars, point_by_steps
from seqaudio.models.suffix_match import MAX_LENGTH, NO_MATCH, match_on, spread_ids

IntArray = NDArray[np.int64]
Symbols = NDArray[Any]

_NO_CLOCK = np.zeros((0, 2), np.int64)
# arrays are kept in the order in which _write takes them
_OF_STEPS = ("matched", "followers", "lines", "places", "bars", "time", "changed")


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
    """

    def __init__(self, like: Symbols, room: int, *, match: bool, lags: tuple[int, ...], clock: IntArray | None) -> None:
        self.steps = 0
        self._match, self._lags = match, np.array(lags, np.int64)
        self._clock = _NO_CLOCK if clock is None else clock
        self._now = np.zeros(3, np.int64)  # of the clock
        self._names: dict[bytes, int] = {}  # a number for each frame met
        self._symbols = like[:0]
        self._arrays: dict[str, NDArray[Any]] = {"ids": np.zeros(0, np.int64), "spread": np.zeros(0, np.uint64)}
        self._arrays["children"] = np.zeros((0, 2), np.int64)
        self._arrays |= {name: np.zeros(0, np.int64) for name in _OF_STEPS}
        self._arrays |= {name: np.zeros((0, match + len(lags)), np.int64) for name in ("sources", "lengths")}
        self._make_room(room)

    @property
    def symbols(self) -> Symbols:
        """What was written."""
        return self._symbols[: self.steps]

    def write(self, said: Symbols) -> None:
        """Write symbols behind the others, and look each of them up."""
        begin, end = self.steps, self.steps + len(said)
        if end > len(self._arrays["ids"]) - 1:
            self._make_room(2 * end)
        self._symbols[begin:end] = said
        ids = said if said.ndim == 1 else self._numbered(said)
        _write(ids, begin, self._match, self._lags, self._clock, self._now, *self._arrays.values())
        self.steps = end

    def read(self, begin: int, end: int) -> Recall:
        """What was found at the steps from ``begin`` to ``end``."""
        return Recall(*(self._arrays[name][begin:end] for name in Recall._fields))

    def last_change(self, step: int) -> int:
        """The step at which the symbol of a step was written, not counting repetitions of it in a row."""
        return int(self._arrays["changed"][step])

    def up_to(self, steps: int) -> Pages:
        """Other pages with the first so many steps written."""
        lags, clock = tuple(self._lags.tolist()), self._clock if len(self._clock) else None
        pages = Pages(self.symbols, 2 * steps, match=self._match, lags=lags, clock=clock)
        pages.write(self.symbols[:steps])
        return pages

    def _numbered(self, frames: Symbols) -> IntArray:
        """A number for each frame, the same for the same keys."""
        names = [self._names.setdefault(row.tobytes(), len(self._names)) for row in np.packbits(frames, axis=1)]
        return np.array(names, np.int64)

    def _make_room(self, steps: int) -> None:
        """Let all arrays hold so many steps, and one row behind them."""
        self._arrays = {name: _longer(array, steps + 1) for name, array in self._arrays.items()}
        self._symbols = _longer(self._symbols, steps + 1)


@compiled
def _write(
    said: IntArray,
    begin: int,
    match: bool,
    lags: IntArray,
    clock: IntArray,
    now: IntArray,
    ids: IntArray,
    spread: NDArray[np.uint64],
    children: IntArray,
    matched: IntArray,
    followers: IntArray,
    lines: IntArray,
    places: IntArray,
    bars: IntArray,
    time: IntArray,
    changed: IntArray,
    sources: IntArray,
    lengths: IntArray,
) -> None:
    """Write ids from step ``begin`` on, and look each of them up: one call, for a call costs more than a step."""
    end = begin + len(said)
    ids[begin:end] = said
    for t in range(begin, end):
        changed[t] = changed[t - 1] if t > 0 and ids[t] == ids[t - 1] else t
    pointers, agreements = sources[:, int(match) :], lengths[:, int(match) :]
    if len(clock):
        point_by_bars(ids, begin, end, lags, clock, now, lines, places, bars, pointers, agreements)
    else:
        point_by_steps(ids, begin, end, lags, pointers, agreements)
    if match:
        spread[begin:end] = spread_ids(said)
        match_on(spread, begin, end, MAX_LENGTH, children.reshape(-1), matched, followers)
    _tell(ids, begin, end, match, clock, bars, matched, followers, sources, lengths, time)


def _tell(
    ids: IntArray,
    begin: int,
    end: int,
    match: bool,
    clock: IntArray,
    bars: IntArray,
    matched: IntArray,
    followers: IntArray,
    sources: IntArray,
    lengths: IntArray,
    time: IntArray,
) -> None:
    """The longest match at each step, and the time; row t + 1 of the matches tells what may follow step t.

    Of metres and tempos, written only where they change, what stands behind is the guess.
    """
    for t in range(begin, end):
        time[t] = max(bars[t] - 1, 0) if len(clock) else t + 1
        if match:
            source = followers[t + 1]
            if len(clock) and source != NO_MATCH and clock[ids[source], 0] == TIMELESS:
                source = source + 1 if source < t else NO_MATCH
            sources[t, 0], lengths[t, 0] = source, matched[t + 1]


def _longer(array: NDArray[Any], length: int) -> NDArray[Any]:
    """The array with zeros behind it."""
    longer = np.zeros((length, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
