"""Which metre does each bar have, when measures are shorter or longer than their time signature says?

Conventions: measures in the order they are played; lengths and places in quarters. A short first measure is a pickup,
completed by a rest. Short measures that fill a bar together (the end of a repeated section and the pickup it returns
to) share it. Any other measure that does not last what its metre says is a bar of its own metre, if one can be written.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

Metre = tuple[int, int]


def bar_metres(lengths: list[Fraction], metres: list[Metre]) -> tuple[Fraction, list[tuple[Fraction, Metre]]]:
    """The rest before a pickup, and the time signatures with their places behind that rest."""
    if not lengths:
        return Fraction(0), []
    nominal = [Fraction(4 * numerator, denominator) for numerator, denominator in metres]
    pickup = nominal[0] - lengths[0] if len(lengths) > 1 and 0 < lengths[0] < nominal[0] else Fraction(0)
    changes: list[tuple[Fraction, Metre]] = []

    def write(place: Fraction, metre: Metre) -> None:
        if not changes or changes[-1][1] != metre:
            changes.append((place, metre))

    bar_start, at = Fraction(0), pickup  # of the bar that is open, and how far it is filled
    for i, (length, metre) in enumerate(zip(lengths, metres, strict=True)):
        whole = nominal[i]
        fits = at - bar_start + length <= whole and (at == bar_start or metre == metres[i - 1])
        if at > bar_start and not fits:  # the open bar stays short
            write(bar_start, metre_of(at - bar_start) or metres[i - 1])
            bar_start = at
        at += length
        if at - bar_start == whole:
            write(bar_start, metre)
            bar_start = at
        elif at - bar_start > whole:
            write(bar_start, metre_of(at - bar_start) or metre)
            bar_start = at
    if at > bar_start:
        write(bar_start, metres[-1])
    return pickup, changes


def usual_metre(lengths: list[Fraction]) -> Metre:
    """The metre of measures without a time signature: what most of them last, else 4/4."""
    counts = Counter(length for length in lengths if length)
    return (metre_of(counts.most_common(1)[0][0]) if counts else None) or (4, 4)


def metre_of(quarters: Fraction) -> Metre | None:
    """The time signature of a bar of this length, in quarters or the longest notes that fit; None if there is none."""
    for denominator in (4, 8, 16, 32, 64):
        numerator = quarters * denominator / 4
        if numerator.denominator == 1:
            return (int(numerator), denominator) if numerator <= 255 else None
    return None
