"""Laws of repeats in rolls: shares as a slow reading counts them, on rolls with loops, held chords and other orders."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from seqaudio.errors import OptionError
from seqaudio.structure import frame_far_repeat_rate, frame_lz_gain, frame_primer_recall
from seqaudio.structure.compression import lz_gain_of
from seqaudio.structure.frames import frame_ids

KEYS = np.eye(6, 88, 30, dtype=bool)
CHUNKS = ([0, 1, 2, 3, 1, 0, 2, 2], [0, 0, 0, 0, 0, 0, 0, 0, 1], [1, 1, 2, 2, 1, 1, 2, 2, 1], [3, 2, 1], [0, 1], [2])
sequences = st.lists(st.sampled_from(CHUNKS), max_size=14).map(
    lambda chunks: [id_ for chunk in chunks for id_ in chunk]
)


def roll(ids: list[int]) -> np.ndarray:
    return KEYS[np.array(ids, dtype=np.int64)]


@given(sequences)
def test_far_repeats_are_those_of_a_slow_reading(ids: list[int]) -> None:
    windows = [tuple(ids[i : i + 8]) for i in range(len(ids) - 7)]
    heard = [len(set(w)) >= 3 and w in windows[: max(0, i - 23)] for i, w in enumerate(windows)]
    assert frame_far_repeat_rate(roll(ids)) == pytest.approx(sum(heard) / max(len(windows), 1))


@given(sequences, st.integers(1, 30))
def test_recall_is_that_of_a_slow_reading(ids: list[int], primer: int) -> None:
    known = [tuple(ids[i : i + 4]) for i in range(primer - 3)]
    windows = [tuple(ids[i : i + 4]) for i in range(primer, len(ids) - 3)]
    heard = [len(set(w)) >= 2 and w in known for w in windows]
    assert frame_primer_recall(roll(ids), primer) == pytest.approx(sum(heard) / max(len(windows), 1))


@given(sequences)
def test_ids_are_those_of_frames(ids: list[int]) -> None:
    found = frame_ids(roll(ids)).tolist()
    assert all((a == b) == (ids[i] == ids[j]) for i, a in enumerate(found) for j, b in enumerate(found))
    assert frame_lz_gain(roll(ids)) == lz_gain_of(found)


def test_form_shuffles_loops_and_held_chords() -> None:
    rng = np.random.default_rng(0)
    bars = rng.random((8, 8, 88)) < 0.05
    other = rng.random((8, 8, 88)) < 0.05
    real = np.concatenate([*bars, *bars, *other, *bars])
    mixed = np.concatenate([*bars, *rng.permutation(real.reshape(32, 8, 88)[8:])])
    loop = np.tile(bars[0], (32, 1))
    held = np.concatenate([*bars, np.tile(bars[-1, -1], (192, 1))])
    for measure in (frame_far_repeat_rate, lambda frames: frame_primer_recall(frames, 64, window=8), frame_lz_gain):
        assert measure(held) < measure(real) < measure(loop)
        assert measure(mixed) < measure(real) - 0.05


def test_what_cannot_be_is_refused_in_words() -> None:
    for wrong in (np.zeros((4, 88)), np.zeros(4, bool)):
        with pytest.raises(OptionError, match=r"frames are bool of shape \(steps, keys\)"):
            frame_far_repeat_rate(wrong)
    with pytest.raises(OptionError, match="min_lag is 0"):
        frame_far_repeat_rate(roll([0]), min_lag=0)
    with pytest.raises(OptionError, match="window is 0"):
        frame_far_repeat_rate(roll([0]), window=0)
    with pytest.raises(OptionError, match="primer_steps is 0"):
        frame_primer_recall(roll([0]), 0)
    assert frame_far_repeat_rate(np.zeros((0, 88), bool)) == frame_lz_gain(np.zeros((1, 88), bool)) == 0
