"""How long does a note sound while the sustain pedal is down?

A note that is released while the pedal of its track is down sounds until the pedal is lifted, or until its key is
struck again in the same track. A note released at the moment the pedal goes down is not caught by it. Source: the
sustain rule of the MIDI 1.0 specification, as magenta's ``apply_sustain_control_changes`` has it.
"""

from __future__ import annotations

import numpy as np

from seqaudio.music.score import Score
from seqaudio.music.spans import merged_spans


def with_pedals_in_durations(score: Score) -> Score:
    """The score as it sounds, without pedals: each note as long as the pedal holds it."""
    if not len(score.pedals):
        return score
    pedals = score.pedals
    track, down, up = merged_spans(pedals[:, 2], pedals[:, 0], pedals[:, 0] + pedals[:, 1], touching=False)
    end = score.onset + score.duration
    beyond = max(int(end.max(initial=0)), int(up.max())) + 1
    at = np.searchsorted(track * beyond + down, score.track * beyond + end) - 1  # the last pressed before the release
    held = (at >= 0) & (track[at] == score.track) & (up[at] > end)
    until = np.where(held, up[at], end)

    order = np.lexsort((score.onset, score.pitch, score.track))
    voice = score.track[order] * 128 + score.pitch[order]
    struck_again = np.full(len(order), beyond)
    struck_again[order[:-1]] = np.where(voice[1:] == voice[:-1], score.onset[order[1:]], beyond)
    until = np.maximum(np.minimum(until, struck_again), end)
    return score.replaced(duration=until - score.onset, pedals=pedals[:0])
