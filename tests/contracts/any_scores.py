"""Any score that may be handed to a tokenizer, as a hypothesis strategy."""

import numpy as np
from hypothesis import strategies as st

from seqaudio.music import Score


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Any score: no note order, no writable metre and no resolution is taken for granted."""
    tpq = draw(st.sampled_from([1, 24, 96, 480, 1000]) | st.integers(1, 32767))
    place = st.integers(0, 12 * tpq) | st.integers(0, 48).map(lambda step: step * tpq // 4)
    length = st.integers(1, 4 * tpq) | st.integers(1, 40 * tpq)
    voice = st.tuples(st.sampled_from([0, 0, 5, 127]), st.booleans())
    pitch = st.sampled_from([60, 60, 62, 0, 127]) | st.integers(0, 127)
    note = st.tuples(place, length, pitch, st.integers(1, 127), voice, st.integers(0, 2))
    notes = draw(st.lists(note, max_size=25))
    metre = st.tuples(place, st.integers(1, 13) | st.integers(1, 300), st.sampled_from([1, 2, 4, 8, 16, 32, 3, 64]))
    tempo = st.tuples(place | st.integers(0, 99 * tpq), st.sampled_from([500_000, 600_000]) | st.integers(1, 10**7))
    span = st.tuples(place, length, st.integers(0, 3))  # the last is no track
    columns = [(on, long, p, v, *voice, track) for on, long, p, v, voice, track in notes]
    return Score(
        tpq,
        *np.array(columns, dtype=np.int64).reshape(-1, 7).T,
        tempos=np.array(draw(st.lists(tempo, max_size=4))).reshape(-1, 2),
        time_signatures=np.array(draw(st.lists(metre, max_size=5))).reshape(-1, 3),
        pedals=np.array(draw(st.lists(span, max_size=6))).reshape(-1, 3),
        track_names=("a", "b", "c"),
    )
