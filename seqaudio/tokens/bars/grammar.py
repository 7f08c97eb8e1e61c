"""Which token may come next in a line of bar tokens?

A state says what has been written since the bar line, and which values hold; :func:`allowed` turns it into a mask.
Positions rise inside a bar. At one position comes the tempo, then pedals that lift, pedals that go down, and notes,
each rising strictly by (program, pitch), so nothing is written twice; and no value that holds is written again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import VocabularyError
from seqaudio.tokens.bars.metre import METRES, bar_steps
from seqaudio.tokens.bars.tempo import PLAIN_MARK

if TYPE_CHECKING:
    from seqaudio.tokens.bars import BarsTokenizer

LOWEST = (-2, -1)  # below every (program, pitch)


@dataclass(frozen=True)
class BarsState:
    """Where a line of bar tokens stands: the last kind written and what bounds the next one."""

    tokenizer: BarsTokenizer
    last: str = ""
    metre: int = -1  # index into METRES; -1 until the first TimeSig
    position: int = -1  # the last in this bar
    tempo: int = PLAIN_MARK  # index of the metronome mark that holds
    pedals: int = 0  # bit p is set while the pedal of program p is down
    pedal: int = -1  # the last pedal token at this position
    program: int | None = None  # of the running voice; -1 is drums
    velocity: int = -1  # the running one, as a value of its kind
    floor: tuple[int, int] = LOWEST  # (program, pitch) that the next note at this position must exceed
    wrote: tuple[str, ...] = ()  # what the note under way already has

    @property
    def bar_length(self) -> int:
        """Steps of the bar; 0 until the first TimeSig."""
        return bar_steps(*METRES[self.metre]) if self.metre >= 0 else 0

    def after(self, token: int) -> BarsState:
        """The state once ``token`` is written. Raises VocabularyError when the grammar forbids it."""
        if not any(start <= token < stop for start, stop in _ranges(self)):
            names = self.tokenizer.vocabulary.names
            name = names[token] if 0 <= token < len(names) else token
            raise VocabularyError(f"token {name} may not follow {self.last or 'nothing'} here")
        kind, value = self.tokenizer.kind_and_value(token)
        match kind:
            case "Bar":
                return replace(self, last=kind, position=-1, pedal=-1, floor=LOWEST, wrote=())
            case "TimeSig":
                return replace(self, last=kind, metre=value)
            case "Position":
                return replace(self, last=kind, position=value, pedal=-1, floor=LOWEST, wrote=())
            case "Tempo":
                return replace(self, last=kind, tempo=value)
            case "PedalUp" | "PedalDown":
                return replace(self, last=kind, pedals=self.pedals ^ 1 << value, pedal=token)
            case "Program":
                return replace(self, last=kind, program=value - 1, wrote=("Program",))
            case "Velocity":
                return replace(self, last=kind, velocity=value, wrote=(*self.wrote, "Velocity"))
            case "Pitch" | "PitchDrum":
                return replace(self, last=kind, floor=(self.voice, value), wrote=())
            case _:
                return replace(self, last=kind)

    @property
    def voice(self) -> int:
        """The program of the next note if no other is written."""
        return 0 if self.program is None else self.program


@lru_cache(maxsize=4096)
def allowed(state: BarsState) -> NDArray[np.bool_]:
    """Which tokens may follow, shape (vocabulary,), read-only."""
    mask = np.zeros(len(state.tokenizer.vocabulary), dtype=bool)
    for start, stop in _ranges(state):
        mask[start:stop] = True
    mask.flags.writeable = False
    return mask


def _ranges(state: BarsState) -> Iterator[tuple[int, int]]:
    """The ids that may follow, as half-open ranges."""
    ids = state.tokenizer.vocabulary.slices
    match state.last:
        case "":
            yield _all(ids["BOS"])
        case "BOS":
            yield _all(ids["Bar"])
            yield _all(ids["EOS"])
        case "EOS" | "PAD":
            yield _all(ids["PAD"])
        case "Pitch" | "PitchDrum":
            yield _all(ids["Duration"])
        case "Bar" if state.metre < 0:
            yield _all(ids["TimeSig"])
        case "Position":
            yield from _changes(state)
            yield from _note(state)
        case "Program" | "Velocity":
            yield from _note(state)
        case _:  # nothing is under way
            yield ids["Position"].start + state.position + 1, ids["Position"].start + state.bar_length
            yield _all(ids["Bar"])
            yield _all(ids["EOS"])
            if state.last == "Bar":
                yield from _all_but(ids["TimeSig"], state.metre)
            if state.last in ("Tempo", "PedalUp", "PedalDown"):
                yield from _changes(state)
            if state.last not in ("Bar", "TimeSig"):
                yield from _note(state)


def _changes(state: BarsState) -> Iterator[tuple[int, int]]:
    """Tempo and pedals, as far as the position is still open for them."""
    ids = state.tokenizer.vocabulary.slices
    if "Tempo" in ids and state.last == "Position":
        yield from _all_but(ids["Tempo"], state.tempo)
    if "PedalUp" not in ids:
        return
    up, down = ids["PedalUp"], ids["PedalDown"]
    lowest = down.start
    pressed = state.pedals
    while pressed:
        program = (pressed & -pressed).bit_length() - 1
        pressed ^= 1 << program
        if up.start + program > state.pedal:
            yield up.start + program, up.start + program + 1
        yield max(lowest, state.pedal + 1), down.start + program
        lowest = down.start + program + 1
    yield max(lowest, state.pedal + 1), down.stop


def _note(state: BarsState) -> Iterator[tuple[int, int]]:
    """The next part of a note: program, velocity or pitch, whatever is still open."""
    ids = state.tokenizer.vocabulary.slices
    floor_program, floor_pitch = state.floor
    if "Program" in ids:
        if not state.wrote:  # only programs above the floor's, and not the one that already runs
            above = slice(ids["Program"].start + floor_program + 2, ids["Program"].stop)  # the first one is drums, -1
            running = -1 if state.program is None else state.program - floor_program - 1
            yield from _all_but(above, running)
        if state.program is None:
            return
    voice = state.voice
    lowest = floor_pitch + 1 if voice == floor_program else 0
    if voice < floor_program or lowest > 127:
        return
    if "Velocity" in ids:
        if "Velocity" not in state.wrote:
            yield from _all_but(ids["Velocity"], state.velocity)
        if state.velocity < 0:
            return
    pitches = ids["PitchDrum" if voice < 0 else "Pitch"]
    yield pitches.start + lowest, pitches.stop


def _all(ids: slice) -> tuple[int, int]:
    return ids.start, ids.stop


def _all_but(ids: slice, value: int) -> Iterator[tuple[int, int]]:
    """A kind without one value; with all of them for a value that is none."""
    if 0 <= value < ids.stop - ids.start:
        yield ids.start, ids.start + value
        yield ids.start + value + 1, ids.stop
    else:
        yield _all(ids)
