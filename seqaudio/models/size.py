"""How wide must a model be to have a given number of parameters? Cells can be compared only at equal size.

A tied matrix counts once. Models are laid out without memory or random numbers (torch's meta device), so the search for
a size takes a fraction of a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import nn

from seqaudio.errors import OptionError
from seqaudio.models.config import ModelConfig

WIDEST = 8192  # as the config allows


def count_parameters(model: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def matched_hidden_size(
    config: ModelConfig, parameters: int, build: Callable[[ModelConfig], nn.Module], tolerance: float = 0.02
) -> int:
    """The ``hidden_size`` at which the model of a config comes nearest to a number of parameters.

    Args:
        config: the model, but for its hidden size.
        parameters: wanted.
        build: makes the model of a config, such as ``lambda config: build_model(config, vocabulary_size)``.
        tolerance: how far off the nearest size may be, as a share of what is wanted.

    Raises:
        OptionError: no size comes as near as that.
    """

    @cache
    def count(size: int) -> int:
        with torch.device("meta"):
            return count_parameters(build(config.model_copy(update={"hidden_size": size})))

    low, high, halved = 1, WIDEST, True
    while high - low > 1:  # more units are more parameters, by nearly their square
        below, above = math.sqrt(count(low)), math.sqrt(count(high))
        middle, width = (low + high) // 2, high - low
        if halved and below < above:  # else a straight line between the two leads nowhere, or creeps along
            middle = low + round(width * (math.sqrt(parameters) - below) / (above - below))
            middle = min(max(middle, low + 1), high - 1)
        low, high = (middle, high) if count(middle) < parameters else (low, middle)
        halved = 2 * (high - low) <= width
    counts = {size: count(size) for size in (low, high)}
    nearest = min(counts, key=lambda size: abs(counts[size] - parameters))
    if abs(counts[nearest] - parameters) > tolerance * parameters:
        raise OptionError(
            f"{parameters} parameters: the nearest {config.cell} of {config.layers} layers has {counts[nearest]}, "
            f"with {nearest} units; ask for another number or a wider tolerance than {tolerance:g}"
        )
    return nearest
