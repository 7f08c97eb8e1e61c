"""How do numpy's samples come to torch, and what torch made of them back?"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = TypeVar("Array", Tensor, NDArray[Any])


def as_tensor(samples: Tensor | NDArray[Any]) -> Tensor:
    """Samples for torch, which knows no array that cannot be written to."""
    if isinstance(samples, Tensor):
        return samples
    samples = np.asarray(samples)
    return torch.from_numpy(samples if samples.flags.writeable else samples.copy())


def as_given(made: Tensor, given: Array) -> Array:
    """What was made, of the kind of what was given."""
    if isinstance(given, Tensor):
        return made
    numbers: NDArray[Any] = made.detach().numpy()
    return numbers
