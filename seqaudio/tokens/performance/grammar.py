"""Which token may come next in a line of performance tokens?

A state says what sounds and what has been written at this time. At one time the events rise strictly by (rank,
program, pitch), where the ranks are note off, pedal up, pedal down, note on: so a note is released before it is struck
again, lasts a step at least, and is never written twice. Only what sounds is released, only what does not is struck.
Time shifts of a second may follow each other, a shorter one is the last. A sequence may end while notes sound.
Drums have no pedal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import VocabularyError

if TYPE_CHECKING:
    from seqaudio.tokens.performance import PerformanceTokenizer

MAX_SHIFT = 100  # steps of 10 ms
RANKS = {"NoteOff": 0, "NoteOffDrum": 0, "PedalUp": 1, "PedalDown": 2, "NoteOn": 3, "NoteOnDrum": 3}
NOTHING = range(0)


@dataclass(frozen=True)
class PerformanceState:
    """Where a line of performance tokens stands.

    ``sounding`` holds program * 128 + pitch of each note that is down (drums are program -1), ``pedals`` the programs
    whose pedal is; ``floor`` is the (rank, program, pitch) that the next event of this time must exceed.
    """

    tokenizer: PerformanceTokenizer
    last: str = ""
    may_shift: bool = True
    program: int | None = None  # the running one
    has_velocity: bool = False
    floor: tuple[int, int, int] = (-1, -2, -1)
    sounding: frozenset[int] = frozenset()
    pedals: frozenset[int] = frozenset()

    def after(self, token: int) -> PerformanceState:
        """The state once ``token`` is written. Raises VocabularyError when the grammar forbids it."""
        tokens = self.tokenizer.vocabulary
        kind = tokens.kinds[tokens.kind_of[token]] if 0 <= token < len(tokens) else ""
        value = token - tokens.slices[kind].start if kind else token
        if not kind or not permits(self, kind, value):
            name = tokens.names[token] if kind else token
            raise VocabularyError(f"token {name} may not follow {self.last or 'nothing'} here")
        match kind:
            case "TimeShift":
                return replace(self, last=kind, may_shift=value + 1 == MAX_SHIFT, floor=(-1, -2, -1))
            case "Program":
                return replace(self, last=kind, program=value - 1)
            case "Velocity":
                return replace(self, last=kind, has_velocity=True)
            case "PAD" | "BOS" | "EOS":
                return replace(self, last=kind)
        sounding, pedals, key = self.sounding, self.pedals, self.voice * 128 + value
        match RANKS[kind]:
            case 0:
                sounding = sounding - {key}
            case 1:
                pedals = pedals - {self.voice}
            case 2:
                pedals = pedals | {self.voice}
            case _:
                sounding = sounding | {key}
        floor = (RANKS[kind], self.voice, value)
        return replace(self, last=kind, may_shift=True, floor=floor, sounding=sounding, pedals=pedals)

    @property
    def voice(self) -> int:
        """The program of the next event; 0 where there are no programs."""
        return 0 if self.program is None else self.program


def permits(state: PerformanceState, kind: str, value: int) -> bool:
    """May the value of a kind follow?"""
    return value in _in_order(state, kind) and _fits(state, kind, value)


def _fits(state: PerformanceState, kind: str, value: int) -> bool:
    """Does a value fit what sounds, whatever the order of tokens?"""
    match kind:
        case "NoteOff" | "NoteOffDrum":
            return state.voice * 128 + value in state.sounding
        case "NoteOn" | "NoteOnDrum":
            return state.voice * 128 + value not in state.sounding
        case "Program":
            return value - 1 != state.program and _leads_on(state, value - 1)
        case _:
            return True


@lru_cache(maxsize=4096)
def allowed(state: PerformanceState) -> NDArray[np.bool_]:
    """Which tokens may follow, shape (vocabulary,), read-only: what :func:`permits`, for all values at once."""
    mask = np.zeros(len(state.tokenizer.vocabulary), dtype=bool)
    for kind, ids in state.tokenizer.vocabulary.slices.items():
        mask[[ids.start + value for value in _in_order(state, kind) if _fits(state, kind, value)]] = True
    mask.flags.writeable = False
    return mask


def _in_order(state: PerformanceState, kind: str) -> range:
    """The values of a kind that the order of tokens allows, whatever sounds."""
    size = state.tokenizer.sizes[kind]
    match state.last, kind:
        case "", _:
            return range(size if kind == "BOS" else 0)
        case (("EOS" | "PAD"), _):
            return range(size if kind == "PAD" else 0)
        case _, ("PAD" | "BOS"):
            return NOTHING
        case (("Program" | "Velocity"), ("EOS" | "TimeShift" | "Program")):
            return NOTHING
        case _, "EOS":
            return range(size)
        case _, "TimeShift":
            return range(size if state.may_shift else 0)
        case _, "Program":
            return range(size)
        case "Velocity", ("Velocity" | "NoteOff" | "NoteOffDrum" | "PedalUp" | "PedalDown"):
            return NOTHING
    if state.tokenizer.programs and state.program is None:
        return NOTHING
    if kind == "Velocity":
        return range(size if _has_key(state, state.voice, 3) else 0)
    if kind.startswith("NoteOn") and not state.has_velocity:
        return NOTHING
    if kind.startswith("Note") and kind.endswith("Drum") != (state.voice < 0):
        return NOTHING
    if kind.startswith("Pedal") and (state.voice < 0 or (kind == "PedalUp") != (state.voice in state.pedals)):
        return NOTHING
    return range(_lowest(state, state.voice, RANKS[kind]), size)


def _lowest(state: PerformanceState, program: int, rank: int) -> int:
    """The lowest value that an event of a program and rank may still have at this time."""
    floor_rank, floor_program, floor_value = state.floor
    if (rank, program) > (floor_rank, floor_program):
        return 0
    return floor_value + 1 if (rank, program) == (floor_rank, floor_program) else 128


def _has_key(state: PerformanceState, program: int, rank: int) -> bool:
    """Is there a note of a program that may still be struck (rank 3) or released (rank 0) at this time?"""
    low = _lowest(state, program, rank)
    if rank == 3 and len(state.sounding) < 128 - low:
        return True
    down = sum(low <= key % 128 for key in state.sounding if key // 128 == program)
    return down < 128 - low if rank == 3 else down > 0


def _leads_on(state: PerformanceState, program: int) -> bool:
    """May any event of a program still be written at this time?"""
    has_pedal = state.tokenizer.pedals == "tokens" and program >= 0
    pedal = has_pedal and not _lowest(state, program, 1 if program in state.pedals else 2)
    return _has_key(state, program, 3) or pedal or _has_key(state, program, 0)
