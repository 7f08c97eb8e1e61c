"""How does a piece come to the form that was asked for, such as AABA?

A form is letters, one for each section of so many bars; primer and new bars together fill them. Where a letter comes
again, its section returns to the first one of that letter, bar by bar: at each token a guess tells how the note of that
bar that comes next is written now, and

    p(next) = variation * p_model(next) + (1 - variation) * [next is the guess]

A model that has begun to agree goes on by itself, so most of what differs stands where a section begins. Guesses are of
notes, as a bar that comes again is not always written with the same tokens: instrument, loudness and metre are told
where they change. Pedals and tempos are the model's. In a section of a letter that is new, a model with a memory copies
nothing from before the section. Any model can follow a form, as it lies outside of it.

Source: Magenta's melody_rnn hears what stood 1 and 2 bars back (E. Waite, 2016), and returns when it likes to. To be
told where to return, by any number of bars, is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.music.score import Score
from seqaudio.tokens.bars import BarsTokenizer
from seqaudio.tokens.bars.grammar import BarsState
from seqaudio.tokens.tokenizer import DRUMS

MAX_SECTIONS, MAX_SECTION_BARS = 64, 32
LEAST = 1e-9  # of the model's share: a guess that the grammar forbids must leave something


@dataclass(frozen=True)
class Form:
    """Sections by letters.

    Args:
        letters: one for each section, A to Z.
        section_bars: bars of each.
        variation: the model's share of each token of a return, from 0, the same notes again, to 1, the model alone.

    Raises:
        OptionError: a value is out of range.
    """

    letters: str
    section_bars: int = 8
    variation: float = 0.1

    def __post_init__(self) -> None:
        letters = self.letters
        if not (1 <= len(letters) <= MAX_SECTIONS and letters.isascii() and letters.isalpha() and letters.isupper()):
            raise OptionError(f"form is {letters!r}, it must be 1 to {MAX_SECTIONS} letters from A to Z, such as AABA")
        if not 1 <= self.section_bars <= MAX_SECTION_BARS:
            raise OptionError(f"section_bars is {self.section_bars}, it must be 1 to {MAX_SECTION_BARS}")
        if not 0 <= self.variation <= 1:
            raise OptionError(f"variation is {self.variation}, it must be 0 to 1")

    @property
    def bars(self) -> int:
        """Of all sections."""
        return len(self.letters) * self.section_bars

    @property
    def returns(self) -> list[tuple[int, int]]:
        """The first bars, from 0, of each section that returns and of the section that it returns to."""
        begins = range(0, self.bars, self.section_bars)
        return [(bar, source) for bar in begins if (source := self.source(bar)) is not None]

    def source(self, bar: int) -> int | None:
        """The bar that a bar returns to, both from 0; None where its letter is new, or it lies outside of the form."""
        section, place = divmod(bar, self.section_bars)
        if not 0 <= section < len(self.letters):
            return None
        first = self.letters.index(self.letters[section])
        return first * self.section_bars + place if first < section else None


def pickup_bars(score: Score) -> int:
    """1 where a piece opens with a bar that sounds in its second half alone, which stands before the first section."""
    lines = score.bars()
    return int(len(lines) > 2 and len(score) > 0 and 2 * int(score.onset.min()) >= int(lines[1]))


class _Note(NamedTuple):
    """A note as it was written: its position and voice, values of their kinds, and the token of its duration."""

    position: int
    voice: tuple[int, int]  # program, -1 for drums, and pitch
    velocity: int
    duration: int


@dataclass(frozen=True)
class _Bar:
    """A bar as it was written: its metre and its notes, in order."""

    metre: int = -1
    notes: tuple[_Note, ...] = ()


@dataclass(frozen=True)
class Following:
    """Where a piece stands in its form; a value, so that several outputs go on from one.

    Args:
        form: of the piece.
        tokenizer: of its tokens.
        pickup: bars before the first section.
    """

    form: Form
    tokenizer: BarsTokenizer
    pickup: int = 0
    _bars: tuple[_Bar, ...] = ()
    _steps: int = 0  # tokens written
    _section: int = 0  # the step of the bar line that begins this section
    _state: BarsState | None = None

    def after(self, token: int, state: BarsState) -> Following:
        """Once a token is written; ``state`` is the grammar's behind it."""
        bars, section = self._bars, self._section
        match state.last:
            case "Bar":
                bars = (*bars, _Bar(state.metre))
                if (len(bars) - 1 - self.pickup) % self.form.section_bars == 0:
                    section = self._steps
            case "TimeSig":
                bars = (*bars[:-1], replace(bars[-1], metre=state.metre))
            case "Duration":
                note = _Note(state.position, state.floor, state.velocity, token)
                bars = (*bars[:-1], replace(bars[-1], notes=(*bars[-1].notes, note)))
        return replace(self, _bars=bars, _steps=self._steps + 1, _section=section, _state=state)

    @property
    def bar(self) -> int:
        """The bar that is being written, from 0 in the form."""
        return len(self._bars) - 1 - self.pickup

    @property
    def since(self) -> int:
        """What stands before this step is not to be copied now: all before the section, if its letter is new."""
        return self._section if self.form.source(self.bar) is None else 0

    @property
    def guess(self) -> int | None:
        """The token that comes next if the bar is to be as that which it returns to.

        None where nothing returns, or the note under way is none of that bar's.
        """
        source, state = self.form.source(self.bar), self._state
        if source is None or state is None:
            return None
        bar = self._bars[source + self.pickup]
        if state.last == "Bar" and bar.metre != state.metre:
            return self._token("TimeSig", bar.metre)
        if state.last in ("Pitch", "PitchDrum"):
            same = (note for note in bar.notes if (note.position, note.voice) == (state.position, state.floor))
            return next((note.duration for note in same), None)
        now = state.position, state.floor
        note = next((note for note in bar.notes if (note.position, note.voice) > now), None)
        if state.last in ("Position", "Program", "Velocity"):  # a note is under way
            return self._part_of(note, state) if note and note.position == state.position else None
        if note is None:
            return self._token("Bar")
        return self._part_of(note, state) if note.position == state.position else self._token("Position", note.position)

    def _part_of(self, note: _Note, state: BarsState) -> int | None:
        """The next token of a note at this position; None where another instrument or loudness is under way."""
        program, pitch = note.voice
        if self.tokenizer.programs and state.program != program:
            return None if state.wrote else self._token("Program", program - DRUMS)
        if self.tokenizer.velocities and state.velocity != note.velocity:
            return None if "Velocity" in state.wrote else self._token("Velocity", note.velocity)
        return self._token("PitchDrum" if program == DRUMS else "Pitch", pitch)

    def _token(self, kind: str, value: int = 0) -> int:
        return int(self.tokenizer.vocabulary.slices[kind].start) + value

    def guided(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Logits (vocabulary,) of a model, mixed with what the form asks for."""
        told, guess = logits.astype(np.float64), self.guess
        if guess is None:
            return told
        share = max(self.form.variation, LEAST)
        mixed: NDArray[np.float64] = told - np.logaddexp.reduce(told) + np.log(share)
        mixed[guess] = np.logaddexp(mixed[guess], np.log1p(-min(share, 1 - LEAST)))
        return mixed
