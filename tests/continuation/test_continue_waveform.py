"""Does sound go on in its own sound, on its beat, at its level, and without a click?"""

import dataclasses
from itertools import groupby, pairwise

import numpy as np
import pytest

from seqaudio.continuation import continue_waveform as module
from seqaudio.continuation.continue_waveform import PLAIN, continue_waveform, hear_primer, told_by_tail
from seqaudio.continuation.grains import JOIN, SHIFT_S, cheapest_path, grains, tail_distances
from seqaudio.continuation.sampling import Sampling
from seqaudio.continuation.sound_units import find_units, repeat_s
from seqaudio.errors import NoSoundError, OptionError
from seqaudio.music.waveform import Waveform

RATE = 22050
RNG = np.random.default_rng
BEAT_S = 0.5


def plucked(pitch, seconds, rate=RATE):
    """A note that dies away."""
    time_s = np.arange(int(seconds * rate)) / rate
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    return sum(np.sin(2 * np.pi * k * hertz * time_s) / k for k in range(1, 5)) * np.exp(-5 * time_s) * 0.2


def tune(pitches, rate=RATE, note_s=BEAT_S / 2):
    """Notes of equal length that ring on a little."""
    step = int(note_s * rate)
    sound = np.zeros(step * len(pitches) + rate)
    for place, pitch in enumerate(pitches):
        note = plucked(pitch, 0.9, rate)
        sound[place * step : place * step + len(note)] += note
    return sound[: step * len(pitches)].astype(np.float32)


def loop(times=4, rate=RATE):
    """A figure of two seconds, again and again."""
    return np.tile(tune([48, 60, 64, 67, 55, 65, 69, 72], rate), times)


def melody(count=36, seed=0, rate=RATE):
    """Pitches by chance, the strong ones low."""
    pitches = RNG(seed).choice([60, 62, 64, 65, 67, 69, 71, 72], count)
    return tune(np.where(np.arange(count) % 4 == 0, pitches - 24, pitches), rate)


SOUNDS = {
    "loop": lambda: loop()[: int(7.3 * RATE)],
    "melody": lambda: melody()[: int(8.13 * RATE)],
    "chord that is held": lambda: (
        sum(np.sin(2 * np.pi * f * np.arange(5 * RATE) / RATE) for f in (110.3, 220, 331)) / 5
    ),
    "noise": lambda: RNG(0).normal(size=4 * RATE) / 8,
}


def clicks(samples, around, width=8):
    """How far the bend of the wave near a place is beyond what it is elsewhere in the primer, as a ratio."""
    bend = np.abs(np.diff(samples, 2))
    near = bend[around - width : around + width].max()
    return near / np.quantile(bend[: around - width], 0.9999)


def flux(samples, hop=64, window=256):
    """How much each spectrum of 12 ms is more than the one before, in all bands together."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop] * np.hanning(window)
    loud = np.log1p(100 * np.abs(np.fft.rfft(frames, axis=1)))
    return np.maximum(np.diff(loud, axis=0), 0).sum(axis=1)


def flux_at_seam(samples, seam, hop=64, window=256):
    """The flux where a window meets the seam, beside the most that the primer has."""
    found = flux(samples, hop, window)
    first, last = (seam - window) // hop - 1, seam // hop + 1
    return found[first:last].max() / found[: first - 1].max()


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_there_is_no_click_at_the_seam_and_none_inside(name, seed):
    primer = Waveform(SOUNDS[name](), RATE)
    piece = continue_waveform(primer, 4, seed=seed, sampling=Sampling())[0]
    joined = piece.with_primer().samples[0].astype(np.float64)
    assert clicks(joined, len(primer)) < 1.5
    assert flux_at_seam(joined, len(primer)) < 1.5
    inside = np.abs(np.diff(piece.waveform.samples[0], 2))[: -int(0.006 * RATE)]
    assert inside.max() < 1.5 * np.abs(np.diff(primer.samples[0], 2)).max()


@pytest.mark.parametrize("name", ["loop", "chord that is held"])
def test_the_test_of_clicks_hears_one(name):
    sound = np.asarray(SOUNDS[name](), np.float64)
    rough = [np.concatenate([sound, sound[start : start + RATE]]) for start in range(RATE, 2 * RATE, 997)]
    heard = [clicks(each, len(sound)) > 1.5 or flux_at_seam(each, len(sound)) > 1.5 for each in rough]
    assert np.mean(heard) > 0.5


def test_a_loop_goes_on_as_the_loop_it_is():
    whole = loop(7)
    heard = int(7.3 * RATE)
    piece = continue_waveform(Waveform(whole[:heard], RATE), 5, seed=3)[0]
    real = whole[heard : heard + 5 * RATE]
    told = piece.waveform.samples[0]
    end = int(0.005 * RATE) + 1
    assert np.abs(told[:-end] - real[:-end]).max() < 0.02, "to the sample, every cut included"


def test_rate_channels_level_and_length_are_the_primers():
    left, right = loop(rate=44100)[: 6 * 44100], np.roll(loop(rate=44100), 900)[: 6 * 44100] * 0.5
    primer = Waveform(np.stack([left, right]), 44100)
    sound = continue_waveform(primer, 3.21)[0].waveform
    assert (sound.sample_rate, sound.channels, len(sound)) == (44100, 2, round(3.21 * 44100))
    ours, theirs = (np.sqrt(np.square(each.samples).mean(axis=1)) for each in (sound, primer))
    assert np.abs(20 * np.log10(ours / theirs)).max() < 1.0
    assert np.abs(sound.samples).max() <= np.abs(primer.samples).max() + 1e-6
    assert sound.samples[:, -1] == pytest.approx(0), "the last moment fades out"


@pytest.mark.parametrize("name", SOUNDS)
def test_nothing_is_louder_than_the_loudest_of_the_primer(name):
    sound = np.asarray(SOUNDS[name](), np.float32)
    primer = Waveform(sound / np.abs(sound).max(), RATE)
    for piece in continue_waveform(primer, 6, num_outputs=3, seed=5, sampling=Sampling(temperature=2)):
        assert np.abs(piece.waveform.samples).max() <= 1.0


def test_an_output_depends_on_the_seed_and_its_number_alone():
    primer, adventurous = Waveform(melody(), RATE), Sampling()
    three = continue_waveform(primer, 4, num_outputs=3, seed=7, sampling=adventurous)
    again = continue_waveform(primer, 4, num_outputs=2, seed=7, sampling=adventurous)
    for one, other in zip(three, again, strict=False):
        np.testing.assert_array_equal(one.waveform.samples, other.waveform.samples)
    assert not np.array_equal(three[0].codes[:12], three[1].codes[:12])
    other = continue_waveform(primer, 4, seed=8, sampling=adventurous)[0]
    assert not np.array_equal(three[0].codes[:12], other.codes[:12])


def test_what_is_written_is_the_primers_own_sound():
    """Outside of fades each stretch is a copy, and it is the one that the path names."""
    primer = Waveform(melody(), RATE)
    piece = continue_waveform(primer, 5, seed=1)[0]
    told, source = piece.waveform.samples[0], primer.samples[0]
    copied = 0
    for start in range(0, len(told) - 400, 400):
        places = np.flatnonzero(np.isclose(source[:-399], told[start], atol=1e-7))
        copied += any(np.array_equal(source[p : p + 400], told[start : start + 400]) for p in places)
    assert copied / len(range(0, len(told) - 400, 400)) > 0.8
    assert piece.joins == 1 + np.count_nonzero(np.diff(piece.path) != 1)
    np.testing.assert_array_equal(piece.primer.codes[piece.path], piece.codes)


def onsets(sound, threshold=0.3):
    """Where short loud noises begin, in samples."""
    loud = np.abs(sound) > threshold
    starts = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    return starts[np.append(True, np.diff(starts) > 0.05 * RATE)]


def test_beats_stay_where_they_are():
    """Knocks on a beat and between, in an order by chance: the new ones lie on the grid of the old."""
    step, rng = int(0.25 * RATE), RNG(2)
    knock = rng.normal(size=(3, 600)) * np.exp(-np.arange(600) / 120)
    sound = rng.normal(size=36 * step) * 1e-3
    for place in range(36):
        kind = 0 if place % 2 == 0 else rng.integers(1, 3)
        sound[place * step : place * step + 600] += (
            knock[kind] / np.abs(knock[kind]).max() * (0.9 if kind == 0 else 0.6)
        )
    heard = int(8.1 * RATE)
    primer = Waveform(sound[:heard], RATE)
    units = find_units(primer)
    assert units.parts == 2
    assert units.beat_s == pytest.approx(0.5, abs=0.004)
    for piece in continue_waveform(primer, 8, num_outputs=3, sampling=Sampling()):
        found = onsets(np.append(sound[:heard], piece.waveform.samples[0]))
        new = found[found > heard] / step
        assert len(new) >= 28
        assert np.abs(new - np.rint(new)).max() * 250 < 12, "milliseconds from the grid"


def test_however_often_it_is_joined_a_beat_is_not_moved_further():
    """Two units again and again over a hum whose wave fits at one side only: each join moves, and the sum does not."""
    step, hum_hz = int(0.25 * RATE), 33.0
    sound = 0.3 * np.sin(2 * np.pi * hum_hz * np.arange(36 * step) / RATE)
    knock = RNG(3).normal(size=400) * np.exp(-np.arange(400) / 80)
    for place in range(36):
        sound[place * step : place * step + 400] += 0.6 * knock / np.abs(knock).max()
    primer = Waveform(sound, RATE)
    units = dataclasses.replace(find_units(primer), bounds=np.arange(36) * step, phases=np.zeros(36, np.int64))
    new = grains(primer, units, np.array([4, 5] * 80), 30 * RATE)[0].astype(np.float64)
    bend = np.abs(np.diff(new, 2))  # without the hum
    found = np.flatnonzero(bend > 0.3 * bend.max())
    found = found[np.append(True, np.diff(found) > step // 2)]
    off = (found + step / 2) % step - step / 2
    assert len(found) >= 115
    assert np.ptp(off) > 0.002 * RATE, "no join moves anything: this tests nothing"
    assert np.abs(off - off[0]).max() < (2 * SHIFT_S + 0.003) * RATE


def test_the_path_is_the_cheapest_of_all():
    rng = RNG(0)
    for _ in range(20):
        apart = rng.random((6, 6))
        candidates = [np.sort(rng.choice(6, rng.integers(1, 4), replace=False)) for _ in range(5)]
        first = rng.random(6)

        def cost(path, apart=apart, first=first):
            total = first[path[0]]
            for before, now in pairwise(path):
                total += 0 if now == before + 1 else JOIN + (apart[now - 1, before] if now else apart.max())
            return total

        every = np.stack(np.meshgrid(*candidates, indexing="ij"), axis=-1).reshape(-1, 5)
        path = cheapest_path(candidates, apart, first)
        assert cost(path) == pytest.approx(min(cost(each) for each in every.tolist()))


def test_a_path_that_never_leaves_the_primer_copies_it():
    primer = Waveform(melody(), RATE)
    units = find_units(primer)
    tail = len(primer) - int(units.bounds[-1])
    sound = grains(primer, units, np.arange(5, 15), 2 * RATE)[0]
    begin = int(units.bounds[5]) + tail
    fade = int(0.02 * RATE)
    places = [begin + shift for shift in range(-300, 301)]
    apart = [np.abs(sound[fade:8000] - primer.samples[0, place + fade : place + 8000]).max() for place in places]
    assert min(apart) == 0


def test_a_repeat_is_found_and_noise_has_none():
    frames = RNG(0).normal(size=(90, 20))
    assert repeat_s(np.tile(frames, (5, 1))) == pytest.approx(90 * 256 / 22050)
    assert repeat_s(RNG(1).normal(size=(450, 20))) is None
    assert repeat_s(np.zeros((450, 20))) is None


def test_noise_and_a_held_chord_have_no_beat():
    for name in ("noise", "chord that is held"):
        units = find_units(Waveform(SOUNDS[name](), RATE))
        assert units.beat_s is None
        assert units.parts == 1


def test_behind_a_note_that_has_died_away_something_begins():
    sound = np.concatenate([melody(16), np.zeros(int(1.5 * RATE), np.float32)])
    primer = Waveform(sound + 1e-4 * RNG(0).normal(size=len(sound)), RATE)
    heard = hear_primer(primer)
    assert heard.units.died_away
    for piece in continue_waveform(primer, 4, num_outputs=3):
        assert piece.path.max() < heard.units.sounding
        power = np.square(piece.waveform.samples).mean() / np.square(primer.samples[:, : 4 * RATE]).mean()
        assert 0.2 < power < 5


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_a_note_that_has_died_away_is_struck_again(temperature):
    """A dying sound is like itself after any time, but that is no loop to go on in."""
    time_s = np.arange(6 * RATE) / RATE
    strings = sum(np.sin(2 * np.pi * k * 82.4 * (1 + 1e-4 * k) * time_s) / k for k in range(1, 9))
    sound = Waveform(0.2 * strings * np.exp(-0.9 * time_s), RATE)
    assert hear_primer(sound).units.died_away
    for piece in continue_waveform(sound, 3, num_outputs=3, seed=1, sampling=Sampling(temperature=temperature)):
        first = np.square(piece.waveform.samples[:, : RATE // 2]).mean()
        assert first > 0.25 * np.square(sound.samples[:, : RATE // 2]).mean()
        assert first > 100 * np.square(sound.samples[:, -RATE // 2 :]).mean()


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_a_last_note_that_is_long_ends(temperature):
    """No code is written more often in a row than the primer has it before its end, and the last note is over."""
    last = np.sin(2 * np.pi * 523.25 * np.arange(3 * RATE) / RATE).astype(np.float32) / 4
    sound = Waveform(np.concatenate([melody(24), last]), RATE)
    for piece in continue_waveform(sound, 8, num_outputs=3, seed=1, sampling=Sampling(temperature=temperature)):
        runs = [(code, len(list(run))) for code, run in groupby(piece.primer.codes.tolist())]
        heard = {code: max(count for other, count in runs[:-1] if other == code) for code, _ in runs[:-1]}
        assert runs[-1][1] > 3 * heard[runs[-1][0]]
        assert piece.codes[0] != piece.primer.codes[-1]
        assert all(len(list(run)) <= heard[code] for code, run in groupby(piece.codes.tolist()))
        assert len(set(piece.codes.tolist())) > 1


def test_the_beginning_of_a_unit_says_which_it_will_be():
    """The end of a loop is the beginning of the unit that it always was there."""
    primer = hear_primer(Waveform(loop()[: int(7.35 * RATE)], RATE))
    apart = tail_distances(primer.units, len(primer.heard))
    nearest = int(apart.argmin())
    off = (primer.units.bounds[-1] - primer.units.bounds[nearest]) / RATE % 2.0
    assert min(off, 2.0 - off) < 0.02
    assert apart.max() > 4 * apart.min()
    assert told_by_tail(primer).argmax() == primer.codes[nearest]


def test_a_short_primer_is_enough():
    piece = continue_waveform(Waveform(loop()[: int(0.26 * RATE)], RATE), 2)[0]
    assert len(piece.waveform) == 2 * RATE
    assert np.square(piece.waveform.samples).mean() > 1e-4


def test_of_a_long_primer_the_end_is_heard(monkeypatch):
    monkeypatch.setattr(module, "HEARD_S", 4.0)
    primer = Waveform(np.concatenate([RNG(0).normal(size=6 * RATE) / 8, loop(2)]), RATE)
    piece = continue_waveform(primer, 3)[0]
    assert piece.primer.heard.seconds == pytest.approx(4.0)
    assert len(piece.with_primer()) == len(primer) + 3 * RATE
    expected = continue_waveform(primer.cut(primer.seconds - 4), 3)[0]
    np.testing.assert_array_equal(piece.waveform.samples, expected.waveform.samples)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seconds": 0}, "seconds is 0"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"seconds": 601}, "at most 600"),
        ({"decoder": "loud"}, "grains, griffinlim"),
        ({"num_outputs": 0}, "num_outputs"),
        ({"seed": -1}, "seed"),
        ({"sampling": Sampling(gate_temperature=0.5)}, "gate_temperature"),
    ],
)
def test_what_makes_no_sense_is_refused(options, said):
    with pytest.raises(OptionError, match=said):
        continue_waveform(Waveform(loop(), RATE), **options)


@pytest.mark.parametrize(("samples", "said"), [(np.zeros(RATE), "silence"), (np.ones(2000), "0.09 s"), ([], "0.00 s")])
def test_nothing_to_continue_is_refused(samples, said):
    with pytest.raises(NoSoundError, match=said):
        continue_waveform(Waveform(samples, RATE))


def test_the_usual_temperature_is_below_one():
    assert PLAIN.temperature == 0.5


def bands(samples):
    """Loudness by mel band and tenth of a second, in decibels."""
    from seqaudio.features.functions import log_mel

    return log_mel(np.asarray(samples, np.float32), RATE, n_mels=40, hop_length=RATE // 10, top_db=60.0)


def test_griffinlim_says_what_the_codes_say_at_the_level_of_the_primer():
    """Loud and silent bars of two pitches: the new sound has the bands of its codes, and no click where it begins."""
    primer = Waveform(np.stack([loop(4)[: int(7.3 * RATE)]] * 2) * [[1.0], [0.25]], RATE)
    piece = continue_waveform(primer, 4, decoder="griffinlim", seed=1)[0]
    told = piece.waveform
    assert (told.sample_rate, told.channels, len(told)) == (RATE, 2, 4 * RATE)
    assert piece.joins is None
    ours, theirs = (np.sqrt(np.square(each.samples).mean(axis=1)) for each in (told, primer))
    assert np.abs(20 * np.log10(ours / theirs)).max() < 3
    assert np.abs(told.samples).max() <= np.abs(primer.samples).max() + 1e-6
    joined = piece.with_primer().samples[0].astype(np.float64)
    assert clicks(joined, len(primer)) < 1.5
    assert flux_at_seam(joined, len(primer)) < 1.5
    same = continue_waveform(primer, 4, seed=1)[0]
    np.testing.assert_array_equal(piece.codes, same.codes)
    one, other = bands(told.samples[0]), bands(same.waveform.samples[0])
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.85
    shuffled = other[:, RNG(0).permutation(other.shape[1])]
    assert np.corrcoef(one.ravel(), shuffled.ravel())[0, 1] < 0.82, "bands alone say so much"


def test_griffinlim_makes_no_noise_of_silence():
    sound = np.where(np.arange(5 * RATE) // (RATE // 2) % 2 == 0, np.resize(loop(1)[: RATE // 2], 5 * RATE), 0)
    piece = continue_waveform(Waveform(sound, RATE), 4, decoder="griffinlim", sampling=Sampling(temperature=0))[0]
    power = np.square(piece.waveform.samples[0, : 80 * 1102]).reshape(80, 1102).mean(axis=1)
    assert np.sort(power)[: len(power) // 4].mean() < 1e-4 * np.sort(power)[-len(power) // 4 :].mean()
