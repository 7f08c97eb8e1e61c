"""How large is each step, and what pulls weights towards zero?

AdamW (Loshchilov & Hutter 2019). Weight decay falls on matrices, the embedding among them, and not on biases, gains of
norms and other vectors: those are few, cannot overfit much, and a decayed forget bias forgets.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from seqaudio.training.config import TrainingConfig

FINAL_RATE = 0.02  # share of the learning rate left at the end, where the config names none


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW over the parameters of a model, in two groups: with weight decay and without."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    # fused: a third of the time of torch's default on a CPU
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def rate_at(config: TrainingConfig, step: int, total_steps: int) -> float:
    """The learning rate of a step, counted from 0: a linear warm-up times the schedule."""
    warm = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    done = min(1.0, step / max(total_steps, 1))
    match config.schedule:
        case "cosine":
            left = 0.5 * (1 + math.cos(math.pi * done))
        case "linear":
            left = 1 - done
        case "constant":
            left = 1.0
    final = FINAL_RATE if config.final_rate is None else config.final_rate
    return config.learning_rate * warm * (final + (1 - final) * left)
