"""How does expressive playing, which has no metre, become a line of tokens?

Conventions: times are seconds on a grid of 10 ms (``grid.py``). A sequence reads

    BOS { TimeShift | [Program] NoteOff | [Program] PedalUp | [Program] PedalDown | [Program] [Velocity] NoteOn } EOS

TimeShift_n waits n steps of 10 ms, 100 at most, so a longer silence is several; Velocity (32 bins of four) and Program
are written where they change. At one time releases come first, then pedals up, pedals down and strikes, each by
(program, pitch). Drums are the program -1 and have tokens of their own, NoteOnDrum and NoteOffDrum. A note that is
never released ends with the sequence, one step behind its onset at least; so does a pedal. Drums have none.
Source: Oore et al. 2018 and magenta's performance_rnn, with pedals, programs and a fixed order of events of one time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.music.score import IntArray, Score
from seqaudio.tokens.performance.grammar import MAX_SHIFT, RANKS, PerformanceState, allowed
from seqaudio.tokens.performance.grid import TICKS_PER_QUARTER, TICKS_PER_STEP, quantize
from seqaudio.tokens.stored import StoredTokenizer
from seqaudio.tokens.tokenizer import DRUMS, Loss, Pedals, check_pedals
from seqaudio.tokens.vocabulary import Vocabulary


@dataclass(frozen=True)
class PerformanceTokenizer(StoredTokenizer):
    """Note on, note off, time shifts, velocities and pedals.

    Args:
        programs: several instruments and drums; False is one instrument, without drums.
        pedals: "tokens" writes them, "durations" folds them into the notes they hold, "drop" leaves them out.

    Raises:
        OptionError: ``pedals`` is none of these.
    """

    name: ClassVar[str] = "performance"

    programs: bool = False
    pedals: Pedals = "tokens"

    def __post_init__(self) -> None:
        check_pedals(self.pedals)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens in id order."""
        kinds: dict[str, Any] = {
            "PAD": [None],
            "BOS": [None],
            "EOS": [None],
            "NoteOn": range(128),
            "NoteOff": range(128),
            "TimeShift": range(1, MAX_SHIFT + 1),
            "Velocity": range(3, 128, 4),
        }
        if self.pedals == "tokens":
            kinds |= {"PedalUp": [None], "PedalDown": [None]}
        if self.programs:
            kinds |= {"Program": range(DRUMS, 128), "NoteOnDrum": range(128), "NoteOffDrum": range(128)}
        return Vocabulary.of_kinds(kinds)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """How many tokens there are of each kind."""
        return {kind: ids.stop - ids.start for kind, ids in self.vocabulary.slices.items()}

    def quantize(self, score: Score) -> tuple[Score, Loss]:
        """What the tokens hold of a score, as a score, and what was lost on the way."""
        return quantize(score, programs=self.programs, pedals=self.pedals)

    def encode(self, score: Score) -> NDArray[np.int64]:
        """Token ids from BOS to EOS, shape (tokens,)."""
        time, rank, program, value, velocity = self._events(self.quantize(score)[0])
        wait = np.diff(time, prepend=0)
        seconds = np.maximum(wait - 1, 0) // MAX_SHIFT  # whole ones in front of the last time shift
        is_on = rank == RANKS["NoteOn"]
        columns = [np.where(wait > 0, self.vocabulary.first["TimeShift"] + wait - MAX_SHIFT * seconds - 1, -1)]
        if self.programs:
            changed = np.append(True, np.diff(program) != 0)[: len(program)]
            columns.append(np.where(changed, self.vocabulary.first["Program"] + program - DRUMS, -1))
        changed = np.zeros(len(time), dtype=bool)
        changed[is_on] = np.append(True, np.diff(velocity[is_on]) != 0)[: int(is_on.sum())]
        columns.append(np.where(changed, self.vocabulary.first["Velocity"] + velocity // 4, -1))
        columns.append(self._event_ids(rank, program, value))
        rows = np.stack(columns, axis=1)  # (events, 3 or 4), -1 where nothing is written

        # each row stands behind its whole seconds, which fill what is left
        ids = np.full(rows.size + int(seconds.sum()), self.vocabulary.first["TimeShift"] + MAX_SHIFT - 1)
        places = np.cumsum(seconds) + rows.shape[1] * np.arange(len(rows))
        ids[places[:, None] + np.arange(rows.shape[1])] = rows
        return np.concatenate([[self.vocabulary.first["BOS"]], ids[ids >= 0], [self.vocabulary.first["EOS"]]])

    @staticmethod
    def _events(grid: Score) -> IntArray:
        """Time (steps), rank, program (-1 for drums), pitch and velocity of every event in order, shape (5, events)."""
        start, length, track = grid.pedals.T
        names, at = np.unique(grid.track, return_index=True)  # a grid's tracks have one program each
        of_note = np.where(grid.is_drum, DRUMS, grid.program)
        of_pedal = of_note[at[np.searchsorted(names, track)]] if len(track) else track
        onset, end, none = grid.onset, grid.onset + grid.duration, np.zeros_like(start)
        events = np.concatenate(
            [
                np.stack([end, np.full_like(end, RANKS["NoteOff"]), of_note, grid.pitch, grid.velocity]),
                np.stack([start + length, none + RANKS["PedalUp"], of_pedal, none, none]),
                np.stack([start, none + RANKS["PedalDown"], of_pedal, none, none]),
                np.stack([onset, np.full_like(end, RANKS["NoteOn"]), of_note, grid.pitch, grid.velocity]),
            ],
            axis=1,
        )
        events[0] //= TICKS_PER_STEP
        ordered: IntArray = events[:, np.lexsort(events[3::-1])]
        return ordered

    def _event_ids(self, rank: IntArray, program: IntArray, value: IntArray) -> IntArray:
        """The ids of events."""
        first = np.zeros((2, len(set(RANKS.values()))), dtype=np.int64)  # (drums or not, rank)
        for kind, of_rank in RANKS.items():
            if kind in self.vocabulary.first:
                first[int(kind.endswith("Drum")), of_rank] = self.vocabulary.first[kind]
        ids: IntArray = first[(program == DRUMS).astype(np.int64), rank] + value
        return ids

    def decode(self, ids: ArrayLike) -> Score:
        """The score at 500 ticks per quarter and 120 per minute.

        Raises:
            VocabularyError: an id is outside the vocabulary, or one of them breaks the grammar.
        """
        ids = self._body(ids)
        tokens = self.vocabulary
        time = np.cumsum(np.where(tokens.is_kind("TimeShift")[ids], ids - self.vocabulary.first["TimeShift"] + 1, 0))
        program = np.zeros_like(ids)
        if self.programs:
            program = self._latest(ids, "Program") + DRUMS
        last = int(time[-1]) if len(time) else 0

        pitch = tokens.numbers("NoteOn", "NoteOnDrum", "NoteOff", "NoteOffDrum")[ids]
        at, end = _spans(program * 128 + pitch, self.begins_note[ids], pitch >= 0, time, last)
        note_program = program[at]
        names, track = np.unique(note_program, return_inverse=True)
        pedal_at, pedal_end = _spans(
            program, tokens.is_kind("PedalDown")[ids], tokens.is_kind("PedalDown", "PedalUp")[ids], time, last
        )
        heard = np.isin(program[pedal_at], names)
        pedal_at, pedal_end = pedal_at[heard], np.maximum(pedal_end, time[pedal_at] + 1)[heard]
        return Score.from_notes(
            time[at] * TICKS_PER_STEP,
            np.maximum(end - time[at], 1) * TICKS_PER_STEP,
            pitch[at],
            velocity=4 * self._latest(ids, "Velocity")[at] + 3,
            program=np.maximum(note_program, 0),
            is_drum=note_program < 0,
            track=track.reshape(-1),
            ticks_per_quarter=TICKS_PER_QUARTER,
            pedals=np.column_stack(
                [
                    time[pedal_at] * TICKS_PER_STEP,
                    (pedal_end - time[pedal_at]) * TICKS_PER_STEP,
                    np.searchsorted(names, program[pedal_at]),
                ]
            ),
            track_names=[""] * max(len(names), 1),
        )

    def _latest(self, ids: IntArray, kind: str) -> IntArray:
        """At each place the number, within its kind, of the last token of a kind; 0 in front of the first."""
        at = np.where(self.vocabulary.is_kind(kind)[ids], np.arange(len(ids)), -1)
        at = np.maximum.accumulate(at)
        return np.where(at >= 0, ids[at] - self.vocabulary.first[kind], 0) if len(ids) else ids

    def _body(self, ids: ArrayLike) -> IntArray:
        """The ids between BOS and EOS, once the grammar has agreed to every one of them."""
        ids = self.vocabulary.checked(ids)
        state = self.start()
        if not len(ids) or ids[0] != self.vocabulary.first["BOS"]:
            state = state.after(self.vocabulary.first["BOS"])
        for token in ids.tolist():
            state = state.after(token)
        return ids[ids > self.vocabulary.first["EOS"]]

    @cached_property
    def pitch_of_token(self) -> NDArray[np.int64]:
        """The pitch that each NoteOn and NoteOff names, -1 for every other token, shape (vocabulary,)."""
        return self.vocabulary.numbers("NoteOn", "NoteOff")

    @cached_property
    def begins_note(self) -> NDArray[np.bool_]:
        """The NoteOn and NoteOnDrum tokens, shape (vocabulary,)."""
        return self.vocabulary.is_kind("NoteOn", "NoteOnDrum")

    def start(self) -> PerformanceState:
        """The grammar before BOS."""
        return PerformanceState(self)

    def grammar(self, state: PerformanceState) -> NDArray[np.bool_]:
        """Which tokens may follow a state, shape (vocabulary,)."""
        return allowed(state)

    def transpose(self, ids: IntArray, semitones: int) -> IntArray:
        """Pitched notes moved by semitones, drums not. Raises VocabularyError when a pitch would leave 0..127."""
        return self.vocabulary.transposed(ids, semitones, "NoteOn", "NoteOff")


def _spans(
    key: IntArray, opens: NDArray[np.bool_], is_event: NDArray[np.bool_], time: IntArray, last: int
) -> tuple[IntArray, IntArray]:
    """The places of the events that open a span, and the times at which the next event of their key closes it.

    Opening and closing events of a key alternate; a span that is never closed ends at ``last``.
    """
    events = np.flatnonzero(is_event)
    events = events[np.argsort(key[events], kind="stable")]
    closed = np.append(key[events][1:] == key[events][:-1], False)[: len(events)]
    end = np.where(closed, time[np.append(events[1:], 0)[: len(events)]], last)
    is_open = opens[events]
    at, end = events[is_open], end[is_open]
    order = np.argsort(at)
    return at[order], end[order]
