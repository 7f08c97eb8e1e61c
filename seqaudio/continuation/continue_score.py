"""How does a piece go on? Read the primer, generate bars behind it, and bring them back into the piece.

Output i of several depends on the seed and on i, not on how many are asked for;
see :mod:`seqaudio.continuation.generation`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.engines import Predictor, checkpoint_of
from seqaudio.continuation.form import Following, Form, pickup_bars
from seqaudio.continuation.generation import Beginning, generate
from seqaudio.continuation.grammar import ContinuationGrammar, allowed_tokens
from seqaudio.continuation.parts import handed_out, handed_out_lead_sheet
from seqaudio.continuation.piece import Continuation
from seqaudio.continuation.primer import HEARD_BARS, Primer, bars_tokenizer, make_primer, pedals_between, what_it_reads
from seqaudio.continuation.sampling import Sampling
from seqaudio.errors import OptionError
from seqaudio.music.lead_sheet import MELODY_PROGRAM, with_names
from seqaudio.music.melody import cut_where_next_begins
from seqaudio.music.score import Score
from seqaudio.music.steps import nearest_steps
from seqaudio.tokens.bars import BarsTokenizer
from seqaudio.tokens.bars.grid import TICKS_PER_QUARTER
from seqaudio.tokens.bars.metre import STEPS_PER_QUARTER
from seqaudio.tokens.tokenizer import DRUMS

DEFAULT_BARS, MAX_BARS = 16, 10_000
RECENT_BARS = 8  # tempo and loudness of the new bars are those of so many bars before them


def continue_score(
    engine: Predictor,
    score: Score,
    *,
    bars: int | None = None,
    primer_bars: int | None = None,
    straight: bool | None = None,
    num_outputs: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    form: Form | None = None,
) -> list[Continuation]:
    """Continue a piece by exactly ``bars`` bars, or to the end of a form.

    Args:
        engine: from :func:`load_engine`, or of counts.
        score: the piece.
        bars: how many to write, 16 where there is no form.
        primer_bars: hear only the first so many bars; None hears all, up to the last full bar.
        straight: hear all notes on sixteenths and triplets; None: if they were played and the model knows scores
            alone, see :func:`make_primer`.
        num_outputs: how many different continuations.
        seed: of the sampling; the same seed gives the same notes.
        sampling: temperatures, cuts and turns; None: as the model says, without cuts, see :attr:`Checkpoint.sampling`.
        form: the form of primer and new bars together, in place of ``bars``.

    Raises:
        NoNotesError: there is nothing to continue.
        OptionError: ``bars``, ``primer_bars``, ``num_outputs`` or ``seed`` is out of range, or the primer is as long as
            the form.
    """
    primer = make_primer(score, checkpoint_of(engine), primer_bars, straight=straight)
    return continue_primer(engine, primer, bars=bars, num_outputs=num_outputs, seed=seed, sampling=sampling, form=form)


def continue_primer(
    engine: Predictor,
    primer: Primer,
    *,
    bars: int | None = None,
    num_outputs: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    form: Form | None = None,
) -> list[Continuation]:
    """Continue a primer made by :func:`make_primer` for this engine's checkpoint; else as :func:`continue_score`."""
    asked = [(primer, seed)]
    found = continuations(engine, asked, bars=bars, num_outputs=num_outputs, sampling=sampling, form=form)
    return _in_order(found, 1)[0]


def continue_scores(
    engine: Predictor,
    scores: Sequence[Score],
    *,
    seeds: Sequence[int] | None = None,
    bars: int | None = None,
    primer_bars: int | None = None,
    straight: bool | None = None,
    num_outputs: int = 1,
    sampling: Sampling | None = None,
    form: Form | None = None,
) -> list[list[Continuation]]:
    """Continue many pieces side by side: the outputs that :func:`continue_score` makes of each, in order, and sooner.

    All that it takes, but ``seeds``: one for each piece; None: 0, 1, 2 and so on. Raises what it raises, and
    OptionError where there is not a seed for each piece.
    """
    seeds = range(len(scores)) if seeds is None else seeds
    if len(seeds) != len(scores):
        raise OptionError(f"{len(seeds)} seeds for {len(scores)} pieces; give one for each, or none")
    primers = [make_primer(score, checkpoint_of(engine), primer_bars, straight=straight) for score in scores]
    asked = list(zip(primers, seeds, strict=True))
    found = continuations(engine, asked, bars=bars, num_outputs=num_outputs, sampling=sampling, form=form)
    return _in_order(found, len(scores))


def continuations(
    engine: Predictor,
    primers: Sequence[tuple[Primer | None, int]],
    *,
    bars: int | None = None,
    num_outputs: int = 1,
    sampling: Sampling | None = None,
    form: Form | None = None,
) -> Iterator[tuple[tuple[int, int], Continuation]]:
    """The same of primers made for this engine's checkpoint, each with its seed, each output as soon as it is written.

    Of None it is a piece made from nothing. Yields which primer and which of its outputs, from 0, and the output.
    """
    tokenizer = bars_tokenizer(checkpoint_of(engine))
    beginnings = [_beginning(engine, primer, bars, seed, form) for primer, seed in primers]
    for (number, output), written in generate(engine, beginnings, num_outputs, sampling):
        primer, length = primers[number][0], int((written.ids == tokenizer.vocabulary.id("Bar_None")).sum())
        if primer is None:
            score = _ended_at_bar(tokenizer.decode(written.ids), length)
            score = with_names(score) if what_it_reads(engine.checkpoint) == "lead sheet" else score
        else:
            score = _decoded(tokenizer, _opening(tokenizer, primer.ids), written.ids)
            score = _as_primer_sounds(primer, score, tokenizer)
        if form is not None:
            score = _without_another_pickup(score, length, primer.voice if primer else score)
        yield (number, output), Continuation(score, length, primer, *written)


def generate_score(
    engine: Predictor,
    *,
    bars: int | None = None,
    num_outputs: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    form: Form | None = None,
) -> list[Continuation]:
    """Pieces made from nothing, of exactly ``bars`` bars or in a form, in metres and tempos of the model's.

    Else as :func:`continue_score`. Raises OptionError.
    """
    found = continuations(engine, [(None, seed)], bars=bars, num_outputs=num_outputs, sampling=sampling, form=form)
    return _in_order(found, 1)[0]


def _in_order(found: Iterable[tuple[tuple[int, int], Continuation]], count: int) -> list[list[Continuation]]:
    """The outputs of so many primers, each in order."""
    outputs = dict(found)
    return [[outputs[place] for place in sorted(outputs) if place[0] == number] for number in range(count)]


def bars_in_seconds(score: Score, seconds: float) -> int:
    """How many bars of a piece's last metre and tempo it takes to fill so many seconds, at least one.

    Raises:
        OptionError: the seconds are not above 0, or no end of them.
    """
    if not (0 < seconds < math.inf):
        raise OptionError(f"seconds is {seconds:g}, it must be above 0")
    numerator, denominator = (int(part) for part in score.metre_map()[-1, 1:])
    bar_s = numerator * 4 / denominator * 60 / score.tempo_qpm(score.end)
    return max(1, math.ceil(seconds / bar_s - 1e-9))


def _beginning(engine: Predictor, primer: Primer | None, bars: int | None, seed: int, form: Form | None) -> Beginning:
    """What is heard, and what may stand behind it."""
    checkpoint, tokenizer = engine.checkpoint, bars_tokenizer(engine.checkpoint)
    if primer is None:
        ids = np.array([tokenizer.vocabulary.id("BOS_None")])
        allowed = allowed_tokens(tokenizer, checkpoint.pitch_range, conducts=True, programs=None)
        following = Following(form, tokenizer) if form else None
        return Beginning(ids, ContinuationGrammar(tokenizer, _bars(bars, form), allowed), seed, following)
    allowed = allowed_tokens(
        tokenizer, _range_that_comes_back(engine, primer), conducts=False, programs=_programs(tokenizer, primer.ids)
    )
    pickup = pickup_bars(primer.voice)
    grammar = ContinuationGrammar(tokenizer, _bars(bars, form, primer.bars, pickup), allowed)
    if form is None:
        return Beginning(primer.ids, grammar, seed)
    in_front = int(np.searchsorted(primer.score.bars(), primer.voice.onset.min(), side="right")) - 1
    return Beginning(
        primer.ids, grammar, seed, Following(form, tokenizer, pickup).heard(primer.ids, in_front, primer.bars)
    )


def _programs(tokenizer: BarsTokenizer, ids: NDArray[np.int64]) -> set[int]:
    """The instruments that tokens name, drums as -1."""
    named = tokenizer.vocabulary.slices.get("Program", slice(0, 0))
    return {DRUMS + token - named.start for token in np.unique(ids).tolist() if named.start <= token < named.stop}


def _range_that_comes_back(engine: Predictor, primer: Primer) -> tuple[int, int]:
    """The model's pitch range without pitches that would leave 0..127 on the way back to the primer's register."""
    low, high = engine.checkpoint.pitch_range
    return max(low, primer.semitones), min(high, 127 + primer.semitones)


def _bars(bars: int | None, form: Form | None, heard: int = 0, pickup: int = 0) -> int:
    """How many bars to write behind so many."""
    if form is None:
        bars = DEFAULT_BARS if bars is None else bars
        if not 1 <= bars <= MAX_BARS:
            raise OptionError(f"bars is {bars}, it must be 1 to {MAX_BARS}")
        return bars
    if bars is not None:
        raise OptionError(f"bars is {bars}, and the form says how many; leave one of them out")
    end = pickup + form.bars
    if heard > HEARD_BARS:
        raise OptionError(
            f"a form counts from the first bar, and of {heard} bars the last {HEARD_BARS} are heard; let fewer "
            "bars of the primer be heard"
        )
    if heard >= end:
        raise OptionError(
            f"the form {form.letters} of {form.section_bars} bars a section ends with bar {end}, and the primer has "
            f"{heard}; give more letters, or let fewer bars of the primer be heard"
        )
    return end - heard


def _opening(tokenizer: BarsTokenizer, primer_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """A bar with one note that sets the metre, pedals, program and velocity that hold at the end of the primer."""
    slices = tokenizer.vocabulary.slices

    def last(kind: str) -> int:
        return int(primer_ids[(primer_ids >= slices[kind].start) & (primer_ids < slices[kind].stop)][-1])

    running = [last(kind) for kind in ("Program", "Velocity") if kind in slices]
    is_drum = tokenizer.programs and running[0] == slices["Program"].start
    pitch = slices["PitchDrum" if is_drum else "Pitch"].start
    first = [tokenizer.vocabulary.id(name) for name in ("BOS_None", "Bar_None")]
    pressed: set[int] = set()
    if "PedalDown" in slices:
        up, down = slices["PedalUp"], slices["PedalDown"]
        for token in primer_ids[(primer_ids >= up.start) & (primer_ids < down.stop)].tolist():
            pressed = pressed | {token} if token >= down.start else pressed - {token - up.start + down.start}
    opened = [slices["Position"].start, *sorted(pressed), *running]
    return np.array([*first, last("TimeSig"), *opened, pitch, slices["Duration"].start])


def _decoded(tokenizer: BarsTokenizer, opening: NDArray[np.int64], ids: NDArray[np.int64]) -> Score:
    """The sampled bars alone, from tick 0, every note ended at the last bar line."""
    bar_id = tokenizer.vocabulary.id("Bar_None")
    bars = int((ids == bar_id).sum())
    score = tokenizer.decode(np.concatenate([opening, ids]))
    _, numerator, denominator = score.metre_map()[0].tolist()
    bar = numerator * 4 * TICKS_PER_QUARTER // denominator
    kept = score.notes(score.onset >= bar)
    onset = kept.onset - bar
    pedals = pedals_between(kept, bar, (1 + bars) * bar)
    return kept.replaced(
        onset=onset,
        duration=np.minimum(kept.duration, bars * bar - onset),
        pedals=pedals[np.isin(pedals[:, 2], kept.track)],
    )


def _ended_at_bar(score: Score, bars: int) -> Score:
    """The score with every note ended at the last bar line; the last bar holds a note."""
    end = int(score.bars()[bars])
    return score.replaced(duration=np.minimum(score.duration, end - score.onset), pedals=pedals_between(score, 0, end))


def _as_primer_sounds(primer: Primer, new: Score, tokenizer: BarsTokenizer) -> Score:
    """The new bars in the primer's register and tempo, and in its instrument and loudness where tokens say nothing."""
    new = new.transposed(-primer.semitones) if primer.semitones else new
    voice = primer.voice
    changes: dict[str, object] = {"tempos": [(0, _lasting_tempo(primer))], "track_names": [""] * len(new.track_names)}
    match primer.reads:
        case "line":
            new = _single_line(new)
            changes["program"] = np.full(len(new), voice.program[-1])
            changes["track_names"] = [voice.track_names[voice.track[-1]]]
        case "lead sheet":
            is_melody = new.program == MELODY_PROGRAM
            new = handed_out_lead_sheet(voice, _single_line(new.notes(is_melody)), new.notes(~is_melody))
            changes["track_names"] = new.track_names
        case "parts":
            new = handed_out(voice, new)
            changes["track_names"] = new.track_names
    if not tokenizer.velocities:
        changes["velocity"] = _loudness(primer, new)
    return new.replaced(**changes)


def _single_line(score: Score) -> Score:
    """The highest note of each onset, ended where the next begins: a model of single lines may still sample two."""
    highest = np.append(np.diff(score.onset) != 0, True)[: len(score)]  # the notes of an onset are sorted by pitch
    return cut_where_next_begins(score.notes(highest))


def _without_another_pickup(score: Score, bars: int, whole: Score) -> Score:
    """New bars that end a piece in a form, which begins with a pickup: without one to a round that does not come.

    All stays where nothing else sounds in the last bar, or where its metre is not that of the first.
    """
    if not len(whole) or not pickup_bars(whole):
        return score
    scale = score.ticks_per_quarter / whole.ticks_per_quarter
    lines, first = score.bars(), round(int(whole.bars()[1]) * scale)
    if len(lines) <= bars or int(lines[bars] - lines[bars - 1]) != first:
        return score
    stays = score.onset < int(lines[bars - 1]) + round(int(whole.onset.min()) * scale)
    return score.notes(stays) if (score.onset[stays] >= lines[bars - 1]).any() else score


def _lasting_tempo(primer: Primer) -> int:
    """Microseconds a quarter for most of the last bars of a primer, so that a final ritardando does not go on."""
    lines = primer.score.bars()
    start, end = int(lines[max(0, primer.bars - RECENT_BARS)]), primer.end
    tempos = primer.score.tempo_map()
    changes = tempos[(tempos[:, 0] > start) & (tempos[:, 0] < end), 0]
    edges = np.concatenate([[start], changes, [end]])
    held = tempos[np.searchsorted(tempos[:, 0], edges[:-1], side="right") - 1, 1]
    values, which = np.unique(held, return_inverse=True)
    return int(values[np.argmax(np.bincount(which, weights=np.diff(edges)))])


def _loudness(primer: Primer, new: Score) -> NDArray[np.int64]:
    """How loud the new notes are: as the last bars of the primer, track by track where a piece keeps its tracks."""
    voice = primer.voice
    recent = voice.onset >= primer.score.bars()[max(0, primer.bars - RECENT_BARS)]
    if primer.reads in ("line", "instruments"):
        return _velocities_as(voice.notes(recent) if recent.any() else voice, new)
    loudness = np.zeros(len(new), dtype=np.int64)
    for number, track in enumerate(np.unique(voice.track).tolist()):
        own, of_track = new.track == number, voice.track == track
        heard = recent & of_track if (recent & of_track).any() else of_track
        loudness[own] = _velocities_as(voice.notes(heard), new.notes(own))
    return loudness


def _velocities_as(voice: Score, new: Score) -> NDArray[np.int64]:
    """The mean loudness that the voice has at the same place in its bars; its mean overall where it has no note."""
    overall = voice.velocity.mean()
    place = _place_in_bar(voice)
    mean_at = {at: voice.velocity[place == at].mean() for at in np.unique(place).tolist()}
    return np.clip(np.rint([mean_at.get(at, overall) for at in _place_in_bar(new).tolist()]), 1, 127).astype(np.int64)


def _place_in_bar(score: Score) -> NDArray[np.int64]:
    """Steps of each note behind its bar line, to the nearest."""
    lines = score.bars()
    ticks = score.onset - lines[np.searchsorted(lines, score.onset, side="right") - 1]
    return nearest_steps(ticks, score.ticks_per_quarter, STEPS_PER_QUARTER)
