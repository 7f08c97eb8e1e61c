"""How does a piece come to the form that was asked for, such as AABA?

A form is letters, one for each section of so many bars; primer and new bars together fill them. Where a letter comes
again, its section returns to the first one of that letter, bar by bar: at each token a guess tells how the note of that
bar that comes next is written now, and

    p(next) = variation * p_model(next) + (1 - variation) * [next is the guess]

is drawn from, p_model after temperature and cuts. A model that has begun to agree goes on by itself, so most of what
differs stands where a section begins. Guesses are of notes, as a bar that comes again is not always written with the
same tokens: instrument, loudness and metre are told where they change. Pedals and tempos are the model's. In a section
of a letter that is new, a model with a memory copies nothing from before the section. Any model can follow a form, as
it lies outside of it.

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
    """1 where the first bar of a piece sounds in its second half alone: it stands before the first section."""
    first = int(score.bars()[1])
    return int(len(score) > 0 and first <= 2 * int(score.onset.min()) < 2 * first)


class Return(NamedTuple):
    """A section that returns: its first and last bar and those it returns to, from 1, and how many are the same."""

    bars: tuple[int, int]
    of_bars: tuple[int, int]
    same: int


class _Note(NamedTuple):
    """A note as it was written: its position and voice, values of their kinds, and the token of its duration."""

    position: int
    voice: tuple[int, int]  # program, -1 for drums, and pitch
    velocity: int
    duration: int


@dataclass(frozen=True)
class _Bar:
    """A bar as it was written: its metre and its notes, in order; of silence the metre is not known."""

    metre: int = -1
    notes: tuple[_Note, ...] = ()

    def is_as(self, other: _Bar, *, line: bool) -> bool:
        """Does the same sound in both? Silent ones are the same in any metre."""
        one, another = ({note.position: note for note in bar.notes} if line else bar.notes for bar in (self, other))
        return one == another and (self.metre == other.metre or not self.notes)


@dataclass(frozen=True)
class Following:
    """Where a piece stands in its form; a value, so that several outputs go on from one.

    Args:
        form: of the piece.
        tokenizer: of its tokens.
        pickup: bars before the first section; None, of a piece made from nothing: its first bar decides, once written.
    """

    form: Form
    tokenizer: BarsTokenizer
    pickup: int | None = None
    _bars: tuple[_Bar, ...] = ()
    _steps: int = 0  # tokens written
    _section: int = 0  # the step of the bar line that begins this section
    _state: BarsState | None = None

    def after(self, token: int, state: BarsState) -> Following:
        """Once a token is written; ``state`` is the grammar's behind it."""
        following = replace(self, _state=state)
        match state.last:
            case "Bar":
                following = following._begun(_Bar(state.metre))
            case "TimeSig":
                following = following._with(replace(self._bars[-1], metre=state.metre))
            case "Duration":
                note = _Note(state.position, state.floor, state.velocity, token)
                following = following._with(replace(self._bars[-1], notes=(*self._bars[-1].notes, note)))
        return replace(following, _steps=self._steps + 1)

    def heard(self, ids: NDArray[np.int64], in_front: int, bars: int) -> Following:
        """Once a primer is heard that has silent bars in front of its tokens, and so many bars in all."""
        following, state = self, self.tokenizer.start()
        for _ in range(in_front):
            following = following._begun(_Bar())
        for token in ids.tolist():
            state = state.after(token)
            following = following.after(token, state)
        for _ in range(bars - len(following._bars)):
            following = following._begun(_Bar())
        return following

    def _begun(self, bar: _Bar) -> Following:
        pickup = self.pickup
        if pickup is None and len(self._bars) == 1 and self._state:
            first = min((note.position for note in self._bars[0].notes), default=0)
            pickup = int(2 * first >= self._state.bar_length)
        following = replace(self, pickup=pickup, _bars=(*self._bars, bar))
        begins_section = following.bar % self.form.section_bars == 0
        return replace(following, _section=self._steps) if begins_section else following

    def _with(self, last: _Bar) -> Following:
        return replace(self, _bars=(*self._bars[:-1], last))

    @property
    def sections(self) -> list[tuple[int, str]]:
        """The bar that each section begins with, from 0 in the piece, and its letter."""
        step, letters = self.form.section_bars, self.form.letters
        return [((self.pickup or 0) + number * step, letter) for number, letter in enumerate(letters)]

    def returns(self, heard: int, *, line: bool = False) -> list[Return]:
        """What came of it behind so many bars of primer: as the model heard and wrote them, note by note.

        Of a single line the highest note of each position counts, which alone sounds.
        """
        found, pickup = [], self.pickup or 0
        for begin, source in self.form.returns:
            back = begin - source
            bars = range(max(begin + pickup, heard), begin + pickup + self.form.section_bars)
            if bars:
                pairs = [(self._bars[bar], self._bars[bar - back]) for bar in bars]
                same = sum(one.is_as(other, line=line) for one, other in pairs)
                first, last = bars[0] + 1, bars[-1] + 1
                found.append(Return((first, last), (first - back, last - back), same))
        return found

    @property
    def bar(self) -> int:
        """The bar that is being written, from 0 in the form."""
        return len(self._bars) - 1 - (self.pickup or 0)

    @property
    def returning(self) -> bool:
        """Does the bar that is being written return to another?"""
        return self.form.source(self.bar) is not None

    @property
    def since(self) -> int:
        """What stands before this step is not to be copied now: all before the section, if its letter is new."""
        return 0 if self.returning else self._section

    @property
    def guess(self) -> int | None:
        """The token that comes next if the bar is to be as that which it returns to.

        None where nothing returns, or the note under way is none of that bar's.
        """
        source, state = self.form.source(self.bar), self._state
        if source is None or state is None:
            return None
        bar = self._bars[source + (self.pickup or 0)]
        if state.last == "Bar" and bar.notes and bar.metre != state.metre:
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
