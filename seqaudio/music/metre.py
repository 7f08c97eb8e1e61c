"""What metre does a piece really have, when its file only counts beats?

Some exporters write every beat as a bar of its own (1/4). That is no metre to continue in: beats are gathered into bars
of four or three, whichever the notes repeat at, beginning where the longest notes begin.
"""

from __future__ import annotations

import numpy as np

from seqaudio.music.score import Score


def with_gathered_beats(score: Score) -> Score:
    """The score in bars of 4 or 3 beats if its metre is single beats throughout; otherwise the score itself."""
    metre = score.metre_map()
    if (metre[:, 1] != 1).any() or len({*metre[:, 2].tolist()}) != 1 or not len(score):
        return score
    denominator = int(metre[0, 2])
    beat = 4 * score.ticks_per_quarter // denominator
    if beat == 0 or denominator == 1:  # a whole note is a bar, not a beat
        return score
    weight = _weight_of_beats(score, beat)
    beats = max((4, 3), key=lambda n: (_repeats_at(weight, n), n))
    phase = int(np.argmax([weight[p::beats].mean() if p < len(weight) else 0.0 for p in range(beats)]))
    rows = [(0, phase, denominator)] if phase else []  # the beats before the first whole bar
    return score.replaced(time_signatures=[*rows, (phase * beat, beats, denominator)])


def _weight_of_beats(score: Score, beat: int) -> np.ndarray:
    """Summed note lengths that begin on each beat (to a quarter of a beat), in beats."""
    nearest = np.rint(score.onset / beat).astype(np.int64)
    on_beat = np.abs(score.onset - nearest * beat) * 4 <= beat
    lengths = np.minimum(score.duration[on_beat] / beat, 4.0)  # beyond a bar a note says no more about the beat
    return np.bincount(nearest[on_beat], weights=lengths, minlength=1)


def _repeats_at(weight: np.ndarray, lag: int) -> float:
    """Correlation of the beats' weights with themselves ``lag`` beats on; 0 where there is too little to tell."""
    if len(weight) < 4 * lag or weight[lag:].std() == 0 or weight[:-lag].std() == 0:
        return 0.0
    return float(np.corrcoef(weight[lag:], weight[:-lag])[0, 1])
