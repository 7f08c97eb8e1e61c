"""Which token may come next in a line of bar tokens?

A state says what has been written since the bar line; :func:`allowed` turns it into a mask. Inside one position the
notes rise strictly by (program, pitch), so no note is written twice; positions rise inside a bar.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import VocabularyError
from seqaudio.tokens.metre import METRES, bar_steps

if TYPE_CHECKING:
    from seqaudio.tokens.bars import BarsTokenizer


class _Allow(Protocol):
    """Opens the tokens of a kind from one value up to, not including, another."""

    def __call__(self, kind: str, start: int = 0, stop: int | None = None) -> None: ...


@dataclass(frozen=True)
class BarsState:
    """Where a line of bar tokens stands: the last kind written and what bounds the next one."""

    tokenizer: BarsTokenizer
    last: str = ""
    bar_length: int = 0  # steps; 0 until the first TimeSig
    position: int = -1  # the last in this bar
    program: int | None = None  # of the running voice; -1 is drums
    has_velocity: bool = False
    floor: tuple[int, int] = (-2, -1)  # (program, pitch) that the next note at this position must exceed
    wrote: tuple[str, ...] = ()  # what the note under way already has

    def after(self, token: int) -> BarsState:
        """The state once ``token`` is written. Raises VocabularyError when the grammar forbids it."""
        tokens = self.tokenizer.vocabulary
        if not (0 <= token < len(tokens)) or not allowed(self)[token]:
            name = tokens.names[token] if 0 <= token < len(tokens) else token
            raise VocabularyError(f"token {name} may not follow {self.last or 'nothing'} here")
        kind = tokens.kinds[tokens.kind_of[token]]
        value = token - tokens.slices[kind].start
        match kind:
            case "Bar":
                return replace(self, last=kind, position=-1, floor=(-2, -1), wrote=())
            case "TimeSig":
                return replace(self, last=kind, bar_length=bar_steps(*METRES[value]))
            case "Position":
                return replace(self, last=kind, position=value, floor=(-2, -1), wrote=())
            case "Program":
                return replace(self, last=kind, program=value - 1, wrote=("Program",))
            case "Velocity":
                return replace(self, last=kind, has_velocity=True, wrote=(*self.wrote, "Velocity"))
            case "Pitch" | "PitchDrum":
                return replace(self, last=kind, floor=(self._voice, value), wrote=())
            case _:
                return replace(self, last=kind)

    @property
    def _voice(self) -> int:
        return 0 if self.program is None else self.program


def allowed(state: BarsState) -> NDArray[np.bool_]:
    """Which tokens may follow, shape (vocabulary,), read-only."""
    return _mask(state)


@lru_cache(maxsize=65536)
def _mask(state: BarsState) -> NDArray[np.bool_]:
    slices = state.tokenizer.vocabulary.slices
    mask = np.zeros(len(state.tokenizer.vocabulary), dtype=bool)

    def allow(kind: str, start: int = 0, stop: int | None = None) -> None:
        ids = slices[kind]
        mask[ids.start + start : ids.stop if stop is None else ids.start + stop] = True

    match state.last:
        case "":
            allow("BOS")
        case "BOS":
            allow("Bar")
            allow("EOS")
        case "EOS" | "PAD":
            allow("PAD")
        case "Pitch" | "PitchDrum":
            allow("Duration")
        case "Bar" if not state.bar_length:
            allow("TimeSig")
        case _:
            _after_bar_line(state, allow)
    mask.flags.writeable = False
    return mask


def _after_bar_line(state: BarsState, allow: _Allow) -> None:
    """Inside a bar whose metre is known: a note, the next position, or the next bar."""
    in_note = state.last in ("Position", "Program", "Velocity")
    if not in_note:
        allow("Position", state.position + 1, state.bar_length)
        allow("Bar")
        allow("EOS")
        if state.last == "Bar":
            allow("TimeSig")
    if in_note or state.last == "Duration":
        _note(state, allow)


def _note(state: BarsState, allow: _Allow) -> None:
    """The next part of a note: program, velocity or pitch, whatever is still open."""
    programs, velocities = state.tokenizer.programs, state.tokenizer.velocities
    floor_program, floor_pitch = state.floor
    if programs and not state.wrote:
        # only programs above the floor's, and not the one that already runs
        for program in range(floor_program + 1, 128):
            if program != state.program:
                allow("Program", program + 1, program + 2)
    if programs and state.program is None:
        return
    voice = state._voice
    lowest = floor_pitch + 1 if voice == floor_program else 0
    if voice < floor_program or lowest > 127:
        return
    if velocities and "Velocity" not in state.wrote:
        allow("Velocity")
    if velocities and not state.has_velocity:
        return
    allow("PitchDrum" if voice < 0 else "Pitch", lowest)
