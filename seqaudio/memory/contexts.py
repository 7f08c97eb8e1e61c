"""How far back does a model really listen? Its nats for the same steps when the past is cut, changed or wiped out.

Conventions: targets are units of a piece (bars, or single steps, see :mod:`seqaudio.memory.lines`) of its second half,
the same for everything that is measured. Nats are sums over the steps of the targets. A size counts units right before
a target:

- cut: no more than so many are heard. Bars begin as a piece begins; single steps come to a state of zeros.
- shuffled: what stands further back is in random order.
- replaced: it is the same number of units of the next piece, its last ones.
- transposed: it is in another key.
- reset: the whole piece is heard, and every so many units, from its start on, the state (``h`` and ``c``) is zeroed.

Where no more units stand before a target than the size, nothing is changed, and its nats are those of the whole piece.
A memory of the piece (match memory) hears what the network hears, the cut or changed piece; it lies outside of the
state, so a reset leaves it alone: the difference between cut and reset is what it carries.

Source: U. Khandelwal et al., "Sharp nearby, fuzzy far away: how neural language models use context", 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqaudio.corpus.batches import Piece, stack
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.memory.gradients import check_has_state
from seqaudio.memory.lines import IntArray, Line
from seqaudio.models.match_memory import Memory
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.training.evaluate import piece_nats

SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
CHANGED_SIZES = (1, 2, 4, 8, 16, 32, 64)  # each needs the whole past anew
TARGETS, STEP_TARGETS = 8, 16  # bars, or single steps
SEMITONES = 6  # to the key that shares the fewest notes
ROWS, CHUNK = 64, 512
NAMES = ("cut", "shuffled", "replaced", "transposed", "reset")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Nats of the targets by how many units right before them were left as they are.

    Attributes:
        sizes: rising, (sizes,).
        nats: sums, (sizes, pieces).
    """

    sizes: tuple[int, ...]
    nats: Floats


@dataclass(frozen=True)
class ContextNats:
    """What cut and changed pasts cost.

    Attributes:
        steps: that are counted, (pieces,).
        full: nats of the targets when the whole piece is heard as it is, (pieces,).
        curves: by name: cut, shuffled, replaced, transposed, reset; those that can be had.
        left_out: the others, and why.
    """

    steps: IntArray
    full: Floats
    curves: dict[str, Curve]
    left_out: dict[str, str]


def context_nats(
    model: SequenceModel,
    lines: Sequence[Line],
    memory: Memory | None = None,
    *,
    targets: int = TARGETS,
    semitones: int = SEMITONES,
    seed: int = 0,
) -> ContextNats:
    """Measure all of it.

    Args:
        model: left as it is.
        lines: the pieces, see :func:`seqaudio.memory.lines.line_of`; all in the same units.
        memory: of a model that has one.
        targets: units of each piece, spread evenly over its second half; fewer where it has fewer.
        semitones: how far a past is transposed at most.
        seed: of the random orders.

    Raises:
        OptionError: the model has no state that can be reached, or a number is below 1.
        NoNotesError: no pieces, or one of fewer than two units.
    """
    check_has_state(model)
    if min(targets, semitones) < 1:
        raise OptionError(f"{targets} targets and {semitones} semitones: both must be 1 or more")
    if not lines or min(len(line.units) for line in lines) < 2:
        raise NoNotesError("a piece of fewer than 2 units, or none; the first unit has no past")
    chosen = [targets_of(line, targets) for line in lines]
    longest_past = max(int(units[-1]) for units in chosen)
    moved = [line.moved(semitones) for line in lines]
    left_out = {}
    if len(lines) < 2:
        left_out["replaced"] = "there is no other piece"
    if any(each is None for each in moved):
        left_out["transposed"] = "a piece is the same in every key"
    sizes = {name: _sizes(name, longest_past) for name in NAMES if name not in left_out}
    rows: dict[str, list[Floats]] = {name: [] for name in sizes}
    full = []
    for number, line in enumerate(lines):
        whole = piece_nats(model, [line.piece], memory, chunk=CHUNK)[0]
        full.append(np.array([whole[line.steps_of(target)].sum() for target in chosen[number].tolist()]))
        pasts = _Pasts(line, lines[(number + 1) % len(lines)], moved[number], seed + number)
        found = _changed(model, line, memory, chosen[number], pasts, sizes, full[-1])
        found["reset"] = np.array([_reset(model, line, memory, chosen[number], size) for size in sizes["reset"]])
        for name in sizes:
            rows[name].append(found[name])
    counted = [sum(len(line.steps_of(t)) for t in units) for line, units in zip(lines, chosen, strict=True)]
    curves = {name: Curve(sizes[name], np.stack(rows[name], axis=1)) for name in sizes}
    return ContextNats(np.array(counted), np.array([row.sum() for row in full]), curves, left_out)


def targets_of(line: Line, count: int) -> IntArray:
    """Units of the second half, evenly spread; each has one before it."""
    first, last = max(1, len(line.units) // 2), len(line.units) - 1
    return np.unique(np.linspace(first, last, min(count, last - first + 1)).round().astype(np.int64))


def _sizes(name: str, longest_past: int) -> tuple[int, ...]:
    """What is measured of one way to change the past: at sizes that leave something to change."""
    sizes = SIZES if name in ("cut", "reset") else CHANGED_SIZES
    return tuple(size for size in sizes if size < longest_past) or sizes[:1]


class _Pasts:
    """The changed pasts of the targets of a piece."""

    def __init__(self, line: Line, other: Line, moved: Sequence[Any] | None, seed: int) -> None:
        self._line, self._other, self._moved, self._seed = line, other, moved, seed

    def past(self, name: str, target: int, size: int) -> list[Any]:
        """What is heard before a target; the last ``size`` units as they are."""
        units, fixed, kept = self._line.units, self._line.fixed, target - size
        near = list(units[kept:target])
        match name:
            case "cut":
                return near
            case "shuffled":
                order = np.random.default_rng([self._seed, target, size]).permutation(np.arange(fixed, kept))
                far = [units[place] for place in order.tolist()]
            case "replaced":
                there = list(self._other.units[self._other.fixed :])
                far = there[max(0, len(there) - (kept - fixed)) :] if kept > fixed else []
            case _:
                assert self._moved is not None
                far = list(self._moved[fixed:kept])
        return [*units[: min(fixed, kept)], *far, *near]


def _changed(
    model: SequenceModel,
    line: Line,
    memory: Memory | None,
    targets: IntArray,
    pasts: _Pasts,
    sizes: dict[str, tuple[int, ...]],
    full: Floats,
) -> dict[str, Floats]:
    """Nats of one piece's targets by name, (sizes,), of all but reset; evaluated together."""
    asked = [
        (name, row, place)
        for name in sizes
        if name != "reset"
        for row, size in enumerate(sizes[name])
        for place, target in enumerate(targets.tolist())
        if size < target
    ]
    excerpts = []
    for name, row, place in asked:
        target = int(targets[place])
        excerpts.append(line.excerpt(pasts.past(name, target, sizes[name][row]), target))
    nats = piece_nats(model, [each.piece for each in excerpts], memory, batch_size=ROWS, chunk=CHUNK)
    tables = {name: np.tile(full, (len(sizes[name]), 1)) for name in sizes}  # (sizes, targets)
    for (name, row, place), excerpt, found in zip(asked, excerpts, nats, strict=True):
        tables[name][row, place] = found[excerpt.counted].sum()
    return {name: table.sum(axis=1) for name, table in tables.items()}


def _reset(model: SequenceModel, line: Line, memory: Memory | None, targets: IntArray, size: int) -> float:
    """Nats of a piece's targets when the state is zeroed before every unit whose number ``size`` divides."""
    piece = line.piece
    heard = memory.heard(piece) if memory else piece
    last = len(piece) - 1
    begins = [0, *(begin for begin in line.starts[size::size].tolist() if begin < last)]
    spans = list(zip(begins, [*begins[1:], last], strict=True))
    nats = np.zeros(last)
    for first in range(0, len(spans), ROWS):
        together = spans[first : first + ROWS]
        for (begin, end), row in zip(together, _apart_nats(model, piece, heard, together), strict=True):
            nats[begin:end] = row[: end - begin]
    return float(sum(nats[line.steps_of(target)].sum() for target in targets.tolist()))


@torch.no_grad()
def _apart_nats(model: SequenceModel, piece: Piece, heard: Piece, spans: Sequence[tuple[int, int]]) -> Floats:
    """Nats of spans of a piece, each from a state of zeros, (spans, longest); what is behind an end means nothing."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    batch = stack([piece[begin + 1 : end + 1] for begin, end in spans], [heard[begin:end] for begin, end in spans])
    targets, inputs = (torch.from_numpy(each).to(device) for each in (batch.steps, batch.heard))
    state, rows = model.initial_state(len(spans)), []
    for start in range(0, inputs.shape[1], CHUNK):
        outputs, state = model(inputs[:, start : start + CHUNK], state)
        rows.append(model.nats(outputs, targets[:, start : start + CHUNK]).double().cpu().numpy())
    model.train(was_training)
    return np.concatenate(rows, axis=1)
