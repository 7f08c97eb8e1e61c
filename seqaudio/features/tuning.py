"""How far does a recording lie from A = 440 Hz? librosa's estimate, from the peaks of its spectra."""

from __future__ import annotations

import warnings

import librosa
import torch
from torch import Tensor

from seqaudio.features.framing import Framing
from seqaudio.features.spectrum import Spectrogram

NEEDS_TUNING = "its tuning is estimated from the whole recording; give tuning (0.0 for A = 440 Hz)"


class Tuning:
    """Estimates the tuning of recordings, in bins of an octave, -0.5 to 0.5; no gradient passes.

    Args:
        sample_rate: in Hz.
        bins_per_octave: what it is a fraction of.
        framing: of the spectra.
    """

    def __init__(self, sample_rate: int, *, bins_per_octave: int = 12, framing: Framing | None = None) -> None:
        self.sample_rate, self.bins_per_octave = sample_rate, bins_per_octave
        self.spectrogram = Spectrogram(sample_rate, power=1.0, framing=framing)

    def of_samples(self, samples: Tensor) -> float:
        """Of samples (time,)."""
        with torch.no_grad():
            return self.of_spectra(self.spectrogram(samples))

    def of_spectra(self, spectra: Tensor) -> float:
        """Of magnitudes or energies (frequencies, frames)."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Trying to estimate tuning from empty")  # silence is in tune
            found = librosa.estimate_tuning(
                S=spectra.detach().cpu().numpy(),
                sr=self.sample_rate,
                n_fft=self.spectrogram.framing.n_fft,
                bins_per_octave=self.bins_per_octave,
            )
        return float(found)
