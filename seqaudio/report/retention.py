"""Does a piece keep what it began with, as much as real music does? The headline measures, each beside a real range.

Conventions: the first ``primer_bars`` of a piece are its primer (0: it has none). A range is over real pieces that were
cut to as many bars, with a primer as long, for all of these measures grow with the length of a piece. It is read
two-sided: a loop exceeds what real music does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.music.score import Score
from seqaudio.report.page.content import Figure
from seqaudio.structure import MEASURES, Bars, RealRange, evaluate, real_ranges
from seqaudio.structure.real_range import FEWEST_PIECES

RANGES = "real.json"  # in a model's folder: what pieces that it has not met reach
NEAR_PRIMER, NEAR_BARS = 1.34, 1.2  # ratios within which a stored range of other lengths is still used
MEASURED_BARS = 1024  # of a longer piece the first are measured
HEADLINES = tuple(name for name, measure in MEASURES.items() if measure.trust == "headline")
SHARES = ("rate", "recall")  # what a measure's name has in it when its value is a share of bars


@dataclass(frozen=True)
class RealPieces:
    """What real pieces of one length reach.

    Attributes:
        count: how many pieces.
        primer_bars: how many of their bars are primer.
        bars: to how many they were cut.
        ranges: of each measure by its name.
        source: what pieces they are.
    """

    count: int
    primer_bars: int
    bars: int
    ranges: Mapping[str, RealRange] = field(default_factory=dict)
    source: str = "real pieces"

    def words(self) -> str:
        """What pieces they are."""
        primer = f", the first {self.primer_bars} as primer" if self.primer_bars else ""
        return f"{self.count} {self.source}, {self.bars} bars of each{primer}"


def headlines(score: Score, primer_bars: int, bars: int = MEASURED_BARS) -> dict[str, float]:
    """The headline measures of the first so many bars of a piece, by name; those of a primer only if it has one."""
    found = evaluate(score, primer_bars or None, bars=bars)
    return {name: found[name] for name in HEADLINES if name in found}


def real_pieces(scores: Sequence[Score], primer_bars: int, bars: int, source: str = "real pieces") -> RealPieces | None:
    """The ranges over those pieces that have so many bars; None where they are fewer than eight."""
    long_enough = [score for score in scores if len(Bars.of_score(score)) >= bars]
    if len(long_enough) < FEWEST_PIECES:
        return None
    ranges = real_ranges(headlines(score, primer_bars, bars) for score in long_enough)
    return RealPieces(len(long_enough), primer_bars, bars, ranges, source)


def nearest(stored: Sequence[RealPieces], primer_bars: int, bars: int) -> RealPieces | None:
    """Of stored ranges those whose lengths are nearest; None where none are near."""

    def apart(one: int, other: int) -> float:
        return max(one, other) / max(min(one, other), 1)

    near = [
        found
        for found in stored
        if apart(found.bars, bars) <= NEAR_BARS
        and (not primer_bars or apart(found.primer_bars, primer_bars) <= NEAR_PRIMER)
    ]
    return min(near, key=lambda found: (apart(found.bars, bars), apart(found.primer_bars, primer_bars)), default=None)


def figures(values: Mapping[str, float], ranges: Mapping[str, RealRange]) -> list[Figure]:
    """The headline measures among some values, each beside the range of real pieces where there is one."""
    return [
        Figure(
            name.replace("_", " ").replace("lz", "LZ"),
            values[name],
            ranges.get(name),
            MEASURES[name].says,
            percent=any(word in name for word in SHARES),
        )
        for name in HEADLINES
        if name in values
    ]


def as_json(stored: Sequence[RealPieces]) -> dict[str, Any]:
    """Ranges of one source, as :func:`read_ranges` reads them from a file."""
    rows = [
        {
            "primer_bars": found.primer_bars,
            "bars": found.bars,
            "count": found.count,
            "ranges": {
                name: [round(end, 4) for end in (ends.low, ends.median, ends.high)]
                for name, ends in found.ranges.items()
            },
        }
        for found in stored
    ]
    return {"source": stored[0].source if stored else "", "lengths": rows}


def read_ranges(path: Path) -> list[RealPieces]:
    """The ranges in a file; none if it is not there. Raises BadFileError where it holds none of ours."""
    if not path.exists():
        return []
    try:
        values = json.loads(read_bytes(path))
        return [_of_json(row, str(values["source"])) for row in values["lengths"]]
    except (LookupError, TypeError, ValueError, AttributeError) as problem:
        raise BadFileError(f"{shown(path)}: holds no ranges of real music ({problem}); copy it anew") from None


def _of_json(row: dict[str, Any], source: str) -> RealPieces:
    count = int(row["count"])
    ranges = {}
    for name, ends in row["ranges"].items():
        low, median, high = map(float, ends)
        ranges[str(name)] = RealRange(low, median, high, count)
    return RealPieces(count, int(row["primer_bars"]), int(row["bars"]), ranges, source)
