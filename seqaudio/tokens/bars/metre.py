"""Which metres can be written as tokens, and how is any metre map brought to them?

A step is one twelfth of a quarter note. A metre is (numerator, denominator); its bar must last a whole number of
steps, two whole notes at most. A time signature that cannot be written is replaced by the one of nearest bar length;
a bar cut short by a change in its middle gets a time signature of its own, to the nearest sixteenth.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

STEPS_PER_QUARTER = 12
LONGEST_BAR = 8 * STEPS_PER_QUARTER  # steps: two whole notes
SHORTEST_BAR = 3  # steps: one sixteenth

METRES = tuple(
    (numerator, denominator)
    for denominator in (1, 2, 4, 8, 16)
    for numerator in range(1, LONGEST_BAR * denominator // (4 * STEPS_PER_QUARTER) + 1)
)
METRE_INDEX = {metre: index for index, metre in enumerate(METRES)}


def bar_steps(numerator: int, denominator: int) -> int:
    """Length in steps of a bar of a metre in ``METRES``."""
    return numerator * 4 * STEPS_PER_QUARTER // denominator


@lru_cache(maxsize=4096)
def nearest_metre(numerator: int, denominator: int) -> tuple[int, int]:
    """The same metre if it can be written, else the one of nearest bar length (the larger beat among equals)."""
    if (numerator, denominator) in METRE_INDEX:
        return numerator, denominator
    length = numerator * 4 * STEPS_PER_QUARTER / denominator
    return min(METRES, key=lambda metre: (abs(bar_steps(*metre) - length), abs(metre[1] - 4)))


def writable_metres(rows: Sequence[tuple[int, int, int]], end: int) -> tuple[list[tuple[int, int, int]], int]:
    """A metre map in steps with only writable metres and every change on a bar line.

    Args:
        rows: the changes as (step, numerator, denominator); the first at step 0.
        end: step at which the music ends.

    Returns:
        The new rows, and how many changes were replaced or moved.
    """
    written: list[tuple[int, int, int]] = []
    changed = 0
    stops = [min(row[0], end) for row in rows[1:]]
    at = 0
    for (start, *metre), stop in zip(rows, [*stops, end], strict=True):
        if start >= max(end, 1):
            break
        numerator, denominator = nearest_metre(*metre)
        changed += int((numerator, denominator) != tuple(metre) or at != start)
        if stop <= at:
            continue
        length = bar_steps(numerator, denominator)
        bars, rest = divmod(stop - at, length)
        if bars or stop >= end:
            written.append((at, numerator, denominator))
        at += bars * length
        if rest and stop < end:
            sixteenths = min(max(round(rest / SHORTEST_BAR), 1), LONGEST_BAR // SHORTEST_BAR)
            written.append((at, *nearest_metre(*_sixteenths(sixteenths))))
            at += sixteenths * SHORTEST_BAR
    kept = [row for i, row in enumerate(written) if i == 0 or row[1:] != written[i - 1][1:]]
    return kept or [(0, 4, 4)], changed


def _sixteenths(count: int) -> tuple[int, int]:
    """The metre of ``count`` sixteenths with the largest beat: 4 is 1/4, 6 is 3/8, 5 is 5/16."""
    for denominator in (4, 8):
        if count * denominator % 16 == 0:
            return count * denominator // 16, denominator
    return count, 16
