"""Do scores pass to symusic and back to the tick, and is what symusic would wrap refused?"""

import numpy as np
import pytest
import symusic
from hypothesis import given, settings, strategies as st

from seqaudio.errors import OptionError
from seqaudio.files import midi_bytes
from seqaudio.files.symusic_score import score_from_symusic, symusic_from_score
from seqaudio.music import Score
from tests.samples import tune


@st.composite
def scores(draw: st.DrawFn, programs_per_track: int = 1) -> Score:
    """Any score, with so many programs on each of two tracks."""
    tick, length = st.integers(0, 2**28), st.integers(1, 2**20)
    note = st.tuples(tick, length, st.integers(0, 127), st.integers(1, 127), st.integers(0, 1), st.integers(0, 5))
    notes = np.array(draw(st.lists(note, max_size=20)), dtype=np.int64).reshape(-1, 6).T
    voices = draw(st.lists(st.tuples(st.integers(0, 127), st.booleans()), min_size=12, max_size=12))
    voice = notes[5] % programs_per_track + programs_per_track * notes[4]
    return Score.from_notes(
        *notes[:3],
        velocity=notes[3],
        track=notes[4],
        program=np.array([program for program, _ in voices])[voice],
        is_drum=np.array([is_drum for _, is_drum in voices])[voice],
        ticks_per_quarter=draw(st.integers(1, 32767)),
        tempos=draw(st.lists(st.tuples(tick, st.integers(1, 2**24 - 1)), max_size=3)),
        time_signatures=draw(
            st.lists(st.tuples(tick, st.integers(1, 255), st.sampled_from([1, 2, 8, 64])), max_size=3)
        ),
        pedals=draw(st.lists(st.tuples(tick, length, st.integers(0, 1)), max_size=3)),
        track_names=("Flöte", ""),
    )


def test_scores_go_round_to_the_tick() -> None:
    sizes = []

    @settings(max_examples=80, deadline=None)
    @given(scores())
    def check(score: Score) -> None:
        sizes.append(len(score))
        assert score_from_symusic(symusic_from_score(score)) == score

    check()
    assert max(sizes) > 5


@settings(max_examples=50, deadline=None)
@given(scores(programs_per_track=3))
def test_programs_that_share_a_track_get_one_each(score: Score) -> None:
    made = symusic_from_score(score)
    rows = [(n.time, n.duration, n.pitch, n.velocity, t.program, t.is_drum) for t in made.tracks for n in t.notes]
    columns = (score.onset, score.duration, score.pitch, score.velocity, score.program, score.is_drum)
    assert sorted(rows) == sorted(zip(*(column.tolist() for column in columns), strict=True))
    assert sum(len(track.pedals) for track in made.tracks) == len(score.pedals)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_score_that_symusic_reads_from_our_file(seed: int) -> None:
    score = tune(6, (3, 4), seed=seed, tempos=[(0, 400_000), (960, 600_000)], program=7, track_names=["a tune"])
    theirs, ours = symusic.Score.from_midi(midi_bytes(score)), symusic_from_score(score)
    assert [t.notes for t in ours.tracks] == [t.notes for t in theirs.tracks]
    assert (ours.tempos, ours.time_signatures, ours.tpq) == (theirs.tempos, theirs.time_signatures, theirs.tpq)


def test_ticks_that_symusic_would_wrap_are_refused() -> None:
    late = Score.from_notes([2**31 - 10], 10, 60)
    for score in (late, tune(pedals=[(2**31 - 1, 1, 0)]), tune(tempos=[(2**31, 1)])):
        with pytest.raises(OptionError, match=r"must end before tick 2147483648"):
            symusic_from_score(score)
