"""Which pitch has a voice or a single instrument? Probabilistic YIN, by librosa, recording by recording.

Source: Mauch and Dixon (2014), pYIN: a fundamental frequency estimator using probabilistic threshold distributions.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.contract import Feature
from seqaudio.features.framing import MOST_FFT, check_pad_mode, check_positive, check_weights
from seqaudio.features.librosa_import import librosa

LOWEST, HIGHEST = (float(librosa.note_to_hz(note)) for note in ("C2", "C7"))
FASTEST = 35.92  # octaves a second that a pitch may move


class Pyin(Feature):
    """Fundamental frequency in Hz (NaN: none), whether there is one (1 or 0), and how likely, (..., 3, frames).

    The likeliest path through the whole recording is searched: it has no gradient and no stream.

    Args:
        sample_rate: in Hz.
        fmin: the lowest frequency, in Hz.
        fmax: the highest one.
        frame_length: samples of a frame.
        hop_length: from one to the next; None: a quarter of a frame.
        center: whether a frame's middle, or its begin, is at ``t * hop_length``.
        pad_mode: what lies beyond the ends: ``constant`` (zeros), ``reflect`` or ``edge``.
        resolution: of the pitch, in semitones.
        switch_prob: how likely a voice begins or ends from one frame to the next.

    Raises:
        OptionError: a value outside its range.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        fmin: float = LOWEST,
        fmax: float = HIGHEST,
        frame_length: int = 2048,
        hop_length: int | None = None,
        center: bool = True,
        pad_mode: str = "constant",
        resolution: float = 0.1,
        switch_prob: float = 0.01,
    ) -> None:
        check_positive("frame_length", frame_length, MOST_FFT)
        check_pad_mode(pad_mode)
        if not 0 < fmin < fmax <= sample_rate / 2:
            raise OptionError(f"fmin is {fmin:g} and fmax {fmax:g} Hz; give 0 < fmin < fmax <= {sample_rate / 2:g}")
        if sample_rate / fmin >= frame_length - 1:
            raise OptionError(f"a frame of {frame_length} samples has no period of {fmin:g} Hz; give more frame_length")
        if not (0 < resolution < 1 and 0 <= switch_prob <= 1):
            raise OptionError("give resolution between 0 and 1, and switch_prob from 0 to 1")
        hop = hop_length or frame_length // 4
        check_positive("hop_length", hop)
        steps = round(FASTEST * 12 * hop / sample_rate), 12 * np.log2(fmax / fmin)
        if steps[0] >= steps[1]:
            raise OptionError(
                f"from one frame to the next a pitch may move {steps[0]} semitones, and {fmin:g} to {fmax:g} Hz have "
                f"{steps[1]:.1f}; give less hop_length, or more between fmin and fmax"
            )
        pitches = steps[1] / resolution
        check_weights(f"changes between {pitches:.3g} pitches", (2 * pitches) ** 2, "a coarser resolution")
        names = "f0", "voiced", "voiced probability"
        super().__init__(sample_rate, hop, names, 0.0 if center else frame_length / 2)
        self._track = partial(
            librosa.pyin,
            sr=self.sample_rate,
            fmin=fmin,
            fmax=fmax,
            frame_length=frame_length,
            hop_length=self.hop_length,
            center=center,
            pad_mode=cast(Any, pad_mode),
            resolution=resolution,
            switch_prob=switch_prob,
            max_transition_rate=FASTEST,
        )
        self.reach = "its path is searched through the recording as a whole"

    def _rows(self, samples: Tensor) -> Tensor:
        rows = [np.stack(self._track(row.numpy())) for row in samples.detach().cpu()]
        return torch.from_numpy(np.stack(rows)).to(samples)
