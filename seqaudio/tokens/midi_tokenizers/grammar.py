"""Which base token may come next in a line of a one-vocabulary MidiTok tokenizer?

MidiTok says which token type may follow which (``tokens_types_graph``); PerTok does not, so its graph stands here. The
graph knows no values, so a state adds them: positions rise inside a bar and end with it, a note is released only after
it was struck and time has passed, an interval leads to a pitch of the range, and a track names its program first.
A sequence may end, or go to its next track, wherever no note is half written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.tokens.midi_tokenizers.ids import BOS, EOS, PAD, Ids
from seqaudio.tokens.vocabulary import Vocabulary

Mask = Any  # a boolean array; what comparing arrays gives has no better type
INTERVALS = ("PitchIntervalTime", "PitchIntervalChord")
STRIKES = ("Pitch", "PitchDrum", "NoteOn", "DrumOn", *INTERVALS)
PITCHED_OF = {"PitchDrum": "Pitch", "DrumOn": "NoteOn"}
RELEASES = {"NoteOff": "NoteOn", "DrumOff": "DrumOn"}
PARTS = {*STRIKES, *RELEASES, "Velocity", "Duration", "MicroTiming", "Chord"}  # what may complete a note
FOLLOWERS = {"Velocity", "Duration", "MicroTiming", "PedalOff", *RELEASES}  # what never begins a track
AFTER_NOTE, AFTER_PROGRAM = "MicroTiming of a note", "MicroTiming of a program"


@dataclass(frozen=True)
class LineState:
    """What of a line of base tokens bounds the next one."""

    last: str = ""  # the kind of the last token; "" before BOS, "start" between tracks, "begun" behind Track_Start
    position: int = -1
    beats: int = 4  # numerator of the time signature
    program: int = 0
    named: bool = False  # whether the track has named its program
    references: tuple[tuple[int, int, int], ...] = ()  # program, last pitch in time, last pitch of a chord
    drums: bool | None = None  # whether the notes of a track without program are drums; None before the first
    sounding: tuple[tuple[int, str, int, bool], ...] = ()  # program, NoteOn or DrumOn, pitch, struck at this moment


@dataclass(frozen=True, eq=False)
class LineGrammar:
    """The rules of one tokenizer."""

    ids: Ids

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self.ids.base)

    @cached_property
    def _config(self) -> Any:
        return self.ids.miditok.config

    @cached_property
    def _one_stream(self) -> bool:
        return bool(self._config.one_token_stream_for_programs)

    @property
    def kind(self) -> str:
        """The name of the MidiTok class."""
        return type(self.ids.miditok).__name__

    def start(self) -> LineState:
        """Before BOS."""
        return LineState()

    @cached_property
    def followers(self) -> dict[str, frozenset[str]]:
        """The kinds that may follow each kind, without the special tokens."""
        here = set(self._vocabulary.kinds)
        special = {name.partition("_")[0] for name in self.ids.miditok.special_tokens} | {"NextTrack"}
        graph = {kind: set(after) for kind, after in self.ids.miditok.tokens_types_graph.items()}
        if self.kind == "PerTok":
            graph = self._pertok(here - special)
        for after in graph.values():  # MidiTok's graph forgets pedals behind a note that has just been struck
            after -= special
            after |= {"Pedal", "PedalOff"} if not after <= PARTS else set()
        if self._config.program_changes:
            graph.setdefault("Program", set()).update({"Bar"} & here)
        if self._config.program_changes and not self._one_stream:  # a track names its program once
            graph = {kind: after - {"Program"} for kind, after in graph.items()}
        graph = {kind: after for kind, after in graph.items() if kind not in special}
        graph["start"] = self._first(graph)
        if self._config.program_changes and not self._one_stream:
            graph["Program"] |= graph["start"]
            graph["start"] = {"Program"}
        graph["begun"] = graph["start"]
        return {kind: frozenset((after & here) - special) for kind, after in graph.items()}

    def _first(self, graph: dict[str, set[str]]) -> set[str]:
        """The kinds that may begin a track."""
        if self.kind == "Structured":
            return {"TimeShift"}
        if "Bar" in graph and self.kind != "PerTok":
            return {"Bar", "Rest"}
        free = {kind for kind in ("TimeShift", "Position", "Bar", "TimeSig", "Tempo", "Rest") if kind in graph}
        return (free | {after for kind in free for after in graph[kind]}) - FOLLOWERS

    def _pertok(self, here: set[str]) -> dict[str, set[str]]:
        timing = {"MicroTiming"} & here
        velocity, duration = {"Velocity"} & here, {"Duration"} & here
        free = here - FOLLOWERS
        notes = here & set(STRIKES)
        graph = {kind: free | timing for kind in free}
        graph |= dict.fromkeys(notes, timing or velocity or duration or free)
        graph |= {"Velocity": duration or free, "Duration": free, AFTER_NOTE: velocity or duration or free}
        placed = notes | (here & {"TimeShift", "Position", "Bar"})
        graph |= {"Program": timing or placed, AFTER_PROGRAM: placed, "MicroTiming": free}
        graph |= {kind: free for kind in ("Bar", "TimeShift", "Position", "Tempo", "TimeSig", "KeySig") if kind in here}
        return graph

    def complete(self, state: LineState) -> bool:
        """Whether no note is half written, so that the track may end."""
        if state.last in ("start", "begun"):
            return state.last == "start"
        after = self._after(state)
        return not after or not after <= PARTS

    def _after(self, state: LineState) -> frozenset[str]:
        """The kinds that may follow, values aside."""
        after = self.followers.get(state.last, frozenset())
        durations = self._config.use_note_duration_programs
        if after == {"Duration"} and state.last != "Pedal" and self._config.use_programs:
            return after if state.program in durations else self.followers["Duration"]
        return after

    def mask(self, state: LineState) -> NDArray[np.bool_]:
        """Which base tokens may follow, shape (base tokens,)."""
        allowed = np.zeros(len(self.ids.base), dtype=bool)
        if state.last == "":
            allowed[BOS] = True
        elif state.last == "EOS":
            allowed[PAD] = True
        elif self.kind == "MMM" and state.last == "start":
            allowed[[self.ids.of_base["Track_Start"], EOS]] = True
        else:
            self._open(state, allowed)
        return allowed

    def _open(self, state: LineState, allowed: NDArray[np.bool_]) -> None:
        slices = self._vocabulary.slices
        for kind in self._after(state):
            place = slices[kind]
            if not self._suits(state, kind):
                continue
            if kind == "Position":
                allowed[place] = self._later(state)
            elif kind == "Program" and state.named and not self._one_stream:
                allowed[self.ids.of_base[f"Program_{state.program}"]] = True
            elif kind in RELEASES:
                allowed[[self.ids.of_base[name] for name in self._releasable(state, kind)]] = True
            elif kind in INTERVALS:
                allowed[place] = self._reachable(state, kind)
            else:
                allowed[place] = True
        if self.complete(state):
            allowed[list(self.ids.track_ends)] = True

    def _suits(self, state: LineState, kind: str) -> bool:
        """Whether a kind of strike is for drums where the track is, and pitched where that is."""
        if kind not in ("Pitch", "NoteOn", *PITCHED_OF) or not self._config.use_pitchdrum_tokens:
            return True
        drums = state.program < 0 if self._config.use_programs else state.drums
        return drums is None or drums == (kind in PITCHED_OF)

    @cached_property
    def _values(self) -> NDArray[np.int64]:
        """The number each token names, 0 where it names none."""
        values = [name.partition("_")[2] for name in self.ids.base]
        return np.array([int(v) if v.lstrip("-").isdigit() else 0 for v in values])

    def _later(self, state: LineState) -> Mask:
        positions = self._values[self._vocabulary.slices["Position"]]
        if self.kind == "PerTok":  # its positions are ticks, and one may be written twice
            return positions >= state.position
        return (positions > state.position) & (positions < state.beats * self._config.max_num_pos_per_beat)

    def _releasable(self, state: LineState, kind: str) -> list[str]:
        """The release tokens of notes that sound on the running program and were not struck just now."""
        first: dict[int, bool] = {}
        for program, strike, pitch, fresh in state.sounding:
            if program == state.program and strike == RELEASES[kind]:
                first.setdefault(pitch, fresh)
        return [f"{kind}_{pitch}" for pitch, fresh in first.items() if not fresh]

    def _reachable(self, state: LineState, kind: str) -> Mask:
        intervals = self._values[self._vocabulary.slices[kind]]
        reference = self._reference(state, kind)
        low, high = self._config.pitch_range
        return (reference >= 0) & (reference + intervals >= low) & (reference + intervals <= high)

    @staticmethod
    def _reference(state: LineState, kind: str) -> int:
        """The pitch that an interval starts from; far below any when there was none."""
        found = [row for row in state.references if row[0] == state.program]
        return found[0][1 + INTERVALS.index(kind)] if found else -1000

    def after(self, state: LineState, token: int) -> LineState:
        """The state once an allowed base token is written."""
        kind, _, text = self.ids.base[token].partition("_")
        value = int(self._values[token])
        match kind:
            case "BOS" | "NextTrack":
                return LineState(last="start")
            case "Track":
                return LineState(last="begun" if text == "Start" else "start")
            case "Bar" | "Rest" | "TimeShift":
                moved = tuple((*row[:3], False) for row in state.sounding)
                return replace(state, last=kind, position=-1, sounding=moved)
            case "Position":
                return replace(state, last=kind, position=value)
            case "TimeSig":
                return replace(state, last=kind, position=-1, beats=int(text.partition("/")[0]))
            case "Program":
                return replace(state, last=kind, program=value, named=True)
            case "MicroTiming":
                owner = AFTER_NOTE if state.last in STRIKES else AFTER_PROGRAM if state.last == "Program" else kind
                return replace(state, last=owner)
            case _ if kind in STRIKES:
                return self._struck(state, kind, value)
            case _ if kind in RELEASES:
                released = next(row for row in state.sounding if row[:3] == (state.program, RELEASES[kind], value))
                place = state.sounding.index(released)
                return replace(state, last=kind, sounding=state.sounding[:place] + state.sounding[place + 1 :])
            case _:
                return replace(state, last=kind)

    def _struck(self, state: LineState, kind: str, value: int) -> LineState:
        pitch = self._reference(state, kind) + value if kind in INTERVALS else value
        changes: dict[str, Any] = {"last": kind}
        if not self._config.use_programs and state.drums is None:
            changes["drums"] = kind in PITCHED_OF
        if self._config.use_pitch_intervals:
            others = [row for row in state.references if row[0] != state.program]
            in_time = self._reference(state, INTERVALS[0]) if kind == INTERVALS[1] else pitch
            changes["references"] = tuple(sorted([*others, (state.program, in_time, pitch)]))
        if self.ids.miditok._note_on_off and self._is_released(state):
            strike = "DrumOn" if kind == "DrumOn" else "NoteOn"
            changes["sounding"] = (*state.sounding, (state.program, strike, pitch, True))
        return replace(state, **changes)

    def _is_released(self, state: LineState) -> bool:
        durations = self._config.use_note_duration_programs
        return bool(durations) and (not self._config.use_programs or state.program in durations)

    def closing(self, state: LineState) -> list[int]:
        """The tokens that release what still sounds, one step after the last strike."""
        if not state.sounding:
            return []
        names = [self.ids.base[self._vocabulary.slices["TimeShift"].start]] if any(r[3] for r in state.sounding) else []
        off = {strike: release for release, strike in RELEASES.items()}
        for program, strike, pitch, _ in state.sounding:
            if self._one_stream:
                names.append(f"Program_{program}")
            names.append(f"{off[strike]}_{pitch}")
        return [self.ids.of_base[name] for name in names]

    def miditok_tokens(self, base: list[int]) -> list[str]:
        """MidiTok's names of a track's tokens."""
        return [self.ids.base[token] for token in base]
