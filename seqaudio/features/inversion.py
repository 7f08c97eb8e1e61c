"""How does sound come back from frames? Phases by Griffin and Lim, spectra from mel bands, samples from mu-law codes.

Conventions: what went in is given as it was made, with the same preset and options: energies (power 2) unless a power
says otherwise. Sources: Griffin and Lim (1984) with the momentum of Perraudin, Balazs and Sondergaard (2013), by
torchaudio; non-negative least squares by the multiplicative steps of Lee and Seung (2001).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.arrays import Array, as_given, as_tensor
from seqaudio.features.catalog import feature
from seqaudio.features.framing import Framing, check_positive
from seqaudio.features.mel_bands import Mel
from seqaudio.features.presets import Options, Preset
from seqaudio.features.spectrum import check_power
from seqaudio.features.torchaudio_import import import_torchaudio

MEL_STEPS = 50  # behind which mel bands are met within 1 %


def griffin_lim(
    spectrogram: Array,
    preset: Preset = "librosa",
    *,
    power: float = 2.0,
    n_iter: int = 32,
    momentum: float = 0.99,
    length: int | None = None,
    seed: int = 0,
    **framing: Any,
) -> Array:
    """Samples whose spectrogram is as near to this one as phases allow.

    Shape:
        (..., frequencies, frames) -> (..., time)

    Args:
        spectrogram: magnitudes to a power.
        preset: whose frames it was made with.
        power: 2: energies, 1: amplitudes.
        n_iter: times to look for phases.
        momentum: of each step, 0 to below 1.
        length: samples that are wanted; None: what the frames hold.
        seed: of the phases at first.
        framing: options of the frames; ``n_fft`` follows from the frequencies.

    Raises:
        OptionError: a value outside its range, an unknown option, frames without ``center``.
    """
    given = as_tensor(spectrogram)
    if given.ndim < 2 or not given.is_floating_point():
        raise OptionError(f"{given.dtype} of shape {tuple(given.shape)}; give real (..., frequencies, frames)")
    options = Options(preset, {"n_fft": 2 * (given.shape[-2] - 1), **framing})
    frames = options.framing()
    options.finish("griffin_lim")
    return as_given(_with_phases(given, frames, check_power(power), n_iter, momentum, length, seed), spectrogram)


def _with_phases(
    spectrogram: Tensor, frames: Framing, power: float, n_iter: int, momentum: float, length: int | None, seed: int
) -> Tensor:
    check_positive("n_iter", n_iter)
    if not 0 <= momentum < 1:
        raise OptionError(f"momentum is {momentum}, it must be 0 to below 1")
    if not frames.center:
        raise OptionError("frames without center do not cover the first samples; use center=True")
    if frames.bins != spectrogram.shape[-2]:
        raise OptionError(f"{spectrogram.shape[-2]} frequencies are not those of n_fft={frames.n_fft}; leave n_fft out")
    if frames.window != "hann":
        raise OptionError(f"window is {frames.window!r}; only 'hann' can be inverted")
    width = frames.win_length or frames.n_fft
    window = torch.hann_window(width, dtype=spectrogram.dtype, device=spectrogram.device)
    devices = [spectrogram.device] if spectrogram.is_cuda else []
    with torch.random.fork_rng(devices=devices):  # torchaudio draws from the global generator
        torch.manual_seed(seed)
        found: Tensor = import_torchaudio().functional.griffinlim(
            spectrogram, window, frames.n_fft, frames.hop_length, width, power, n_iter, momentum, length, True
        )
    return found


def mel_to_spectrogram(mel: Array, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Array:
    """The non-negative spectrogram whose mel bands are nearest to these.

    Shape:
        (..., n_mels, frames) -> (..., 1 + n_fft // 2, frames), to the power that the bands have

    Args:
        mel: energies in mel bands.
        sample_rate: in Hz.
        preset: whose bands they are.
        options: of ``mel``, as they were made with; ``n_mels`` follows from the bands.

    Raises:
        OptionError: a value outside its range, an unknown option, another number of bands.
    """
    given = as_tensor(mel)
    return as_given(_spectrogram(given, _bands(given, sample_rate, preset, options)), mel)


def _bands(given: Tensor, sample_rate: int, preset: Preset, options: dict[str, Any]) -> Mel:
    """The feature that made these bands."""
    if given.ndim < 2 or not given.is_floating_point():
        raise OptionError(f"{given.dtype} of shape {tuple(given.shape)}; give real (..., n_mels, frames)")
    made = feature("mel", sample_rate, preset, **{"n_mels": given.shape[-2], **options})
    assert isinstance(made, Mel)
    if made.bins != given.shape[-2]:
        raise OptionError(f"{given.shape[-2]} bands are not n_mels={made.bins}; leave n_mels out")
    return made


def _spectrogram(given: Tensor, bands: Mel) -> Tensor:
    bank = bands._constant("bank", given)  # (bands, frequencies)
    smallest = torch.finfo(given.dtype).tiny
    heard = bank.T @ given
    found: Tensor = (torch.linalg.pinv(bank) @ given).clamp(min=0) + 1e-3 * heard  # no step leaves 0
    for _ in range(MEL_STEPS):
        found = found * heard / (bank.T @ (bank @ found)).clamp(min=smallest)
    return found


def mel_to_audio(
    mel: Array,
    sample_rate: int,
    preset: Preset = "librosa",
    *,
    n_iter: int = 32,
    momentum: float = 0.99,
    length: int | None = None,
    seed: int = 0,
    **options: Any,
) -> Array:
    """Samples that have these energies in mel bands, (..., n_mels, frames) -> (..., time).

    Args:
        mel: energies in mel bands.
        sample_rate: in Hz.
        preset: whose bands they are.
        n_iter: times to look for phases.
        momentum: of each step, 0 to below 1.
        length: samples that are wanted; None: what the frames hold.
        seed: of the phases at first.
        options: of ``mel``, as they were made with; ``n_mels`` follows from the bands.

    Raises:
        OptionError: as of ``mel_to_spectrogram`` and ``griffin_lim``.
    """
    given = as_tensor(mel)
    bands = _bands(given, sample_rate, preset, options)
    spectrogram = _spectrogram(given, bands)
    return as_given(_with_phases(spectrogram, bands.framing, bands.power, n_iter, momentum, length, seed), mel)


def log_mel_to_mel(levels: Array, ref: float = 1.0) -> Array:
    """Energies of levels in decibels over ``ref``, of any shape."""
    return as_given(ref * torch.pow(10.0, as_tensor(levels) / 10), levels)


def mu_law_decode(codes: Array, preset: Preset = "librosa", *, mu: int = 255) -> Array:
    """The samples that mu-law codes stand for, float32, of the same shape.

    Args:
        codes: whole numbers, as ``mu_law`` makes them.
        preset: librosa's codes lie around 0, torchaudio's begin at 0.
        mu: how much finer quiet sound is kept; there are mu + 1 codes.

    Raises:
        OptionError: a ``mu`` that is not above 0.
    """
    if not mu > 0:
        raise OptionError(f"mu is {mu}, it must be above 0")
    numbers = as_tensor(codes).to(torch.float32)
    level = 2 * numbers / mu - 1 if preset == "torchaudio" else 2 * numbers / (mu + 1)
    return as_given(level.sign() * torch.expm1(level.abs() * math.log1p(mu)) / mu, codes)
