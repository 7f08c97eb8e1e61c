"""Waveform -> frames and back: torch modules and functions over torchaudio and librosa, which are imported here alone.

The names below are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "FEATURES": "seqaudio.features.names",
    "Feature": "seqaudio.features.contract",
    "beat_times": "seqaudio.features.functions",
    "beats": "seqaudio.features.functions",
    "chroma_cens": "seqaudio.features.functions",
    "chroma_cqt": "seqaudio.features.functions",
    "chroma_stft": "seqaudio.features.functions",
    "cqt": "seqaudio.features.functions",
    "feature": "seqaudio.features.catalog",
    "import_torchaudio": "seqaudio.features.torchaudio_import",
    "log_mel": "seqaudio.features.functions",
    "mel": "seqaudio.features.functions",
    "mfcc": "seqaudio.features.functions",
    "onset_strength": "seqaudio.features.functions",
    "resample": "seqaudio.features.resampling",
    "spectrogram": "seqaudio.features.functions",
    "stft": "seqaudio.features.functions",
    "tempogram": "seqaudio.features.functions",
    "tonnetz": "seqaudio.features.functions",
}
__all__ = list(_PUBLIC)

if TYPE_CHECKING:  # the same names, for type checkers and editors
    from seqaudio.features.catalog import feature
    from seqaudio.features.contract import Feature
    from seqaudio.features.functions import (
        beat_times,
        beats,
        chroma_cens,
        chroma_cqt,
        chroma_stft,
        cqt,
        log_mel,
        mel,
        mfcc,
        onset_strength,
        spectrogram,
        stft,
        tempogram,
        tonnetz,
    )
    from seqaudio.features.names import FEATURES
    from seqaudio.features.resampling import resample
    from seqaudio.features.torchaudio_import import import_torchaudio


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'seqaudio.features' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
