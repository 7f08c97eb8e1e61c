"""How does a score become a line of tokens, bar by bar?

Conventions: a grid of 12 steps per quarter, so eighth, sixteenth and triplet onsets are exact. One bar reads

    Bar [TimeSig] { Position { [Program] [Velocity] Pitch Duration } }

with TimeSig, Program and Velocity written only where they change. Position is the step in the bar. Duration is
``beats.steps.12``. Drums are the program -1 and use PitchDrum. ``velocities=False`` and ``programs=False`` leave out
those tokens, for single-voice corpora whose loudness says nothing. Source: REMI (Huang & Yang 2020), with a finer grid,
metres, and values written on change only.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import CheckpointError, VocabularyError
from seqaudio.music.score import IntArray, Score
from seqaudio.tokens.bars_grammar import BarsState, allowed
from seqaudio.tokens.bars_grid import DURATIONS, TICKS_PER_STEP, notes_on_grid, quantize
from seqaudio.tokens.metre import LONGEST_BAR, METRES, STEPS_PER_QUARTER, bar_steps
from seqaudio.tokens.tokenizer import Loss
from seqaudio.tokens.vocabulary import Vocabulary

DRUMS = -1  # the program of drum notes, in token names and in sorting


@dataclass(frozen=True)
class BarsTokenizer:
    """Bars, positions, pitches and durations; programs and velocities as options."""

    name: ClassVar[str] = "bars"

    programs: bool = True
    velocities: bool = True

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
        return Vocabulary.of_kinds(kinds)

    @cached_property
    def _first(self) -> dict[str, int]:
        """The first id of each kind."""
        return {kind: ids.start for kind, ids in self.vocabulary.slices.items()}

    def quantize(self, score: Score) -> tuple[Score, Loss]:
        """What the tokens hold of a score, as a score, and what was lost on the way."""
        return quantize(score, programs=self.programs, velocities=self.velocities)

    def encode(self, score: Score) -> NDArray[np.int64]:
        """Token ids from BOS to EOS, shape (tokens,)."""
        return self._ids_of_grid(self.quantize(score)[0])

    def _ids_of_grid(self, grid: Score) -> NDArray[np.int64]:
        onset, pitch, program, velocity, duration = notes_on_grid(grid)
        bars = grid.bars() // TICKS_PER_STEP
        bar = np.searchsorted(bars, onset, side="right") - 1
        new_place = np.append(True, np.diff(onset) != 0)[: len(onset)]
        columns = [np.where(new_place, self._first["Position"] + onset - bars[bar], -1)]
        if self.programs:
            columns.append(_where_changed(program, self._first["Program"] + program - DRUMS))
        if self.velocities:
            columns.append(_where_changed(velocity, self._first["Velocity"] + velocity // 4))
        first_pitch = np.where(program == DRUMS, self._first.get("PitchDrum", 0), self._first["Pitch"])
        columns += [first_pitch + pitch, self._first["Duration"] + np.searchsorted(DURATIONS, duration)]
        note_rows = np.stack(columns, axis=1)  # (notes, 3..5), -1 where nothing is written

        bar_rows = np.full((len(bars) - 1, note_rows.shape[1]), -1)
        bar_rows[:, 0] = self._first["Bar"]
        metre = self._metre_of_bars(grid, bars[:-1])
        bar_rows[:, 1] = _where_changed(metre, self._first["TimeSig"] + metre)

        rows = np.concatenate([bar_rows, note_rows])
        order = np.argsort(np.concatenate([np.arange(len(bar_rows)), bar]), kind="stable")  # each bar before its notes
        ids = rows[order].reshape(-1)
        return np.concatenate([[self._first["BOS"]], ids[ids >= 0], [self._first["EOS"]]])

    @staticmethod
    def _metre_of_bars(grid: Score, starts: IntArray) -> IntArray:
        """Index into METRES for each bar."""
        metre = grid.metre_map()
        index = np.array([METRES.index((n, d)) for _, n, d in metre.tolist()])
        return index[np.searchsorted(metre[:, 0] // TICKS_PER_STEP, starts, side="right") - 1]

    def decode(self, ids: ArrayLike) -> Score:
        """The score at 480 ticks per quarter; a note not yet complete at the end is left out.

        Raises:
            VocabularyError: an id is outside the vocabulary, or one of them breaks the grammar.
        """
        ids = self._body(ids)
        kind = self.vocabulary.kind_of[ids]
        of = {name: kind == k for k, name in enumerate(self.vocabulary.kinds)}
        metre_at = np.flatnonzero(of["TimeSig"])
        bar_at = np.flatnonzero(of["Bar"])
        metre = ids[metre_at] - self._first["TimeSig"]
        bar_metre = metre[np.searchsorted(metre_at, bar_at + 1, side="right") - 1]
        lengths = np.array([bar_steps(*m) for m in METRES])[bar_metre]
        bar_starts = np.append(0, np.cumsum(lengths))  # (bars + 1,)

        drum_pitch = of.get("PitchDrum", np.zeros(len(ids), bool))
        note_at = np.flatnonzero(of["Pitch"] | drum_pitch)
        note_at = note_at[note_at + 1 < len(ids)]  # the duration is the next token
        bar = np.searchsorted(bar_at, note_at) - 1
        position = self._latest(ids, of["Position"], note_at) - self._first["Position"]
        onset = (bar_starts[bar] + position) * TICKS_PER_STEP
        duration = DURATIONS[ids[note_at + 1] - self._first["Duration"]] * TICKS_PER_STEP
        is_drum = drum_pitch[note_at]
        pitch = ids[note_at] - np.where(is_drum, self._first.get("PitchDrum", 0), self._first["Pitch"])
        program = np.zeros_like(pitch)
        if self.programs:
            program = np.maximum(self._latest(ids, of["Program"], note_at) - self._first["Program"] + DRUMS, 0)
        velocity = np.full_like(pitch, 80)
        if self.velocities:
            velocity = 4 * (self._latest(ids, of["Velocity"], note_at) - self._first["Velocity"]) + 3
        starts = bar_starts[np.searchsorted(bar_at, metre_at) - 1] * TICKS_PER_STEP
        signatures = [(t, *METRES[m]) for t, m in zip(starts.tolist(), metre.tolist(), strict=True)]
        score = Score.from_notes(
            onset, duration, pitch, velocity=velocity, program=program, is_drum=is_drum, time_signatures=signatures
        )
        return quantize(score, programs=self.programs, velocities=self.velocities)[0]

    @staticmethod
    def _latest(ids: IntArray, is_kind: NDArray[np.bool_], places: IntArray) -> IntArray:
        """The id of the last token of a kind before each place."""
        at = np.flatnonzero(is_kind)
        return ids[at[np.searchsorted(at, places) - 1]] if len(places) else places

    def _body(self, ids: ArrayLike) -> IntArray:
        """The ids between BOS and EOS, once the grammar has agreed to every one of them."""
        ids = self.vocabulary.checked(ids)
        state = self.start()
        if not len(ids) or ids[0] != self._first["BOS"]:
            state = state.after(self._first["BOS"])
        for token in ids.tolist():
            state = state.after(token)
        begun = state.bar_length > 0  # a bar line whose metre is not written yet stands for nothing
        return ids[ids >= self._first["Bar"]] if begun else ids[:0]

    @cached_property
    def pitch_of_token(self) -> NDArray[np.int64]:
        """The pitch that each Pitch token names, -1 for every other token, shape (vocabulary,)."""
        pitches = self.vocabulary.slices["Pitch"]
        ids = np.arange(len(self.vocabulary))
        return np.where((ids >= pitches.start) & (ids < pitches.stop), ids - pitches.start, -1)

    @cached_property
    def begins_note(self) -> NDArray[np.bool_]:
        """The Pitch and PitchDrum tokens, shape (vocabulary,)."""
        kinds = [k for k, kind in enumerate(self.vocabulary.kinds) if kind.startswith("Pitch")]
        return np.isin(self.vocabulary.kind_of, kinds)

    def start(self) -> BarsState:
        """The grammar before BOS."""
        return BarsState(self)

    def grammar(self, state: BarsState) -> NDArray[np.bool_]:
        """Which tokens may follow a state, shape (vocabulary,)."""
        return allowed(state)

    def transpose(self, ids: IntArray, semitones: int) -> IntArray:
        """Pitched notes moved by semitones, drums not. Raises VocabularyError when a pitch would leave 0..127."""
        pitches = self.vocabulary.slices["Pitch"]
        is_pitch = (ids >= pitches.start) & (ids < pitches.stop)
        moved: IntArray = ids + semitones * is_pitch
        if (is_pitch & ((moved < pitches.start) | (moved >= pitches.stop))).any():
            raise VocabularyError(f"moving by {semitones} semitones leaves the pitches 0..127")
        return moved

    def to_json(self) -> str:
        """Everything needed to rebuild the tokenizer, with its token names to read."""
        return json.dumps({"tokenizer": self.name, **asdict(self), "tokens": self.vocabulary.names})

    @classmethod
    def from_json(cls, text: str) -> BarsTokenizer:
        """The tokenizer that :meth:`to_json` wrote. Raises CheckpointError when it was another one."""
        try:
            stored = json.loads(text)
            tokenizer = cls(programs=stored["programs"], velocities=stored["velocities"])
            same = stored["tokenizer"] == "bars" and tuple(stored["tokens"]) == tokenizer.vocabulary.names
        except (ValueError, KeyError, TypeError) as problem:
            raise CheckpointError(f"not a bars tokenizer: {problem!r}; save one with BarsTokenizer.save") from None
        if not same:
            raise CheckpointError("this tokenizer has other tokens than the bars tokenizer of this seqaudio version")
        return tokenizer

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> BarsTokenizer:
        """Read a tokenizer that :meth:`save` wrote."""
        return cls.from_json(Path(path).read_text(encoding="utf-8"))


def _where_changed(values: IntArray, ids: IntArray) -> IntArray:
    """Ids where a value differs from the one before it, -1 elsewhere; the first always counts as changed."""
    changed = np.append(True, np.diff(values) != 0)[: len(values)]
    return np.where(changed, ids, -1)
