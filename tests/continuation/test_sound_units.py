"""Do units lie where the beat of a sound was made? Sounds that never return, so that the beat alone can tell."""

import numpy as np
import pytest

from seqaudio.continuation.continue_waveform import continue_waveform
from seqaudio.continuation.sound_units import find_units, repeat_s
from seqaudio.music.waveform import Waveform

RATE = 22050
BEATS = 40


def struck(seconds, loudness=1.0, seed=0):
    """Strikes at these seconds, each a tone of its own pitch behind a knock, over hiss."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(size=int((max(seconds) + 1) * RATE)) * 1e-4
    time_s = np.arange(int(0.3 * RATE)) / RATE
    for at, loud in zip(seconds, np.broadcast_to(loudness, len(seconds)), strict=True):
        tone = np.sin(2 * np.pi * 110 * 2 ** (rng.integers(0, 30) / 12) * time_s) * np.exp(-12 * time_s)
        knock = rng.normal(size=len(time_s)) * np.exp(-150 * time_s)
        sound[int(at * RATE) :][: len(time_s)] += 0.3 * loud * (tone + knock)
    return Waveform(sound, RATE)


def with_some_between(beats, seed):
    """Beats, and at some of the halves between them something quieter, by chance; seconds and loudness."""
    halves = (beats[:-1] + beats[1:]) / 2
    halves = halves[np.random.default_rng(seed).random(len(halves)) < 0.5]
    return np.append(beats, halves), np.append(np.ones(len(beats)), np.full(len(halves), 0.4))


def off_beat_s(units, beats):
    """How far the units are from the nearest beats, or halves of them, that they should lie on, in seconds."""
    fine = np.interp(np.arange(0, len(beats) - 0.99, 0.5), np.arange(len(beats)), beats)
    bounds = units.bounds[units.phases % max(1, units.parts // 2) == 0] / RATE
    inside = bounds[(bounds >= fine[0]) & (bounds <= fine[-1])]
    assert len(inside) >= len(beats)
    return np.abs(inside[:, None] - fine).min(axis=1)


@pytest.mark.parametrize("beat_s", [0.43, 0.5, 0.5114, 0.6, 0.66])
@pytest.mark.parametrize("jitter_s", [0.0, 0.006])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_steady_beat_makes_even_units_of_its_tempo(beat_s, jitter_s, seed):
    beats = 0.2 + beat_s * np.arange(BEATS)
    at, loudness = with_some_between(beats, seed)
    sound = struck(at + jitter_s * np.random.default_rng(seed + 7).normal(size=len(at)), loudness, seed)
    units = find_units(sound)
    assert repeat_s(units.frames) is None, "the grid is not that of a return"
    apart = np.diff(units.bounds)
    assert np.ptp(apart) <= 1, "samples: even but for rounding"
    assert units.beat_s == pytest.approx(beat_s, rel=0.002)
    assert apart.mean() * units.parts / RATE == pytest.approx(units.beat_s, rel=1e-4)
    assert off_beat_s(units, beats).max() < 0.02, "what an onset is told by is at its height 10 ms behind it"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_beat_that_slows_down_is_followed(seed):
    beats = 0.2 + np.append(0.0, np.cumsum(np.linspace(0.47, 0.53, BEATS - 1)))
    at, loudness = with_some_between(beats, seed)
    units = find_units(struck(at, loudness, seed))
    lengths = np.diff(units.bounds) * units.parts / RATE
    inside = lengths[len(lengths) // 10 : -len(lengths) // 10]  # the ends go on as the tempo is on average
    third = len(inside) // 3
    assert inside[:third].mean() < inside[third:-third].mean() - 0.008
    assert inside[third:-third].mean() < inside[-third:].mean() - 0.008
    assert np.quantile(off_beat_s(units, beats), 0.9) < 0.05
    line = np.polyval(np.polyfit(np.arange(BEATS), beats, 1), np.arange(BEATS))
    assert np.abs(line - beats).max() > 0.15, "no even grid would do"


def groove(beats=4, beat_s=0.47, seed=0):
    """One bar that is cut where the next would begin: knocks on the first and last eighth, on others by chance."""
    rng = np.random.default_rng(seed)
    last = 2 * beats - 1
    eighths = np.concatenate([[0], 1 + np.flatnonzero(rng.random(last - 1) < 0.5), [last]])
    whole = struck(eighths * beat_s / 2, rng.uniform(0.5, 1.0, len(eighths)), seed)
    return whole.cut(0, beats * beat_s)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("beat_s", [0.38, 0.42])
def test_one_turn_of_a_loop_is_on_its_beat_and_goes_round(beat_s, seed):
    """Too short for a beat tracker; an even grid of any other step would lose the beat at the seam."""
    sound = groove(beat_s=beat_s, seed=seed)
    units = find_units(sound)
    assert (len(units), units.loop, units.one_turn) == (8, 8, True)
    assert units.beat_s == pytest.approx(beat_s, rel=1e-3)
    assert np.abs(units.bounds - np.arange(9) * len(sound) / 8).max() <= 1
    path = continue_waveform(sound, 8 * beat_s, seed=seed)[0].path
    assert (path == np.arange(len(path)) % 8).all()


@pytest.mark.parametrize("seed", range(4))
def test_knocks_at_any_time_are_no_turn_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    at = np.append(0.1, np.sort(rng.uniform(0.15, 1.6, 5)))
    units = find_units(struck(at, seed=seed).cut(0, 1.9))
    assert not units.one_turn


def test_a_loop_with_a_quiet_end_begins_anew_and_is_no_turn():
    sound = groove(beat_s=0.4, seed=1)
    faded = sound.samples.copy()
    faded[:, len(sound) // 2 :] *= 1e-3
    units = find_units(Waveform(faded, RATE))
    assert units.died_away
    assert not units.one_turn
