"""How do numpy's samples come to torch, and what torch made of them back?"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.errors import OptionError

Array = TypeVar("Array", Tensor, NDArray[Any])


def as_tensor(samples: Tensor | NDArray[Any]) -> Tensor:
    """Samples for torch, which knows no array that cannot be written to. Raises OptionError for what are no numbers."""
    if isinstance(samples, Tensor):
        return samples
    given, samples = samples, np.asarray(samples)
    if samples.dtype.kind not in "biufc":
        raise OptionError(
            f"samples are of type {type(given).__name__}, which is no array of numbers; give an array or a tensor "
            "(..., time), of a Waveform its .samples"
        )
    return torch.from_numpy(samples if samples.flags.writeable else samples.copy())


def constant(values: NDArray[Any], like: Tensor) -> Tensor:
    """Numbers that never change, in the precision of samples, where they are."""
    with torch.inference_mode(False):  # or they could not take part in a gradient later
        return torch.tensor(values, dtype=like.dtype, device=like.device)


def as_given(made: Tensor, given: Array) -> Array:
    """What was made, of the kind of what was given."""
    if isinstance(given, Tensor):
        return made
    numbers: NDArray[Any] = made.detach().numpy()
    return numbers
