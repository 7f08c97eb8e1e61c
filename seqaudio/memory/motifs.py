"""Does a model know a motif again, and behind how many bars of other music? Asked of a trained model, as it is.

Conventions: a motif is two bars of a piece (of steps: two stretches of 16). It is heard, then other music, then its
first bar again, the cue; the target is its second bar. The *control* is the same with other music in the place of the
motif, so the cue says nothing. What the motif saves of the target's nats is what the model has kept of it: nats of the
control less nats when it was heard. The distance counts the bars (or steps) of other music in between.

Other music is that of the other pieces, from their start; where there are none it is of the piece itself, in random
order. Bars that are also in the motif are left out of it. A memory of the piece (match memory) hears what the network
hears.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import NoNotesError, OptionError
from seqaudio.memory.contexts import CHUNK, ROWS
from seqaudio.memory.gradients import check_has_state
from seqaudio.memory.lines import BarLine, Excerpt, Line
from seqaudio.models.match_memory import Memory
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.training.evaluate import piece_nats

DISTANCES = (0, 1, 2, 4, 8, 16, 32, 64)  # in halves of a motif
PLACES = 8
STEPS = 16  # of half a motif, where there are no bars

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MotifNats:
    """What hearing a motif saves.

    Attributes:
        distances: bars, or steps, (distances,).
        steps: of the targets, (pieces,).
        heard: nats of the targets, the motif heard before, (pieces, distances).
        control: nats of the same, other music in its place, (pieces, distances).
    """

    distances: tuple[int, ...]
    steps: NDArray[np.int64]
    heard: Floats
    control: Floats


def motif_nats(
    model: SequenceModel,
    lines: Sequence[Line],
    memory: Memory | None = None,
    *,
    distances: Sequence[int] = DISTANCES,
    places: int = PLACES,
    seed: int = 0,
) -> MotifNats:
    """Measure it on motifs of some pieces.

    Args:
        model: left as it is.
        lines: the pieces, see :func:`seqaudio.memory.lines.line_of`; all in the same units.
        memory: of a model that has one.
        distances: bars of other music; where there are no bars, so many times 16 steps.
        places: motifs of each piece, evenly spread; fewer where it has fewer.
        seed: of the order of other music where there is one piece alone.

    Raises:
        OptionError: the model has no state that can be reached, or a number cannot be.
        NoNotesError: a piece has no room for a motif, or there is no other music at all.
    """
    check_has_state(model)
    if places < 1 or not distances or min(distances) < 0:
        raise OptionError(f"{places} places and distances {list(distances)}: 1 or more, and each 0 or more")
    size = 1 if isinstance(lines[0], BarLine) else STEPS
    short = [number for number, line in enumerate(lines, start=1) if len(line.units) - line.fixed < fewest_units(line)]
    if short:
        raise NoNotesError(f"piece {short[0]} has no room for a motif of {2 * size} and other music; leave it out")
    asked = tuple(sorted({size * distance for distance in distances}))
    rows = [_of_piece(model, lines, number, memory, asked, places, size, seed) for number in range(len(lines))]
    steps, heard, control = zip(*rows, strict=True)
    return MotifNats(asked, np.array(steps), np.stack(heard), np.stack(control))


def fewest_units(line: Line) -> int:
    """How many units a piece needs: a motif, and as much of other music."""
    return 4 * (1 if isinstance(line, BarLine) else STEPS)


def _of_piece(
    model: SequenceModel,
    lines: Sequence[Line],
    number: int,
    memory: Memory | None,
    distances: Sequence[int],
    places: int,
    size: int,
    seed: int,
) -> tuple[int, Floats, Floats]:
    """Of a piece the steps of all targets, and by distance their nats with the motif heard and without it."""
    line = lines[number]
    first, last = line.fixed, len(line.units) - 2 * size
    starts = np.unique(np.linspace(first, last, min(places, last - first + 1)).round().astype(np.int64)).tolist()
    excerpts: list[list[Excerpt]] = []  # of each distance and way to hear it, its targets of all motifs
    for start in starts:
        motif = list(line.units[start : start + 2 * size])
        other = _other_music(lines, number, motif, distances[-1] + 2 * size, np.random.default_rng((seed, start)))
        for distance in distances:
            near = [*other[:distance], *motif[:size]]
            for before in (motif, other[distance : distance + 2 * size]):
                excerpts.append(_targets(line, [*line.units[: line.fixed], *before, *near], start + size, size))
    flat = [excerpt for each in excerpts for excerpt in each]
    nats = piece_nats(model, [excerpt.piece for excerpt in flat], memory, batch_size=ROWS, chunk=CHUNK)
    sums = iter(row[excerpt.counted].sum() for row, excerpt in zip(nats, flat, strict=True))
    table = np.array([sum(next(sums) for _ in each) for each in excerpts])
    heard, control = table.reshape(len(starts), len(distances), 2).sum(axis=0).T
    counted = sum(len(excerpt.counted) for each in excerpts for excerpt in each)
    return counted // (2 * len(distances)), heard, control


def _targets(line: Line, before: Sequence[Any], target: int, size: int) -> list[Excerpt]:
    """The units of the second half of a motif behind others, each with those before it."""
    if size == 1:
        return [line.excerpt(before, target)]
    whole = line.excerpt([*before, *line.units[target : target + size - 1]], target + size - 1)
    return [Excerpt(whole.piece, whole.counted[0] - np.arange(size)[::-1])]


def _other_music(
    lines: Sequence[Line], number: int, motif: Sequence[Any], count: int, generator: np.random.Generator
) -> list[Any]:
    """So many units that are none of the motif's."""
    others = [lines[(number + i) % len(lines)] for i in range(1, len(lines))]
    found = [unit for other in others for unit in other.units[other.fixed :]]
    if not others:
        own = lines[number]
        found = list(own.units[own.fixed :])
        found = [found[place] for place in generator.permutation(len(found)).tolist()]
    if isinstance(lines[number], BarLine):  # single steps are too few kinds to leave any out
        known = {bar.ids.tobytes() for bar in motif}
        found = [bar for bar in found if bar.ids.tobytes() not in known]
    if not found:
        raise NoNotesError("there is no music but the motif; give more pieces")
    return [found[place % len(found)] for place in range(count)]
