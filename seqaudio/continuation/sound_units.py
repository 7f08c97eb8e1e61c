"""Into which stretches does sound fall, and what is each like? Beats and their parts, or an even grid.

A unit runs from one bound to the next. It is told by a vector: how loud each of ``MELS`` bands is in each of ``SLICES``
equal parts of it, in nats, and how much of each pitch class it holds. What stands behind the last bound is a unit that
is not over yet: the tail, which a continuation has to end.

Conventions: bounds are samples of the recording, ascending; phases say which part of a beat begins at each bound, 0 the
beat itself, and all 0 without beats. Features are made at 22,050 Hz of the mean of the channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.seams import best_shift, likeness
from seqaudio.errors import NoSoundError
from seqaudio.features.functions import beat_times, chroma_stft, mel, onset_strength
from seqaudio.music.waveform import Waveform

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RATE = 22_050
HOP, WINDOW = 256, 1024  # of loudness
CHROMA_WINDOW = 4096  # a semitone above middle C is told apart
BEAT_HOP = 512
MELS, SLICES, CLASSES = 80, 4, 12
UNIT_S = 0.2  # about so long is a unit
FEWEST = 8  # units of a recording
LEAST_S = 0.25
FLOOR = 9.0  # nats of power below the loudest band, 39 dB: less is silence
FEWEST_BEATS = 4
EVENED = 8  # beats to each side
FINE_HOP, NEAR, DRIFT = 128, 3, 80  # frames of 6 ms: how far apart is near, and by how much a tempo may be off in all
LEAST_LAG_S, MOST_LAG = 0.5, 0.6  # of a return: seconds, and a share of the whole
WAVE = 2**18  # samples of a wave that are compared
ALIKE, AS_ALIKE = 0.7, 0.03  # how much a return is like what it repeats; what is less alike by so little is as alike
TURNS = (4, 8, 16, 32)  # units of a loop that is there once
SHORTEST_S = 0.09  # of them
ONE_TURN = 1.6  # onsets are so much stronger at the bounds of these; of 75 sounds that are no loop the most has 1.43
AS_MARKED = 0.7  # of the strongest: with every other bound, which all have an onset, it would be half
STEADY = 0.75  # of the strength around beats that were followed one by one: a steady beat has it, or is none
MARKED = 1.8  # onsets are so much stronger at beats than on average where beats are heard; noise has 1.3
QUIET = 10**-2.5  # of the mean power of a recording: 25 dB below, a unit is an echo
SILENT = 1e-4  # a peak of full scale: -80 dB


@dataclass(frozen=True, eq=False)
class Units:
    """A recording in units.

    Attributes:
        bounds: (units + 1,) samples.
        phases: (units + 1,) the part of a beat that begins at each bound, the last of them that of the tail.
        parts: of a beat, or of a loop that is there once; 1 without beats.
        beat_s: seconds of a beat; None where none was heard.
        loop: after how many units the sound returns; None where it does not.
        vectors: (units, SLICES * MELS + CLASSES).
        sounding: how many come before a quiet end, in which nothing is begun any more: a last note that has died away.
        frames: (frames, MELS) of the whole, ``HOP`` at ``RATE`` apart, for what is no whole unit.
        sample_rate: of the recording, in Hz.
    """

    bounds: Ints
    phases: Ints
    parts: int
    beat_s: float | None
    loop: int | None
    vectors: Floats
    sounding: int
    frames: Floats
    sample_rate: int

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def died_away(self) -> bool:
        """Whether it has a quiet end, behind which music begins anew."""
        return self.sounding < len(self)

    @property
    def one_turn(self) -> bool:
        """Whether the whole is a loop that is there once, and begins anew where it ends."""
        return self.loop == len(self) and not self.died_away

    @property
    def weights(self) -> Floats:
        """How much each number of a vector counts, (numbers,); loudness and pitch classes count the same."""
        return np.append(np.full(SLICES * MELS, (SLICES * MELS) ** -0.5), np.full(CLASSES, CLASSES**-0.5))


def find_units(recording: Waveform) -> Units:
    """The units of a recording.

    Raises:
        NoSoundError: it is shorter than a quarter of a second, or silent.
    """
    if recording.seconds < LEAST_S:
        raise NoSoundError(f"{recording.seconds:.2f} s of sound; give {LEAST_S} s or more")
    if np.abs(recording.samples).max() < SILENT:
        raise NoSoundError("silence, no sample above -80 dB; give something that sounds")
    samples = recording.mono().resampled(RATE).samples[0]
    powers = mel(samples, RATE, n_fft=WINDOW, hop_length=HOP, n_mels=MELS).T.astype(np.float64)
    floor = powers.max() * np.exp(-FLOOR)
    loud = np.log(np.maximum(powers, floor))
    lag = repeat_s(loud)
    lag = None if lag is None else to_the_sample(lag, samples)
    beats = _marked_beats(samples)
    turn = _one_turn(samples) if beats is None and lag is None else None
    places, phases, parts, beat_s = (
        _even(len(samples) / RATE, lag, turn) if beats is None else _grid(samples, beats, lag)
    )
    loop = turn if lag is None else round(lag / float(np.median(np.diff(places))))
    classes = chroma_stft(samples, RATE, n_fft=CHROMA_WINDOW, hop_length=HOP, tuning=0.0).T.astype(np.float64)
    classes[powers.max(axis=1) <= floor] = 0.0  # of silence: what hiss has there is no pitch
    vectors = _vectors(loud, classes, places)
    bounds = np.minimum(np.rint(places * recording.sample_rate).astype(np.int64), len(recording))
    sounding = _sounding(recording, bounds)
    return Units(bounds, phases, parts, beat_s, loop, vectors, sounding, loud, recording.sample_rate)


def slices_of(vectors: Floats) -> Floats:
    """Loudness (units, SLICES, MELS) of vectors (units, numbers)."""
    return vectors[:, : SLICES * MELS].reshape(len(vectors), SLICES, MELS)


def _sounding(recording: Waveform, bounds: Ints) -> int:
    """Units before the quiet end, at least one: the power of what comes behind is that of an echo.

    A rest that is not longer than one before is a rest, and no end.
    """
    power = np.square(recording.samples, dtype=np.float64).mean(axis=0)
    sums = np.append(0.0, np.cumsum(power))[bounds]
    loud = np.flatnonzero(np.diff(sums) / np.diff(bounds) > QUIET * power.mean())
    ended = len(bounds) - 1 - (int(loud[-1]) + 1)
    longest = int(np.diff(loud).max(initial=1)) - 1
    return len(bounds) - 1 if ended <= longest else int(loud[-1]) + 1


def _fine_strength(samples: NDArray[np.float32]) -> Floats:
    """How much begins at each time, (frames,), ``FINE_HOP`` apart, spread over what is near."""
    strength = onset_strength(samples, RATE, hop_length=FINE_HOP)[0].astype(np.float64)
    return np.convolve(strength, np.hanning(2 * NEAR + 1) / NEAR, mode="same")


def _one_turn(samples: NDArray[np.float32]) -> int | None:
    """Into how many units the whole falls, if it is one turn of a loop: their bounds, the first of them, are marked."""
    strength = _fine_strength(samples)
    marks = {}
    for units in TURNS:
        bounds = np.rint(np.arange(units) * len(samples) / FINE_HOP / units).astype(np.int64)
        near = np.clip(bounds[:, None] + np.arange(-NEAR - 1, NEAR + 2), 0, len(strength) - 1)
        if SHORTEST_S <= len(samples) / RATE / units <= 2 * UNIT_S:
            marks[units] = float(strength[near].mean() / strength.mean())
    enough = max(ONE_TURN, AS_MARKED * max(marks.values(), default=0.0))
    return max((units for units, mark in marks.items() if mark >= enough), default=None)


def _even(seconds: float, lag: float | None, turn: int | None) -> tuple[Floats, Ints, int, float | None]:
    """As :func:`_grid` where no beats were heard: even units; of one turn of a loop two to a beat.

    Its phases are places in the turn: to put other units of it there would make bars shorter and longer.
    """
    if turn:
        return np.linspace(0.0, seconds, turn + 1), np.arange(turn + 1) % turn, turn, 2 * seconds / turn
    unit = min(UNIT_S, seconds / FEWEST)
    unit = lag / round(lag / unit) if lag else unit
    count = int(seconds / unit)
    return np.arange(count + 1, dtype=np.float64) * unit, np.zeros(count + 1, np.int64), 1, None


def _grid(samples: NDArray[np.float32], found: Floats, lag: float | None) -> tuple[Floats, Ints, int, float | None]:
    """Bounds in seconds, their phases, parts of a beat, and how long a beat is; of what returns after a lag, or not."""
    seconds = len(samples) / RATE
    found = _evened(found, samples, lag)
    beat_s = float(np.median(np.diff(found)))
    parts = max(1, 2 ** round(np.log2(beat_s / UNIT_S)))
    before = np.arange(int(found[0] / beat_s), 0, -1)
    behind = np.arange(1, int(max(seconds - found[-1], 0.0) / beat_s) + 2)
    all_beats = np.concatenate([found[0] - beat_s * before, found, found[-1] + beat_s * behind])
    steps = np.arange((len(all_beats) - 1) * parts + 1)
    places = np.interp(steps / parts, np.arange(len(all_beats)), all_beats)
    inside = (places >= 0) & (places <= seconds)
    return places[inside], (steps % parts)[inside], parts, beat_s


def repeat_s(loud: Floats) -> float | None:
    """The time after which loudness (frames, bands) is most like itself, in seconds; None where it is not alike."""
    near = loud[:-2] + 2 * loud[1:-1] + loud[2:]  # so that a return is told which falls between two frames
    apart, count = near - near.mean(axis=0), len(near)
    shared = np.fft.irfft(np.square(np.abs(np.fft.rfft(apart, 2 * count, axis=0))).sum(axis=1))[:count]
    squares = np.cumsum(np.append(0.0, np.square(apart).sum(axis=1)))
    lags = np.arange(count)
    power = np.sqrt(squares[count - lags] * (squares[-1] - squares[lags]))
    alike = shared / np.maximum(power, np.finfo(np.float64).tiny)
    low, high = round(LEAST_LAG_S * RATE / HOP), int(MOST_LAG * count)
    if high <= low or alike[low:high].max() < ALIKE:
        return None
    lag = low + int(np.flatnonzero(alike[low:high] > alike[low:high].max() - AS_ALIKE)[0])
    lag += int(alike[lag : lag + NEAR + 1].argmax())  # the first that was as alike stands on the slope of a peak
    exact = float(lag)
    for times in range(2, int(MOST_LAG * count / lag) + 1):  # a multiple tells the lag more exactly
        around = round(times * exact) + np.arange(-NEAR, NEAR + 1)
        exact = float(around[alike[around].argmax()]) / times
    return exact * HOP / RATE


def to_the_sample(lag: float, samples: NDArray[np.float32]) -> float:
    """A return in seconds, as exactly as the waves of what returns tell it; as it came where they are not alike.

    Frames tell it to some milliseconds, and a loop that is continued for a minute adds them up.
    """
    times = max(1, int(MOST_LAG * len(samples) / RATE / lag))  # of several returns each is told the more exactly
    far, room = round(times * lag * RATE), NEAR * HOP
    first = max(len(samples) - WAVE, far + room)
    now = samples[first : len(samples) - room].astype(np.float64)
    if len(now) <= room:
        return lag
    moved = best_shift(now, samples[first - far - room : len(samples) - far].astype(np.float64))
    before = samples[first - far + moved :][: len(now)]
    return (far - moved) / times / RATE if likeness(now, before) > ALIKE else lag


def _evened(found: Floats, samples: NDArray[np.float32], lag: float | None) -> Floats:
    """Beats without the jitter of frames: on one line where the sound returns or a steady beat is as marked as these.

    A tracker's tempo is rough, and a grid that is off by one part in a hundred does not return where a loop does. Beats
    that are neither lie on lines of their neighbours.
    """
    strength = _fine_strength(samples)
    frames = found * RATE / FINE_HOP
    period = float(np.polyfit(np.arange(len(frames)), frames, 1)[0])
    if lag is not None:
        whole = lag * RATE / FINE_HOP
        period = whole / max(1, round(whole / period))
        count = max(2, int((len(strength) - 1) / period))
        return _steady(strength, count, [period])[0] * FINE_HOP / RATE
    drifts = np.arange(-DRIFT, DRIFT + 1) / len(frames)
    steady, marked = _steady(strength, len(frames), (period + drifts).tolist())
    apart = np.arange(-3 * NEAR, 3 * NEAR + 1)
    around = np.clip(np.rint(frames).astype(np.int64)[:, None] + apart, 0, len(strength) - 1)
    if marked > STEADY * strength[around].max(axis=1).mean():
        return steady * FINE_HOP / RATE
    places, evened = np.arange(len(found)), np.empty(len(found))
    for beat in places:
        near = np.abs(places - beat) <= EVENED
        _, height = np.polyfit(places[near] - beat, found[near], 1)
        evened[beat] = height
    return np.maximum.accumulate(evened)


def _steady(strength: Floats, count: int, periods: list[float]) -> tuple[Floats, float]:
    """The most marked of beats (count,) at one distance out of some, in frames, and how marked they are."""
    best = np.arange(count, dtype=np.float64) * periods[0]
    most = -1.0
    for period in periods:
        at = np.arange(count) * period
        starts = np.arange(0.0, min(period, len(strength) - 1 - at[-1]) + 1e-9)
        if len(starts):
            marks = strength[np.rint(starts[:, None] + at).astype(np.int64)].mean(axis=1)
            if marks.max() > most:
                best, most = starts[marks.argmax()] + at, float(marks.max())
    return best, most


def _marked_beats(samples: NDArray[np.float32]) -> Floats | None:
    """Beats in seconds, or None where what is found as beats is not stronger than what lies between."""
    strength = onset_strength(samples, RATE, hop_length=BEAT_HOP)[0]
    _, found = beat_times(samples, RATE, hop_length=BEAT_HOP)
    if len(found) < FEWEST_BEATS:
        return None
    frames = np.minimum(np.rint(found * RATE / BEAT_HOP).astype(np.int64), len(strength) - 1)
    return found if strength[frames].mean() > MARKED * strength.mean() else None


def _vectors(loud: Floats, classes: Floats, places: Floats) -> Floats:
    """What units are like, (units, numbers), from frames (frames, MELS) and (frames, CLASSES) of the whole."""
    edges = np.linspace(places[:-1], places[1:], SLICES + 1, axis=1) * RATE / HOP  # (units, SLICES + 1)
    slices = _means(loud, edges)  # (units, SLICES, MELS)
    return np.hstack([slices.reshape(len(slices), -1), _means(classes, edges[:, [0, -1]])[:, 0]])


def _means(frames: Floats, edges: Floats) -> Floats:
    """Means (rows, parts, numbers) of frames (frames, numbers) between edges (rows, parts + 1), in frames.

    A frame that an edge cuts counts by its share, so that a unit is the same wherever frames fall on it.
    """
    sums = np.vstack([np.zeros(frames.shape[1]), np.cumsum(frames, axis=0)])
    inside = np.clip(edges, 0, len(frames))
    whole = np.minimum(inside.astype(np.int64), len(frames) - 1)
    until = sums[whole] + (inside - whole)[..., None] * frames[whole]  # (rows, parts + 1, numbers)
    means: Floats = np.diff(until, axis=1) / np.maximum(np.diff(inside, axis=1), 1e-9)[..., None]
    return means
