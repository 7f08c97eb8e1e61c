"""How loud is it, and how often does it change its sign? And samples as mu-law codes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from seqaudio.errors import OptionError
from seqaudio.features.contract import Feature
from seqaudio.features.framing import Framing, map_frames, pad
from seqaudio.features.presets import Preset

CODED = 1 << 17  # samples at once, which stay in a cache
MOST_STEPS = 2**24  # that float32 tells apart


class Rms(Feature):
    """The root of the mean square of the samples, (..., 1, frames).

    Args:
        sample_rate: in Hz.
        framing: the frames; their window is not used.
    """

    def __init__(self, sample_rate: int, *, framing: Framing | None = None) -> None:
        framing = framing or Framing()
        super().__init__(sample_rate, framing.hop_length, ("rms",), framing.offset)
        self.framing, self.reach = framing, framing.reach

    def _rows(self, samples: Tensor) -> Tensor:
        length = self.framing.n_fft
        padded = pad(samples, self.framing.padding, self.framing.pad_mode)
        norms = map_frames(padded, length, self.hop_length, lambda frames: torch.linalg.vector_norm(frames, dim=-1))
        return norms[:, None] / math.sqrt(length)


class ZeroCrossingRate(Feature):
    """Changes of sign for each sample, (..., 1, frames); counts have no gradient.

    Args:
        sample_rate: in Hz.
        threshold: samples so near to 0 count as positive.
        framing: the frames; their window is not used.

    Raises:
        OptionError: a threshold below 0.
    """

    def __init__(self, sample_rate: int, *, threshold: float = 1e-10, framing: Framing | None = None) -> None:
        framing = framing or Framing(pad_mode="edge")
        super().__init__(sample_rate, framing.hop_length, ("zero crossings",), framing.offset)
        if threshold < 0:
            raise OptionError(f"threshold is {threshold}, it must be 0 or more")
        self.framing, self.threshold, self.reach = framing, threshold, framing.reach

    def _rows(self, samples: Tensor) -> Tensor:
        length = self.framing.n_fft
        padded = pad(samples.detach(), self.framing.padding, self.framing.pad_mode)
        negative = padded < -self.threshold
        before = torch.nn.functional.pad((negative[:, 1:] != negative[:, :-1]).cumsum(-1), (1, 0))
        frames = before.unfold(-1, length, self.hop_length)  # how many changes there are before each sample
        return ((frames[..., -1] - frames[..., 0]).to(samples.dtype) / length)[:, None]


class MuLaw(Feature):
    """Each sample as a whole number on a scale that is finer where sound is quiet, int64, (..., 1, time).

    Rounding has no gradient.

    Args:
        sample_rate: in Hz.
        mu: how much finer; there are mu + 1 codes.
        peer: librosa's codes lie around 0, torchaudio's begin at 0 and round to the nearest.

    Raises:
        OptionError: a ``mu`` that is not above 0, or of librosa samples beyond full scale.
    """

    def __init__(self, sample_rate: int, *, mu: int = 255, peer: Preset = "librosa") -> None:
        super().__init__(sample_rate, 1, ("mu-law code",))
        if not 0 < mu <= MOST_STEPS:
            raise OptionError(f"mu is {mu}, it must be above 0 and at most {MOST_STEPS}")
        self.mu, self.peer, self.reach = mu, peer, (0, 1)

    def _rows(self, samples: Tensor) -> Tensor:
        at_once = CODED if samples.is_cpu else samples.shape[-1]
        codes = torch.empty(samples.shape, dtype=torch.int64, device=samples.device)
        for block, into in zip(
            torch.split(samples.detach(), at_once, -1), torch.split(codes, at_once, -1), strict=True
        ):
            into.copy_(self._codes(block))  # written where it belongs, so that a long recording is passed over once
        return codes[:, None]

    def _codes(self, samples: Tensor) -> Tensor:
        size = samples.abs()
        if self.peer == "torchaudio":  # the steps of its mu_law_encoding, in place
            level = size.mul_(self.mu).log1p_().copysign_(samples)
            level.div_(torch.log1p(samples.new_tensor(float(self.mu))))
            return level.add_(1).div_(2).mul_(self.mu).add_(0.5)  # whole numbers drop what is behind the point
        if float(size.max()) > 1:
            raise OptionError("samples are beyond -1 to 1; scale them down")
        level = size.mul_(self.mu).log1p_().copysign_(samples).mul_(self.mu / 2 / math.log1p(self.mu))
        return level.add_(self.mu / 2).ceil_().clamp_(max=self.mu).sub_((self.mu + 1) // 2)
