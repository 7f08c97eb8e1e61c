"""Waveform -> frames and back: torch modules and functions over torchaudio and librosa, which are imported here alone.

The names below are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seqaudio.lazy_names import lazy_names

_PUBLIC = {
    "FEATURES": "seqaudio.features.names",
    "Feature": "seqaudio.features.contract",
    "Stream": "seqaudio.features.streaming",
    "beat_times": "seqaudio.features.functions",
    "beats": "seqaudio.features.functions",
    "chroma_cens": "seqaudio.features.functions",
    "chroma_cqt": "seqaudio.features.functions",
    "chroma_stft": "seqaudio.features.functions",
    "cqt": "seqaudio.features.functions",
    "feature": "seqaudio.features.catalog",
    "griffin_lim": "seqaudio.features.inversion",
    "hpss": "seqaudio.features.functions",
    "log_mel": "seqaudio.features.functions",
    "log_mel_to_mel": "seqaudio.features.inversion",
    "mel": "seqaudio.features.functions",
    "mel_to_audio": "seqaudio.features.inversion",
    "mel_to_spectrogram": "seqaudio.features.inversion",
    "mfcc": "seqaudio.features.functions",
    "mu_law": "seqaudio.features.functions",
    "mu_law_decode": "seqaudio.features.inversion",
    "onset_strength": "seqaudio.features.functions",
    "pyin": "seqaudio.features.functions",
    "resample": "seqaudio.features.resampling",
    "rms": "seqaudio.features.functions",
    "spectral_bandwidth": "seqaudio.features.functions",
    "spectral_centroid": "seqaudio.features.functions",
    "spectral_contrast": "seqaudio.features.functions",
    "spectral_flatness": "seqaudio.features.functions",
    "spectral_rolloff": "seqaudio.features.functions",
    "spectrogram": "seqaudio.features.functions",
    "stft": "seqaudio.features.functions",
    "tempogram": "seqaudio.features.functions",
    "tonnetz": "seqaudio.features.functions",
    "zero_crossing_rate": "seqaudio.features.functions",
}
__all__ = list(_PUBLIC)

if TYPE_CHECKING:  # the same names, for type checkers and editors: what is not renamed to itself is not exported
    from seqaudio.features.catalog import feature as feature
    from seqaudio.features.contract import Feature as Feature
    from seqaudio.features.functions import (
        beat_times as beat_times,
        beats as beats,
        chroma_cens as chroma_cens,
        chroma_cqt as chroma_cqt,
        chroma_stft as chroma_stft,
        cqt as cqt,
        hpss as hpss,
        log_mel as log_mel,
        mel as mel,
        mfcc as mfcc,
        mu_law as mu_law,
        onset_strength as onset_strength,
        pyin as pyin,
        rms as rms,
        spectral_bandwidth as spectral_bandwidth,
        spectral_centroid as spectral_centroid,
        spectral_contrast as spectral_contrast,
        spectral_flatness as spectral_flatness,
        spectral_rolloff as spectral_rolloff,
        spectrogram as spectrogram,
        stft as stft,
        tempogram as tempogram,
        tonnetz as tonnetz,
        zero_crossing_rate as zero_crossing_rate,
    )
    from seqaudio.features.inversion import (
        griffin_lim as griffin_lim,
        log_mel_to_mel as log_mel_to_mel,
        mel_to_audio as mel_to_audio,
        mel_to_spectrogram as mel_to_spectrogram,
        mu_law_decode as mu_law_decode,
    )
    from seqaudio.features.names import FEATURES as FEATURES
    from seqaudio.features.resampling import resample as resample
    from seqaudio.features.streaming import Stream as Stream


__getattr__, __dir__ = lazy_names(__name__, _PUBLIC)
