"""When does something begin, how fast does it repeat, and where are the beats?

Sources: onset strength by spectral flux (Boeck and Widmer 2013), the tempogram by autocorrelation (Grosche, Mueller and
Kurth 2010), beats by dynamic programming (Ellis 2007), each as librosa has it; beats are found by librosa itself.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.chroma import normalised
from seqaudio.features.contract import Feature
from seqaudio.features.framing import MOST_FRAMES, check_positive
from seqaudio.features.librosa_import import librosa
from seqaudio.features.mel_bands import LogMel
from seqaudio.features.spectral_shape import in_order

Aggregate = Literal["mean", "median"]
TEMPO_S = 8.0  # heard at once for a tempo


class OnsetStrength(Feature):
    """By how much the levels in mel bands rise, (..., 1, frames).

    Args:
        levels: of the bands.
        lag: frames between two that are compared.
        aggregate: of the bands, ``mean`` or ``median``.
        center: whether strengths are moved by half a frame of the spectrum, to where the onset is.

    Raises:
        OptionError: a value outside its range.
    """

    def __init__(self, levels: LogMel, *, lag: int = 1, aggregate: Aggregate = "mean", center: bool = True) -> None:
        check_positive("lag", lag, MOST_FRAMES)
        if aggregate not in ("mean", "median"):
            raise OptionError(f"aggregate is {aggregate!r}, it must be 'mean' or 'median'")
        super().__init__(levels.sample_rate, levels.hop_length, ("onset strength",))
        self.levels, self.lag, self.aggregate = levels, lag, aggregate
        self.later = lag + (levels.mel.framing.n_fft // (2 * self.hop_length) if center else 0)
        self.reach = levels.reach
        if not isinstance(levels.reach, str):
            before, behind = levels.reach
            self.reach = before + self.later * self.hop_length, behind

    def _rows(self, samples: Tensor) -> Tensor:
        levels = self.levels._rows(samples)  # (rows, bands, frames)
        rise = (levels[..., self.lag :] - levels[..., : -self.lag]).clamp(min=0)
        strength = rise.mean(-2, keepdim=True) if self.aggregate == "mean" else middle(rise)
        return torch.nn.functional.pad(strength, (self.later, 0))[..., : levels.shape[-1]]


class Tempogram(Feature):
    """How alike onsets are to those some frames earlier, (..., win_length, frames); bin k is a lag of k frames.

    Args:
        onsets: their strength.
        win_length: frames of a window, and lags.
        window: its name.
        norm: of each frame; None: none.

    Raises:
        OptionError: a value outside its range.
    """

    def __init__(
        self, onsets: OnsetStrength, *, win_length: int = 384, window: str = "hann", norm: float | None = np.inf
    ) -> None:
        check_positive("win_length", win_length, MOST_FRAMES)
        seconds = onsets.times(win_length)
        super().__init__(onsets.sample_rate, onsets.hop_length, tuple(f"{lag:.3f} s" for lag in seconds))
        self.onsets, self.norm, self.reach = onsets, norm, onsets.reach
        self._keep("window", librosa.filters.get_window(window, win_length))
        if not isinstance(onsets.reach, str):
            before, behind = onsets.reach
            around = (win_length // 2 + 1) * onsets.hop_length
            self.reach = before + around, behind + around

    def _rows(self, samples: Tensor) -> Tensor:
        return self.of_strength(self.onsets._rows(samples)[:, 0])

    def of_strength(self, strength: Tensor) -> Tensor:
        """Of the strength of onsets (rows, frames), (rows, win_length, frames)."""
        frames, length = strength.shape[-1], self.bins
        ramp = torch.arange(length // 2, device=strength.device, dtype=strength.dtype) / max(1, length // 2)
        padded = torch.cat([strength[:, :1] * ramp, strength, strength[:, -1:] * ramp.flip(0)], -1)
        windows = padded.unfold(-1, length, 1)[:, :frames] * self._constant("window", strength)
        power = torch.fft.rfft(windows, n=2 * length).abs().square()
        return normalised(torch.fft.irfft(power, n=2 * length)[..., :length].transpose(-1, -2), self.norm)


class Beats(Feature):
    """1 in frames with a beat, else 0, (..., 1, frames); found by librosa, for each recording as a whole.

    Args:
        onsets: their strength.
        start_bpm: the tempo that is likeliest, in beats a minute.
        tightness: how evenly beats follow each other.
        trim: whether weak beats at the ends are left out.
        bpm: the tempo; None: estimated.

    Raises:
        OptionError: a value that is not above 0.
    """

    def __init__(
        self,
        onsets: OnsetStrength,
        *,
        start_bpm: float = 120.0,
        tightness: float = 100.0,
        trim: bool = True,
        bpm: float | None = None,
    ) -> None:
        super().__init__(onsets.sample_rate, onsets.hop_length, ("beat",))
        for name, value in (("start_bpm", start_bpm), ("tightness", tightness), ("bpm", bpm or 1)):
            if not value > 0:
                raise OptionError(f"{name} is {value}, it must be above 0")
        self.onsets, self.start_bpm, self.tightness, self.trim, self.bpm = onsets, start_bpm, tightness, trim, bpm
        window = librosa.time_to_frames(TEMPO_S, sr=self.sample_rate, hop_length=self.hop_length)
        self.tempogram = Tempogram(onsets, win_length=int(window))
        self.reach = "beats are found in the recording as a whole"

    def track(self, samples: Tensor) -> tuple[float, Tensor]:
        """The tempo in beats a minute (0: nothing begins), and the frames (frames,) of samples (time,)."""
        with torch.no_grad():
            return self._track(self.onsets(samples)[0])

    def _track(self, strength: Tensor) -> tuple[float, Tensor]:
        if not strength.any():
            return 0.0, torch.zeros_like(strength)
        bpm = self.bpm or self._tempo(strength)
        _, beats = librosa.beat.beat_track(
            onset_envelope=strength.cpu().numpy(),
            sr=self.sample_rate,
            hop_length=self.hop_length,
            start_bpm=self.start_bpm,
            tightness=self.tightness,
            trim=self.trim,
            bpm=bpm,
            sparse=False,
        )
        return bpm, torch.from_numpy(beats).to(strength)

    def _tempo(self, strength: Tensor) -> float:
        """Librosa's guess, from the tempogram of eight seconds."""
        lags = self.tempogram.of_strength(strength[None])[0].cpu().numpy()
        found = librosa.feature.tempo(
            tg=lags, sr=self.sample_rate, hop_length=self.hop_length, start_bpm=self.start_bpm
        )
        return float(found[0])

    def _rows(self, samples: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.stack([self._track(row[0])[1] for row in self.onsets._rows(samples)])[:, None]


def middle(bands: Tensor) -> Tensor:
    """The median of (rows, bands, frames) over the bands, the mean of the two in the middle."""
    count = bands.shape[-2]
    ordered = in_order(bands.transpose(-1, -2))
    return ordered[..., (count - 1) // 2 : count // 2 + 1].mean(-1)[:, None]
