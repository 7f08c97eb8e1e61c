"""How does a score become a line of tokens, bar by bar?

Conventions: a grid of 12 steps per quarter, so eighth, sixteenth and triplet onsets are exact. One bar reads

    Bar [TimeSig] { Position [Tempo] { PedalUp } { PedalDown } { [Program] [Velocity] Pitch Duration } }

with TimeSig, Tempo, Program and Velocity written only where they change; before the first Tempo 120 holds. Position is
the step in the bar. Duration is ``beats.steps.12``. Drums are the program -1 and use PitchDrum. A pedal names its
program; one that is still down at the end lifts at the last bar line. Source: REMI (Huang & Yang 2020), with a finer
grid, metres, pedals, and values written on change only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.music.score import IntArray, Score
from seqaudio.tokens.bars.decode import score_of_ids
from seqaudio.tokens.bars.grammar import BarsState, allowed
from seqaudio.tokens.bars.grid import Grid, on_grid
from seqaudio.tokens.bars.metre import LONGEST_BAR, METRES, STEPS_PER_QUARTER
from seqaudio.tokens.bars.notes import DURATIONS, FirstIds, write
from seqaudio.tokens.bars.tempo import MARKS_QPM
from seqaudio.tokens.stored import StoredTokenizer
from seqaudio.tokens.tokenizer import DRUMS, Loss, Pedals, check_pedals
from seqaudio.tokens.vocabulary import Vocabulary

NO_CHANGES = np.zeros(0, np.int64)


@dataclass(frozen=True)
class BarsTokenizer(StoredTokenizer):
    """Bars, positions, pitches and durations; programs, velocities, tempos and pedals as options.

    Attributes:
        programs: keep instruments and drums; without, every note has program 0 and drums are dropped.
        velocities: keep loudness in steps of 4; without, every note has velocity 80.
        tempos: keep tempo changes, each at the nearest mark of a metronome.
        pedals: "tokens" writes where each program's pedal goes down and up; "durations" makes a note that is released
            while its track's pedal is down last until the pedal lifts or its pitch is struck again; "drop" ignores it.

    Raises:
        OptionError: ``pedals`` is none of these words.
    """

    name: ClassVar[str] = "bars"
    unwritten: ClassVar[Mapping[str, Any]] = MappingProxyType({"tempos": False, "pedals": "drop"})

    programs: bool = True
    velocities: bool = True
    tempos: bool = True
    pedals: Pedals = "durations"

    def __post_init__(self) -> None:
        check_pedals(self.pedals)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens in id order."""
        kinds: dict[str, Any] = {
            "PAD": [None],
            "BOS": [None],
            "EOS": [None],
            "Bar": [None],
            "TimeSig": [f"{numerator}/{denominator}" for numerator, denominator in METRES],
            "Position": range(LONGEST_BAR),
            "Pitch": range(128),
            "Duration": [f"{d // STEPS_PER_QUARTER}.{d % STEPS_PER_QUARTER}.{STEPS_PER_QUARTER}" for d in DURATIONS],
        }
        if self.programs:
            kinds["Program"] = range(DRUMS, 128)
            kinds["PitchDrum"] = range(128)
        if self.velocities:
            kinds["Velocity"] = range(3, 128, 4)
        if self.tempos:
            kinds["Tempo"] = [f"{qpm:g}" for qpm in MARKS_QPM]
        if self.pedals == "tokens":  # at one position these rise: what lifts stands before what goes down
            kinds["PedalUp"] = kinds["PedalDown"] = range(128 if self.programs else 1)
        return Vocabulary.of_kinds(kinds)

    @cached_property
    def _first_ids(self) -> FirstIds:
        """What the loop that writes tokens needs to know of the vocabulary."""
        return FirstIds(*(self.vocabulary.first.get(kind, -1) for kind in FirstIds._fields))

    def _on_grid(self, score: Score) -> tuple[Grid, dict[str, int]]:
        return on_grid(
            score, programs=self.programs, velocities=self.velocities, tempos=self.tempos, pedals=self.pedals
        )

    @cached_property
    def _kinds_and_values(self) -> list[tuple[str, int]]:
        return [(kind, value) for kind, ids in self.vocabulary.slices.items() for value in range(ids.stop - ids.start)]

    def kind_and_value(self, token: int) -> tuple[str, int]:
        """The kind of a token, and its place in that kind."""
        return self._kinds_and_values[token]

    def quantize(self, score: Score) -> tuple[Score, Loss]:
        """What the tokens hold of a score, as a score, and what was lost on the way.

        Raises:
            OptionError: the score lasts longer than any MIDI file can.
        """
        grid, lost = self._on_grid(score)
        return grid.score(velocities=self.velocities), Loss(**lost)

    def encode(self, score: Score) -> NDArray[np.int64]:
        """Token ids from BOS to EOS, shape (tokens,). Raises as :meth:`quantize`."""
        grid, _ = self._on_grid(score)
        return write(grid.notes, self._changes(grid), grid.metres, grid.last_line, self._first_ids)

    def _changes(self, grid: Grid) -> IntArray:
        """Tempos and pedals as ``step << 12 | id``, sorted."""
        tempos, pedals = grid.tempos, grid.pedals
        if not len(tempos) and not len(pedals):
            return NO_CHANGES
        changes = [tempos[:, 0] << 12 | (tempos[:, 1] + self.vocabulary.first.get("Tempo", 0))]
        if len(pedals):
            lifted = pedals[pedals[:, 1] < grid.last_line]
            changes.append(lifted[:, 1] << 12 | (lifted[:, 2] - 1 + self.vocabulary.first["PedalUp"]))
            changes.append(pedals[:, 0] << 12 | (pedals[:, 2] - 1 + self.vocabulary.first["PedalDown"]))
        return np.sort(np.concatenate(changes))

    def decode(self, ids: ArrayLike) -> Score:
        """The score at 480 ticks per quarter; a note not yet complete at the end is left out.

        Raises:
            VocabularyError: an id is outside the vocabulary, or one of them breaks the grammar.
        """
        return self.quantize(score_of_ids(self.vocabulary, self._body(ids)))[0]

    def _body(self, ids: ArrayLike) -> IntArray:
        """The ids between BOS and EOS, once the grammar has agreed to every one of them."""
        ids = self.vocabulary.checked(ids)
        state = self.start()
        if not len(ids) or ids[0] != self.vocabulary.first["BOS"]:
            state = state.after(self.vocabulary.first["BOS"])
        for token in ids.tolist():
            state = state.after(token)
        begun = state.bar_length > 0  # a bar line whose metre is not written yet stands for nothing
        return ids[ids >= self.vocabulary.first["Bar"]] if begun else ids[:0]

    @cached_property
    def pitch_of_token(self) -> NDArray[np.int64]:
        """The pitch that each Pitch token names, -1 for every other token, shape (vocabulary,)."""
        return self.vocabulary.numbers("Pitch")

    @cached_property
    def begins_note(self) -> NDArray[np.bool_]:
        """The Pitch and PitchDrum tokens, shape (vocabulary,)."""
        return self.vocabulary.is_kind("Pitch", "PitchDrum")

    def start(self) -> BarsState:
        """The grammar before BOS."""
        return BarsState(self)

    def grammar(self, state: BarsState) -> NDArray[np.bool_]:
        """Which tokens may follow a state, shape (vocabulary,)."""
        return allowed(state)

    def transpose(self, ids: IntArray, semitones: int) -> IntArray:
        """Pitched notes moved by semitones, drums not. Raises VocabularyError when a pitch would leave 0..127."""
        return self.vocabulary.transposed(ids, semitones, "Pitch")
