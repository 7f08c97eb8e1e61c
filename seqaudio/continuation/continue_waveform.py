"""How does sound go on? Codes of its stretches out of a model of the sound itself, and sound for the codes.

    recording -> units -> codes -> a model of the codes -> more codes -> grains, or Griffin-Lim

Nothing is trained beforehand: the codebook is learnt on the primer alone, and so is the model, counts of which code
follows which (PPM) with a copy of what followed the longest match, and of what came a loop ago where the sound
returns. All take well below a second. Only codes that the primer has at the same part of a beat are written, so beats
stay where they are.

Output i of several depends on the seed and on i alone, not on how many are asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.grains import cheapest_path, distances, first_costs, grains, tail_distances
from seqaudio.continuation.returning import Returning
from seqaudio.continuation.sampling import Sampling, sample
from seqaudio.continuation.sound_units import Units, find_units
from seqaudio.errors import OptionError
from seqaudio.models.baselines import PPM, MatchCopy
from seqaudio.music.waveform import Waveform
from seqaudio.tokens.audio_codes import AudioCodes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Decoder = Literal["grains", "griffinlim"]
DECODERS: tuple[Decoder, ...] = get_args(Decoder)

PLAIN = Sampling(temperature=0.5)  # nearest to how loops and tunes really go on, see docs/audio.md
ORDER = 2  # of the counts
UNITS_PER_CODE, MOST_CODES = 4, 256
MOST_SECONDS = 600.0  # to write
HEARD_S = 300.0  # of a long primer so much of its end is heard
SLACK = 1.25  # more units than are needed, as joins may shorten each
SURE = 3.0  # how much the tail says of the unit that it begins


@dataclass(frozen=True, eq=False)
class SoundPrimer:
    """A primer as it was heard.

    Attributes:
        recording: all of it.
        heard: its end, as far as it is listened to.
        units: of ``heard``.
        codebook: learnt on those units that come before a quiet end.
        codes: of the sounding units, ids of the codebook's tokens.
        model: of the codes, and of their return where the sound returns.
    """

    recording: Waveform
    heard: Waveform
    units: Units
    codebook: AudioCodes
    codes: Ints
    model: Returning


@dataclass(frozen=True, eq=False)
class SoundContinuation:
    """What comes behind a primer.

    Attributes:
        waveform: the new sound alone, at the rate and with the channels of the primer.
        codes: what the model wrote, ids, the first of them for the stretch that the primer breaks off in.
        path: the units of the primer that were taken for them, of the decoder ``grains``.
        nats_per_code: mean surprise of what was written, before any cut or temperature.
        joins: how often the new sound leaves the stretch of the primer that it was in; None of ``griffinlim``.
    """

    waveform: Waveform
    primer: SoundPrimer
    codes: Ints
    path: Ints
    nats_per_code: float
    joins: int | None

    def with_primer(self) -> Waveform:
        """The primer with the new sound behind it."""
        joined = np.concatenate([self.primer.recording.samples, self.waveform.samples], axis=1)
        return Waveform(joined, self.waveform.sample_rate)


def hear_primer(recording: Waveform, *, seed: int = 0) -> SoundPrimer:
    """Learn a codebook and a model of codes from a recording.

    Args:
        recording: of any rate and channels; of more than five minutes the last five are heard.
        seed: of the codebook's first centres.

    Raises:
        NoSoundError: it is silent, or shorter than a quarter of a second.
    """
    heard = recording if recording.seconds <= HEARD_S else recording.cut(recording.seconds - HEARD_S)
    units = find_units(heard)
    vectors = units.vectors[: units.sounding]
    count = min(MOST_CODES, max(2, len(vectors) // UNITS_PER_CODE))
    codebook = AudioCodes.fit(vectors, (count,), seed=seed, weights=units.weights)
    codes = codebook.ids(codebook.encode(vectors))
    halves = [codes[: len(codes) // 2], codes[len(codes) // 2 :]]  # so that how far a copy is to be trusted can be told
    model = MatchCopy(lambda: PPM(ORDER, vocabulary_size=len(codebook.vocabulary))).fit(halves)
    returning = Returning.of(model, codes, None if units.died_away else units.loop)
    return SoundPrimer(recording, heard, units, codebook, codes, returning)


def continue_waveform(
    recording: Waveform,
    seconds: float = 10.0,
    *,
    decoder: Decoder = "grains",
    num_outputs: int = 1,
    seed: int = 0,
    sampling: Sampling = PLAIN,
) -> list[SoundContinuation]:
    """Continue a recording by so many seconds, at its own rate, level and number of channels.

    Args:
        recording: the primer.
        seconds: how long to go on, up to ten minutes.
        decoder: ``"grains"``: stretches of the primer, faded into each other; ``"griffinlim"``: a sound made anew from
            what the codes say of loudness, duller, the same in all channels.
        num_outputs: how many different continuations.
        seed: of all that is drawn.
        sampling: temperature and cuts, of the codes.

    Raises:
        NoSoundError: the primer is silent, or shorter than a quarter of a second.
        OptionError: an argument is out of range.
    """
    pieces = continuations(recording, seconds, decoder=decoder, num_outputs=num_outputs, seed=seed, sampling=sampling)
    return list(pieces)


def continuations(
    recording: Waveform,
    seconds: float = 10.0,
    *,
    decoder: Decoder = "grains",
    num_outputs: int = 1,
    seed: int = 0,
    sampling: Sampling = PLAIN,
) -> Iterator[SoundContinuation]:
    """As :func:`continue_waveform`, one after the other: each is made when it is asked for, and none is kept.

    The primer is heard, and what is wrong is raised, before the first is asked for.

    Raises:
        NoSoundError: the primer is silent, or shorter than a quarter of a second.
        OptionError: an argument is out of range.
    """
    if not 0 < seconds <= MOST_SECONDS:
        raise OptionError(f"seconds is {seconds:g}, it must be above 0 and at most {MOST_SECONDS:g}")
    if decoder not in DECODERS:
        raise OptionError(f"no decoder is named {decoder!r}; there are {', '.join(DECODERS)}")
    if not 1 <= num_outputs <= 10_000:
        raise OptionError(f"num_outputs is {num_outputs}, it must be 1 to 10000")
    if seed < 0:
        raise OptionError(f"seed is {seed}, it must be 0 or more")
    if sampling.gate_temperature not in (None, 1):
        raise OptionError(
            "gate_temperature is for models with a memory, and sound is continued by counts; leave it out"
        )
    primer = hear_primer(recording, seed=seed)
    samples = max(1, round(seconds * recording.sample_rate))
    return (_written(primer, samples, decoder, sampling, (seed, output)) for output in range(num_outputs))


def _written(
    primer: SoundPrimer, samples: int, decoder: Decoder, sampling: Sampling, seed: tuple[int, int]
) -> SoundContinuation:
    generator = np.random.default_rng(seed)
    codes, nats = write_codes(primer, samples, sampling, generator)
    path = choose_units(primer, codes)
    if decoder == "grains":
        sound = grains(primer.heard, primer.units, path, samples)
        joins = int((np.diff(path) != 1).sum()) + 1
    else:
        from seqaudio.continuation.griffinlim import griffinlim

        sound = griffinlim(primer.heard, primer.units, primer.codebook, codes, path, samples, generator)
        joins = None
    return SoundContinuation(
        Waveform(sound, primer.recording.sample_rate), primer, codes, path, float(np.mean(nats)), joins
    )


def write_codes(
    primer: SoundPrimer, samples: int, sampling: Sampling, generator: np.random.Generator
) -> tuple[Ints, list[float]]:
    """Codes that fill so many samples behind the tail, and how surprising each was, in nats."""
    units = primer.units
    lengths, phases = np.diff(units.bounds)[: units.sounding], units.phases[: units.sounding]
    longest = _longest_runs(primer.codes)
    needed = SLACK * (samples + len(primer.heard) - int(units.bounds[-1]))
    past: list[int] = primer.codes.tolist()
    nats: list[float] = []
    filled = 0.0
    while filled < needed:
        phase = (units.phases[-1] + len(nats)) % units.parts
        there = np.flatnonzero(phases == phase) if (phases == phase).any() else np.arange(units.sounding)
        if units.died_away and not nats:
            there = there[:1]  # it begins anew, as it began
        allowed = np.zeros(len(primer.codebook.vocabulary), bool)
        allowed[primer.codes[there]] = True
        run = next((n for n, code in enumerate(reversed(past)) if code != past[-1]), len(past))
        if run >= longest[past[-1]] and allowed.sum() > allowed[past[-1]]:
            allowed[past[-1]] = False  # a closing note is how a piece ends, not how it goes on
        logits = primer.model.log_probabilities(past)
        told = logits if nats else logits + told_by_tail(primer)
        past.append(sample(told, allowed, sampling, generator))
        nats.append(-float(logits[past[-1]]))
        filled += float(lengths[there][primer.codes[there] == past[-1]].mean())
    return np.array(past[len(primer.codes) :]), nats


def _longest_runs(codes: Ints) -> dict[int, int]:
    """How many units in a row each code has at most; the last run counts only where its code has no other."""
    runs = [(code, sum(1 for _ in run)) for code, run in itertools.groupby(codes.tolist())]
    longest: dict[int, int] = {}
    for code, count in runs[:-1]:
        longest[code] = max(longest.get(code, 0), count)
    return dict(runs[-1:]) | longest


def told_by_tail(primer: SoundPrimer) -> Floats:
    """What the beginning of a unit says of its code, (vocabulary,): minus its distance to the nearest of each."""
    apart = tail_distances(primer.units, len(primer.heard))
    told = np.full(len(primer.codebook.vocabulary), -apart.max(initial=0.0))
    np.maximum.at(told, primer.codes, -apart)
    return SURE * told


def choose_units(primer: SoundPrimer, codes: Ints) -> Ints:
    """A unit of the primer for each code, (codes,), so that they flow; see :mod:`seqaudio.continuation.grains`."""
    units = primer.units
    apart = distances(primer.codebook.standardised(units.vectors[: units.sounding]))
    candidates = []
    for number, code in enumerate(codes.tolist()):
        of_code = primer.codes == code
        in_phase = of_code & (units.phases[: units.sounding] == (units.phases[-1] + number) % units.parts)
        candidates.append(np.flatnonzero(in_phase if in_phase.any() else of_code))
    return cheapest_path(candidates, apart, first_costs(units, apart, len(primer.heard)))
