"""How long does a note sound while the sustain pedal is down?

Conventions: a pedal acts on its own track. At the tick at which it goes down it holds what is released then; at the
tick at which it lifts it holds nothing any more. A held note sounds until its pitch is struck again by the same voice
(program 0 to 127 is voice 1 to 128; drums are voice 0 and have no pedal). Spans of a track that overlap are one.
Source: the order in which magenta's ``apply_sustain_control_changes`` takes events of one time.
"""

from __future__ import annotations

import numpy as np

from seqaudio.compiled import compiled
from seqaudio.music.score import IntArray, Score
from seqaudio.music.spans import joined

VOICES = 129


def spans_of_voices(score: Score, voice: IntArray) -> tuple[IntArray, IntArray, int]:
    """Each pedal span once for each voice that its track plays.

    Args:
        score: where the pedals act.
        voice: that of each note, shape (notes,); drums have no pedal.

    Returns:
        Rows of ``score.pedals``, rising, and the voices, shapes (spans,); and how many rows belong to no voice.
    """
    pairs = np.unique((score.track * VOICES + voice)[voice > 0])  # each voice of each track
    track = score.pedals[:, 2]
    low = np.searchsorted(pairs, track * VOICES)
    copies = np.searchsorted(pairs, (track + 1) * VOICES) - low
    nth = np.arange(copies.sum()) - np.repeat(np.cumsum(copies) - copies, copies)
    voices = pairs[np.repeat(low, copies) + nth] % VOICES
    return np.repeat(np.arange(len(track)), copies), voices, int((copies == 0).sum())


def spans_of_no_voice(score: Score) -> int:
    """How many pedal spans belong to tracks without pitched notes, or to none: they hold nothing."""
    tracks = len(score.track_names)
    heard = np.bincount(score.track[~score.is_drum], minlength=tracks + 1)
    return int((heard[np.minimum(score.pedals[:, 2], tracks)] == 0).sum())


def with_pedals_in_durations(score: Score) -> Score:
    """The score as it sounds, without pedals: each note as long as the pedal holds it."""
    if not len(score.pedals):
        return score
    voice = np.where(score.is_drum, 0, score.program + 1)
    return score.replaced(duration=held_durations(score, voice), pedals=score.pedals[:0])


def held_durations(score: Score, voice: IntArray) -> IntArray:
    """Durations (ticks), each note held by its track's pedal until that lifts or its voice strikes the pitch again."""
    down, length, track = score.pedals.T
    if (track[1:] < track[:-1]).any():
        down, length, track = score.pedals[track.argsort(kind="stable")].T  # by track, and by tick within one
    first, up = joined(track, down, down + length, False)
    spans = track[first].searchsorted(np.arange(len(score.track_names) + 1))
    return sustained(score.onset, score.duration, score.pitch, voice, score.track, down[first], up, spans)


@compiled
def sustained(
    onset: IntArray,
    duration: IntArray,
    pitch: IntArray,
    voice: IntArray,
    track: IntArray,
    down: IntArray,
    up: IntArray,
    spans: IntArray,
) -> IntArray:
    """Durations (ticks) with each note held on until the pedal lifts or the pitch is struck again.

    Notes are sorted by onset. The pedal of track t is down from ``down[i]`` to ``up[i]`` for each i from ``spans[t]``
    up to ``spans[t + 1]``; these rise and do not overlap.
    """
    lasting = duration.copy()
    strike = np.full(VOICES * 128, -1, np.int64)  # the next one of each voice and pitch, seen from behind
    strike_after = np.full(VOICES * 128, -1, np.int64)  # and the next that is later than that
    for i in range(len(onset) - 1, -1, -1):
        start, key, t = int(onset[i]), int(voice[i]) * 128 + int(pitch[i]), int(track[i])
        if strike[key] != start:
            strike_after[key] = strike[key]
            strike[key] = start
        low, high = int(spans[t]), int(spans[t + 1])
        if low == high or voice[i] == 0:
            continue
        release = start + int(duration[i])
        span = low + int(np.searchsorted(down[low:high], release, side="right")) - 1
        if span >= low and release < up[span]:
            again = int(strike_after[key])
            if again < 0:
                lasting[i] = int(up[span]) - start
            elif again >= release:
                lasting[i] = min(int(up[span]), again) - start
    return lasting
