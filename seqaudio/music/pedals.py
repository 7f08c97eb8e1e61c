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

VOICES = 129


def with_pedals_in_durations(score: Score) -> Score:
    """The score as it sounds, without pedals: each note as long as the pedal holds it."""
    if not len(score.pedals):
        return score
    voice = np.where(score.is_drum, 0, score.program + 1)
    columns = (score.onset, score.duration, score.pitch, voice, score.track, score.pedals)
    return score.replaced(duration=sustained(*columns, len(score.track_names)), pedals=score.pedals[:0])


@compiled
def sustained(
    onset: IntArray,
    duration: IntArray,
    pitch: IntArray,
    voice: IntArray,
    track: IntArray,
    pedals: IntArray,
    tracks: int,
) -> IntArray:
    """Durations (ticks) with each note held on by its track's pedal until that lifts or the pitch is struck again.

    Notes are sorted by onset and ``pedals`` (tick, duration, track) by tick, as in a score.
    """
    # the spans of each track, joined where they overlap: those of track t are first[t] to last[t]
    first = np.zeros(tracks + 1, np.int64)
    for i in range(len(pedals)):
        if pedals[i, 2] < tracks:  # a span may name a track that is not there
            first[pedals[i, 2] + 1] += 1
    first = np.cumsum(first)
    last = first[:-1].copy()
    down, up = np.empty(len(pedals), np.int64), np.empty(len(pedals), np.int64)
    for i in range(len(pedals)):
        t = int(pedals[i, 2])
        if t >= tracks:
            continue
        start, stop = pedals[i, 0], pedals[i, 0] + pedals[i, 1]
        if last[t] > first[t] and start < up[last[t] - 1]:
            up[last[t] - 1] = max(up[last[t] - 1], stop)
        else:
            down[last[t]], up[last[t]] = start, stop
            last[t] += 1

    lasting = duration.copy()
    strike = np.full(VOICES * 128, -1, np.int64)  # the next one of each voice and pitch, seen from behind
    strike_after = np.full(VOICES * 128, -1, np.int64)  # and the next that is later than that
    for i in range(len(onset) - 1, -1, -1):
        start, key, t = int(onset[i]), int(voice[i]) * 128 + int(pitch[i]), int(track[i])
        if strike[key] != start:
            strike_after[key] = strike[key]
            strike[key] = start
        if last[t] == first[t] or voice[i] == 0:
            continue
        release = start + int(duration[i])
        span = first[t] + int(np.searchsorted(down[first[t] : last[t]], release, side="right")) - 1
        if span >= first[t] and release < up[span]:
            again = int(strike_after[key])
            if again < 0:
                lasting[i] = int(up[span]) - start
            elif again >= release:
                lasting[i] = min(int(up[span]), again) - start
    return lasting
