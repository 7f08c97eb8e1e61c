"""Which features are there, and how is one made by its name?

What a feature is made with is imported when one is made: the libraries behind all of them together take seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seqaudio.errors import OptionError
from seqaudio.features.contract import Feature
from seqaudio.features.framing import check_positive
from seqaudio.features.librosa_import import librosa
from seqaudio.features.names import FEATURES, IN_TORCHAUDIO
from seqaudio.features.presets import Options, Preset

if TYPE_CHECKING:
    from seqaudio.features.chroma import ChromaCqt
    from seqaudio.features.constant_q import Cqt
    from seqaudio.features.mel_bands import LogMel, Mel
    from seqaudio.features.rhythm import OnsetStrength


def feature(name: str, sample_rate: int, preset: Preset = "librosa", **options: Any) -> Feature:
    """A feature as a torch module: ``module(samples (..., time)) -> (..., bins, frames)``.

    Its ``settings`` say every option that it has, and the value that it was made with.

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
    try:
        made = _made(name, sample_rate, chosen)
    except (TypeError, ValueError, ArithmeticError, librosa.ParameterError) as problem:  # no number, or an absurd one
        raise OptionError(f"{name}: {problem}; check the settings") from None
    chosen.finish(name)
    made.settings = dict(sorted(chosen.settings.items()))
    return made


def _made(name: str, rate: int, options: Options) -> Feature:
    match name:
        case "stft" | "spectrogram":
            return _of_spectra(name, rate, options)
        case "mel" | "log_mel" | "mfcc":
            return _of_mel_bands(name, rate, options)
        case "cqt":
            return _cqt(rate, options)
        case "chroma_stft" | "chroma_cqt" | "chroma_cens" | "tonnetz":
            return _of_pitch_classes(name, rate, options)
        case "onset_strength" | "tempogram" | "beats":
            return _of_rhythm(name, rate, options)
        case "hpss":
            from seqaudio.features.separation import Hpss
            from seqaudio.features.spectrum import Spectrogram

            mine = options.take(Hpss)
            return Hpss(Spectrogram(rate, power=1.0, framing=options.framing()), **mine)
        case "rms" | "zero_crossing_rate" | "mu_law":
            return _of_samples(name, rate, options)
        case "pyin":
            from seqaudio.features.pitch import Pyin

            return Pyin(rate, **options.take(Pyin))
        case _:
            return _of_shape(name, rate, options)


def _of_spectra(name: str, rate: int, options: Options) -> Feature:
    from seqaudio.features.spectrum import Spectrogram, Stft

    if name == "stft":
        return Stft(rate, framing=options.framing(options.window_length(2048) // 4, precise=False))
    mine = options.take(Spectrogram)
    return Spectrogram(rate, framing=options.framing(precise=False), **mine)


def _of_samples(name: str, rate: int, options: Options) -> Feature:
    from seqaudio.features.level import MuLaw, Rms, ZeroCrossingRate

    if name == "mu_law":
        return MuLaw(rate, **options.take(MuLaw, peer=options.preset))
    if name == "rms":
        return Rms(rate, framing=options.plain_framing("constant"))
    return ZeroCrossingRate(rate, **options.take(ZeroCrossingRate), framing=options.plain_framing("edge"))


def _of_shape(name: str, rate: int, options: Options) -> Feature:
    from seqaudio.features import spectral_shape

    if name == "spectral_centroid":
        mine = options.take(spectral_shape.SpectralCentroid, peer=options.preset)
        return spectral_shape.SpectralCentroid(rate, **mine, framing=options.framing(precise=False))
    shapes: dict[str, Any] = {
        "spectral_bandwidth": spectral_shape.SpectralBandwidth,
        "spectral_contrast": spectral_shape.SpectralContrast,
        "spectral_rolloff": spectral_shape.SpectralRolloff,
        "spectral_flatness": spectral_shape.SpectralFlatness,
    }
    made: Feature = shapes[name](rate, **options.take(shapes[name]), framing=options.framing())
    return made


def _of_mel_bands(name: str, rate: int, options: Options) -> Feature:
    if name == "mel":
        return _mel(rate, options)
    if name == "log_mel":
        return _levels(rate, options, None if options.preset == "torchaudio" else 80.0)
    from seqaudio.features.mel_bands import Mfcc

    mine = options.take(Mfcc, n_mfcc=40 if options.preset == "torchaudio" else 20)
    options.rename("mel_norm", "norm")
    return Mfcc(_levels(rate, options), **mine)


def _mel(rate: int, options: Options, precise: bool = False) -> Mel:
    from seqaudio.features.mel_bands import Mel

    torchaudios: dict[str, Any] = {"htk": True, "norm": None, "peer": "torchaudio"}
    mine = options.take(Mel, **(torchaudios if options.preset == "torchaudio" else {}))
    return Mel(rate, framing=options.framing(precise=precise), **mine)


def _levels(rate: int, options: Options, top_db: float | None = 80.0, precise: bool = False) -> LogMel:
    from seqaudio.features.mel_bands import LogMel

    mine = options.take(LogMel, top_db=top_db)
    return LogMel(_mel(rate, options, precise), **mine)


def _of_rhythm(name: str, rate: int, options: Options) -> Feature:
    from seqaudio.features.rhythm import Beats, Tempogram

    if name == "onset_strength":
        return _onsets(rate, options)
    if name == "tempogram":
        mine = options.take(Tempogram)
        return Tempogram(_onsets(rate, options), **mine)
    mine = options.take(Beats)
    return Beats(_onsets(rate, options, "median"), **mine)


def _onsets(rate: int, options: Options, aggregate: str = "mean") -> OnsetStrength:
    from seqaudio.features.rhythm import OnsetStrength

    mine = options.take(OnsetStrength, aggregate=aggregate)
    return OnsetStrength(_levels(rate, options, precise=True), **mine)


def _of_pitch_classes(name: str, rate: int, options: Options) -> Feature:
    from seqaudio.features.chroma import ChromaCens, ChromaCqt, ChromaStft, Tonnetz

    if name == "chroma_stft":
        mine = options.take(ChromaStft)
        return ChromaStft(rate, framing=options.framing(), **mine)
    if name == "chroma_cqt":
        return _chroma(rate, options, options.take(ChromaCqt))
    if name == "chroma_cens":
        mine = options.take(ChromaCens)
        return ChromaCens(_chroma(rate, options, options.take(ChromaCqt) | {"norm": None}), **mine)
    return Tonnetz(_chroma(rate, options, options.take(ChromaCqt)))


def _cqt(rate: int, options: Options, tuning: float | None = 0.0, **scale: int) -> Cqt:
    from seqaudio.features.constant_q import Cqt, Scale

    mine = options.take(Cqt, tuning=tuning)
    return Cqt(rate, scale=Scale(**options.take(Scale, **scale)), **mine)


def _chroma(rate: int, options: Options, mine: dict[str, Any]) -> ChromaCqt:
    from seqaudio.features.chroma import ChromaCqt

    bins = options.take(_octaves)
    per_octave = bins.get("bins_per_octave", 36)
    cqt = _cqt(rate, options, None, n_bins=per_octave * bins.get("n_octaves", 7), bins_per_octave=per_octave)
    return ChromaCqt(cqt, **mine)


def _octaves(n_octaves: int = 7, bins_per_octave: int = 36) -> None:
    """The options that say how many bins the constant-Q transform of chroma has."""
