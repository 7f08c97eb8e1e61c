"""Each feature has the numbers of librosa, or of torchaudio: on tones, chirps, and real sound where there is some.

In float64 every number agrees within 1e-4 of itself. In float32 a transform rounds to 1e-7 of the loudest, and soxr
halves the rate in float32 whatever it is given, so a millionth of the largest number is allowed beside the 1e-4.
"""

import librosa
import numpy as np
import pytest
import torch

from seqaudio.errors import OptionError
from seqaudio.features import FEATURES, feature, functions
from seqaudio.features.names import IN_TORCHAUDIO
from seqaudio.features.torchaudio_import import import_torchaudio
from tests.features.sounds import MADE, RATE, real, real_files, tones

pytestmark = pytest.mark.filterwarnings(
    "ignore:n_fft=.* is too large:UserWarning",  # librosa of octaves of a second or less
    "ignore:At least one mel filterbank has all zero values:UserWarning",  # torchaudio's own bands at low rates
)
LOW, HIGH = 110.0, 700.0  # Hz; what pYIN searches takes the square of their distance


def librosa_beats(y, rate):
    return librosa.beat.beat_track(y=y, sr=rate, sparse=False)[1][None]


LIBROSA = {
    "stft": lambda y, rate: librosa.stft(y),
    "spectrogram": lambda y, rate: np.abs(librosa.stft(y)) ** 2,
    "mel": lambda y, rate: librosa.feature.melspectrogram(y=y, sr=rate),
    "log_mel": lambda y, rate: librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=rate)),
    "mfcc": lambda y, rate: librosa.feature.mfcc(y=y, sr=rate),
    "cqt": lambda y, rate, **few: librosa.cqt(y, sr=rate, n_bins=12 * few.get("n_octaves", 7)),
    "chroma_stft": lambda y, rate: librosa.feature.chroma_stft(y=y, sr=rate),
    "chroma_cqt": lambda y, rate, **few: librosa.feature.chroma_cqt(y=y, sr=rate, **few),
    "chroma_cens": lambda y, rate, **few: librosa.feature.chroma_cens(y=y, sr=rate, **few),
    "tonnetz": lambda y, rate, **few: librosa.feature.tonnetz(y=y, sr=rate, **few),
    "onset_strength": lambda y, rate: librosa.onset.onset_strength(y=y, sr=rate)[None],
    "tempogram": lambda y, rate: librosa.feature.tempogram(y=y, sr=rate),
    "beats": librosa_beats,
    "spectral_centroid": lambda y, rate: librosa.feature.spectral_centroid(y=y, sr=rate),
    "spectral_bandwidth": lambda y, rate: librosa.feature.spectral_bandwidth(y=y, sr=rate),
    "spectral_contrast": lambda y, rate, **few: librosa.feature.spectral_contrast(y=y, sr=rate, **few),
    "spectral_rolloff": lambda y, rate: librosa.feature.spectral_rolloff(y=y, sr=rate),
    "spectral_flatness": lambda y, rate: librosa.feature.spectral_flatness(y=y),
    "rms": lambda y, rate: librosa.feature.rms(y=y, dtype=y.dtype),
    "zero_crossing_rate": lambda y, rate: librosa.feature.zero_crossing_rate(y),
    "hpss": lambda y, rate: np.stack(librosa.decompose.hpss(np.abs(librosa.stft(y)))),
    "pyin": lambda y, rate: np.stack(librosa.pyin(y, sr=rate, fmin=LOW, fmax=HIGH)),
    "mu_law": lambda y, rate: librosa.mu_compress(y)[None],
}
STEPS = {"mu_law": lambda rate: 1, "spectral_rolloff": lambda rate: rate / 2048 * 1.001}
LEVELS = ("log_mel", "mfcc", "onset_strength", "tempogram", "spectral_contrast")
OCTAVES = ("cqt", "chroma_cqt", "chroma_cens", "tonnetz")


def torchaudio_of(name, rate):
    """torchaudio's module, with a window of full precision."""
    transforms, window = import_torchaudio().transforms, {"wkwargs": {"dtype": torch.float64}}
    match name:
        case "stft":
            return transforms.Spectrogram(power=None, **window)
        case "spectrogram":
            return transforms.Spectrogram(**window)
        case "mel":
            return transforms.MelSpectrogram(rate, **window)
        case "log_mel":
            return torch.nn.Sequential(transforms.MelSpectrogram(rate, **window), transforms.AmplitudeToDB())
        case "spectral_centroid":
            return transforms.SpectralCentroid(rate, **window)
        case "mu_law":
            return transforms.MuLawEncoding()
        case "mfcc":
            return transforms.MFCC(rate, melkwargs=window)


def assert_same(ours, theirs, floor):
    """Within 1e-4 of each number and ``floor`` of the largest; a floor for all, or for each frame."""
    assert ours.shape == theirs.shape
    assert theirs.size > 0
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    allowed = 1e-4 * np.abs(theirs) + floor * np.nanmax(np.abs(theirs))
    over = np.nanmax(np.abs(ours - theirs) - allowed)
    assert over <= 0, f"off by {over:.2g} more than allowed, of {np.nanmax(np.abs(theirs)):.2g}"


def loudness(samples, rate, **few):
    """Of each frame of the constant-Q transform, of the loudest: what frames of norm 1 rest on."""
    bins = 36 * few.get("n_octaves", 7)
    level = np.abs(librosa.cqt(samples, sr=rate, n_bins=bins, bins_per_octave=36)).max(axis=0)
    return np.maximum(level / level.max(), 1e-12)


def assert_as_librosa(name, samples, rate, **few):
    """In the precision of the samples."""
    floor = 1e-12 if samples.dtype == np.float64 else 1e-6
    if name in OCTAVES:
        floor = 1e-6 if name == "cqt" else 1e-6 / loudness(samples, rate, **few)
    if name in LEVELS and samples.dtype == np.float32:
        floor = 1e-5  # decibels of bands that are nearly empty
    ours = {"n_bins": 60} if few and name == "cqt" else {"fmin": LOW, "fmax": HIGH} if name == "pyin" else few
    made, theirs = getattr(functions, name)(samples, rate, **ours), LIBROSA[name](samples, rate, **few)
    if name in STEPS and samples.dtype == np.float32:  # a number beside a step may fall to its other side
        assert np.sum(made != theirs) <= 1 + 1e-3 * theirs.size
        assert np.abs(made - theirs).max() <= STEPS[name](rate)
    else:
        assert_same(made, theirs, floor)


def assert_as_torchaudio(name, samples, rate):
    """In float64."""
    module = torchaudio_of(name, rate).to(torch.float64)
    floor = 1e-6 if name == "mfcc" else 1e-12  # its cosines are float32
    samples = samples.astype(np.float64)
    theirs = module(torch.from_numpy(samples)).numpy()
    if name in ("spectral_centroid", "mu_law"):
        theirs = theirs[None]  # they have no bins
    assert_same(getattr(functions, name)(samples, rate, preset="torchaudio"), theirs, floor)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sound", MADE)
@pytest.mark.parametrize("name", LIBROSA)
def test_made_sound_as_librosa_hears_it(name, sound, dtype):
    assert_as_librosa(name, MADE[sound]().astype(dtype), RATE)


@pytest.mark.parametrize("name", LIBROSA)
def test_real_sound_as_librosa_hears_it(name):
    for samples, rate in sounds_or_skip():
        assert_as_librosa(name, samples, rate, **few_bands(name, rate))


def few_bands(name, rate):
    """Options without which a low rate does not hold the bands."""
    if rate >= 16000:
        return {}
    return {"n_octaves": 5} if name in OCTAVES else {"n_bands": 4} if name == "spectral_contrast" else {}


@pytest.mark.parametrize("sound", MADE)
@pytest.mark.parametrize("name", IN_TORCHAUDIO)
def test_made_sound_as_torchaudio_hears_it(name, sound):
    assert_as_torchaudio(name, MADE[sound](rate=16000), 16000)


@pytest.mark.parametrize("name", IN_TORCHAUDIO)
def test_real_sound_as_torchaudio_hears_it(name):
    for samples, rate in sounds_or_skip():
        assert_as_torchaudio(name, samples, rate)


def sounds_or_skip():
    if not real_files():
        pytest.skip("the sounds of shared/data are not here")
    return [real(path) for path in real_files()]


@pytest.mark.parametrize(("rate", "bins"), [(44_100, 84), (44_100, 36), (96_000, 84), (22_050, 12), (8000, 40)])
def test_a_transform_that_ends_low_or_comes_from_a_high_rate(rate, bins):
    """Its rate is lowered before the first octave, by a factor of up to 16."""
    samples = tones(0.7, rate)
    ours = functions.cqt(samples, rate, n_bins=bins, hop_length=384)
    assert_same(ours, librosa.cqt(samples, sr=rate, n_bins=bins, hop_length=384), 2e-6)


def test_every_feature_has_a_peer():
    assert {*LIBROSA} == {*FEATURES}
    for name in FEATURES:
        if name not in IN_TORCHAUDIO:
            with pytest.raises(OptionError, match=f"torchaudio has no {name}, only stft, .*; use preset='librosa'"):
                feature(name, RATE, "torchaudio")
