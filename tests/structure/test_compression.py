"""Laws of the LZ gain: phrases as a slow parser finds them; order counts, the choice of notes does not."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from seqaudio.errors import OptionError
from seqaudio.music import Score
from seqaudio.structure import lz_gain
from seqaudio.structure.compression import lz_gain_of, phrases
from tests.structure.pieces import BAR, bars_of_tune, joined, passage, shuffled


def slow_phrases(ids: list[int]) -> int:
    """A phrase ends with the first symbol that makes it new."""
    count, begin = 0, 0
    while begin < len(ids):
        length = 1
        while begin + length <= len(ids) and any(
            ids[at : at + length] == ids[begin : begin + length] for at in range(begin)
        ):
            length += 1
        count, begin = count + 1, begin + length
    return count


@given(st.lists(st.integers(0, 3), max_size=40) | st.lists(st.integers(0, 70_000), max_size=20))
def test_phrases_are_those_of_a_slow_parser(ids: list[int]) -> None:
    assert phrases(np.array(ids, dtype=np.int64)) == slow_phrases(ids)


def test_the_example_of_the_paper() -> None:
    # 0 . 001 . 10 . 100 . 1000 . 101
    assert phrases(np.array([int(digit) for digit in "0001101001000101"])) == 6


def test_gain_is_one_minus_the_ratio() -> None:
    ids = np.array([0, 1, 2, 3] * 5)
    generator = np.random.default_rng(3)
    mean = np.mean([slow_phrases(generator.permutation(ids).tolist()) for _ in range(4)])
    assert lz_gain_of(ids, shuffles=4, seed=3) == pytest.approx(1 - 5 / mean)


def test_tunes_gain_more_than_shuffled_and_less_than_loops_and_held_notes_nothing() -> None:
    real = [lz_gain(joined(bars_of_tune("AABA", seed))) for seed in range(10)]
    mixed = [lz_gain(joined(shuffled(bars_of_tune("AABA", seed), seed))) for seed in range(10)]
    loops = [lz_gain(joined(passage(2, np.random.default_rng(seed)) * 16)) for seed in range(10)]
    noise = [lz_gain_of(np.random.default_rng(seed).integers(0, 12, 200)) for seed in range(10)]
    assert np.mean(mixed) < np.mean(real) - 0.05
    assert max(real) < min(loops)
    assert abs(np.mean(noise)) < 0.02
    assert lz_gain(joined([[(0, BAR, 60)]] * 32)) == 0


def test_nothing_gains_nothing() -> None:
    assert lz_gain(Score.from_notes([], 1, 60)) == lz_gain(Score.from_notes([0], 480, 60)) == 0
    with pytest.raises(OptionError, match="shuffles is 0; allowed: 1 or more"):
        lz_gain_of([1, 2, 3], shuffles=0)
