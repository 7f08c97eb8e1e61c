"""What does a page show? Plain numbers, arrays and text, so that any room can fill it.

Conventions: bars are counted from 1, as musicians do, and ``first_bar`` is the number of the first one shown; arrays
hold one entry a bar or a note. Similarities are 0 (nothing in common) to 1 (the same). Text may hold anything: it is
made harmless where it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.structure import RealRange

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLACES = {"below": "below the range", "within": "in the range", "above": "above the range", "undefined": ""}
BESIDE, BEFORE, NEW = 0, 1, 2  # what a note is: of the primer but not heard by the model, heard, written


@dataclass(frozen=True)
class Roll:
    """The notes of a piece, in seconds, to be drawn and played.

    Attributes:
        onset_s, duration_s: seconds from the first bar shown, (notes,), in order of onset.
        pitch, velocity, program: MIDI numbers, (notes,).
        is_drum: (notes,).
        kind: BESIDE, BEFORE or NEW, (notes,).
        bar_lines_s: where bars begin, and where the last one ends, (bars + 1,).
        first_bar: the number of the first bar shown.
        new_from_bar: how many bars shown stand before the new ones; None where nothing is a continuation.
        left_out: what was too much for a page, in words; empty if all is there.
    """

    onset_s: Floats
    duration_s: Floats
    pitch: Ints
    velocity: Ints
    program: Ints
    is_drum: NDArray[np.bool_]
    kind: Ints
    bar_lines_s: Floats
    first_bar: int = 1
    new_from_bar: int | None = None
    left_out: str = ""

    @property
    def bars(self) -> int:
        """How many bars are shown."""
        return len(self.bar_lines_s) - 1


@dataclass(frozen=True)
class Matrix:
    """How alike any two bars of a piece are.

    Attributes:
        title: whose bars they are.
        values: similarities, (bars, bars), symmetric.
        first_bar: the number of the first bar.
        new_from_bar: how many bars stand before the new ones; None where nothing is a continuation.

    Raises:
        OptionError: the values are no square of numbers from 0 to 1.
    """

    title: str
    values: Floats
    first_bar: int = 1
    new_from_bar: int | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        if values.ndim != 2 or values.shape[0] != values.shape[1]:
            raise OptionError(f"a matrix of shape {values.shape}; similarities of bars are square")
        if not ((values >= 0) & (values <= 1)).all():
            raise OptionError("similarities go from 0 to 1, and these do not")
        self.__dict__["values"] = values


@dataclass(frozen=True)
class Figure:
    """One measure of a piece, and where real music stands.

    Attributes:
        name: of the measure.
        value: of this piece; NaN where it could not be measured.
        real: where real pieces lie; None where there are none to compare with.
        meaning: what it counts, in a sentence.
        unit: behind the number, such as "nats"; empty for shares.
        percent: write it as percentages.
    """

    name: str
    value: float
    real: RealRange | None = None
    meaning: str = ""
    unit: str = ""
    percent: bool = False

    def verdict(self) -> str:
        """Where the value stands: a measure is read two-sided, for a loop exceeds what real music does."""
        if np.isnan(self.value):
            return "not measured"
        return "" if self.real is None else PLACES[self.real.place(self.value)]


@dataclass(frozen=True)
class Series:
    """Numbers by bar.

    Attributes:
        title: what they are.
        unit: of every number.
        lines: a name and its numbers (bars,) each; NaN where a bar has none. One line is drawn as columns.
        first_bar: the number of the first bar.
        new_from_bar: how many bars stand before the new ones; None where nothing is a continuation.
        top: the highest number possible, where there is one.
        meaning: how to read it, in a sentence.
        shares: the lines are shares of a whole: each bar is one column, the first line at its bottom.

    Raises:
        OptionError: the lines differ in length, or there are none.
    """

    title: str
    unit: str
    lines: Mapping[str, Floats]
    first_bar: int = 1
    new_from_bar: int | None = None
    top: float | None = None
    meaning: str = ""
    shares: bool = False

    def __post_init__(self) -> None:
        lines = {name: np.asarray(values, dtype=np.float64) for name, values in self.lines.items()}
        if len({values.shape for values in lines.values()}) != 1 or any(values.ndim != 1 for values in lines.values()):
            raise OptionError(f"{self.title}: a series has lines of one number a bar, all of one length")
        self.__dict__["lines"] = lines


@dataclass(frozen=True)
class Picture:
    """A drawing made beforehand, for what no other part of a page draws.

    Attributes:
        png: the bytes of the file.
        words: what it shows, for whoever cannot see it.
    """

    png: bytes
    words: str


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers, as a recipe prints them; the first column names the row.

    Attributes:
        title: of the section.
        columns: heads.
        rows: as many cells as columns each.
        note: below it.
        pictures: below that.

    Raises:
        OptionError: a row has more or fewer cells than there are columns.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""
    pictures: Sequence[Picture] = ()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise OptionError(f"{self.title}: every row needs {len(self.columns)} cells, one a column")


@dataclass(frozen=True)
class Panel:
    """One piece: what it is, and every drawing of it.

    Attributes:
        title: its name.
        facts: of it, a few words each.
        warnings: what is wrong with it.
        roll: its notes.
        matrices: of itself, then of what it is compared with.
        figures: measures beside real music.
        series: surprise, gates.
        real: what the figures call real music.
    """

    title: str
    facts: Sequence[str] = ()
    warnings: Sequence[str] = ()
    roll: Roll | None = None
    matrices: Sequence[Matrix] = ()
    figures: Sequence[Figure] = ()
    series: Sequence[Series] = ()
    real: str = ""


@dataclass(frozen=True)
class Page:
    """The whole page.

    Attributes:
        title: of the page.
        summary: sentences under it.
        panels: one a piece.
        tables: of what was measured over many pieces.
        settings: name and value of everything that made it.
        command: words of the command line that makes it again.
    """

    title: str
    summary: Sequence[str] = ()
    panels: Sequence[Panel] = ()
    tables: Sequence[Table] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    command: Sequence[str] = ()
