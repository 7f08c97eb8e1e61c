"""Spans, pedals and frames, each against a loop over single steps."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings, strategies as st

from seqaudio.music import Score
from seqaudio.music.frames import frames_of_runs, runs_of_frames, runs_of_score
from seqaudio.music.pedals import with_pedals_in_durations
from seqaudio.music.spans import _joined, merged_spans
from seqaudio.music.steps import nearest_steps
from tests.contracts.any_scores import scores

spans = st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 20), st.integers(1, 6)), max_size=12)


@settings(max_examples=200, deadline=None)
@given(spans, st.booleans())
def test_merged_spans_cover_the_same_steps(rows: list[tuple[int, int, int]], touching: bool) -> None:
    key, start, length = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    merged = list(zip(*(c.tolist() for c in merged_spans(key, start, start + length, touching=touching)), strict=True))
    assert {(k, t) for k, a, b in merged for t in range(a, b)} == {(k, t) for k, a, n in rows for t in range(a, a + n)}
    assert merged == sorted(merged)
    for (k, _, end), (other, begin, _) in pairwise(merged):
        assert k != other or (end < begin if touching else end <= begin)
    order = np.lexsort((start, key))
    columns = (key[order], start[order], (start + length)[order], touching)
    interpreted, machine_code = _joined.interpreted(*columns), _joined.machine_code(*columns)
    assert [c.tolist() for c in interpreted] == [c.tolist() for c in machine_code]
    if not touching:  # a boundary inside that nothing crosses stays
        begins = {(k, a) for k, a, _ in merged}
        for k, a, _ in rows:
            assert (k, a) in begins or any(k == o and b < a < b + n for o, b, n in rows)


@settings(max_examples=100, deadline=None)
@given(scores())
def test_pedals_hold_notes_until_they_are_lifted_or_struck_again(score: Score) -> None:
    held = with_pedals_in_durations(score)
    assert len(held.pedals) == 0
    expected = []
    columns = (score.onset, score.duration, score.pitch, score.track, score.program, score.is_drum)
    notes = list(zip(*(column.tolist() for column in columns), strict=True))
    for onset, duration, pitch, track, program, is_drum in notes:
        release = onset + duration
        downs = [] if is_drum else [(a, a + n) for a, n, t in score.pedals.tolist() if t == track]
        until = max([release, *(up for down, up in downs if down <= release < up)])
        while longer := [up for down, up in downs if down < until < up and until > release]:
            until = max(longer)  # pedals that overlap are one
        again = [o for o, _, p, _, other, drum in notes if (p, other, drum) == (pitch, program, is_drum) and o > onset]
        expected.append((onset, pitch, track, max(release, min([until, *again]))))
    found = zip(held.onset.tolist(), held.pitch.tolist(), held.track.tolist(), strict=True)
    assert sorted((*row, end) for row, end in zip(found, (held.onset + held.duration).tolist(), strict=True)) == sorted(
        expected
    )


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 40), st.integers(1, 130))
def test_frames_are_their_runs(seed: int, steps: int, keys: int) -> None:
    frames = np.random.default_rng(seed).random((steps, keys)) < 0.4
    assert np.array_equal(frames_of_runs(*runs_of_frames(frames), frames.shape), frames)


def test_times_go_to_the_nearest_step_halves_up() -> None:
    assert nearest_steps(np.array([0, 59, 60, 179, 180]), 480, 4).tolist() == [0, 0, 1, 1, 2]
    score = Score.from_notes([0, 480, 500], [480, 10, 480], [60, 60, 62])
    assert [column.tolist() for column in runs_of_score(score, 4)] == [[60, 62], [0, 4], [5, 8]]
