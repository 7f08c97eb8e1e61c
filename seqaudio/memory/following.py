"""Which fact does a unit follow, and would it seem to by chance?

How closely: of a quantity the absolute correlation with the unit's state, of classes the correlation ratio eta, the
root of the share of the state's variance that the classes explain; both from 0 to 1, over all pieces together, each
piece's own mean taken away. Chance: the same of facts that were shifted round, each piece by a random number of steps,
so that they keep their runs and rhythms and lose what they have to do with the unit. Three kinds need more care.

- What comes round by itself, such as a place in the bar, would be the same after any shift, under other names. So its
  phase is drawn anew for every block of two cycles, and the state's mean and slope in each block are taken away first,
  for a drift rises in every cycle too. With fewer than :data:`FEWEST_BLOCKS` blocks it is not looked at.
- Sections are moved round as boundaries are, each stretch between two being a class: a unit that only drifts is as
  close to any sections.
- The place in the piece, which rises throughout, has its direction drawn for each piece. In fewer than
  :data:`FEWEST_TURNED` pieces it is not looked at.

Many facts are looked at for many units, so what counts is the largest of all: each value is put in standard deviations
above the mean of its own shifted ones, and the largest of a draw over all units and facts is the null; 95 % of draws
stay below the threshold that a unit must exceed to be named (Westfall and Young's single step, with shifts for
permutations), and :data:`LEAST_CLOSENESS`, a hundredth of the state's variance: of long music the slightest ripple is
beyond chance. Of what exceeds both, that fact names the unit which explains most beyond its chance; of what comes round
the shortest cycle that explains three quarters of that, for bars of 8 tell bars of 4 as well.

Sources: P. H. Westfall and S. S. Young, "Resampling-based multiple testing", 1993; for circular shifts of series that
depend on themselves, K. D. Harris, "Nonsense correlations in neuroscience", 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqaudio.memory.facts import Fact, blocks_of_bars
from seqaudio.memory.heard import Heard

Floats = NDArray[np.float64]

DRAWS = 200
LEVEL = 0.95
FEWEST_BLOCKS = 3  # with one or two, a draw often leaves the phases as they were
FEWEST_TURNED = 6  # pieces: fewer leave all directions as they were, or all turned, in more than one draw of 20
NEARLY = 0.75
LEAST_CLOSENESS = 0.1
LEAST_SPREAD = 1e-3  # of a null: below it nothing was shifted in truth


class Following(NamedTuple):
    """What a unit follows.

    Attributes:
        fact: the name of what it follows most beyond chance.
        closeness: |r| or eta with that.
        chance: what 95 % of draws stay below, over all units and facts, on the scale of this closeness; at most 1.
        named: whether the closeness exceeds that, and is a tenth at least.
    """

    fact: str
    closeness: float
    chance: float
    named: bool


def follow(
    states: Sequence[NDArray[np.floating]],
    facts: Sequence[dict[str, Fact]],
    pieces: Sequence[Heard],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Following | None]:
    """For each unit what it follows most; None where there is no fact that could be shifted.

    Args:
        states: of the units in each piece, (steps, units).
        facts: of each piece; those that all pieces have are looked at.
        pieces: where their bars are.
        draws: of shifted facts.
        seed: of the draws.
    """
    names = _usable(facts, pieces)
    if not names:
        return [None] * states[0].shape[1]
    units = _standardised(states)
    ends = np.cumsum([len(piece) for piece in states])[:-1]
    generator = np.random.default_rng(seed)
    found, null = np.zeros((len(names), len(units))), np.zeros((draws, len(names), len(units)))
    for row, name in enumerate(names):
        own = [each[name] for each in facts]
        classes, values = own[0].classes, _together(own)
        sizes = np.concatenate([_blocks(fact, piece) for fact, piece in zip(own, pieces, strict=True)])
        moved = _without_slopes(units, sizes) if own[0].cycle else units
        found[row] = closeness(moved, values, classes=classes)
        for draw in range(draws):
            shifted = _turned(values, sizes, generator) if own[0].rises else _shifted(values, sizes, generator)
            if own[0].of_piece:
                shifted = _numbered_stretches(shifted, ends)
            null[draw, row] = closeness(moved, shifted, classes=classes)
    return _named(names, [facts[0][name].cycle for name in names], found, null)


def _named(names: list[str], cycles: list[int], found: Floats, null: Floats) -> list[Following | None]:
    """Each unit's best fact from closenesses (facts, units) and those of draws (draws, facts, units)."""
    every = np.concatenate([found[None], null])  # what was found counts too, or it would stand out by being left out
    mean, spread = every.mean(axis=0), np.maximum(every.std(axis=0), LEAST_SPREAD)
    least = float(np.quantile(((null - mean) / spread).max(axis=(1, 2)), LEVEL, method="higher"))
    chance = np.minimum(mean + least * spread, 1.0)
    beyond = (found - mean) / np.maximum(1 - mean, LEAST_SPREAD)
    exceeds = ((found - mean) / spread > least) & (found >= LEAST_CLOSENESS)
    allowed = np.where(exceeds | ~exceeds.any(axis=0), beyond, -np.inf)
    best = [_shortest(unit, int(unit.argmax()), cycles) for unit in allowed.T]
    return [
        Following(names[f], float(found[f, u]), float(chance[f, u]), bool(exceeds[f, u])) for u, f in enumerate(best)
    ]


def _shortest(beyond: Floats, best: int, cycles: list[int]) -> int:
    """The best fact, or of those that come round the one of the shortest cycle that is nearly as good."""
    near = [f for f, cycle in enumerate(cycles) if 0 < cycle < cycles[best] and beyond[f] >= NEARLY * beyond[best] > 0]
    return min(near, key=lambda f: cycles[f], default=best)


def closeness(units: Floats, values: Floats, *, classes: bool) -> Floats:
    """|r| or eta of every unit, (units,), with a fact.

    Args:
        units: states of all pieces together, (units, steps), as :func:`_standardised` gives them.
        values: of the fact, (steps,), as :func:`_together` gives them.
        classes: they are numbers of classes.
    """
    if not classes:
        together: Floats = np.abs(units @ values)
        return together
    label = values.astype(np.int64)
    sums = np.stack([np.bincount(label, weights=unit) for unit in units])  # (units, classes)
    explained: Floats = (sums**2 / np.maximum(np.bincount(label), 1)).sum(axis=1)
    ratio: Floats = np.sqrt(np.clip(explained, 0.0, 1.0))
    return ratio


def _together(facts: Sequence[Fact]) -> Floats:
    """A fact of all pieces, (steps,): numbers of classes from 0, or a quantity as :func:`_standardised` has states."""
    if not facts[0].classes:
        quantity: Floats = _standardised([fact.values[:, None] for fact in facts])[0]
        return quantity
    piece = np.concatenate([np.full(len(fact.values), number * fact.of_piece) for number, fact in enumerate(facts)])
    _, label = np.unique(
        np.column_stack([piece, np.concatenate([fact.values for fact in facts])]), axis=0, return_inverse=True
    )
    return label.reshape(-1).astype(np.float64)


def _standardised(states: Sequence[NDArray[np.floating]]) -> Floats:
    """All pieces together, (units, steps), each piece's mean taken away, of length 1; zeros of a constant unit."""
    apart = np.concatenate([piece - piece.mean(axis=0, dtype=np.float64) for piece in states])
    length = np.linalg.norm(apart, axis=0)
    units = np.where(length > 1e-9, apart / np.maximum(length, 1e-9), 0.0)
    return np.ascontiguousarray(units.T)


def _without_slopes(units: Floats, sizes: NDArray[np.int64]) -> Floats:
    """The units without their mean and slope in each block of so many steps; of the rest the length stays as it is.

    Where next to nothing is left there are zeros: a few steps would be all of it, and rule the null of all others.
    """
    begin = np.cumsum(sizes) - sizes
    place = np.arange(units.shape[1]) - np.repeat(begin + (sizes - 1) / 2, sizes)
    mean = np.add.reduceat(units, begin, axis=1) / sizes
    slope = np.add.reduceat(units * place, begin, axis=1) / np.maximum(np.add.reduceat(place**2, begin), 1.0)
    left: Floats = units - np.repeat(mean, sizes, axis=1) - place * np.repeat(slope, sizes, axis=1)
    left[np.linalg.norm(left, axis=1) < LEAST_CLOSENESS] = 0.0
    return left


def _usable(facts: Sequence[dict[str, Fact]], pieces: Sequence[Heard]) -> list[str]:
    """The facts that all pieces have, that vary, and that can be shifted to something else."""

    def can_be_shifted(own: list[Fact]) -> bool:
        if own[0].rises:
            return len(own) >= FEWEST_TURNED
        blocks = sum(len(_blocks(fact, piece)) for fact, piece in zip(own, pieces, strict=True))
        return blocks >= FEWEST_BLOCKS if own[0].cycle else True

    names = [name for name in facts[0] if all(name in each for each in facts)]
    of_pieces = {name: [each[name] for each in facts] for name in names}
    return [
        name for name, own in of_pieces.items() if any(np.ptp(fact.values) > 0 for fact in own) and can_be_shifted(own)
    ]


def _blocks(fact: Fact, piece: Heard) -> NDArray[np.int64]:
    """Steps of each stretch that is shifted by itself: the piece, or each block of a fact that comes round."""
    return blocks_of_bars(piece, fact.cycle) if fact.cycle else np.array([len(piece)])


def _shifted(values: Floats, sizes: NDArray[np.int64], generator: np.random.Generator) -> Floats:
    """The values of each stretch of so many steps shifted round by a random number of them."""
    begin, size = (np.repeat(column, sizes) for column in (np.cumsum(sizes) - sizes, sizes))
    by = np.repeat(generator.integers(0, sizes), sizes)
    shifted: Floats = values[begin + (np.arange(len(values)) - begin + by) % size]
    return shifted


def _turned(values: Floats, sizes: NDArray[np.int64], generator: np.random.Generator) -> Floats:
    """The values of each piece of so many steps, or their negatives; its mean is 0."""
    turned: Floats = values * np.repeat(generator.choice([-1.0, 1.0], len(sizes)), sizes)
    return turned


def _numbered_stretches(values: Floats, ends: NDArray[np.int64]) -> Floats:
    """A number from 0 for each stretch of equal values; a piece ends a stretch."""
    changes = np.append(0, np.diff(values) != 0)
    changes[ends] = 1
    return np.cumsum(changes).astype(np.float64)
