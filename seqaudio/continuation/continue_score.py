"""How does a piece go on? Read the primer, sample bars under the grammar, and bring them back into the piece.

Output i of several depends on the seed and on i alone, not on how many are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.engines import Engine, EngineState
from seqaudio.continuation.grammar import ContinuationGrammar, ContinuationState, allowed_tokens
from seqaudio.continuation.primer import Primer, make_primer
from seqaudio.continuation.sampling import Sampling, sample
from seqaudio.errors import OptionError
from seqaudio.music.score import Score
from seqaudio.tokens.bars import DRUMS, BarsTokenizer
from seqaudio.tokens.bars_grid import TICKS_PER_QUARTER

MAX_BARS = 10_000
PLAIN = Sampling()  # the model's own probabilities
MAX_TICKS_PER_QUARTER = 32767


@dataclass(frozen=True)
class Continuation:
    """What a model wrote.

    Attributes:
        score: the new bars alone, from tick 0, in the tempo, metre, instrument and loudness of the primer.
        bars: how many, exactly.
        primer: what came before; None for a piece made from nothing.
        ids: the sampled tokens, the first of them a Bar.
        nats: mean surprise of the sampled tokens under the model, before any cut or temperature.
    """

    score: Score
    bars: int
    primer: Primer | None
    ids: NDArray[np.int64]
    nats: float

    def with_primer(self) -> Score:
        """The primer, all its tracks, with the new bars behind it in the track of its voice."""
        return self.score if self.primer is None else _joined(self.primer, self.score)


def continue_score(
    engine: Engine,
    score: Score,
    *,
    bars: int = 16,
    primer_bars: int | None = None,
    num_outputs: int = 1,
    seed: int = 0,
    sampling: Sampling = PLAIN,
) -> list[Continuation]:
    """Continue a piece by exactly ``bars`` bars.

    Args:
        engine: from :func:`load_engine`.
        score: the piece.
        bars: how many to write.
        primer_bars: hear only the first so many bars; None hears all, up to the last full bar.
        num_outputs: how many different continuations.
        seed: of the sampling; the same seed gives the same notes.
        sampling: temperature and cuts.

    Raises:
        NoNotesError: there is nothing to continue.
        OptionError: ``bars``, ``primer_bars``, ``num_outputs`` or ``seed`` is out of range.
    """
    primer = make_primer(score, engine.checkpoint, primer_bars)
    return continue_primer(engine, primer, bars=bars, num_outputs=num_outputs, seed=seed, sampling=sampling)


def continue_primer(
    engine: Engine,
    primer: Primer,
    *,
    bars: int = 16,
    num_outputs: int = 1,
    seed: int = 0,
    sampling: Sampling = PLAIN,
) -> list[Continuation]:
    """Continue a primer made by :func:`make_primer` for this engine's checkpoint; else as :func:`continue_score`."""
    tokenizer = engine.checkpoint.tokenizer
    programs = set(np.where(primer.voice.is_drum, DRUMS, primer.voice.program).tolist())
    allowed = allowed_tokens(tokenizer, _range_that_comes_back(engine, primer), metres=False, programs=programs)
    grammar = ContinuationGrammar(tokenizer, _bars(bars), allowed)
    written = _write(engine, primer.ids, grammar, num_outputs, seed, sampling)
    opening = _opening(tokenizer, primer.ids)
    return [
        Continuation(_as_primer_sounds(primer, _decoded(tokenizer, opening, ids), tokenizer), bars, primer, ids, nats)
        for ids, nats in written
    ]


def generate_score(
    engine: Engine, *, bars: int = 16, num_outputs: int = 1, seed: int = 0, sampling: Sampling = PLAIN
) -> list[Continuation]:
    """Pieces made from nothing, of exactly ``bars`` bars each; the model chooses the metre. Raises OptionError."""
    tokenizer = engine.checkpoint.tokenizer
    allowed = allowed_tokens(tokenizer, engine.checkpoint.pitch_range, metres=True, programs=None)
    grammar = ContinuationGrammar(tokenizer, _bars(bars), allowed)
    start = np.array([tokenizer.vocabulary.id("BOS_None")])
    written = _write(engine, start, grammar, num_outputs, seed, sampling)
    return [Continuation(_ended_at_bar(tokenizer.decode(ids), bars), bars, None, ids, nats) for ids, nats in written]


def bars_in_seconds(score: Score, seconds: float) -> int:
    """How many bars of a piece's last metre and tempo it takes to fill so many seconds, at least one."""
    if not (0 < seconds < math.inf):
        raise OptionError(f"seconds is {seconds:g}, it must be above 0")
    numerator, denominator = (int(part) for part in score.metre_map()[-1, 1:])
    bar_s = numerator * 4 / denominator * 60 / score.tempo_qpm(score.end)
    return max(1, math.ceil(seconds / bar_s - 1e-9))


def _range_that_comes_back(engine: Engine, primer: Primer) -> tuple[int, int]:
    """The model's pitch range without pitches that would leave 0..127 on the way back to the primer's register."""
    low, high = engine.checkpoint.pitch_range
    return max(low, primer.semitones), min(high, 127 + primer.semitones)


def _bars(bars: int) -> int:
    if not 1 <= bars <= MAX_BARS:
        raise OptionError(f"bars is {bars}, it must be 1 to {MAX_BARS}")
    return bars


def _write(
    engine: Engine,
    primer_ids: NDArray[np.int64],
    grammar: ContinuationGrammar,
    num_outputs: int,
    seed: int,
    sampling: Sampling,
) -> Iterator[tuple[NDArray[np.int64], float]]:
    """The primer is read once; each output then goes on from there by itself, one token at a time."""
    if not 1 <= num_outputs <= 10_000:
        raise OptionError(f"num_outputs is {num_outputs}, it must be 1 to 10000")
    if seed < 0:
        raise OptionError(f"seed is {seed}, it must be 0 or more")
    logits, heard = engine.run(primer_ids[None, :], engine.initial_state(1))  # (1, time, vocabulary)
    tokens = grammar.tokenizer.start()
    for token in primer_ids.tolist():
        tokens = tokens.after(token)
    for i in range(num_outputs):
        generator = np.random.default_rng((seed, i))
        yield _sample_bars(engine, grammar, ContinuationState(tokens), logits[0, -1], heard, sampling, generator)


def _sample_bars(
    engine: Engine,
    grammar: ContinuationGrammar,
    state: ContinuationState,
    logits: NDArray[np.float32],
    heard: EngineState,
    sampling: Sampling,
    generator: np.random.Generator,
) -> tuple[NDArray[np.int64], float]:
    """Tokens of the bars asked for, up to and without the bar line behind them, and their mean nats."""
    ids: list[int] = []
    nats = 0.0
    while True:
        token = sample(logits, grammar.mask(state), sampling, generator)
        nats += float(np.logaddexp.reduce(logits.astype(np.float64)) - logits[token])
        state = grammar.after(state, token)
        if grammar.is_over(state):
            return np.array(ids), nats / (len(ids) + 1)
        ids.append(token)
        after, heard = engine.run(np.array([[token]]), heard)
        logits = after[0, 0]


def _opening(tokenizer: BarsTokenizer, primer_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """A bar with one note that sets the metre, program and velocity that hold at the end of the primer."""
    slices = tokenizer.vocabulary.slices

    def last(kind: str) -> int:
        return int(primer_ids[(primer_ids >= slices[kind].start) & (primer_ids < slices[kind].stop)][-1])

    running = [last(kind) for kind in ("Program", "Velocity") if kind in slices]
    is_drum = tokenizer.programs and running[0] == slices["Program"].start
    pitch = slices["PitchDrum" if is_drum else "Pitch"].start
    first = [tokenizer.vocabulary.id(name) for name in ("BOS_None", "Bar_None")]
    return np.array([*first, last("TimeSig"), slices["Position"].start, *running, pitch, slices["Duration"].start])


def _decoded(tokenizer: BarsTokenizer, opening: NDArray[np.int64], ids: NDArray[np.int64]) -> Score:
    """The sampled bars alone, from tick 0, every note ended at the last bar line."""
    bar_id = tokenizer.vocabulary.id("Bar_None")
    bars = int((ids == bar_id).sum())
    score = tokenizer.decode(np.concatenate([opening, ids]))
    _, numerator, denominator = score.metre_map()[0].tolist()
    bar = numerator * 4 * TICKS_PER_QUARTER // denominator
    kept = score.notes(score.onset >= bar)
    onset = kept.onset - bar
    return kept.replaced(onset=onset, duration=np.minimum(kept.duration, bars * bar - onset))


def _ended_at_bar(score: Score, bars: int) -> Score:
    """The score with every note ended at the last bar line; the last bar holds a note."""
    return score.replaced(duration=np.minimum(score.duration, score.bars()[bars] - score.onset))


def _as_primer_sounds(primer: Primer, new: Score, tokenizer: BarsTokenizer) -> Score:
    """The new bars in the primer's register and tempo, and in its instrument and loudness where tokens say nothing."""
    tempo_us = round(6e7 / primer.score.tempo_qpm(primer.end - 1))
    new = new.transposed(-primer.semitones) if primer.semitones else new
    voice = primer.voice
    changes: dict[str, object] = {"tempos": [(0, tempo_us)], "track_names": [""] * len(new.track_names)}
    if not tokenizer.programs:
        changes["program"] = np.full(len(new), voice.program[-1])
        changes["track_names"] = [voice.track_names[voice.track[-1]]]
    if not tokenizer.velocities:
        changes["velocity"] = _velocities_as(voice, new)
    return new.replaced(**changes)


def _velocities_as(voice: Score, new: Score) -> NDArray[np.int64]:
    """The mean loudness that the voice has at the same place in its bars; its mean overall where it has no note."""
    overall = voice.velocity.mean()
    place = np.rint(_place_in_bar(voice) * (TICKS_PER_QUARTER / voice.ticks_per_quarter))
    mean_at = {at: voice.velocity[place == at].mean() for at in np.unique(place).tolist()}
    return np.clip(np.rint([mean_at.get(at, overall) for at in _place_in_bar(new).tolist()]), 1, 127).astype(np.int64)


def _place_in_bar(score: Score) -> NDArray[np.int64]:
    """Ticks of each note behind its bar line."""
    lines = score.bars()
    return score.onset - lines[np.searchsorted(lines, score.onset, side="right") - 1]


def _joined(primer: Primer, new: Score) -> Score:
    """Primer and new bars in one score, on a resolution fine enough for both where MIDI has one."""
    old = primer.score
    tpq = math.lcm(old.ticks_per_quarter, 12)
    tpq = tpq if tpq <= MAX_TICKS_PER_QUARTER else old.ticks_per_quarter
    old_scale, new_scale = tpq // old.ticks_per_quarter, tpq / TICKS_PER_QUARTER

    def later(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        moved: NDArray[np.int64] = np.rint(ticks * new_scale).astype(np.int64) + primer.end * old_scale
        return moved

    onset, end = later(new.onset), later(new.onset + new.duration)
    track = _tracks_of(primer.voice, new)
    columns = {
        name: np.append(getattr(old, name), getattr(new, name)) for name in ("pitch", "velocity", "program", "is_drum")
    }
    names = (*old.track_names, *[""] * (1 + int(track.max(initial=0)) - len(old.track_names)))
    metre = [(primer.end * old_scale, *new.metre_map()[0, 1:].tolist())] if len(new.time_signatures) else []
    return old.replaced(
        ticks_per_quarter=tpq,
        onset=np.append(old.onset * old_scale, onset),
        duration=np.append(old.duration * old_scale, np.maximum(end - onset, 1)),
        track=np.append(old.track, track),
        **columns,
        tempos=old.tempos * [old_scale, 1],
        time_signatures=[*(old.time_signatures * [old_scale, 1, 1]).tolist(), *metre],
        pedals=old.pedals * [old_scale, old_scale, 1],
        track_names=names,
    )


def _tracks_of(voice: Score, new: Score) -> NDArray[np.int64]:
    """For each new note the primer's track that plays its program last, or a new track."""
    known = {
        (program, drum): track
        for program, drum, track in zip(
            voice.program.tolist(), voice.is_drum.tolist(), voice.track.tolist(), strict=True
        )
    }
    beyond = len(voice.track_names)
    keys = zip(new.program.tolist(), new.is_drum.tolist(), strict=True)
    return np.array([known.get(key, beyond) for key in keys], dtype=np.int64)
