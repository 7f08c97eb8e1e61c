"""What would people take in place of our features? Each by librosa and by torchaudio, of the same settings.

For features.py, which times them side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import torch
from numpy.typing import NDArray

from seqaudio.features.torchaudio_import import import_torchaudio

Samples = NDArray[np.float32]
RATE = 22_050
C2, C7 = (float(librosa.note_to_hz(note)) for note in ("C2", "C7"))

LIBROSA: dict[str, Callable[[Samples], Any]] = {
    "stft": librosa.stft,
    "spectrogram": lambda y: np.abs(librosa.stft(y)) ** 2,
    "mel": lambda y: librosa.feature.melspectrogram(y=y, sr=RATE),
    "log_mel": lambda y: librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=RATE)),
    "mfcc": lambda y: librosa.feature.mfcc(y=y, sr=RATE),
    "cqt": lambda y: librosa.cqt(y, sr=RATE),
    "chroma_stft": lambda y: librosa.feature.chroma_stft(y=y, sr=RATE),
    "chroma_cqt": lambda y: librosa.feature.chroma_cqt(y=y, sr=RATE),
    "chroma_cens": lambda y: librosa.feature.chroma_cens(y=y, sr=RATE),
    "tonnetz": lambda y: librosa.feature.tonnetz(y=y, sr=RATE),
    "onset_strength": lambda y: librosa.onset.onset_strength(y=y, sr=RATE)[None],
    "tempogram": lambda y: librosa.feature.tempogram(y=y, sr=RATE),
    "beats": lambda y: librosa.beat.beat_track(y=y, sr=RATE, sparse=False)[1][None],
    "spectral_centroid": lambda y: librosa.feature.spectral_centroid(y=y, sr=RATE),
    "spectral_bandwidth": lambda y: librosa.feature.spectral_bandwidth(y=y, sr=RATE),
    "spectral_contrast": lambda y: librosa.feature.spectral_contrast(y=y, sr=RATE),
    "spectral_rolloff": lambda y: librosa.feature.spectral_rolloff(y=y, sr=RATE),
    "spectral_flatness": lambda y: librosa.feature.spectral_flatness(y=y),
    "rms": lambda y: librosa.feature.rms(y=y),
    "zero_crossing_rate": librosa.feature.zero_crossing_rate,
    "hpss": lambda y: np.stack(librosa.decompose.hpss(np.abs(librosa.stft(y)))),
    "pyin": lambda y: np.stack(librosa.pyin(y, sr=RATE, fmin=C2, fmax=C7)),
    "mu_law": lambda y: librosa.mu_compress(y)[None],
}
LOOP = """
import sys
from pathlib import Path
import librosa, numpy as np
for path in sorted(Path(sys.argv[1]).iterdir()):
    samples, rate = librosa.load(path, sr=None)
    levels = librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=rate))
    np.savez(Path(sys.argv[2]) / f"{path.stem}.npz", log_mel=levels)
"""


def torchaudio_with(name: str, like_librosa: bool) -> torch.nn.Module | None:
    """Torchaudio's module with librosa's settings, or its own; None where it has none."""
    transforms = import_torchaudio().transforms
    frames: dict[str, Any] = {"n_fft": 2048, "hop_length": 512} if like_librosa else {}
    padded: dict[str, Any] = {**frames, "pad_mode": "constant"} if like_librosa else {}
    bands: dict[str, Any] = {**padded, "norm": "slaney", "mel_scale": "slaney"} if like_librosa else {}
    match name:
        case "stft":
            made = transforms.Spectrogram(power=None, **padded)
        case "spectrogram":
            made = transforms.Spectrogram(**padded)
        case "mel":
            made = transforms.MelSpectrogram(RATE, **bands)
        case "log_mel":
            level = transforms.AmplitudeToDB(top_db=80.0 if like_librosa else None)
            made = torch.nn.Sequential(transforms.MelSpectrogram(RATE, **bands), level)
        case "mfcc":
            made = transforms.MFCC(RATE, n_mfcc=20 if like_librosa else 40, melkwargs=bands)
        case "spectral_centroid":
            made = transforms.SpectralCentroid(RATE, **frames)
        case "mu_law":
            made = transforms.MuLawEncoding()
        case _:
            return None
    module: torch.nn.Module = made
    return module
