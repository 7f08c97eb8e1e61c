"""What does a model get to hear of a piece, and how does its answer get back into the piece?

The primer is cut at a bar line, put straight if it was played and the model knows scores alone, reduced to what the
model can read (its melody, for a single-line model), stripped of silence in front, and moved into the model's pitch
range. What was taken away is remembered, so that the continuation comes back in the primer's register, tempo, metre,
instrument and loudness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.engines import TokenModel
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.music.lead_sheet import lead_sheet
from seqaudio.music.melody import chord_symbols, find_melody, find_melody_notes
from seqaudio.music.metre import with_gathered_beats
from seqaudio.music.score import IntArray, Score
from seqaudio.music.steps import nearest_steps
from seqaudio.music.straight import share_between, share_ended_between, straightened
from seqaudio.tokens.bars import BarsTokenizer
from seqaudio.tokens.bars.metre import METRES, STEPS_PER_QUARTER, nearest_metre
from seqaudio.tokens.tokenizer import DRUMS

Reads = Literal["line", "lead sheet", "parts", "instruments"]
PLAYED = 0.25  # of the onsets, or of the ends, of a primer that was played lie between sixteenths and triplets, or more
SCORES = 0.05  # at most, of what a model learnt that has met nothing played
HEARD_BARS = 256  # of a longer primer the last are heard: an LSTM's state keeps nothing from before


@dataclass(frozen=True)
class Primer:
    """A primer as the musician knows it and as the model reads it.

    Attributes:
        score: all of the piece up to the cut, in its own ticks.
        end: the cut, a bar line of ``score``, in its ticks.
        bars: bars before the cut.
        voice: what the model reads, in the piece's own ticks and register.
        ids: tokens of ``voice`` from its first to its last bar with notes, without EOS.
        semitones: how far ``voice`` was moved to fit the model; the continuation moves back.
        remarks: what people should know: where the melody was found, what was cut or moved.
        reads: "line", "lead sheet", "parts" or "instruments", see :func:`what_it_reads`.
        straight: whether the notes of ``voice`` were put on sixteenths and triplets.
    """

    score: Score
    end: int
    bars: int
    voice: Score
    ids: NDArray[np.int64]
    semitones: int
    remarks: tuple[str, ...]
    reads: Reads = "line"
    straight: bool = False

    @property
    def metre(self) -> tuple[int, int]:
        """Numerator and denominator that go on."""
        _, numerator, denominator = self.voice.metre_map()[-1].tolist()
        return numerator, denominator


def bars_tokenizer(checkpoint: TokenModel) -> BarsTokenizer:
    """The tokenizer of a model of bar tokens. Raises OptionError for a model of other tokens: it knows no bar lines."""
    tokenizer = checkpoint.require_tokenizer()
    if not isinstance(tokenizer, BarsTokenizer):
        raise OptionError(
            f"this model writes {tokenizer.name} tokens, which know no bar lines, and cannot continue by bars; "
            "train one on a corpus prepared with --tokenizer bars"
        )
    return tokenizer


def what_it_reads(checkpoint: TokenModel) -> Reads:
    """What a model of bar tokens reads of a piece.

    "lead sheet", the melody and all other pitched notes, if it learnt from such; else "instruments" and drums where its
    tokens hold them; else "parts", all pitched notes together, or, if it learnt from melodies, one "line". Raises
    OptionError for a model of other tokens.
    """
    programs = bars_tokenizer(checkpoint).programs
    if checkpoint.learnt_from == "lead sheets" and programs:
        return "lead sheet"
    if programs:
        return "instruments"
    return "line" if checkpoint.learnt_from == "melodies" else "parts"


def make_primer(
    score: Score, checkpoint: TokenModel, bars: int | None = None, *, straight: bool | None = None
) -> Primer:
    """Cut a piece after so many bars (None: behind its last full bar) and make it readable for a model.

    Args:
        score: the piece.
        checkpoint: what will hear it.
        bars: of the piece, from its beginning.
        straight: whether all notes are heard on sixteenths and triplets; None: if people played them between, and the
            model is known to have learnt from scores.

    Raises:
        NoNotesError: nothing is left that the model could continue.
        OptionError: the piece has fewer bars than asked for.
    """
    if not len(score):
        raise NoNotesError("no notes to continue; give a file with notes")
    remarks = []
    gathered = with_gathered_beats(score)
    if gathered is not score:
        _, numerator, denominator = gathered.metre_map()[-1].tolist()
        remarks.append(f"single beats as bars, read as {numerator}/{denominator}")
    written, straight, told = _as_written(gathered, checkpoint, straight)
    remarks += told
    lines = written.bars()
    count = _bars_to_keep(written, lines, bars)
    if count < len(lines) - 1:
        why = "" if bars else ", the last is broken off"
        remarks.append(f"bars 1 to {count} of {len(lines) - 1}{why}")
    end = int(lines[count])
    cut, written = _cut(gathered, end), _cut(written, end)
    if not len(written):
        first = int(np.searchsorted(lines, gathered.onset.min(), side="right"))
        raise NoNotesError(f"bars 1 to {count} are silent; the music starts in bar {first}")
    heard = _last_bars(written, lines[: count + 1])
    if not len(heard):
        raise NoNotesError(f"the last {min(count, HEARD_BARS)} bars are silent; choose others with --primer-bars")
    if written.onset.min() < lines[max(0, count - HEARD_BARS)]:
        remarks.append(f"of {count} bars the last {HEARD_BARS} are heard")
    lasting = _without_a_short_last_bar(heard, lines[: count + 1])
    readable = make_readable(lasting, checkpoint)
    remarks += readable.remarks
    metre = tuple(lasting.metre_map()[-1, 1:].tolist())
    if lasting is not heard:
        short = "{}/{}".format(*heard.metre_map()[-1, 1:].tolist())
        remarks.append("the last bar, {}, is taken for a short one of {}/{}".format(short, *metre))
    going_on = nearest_metre(*metre)
    if metre != going_on:
        remarks.append("metre {}/{} continued in {}/{}".format(*metre, *going_on))
    tokenizer = bars_tokenizer(checkpoint)
    ids = _ending_in(going_on, tokenizer, tokenizer.encode(readable.score)[:-1])
    voice, semitones, reads = readable.voice, readable.semitones, what_it_reads(checkpoint)
    return Primer(cut, end, count, voice, ids, semitones, tuple(remarks), reads, straight)


def _as_written(score: Score, checkpoint: TokenModel, straight: bool | None) -> tuple[Score, bool, tuple[str, ...]]:
    """A piece put straight or as it is, which of the two, and what to say; None: straight if that is due."""
    heard, known = _can_hear(score, checkpoint), checkpoint.between
    begun, ended = share_between(score.notes(heard)), share_ended_between(score.notes(heard))
    if straight is None:
        straight = known is not None and known <= SCORES and max(begun, ended) >= PLAYED
    if not straight:
        return score, False, ()
    between, of_its = max((begun, "of its onsets lie"), (ended, "of its notes end"))
    told = f"played: {between:.0%} {of_its} between sixteenths and triplets, and are heard on them"
    return straightened(score, heard), True, (told,) if between else ()


def _can_hear(score: Score, checkpoint: TokenModel) -> NDArray[np.bool_]:
    """The notes of the kinds that a model reads, (notes,): drums, pitched ones, or both."""
    knows_drums, knows_pitches = False, True
    if what_it_reads(checkpoint) == "instruments":
        knows_drums, knows_pitches = _kinds_met(checkpoint)
    kinds: NDArray[np.bool_] = np.where(score.is_drum, knows_drums, knows_pitches)
    return kinds


def _last_bars(score: Score, lines: IntArray) -> Score:
    """The notes of the last bars that a model hears; one a hair before the last bar line belongs behind it."""
    tpq = score.ticks_per_quarter
    before_cut = nearest_steps(score.onset, tpq, STEPS_PER_QUARTER) < nearest_steps(lines[-1], tpq, STEPS_PER_QUARTER)
    return score.notes(before_cut & (score.onset >= lines[max(0, len(lines) - 1 - HEARD_BARS)]))


def _without_a_short_last_bar(score: Score, lines: NDArray[np.int64]) -> Score:
    """The score without a change of metre that is no more than its last bar, shorter than two or more before it.

    Bars are written so where a phrase ends before the next one's pickup, or at a repeat.
    """
    changes = score.metre_map()
    if len(changes) < 2 or len(lines) < 4 or changes[-1, 0] < lines[-2]:
        return score
    two_before, one_before, last = np.diff(lines[-4:]).tolist()
    if not last < one_before == two_before or changes[-2, 0] > lines[-4]:
        return score
    return score.replaced(time_signatures=changes[:-1])


def _ending_in(metre: tuple[int, int], tokenizer: BarsTokenizer, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ids, with a bar of this metre behind them if the voice stopped before the piece came to it."""
    metres = tokenizer.vocabulary.slices["TimeSig"]
    wanted = metres.start + METRES.index(metre)
    if ids[(ids >= metres.start) & (ids < metres.stop)][-1] == wanted:
        return ids
    return np.append(ids, [tokenizer.vocabulary.id("Bar_None"), wanted])


@dataclass(frozen=True)
class Readable:
    """A piece as a model can read it.

    Attributes:
        score: what to encode: one voice if the model knows no more, in its pitch range, from its first bar with notes.
        voice: the same in the piece's own register and time.
        semitones: from ``voice`` to ``score``.
        remarks: what people should know.
    """

    score: Score
    voice: Score
    semitones: int
    remarks: tuple[str, ...]


def make_readable(score: Score, checkpoint: TokenModel) -> Readable:
    """What a model can hear of a piece: its melody, its parts, or the drums or pitched notes that it has met.

    Moved into the model's range, without silence in front and behind.

    Single beats as bars must be gathered before, see :func:`seqaudio.music.metre.with_gathered_beats`.

    Raises:
        NoNotesError: nothing is left.
    """
    remarks = []
    voice = pitched = score.notes(~score.is_drum)
    unheard = {"drum notes": len(score) - len(pitched)}
    match what_it_reads(checkpoint):
        case "line":
            melody = find_melody(_on_grid(score))
            voice = melody.score
            remarks.append(f"melody: {melody.found_as}")
        case "lead sheet" if len(pitched):
            voice = _on_grid(pitched)
            is_melody, found_as = find_melody_notes(voice)
            remarks.append(f"melody: {found_as}")
            symbols = chord_symbols(voice)
            if symbols.any():  # and what else sounds plays out what they say
                unheard["notes beside melody and chord symbols"] = int((~is_melody & ~symbols).sum())
                voice = voice.notes(is_melody | symbols)
        case "instruments":
            knows_drums, knows_pitches = _kinds_met(checkpoint)
            voice = score.notes(_can_hear(score, checkpoint))
            unheard = {} if knows_drums else unheard
            unheard["pitched notes"] = 0 if knows_pitches else len(pitched)
    if any(unheard.values()):
        remarks.append(f"{' and '.join(f'{n} {what}' for what, n in unheard.items() if n)} are not heard")
    if not len(voice):
        raise NoNotesError(_nothing_of(score))
    semitones = _shift_into(voice, checkpoint.pitch_range)
    if semitones:
        remarks.append(f"moved by {semitones:+d} semitones for the model, and back")
    told_apart = lead_sheet(voice) if what_it_reads(checkpoint) == "lead sheet" else voice
    moved = _folded(told_apart, semitones, checkpoint.pitch_range)
    folded = int((moved.pitch != told_apart.pitch + semitones * ~told_apart.is_drum).sum())
    if folded:
        remarks.append(f"{folded} notes beyond the model's range heard an octave nearer")
    return Readable(_without_silence_in_front(moved, score.bars()), voice, semitones, tuple(remarks))


def _kinds_met(checkpoint: TokenModel) -> tuple[bool, bool]:
    """Whether a model has met drums, and pitched notes; both where nobody knows."""
    met = checkpoint.programs
    return (DRUMS in met, bool(met - {DRUMS})) if met else (True, True)


def _nothing_of(score: Score) -> str:
    """Why a model hears nothing of a piece."""
    if not len(score):
        return "no notes"
    came, other = ("drums", "pitched notes") if score.is_drum.all() else ("pitched notes", "drums")
    return f"no {other}, only {came}, and this model hears {other} alone; name another with --model"


def _on_grid(score: Score) -> Score:
    """The score with onsets at twelfths of a quarter, so that the notes of a rolled chord begin together."""
    steps = nearest_steps(score.onset, score.ticks_per_quarter, STEPS_PER_QUARTER)
    onset = np.rint(steps * (score.ticks_per_quarter / STEPS_PER_QUARTER)).astype(np.int64)
    return score.replaced(onset=onset, duration=np.maximum(score.onset + score.duration - onset, 1))


def _bars_to_keep(score: Score, lines: NDArray[np.int64], wanted: int | None) -> int:
    """All bars; without the last if its music stops before its middle, as in a take that was broken off.

    A last bar in which everything begins on the downbeat is an ending and kept, and so is one that holds all the notes.
    """
    total = len(lines) - 1
    if wanted is not None:
        if not 1 <= wanted <= total:
            raise OptionError(f"primer of {wanted} bars asked for, the piece has {total}; choose 1 to {total}")
        return wanted
    half_full = 2 * (score.end - lines[-2]) >= lines[-1] - lines[-2]
    holds_all_notes = not (score.onset < lines[-2]).any()
    is_ending = not (score.onset > lines[-2] + score.ticks_per_quarter // 4).any()
    return total if half_full or holds_all_notes or is_ending else total - 1


def _cut(score: Score, end: int) -> Score:
    """Only what is before a tick, with sounding notes and pedals ended there."""
    kept = score.notes(score.onset < end)
    return kept.replaced(
        duration=np.minimum(kept.duration, end - kept.onset),
        pedals=pedals_between(score, 0, end),
        tempos=score.tempos[score.tempos[:, 0] < end],
        time_signatures=score.time_signatures[score.time_signatures[:, 0] < end],
    )


def pedals_between(score: Score, start: int, stop: int = np.iinfo(np.int64).max) -> NDArray[np.int64]:
    """The pedal spans (tick, duration, track) as far as they lie between two ticks, counted from the first of them."""
    down = np.maximum(score.pedals[:, 0], start)
    up = np.minimum(score.pedals[:, 0] + score.pedals[:, 1], stop)
    spans: NDArray[np.int64] = np.column_stack([down - start, up - down, score.pedals[:, 2]])[up > down]
    return spans


def _shift_into(voice: Score, pitch_range: tuple[int, int]) -> int:
    """The smallest shift by octaves that brings the most pitched notes into a range."""
    low, high = pitch_range
    pitch = voice.pitch[~voice.is_drum]
    shifts = sorted(range(-120, 121, 12), key=abs)
    inside = [int(((pitch + shift >= low) & (pitch + shift <= high)).sum()) for shift in shifts]
    return shifts[int(np.argmax(inside))]


def _folded(voice: Score, semitones: int, pitch_range: tuple[int, int]) -> Score:
    """The voice moved; notes still outside the range go to the nearest octave inside it."""
    low, high = pitch_range
    pitch = voice.pitch + np.where(voice.is_drum, 0, semitones)
    above, below = np.maximum(pitch - high, 0), np.maximum(low - pitch, 0)
    folded = pitch - 12 * -(-above // 12) + 12 * -(-below // 12)
    return voice.replaced(pitch=np.clip(np.where(voice.is_drum, pitch, folded), 0, 127))


def _without_silence_in_front(voice: Score, lines: NDArray[np.int64]) -> Score:
    """The voice from the bar of its first note on."""
    start = int(lines[np.searchsorted(lines, voice.onset.min(), side="right") - 1])
    return voice.replaced(
        onset=voice.onset - start,
        time_signatures=_from(start, voice.metre_map()),
        tempos=_from(start, voice.tempo_map()),
        pedals=pedals_between(voice, start),
    )


def _from(start: int, changes: NDArray[np.int64]) -> NDArray[np.int64]:
    """A map of changes from a tick on, which becomes tick 0; the first row is what holds there."""
    rows: NDArray[np.int64] = changes[np.searchsorted(changes[:, 0], start, side="right") - 1 :].copy()
    rows[:, 0] = np.maximum(rows[:, 0] - start, 0)
    return rows
