"""One line for each feature: samples in, frames out; numpy in, numpy out, torch in, torch out.

Every function takes samples (..., time), their rate in Hz, a preset (``librosa`` or ``torchaudio``) and options by
librosa's names, and answers (..., bins, frames); ``seqaudio.features.feature`` with the same arguments gives the
module, which knows the times and names too. Modules are kept, so that filters are made once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.catalog import feature
from seqaudio.features.contract import Feature
from seqaudio.features.presets import Preset
from seqaudio.features.rhythm import Beats

Array = TypeVar("Array", Tensor, NDArray[Any])

_kept = lru_cache(maxsize=64)(feature)


def _module(name: str, sample_rate: int, preset: Preset, options: dict[str, Any]) -> Feature:
    try:
        return _kept(name, sample_rate, preset, **options)
    except TypeError:
        raise OptionError(f"an option of {name} is neither a number nor a text; give plain values") from None


def _tensor(samples: NDArray[Any]) -> Tensor:
    """Samples for torch, which knows no array that cannot be written to."""
    samples = np.asarray(samples)
    return torch.from_numpy(samples if samples.flags.writeable else samples.copy())


def _frames(name: str, samples: Array, sample_rate: int, preset: Preset, options: dict[str, Any]) -> Array:
    module = _module(name, sample_rate, preset, options)
    if isinstance(samples, Tensor):
        frames: Tensor = module(samples)
        return frames
    with torch.no_grad():
        made: NDArray[Any] = module(_tensor(samples)).numpy()
    return made


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


def beat_times(samples: Array, sample_rate: int, **options: Any) -> tuple[float, NDArray[np.float64]]:
    """The tempo of one recording (time,) in beats a minute (0: nothing begins), and when its beats are, in seconds."""
    module = _module("beats", sample_rate, "librosa", options)
    assert isinstance(module, Beats)
    bpm, found = module.track(samples if isinstance(samples, Tensor) else _tensor(samples))
    return bpm, module.times(len(found))[found.cpu().numpy() > 0]
