"""What is a feature? A torch module from samples to frames that knows when its frames sound and what its bins are.

Conventions: samples (..., time), float32 or float64, of one rate; a module answers (..., bins, frames) and treats each
row as if it came alone. It has no weights, and follows the samples: float64 in, float64 out; samples on a GPU, frames
there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from seqaudio.errors import OptionError
from seqaudio.features.arrays import constant
from seqaudio.features.framing import check_positive


class Feature(nn.Module, ABC):
    """A way to hear a recording in frames.

    Attributes:
        sample_rate: of the samples, in Hz.
        hop_length: samples from one frame to the next.
        names: of the bins, as many as a frame has.
        offset: samples from ``t * hop_length`` to the middle of frame t.
        reach: samples before and from ``t * hop_length`` on that frame t depends on; or why there is no such
            bound, and the feature cannot be streamed.
        settings: its options and their values, where it was made by :func:`seqaudio.features.feature`.
    """

    reach: tuple[int, int] | str
    settings: dict[str, Any]

    def __init__(self, sample_rate: int, hop_length: int, names: tuple[str, ...], offset: float = 0.0) -> None:
        super().__init__()
        check_positive("sample_rate", sample_rate)
        check_positive("hop_length", hop_length)
        self.sample_rate, self.hop_length, self.names, self.offset = int(sample_rate), hop_length, names, offset
        self.settings = {}
        self._constants: dict[str, NDArray[np.float64]] = {}
        self._cast: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}

    def extra_repr(self) -> str:
        """What ``print`` says of it."""
        settings = self.settings or {"hop_length": self.hop_length}
        return ", ".join([f"{self.sample_rate} Hz", *(f"{name}={value!r}" for name, value in settings.items())])

    @property
    def bins(self) -> int:
        """How many numbers a frame has."""
        return len(self.names)

    def times(self, frames: int) -> NDArray[np.float64]:
        """The middle of each frame, in seconds, shape (frames,)."""
        samples = self.hop_length * np.arange(frames, dtype=np.float64) + self.offset
        return samples / self.sample_rate

    def forward(self, samples: Tensor) -> Tensor:
        """Frames of samples.

        Shape:
            (..., time) -> (..., bins, frames)

        Raises:
            OptionError: samples that are no tensor, neither float32 nor float64, or too few.
        """
        if not isinstance(samples, Tensor):
            raise OptionError(
                f"samples are a {type(samples).__name__}; a module takes a tensor, as torch.from_numpy makes it, and "
                "the functions of seqaudio.features take arrays"
            )
        if samples.dtype not in (torch.float32, torch.float64):
            raise OptionError(f"samples are {samples.dtype}; give float32 or float64, full scale from -1 to 1")
        if samples.ndim < 1 or not samples.numel():
            raise OptionError(f"samples of shape {tuple(samples.shape)}; give (..., time), one recording or more")
        kind = samples.device.type
        mixed = torch.is_autocast_enabled(kind)  # bf16 has fewer digits than features need
        with torch.autocast(kind, enabled=False) if mixed else nullcontext():
            frames = self._rows(samples.reshape(-1, samples.shape[-1]))  # (rows, bins, frames)
        return frames.reshape(*samples.shape[:-1], *frames.shape[1:])

    @abstractmethod
    def _rows(self, samples: Tensor) -> Tensor:
        """Samples (rows, time) -> (rows, bins, frames)."""

    def _keep(self, name: str, value: ArrayLike) -> None:
        """Keep a constant, in full precision."""
        self._constants[name] = np.asarray(value, np.float64)

    def _constant(self, name: str, like: Tensor) -> Tensor:
        """A constant in the precision of samples, where they are."""
        key = (name, like.dtype, like.device)
        if key not in self._cast:
            self._cast[key] = constant(self._constants[name], like)
        return self._cast[key]


def hertz(frequencies: ArrayLike) -> tuple[str, ...]:
    """Names of bins that stand for frequencies."""
    return tuple(f"{frequency:.0f} Hz" for frequency in np.asarray(frequencies))
