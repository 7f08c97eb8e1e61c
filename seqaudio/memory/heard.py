"""What does a model hear of a piece, and when does each step of it sound? All probes hear music so.

Conventions: steps are tokens from BOS to the last one before EOS, which nothing hears, or frames up to the last that
sounds. Times are in a unit of the model's own: quarters, or seconds of tokens that tell seconds. The steps that fall on
one time share the time up to the next evenly, so that each has a place of its own, as a picture needs. Of tokens that
tell no time that we can read (those of MidiTok) a step is a unit, and there are no bars.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.likelihood import heard_tokens
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.models.checkpoint import Checkpoint, FrameFacts
from seqaudio.music.frames import Frames, frames_of_runs, runs_of_frames, runs_of_score, score_of_frames
from seqaudio.music.metre import with_gathered_beats
from seqaudio.music.score import Score
from seqaudio.tokens import BarsTokenizer, MelodyTokenizer, PerformanceTokenizer, PianorollTokenizer, Tokenizer
from seqaudio.tokens.bars.metre import STEPS_PER_QUARTER
from seqaudio.tokens.melody import STEPS_PER_QUARTER as MELODY_STEPS

Floats = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_STEPS = 4096  # of one piece
SHIFTS_PER_SECOND = 100  # steps of a TimeShift
NO_PITCH = -1


class Box(NamedTuple):
    """A note as it is drawn: when it begins and ends, and its MIDI pitch."""

    begin: float
    end: float
    pitch: int


@dataclass(frozen=True)
class Heard:
    """A piece as a model hears it.

    Attributes:
        name: of the piece.
        steps: tokens (steps,), or frames (steps, keys).
        score: what holds the bars: on the model's grid where that has bars, else the piece itself.
        edges: where each step begins, and the last ends, (steps + 1,), rising.
        lines: the bar lines at and between which the steps lie, (bars + 1,); empty where no bars are known.
        bar: which bar each step is in, from 0, (steps,); -1 where none is known.
        quarters: how far behind its bar line each step is, (steps,).
        pitch: of the last note begun, of frames the highest that sounds, (steps,); -1 before the first.
        loudness: the last velocity told, (steps,); -1 before the first.
        boxes: the pitched notes, or drums where there are only these.
        remarks: how the piece was made readable.
        eos: of tokens that were not cut, the id of the EOS behind them, which is predicted; else None.
        of: what its steps are, see :func:`steps_of`.
    """

    name: str
    steps: NDArray[Any]
    score: Score
    edges: Floats
    lines: Floats
    bar: IntArray
    quarters: Floats
    pitch: IntArray
    loudness: IntArray
    boxes: list[Box]
    remarks: tuple[str, ...] = ()
    eos: int | None = None
    of: FrameFacts | str = ""

    def __len__(self) -> int:
        """Number of steps."""
        return len(self.steps)

    @property
    def piece(self) -> NDArray[Any]:
        """All that is heard or predicted: the steps, and EOS behind tokens that have it."""
        return self.steps if self.eos is None else np.append(self.steps, self.eos)

    def facts(self) -> dict[str, Any]:
        """What JSON tells of it."""
        return {"name": self.name, "steps": len(self), "remarks": list(self.remarks)}


def check_checkpoint(checkpoint: Checkpoint) -> None:
    """Raise OptionError for what is no checkpoint, such as a model that continues, or a network."""
    if not isinstance(checkpoint, Checkpoint):
        raise OptionError(
            f"a {type(checkpoint).__name__} is no checkpoint; give Checkpoint.load(path), or a model's own"
        )


def hear(checkpoint: Checkpoint, score: Score, name: str = "", most_steps: int = MOST_STEPS) -> Heard:
    """A piece as a model hears it, its first ``most_steps`` steps.

    A model of bar tokens hears what it would of a primer: the melody if it knows no more, moved into its range. One of
    frames hears the keys that sound at each of its steps.

    Raises:
        NoNotesError: nothing is left that the model can hear.
        OptionError: it is no checkpoint.
    """
    check_checkpoint(checkpoint)
    score = with_gathered_beats(score)
    if checkpoint.frames is not None:
        frames, remarks = _frames_of(checkpoint.frames, score)
        return _cut(_of_frames(checkpoint.frames, frames, score, name, remarks), most_steps)
    ids, grid, remarks = heard_tokens(checkpoint, score)
    return _cut(_of_tokens(checkpoint.require_tokenizer(), ids, grid, score, name, remarks), most_steps)


def hear_steps(checkpoint: Checkpoint, piece: NDArray[Any], name: str = "", most_steps: int = MOST_STEPS) -> Heard:
    """A piece that is in a model's own steps already, as those of its corpus are, and is heard as it is.

    Args:
        checkpoint: of the model.
        piece: tokens (steps,) from BOS on, or frames (steps, keys); silence behind the last note is left out.
        name: of the piece.
        most_steps: no more are heard.

    Raises:
        NoNotesError: nothing sounds in it.
        OptionError: it is no checkpoint, or the frames have other keys than the model's.
        VocabularyError: the tokens mean nothing.
    """
    check_checkpoint(checkpoint)
    facts = checkpoint.frames
    if facts is not None:
        if piece.ndim != 2 or piece.shape[1] != facts.keys:
            raise OptionError(f"frames of shape {piece.shape}; the model reads (steps, {facts.keys})")
        frames = piece[: int(np.flatnonzero(piece.any(axis=1)).max(initial=-1)) + 1].astype(bool)
        if not len(frames):
            raise NoNotesError("no notes")
        score = score_of_frames(frames, facts.lowest_pitch, facts.steps_per_quarter)
        return _cut(_of_frames(facts, frames, score, name), most_steps)
    tokenizer, ids = checkpoint.require_tokenizer(), piece.astype(np.int64)
    score = tokenizer.decode(ids)
    if not len(score):
        raise NoNotesError("no notes")
    return _cut(_of_tokens(tokenizer, ids, score, score, name), most_steps)


def steps_of(steps: Checkpoint | Tokenizer | FrameFacts) -> FrameFacts | str:
    """What the steps of a model are: its frames, or its tokenizer as JSON; equal where one hears what another does."""
    if isinstance(steps, Checkpoint):
        steps = steps.frames or steps.require_tokenizer()
    return steps if isinstance(steps, FrameFacts) else steps.to_json()


def heard_by(checkpoint: Checkpoint, pieces: Iterable[Heard]) -> list[Heard]:
    """The pieces, all of them of steps that a model knows: those of another would be heard as something else.

    Raises:
        OptionError: one is not, or it is no checkpoint.
    """
    check_checkpoint(checkpoint)
    known, own = list(pieces), steps_of(checkpoint)
    for piece in known:
        if not isinstance(piece, Heard):
            raise OptionError(
                f"a {type(piece).__name__} among the pieces; give what hear(checkpoint, score) makes of it"
            )
        if piece.of != own:
            raise OptionError(
                f"{piece.name or 'a piece'}: heard by a model of other steps; hear it with this one again"
            )
    return known


def steps_per_bar(pieces: Sequence[Heard]) -> float:
    """The mean over all pieces, NaN where their steps know no bars."""
    with_bars = [piece for piece in pieces if len(piece.bar)]
    bars = sum(int(piece.bar[-1]) + 1 for piece in with_bars)
    return sum(map(len, with_bars)) / bars if bars else math.nan


def long_enough(
    pieces: Sequence[Heard], lengths: Sequence[int], fewest: int, unit: str, advice: str
) -> tuple[list[Heard], tuple[str, ...]]:
    """The pieces of so many units or more, and what to say of the others.

    Args:
        pieces: as they are heard.
        lengths: of each, in units.
        fewest: units that are needed.
        unit: its name, in the plural.
        advice: what to ask for instead.

    Raises:
        NoNotesError: none is left.
    """
    kept = [piece for piece, length in zip(pieces, lengths, strict=True) if length >= fewest]
    if not kept:
        raise NoNotesError(
            f"{max(lengths, default=0)} {unit} at most, and {fewest} are needed; give longer music, or {advice}"
        )
    short = len(pieces) - len(kept)
    remark = (f"{short} of {len(pieces)} pieces have fewer than {fewest} {unit} and are left out",) * bool(short)
    return kept, remark


def _of_tokens(
    tokenizer: Tokenizer, ids: IntArray, grid: Score, score: Score, name: str, remarks: tuple[str, ...] = ()
) -> Heard:
    """Tokens with their times; ``grid`` is what they hold, ``score`` the piece that it was made from."""
    if isinstance(tokenizer, BarsTokenizer):
        score = grid
    eos = int(ids[-1]) if ids[-1] == tokenizer.vocabulary.id("EOS_None") else None
    ids = ids if eos is None else ids[:-1]
    begin, lines = _begin_of_tokens(tokenizer, ids, score)
    pitches = tokenizer.pitch_of_token[ids]
    velocity = tokenizer.vocabulary.numbers("Velocity")[ids]
    if begin is None:
        edges = np.arange(len(ids) + 1.0)
        boxes = [Box(at, at + 1.0, int(pitches[at])) for at in np.flatnonzero(pitches >= 0).tolist()]
    else:
        edges = _spread(begin, lines[-1])
        boxes = _boxes(grid, in_seconds=isinstance(tokenizer, PerformanceTokenizer))
    bar, quarters = _places(begin, lines, score)
    held = (_last(pitches), _last(velocity))
    return Heard(name, ids, score, edges, lines, bar, quarters, *held, boxes, remarks, eos, steps_of(tokenizer))


def _frames_of(facts: FrameFacts, score: Score) -> tuple[Frames, tuple[str, ...]]:
    """The frames of a score up to its last note; keys beyond the model's are left out, and told."""
    key, start, end = runs_of_score(score.notes(~score.is_drum), facts.steps_per_quarter)
    key = key - facts.lowest_pitch
    there = (key >= 0) & (key < facts.keys)
    if not there.any():
        raise NoNotesError("no notes on the keys that the model hears")
    frames = frames_of_runs(key[there], start[there], end[there], (int(end[there].max()), facts.keys))
    left_out = int((~there).sum())
    return frames, (f"{left_out} notes beyond the model's keys are not heard",) * bool(left_out)


def _of_frames(facts: FrameFacts, frames: Frames, score: Score, name: str, remarks: tuple[str, ...] = ()) -> Heard:
    """Frames with their times; ``score`` holds the bars."""
    score = score.notes(~score.is_drum)
    edges = np.arange(len(frames) + 1) / facts.steps_per_quarter
    lines = score.bars() / score.ticks_per_quarter
    bar, quarters = _places(edges[:-1], lines, score)
    highest = np.where(frames.any(axis=1), facts.keys - 1 - frames[:, ::-1].argmax(axis=1), NO_PITCH)
    pitch = _last(np.where(highest >= 0, highest + facts.lowest_pitch, NO_PITCH))
    boxes = [
        Box(first / facts.steps_per_quarter, stop / facts.steps_per_quarter, k + facts.lowest_pitch)
        for k, first, stop in zip(*(column.tolist() for column in runs_of_frames(frames)), strict=True)
    ]
    silent = np.full(len(frames), NO_PITCH)
    return Heard(name, frames, score, edges, lines, bar, quarters, pitch, silent, boxes, remarks, of=facts)


def _begin_of_tokens(tokenizer: Tokenizer, ids: IntArray, score: Score) -> tuple[Floats | None, Floats]:
    """When each token falls, (tokens,), None where nothing tells it; and the bar lines in the same unit."""
    lines = score.bars() / score.ticks_per_quarter
    vocabulary = tokenizer.vocabulary
    match tokenizer:
        case BarsTokenizer():
            begun = ids == vocabulary.id("Bar_None")
            positions = np.where(begun, 0, vocabulary.numbers("Position")[ids])
            bar = np.maximum(np.cumsum(begun) - 1, 0)
            return lines[bar] + np.maximum(_last(positions), 0) / STEPS_PER_QUARTER, lines
        case MelodyTokenizer():
            return np.maximum(np.arange(len(ids)) - 1.0, 0.0) / MELODY_STEPS, lines
        case PianorollTokenizer():
            ended = ids == vocabulary.id("Step_None")
            return (np.cumsum(ended) - ended) / tokenizer.steps_per_quarter, lines
        case PerformanceTokenizer():
            waits = np.maximum(vocabulary.numbers("TimeShift")[ids], 0)
            return (np.cumsum(waits) - waits) / SHIFTS_PER_SECOND, score.seconds(score.bars())
    return None, np.zeros(0)


def _boxes(grid: Score, *, in_seconds: bool) -> list[Box]:
    """The pitched notes of what the tokens hold, in quarters or seconds; of drums alone these."""
    pitched = grid if grid.is_drum.all() else grid.notes(~grid.is_drum)
    ends = (pitched.onset, pitched.onset + pitched.duration)
    begin, end = (pitched.seconds(ticks) if in_seconds else ticks / pitched.ticks_per_quarter for ticks in ends)
    return [Box(*row) for row in zip(begin.tolist(), end.tolist(), pitched.pitch.tolist(), strict=True)]


def _places(begin: Floats | None, lines: Floats, score: Score) -> tuple[IntArray, Floats]:
    """The bar of each step, and how many quarters it is behind that bar's line."""
    if begin is None:
        return np.zeros(0, np.int64), np.zeros(0)
    bar = np.clip(np.searchsorted(lines, begin + 1e-6, side="right") - 1, 0, len(lines) - 2)
    length = np.diff(score.bars()) / score.ticks_per_quarter
    quarters: Floats = (begin - lines[bar]) / np.maximum(np.diff(lines)[bar], 1e-9) * length[bar]
    return bar.astype(np.int64), quarters


def _spread(begin: Floats, end: float) -> Floats:
    """Rising edges of steps: those that begin at one time share the time up to the next."""
    times, first, counts = np.unique(begin, return_index=True, return_counts=True)
    behind = np.append(times[1:], max(end, times[-1] + 1e-3))
    within = np.arange(len(begin)) - np.repeat(first, counts)
    edges = np.repeat(times, counts) + within * np.repeat((behind - times) / counts, counts)
    return np.append(edges, behind[-1])


def _last(values: IntArray) -> IntArray:
    """Each value, or the last one before it that is 0 or more; -1 before the first."""
    known = np.where(values >= 0, np.arange(len(values)), -1)
    place = np.maximum.accumulate(known) if len(values) else known
    last: IntArray = np.where(place >= 0, values[np.maximum(place, 0)], NO_PITCH).astype(np.int64)
    return last


def _cut(heard: Heard, most: int) -> Heard:
    """The first steps of a long piece, with a remark."""
    if len(heard) <= most:
        return heard
    end = heard.edges[most]
    lines = heard.lines[: int(np.searchsorted(heard.lines, end, side="left")) + 1]
    rows = (heard.bar[:most], heard.quarters[:most], heard.pitch[:most], heard.loudness[:most])
    boxes = [box for box in heard.boxes if box.begin < end]
    remarks = (*heard.remarks, f"the first {most:,} of {len(heard):,} steps")
    return Heard(
        heard.name, heard.steps[:most], heard.score, heard.edges[: most + 1], lines, *rows, boxes, remarks, of=heard.of
    )
