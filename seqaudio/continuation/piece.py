"""What did a model write, and how does it join what came before: ticks, tracks, tempo, metre and pedals?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.form import Following
from seqaudio.continuation.primer import Primer
from seqaudio.music.score import Score
from seqaudio.tokens.bars.grid import TICKS_PER_QUARTER

MAX_TICKS_PER_QUARTER = 32767


@dataclass(frozen=True)
class Continuation:
    """What a model wrote.

    Attributes:
        score: the new bars alone, from tick 0, in the tempo, metre, instrument and loudness of the primer.
        bars: how many, exactly.
        primer: what came before; None for a piece made from nothing.
        ids: the sampled tokens, the first of them a Bar.
        refused_silences: bar lines the model wanted most where they would have left two silent bars, or a silent end.
        refused_turns: bars in which a cell that had gone round often enough was not to be copied once more.
        form: that it was to have, and what came of it.
        nats_per_token: mean surprise of the sampled tokens under the model, before any cut or temperature.
    """

    score: Score
    bars: int
    primer: Primer | None
    ids: NDArray[np.int64]
    nats_per_token: float
    refused_silences: int = 0
    refused_turns: int = 0
    form: Following | None = None

    def with_primer(self) -> Score:
        """The primer, all its tracks, with the new bars behind it in the tracks that were heard."""
        return self.score if self.primer is None else _joined(self.primer, self.score)

    def with_voice(self) -> Score:
        """The same without what the model did not hear of the primer: what measures of structure compare."""
        return self.score if self.primer is None else _joined(replace(self.primer, score=self.primer.voice), self.score)

    @property
    def begins(self) -> int:
        """The tick of :meth:`with_primer` at which the new bars begin."""
        if self.primer is None:
            return 0
        return self.primer.end * (_joint_resolution(self.primer) // self.primer.score.ticks_per_quarter)


def _joined(primer: Primer, new: Score) -> Score:
    """Primer and new bars in one score, on a resolution fine enough for both where MIDI has one."""
    old = primer.score
    tpq = _joint_resolution(primer)
    old_scale, new_scale = tpq // old.ticks_per_quarter, tpq / TICKS_PER_QUARTER

    def later(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        moved: NDArray[np.int64] = np.rint(ticks * new_scale).astype(np.int64) + primer.end * old_scale
        return moved

    onset, end = later(new.onset), later(new.onset + new.duration)
    by_track = primer.reads in ("parts", "lead sheet")
    track = np.unique(primer.voice.track)[new.track] if by_track else _tracks_of(primer.voice, new)
    columns = {
        name: np.append(getattr(old, name), getattr(new, name)) for name in ("pitch", "velocity", "program", "is_drum")
    }
    names = (*old.track_names, *[""] * (1 + int(track.max(initial=0)) - len(old.track_names)))
    metre = [(primer.end * old_scale, *_metre(new))] if _metre_must_be_told(primer, _metre(new)) else []
    tempo = int(new.tempo_map()[0, 1])  # of most of the last bars, which need not be that of the last beat
    tempos = [(primer.end * old_scale, tempo)] if tempo != old.tempo_map()[-1, 1] else []
    return old.replaced(
        ticks_per_quarter=tpq,
        onset=np.append(old.onset * old_scale, onset),
        duration=np.append(old.duration * old_scale, np.maximum(end - onset, 1)),
        track=np.append(old.track, track),
        **columns,
        tempos=[*(old.tempos * [old_scale, 1]).tolist(), *tempos],
        time_signatures=[*(old.time_signatures * [old_scale, 1, 1]).tolist(), *metre],
        pedals=np.vstack([old.pedals * [old_scale, old_scale, 1], _later_pedals(new, later, track)]),
        track_names=names,
    )


def _joint_resolution(primer: Primer) -> int:
    """Ticks per quarter of primer and new bars together, a multiple of the primer's."""
    old = primer.score.ticks_per_quarter
    tpq = math.lcm(old, 12)
    return tpq if tpq <= MAX_TICKS_PER_QUARTER else old


def _later_pedals(
    new: Score, later: Callable[[NDArray[np.int64]], NDArray[np.int64]], track: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The pedals of the new bars in the ticks of the whole, on the tracks that their notes go to."""
    goes_to = dict(zip(new.track.tolist(), track.tolist(), strict=True))
    down, up = later(new.pedals[:, 0]), later(new.pedals[:, :2].sum(axis=1))
    owner = np.array([goes_to[t] for t in new.pedals[:, 2].tolist()], dtype=np.int64)
    return np.column_stack([down, np.maximum(up - down, 1), owner])


def _metre(score: Score) -> tuple[int, int]:
    """Numerator and denominator at the beginning."""
    _, numerator, denominator = score.metre_map()[0].tolist()
    return numerator, denominator


def _metre_must_be_told(primer: Primer, metre: tuple[int, int]) -> bool:
    """Would the bars of the primer not go on by themselves, with a bar line at the cut, in this metre?"""
    start, numerator, denominator = primer.score.metre_map()[-1].tolist()
    whole = numerator * 4 * primer.score.ticks_per_quarter
    return (numerator, denominator) != metre or (primer.end - start) * denominator % whole != 0


def _tracks_of(voice: Score, new: Score) -> NDArray[np.int64]:
    """For each new note the primer's track that plays its program last, or a new track."""
    known = {
        (program, drum): track
        for program, drum, track in zip(
            voice.program.tolist(), voice.is_drum.tolist(), voice.track.tolist(), strict=True
        )
    }
    beyond = len(voice.track_names)
    keys = zip(new.program.tolist(), new.is_drum.tolist(), strict=True)
    return np.array([known.get(key, beyond) for key in keys], dtype=np.int64)
