"""Does a loop that repeats exactly go on at its own period, every hit of it where it belongs, its opening one too?"""

import numpy as np
import pytest

from seqaudio.continuation.continue_waveform import continue_waveform
from seqaudio.continuation.grains import ALIKE, _aligned
from seqaudio.continuation.returning import Returning
from seqaudio.continuation.sampling import Sampling
from seqaudio.continuation.sound_units import find_units, repeat_s, to_the_sample
from seqaudio.models.baselines import PPM
from seqaudio.music.waveform import Waveform

RATE = 22050
WRITTEN_S = 4.0
PATTERNS = {
    "two hits": [(0, "kick"), (1 / 2, "snare")],
    "three hits": [(0, "kick"), (1 / 3, "hat"), (2 / 3, "snare")],
    "four hits": [(0, "kick"), (1 / 4, "hat"), (1 / 2, "snare"), (3 / 4, "hat")],
    "off the grid": [(0, "kick"), (0.3, "snare"), (0.55, "hat"), (0.8, "hat")],
    "syncopes": [(0, "kick"), (3 / 16, "kick"), (1 / 4, "snare"), (6 / 16, "hat"), (10 / 16, "kick"), (3 / 4, "snare")],
}
PERIODS_S = (0.9, 1.0, 1.5, 2.0)


def hit(kind, rng):
    """A drum of an eighth of a second."""
    time_s = np.arange(int(0.12 * RATE)) / RATE
    hiss = rng.normal(size=len(time_s) + 1)
    match kind:
        case "kick":
            return 0.5 * np.sin(2 * np.pi * (50 * time_s + 5 * (1 - np.exp(-30 * time_s)))) * np.exp(-25 * time_s)
        case "snare":
            return 0.2 * (hiss[1:] * np.exp(-35 * time_s) + np.sin(2 * np.pi * 190 * time_s) * np.exp(-30 * time_s))
        case _:
            return 0.15 * np.diff(hiss) * np.exp(-90 * time_s)


def drums(pattern, period_s, times, *, cut_s=0.0, start_s=0.0, hiss=1e-5):
    """A loop that was played so many times, and a bit more of it, from ``start_s`` of it on; and how it goes on."""
    rng = np.random.default_rng(0)
    length = round(period_s * RATE)
    once = np.zeros(2 * length)
    for share, kind in PATTERNS[pattern]:
        sound, place = hit(kind, rng), round(share * length)
        once[place : place + len(sound)] += sound
    whole = np.tile(once[:length] + once[length:], times + 8)
    whole += hiss * rng.normal(size=len(whole))
    begin, end = round(start_s * RATE), round((start_s + times * period_s + cut_s) * RATE)
    return Waveform(whole[begin:end], RATE), whole[end : end + int(WRITTEN_S * RATE)]


def rises(samples, hop=110):
    """How much louder each 5 ms is than those before, in nats, steps above 1 alone: an envelope of onsets."""
    power = np.square(np.asarray(samples, np.float64)[: len(samples) // hop * hop]).reshape(-1, hop).mean(axis=1)
    rising = np.maximum(np.diff(np.log(power + 1e-6), prepend=np.log(1e-6)) - 1, 0)
    return np.convolve(rising, np.hanning(7)[1:-1], mode="same")


def alike(primer, real, piece):
    """Correlation of the onsets of what was written with those of the loop going on, from the seam on."""
    ours, theirs = (rises(np.append(primer.samples[0, -RATE:], each)) for each in (piece.waveform.samples[0], real))
    return np.corrcoef(ours[RATE // 110 - 4 :], theirs[RATE // 110 - 4 :])[0, 1]


def onsets_s(samples, threshold=0.05):
    """When what is louder than a threshold begins, in seconds; 60 ms of it are one."""
    above = np.flatnonzero(np.abs(samples) > threshold)
    return above[np.append(True, np.diff(above) > 0.06 * RATE)] / RATE


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("period_s", PERIODS_S)
@pytest.mark.parametrize(("cut_s", "start_s"), [(0.0, 0.0), (0.31, 0.37)])
def test_a_loop_goes_on_at_its_period(pattern, period_s, cut_s, start_s):
    """Whether it breaks off at its end or in its middle, and begins with its opening hit or not."""
    for times in (4, 5, 6, 8):
        primer, real = drums(pattern, period_s, times, cut_s=cut_s, start_s=start_s)
        piece = continue_waveform(primer, WRITTEN_S, sampling=Sampling(temperature=0))[0]
        assert alike(primer, real, piece) > 0.95, times
        before = primer.samples[0, -int(0.15 * RATE) :]  # a hit may sound over the seam
        found, expected = (onsets_s(np.append(before, each)) for each in (piece.waveform.samples[0], real))
        assert len(found) == len(expected)
        assert np.abs(found - expected).max() < 0.004, "seconds, no drift from join to join"


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("period_s", [0.55, 0.77, 1.23, 1.87])
def test_periods_that_no_frame_divides(pattern, period_s):
    primer, real = drums(pattern, period_s, 6, cut_s=0.11, start_s=0.2)
    piece = continue_waveform(primer, WRITTEN_S, sampling=Sampling(temperature=0))[0]
    assert alike(primer, real, piece) > 0.95


@pytest.mark.parametrize("period_s", PERIODS_S)
def test_the_opening_hit_comes_where_the_loop_begins_again(period_s):
    for pattern in PATTERNS:
        for seed in range(3):
            primer, _ = drums(pattern, period_s, 6)
            piece = continue_waveform(primer, WRITTEN_S, seed=seed)[0]
            found = onsets_s(piece.waveform.samples[0])
            for opening in np.arange(0, WRITTEN_S - 0.1, period_s):
                assert np.abs(found - opening).min() < 0.004, (pattern, seed, opening)


@pytest.mark.parametrize("period_s", [0.9, 1.0, 1.23, 2.0])
def test_a_return_is_told_to_the_sample(period_s):
    primer, _ = drums("syncopes", period_s, 6)
    rough = repeat_s(find_units(primer).frames)
    exact = to_the_sample(rough, primer.samples[0])
    assert exact == pytest.approx(period_s, abs=1 / RATE)
    assert abs(rough - period_s) > 3 * abs(exact - period_s), "frames do not tell it so"
    noise = np.random.default_rng(1).normal(size=len(primer)).astype(np.float32)
    assert to_the_sample(rough, noise) == rough, "waves that are not alike say nothing"


def test_a_loop_has_the_same_units_each_time_and_a_rest_is_none_of_its_ends():
    primer, _ = drums("two hits", 0.9, 8)
    units = find_units(primer)
    assert units.sounding == len(units), "the rest behind the last hit is as long as the others"
    assert units.loop is not None
    far = np.ptp(units.vectors, axis=0).max()
    assert np.abs(units.vectors[units.loop :] - units.vectors[: -units.loop]).max() < 0.25 * far


def test_hiss_is_not_moved_onto_hiss():
    rng = np.random.default_rng(3)
    for _ in range(20):
        assert _aligned(rng.normal(size=8000), 3000, 6000, 264, 1102)[0] == 0
    wave = np.sin(2 * np.pi * 100.7 * np.arange(8000) / RATE)
    moved, likeness = _aligned(wave, 3000, 6000, 264, 1102)
    assert moved != 0
    assert likeness > 0.99 > ALIKE


def test_a_copy_of_the_loop_is_trusted_as_far_as_it_returned():
    loop = [3, 4, 5, 4] * 6
    model = PPM(1, vocabulary_size=7).fit([np.array(loop)])
    steady = Returning.of(model, np.array(loop), 4)
    assert steady.weight == pytest.approx(20 / 21)
    assert np.exp(steady.log_probabilities(loop)).sum() == pytest.approx(1)
    assert [steady.copy(loop + loop[:n]) for n in range(6)] == (loop + loop)[:6]
    assert steady.log_probabilities([*loop, 3, 4]).argmax() == 5, "counts of one code cannot know"
    never = Returning.of(model, np.arange(24) // 4, 4)
    alone = Returning.of(model, np.array(loop), None)
    for other in (never, alone):
        np.testing.assert_array_equal(other.log_probabilities(loop), model.log_probabilities(loop))
