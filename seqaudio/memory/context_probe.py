"""How far back does a model listen in music? Nats of the same bars (or steps) with the past cut, changed or wiped out.

Conventions: those of :mod:`seqaudio.memory.contexts` (what is done to a past) and :mod:`seqaudio.memory.effective` (the
effective context).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from seqaudio.errors import OptionError
from seqaudio.memory.bootstrap import finite
from seqaudio.memory.contexts import SEMITONES, STEP_TARGETS, TARGETS, ContextNats, context_nats
from seqaudio.memory.effective import WITHIN, Context, contexts
from seqaudio.memory.heard import Heard, heard_by, long_enough
from seqaudio.memory.lines import BarLine, Line, line_of
from seqaudio.models.checkpoint import Checkpoint

Unit = Literal["auto", "bars", "steps"]
"""Of what is cut: bars where tokens tell of bars, else steps; or one of these."""


@dataclass(frozen=True)
class ContextReport:
    """What :func:`probe_context` found.

    Attributes:
        cell: of the model.
        pieces: as the model heard them.
        unit: of what is cut: "bars", "tokens" or "frames".
        step: what nats are counted by: "token" or "frame".
        within: by which share nats may differ in an effective context.
        targets: units of each piece that were looked at, at most.
        semitones: how far pasts were transposed.
        found: nats of each piece.
        pasts: what each way to change the past says, by name.
        remarks: what was left out.
    """

    cell: str
    pieces: list[Heard]
    unit: str
    step: str
    within: float
    targets: int
    semitones: int
    found: ContextNats
    pasts: dict[str, Context]
    remarks: tuple[str, ...] = ()

    @property
    def full(self) -> float:
        """Nats a step with the whole piece as it is."""
        return float(self.found.full.sum() / self.found.steps.sum())

    def facts(self) -> dict[str, Any]:
        """All of it as JSON can hold it: null for an effective context beyond the largest size."""
        return {
            "cell": self.cell,
            "pieces": [piece.facts() for piece in self.pieces],
            "remarks": list(self.remarks),
            "unit": self.unit,
            "within": self.within,
            "targets": self.targets,
            "semitones": self.semitones,
            "steps": self.found.steps.tolist(),
            "full": {"nats_per_step": self.full, "nats_of_pieces": self.found.full.tolist()},
            "left_out": self.found.left_out,
            "pasts": {
                name: {
                    "effective": finite(context.effective),
                    "interval": None if context.ends is None else [finite(end) for end in context.ends],
                    "sizes": list(context.sizes),
                    "nats_per_step": context.nats.tolist(),
                    "nats_of_pieces": self.found.curves[name].nats.T.tolist(),
                }
                for name, context in self.pasts.items()
            },
        }


def probe_context(
    checkpoint: Checkpoint,
    pieces: Iterable[Heard],
    *,
    unit: Unit = "auto",
    within: float = WITHIN,
    targets: int | None = None,
    semitones: int = SEMITONES,
    seed: int = 0,
) -> ContextReport:
    """How far back a model listens: effective contexts with their intervals, of cut, changed and wiped out pasts.

    Args:
        checkpoint: of the model.
        pieces: as :func:`seqaudio.memory.heard.hear` makes them.
        unit: of what is cut, see ``Unit``.
        within: by which share nats may differ from those with the whole piece.
        targets: units of each piece, of its second half; None: 8 bars, or 16 steps.
        semitones: how far to transpose the past.
        seed: of random orders and draws.

    Raises:
        OptionError: there is no such unit, a number is below 1, a share below 0 or none, or a piece was heard by a
            model of other steps.
        NoNotesError: no piece has two units.
    """
    if unit not in get_args(Unit):
        raise OptionError(f"unit is {unit!r}, it must be one of {', '.join(get_args(Unit))}")
    if not 0 <= within < math.inf:
        raise OptionError(f"within is {within:g}, it must be a share, 0 or more")
    known = heard_by(checkpoint, pieces)
    lines: list[Line] = [line_of(checkpoint, piece.piece, by_steps=unit == "steps") for piece in known]
    of_bars = any(isinstance(line, BarLine) for line in lines)
    if lines and unit == "bars" and not of_bars:
        raise OptionError(f"--unit bars: the {checkpoint.step}s of this model tell of no bars; use --unit steps")
    units = "bars" if of_bars else f"{checkpoint.step}s"
    advice = "try --unit steps" if of_bars else "other music"
    kept, remarks = long_enough(known, [len(line.units) for line in lines], 2, units, advice)
    lines = [line for line in lines if len(line.units) >= 2]
    if targets is None:
        targets = TARGETS if of_bars else STEP_TARGETS
    memory = checkpoint.memory()
    found = context_nats(checkpoint.build(), lines, memory, targets=targets, semitones=semitones, seed=seed)
    pasts = contexts(found, within=within, seed=seed)
    step = checkpoint.step
    return ContextReport(checkpoint.config.cell, kept, units, step, within, targets, semitones, found, pasts, remarks)
