"""Does a piece keep what it began with, as much as real music does? A few trusted measures, each beside a real range.

Conventions: a piece is its bars, the first ``primer_bars`` of them the primer (0: it has none). A range is the 5th,
50th and 95th percentile over real pieces that were cut to as many bars, with a primer as long: all of these measures
grow with the length of a piece. They are read two-sided, for a loop exceeds what real music does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.report.page.content import Figure
from seqaudio.structure import Bars, far_repeat_rate, lz_gain, primer_recall, return_strength

FEWEST_PIECES = 8  # a range of fewer says nothing
ENDS = (0.05, 0.5, 0.95)
RANGES = "real.json"  # in a model's folder: what pieces that it has not met reach
NEAR_PRIMER, NEAR_BARS = 1.34, 1.2  # ratios within which a stored range of other lengths is still used
MEASURED_BARS = 1024  # of a longer piece the first are measured


class Measure(NamedTuple):
    """A measure as the page shows it."""

    name: str
    meaning: str
    percent: bool
    of: Callable[[Bars, int], float]


MEASURES = (
    Measure(
        "primer recall",
        "New bars that are in a phrase of two bars which the primer has, note for note.",
        True,
        lambda bars, primer: primer_recall(bars, primer) if primer else math.nan,
    ),
    Measure(
        "primer recall, transposed",
        "The same, at whatever pitch.",
        True,
        lambda bars, primer: primer_recall(bars, primer, transposed=True) if primer else math.nan,
    ),
    Measure(
        "far-repeat rate",
        "All bars that are in a phrase heard three bars before, or earlier.",
        True,
        lambda bars, primer: far_repeat_rate(bars),
    ),
    Measure(
        "return strength",
        "How much more alike bars are at the distance of the best return than at others.",
        False,
        lambda bars, primer: return_strength(bars),
    ),
    Measure(
        "LZ gain",
        "How much of the piece follows from its own past; 0 is a shuffled one.",
        False,
        lambda bars, primer: lz_gain(bars),
    ),
)


@dataclass(frozen=True)
class RealRange:
    """What real pieces reach.

    Attributes:
        count: how many pieces.
        primer_bars: how many of their bars are primer.
        bars: to how many they were cut.
        measures: a measure's name and its low end, middle and high end.
        source: what pieces they are.
    """

    count: int
    primer_bars: int
    bars: int
    measures: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    source: str = "real pieces"

    def words(self) -> str:
        """What pieces the range is of."""
        primer = f", the first {self.primer_bars} as primer" if self.primer_bars else ""
        return f"{self.count} {self.source}, {self.bars} bars of each{primer}"


def measured(bars: Bars, primer_bars: int) -> dict[str, float]:
    """Every measure of a piece; NaN where it has no primer to recall."""
    part = bars.part(0, min(len(bars), MEASURED_BARS))
    return {measure.name: float(measure.of(part, primer_bars)) for measure in MEASURES}


def real_range(pieces: Sequence[Bars], primer_bars: int, bars: int, source: str = "real pieces") -> RealRange | None:
    """The range over those pieces that have so many bars; None where they are fewer than eight."""
    long_enough = [piece.part(0, bars) for piece in pieces if len(piece) >= bars]
    if len(long_enough) < FEWEST_PIECES:
        return None
    rows = [measured(piece, primer_bars) for piece in long_enough]
    measures: dict[str, tuple[float, float, float]] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if np.isfinite(values).all():
            low, middle, high = np.quantile(values, ENDS).tolist()
            measures[name] = (low, middle, high)
    return RealRange(len(rows), primer_bars, bars, measures, source)


def nearest_range(ranges: Sequence[RealRange], primer_bars: int, bars: int) -> RealRange | None:
    """Of stored ranges the one whose lengths are nearest; None where none is near."""

    def apart(one: int, other: int) -> float:
        return max(one, other) / max(min(one, other), 1)

    near = [
        found
        for found in ranges
        if apart(found.bars, bars) <= NEAR_BARS
        and (not primer_bars or apart(found.primer_bars, primer_bars) <= NEAR_PRIMER)
    ]
    return min(near, key=lambda found: (apart(found.bars, bars), apart(found.primer_bars, primer_bars)), default=None)


def figures(bars: Bars, primer_bars: int, real: RealRange | None) -> list[Figure]:
    """The measures of a piece beside a range, without those that it cannot have."""
    values = measured(bars, primer_bars)
    known = {} if real is None else real.measures
    return [
        Figure(measure.name, values[measure.name], known.get(measure.name), measure.meaning, percent=measure.percent)
        for measure in MEASURES
        if np.isfinite(values[measure.name])
    ]


def ranges_as_json(ranges: Sequence[RealRange]) -> dict[str, Any]:
    """Ranges of one source, as :func:`read_ranges` reads them."""
    rows = [
        {
            "primer_bars": found.primer_bars,
            "bars": found.bars,
            "count": found.count,
            "measures": {name: [round(end, 4) for end in ends] for name, ends in found.measures.items()},
        }
        for found in ranges
    ]
    return {"source": ranges[0].source if ranges else "", "ranges": rows}


def read_ranges(path: Path) -> list[RealRange]:
    """The ranges in a file; none if it is not there. Raises BadFileError where it holds none of ours."""
    if not path.exists():
        return []
    try:
        values = json.loads(read_bytes(path))
        return [
            RealRange(
                int(row["count"]),
                int(row["primer_bars"]),
                int(row["bars"]),
                {str(name): (float(ends[0]), float(ends[1]), float(ends[2])) for name, ends in row["measures"].items()},
                str(values["source"]),
            )
            for row in values["ranges"]
        ]
    except (LookupError, TypeError, ValueError, AttributeError) as problem:
        raise BadFileError(f"{shown(path)}: holds no ranges of real music ({problem}); copy it anew") from None
