"""How fast does the gradient of a model fade with the lag while it hears music? One call, one report.

Conventions: those of :mod:`seqaudio.memory.gradients` (lags) and :mod:`seqaudio.memory.fading` (ratios, half-lives).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from seqaudio.memory.bootstrap import finite
from seqaudio.memory.fading import Fading, fading
from seqaudio.memory.gradients import LAGS, TARGETS, fewest_steps, gradient_norms
from seqaudio.memory.heard import Heard, heard_by, long_enough
from seqaudio.models.cells import STATE_PARTS
from seqaudio.models.checkpoint import Checkpoint

SHORTEST = 8  # lags, where no piece is long enough for more


@dataclass(frozen=True)
class GradientReport:
    """What :func:`probe_gradients` found.

    Attributes:
        cell: of the model.
        pieces: as the model heard them.
        lags: the longest.
        targets: steps of each piece that were looked at, at most.
        states: how the gradient fades of the whole state first, then of each layer's parts, from the lowest.
        untrained: the weights were fresh.
        remembers: the model has a memory of the piece outside of its state, which carries no gradient.
        remarks: what was left out.
    """

    cell: str
    pieces: list[Heard]
    lags: int
    targets: int
    states: list[Fading]
    untrained: bool
    remembers: bool
    remarks: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """All of it as JSON can hold it: null for a half-life beyond the longest lag."""
        return {
            "cell": self.cell,
            "pieces": [piece.facts() for piece in self.pieces],
            "remarks": list(self.remarks),
            "untrained": self.untrained,
            "memory_outside_the_state": self.remembers,
            "lags": self.lags,
            "targets": self.targets,
            "states": [_of_state(state) for state in self.states],
        }


def probe_gradients(
    checkpoint: Checkpoint,
    pieces: Iterable[Heard],
    *,
    lags: int | None = None,
    targets: int = TARGETS,
    untrained: bool = False,
    seed: int = 0,
) -> GradientReport:
    """How fast the gradient of a model fades while it hears pieces: norms by lag, half-lives and their intervals.

    Args:
        checkpoint: of the model.
        pieces: as :func:`seqaudio.memory.heard.hear` makes them.
        lags: the longest; None: 128, or half of the longest piece.
        targets: steps of each piece to look at, at most.
        untrained: probe a model of the same make with fresh weights.
        seed: of the draws, and of fresh weights.

    Raises:
        OptionError: a number is below 1, or a piece was heard by a model of other steps.
        NoNotesError: no piece is long enough.
    """
    known = heard_by(checkpoint, pieces)
    lags = usual_lags(known) if lags is None else lags
    lengths = [len(piece.piece) for piece in known]
    kept, remarks = long_enough(known, lengths, fewest_steps(lags), f"{checkpoint.step}s", "ask for fewer --lags")
    model, memory = checkpoint.untrained(seed) if untrained else checkpoint.build(), checkpoint.memory()
    norms = [gradient_norms(model, piece.piece, memory, lags=lags, targets=targets) for piece in kept]
    cell = checkpoint.config.cell
    states = fading(norms, STATE_PARTS[cell], seed=seed)
    return GradientReport(cell, kept, lags, targets, states, untrained, memory is not None, remarks)


def usual_lags(pieces: Sequence[Heard]) -> int:
    """The longest lag unless another is asked for: 128, or half of the longest piece."""
    longest = max((len(piece.piece) for piece in pieces), default=0)
    return LAGS if longest >= fewest_steps(LAGS) else max(SHORTEST, longest // 2)


def _of_state(part: Fading) -> dict[str, Any]:
    return {
        "state": part.name,
        "norm_at_lag_1": part.at_lag_1,
        "half_life": finite(part.half_life),
        "half_life_interval": None if part.half_life_ends is None else [finite(end) for end in part.half_life_ends],
        "ratios": part.ratios.tolist(),
        "low": None if part.low is None else part.low.tolist(),
        "high": None if part.high is None else part.high.tolist(),
    }
