"""Which features are there, and how is one made by its name?"""

from __future__ import annotations

from typing import Any

from seqaudio.errors import OptionError
from seqaudio.features.chroma import ChromaCens, ChromaCqt, ChromaStft, Tonnetz
from seqaudio.features.constant_q import Cqt, Scale
from seqaudio.features.contract import Feature
from seqaudio.features.framing import check_positive
from seqaudio.features.level import MuLaw, Rms, ZeroCrossingRate
from seqaudio.features.mel_bands import LogMel, Mel, Mfcc
from seqaudio.features.names import FEATURES, IN_TORCHAUDIO
from seqaudio.features.pitch import Pyin
from seqaudio.features.presets import Options, Preset
from seqaudio.features.rhythm import Beats, OnsetStrength, Tempogram
from seqaudio.features.separation import Hpss
from seqaudio.features.spectral_shape import (
    SpectralBandwidth,
    SpectralCentroid,
    SpectralContrast,
    SpectralFlatness,
    SpectralRolloff,
)
from seqaudio.features.spectrum import SpectralFeature, Spectrogram, Stft

SHAPES: dict[str, type[SpectralFeature]] = {
    "spectral_bandwidth": SpectralBandwidth,
    "spectral_contrast": SpectralContrast,
    "spectral_rolloff": SpectralRolloff,
    "spectral_flatness": SpectralFlatness,
}


def feature(name: str, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Feature:
    """A feature as a torch module: ``module(samples (..., time)) -> (..., bins, frames)``.

    Args:
        name: one of ``FEATURES``.
        sample_rate: of the samples, in Hz.
        preset: ``librosa`` or ``torchaudio``, whose settings are the defaults and whose numbers come out.
        options: settings by librosa's names; those of the feature and of the parts it is made of.

    Raises:
        OptionError: an unknown name or option, a feature that torchaudio does not have, a value outside its range.
    """
    if name not in FEATURES:
        raise OptionError(f"{name!r} is no feature; there are {', '.join(FEATURES)}")
    check_positive("sample_rate", sample_rate)
    chosen = Options(preset, options)
    if preset == "torchaudio" and name not in IN_TORCHAUDIO:
        raise OptionError(f"torchaudio has no {name}, only {', '.join(IN_TORCHAUDIO)}; use preset='librosa'")
    made = _made(name, sample_rate, chosen)
    chosen.finish(name)
    return made


def _made(name: str, rate: int, options: Options) -> Feature:
    match name:
        case "stft":
            return Stft(rate, framing=options.framing(options.window_length(2048) // 4, precise=False))
        case "spectrogram":
            mine = options.take(Spectrogram)
            return Spectrogram(rate, framing=options.framing(precise=False), **mine)
        case "mel":
            return _mel(rate, options)
        case "log_mel":
            return _levels(rate, options, None if options.preset == "torchaudio" else 80.0)
        case "mfcc":
            mine = options.take(Mfcc, n_mfcc=40 if options.preset == "torchaudio" else 20)
            options.rename("mel_norm", "norm")
            return Mfcc(_levels(rate, options), **mine)
        case "cqt":
            return _cqt(rate, options)
        case "chroma_stft":
            mine = options.take(ChromaStft)
            return ChromaStft(rate, framing=options.framing(), **mine)
        case "chroma_cqt":
            return _chroma(rate, options, options.take(ChromaCqt))
        case "chroma_cens":
            mine = options.take(ChromaCens)
            return ChromaCens(_chroma(rate, options, options.take(ChromaCqt) | {"norm": None}), **mine)
        case "tonnetz":
            return Tonnetz(_chroma(rate, options, options.take(ChromaCqt)))
        case "onset_strength":
            return _onsets(rate, options)
        case "tempogram":
            mine = options.take(Tempogram)
            return Tempogram(_onsets(rate, options), **mine)
        case "beats":
            mine = options.take(Beats)
            return Beats(_onsets(rate, options, "median"), **mine)
        case "hpss":
            mine = options.take(Hpss)
            return Hpss(Spectrogram(rate, power=1.0, framing=options.framing()), **mine)
        case "spectral_centroid":
            return SpectralCentroid(
                rate, **options.take(SpectralCentroid, peer=options.preset), framing=options.framing(precise=False)
            )
        case "spectral_bandwidth" | "spectral_contrast" | "spectral_rolloff" | "spectral_flatness":
            shape: Any = SHAPES[name]
            made: Feature = shape(rate, **options.take(shape), framing=options.framing())
            return made
        case "rms":
            return Rms(rate, framing=options.plain_framing("constant"))
        case "zero_crossing_rate":
            return ZeroCrossingRate(rate, **options.take(ZeroCrossingRate), framing=options.plain_framing("edge"))
        case "mu_law":
            return MuLaw(rate, **options.take(MuLaw, peer=options.preset))
        case "pyin":
            return Pyin(rate, **options.take(Pyin))
        case _:
            raise AssertionError(name)


def _mel(rate: int, options: Options, precise: bool = False) -> Mel:
    mine = options.take(Mel)
    if options.preset == "torchaudio":
        mine = {"htk": True, "norm": None, "peer": "torchaudio"} | mine
    return Mel(rate, framing=options.framing(precise=precise), **mine)


def _levels(rate: int, options: Options, top_db: float | None = 80.0, precise: bool = False) -> LogMel:
    mine = options.take(LogMel, top_db=top_db)
    return LogMel(_mel(rate, options, precise), **mine)


def _onsets(rate: int, options: Options, aggregate: str = "mean") -> OnsetStrength:
    mine = options.take(OnsetStrength, aggregate=aggregate)
    return OnsetStrength(_levels(rate, options, precise=True), **mine)


def _cqt(rate: int, options: Options, tuning: float | None = 0.0, **scale: int) -> Cqt:
    mine = options.take(Cqt, tuning=tuning)
    return Cqt(rate, scale=Scale(**options.take(Scale, **scale)), **mine)


def _chroma(rate: int, options: Options, mine: dict[str, Any]) -> ChromaCqt:
    bins = options.take(_octaves)
    per_octave = bins.get("bins_per_octave", 36)
    cqt = _cqt(rate, options, None, n_bins=per_octave * bins.get("n_octaves", 7), bins_per_octave=per_octave)
    return ChromaCqt(cqt, **mine)


def _octaves(n_octaves: int = 7, bins_per_octave: int = 36) -> None:
    """The options that say how many bins the constant-Q transform of chroma has."""
