"""What comes next in sound that returns? Mostly what came a loop ago, and how surely, the recording itself says.

A model of codes knows the last few of them, and in a loop whose hits are alike those do not tell where in it one is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.models.baselines.match_copy import MatchCopy, TokenBaseline

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Returning:
    """A model of codes mixed with a copy of the code a loop ago: ``p(s) = w [s = copy] + (1 - w) model(s)``.

    Attributes:
        model: of codes.
        loop: units from a sound to its return; None: nothing returns, and it is the model alone.
        weight: w, the share of codes that stood a loop before too, counting one miss more than there was.
    """

    model: TokenBaseline | MatchCopy
    loop: int | None
    weight: float

    @classmethod
    def of(cls, model: TokenBaseline | MatchCopy, codes: Ints, loop: int | None) -> Returning:
        """A fitted model of the codes of a recording, and how far these return."""
        again = codes[loop:] == codes[:-loop] if loop else np.zeros(0, bool)
        return cls(model, loop, float(again.sum() / (len(again) + 1)))

    def log_probabilities(self, past: Sequence[int]) -> Floats:
        """Of every code behind those of the recording and what was written since, (vocabulary,)."""
        told, copy = self.model.log_probabilities(past), self.copy(past)
        if copy is None or self.weight == 0:
            return told
        mixed: Floats = told + np.log1p(-self.weight)
        mixed[copy] = np.log(self.weight + (1 - self.weight) * np.exp(told[copy]))
        return mixed

    def copy(self, past: Sequence[int]) -> int | None:
        """The code of the unit a loop ago; None where there was none, or nothing returns."""
        return past[-self.loop] if self.loop is not None and self.loop <= len(past) else None
