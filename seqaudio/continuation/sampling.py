"""Which token comes next, given its logits? Pure functions, logits in and logits out; what is ruled out is -inf.

Conventions: logits (vocabulary,) in float64. Order: mask, temperature, then the cuts, each on what the last one left.
Sources: top-k: Fan et al. 2018; top-p: Holtzman et al. 2020; min-p: Nguyen et al. 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError

Logits = NDArray[np.float64]


@dataclass(frozen=True)
class Sampling:
    """How adventurous to be: temperature 0 always takes the likeliest; the cuts are off at 0, 1 and 0.

    A temperature that is None is the model's own, 1 where it has none. ``gate_temperature`` is of the choice of a model
    with a memory between what is new and what it remembers, where it has something to hold on to: below 1 it goes on
    with what it has begun more surely; see :mod:`seqaudio.continuation.remembering`. ``max_turns`` is of such a model
    too: how often in a row it may bring a cell of 1, 2 or 4 bars, 0: as often as it likes; None: the model's own, 3
    where it says none; see :mod:`seqaudio.continuation.turns`.

    Raises:
        OptionError: a value is outside its range.
    """

    temperature: float | None = None
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    gate_temperature: float | None = None
    max_turns: int | None = None

    def __post_init__(self) -> None:
        temperature, gate = (1.0 if asked is None else asked for asked in (self.temperature, self.gate_temperature))
        rules = {
            f"temperature is {temperature}, it must be 0 to 10": 0 <= temperature <= 10,
            f"top_k is {self.top_k}, it must be 0 (off) or more": self.top_k >= 0,
            f"top_p is {self.top_p}, it must be above 0 and at most 1": 0 < self.top_p <= 1,
            f"gate_temperature is {gate}, it must be 0.1 to 10": 0.1 <= gate <= 10,
            f"min_p is {self.min_p}, it must be at least 0 and below 1": 0 <= self.min_p < 1,
            f"max_turns is {self.max_turns}, it must be 0 (off) or 1 or more": (self.max_turns or 0) >= 0,
        }
        broken = [rule for rule, kept in rules.items() if not kept]
        if broken:
            raise OptionError("; ".join(broken))

    def of_model(self, own: Mapping[str, float]) -> Sampling:
        """The same with what is a model's own, by name, where nothing was asked for."""
        temperature, gate, turns = self.temperature, self.gate_temperature, self.max_turns
        return replace(
            self,
            temperature=own["temperature"] if temperature is None else temperature,
            gate_temperature=own["gate_temperature"] if gate is None else gate,
            max_turns=int(own["max_turns"]) if turns is None else turns,
        )


def masked(logits: NDArray[np.floating], allowed: NDArray[np.bool_]) -> Logits:
    """Logits with everything that is not allowed ruled out."""
    return np.where(allowed, logits.astype(np.float64), -np.inf)


def top_k(logits: Logits, k: int) -> Logits:
    """Only the k likeliest; ties with the last of them stay."""
    if k <= 0 or k >= len(logits):
        return logits
    return np.where(logits >= np.partition(logits, -k)[-k], logits, -np.inf)


def top_p(logits: Logits, p: float) -> Logits:
    """The fewest likeliest tokens that together have probability p or more."""
    if p >= 1:
        return logits
    order = np.argsort(-logits, kind="stable")
    before = np.cumsum(probabilities(logits)[order]) - probabilities(logits)[order]
    kept = np.zeros(len(logits), dtype=bool)
    kept[order[before < p]] = True
    return np.where(kept, logits, -np.inf)


def min_p(logits: Logits, p: float) -> Logits:
    """Only tokens with at least p times the probability of the likeliest."""
    return np.where(logits >= logits.max() + np.log(p), logits, -np.inf) if p > 0 else logits


def probabilities(logits: Logits) -> Logits:
    """Softmax."""
    weights: Logits = np.exp(logits - logits.max())
    total: float = weights.sum()
    return weights / total


def guided(shares: Logits, token: int, share: float) -> Logits:
    """Probabilities times a share; the token gets what is left of 1."""
    mixed: Logits = shares * share
    mixed[token] += 1 - share
    return mixed


def sample(
    logits: NDArray[np.floating],
    allowed: NDArray[np.bool_],
    sampling: Sampling,
    generator: np.random.Generator,
    guide: tuple[int, float] | None = None,
) -> int:
    """Draw one token; takes exactly one number from the generator, whatever the settings.

    A guide is a token, and the share that all tokens have beside it, after temperature and cuts; it counts if the token
    is allowed. At temperature 0 the guide is taken if it has half or more.
    """
    drawn = generator.random()
    left = masked(logits, allowed)
    token, share = guide if guide is not None and allowed[guide[0]] else (0, 1.0)
    temperature = 1.0 if sampling.temperature is None else sampling.temperature
    if temperature == 0:
        return token if share <= 0.5 else int(left.argmax())
    with np.errstate(over="ignore"):  # near temperature 0 all but the likeliest fall to -inf
        left = (left - left.max()) / temperature
    left = min_p(top_p(top_k(left, sampling.top_k), sampling.top_p), sampling.min_p)
    shares = probabilities(left)
    if share < 1:
        shares = guided(shares, token, share)
    cumulative = np.cumsum(shares)
    found = int(np.searchsorted(cumulative, drawn * cumulative[-1], side="right"))
    return min(found, max(int(np.flatnonzero(left > -np.inf)[-1]), token))
