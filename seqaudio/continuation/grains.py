"""Which stretches of a primer say what the codes say, and how do they become one sound?

For each code one of the units that have it is taken, so that the whole path is the cheapest: to go on in the primer
costs nothing; to leave it costs ``JOIN``, and as much more as what came before the new unit is unlike the one that is
left (dynamic programming, exact). So what flowed in the primer flows again. At each join the new stretch is moved by
some milliseconds until its wave lies on that of the old one, both are cut where they are quiet, shortly before the
beat, and one is faded into the other. The next join begins where the beat is due, so that moves do not add up.

Sources: A. Hunt and A. Black, "Unit selection in a concatenative speech synthesis system", 1996; D. Schwarz,
"Corpus-based concatenative synthesis", 2007.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.seams import FADE_S, best_shift, ended, extended, faded, likeness, quietest
from seqaudio.continuation.sound_units import HOP, RATE, Units
from seqaudio.music.waveform import Waveform

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Sound = NDArray[np.float32]

JOIN = 0.3  # of the mean distance between two units
SHIFT_S, EARLY_S, LATE_S, ALIKE_S = 0.012, 0.03, 0.005, 0.05
SHARE = 0.2  # of the shortest unit: no fade, shift or early cut is longer
ALIKE = 0.3  # two waves, so that one is moved onto the other
LEAST_FADE_S = 0.001


def distances(standardised: Floats) -> Floats:
    """How unlike units are to each other, (units, units), 1 on average; of standardised vectors (units, numbers)."""
    squares = np.square(standardised).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * standardised @ standardised.T, 0.0))
    mean = apart.sum() / max(len(apart) * (len(apart) - 1), 1)
    scaled: Floats = apart / mean if mean > 0 else apart
    return scaled


def tail_distances(units: Units, samples: int) -> Floats:
    """How unlike the beginning of each sounding unit is to the tail, the end of a recording of so many samples.

    Shape (sounding,). On the scale of the loudness of frames: 1 is what two frames are apart on average. 0 where the
    tail has no frame, and behind a quiet end, which says nothing of what begins anew.
    """
    to_frames = RATE / HOP / units.sample_rate
    begin, end = int(np.ceil(units.bounds[-1] * to_frames)), int(samples * to_frames)
    spread = float(np.sqrt(2 * units.frames.var(axis=0).sum()))
    if end <= begin or units.died_away or spread <= 0:
        return np.zeros(units.sounding)
    tail = units.frames[begin:end]
    starts = np.ceil(units.bounds[: units.sounding] * to_frames).astype(np.int64)
    rows = np.minimum(starts[:, None] + np.arange(len(tail)), len(units.frames) - 1)
    apart: Floats = np.linalg.norm(units.frames[rows] - tail, axis=2).mean(axis=1) / spread  # (sounding,)
    return apart


def cheapest_path(candidates: list[Ints], apart: Floats, first: Floats) -> Ints:
    """A unit for each step, (steps,).

    Args:
        candidates: the units that may stand at each step.
        apart: how unlike units are, (units, units).
        first: what it costs to begin with each unit, (units,).
    """
    leaving = np.vstack([np.full(len(apart), apart.max(initial=0.0)), apart[:-1]])  # [j] what came before j, against i
    cost, back = first[candidates[0]], []
    for before, now in pairwise(candidates):
        step = JOIN + leaving[now][:, before]  # (now, before)
        step[now[:, None] == before + 1] = 0.0
        total = cost + step
        back.append(total.argmin(axis=1))
        cost = total.min(axis=1)
    place = int(cost.argmin())
    path = [int(candidates[-1][place])]
    for links, units in zip(reversed(back), reversed(candidates[:-1]), strict=True):
        place = int(links[place])
        path.append(int(units[place]))
    return np.array(path[::-1])


def first_costs(units: Units, apart: Floats, samples: int) -> Floats:
    """What it costs to go on from the end of the primer in each unit, (sounding,); the tail is the unit's beginning."""
    before = np.append(apart.max(initial=0.0), apart[:-1, -1])  # of the unit before each, to the last one
    return JOIN + before + tail_distances(units, samples)


def grains(primer: Waveform, units: Units, path: Ints, samples: int) -> Sound:
    """The sound (channels, samples) behind a primer that units say, the first of them from where the tail ends."""
    shortest = int(np.diff(units.bounds).min())
    fade, shift, early, late = (
        max(2, min(int(seconds * units.sample_rate), int(SHARE * shortest)))
        for seconds in (FADE_S, SHIFT_S, EARLY_S, LATE_S)
    )
    source = extended(primer.samples, early + fade + int(ALIKE_S * units.sample_rate))
    mono = source.mean(axis=0).astype(np.float64)
    ceiling = float(np.abs(primer.samples).max())
    end, written, at = len(primer), [], len(primer)
    early_by = 0  # samples that beats come too early by, as earlier joins moved them; the next makes it good
    for number, (old, bound) in enumerate(_joins(units, path, end)):
        new = max(0, bound - early_by)
        moved, alike = _aligned(mono, old, new, shift, int(ALIKE_S * units.sample_rate))
        new += moved
        early_by += new - bound
        if number:
            low = max(at - old, -early - fade, -new)
            high = max(low, late - fade)
            powers = mono[old + low : old + high + fade] ** 2 + mono[new + low : new + high + fade] ** 2
            cut, over = low + quietest(powers, fade), fade
        else:  # nothing of the primer may change, and prediction is trusted no longer than need be
            cut, over = 0, max(int(LEAST_FADE_S * units.sample_rate), round(fade * math.sqrt(1 - alike**2)))
        written.append(source[:, at : old + cut])
        left, entered = (source[:, place + cut : place + cut + over] for place in (old, new))
        written.append(faded(left, entered, ceiling))
        at = new + cut + over
    written.append(source[:, at : int(units.bounds[path[-1] + 1])])
    sound = np.concatenate(written, axis=1)[:, :samples]
    return ended(sound, units.sample_rate)


def _joins(units: Units, path: Ints, end: int) -> Iterator[tuple[int, int]]:
    """Where the old stretch is left and the new one entered, both samples of the primer; first at the primer's end."""
    tail = end - int(units.bounds[-1])
    yield end, min(int(units.bounds[path[0]]) + tail, int(units.bounds[path[0] + 1]))
    for before, now in pairwise(path.tolist()):
        if now != before + 1:
            yield int(units.bounds[before + 1]), int(units.bounds[now])


def _aligned(mono: Floats, old: int, new: int, most: int, heard: int) -> tuple[int, float]:
    """By how many samples the new stretch is moved, so that what came before both is alike, and how alike: 0 to 1."""
    length = min(heard, old, new - most)
    if length < most or new + most > len(mono):
        return 0, 0.0
    before = mono[old - length : old]
    moved = best_shift(before, mono[new - length - most : new + most])
    alike = likeness(before, mono[new + moved - length : new + moved])
    if alike < ALIKE:  # hiss lies on hiss nowhere, and the beat is to stay where it is
        moved, alike = 0, likeness(before, mono[new - length : new])
    return moved, min(1.0, max(0.0, alike))
