"""Sound comes back: its spectrum is the one that was asked for, mel bands too, and mu-law codes to half a step."""

import librosa
import numpy as np
import pytest
import torch

from seqaudio.errors import OptionError
from seqaudio.features import (
    griffin_lim,
    log_mel,
    log_mel_to_mel,
    mel,
    mel_to_audio,
    mel_to_spectrogram,
    mu_law,
    mu_law_decode,
    spectrogram,
)
from seqaudio.features.torchaudio_import import import_torchaudio
from tests.features.sounds import RATE, tones

pytestmark = pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values:UserWarning")


def off(made, wanted):
    """The difference of amplitudes, of the wanted ones."""
    return np.linalg.norm(made**0.5 - wanted**0.5) / np.linalg.norm(wanted**0.5)


@pytest.mark.parametrize("preset", ["librosa", "torchaudio"])
def test_the_spectrum_is_the_one_that_was_asked_for(preset):
    sound = tones(1.5).astype(np.float32)
    wanted = spectrogram(sound, RATE, preset)
    made = griffin_lim(wanted, preset, length=len(sound))
    assert made.shape == sound.shape
    assert made.dtype == np.float32
    found = off(spectrogram(made, RATE, preset), wanted)
    random = np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32) * sound.std()
    assert found < 0.15 < 1 < off(spectrogram(random, RATE, preset), wanted)
    theirs = librosa.griffinlim(wanted**0.5, length=len(sound), random_state=0) if preset == "librosa" else None
    assert theirs is None or found < 1.2 * off(spectrogram(theirs, RATE), wanted)
    assert off(spectrogram(griffin_lim(wanted**0.5, preset, power=1.0), RATE, preset), wanted) == pytest.approx(
        found, rel=0.3
    )


def test_phases_depend_on_the_seed_alone():
    wanted = torch.from_numpy(spectrogram(tones(0.5), RATE))
    before = torch.random.get_rng_state()
    first, again, other = (griffin_lim(wanted, seed=seed, n_iter=2) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("preset", ["librosa", "torchaudio"])
def test_mel_bands_are_met_and_nothing_is_negative(preset):
    bands = mel(np.stack([tones(0.6), np.zeros(len(tones(0.6)))]), RATE, preset, n_mels=40)
    made = mel_to_spectrogram(bands, RATE, preset)
    bank = bank_of(preset, made.shape[-2])
    assert made.min() >= 0
    assert np.isfinite(made).all()
    assert np.linalg.norm(bank @ made - bands) < 0.02 * np.linalg.norm(bands)
    assert np.abs(made[1]).max() < 1e-6 * np.abs(made[0]).max()


def bank_of(preset, frequencies):
    if preset == "librosa":
        return librosa.filters.mel(sr=RATE, n_fft=2 * (frequencies - 1), n_mels=40)
    filters = import_torchaudio().functional.melscale_fbanks(frequencies, 0.0, RATE / 2, 40, RATE)
    return filters.T.numpy()


def test_sound_comes_back_from_levels():
    sound = tones(1.5).astype(np.float32)
    levels = log_mel(sound, RATE, ref=4.0)
    bands = log_mel_to_mel(levels, ref=4.0)
    assert np.allclose(10 * np.log10(bands / 4.0), levels, atol=1e-4)
    made = mel_to_audio(bands, RATE, length=len(sound))
    assert made.shape == sound.shape
    assert off(mel(made, RATE), bands) < 0.2


@pytest.mark.parametrize("preset", ["librosa", "torchaudio"])
def test_codes_come_back_to_a_step(preset):
    sound = np.linspace(-1, 1, 50_001)
    codes = mu_law(sound, RATE, preset)[0]
    made = mu_law_decode(codes, preset)
    step = (np.abs(sound) + 1 / 255) * np.log(256) * 2 / 255  # how far codes are apart there
    assert np.all(np.abs(made - sound) <= (1.05 if preset == "librosa" else 0.55) * step)
    assert np.unique(codes).size == 256
    if preset == "librosa":
        assert np.allclose(made, librosa.mu_expand(codes.astype(np.float64), quantize=True), atol=1e-6)
    else:
        theirs = import_torchaudio().functional.mu_law_decoding(torch.from_numpy(codes), 256)
        assert np.allclose(made, theirs.numpy(), atol=1e-6)


def test_what_cannot_be_inverted_is_refused():
    wanted = spectrogram(tones(0.3), RATE)
    for call, text in [
        (lambda: griffin_lim(wanted, n_fft=512), "1025 frequencies are not those of n_fft=512"),
        (lambda: griffin_lim(wanted, center=False), "use center=True"),
        (lambda: griffin_lim(wanted, window="hamming"), "window is 'hamming'; only 'hann'"),
        (lambda: griffin_lim(wanted, momentum=1.0), "momentum is 1.0, it must be 0 to below 1"),
        (lambda: griffin_lim(wanted, n_iter=0), "n_iter is 0"),
        (lambda: griffin_lim(wanted, n_iters=3), "griffin_lim has no option 'n_iters'"),
        (lambda: griffin_lim(wanted[0]), "give real"),
        (lambda: mel_to_spectrogram(wanted[:40], RATE, n_mels=50), "40 bands are not n_mels=50"),
        (lambda: mel_to_audio(wanted[:40], RATE, n_ftt=50), "mel has no option 'n_ftt'"),
        (lambda: mu_law_decode(np.zeros(3, np.int64), mu=0), "mu is 0"),
    ]:
        with pytest.raises(OptionError, match=text):
            call()
