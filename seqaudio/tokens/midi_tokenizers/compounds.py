"""Which token may come next where MidiTok has several vocabularies, written flat?

A step is one token from each vocabulary, in order (CPWord, Octuple), or from the first few (MuMIDI, where a bar line
has no velocity). The first token of a step tells what the step is, and a state says what the rest must be: CPWord
ignores what does not belong to the step, MuMIDI repeats the bar and position, Octuple never goes back in time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.tokens.midi_tokenizers.ids import BOS, EOS, IGNORE, PAD, Ids

Mask = Any  # a boolean array; what comparing arrays gives has no better type
NOTES = ("Pitch", "PitchDrum")


@dataclass(frozen=True)
class StepState:
    """Where a flat line of steps stands."""

    begun: bool = False  # BOS is written
    ended: bool = False
    slot: int = 0  # the vocabulary that the next token is from
    step: str = ""  # what the step under way is: the kind of its telling token
    last: str = "start"  # what the last complete step was
    bar: int = -1
    position: int = -1
    earlier: int = -1  # Octuple: the position of the step before
    beats: int = 4
    program: int = 0
    named: bool = False  # whether the track has named its program
    drums: bool | None = None  # whether the note under way is a drum, and all of a track if tracks are told apart


@dataclass(frozen=True, eq=False)
class StepGrammar:
    """The rules of one tokenizer."""

    ids: Ids

    @cached_property
    def _config(self) -> Any:
        return self.ids.miditok.config

    @property
    def kind(self) -> str:
        """The name of the MidiTok class."""
        return type(self.ids.miditok).__name__

    @cached_property
    def _slots(self) -> list[slice]:
        """The ids of each vocabulary."""
        starts = 3 + np.cumsum([0, *(len(names) for names in self.ids.slots)])
        return [slice(int(low), int(high)) for low, high in pairwise(starts)]

    @cached_property
    def _kind_of(self) -> NDArray[np.str_]:
        return np.array([name.partition("_")[0] for name in self.ids.base])

    @cached_property
    def _values(self) -> NDArray[np.int64]:
        """The number each token names, -1 where it names none."""
        values = [name.partition("_")[2] for name in self.ids.base]
        return np.array([int(v) if v.lstrip("-").isdigit() else -1 for v in values])

    def start(self) -> StepState:
        """Before BOS."""
        return StepState()

    def complete(self, state: StepState) -> bool:
        """Whether a step has ended, so that the track may end."""
        return state.begun and state.slot == 0

    def closing(self, state: StepState) -> list[int]:
        """Nothing has to be closed: every note says how long it is."""
        del state
        return []

    def mask(self, state: StepState) -> NDArray[np.bool_]:
        """Which tokens may follow, shape (base tokens,)."""
        allowed = np.zeros(len(self.ids.base), dtype=bool)
        if not state.begun:
            allowed[BOS] = True
        elif state.ended:
            allowed[PAD] = True
        else:
            place = self._slots[state.slot]
            kinds, values = self._kind_of[place], self._values[place]
            match self.kind:
                case "CPWord":
                    allowed[place] = self._in_word(state, kinds, values)
                case "MuMIDI":
                    allowed[place] = self._in_mumidi(state, kinds, values)
                case _:
                    allowed[place] = self._in_octuple(state, values)
            allowed[place] &= self._suits(state, place)
            if state.slot == 0:
                allowed[[EOS, *([self.ids.next_track] if self.ids.splits_tracks else [])]] = True
        return allowed

    def _in_bar(self, state: StepState, kinds: NDArray[np.str_], values: NDArray[np.int64]) -> Mask:
        """Positions later than the last one, inside the bar."""
        inside = values < state.beats * self._config.max_num_pos_per_beat
        return (kinds == "Position") & (values > state.position) & inside

    def _in_word(self, state: StepState, kinds: NDArray[np.str_], values: NDArray[np.int64]) -> Mask:
        ignored = np.char.startswith(kinds, "Ignore")
        slot = self.ids.slot_kinds[state.slot]
        if state.slot == 0:
            names = np.array(self.ids.slots[0])
            return (names == "Family_Metric") | ((names == "Family_Note") & (state.last in ("Position", "Note")))
        if state.slot == 1:
            rests = ignored & self._config.use_rests
            metric = (kinds == "Bar") | rests | (self._in_bar(state, kinds, values) & (state.bar >= 0))
            return ignored if state.step == "Note" else metric
        belongs = {
            "Note": ("Pitch", "Velocity", "Duration", "Program"),
            "Bar": ("TimeSig",),
            "Position": ("Tempo",),
            "Rest": ("Rest",),
        }[state.step]
        if slot == "Chord" and state.step == "Position":
            return np.ones(len(kinds), dtype=bool)
        return ~ignored if slot in belongs else ignored

    def _in_mumidi(self, state: StepState, kinds: NDArray[np.str_], values: NDArray[np.int64]) -> Mask:
        match self.ids.slot_kinds[state.slot]:
            case "BarPosEnc":
                return values == state.bar
            case "PositionPosEnc":
                return values == (-1 if state.step == "Bar" else state.position)
            case _ if state.slot > 0:
                return np.ones(len(kinds), dtype=bool)
        after = {"Bar"} if state.last == "start" else self.ids.miditok.tokens_types_graph[state.last]
        allowed = np.isin(kinds, list(after - {"Position", *NOTES})) | (
            self._in_bar(state, kinds, values) if "Position" in after else False
        )
        if after & set(NOTES):
            allowed |= kinds == ("PitchDrum" if state.program < 0 else "Pitch")
        bars_left = state.bar + 1 < self._config.additional_params["max_bar_embedding"]
        return allowed & ((kinds != "Bar") | bars_left)

    def _in_octuple(self, state: StepState, values: NDArray[np.int64]) -> Mask:
        last_bar = self._config.additional_params["max_bar_embedding"] - 1
        match self.ids.slot_kinds[state.slot]:
            case "Position":
                inside = self._config.use_time_signatures | (values < 4 * self._config.max_num_pos_per_beat)
                return inside & ((values >= state.earlier) | (state.bar < last_bar))
            case "Bar":
                return values >= state.bar + (state.position < state.earlier)
            case _:
                return np.ones(len(values), dtype=bool)

    def _suits(self, state: StepState, place: slice) -> Mask:
        """Tokens that keep drums and pitched notes apart: drum pitches go with program -1, or fill a track."""
        kinds = self._kind_of[place]
        if not self._config.use_pitchdrum_tokens or state.drums is None:
            return np.ones(len(kinds), dtype=bool)
        if self.ids.slot_kinds[state.slot] == "Program":
            named = (self._values[place] == state.program) | (not state.named)
            return ((self._values[place] < 0) == state.drums) & named | (kinds == "IgnoreProgram")
        return ~np.isin(kinds, "Pitch" if state.drums else "PitchDrum")

    def after(self, state: StepState, token: int) -> StepState:
        """The state once an allowed token is written."""
        kind, value = str(self._kind_of[token]), int(self._values[token])
        match kind:
            case "PAD" | "EOS":
                return replace(state, ended=True)
            case "BOS" | "NextTrack":
                return StepState(begun=True)
        if state.slot == 0:
            state = replace(state, step=self.ids.base[token].partition("_")[2] if kind == "Family" else kind)
        match kind:
            case "Bar" if self.kind == "Octuple":
                state = replace(state, bar=value)
            case "Bar":
                state = replace(state, step=kind, bar=state.bar + 1, position=-1)
            case "Position":
                state = replace(state, step=kind, position=value)
            case _ if kind == "IgnorePosition" and state.step == "Metric":
                state = replace(state, step="Rest", bar=max(state.bar, 0), position=-1)
            case "Program":
                state = replace(state, program=value, named=self.ids.splits_tracks)
            case "Pitch" | "PitchDrum" if self.kind != "MuMIDI":
                state = replace(state, drums=kind == "PitchDrum")
            case "TimeSig" if self.kind == "CPWord":
                state = replace(state, beats=int(self.ids.base[token].partition("_")[2].partition("/")[0]))
        return self._next_slot(state)

    def _next_slot(self, state: StepState) -> StepState:
        short = self.kind == "MuMIDI" and state.step not in NOTES
        length = (4 if self._config.use_tempos else 3) if short else len(self._slots)
        if state.slot + 1 < length:
            return replace(state, slot=state.slot + 1)
        drums = state.drums if self.ids.splits_tracks else None
        return replace(state, slot=0, last=state.step, earlier=state.position, drums=drums)

    def miditok_tokens(self, base: list[int]) -> list[list[str]]:
        """MidiTok's names of a track's tokens, a list for each step; a step not yet complete is left out."""
        state = StepState(begun=True)
        steps: list[list[str]] = [[]]
        for token in base:
            state = self.after(state, token)
            name = self.ids.base[token]
            steps[-1].append(IGNORE if name.startswith("Ignore") else name)
            if state.slot == 0:
                steps.append([])
        return steps[:-1]
