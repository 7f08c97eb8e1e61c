"""Which bars of a score are looked at? Some of them by themselves, or a primer that goes round in a loop."""

from __future__ import annotations

import numpy as np

from seqaudio.music.metre import with_gathered_beats
from seqaudio.music.score import NOTE_COLUMNS, Score

LOOP_BARS = 4  # a loop goes round the last so many bars of the primer


def as_measured(score: Score, bars: int) -> Score:
    """So many bars of a score, as bars are counted here."""
    return part(score, 0, bars)


def part(score: Score, begin: int, end: int) -> Score:
    """Bars ``begin`` to ``end - 1`` of a score by themselves, from tick 0; notes end at the last bar line."""
    gathered = with_gathered_beats(score)
    lines = gathered.bars()
    first, last = (int(lines[min(bar, len(lines) - 1)]) for bar in (begin, end))
    here = gathered.notes((gathered.onset >= first) & (gathered.onset < last))
    changes = gathered.metre_map()
    changes = changes[np.searchsorted(changes[:, 0], first, side="right") - 1 :].copy()
    changes[:, 0] = np.maximum(changes[:, 0] - first, 0)
    onset = here.onset - first
    return here.replaced(
        onset=onset,
        duration=np.minimum(here.duration, last - first - onset),
        time_signatures=changes[changes[:, 0] < max(last - first, 1)],
        tempos=gathered.tempos[:0],
        pedals=gathered.pedals[:0],
    )


def loop(score: Score, primer_bars: int, bars: int) -> Score:
    """The primer of a score, and behind it its last bars again and again, for so many bars."""
    primer = part(score, 0, primer_bars)
    lines = with_gathered_beats(score).bars()
    start, stop = int(lines[max(0, primer_bars - LOOP_BARS)]), int(lines[primer_bars])
    again = np.flatnonzero(primer.onset >= start)
    turns = -(-bars // min(LOOP_BARS, primer_bars))
    source = np.concatenate([np.arange(len(primer)), *[again] * turns])
    shift = np.repeat(np.arange(turns + 1) * (stop - start), [len(primer), *[len(again)] * turns])
    columns = {name: getattr(primer, name)[source] for name in NOTE_COLUMNS}
    columns["onset"] = columns["onset"] + shift
    return part(primer.replaced(**columns), 0, primer_bars + bars)
