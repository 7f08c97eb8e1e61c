"""What do the gates of a model keep of music, for how long, and what do the units follow that keep it longest?

Conventions: layers and units are numbered from 1. A share is of steps times units, over all pieces. A unit whose
keeping gate (forget of an LSTM, update of a GRU) is open to f on average keeps for about ``1 / (1 - f)`` steps, its
time constant; infinite where the gate is 1 in float32 throughout. A unit that never moves holds nothing: its time
constant counts in the distribution, and it is not among the units that are named.

Sources: A. Karpathy, J. Johnson and L. Fei-Fei, "Visualizing and understanding recurrent networks", 2015 (saturation:
below 0.1, above 0.9); C. Tallec and Y. Ollivier, "Can recurrent neural networks warp time?", 2018 (the time constant).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.memory.bootstrap import finite
from seqaudio.memory.facts import facts_of
from seqaudio.memory.following import DRAWS, Following, follow
from seqaudio.memory.gates import KEEPS, Trace, check_has_gates, gate_trace
from seqaudio.memory.heard import Heard, check_checkpoint, heard_by, long_enough, steps_per_bar
from seqaudio.models.checkpoint import Checkpoint

Floats = NDArray[np.float64]

SHUT, OPEN = 0.1, 0.9
NAMED_UNITS = 8  # of each layer
LEAST_MOVE = 0.01  # standard deviation of a state inside pieces, below which a unit holds nothing
LONGEST_TOLD = 100_000  # steps, to people
MOST_STEPS = 65_536  # of all pieces: the states of so many steps and 512 units have 134 MB


class Opening(NamedTuple):
    """How open a gate is: its mean, and the shares of time below 0.1 and above 0.9.

    ``gate`` is a name, "memory: new", or "memory: " and a source of guesses; ``layer`` is 0 for a memory's.
    """

    layer: int
    gate: str
    mean: float
    shut: float
    open: float


class Spans(NamedTuple):
    """Time constants of a layer's units in steps: median, 90th percentile and longest."""

    layer: int
    median: float
    ninety: float
    longest: float


class HoldingUnit(NamedTuple):
    """A unit that keeps long, in steps, and what it follows; None where no fact could be looked at."""

    layer: int
    unit: int
    steps: float
    follows: Following | None


@dataclass(frozen=True)
class GateReport:
    """What :func:`probe_gates` found.

    Attributes:
        cell: "lstm" or "gru".
        pieces: as the model heard them.
        openings: of each gate of each layer, and of a memory of the piece.
        spans: of each layer.
        time_constants: of each layer's units, (hidden,), in steps.
        holding: the units that keep longest and move at all, of each layer from the longest.
        steps_per_bar: the mean; NaN where the steps know no bars.
        first: what went on inside during the first piece, to be drawn.
        memory_names: of the shares of a memory of the piece; empty where the model has none.
        remarks: what was left out.
    """

    cell: str
    pieces: list[Heard]
    openings: list[Opening]
    spans: list[Spans]
    time_constants: list[Floats]
    holding: list[HoldingUnit]
    steps_per_bar: float
    first: Trace
    memory_names: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """All of it but pieces and traces, as JSON can hold it: null where a number is infinite or undefined."""
        per_bar = self.steps_per_bar
        return {
            "cell": self.cell,
            "pieces": [piece.facts() for piece in self.pieces],
            "remarks": list(self.remarks),
            "steps_per_bar": finite(per_bar),
            "gates": [
                {"layer": o.layer or None, "gate": o.gate, "mean": o.mean, "below_0.1": o.shut, "above_0.9": o.open}
                for o in self.openings
            ],
            "time_constants": [
                {"layer": layer, "unit": "step", "median": finite(a), "90%": finite(b), "longest": finite(c)}
                for layer, a, b, c in self.spans
            ],
            "time_constant_of_units": [[finite(value) for value in layer.tolist()] for layer in self.time_constants],
            "holding": [
                {"layer": h.layer, "unit": h.unit, "steps": finite(h.steps), "bars": finite(h.steps / per_bar)}
                | _following(h.follows)
                for h in self.holding
            ],
        }


def length_words(value: float) -> str:
    """A time constant as people read it; what is longer than any piece is no figure."""
    if value >= LONGEST_TOLD:
        return f">{LONGEST_TOLD:,}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _following(found: Following | None) -> dict[str, Any]:
    if found is None:
        return {"follows": None}
    best = {"fact": found.fact, "closeness": found.closeness, "chance_95": found.chance}
    return {"follows": found.fact if found.named else None, "best": best}


def probe_gates(
    checkpoint: Checkpoint,
    pieces: Iterable[Heard],
    *,
    units: int = NAMED_UNITS,
    draws: int = DRAWS,
    seed: int = 0,
) -> GateReport:
    """How open the gates of a model are while it hears pieces, how long its units keep, and what the longest follow.

    Args:
        checkpoint: of a model with LSTM or GRU cells.
        pieces: as :func:`seqaudio.memory.heard.hear` makes them; of more than 65,536 steps the first pieces are heard.
        units: of each layer that are named.
        draws: of shifted facts, for the chance that a unit seems to follow something.
        seed: of the draws.

    Raises:
        OptionError: the model has other cells, ``units`` or ``draws`` is too small, or a piece was heard by a model of
            other steps.
        NoNotesError: there are no pieces, or none of two steps.
    """
    check_checkpoint(checkpoint)
    check_has_gates(checkpoint)
    if units < 1 or draws < 20:
        raise OptionError(f"units is {units} and draws {draws}; allowed: 1 or more units, 20 or more draws")
    keeps = KEEPS[checkpoint.config.cell]
    heard: list[Heard] = []
    states: list[list[NDArray[np.float32]]] = []
    counted, first, left_out = _Counts(), None, 0
    known = heard_by(checkpoint, pieces)
    known, short = long_enough(known, list(map(len, known)), 2, "steps", "files with notes")
    for piece in known:
        if heard and counted.steps + len(piece) > MOST_STEPS:
            left_out += 1
            continue
        trace = gate_trace(checkpoint, piece.steps)
        counted.add(trace)
        heard.append(piece)
        states.append(trace.states)
        first = first or trace
    assert first is not None
    facts = [facts_of(piece) for piece in heard]
    constants = [_time_constants(mean) for mean in counted.unit_means(keeps)]
    holding = []
    for number, (constant, layer) in enumerate(zip(constants, zip(*states, strict=True), strict=True), 1):
        chosen = _longest(constant, layer, units)
        follows = (
            follow([part[:, chosen] for part in layer], facts, heard, draws=draws, seed=seed) if len(chosen) else []
        )
        holding += [
            HoldingUnit(number, unit + 1, float(constant[unit]), found)
            for unit, found in zip(chosen.tolist(), follows, strict=True)
        ]
    memory = checkpoint.memory()
    names = ("new", *memory.names) if memory else ()
    more = (f"{left_out} more pieces are not looked at: {MOST_STEPS:,} steps are enough",) * bool(left_out)
    return GateReport(
        checkpoint.config.cell, heard, counted.openings(names), _spans(constants), constants, holding,
        steps_per_bar(heard), first, names, (*short, *more),
    )  # fmt: skip


class _Counts:
    """Sums over the steps of all pieces."""

    def __init__(self) -> None:
        self.steps = 0
        self._sums: dict[tuple[int, str], Floats] = {}  # of a layer's gate: (3, units): values, shut, open

    def add(self, trace: Trace) -> None:
        """Count a piece."""
        rows = {(n, name): values for n, layer in enumerate(trace.gates, 1) for name, values in layer.items()}
        if trace.memory is not None:
            rows[0, "memory"] = trace.memory
        for key, values in rows.items():
            summed = [values.sum(axis=0, dtype=np.float64), (values < SHUT).sum(axis=0), (values > OPEN).sum(axis=0)]
            self._sums[key] = self._sums.get(key, 0.0) + np.array(summed)
            self.steps += len(values) * (key == next(iter(rows)))

    def openings(self, memory_names: tuple[str, ...]) -> list[Opening]:
        """Of each gate of each layer, over its units; of a memory, source by source."""
        found = []
        for (layer, name), sums in self._sums.items():
            if layer:
                found.append(Opening(layer, name, *(sums.mean(axis=1) / self.steps).tolist()))
            else:
                shares = (sums / self.steps).T.tolist()
                found += [Opening(0, f"memory: {of}", *row) for of, row in zip(memory_names, shares, strict=True)]
        return found

    def unit_means(self, gate: str) -> list[Floats]:
        """The mean of a gate for each unit, layer by layer."""
        return [sums[0] / self.steps for (_, name), sums in self._sums.items() if name == gate]


def _time_constants(mean: Floats) -> Floats:
    """Steps that units keep for, (units,), from the means of their keeping gates."""
    with np.errstate(divide="ignore"):
        constants: Floats = 1 / np.maximum(1 - mean, 0.0)
    return constants


def _spans(constants: list[Floats]) -> list[Spans]:
    return [
        Spans(number, *np.quantile(layer, [0.5, 0.9, 1.0], method="lower").tolist())
        for number, layer in enumerate(constants, 1)
    ]


def _longest(constants: Floats, states: tuple[NDArray[np.float32], ...], count: int) -> NDArray[np.int64]:
    """The units that keep longest, from the longest, among those that move inside the pieces."""
    squares = sum(((part - part.mean(axis=0)) ** 2).sum(axis=0, dtype=np.float64) for part in states)
    moves = np.sqrt(squares / sum(map(len, states))) >= LEAST_MOVE
    order = np.argsort(-constants, kind="stable")
    longest: NDArray[np.int64] = order[moves[order]][:count].astype(np.int64)
    return longest
