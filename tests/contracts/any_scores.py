"""Any score that may be handed to a tokenizer, as a hypothesis strategy.

Each time is one drawn number, which becomes ticks once the resolution is known. Every draw has its price, and so have
strategies made anew for each score: both together took longer than most laws.
"""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from seqaudio.music import Score

FINEST = 32767  # ticks in a quarter


def _half(often: Sequence[int], seldom: Sequence[int]) -> st.SearchStrategy[int]:
    """About half of what is drawn is of the first."""
    return st.sampled_from([*often] * (len(seldom) // len(often)) + [*seldom])


TIME = st.integers(0, 2 * 40 * FINEST)  # so each tick can be met, of the finest too
TEMPO_TIME = st.integers(0, 2 * 99 * FINEST)
VOICES = [(program, drum, track) for track in range(3) for drum in (False, True) for program in (0, 0, 5, 127)]
NOTE = st.tuples(
    TIME, TIME, _half((60, 60, 62, 0, 127), range(128)), st.integers(1, 127), st.sampled_from(VOICES)
)  # fmt: skip
METRE = st.tuples(TIME, _half(range(1, 14), range(1, 301)), st.sampled_from([1, 2, 4, 8, 16, 32, 3, 64]))
TEMPO = st.tuples(TEMPO_TIME, st.sampled_from([500_000, 600_000]) | st.integers(1, 10**7))
SPAN = st.tuples(TIME, TIME, st.integers(0, 3))  # the last is no track
RESOLUTION = st.sampled_from([1, 24, 96, 480, 1000]) | st.integers(1, FINEST)
NOTES, TEMPOS = st.lists(NOTE, max_size=30), st.lists(TEMPO, max_size=4)
METRES, SPANS = st.lists(METRE, max_size=5), st.lists(SPAN, max_size=6)


def _place(time: int, tpq: int) -> int:
    """A sixteenth of the first twelve quarters, or any tick of them."""
    number, off_the_grid = divmod(time, 2)
    return number % (12 * tpq + 1) if off_the_grid else number % 49 * tpq // 4


def _tempo_place(time: int, tpq: int) -> int:
    """Such a place, or any tick of 99 quarters."""
    number, is_far = divmod(time, 2)
    return number % (99 * tpq + 1) if is_far else _place(number, tpq)


def _length(time: int, tpq: int) -> int:
    """1 tick or more, up to 4 quarters or up to 40."""
    number, is_long = divmod(time, 2)
    return 1 + number % ((40 if is_long else 4) * tpq)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Any score: no note order, no writable metre and no resolution is taken for granted."""
    tpq = draw(RESOLUTION)
    notes = [
        (_place(at, tpq), _length(long, tpq), pitch, velocity, *voice)
        for at, long, pitch, velocity, voice in draw(NOTES)
    ]
    tempos = [(_tempo_place(at, tpq), tempo) for at, tempo in draw(TEMPOS)]
    metres = [(_place(at, tpq), *metre) for at, *metre in draw(METRES)]
    spans = [(_place(at, tpq), _length(long, tpq), track) for at, long, track in draw(SPANS)]
    return Score(
        tpq,
        *np.array(notes, dtype=np.int64).reshape(-1, 7).T,
        tempos=np.array(tempos).reshape(-1, 2),
        time_signatures=np.array(metres).reshape(-1, 3),
        pedals=np.array(spans).reshape(-1, 3),
        track_names=("a", "b", "c"),
    )
