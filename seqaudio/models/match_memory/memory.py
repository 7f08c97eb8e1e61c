"""What does a model remember of the piece so far? For each step, guesses of what comes next, and how strong each is.

The memory is the model's notebook: it keeps the piece and looks things up, while the recurrent state keeps what was
learnt to keep. It has no weights and lies outside the network, so every engine generates with the same one.

Conventions: a piece is token ids (steps,) or bool frames (steps, keys). What is told at step t is about step t + 1 and
looks at steps 0 to t alone. Sources of guesses: what followed the longest match
(:mod:`seqaudio.models.suffix_match`), then one pointer for each lag (:mod:`seqaudio.models.match_memory.lag_pointers`).
A strength is 0 where a source has no guess, else 1 plus the bucket of the length of its match or agreement. A counter
of m tells the place of what comes in a cycle of m: of steps, or of bars where tokens tell of bars.

A step as the network hears it is one row of numbers, int64 of tokens and uint8 of frames: the symbol, the guess of each
source, the strength of each source, the counters. A symbol is one id, or as many keys as a frame has; the guess of a
source that has none is 0, or all keys 0.

Sources: M. Mahoney, "Adaptive weighing of context models for lossless data compression", 2005 (PAQ's match model, its
trust by the length); E. Grave et al., "Improving neural language models with a continuous cache", 2017.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from seqaudio.compiled import compiled
from seqaudio.errors import OptionError
from seqaudio.models.match_memory.lag_pointers import clock_of
from seqaudio.models.match_memory.pages import IDS, LENGTHS, SOURCES, TIME, IntArray, Pages, Recall, Symbols, write_ids
from seqaudio.models.suffix_match import LENGTH_EDGES, NO_MATCH
from seqaudio.tokens.vocabulary import Vocabulary

STRENGTHS = len(LENGTH_EDGES) + 2
NEVER = np.iinfo(np.int64).max  # a step that no piece reaches
HELD = 2
"""A source that agrees with so many symbols in a row is something to hold on to; fewer agree by chance."""
LONGEST_CYCLE = 255
LEFT_OUT = -1e9
"""Logit of a source without a guess; no infinity, whose gradient is none."""


@dataclass(frozen=True)
class Memory:
    """How a piece is remembered.

    Args:
        match: guess what followed the longest match.
        lags: guess what stood so long ago: bars where tokens tell of bars, else steps.
        counters: lengths of cycles, in the same units.
        vocabulary: of tokens; None: frames.
        match_velocities: False: any velocity agrees with any other. One that is written, where it changes, still stands
            between the notes, and a guess is what stood there, velocities too.

    Raises:
        OptionError: a lag or a cycle is out of range, or there are no velocities that could be left out of account.
    """

    match: bool = True
    lags: tuple[int, ...] = ()
    counters: tuple[int, ...] = ()
    vocabulary: Vocabulary | None = None
    match_velocities: bool = True
    _clock: IntArray | None = field(init=False, repr=False, compare=False)
    _agreeing: IntArray | None = field(init=False, repr=False, compare=False)
    _cycles: IntArray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if min((1, *self.lags)) < 1 or not all(2 <= cycle <= LONGEST_CYCLE for cycle in self.counters):
            raise OptionError(
                f"a memory with lags {self.lags} and counters {self.counters}: lags are 1 or more, "
                f"counters 2 to {LONGEST_CYCLE}"
            )
        object.__setattr__(self, "_clock", clock_of(self.vocabulary) if self.vocabulary else None)
        object.__setattr__(self, "_agreeing", None if self.match_velocities else _of_any_velocity(self.vocabulary))
        object.__setattr__(self, "_cycles", np.array(self.counters, np.int64))

    @property
    def sources(self) -> int:
        """How many guesses there are."""
        return self.match + len(self.lags)

    @property
    def names(self) -> tuple[str, ...]:
        """Each source of guesses in words."""
        unit = "step" if self._clock is None else "bar"
        ago = (f"{lag} {unit}{'s' * (lag != 1)} ago" for lag in self.lags)
        return (*(("longest match",) if self.match else ()), *ago)

    def recall(self, piece: Symbols) -> Recall:
        """What is told at each step of a piece; the same in every key, as only what is equal counts."""
        pages = self._pages(piece, len(piece))
        pages.write(piece)
        recall = pages.read(0, len(piece))
        return recall._replace(time=recall.time.copy())  # a view would keep all that only looking up needed

    def heard(self, piece: Symbols, recall: Recall | None = None) -> Symbols:
        """A piece as the network hears it, (steps, numbers of a row).

        Args:
            piece: ids or frames.
            recall: of the piece, or of the same in another key; None: it is made.
        """
        return self._rows(piece, piece, self.recall(piece) if recall is None else recall)

    def begin(self, keys: int | None = None) -> Notebook:
        """A notebook with nothing in it: of ids, or of frames of so many keys."""
        like = np.zeros(0, np.int64) if keys is None else np.zeros((0, keys), bool)
        return Notebook(self, self._pages(like, 64), 0)

    def _pages(self, like: Symbols, room: int) -> Pages:
        return Pages(like, room, match=self.match, lags=self.lags, clock=self._clock, agreeing=self._agreeing)

    def _rows(self, said: Symbols, piece: Symbols, recall: Recall) -> Symbols:
        """Rows for the network: the symbols said, and what the memory of the piece tells behind each."""
        cycles = self._cycles
        if piece.ndim == 1:
            ids = (said.astype(np.int64, copy=False), piece.astype(np.int64, copy=False))
            return _rows_of_tokens(*ids, *recall, cycles)
        sources = recall.sources
        guesses = piece[np.maximum(sources, 0)]  # (steps, sources, keys)
        guesses &= (sources != NO_MATCH)[..., None]
        flat = guesses.reshape(len(said), sources.shape[1] * piece.shape[1])
        numbers = _strengths_and_counters(*recall, cycles)
        return np.concatenate([said.view(np.uint8), flat.view(np.uint8), numbers.astype(np.uint8)], axis=1)

    def _written(self, said: Symbols, pages: Pages) -> Symbols:
        """Write symbols into pages; returns the rows of them."""
        if said.ndim == 1:
            return pages.write_by(_write_and_tell, said, self._cycles)
        begin = pages.steps
        pages.write(said)
        return self._rows(said, pages.symbols, pages.read(begin, pages.steps))


def _of_any_velocity(vocabulary: Vocabulary | None) -> IntArray:
    """A number for each token, one for all velocities."""
    velocities = vocabulary.is_kind("Velocity") if vocabulary else np.zeros(0, bool)
    if not velocities.any():
        raise OptionError(
            "memory.match_velocities is false, and the tokens have no velocities; leave it out, or prepare with them"
        )
    numbers = np.arange(len(velocities))
    numbers[velocities] = numbers[velocities][0]
    return numbers


@compiled
def _write_and_tell(
    said: IntArray,
    begin: int,
    lags: IntArray,
    clock: IntArray,
    agreeing: IntArray,
    now: IntArray,
    numbers: IntArray,
    children: IntArray,
    found: IntArray,
    cycles: IntArray,
) -> IntArray:
    """Write ids as :func:`write_ids` does; returns the rows of them, in the same call."""
    write_ids(said, begin, lags, clock, agreeing, now, numbers, children, found)
    end = begin + len(said)
    sources, lengths, time = found[SOURCES, begin:end], found[LENGTHS, begin:end], numbers[TIME, begin:end]
    return _rows_of_tokens(said, numbers[IDS], sources, lengths, time, cycles)


@compiled
def _rows_of_tokens(
    said: IntArray,
    piece: IntArray,
    sources: IntArray,
    lengths: IntArray,
    time: IntArray,
    cycles: IntArray,
) -> IntArray:
    """Rows of ids: the symbol, the guess of each source, its strength, the counters."""
    steps, count = sources.shape
    rows = np.zeros((steps, 1 + 2 * count + len(cycles)), np.int64)
    _number(rows[:, 1 + count :], sources, lengths, time, cycles)
    for t in range(steps):
        rows[t, 0] = said[t]
        for s in range(count):
            if sources[t, s] != NO_MATCH:
                rows[t, 1 + s] = piece[sources[t, s]]
    return rows


@compiled
def _strengths_and_counters(sources: IntArray, lengths: IntArray, time: IntArray, cycles: IntArray) -> IntArray:
    """The strength of each source and the place in each cycle, (steps, sources + cycles)."""
    numbers = np.zeros((sources.shape[0], sources.shape[1] + len(cycles)), np.int64)
    _number(numbers, sources, lengths, time, cycles)
    return numbers


def _number(numbers: IntArray, sources: IntArray, lengths: IntArray, time: IntArray, cycles: IntArray) -> None:
    """Fill zeros (steps, sources + cycles) with them."""
    steps, count = sources.shape
    for t in range(steps):
        for s in range(count):
            if sources[t, s] != NO_MATCH:
                numbers[t, s] = 1 + np.searchsorted(LENGTH_EDGES, lengths[t, s], side="right")
        for c in range(len(cycles)):
            numbers[t, count + c] = time[t] % cycles[c]


@dataclass(frozen=True)
class Notebook:
    """The piece so far, as a value: writing on gives another notebook, and this one still ends where it ended.

    Writing on in the last notebook of a line costs the new steps alone; in an earlier one, the whole piece once more.
    """

    memory: Memory
    _pages: Pages
    steps: int

    @property
    def sources(self) -> IntArray:
        """The step of the guess of each source now, (sources,), or ``NO_MATCH``."""
        found: IntArray = self._pages.read(self.steps - 1, self.steps).sources[0]
        return found

    def holds(self, first: int = 0, end: int = NEVER) -> bool:
        """Whether some source agrees with the last :data:`HELD` symbols or more, and has a guess.

        Both count from the last change: a chord that sounds on agrees with itself, which is no return. What does not
        stand in the steps from ``first`` to before ``end`` is no guess.
        """
        if not self.steps:
            return False
        step = self.steps - 1
        changed = self._pages.last_change(step)
        least = max(HELD, step - changed + 2)
        (sources,), (lengths,) = (found.tolist() for found in self._pages.read(step, self.steps)[:2])
        return any(
            source != NO_MATCH and first <= source < min(changed, end) and length >= least
            for source, length in zip(sources, lengths, strict=True)
        )

    def after(self, said: Symbols) -> tuple[Symbols, Notebook]:
        """Rows for the network of the symbols said now, as :meth:`Memory.heard` gives them, and the next notebook."""
        pages = self._pages if self._pages.steps == self.steps else self._pages.up_to(self.steps)
        return self.memory._written(said, pages), Notebook(self.memory, pages, pages.steps)
