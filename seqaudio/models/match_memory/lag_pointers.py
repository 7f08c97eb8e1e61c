"""What stood at this place so many bars ago, or so many steps ago, and for how long has the piece agreed with it?

Conventions: a piece is ids of tokens or of frames, (steps,). A pointer of lag k tells at step t which earlier step is
its guess for step t + 1, or ``NO_MATCH`` where the piece did not reach back so far, and its agreement: how many guesses
in a row, up to that for step t, were right.

Two clocks. By steps, where every step lasts equally long: the guess is what stood k steps before. By bars, of tokens
among which ``Bar`` and ``Position`` tell the time: the guess is the first token of the bar k bars ago that stands
behind the place of the last token heard, or the bar line that ended that bar. A place is the position in the bar and
how many tokens were written there since; metres and tempos, which are written only where they change, have no place,
and are no guess.

Source: the lookback inputs of Magenta's melody_rnn (E. Waite, "Generating long-term structure in songs and stories",
2016), which hear what stood one and two bars ago; here the guesses are pointers in the output too (S. Merity et al.,
"Pointer sentinel mixture models", 2017), at any lags.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqaudio.compiled import compiled
from seqaudio.models.suffix_match import NO_MATCH
from seqaudio.tokens.vocabulary import Vocabulary

IntArray = NDArray[np.int64]

OTHER, BAR, POSITION, TIMELESS = 0, 1, 2, 3
NOWHERE = -1  # the place of what stands before the first bar
_IN_BAR = 1 << 16  # places of a position; more than any bar has tokens

BARS, POSITION_NOW, COUNT = 0, 1, 2  # of a clock's state: bars begun, position in the bar, tokens since it was written


def clock_of(vocabulary: Vocabulary) -> IntArray | None:
    """What each token does to the clock, (vocabulary, 2): its kind above, and its position; None: no token tells it."""
    if not {"Bar", "Position"} <= vocabulary.slices.keys():
        return None
    kinds = np.full(len(vocabulary), OTHER)
    for kind, names in {BAR: ("Bar",), POSITION: ("Position",), TIMELESS: ("TimeSig", "Tempo")}.items():
        kinds[vocabulary.is_kind(*names)] = kind
    return np.column_stack([kinds, vocabulary.numbers("Position")])


@compiled
def point_by_steps(
    ids: IntArray, begin: int, end: int, lags: IntArray, sources: IntArray, agreements: IntArray
) -> None:
    """Fill rows ``begin`` to ``end`` of sources and agreements, (steps, lags); rows before are there already."""
    for t in range(begin, end):
        for j in range(len(lags)):
            source = t + 1 - lags[j]
            sources[t, j] = source if source >= 0 else NO_MATCH
            agreements[t, j] = 0
            if t > 0 and sources[t - 1, j] >= 0 and ids[sources[t - 1, j]] == ids[t]:
                agreements[t, j] = agreements[t - 1, j] + 1


@compiled
def point_by_bars(
    ids: IntArray,
    begin: int,
    end: int,
    lags: IntArray,
    clock: IntArray,
    now: IntArray,
    lines: IntArray,
    places: IntArray,
    bars: IntArray,
    sources: IntArray,
    agreements: IntArray,
) -> None:
    """The same by bars, told by a clock from :func:`clock_of`.

    ``now`` is the clock's state, changed, (3,), zeros at first; ``lines`` the step of each bar line so far, ``places``
    and ``bars`` the place of each step and the bars begun there: (steps,) each, filled like the sources.
    """
    for t in range(begin, end):
        kind = clock[ids[t], 0]
        if kind == BAR:
            lines[now[BARS]] = t
            now[BARS] += 1
            now[POSITION_NOW], now[COUNT] = -1, 0
        elif kind == POSITION:
            now[POSITION_NOW], now[COUNT] = clock[ids[t], 1], 0
        elif kind == OTHER:
            now[COUNT] += 1
        places[t] = (now[POSITION_NOW] + 1) * _IN_BAR + now[COUNT] if now[BARS] else NOWHERE
        bars[t] = now[BARS]
        for j in range(len(lags)):
            sources[t, j], agreements[t, j] = NO_MATCH, 0
            if t > 0 and sources[t - 1, j] >= 0 and ids[sources[t - 1, j]] == ids[t]:
                agreements[t, j] = agreements[t - 1, j] + 1
            bar = now[BARS] - 1 - lags[j]  # counted from 0
            if now[BARS] == 0 or bar < 0:
                continue
            source, line = lines[bar], lines[bar + 1]
            if bars[t - 1] == now[BARS] and sources[t - 1, j] >= 0:  # the pointer only moves on within a bar
                source = sources[t - 1, j]
            while source < line and (places[source] <= places[t] or clock[ids[source], 0] == TIMELESS):
                source += 1
            sources[t, j] = source
