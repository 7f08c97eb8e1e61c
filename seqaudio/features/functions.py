"""How is a feature made in one line? Samples in, frames out; numpy in, numpy out, torch in, torch out.

Every function takes samples (..., time), their rate in Hz, a preset (``librosa`` or ``torchaudio``) and options by
librosa's names, and answers (..., bins, frames); ``seqaudio.features.feature`` with the same arguments gives the
module, which knows the times and names too. Modules are kept, so that filters are made once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.arrays import Array, as_given, as_tensor
from seqaudio.features.catalog import feature
from seqaudio.features.contract import Feature
from seqaudio.features.presets import Preset
from seqaudio.features.rhythm import Beats

_kept = lru_cache(maxsize=64)(feature)


def _module(name: str, sample_rate: int, preset: Preset, options: dict[str, Any]) -> Feature:
    try:
        return _kept(name, sample_rate, preset, **options)
    except TypeError:
        raise OptionError(f"an option of {name} is neither a number nor a text; give plain values") from None


def _frames(name: str, samples: Array, sample_rate: int, preset: Preset, options: dict[str, Any]) -> Array:
    module = _module(name, sample_rate, preset, options)
    with torch.set_grad_enabled(torch.is_grad_enabled() and isinstance(samples, Tensor)):
        return as_given(module(as_tensor(samples)), samples)


def stft(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """The short-time Fourier transform, complex (..., 1 + n_fft // 2, frames)."""
    return _frames("stft", samples, sample_rate, preset, options)


def spectrogram(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Magnitudes to a power (2: energy), (..., 1 + n_fft // 2, frames)."""
    return _frames("spectrogram", samples, sample_rate, preset, options)


def mel(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Energies in mel bands, (..., n_mels, frames)."""
    return _frames("mel", samples, sample_rate, preset, options)


def log_mel(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Levels in mel bands, in decibels, (..., n_mels, frames)."""
    return _frames("log_mel", samples, sample_rate, preset, options)


def mfcc(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Mel-frequency cepstral coefficients, (..., n_mfcc, frames)."""
    return _frames("mfcc", samples, sample_rate, preset, options)


def cqt(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """The constant-Q transform, complex (..., n_bins, frames)."""
    return _frames("cqt", samples, sample_rate, preset, options)


def chroma_stft(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Energy of each pitch class from the Fourier transform, (..., n_chroma, frames)."""
    return _frames("chroma_stft", samples, sample_rate, preset, options)


def chroma_cqt(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Magnitude of each pitch class from the constant-Q transform, (..., n_chroma, frames)."""
    return _frames("chroma_cqt", samples, sample_rate, preset, options)


def chroma_cens(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Chroma energy statistics, (..., n_chroma, frames)."""
    return _frames("chroma_cens", samples, sample_rate, preset, options)


def tonnetz(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Tonal centroids, (..., 6, frames)."""
    return _frames("tonnetz", samples, sample_rate, preset, options)


def onset_strength(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """By how much the levels in mel bands rise, (..., 1, frames)."""
    return _frames("onset_strength", samples, sample_rate, preset, options)


def tempogram(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Autocorrelation of the onsets around each frame, (..., lags, frames)."""
    return _frames("tempogram", samples, sample_rate, preset, options)


def beats(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """1 in frames with a beat, else 0, (..., 1, frames)."""
    return _frames("beats", samples, sample_rate, preset, options)


def spectral_centroid(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """The mean frequency, weighted by magnitude, in Hz, (..., 1, frames)."""
    return _frames("spectral_centroid", samples, sample_rate, preset, options)


def spectral_bandwidth(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """The mean distance from the centroid, in Hz, (..., 1, frames)."""
    return _frames("spectral_bandwidth", samples, sample_rate, preset, options)


def spectral_contrast(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """How far peaks stand out of valleys in octave bands, in decibels, (..., n_bands + 1, frames)."""
    return _frames("spectral_contrast", samples, sample_rate, preset, options)


def spectral_rolloff(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """The frequency below which most of the magnitude lies, in Hz, (..., 1, frames)."""
    return _frames("spectral_rolloff", samples, sample_rate, preset, options)


def spectral_flatness(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """How like noise it is, 0 to 1, (..., 1, frames)."""
    return _frames("spectral_flatness", samples, sample_rate, preset, options)


def rms(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """The root of the mean square of the samples, (..., 1, frames)."""
    return _frames("rms", samples, sample_rate, preset, options)


def zero_crossing_rate(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Changes of sign for each sample, (..., 1, frames)."""
    return _frames("zero_crossing_rate", samples, sample_rate, preset, options)


def hpss(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Harmonic and percussive magnitudes, (..., 2, frequencies, frames)."""
    return _frames("hpss", samples, sample_rate, preset, options)


def pyin(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Fundamental frequency in Hz, whether there is one, and how likely, (..., 3, frames)."""
    return _frames("pyin", samples, sample_rate, preset, options)


def mu_law(samples: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """Each sample as a mu-law code, int64, (..., 1, time)."""
    return _frames("mu_law", samples, sample_rate, preset, options)


def beat_times(samples: Array, sample_rate: int, **options: Any) -> tuple[float, NDArray[np.float64]]:
    """The tempo of one recording (time,) in beats a minute (0: nothing begins), and when its beats are, in seconds."""
    module = _module("beats", sample_rate, "librosa", options)
    assert isinstance(module, Beats)
    bpm, found = module.track(as_tensor(samples))
    return bpm, module.times(len(found))[found.cpu().numpy() > 0]
