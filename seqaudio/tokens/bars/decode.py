"""Which score do bar tokens stand for, once the grammar has agreed to them?

Everything is found with array arithmetic over the places of the tokens of each kind, so the time is that of sorting.
"""

from __future__ import annotations

import numpy as np

from seqaudio.music.score import PLAIN_VELOCITY, IntArray, Score
from seqaudio.tokens.bars.grid import NO_PEDALS, NO_TEMPOS, TICKS_PER_QUARTER, TICKS_PER_STEP
from seqaudio.tokens.bars.metre import METRES, bar_steps
from seqaudio.tokens.bars.notes import DURATIONS
from seqaudio.tokens.bars.tempo import MARKS_US
from seqaudio.tokens.vocabulary import Vocabulary

NO_PLACES = np.zeros(0, np.int64)


class _Line:
    """Ids from the first Bar on, and where the tokens of each kind stand."""

    def __init__(self, vocabulary: Vocabulary, ids: IntArray) -> None:
        self.ids = ids
        self.slices = vocabulary.slices
        kind = vocabulary.kind_of[ids]
        self.places = {name: np.flatnonzero(kind == k) for k, name in enumerate(vocabulary.kinds)}
        metre = self.latest("TimeSig", self.at("Bar") + 1)  # a time signature is the token behind its bar line
        lengths = np.array([bar_steps(*m) for m in METRES])[metre]
        self.bar_starts = np.append(0, np.cumsum(lengths))  # (bars + 1,), in steps

    def at(self, kind: str) -> IntArray:
        """The places of the tokens of a kind."""
        return self.places.get(kind, NO_PLACES)

    def values(self, kind: str, places: IntArray) -> IntArray:
        """What the tokens at some places say, counted from the first token of their kind."""
        values: IntArray = self.ids[places] - self.slices[kind].start
        return values

    def latest(self, kind: str, places: IntArray) -> IntArray:
        """What the last token of a kind up to each place says."""
        at = self.at(kind)
        return self.values(kind, at[np.searchsorted(at, places, side="right") - 1]) if len(places) else NO_PLACES

    def steps(self, places: IntArray) -> IntArray:
        """The step at which the token at each place stands."""
        bar = np.searchsorted(self.at("Bar"), places) - 1
        return self.bar_starts[bar] + self.latest("Position", places)


def score_of_ids(vocabulary: Vocabulary, ids: IntArray) -> Score:
    """The score at 480 ticks per quarter, a track for each program; a note without its duration is left out."""
    line = _Line(vocabulary, ids)
    place = np.sort(np.append(line.at("Pitch"), line.at("PitchDrum")))
    place = place[place + 1 < len(ids)]  # the duration is the next token
    is_drum = np.isin(place, line.at("PitchDrum"))
    pitch = line.ids[place] - np.where(is_drum, _start(vocabulary, "PitchDrum"), _start(vocabulary, "Pitch"))
    voice = line.latest("Program", place) if "Program" in line.slices else np.ones_like(place)
    loud = 4 * line.latest("Velocity", place) + 3 if "Velocity" in line.slices else PLAIN_VELOCITY
    voices, track = np.unique(voice, return_inverse=True)
    metre_at = line.at("TimeSig")
    metre_steps = line.bar_starts[np.searchsorted(line.at("Bar"), metre_at) - 1]
    metres = zip(metre_steps.tolist(), line.values("TimeSig", metre_at).tolist(), strict=True)
    return Score.from_notes(
        line.steps(place) * TICKS_PER_STEP,
        DURATIONS[line.values("Duration", place + 1)] * TICKS_PER_STEP,
        pitch,
        velocity=loud,
        program=np.maximum(voice - 1, 0),
        is_drum=is_drum,
        track=track,
        ticks_per_quarter=TICKS_PER_QUARTER,
        tempos=_tempos(line),
        time_signatures=[(step * TICKS_PER_STEP, *METRES[metre]) for step, metre in metres],
        pedals=_pedals(line, voices),
        track_names=[""] * max(len(voices), 1),
    )


def _start(vocabulary: Vocabulary, kind: str) -> int:
    return vocabulary.slices[kind].start if kind in vocabulary.slices else 0


def _tempos(line: _Line) -> IntArray:
    """Tick and microseconds per quarter of each Tempo token, shape (changes, 2)."""
    at = line.at("Tempo")
    if not len(at):
        return NO_TEMPOS
    return np.column_stack([line.steps(at) * TICKS_PER_STEP, MARKS_US[line.values("Tempo", at)]])


def _pedals(line: _Line, voices: IntArray) -> IntArray:
    """Tick, duration and track of each time a pedal is down, shape (spans, 3); not of voices without notes."""
    up, down = line.at("PedalUp"), line.at("PedalDown")
    if not len(down):
        return NO_PEDALS
    place = np.sort(np.append(up, down))
    is_down = np.isin(place, down)
    value = line.ids[place] - np.where(is_down, line.slices["PedalDown"].start, line.slices["PedalUp"].start)
    order = np.argsort(value, kind="stable")  # up and down alternate within a voice
    is_down, voice, step = is_down[order], value[order] + 1, line.steps(place)[order]
    lifted = np.append(voice[1:] == voice[:-1], False)
    up_step = np.where(lifted, np.append(step[1:], 0), line.bar_starts[-1])
    spans = np.column_stack([step, up_step - step, np.searchsorted(voices, voice)])
    spans[:, :2] *= TICKS_PER_STEP
    return spans[is_down & np.isin(voice, voices)]
