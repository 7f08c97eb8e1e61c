"""What is a piece of music? Notes in columns, and the maps that say when and how they sound.

Conventions: times are ticks (integers from 0), ``ticks_per_quarter`` of them to a quarter note. Pitches, velocities
and programs are MIDI numbers. A tempo is microseconds per quarter note, as in the file, so that nothing is rounded.
Columns are read-only and sorted by (onset, track, pitch, duration): two scores with the same notes compare equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import OptionError

if TYPE_CHECKING:
    import pretty_midi

IntArray = NDArray[np.int64]

PLAIN_VELOCITY = 80  # mezzoforte: of a note or chord symbol whose loudness nobody says
DEFAULT_TEMPO_US = 500_000  # microseconds per quarter: 120 per minute, the MIDI default
LAST_TICK = 2**40  # for a tick or a duration: sums and products of a few of them stay exact in 64 bits
INT64_END = 2**63 - 1
SORTED_BY = ("onset", "track", "pitch", "duration")
MAP_WIDTHS = {"tempos": 2, "time_signatures": 3, "pedals": 3}
MAP_KEYS = {"tempos": 1, "time_signatures": 1, "pedals": 3}  # how many columns they are sorted by
NOTE_COLUMNS = ("onset", "duration", "pitch", "velocity", "program", "is_drum", "track")


def _frozen(values: ArrayLike, columns: int | None = None, dtype: type = np.int64) -> NDArray[Any]:
    """Values as a read-only array of whole numbers; one that is such an array already is taken as it is."""
    array: NDArray[Any] = np.asarray(values)
    whole = array.dtype.kind in "biu"
    if array.dtype.kind == "f":
        whole = bool((array == np.rint(np.clip(array, -LAST_TICK, LAST_TICK))).all())
    if not whole:
        raise OptionError(
            "a score is in whole ticks and MIDI numbers; round times, or convert seconds with Score.ticks"
        )
    if array.dtype != dtype or array.base is not None or array.flags.writeable:
        array = array.astype(dtype)  # a copy that nobody else can change
    if columns is not None and array.ndim != 2:  # an empty list, or numbers in a row
        array = array.reshape(-1, columns)
    array.setflags(write=False)
    return array


def _in_order(*keys: IntArray) -> bool:
    """Whether columns are sorted by the first of them, equal ones by the second, and so on."""
    first, *more = keys
    if (first[1:] < first[:-1]).any():
        return False
    tied = first[1:] == first[:-1]
    for key in more:
        if (tied & (key[1:] < key[:-1])).any():
            return False
        tied &= key[1:] == key[:-1]
    return True


def rows_in_order(rows: IntArray, keys: int) -> IntArray:
    """Rows sorted by their first so many columns, those that are equal there as they came."""
    if len(rows) < 2 or _in_order(*rows.T[:keys]):
        return rows
    return rows[np.lexsort(rows.T[:keys][::-1])]


@dataclass(frozen=True, eq=False)
class Score:
    """A piece: note columns, tempo map, metre map and pedal spans.

    Attributes:
        ticks_per_quarter: resolution of every tick in the score.
        onset, duration: ticks, shape (notes,); durations are at least 1.
        pitch, velocity, program: 0..127, shape (notes,); a velocity is at least 1.
        is_drum: bool, shape (notes,).
        track: index into ``track_names``, shape (notes,).
        tempos: shape (changes, 2): tick, microseconds per quarter. Empty means 120 per minute.
        time_signatures: shape (changes, 3): tick, numerator, denominator. Empty means 4/4.
        pedals: shape (spans, 3): tick, duration in ticks, track.
        track_names: one name per track.

    Raises:
        OptionError: a column is out of range or the columns differ in length.
    """

    ticks_per_quarter: int
    onset: IntArray
    duration: IntArray
    pitch: IntArray
    velocity: IntArray
    program: IntArray
    is_drum: NDArray[np.bool_]
    track: IntArray
    tempos: IntArray = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    time_signatures: IntArray = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    pedals: IntArray = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    track_names: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        columns = {
            name: _frozen(getattr(self, name), dtype=np.bool_ if name == "is_drum" else np.int64)
            for name in NOTE_COLUMNS
        }
        if len({column.shape for column in columns.values()}) != 1 or columns["onset"].ndim != 1:
            raise OptionError("the note columns of a score must be one-dimensional and of equal length")
        maps = {name: _frozen(getattr(self, name), width) for name, width in MAP_WIDTHS.items()}
        for name, width in MAP_WIDTHS.items():
            if maps[name].shape[1] != width:
                raise OptionError(
                    f"{name} of shape {maps[name].shape}; a score has {width} numbers in each row of them"
                )
        keys = [columns[name] for name in SORTED_BY]
        if not _in_order(*keys):
            order = np.lexsort(keys[::-1])
            columns = {name: column[order] for name, column in columns.items()}
        columns |= {name: rows_in_order(rows, MAP_KEYS[name]) for name, rows in maps.items()}
        self._keep(columns)
        self._check()

    def _keep(self, arrays: dict[str, NDArray[Any]]) -> None:
        for array in arrays.values():
            array.setflags(write=False)
        self.__dict__.update(arrays)  # the dataclass is frozen

    def _check(self) -> None:
        def within(values: IntArray, low: int, high: int = LAST_TICK) -> bool:
            return values.size == 0 or bool(values.min() >= low and values.max() <= high)

        tracks = len(self.track_names)
        times = (self.onset, self.duration, self.tempos[:, 0], self.time_signatures[:, 0], self.pedals)
        rules = {
            "ticks_per_quarter must be 1..32767": 1 <= self.ticks_per_quarter <= 32767,
            "onsets must be 0 or later": within(self.onset, 0, INT64_END),
            "durations must be at least 1 tick": within(self.duration, 1, INT64_END),
            f"ticks and durations must be at most {LAST_TICK:,}": all(within(t, -INT64_END) for t in times),
            "pitches must be 0..127": within(self.pitch, 0, 127),
            "velocities must be 1..127": within(self.velocity, 1, 127),
            "programs must be 0..127": within(self.program, 0, 127),
            f"tracks must be 0..{tracks - 1}": within(self.track, 0, tracks - 1),
            "tempos must be 1 microsecond per quarter or more": not (self.tempos < [0, 1]).any(),
            "time signatures must be at least 1/1": not (self.time_signatures < [0, 1, 1]).any(),
            "pedal spans must be at least 1 tick long": not (self.pedals < [0, 1, 0]).any(),
        }
        broken = [rule for rule, kept in rules.items() if not kept]
        if broken:
            raise OptionError(f"not a score: {'; '.join(broken)}")

    @classmethod
    def trusted(
        cls,
        ticks_per_quarter: int,
        *,
        onset: IntArray,
        duration: IntArray,
        pitch: IntArray,
        velocity: IntArray,
        program: IntArray,
        is_drum: NDArray[np.bool_],
        track: IntArray,
        tempos: IntArray,
        time_signatures: IntArray,
        pedals: IntArray,
        track_names: tuple[str, ...],
    ) -> Score:
        """A score from arrays that its caller has just made and hands over: nothing is checked, sorted or copied.

        For readers of files, which know every value. Notes and maps are in the order in which a score keeps them.
        """
        score = cls.__new__(cls)
        score.__dict__.update(ticks_per_quarter=ticks_per_quarter, track_names=track_names)
        score._keep({
            "onset": onset, "duration": duration, "pitch": pitch, "velocity": velocity, "program": program,
            "is_drum": is_drum, "track": track,
            "tempos": tempos, "time_signatures": time_signatures, "pedals": pedals,
        })  # fmt: skip
        return score

    @classmethod
    def from_notes(
        cls,
        onset: ArrayLike,
        duration: ArrayLike,
        pitch: ArrayLike,
        *,
        velocity: ArrayLike = PLAIN_VELOCITY,
        program: ArrayLike = 0,
        is_drum: ArrayLike = False,
        track: ArrayLike = 0,
        ticks_per_quarter: int = 480,
        tempos: ArrayLike = (),
        time_signatures: ArrayLike = (),
        pedals: ArrayLike = (),
        track_names: Sequence[str] = ("",),
    ) -> Score:
        """A score from columns; a single number stands for a whole column."""
        onset = np.asarray(onset)

        def column(values: ArrayLike) -> NDArray[Any]:
            array = np.asarray(values)
            if array.ndim == 0:
                array = np.full(onset.shape, array)
                array.setflags(write=False)  # is not copied again
            return array if array.shape == onset.shape else np.broadcast_to(array, onset.shape)

        return cls(
            ticks_per_quarter,
            onset,
            column(duration),
            column(pitch),
            column(velocity),
            column(program),
            column(is_drum),
            column(track),
            tempos=tempos,  # type: ignore[arg-type]
            time_signatures=time_signatures,  # type: ignore[arg-type]
            pedals=pedals,  # type: ignore[arg-type]
            track_names=tuple(track_names),
        )

    def __len__(self) -> int:
        """Number of notes."""
        return len(self.onset)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Score):
            return NotImplemented
        same_facts = (self.ticks_per_quarter, self.track_names) == (other.ticks_per_quarter, other.track_names)
        names = (*NOTE_COLUMNS, *MAP_WIDTHS)
        return same_facts and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Score({len(self)} notes, {len(self.track_names)} tracks, {self.end / self.ticks_per_quarter:g} quarters)"
        )

    @property
    def end(self) -> int:
        """Tick at which the last note ends; 0 without notes."""
        return int((self.onset + self.duration).max(initial=0))

    def notes(self, keep: NDArray[np.bool_]) -> Score:
        """The same score with only the notes of a boolean mask (notes,)."""
        return self.replaced(**{name: getattr(self, name)[keep] for name in NOTE_COLUMNS})

    def replaced(self, **changes: object) -> Score:
        """A copy with some fields changed, checked like any new score."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def transposed(self, semitones: int) -> Score:
        """Every pitched note moved; drums stay. Raises OptionError when a note would leave 0..127."""
        return self.replaced(pitch=self.pitch + np.where(self.is_drum, 0, semitones))

    def metre_map(self) -> IntArray:
        """Time signatures with one certainly at tick 0 and the last of several at one tick, shape (changes, 3)."""
        rows = self.time_signatures
        if len(rows) == 0 or rows[0, 0] > 0:
            rows = np.vstack([[[0, 4, 4]], rows])
        last_at_tick = np.append(rows[1:, 0] != rows[:-1, 0], True)
        rows = rows[last_at_tick]
        changed = np.append(True, (rows[1:, 1:] != rows[:-1, 1:]).any(axis=1))
        metre: IntArray = rows[changed]
        return metre

    def bars(self) -> IntArray:
        """Bar boundaries in ticks, shape (bars + 1,): bar i is ``[bars[i], bars[i + 1])``.

        The bars cover every note. A time signature in mid-bar cuts that bar short, as notation programs do. A bar
        whose length is no whole number of ticks is rounded down at each boundary, without drift.
        """
        metre = self.metre_map()
        metre = metre[metre[:, 0] < max(self.end, 1)]
        stops = np.append(metre[1:, 0], self.end)
        boundaries = []
        for (start, numerator, denominator), stop in zip(metre.tolist(), stops.tolist(), strict=True):
            whole = numerator * 4 * self.ticks_per_quarter  # ticks in `denominator` bars
            count = -(-(stop - start) * denominator // whole)
            boundaries.append(start + np.arange(count, dtype=np.int64) * whole // denominator)
        last = stops[-1]
        if boundaries[-1].size:  # the last bar is complete even if its notes stop early
            start, numerator, denominator = metre[-1].tolist()
            whole = numerator * 4 * self.ticks_per_quarter
            last = start + boundaries[-1].size * whole // denominator
        return np.append(np.unique(np.concatenate(boundaries)), last)

    def seconds(self, ticks: ArrayLike) -> NDArray[np.float64]:
        """Times in seconds of ticks of any shape, in the same shape, under the tempo map."""
        tempos = self.tempo_map()
        lengths_s = np.diff(tempos[:, 0]) * tempos[:-1, 1] * 1e-6 / self.ticks_per_quarter
        starts_s = np.append(0.0, np.cumsum(lengths_s))
        ticks = np.asarray(ticks, dtype=np.int64)
        at = np.searchsorted(tempos[:, 0], ticks, side="right") - 1
        seconds: NDArray[np.float64] = (ticks - tempos[at, 0]) * (tempos[at, 1] * 1e-6 / self.ticks_per_quarter)
        return starts_s[at] + seconds

    def ticks(self, seconds: ArrayLike) -> IntArray:
        """Nearest ticks of times in seconds, in the same shape; the inverse of :meth:`seconds`."""
        tempos = self.tempo_map()
        starts_s = self.seconds(tempos[:, 0])
        seconds = np.asarray(seconds, dtype=np.float64)
        at = np.maximum(np.searchsorted(starts_s, seconds, side="right") - 1, 0)
        behind = np.rint((seconds - starts_s[at]) * self.ticks_per_quarter * 1e6 / tempos[at, 1])
        ticks: IntArray = tempos[at, 0] + behind.astype(np.int64)
        return ticks

    def tempo_map(self) -> IntArray:
        """Tempos with one certainly at tick 0 and the last of several at one tick, shape (changes, 2)."""
        rows = self.tempos
        if len(rows) == 0 or rows[0, 0] > 0:
            rows = np.vstack([[[0, DEFAULT_TEMPO_US]], rows])
        tempos: IntArray = rows[np.append(rows[1:, 0] != rows[:-1, 0], True)]
        return tempos

    def tempo_qpm(self, tick: int = 0) -> float:
        """Quarter notes per minute that hold at a tick."""
        tempos = self.tempo_map()
        return 6e7 / float(tempos[np.searchsorted(tempos[:, 0], tick, side="right") - 1, 1])

    def to_pretty_midi(self) -> pretty_midi.PrettyMIDI:
        """The same piece as a ``pretty_midi.PrettyMIDI``; :meth:`from_pretty_midi` gives it back to the tick."""
        from seqaudio.music.pretty import to_pretty_midi

        return to_pretty_midi(self)

    @classmethod
    def from_pretty_midi(cls, midi: pretty_midi.PrettyMIDI) -> Score:
        """A score from a ``pretty_midi.PrettyMIDI``, at its resolution and under its tempo map."""
        from seqaudio.music.pretty import from_pretty_midi

        return from_pretty_midi(midi)
