"""The longest match against a search of all places, and the laws of a causal predictor."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.errors import OptionError, VocabularyError
from seqaudio.models.suffix_match import NO_MATCH, longest_matches, match_at_end, match_on

PIECES = st.integers(1, 5).flatmap(lambda used: st.lists(st.integers(0, used), max_size=60))


def searched(ids, max_length):
    """Every earlier place at every step, the most recent first; only a longer match replaces what was found."""
    lengths, followers = [], []
    for t in range(len(ids) + 1):
        best, where = 0, NO_MATCH
        for s in range(t - 1, 0, -1):
            length = 0
            while length < min(max_length, s) and ids[s - 1 - length] == ids[t - 1 - length]:
                length += 1
            if length > best:
                best, where = length, s
        lengths.append(best)
        followers.append(where)
    return lengths, followers


@pytest.mark.parametrize("form", ["interpreted", "machine_code"])
@settings(deadline=None, max_examples=60)
@given(ids=PIECES, max_length=st.integers(1, 9))
def test_equals_a_search_of_all_places(form, ids, max_length):
    lengths, followers = np.zeros(len(ids) + 1, np.int64), np.full(len(ids) + 1, NO_MATCH)
    children = np.empty(2 * len(ids) + 2, np.int64)
    getattr(match_on, form)(np.array(ids, np.uint64), 0, len(ids), max_length, children, lengths, followers)
    assert (lengths.tolist(), followers.tolist()) == searched(ids, max_length)
    found = longest_matches(np.array(ids, np.int64), max_length)
    assert (found[0].tolist(), found[1].tolist()) == searched(ids, max_length)


@settings(deadline=None)
@given(ids=PIECES, max_length=st.integers(1, 9))
def test_the_match_at_the_end_is_the_last_of_all(ids, max_length):
    lengths, followers = searched(ids, max_length)
    assert match_at_end(np.array(ids, np.int64), max_length) == (lengths[-1], followers[-1])


def test_the_match_at_the_end_reaches_as_far():
    """Longer than the reach, in a piece of one symbol, and with numbers below zero."""
    for ids in (np.tile(np.arange(10), 20), np.zeros(200, np.int64), np.tile([-3, 2**62], 50)):
        lengths, followers = longest_matches(ids)
        assert match_at_end(ids) == (lengths[-1], followers[-1]) == (64, len(ids) - len(np.unique(ids)))


def test_a_worked_example():
    lengths, followers = longest_matches(np.frombuffer(b"abcabxabc", np.uint8))
    assert lengths.tolist() == [0, 0, 0, 0, 1, 2, 0, 1, 2, 3]
    assert followers.tolist() == [-1, -1, -1, -1, 1, 2, -1, 4, 5, 3]  # after "ab" the newer x is the guess, not the c


def test_nothing_later_is_looked_at():
    ids = np.random.default_rng(0).integers(0, 3, 200)
    lengths, followers = longest_matches(ids)
    for t in (0, 1, 50, 199):
        before = longest_matches(ids[:t])
        np.testing.assert_array_equal(before[0], lengths[: t + 1])
        np.testing.assert_array_equal(before[1], followers[: t + 1])
        assert (followers[: t + 1] < np.arange(t + 1)).all()


def test_names_of_ids_do_not_matter():
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 4, 300)
    names = rng.integers(-(2**62), 2**62, 4)
    for one, other in zip(longest_matches(ids), longest_matches(names[ids]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_period_longer_than_the_reach_matches_its_last_turn():
    lengths, followers = longest_matches(np.tile(np.arange(10), 20), max_length=7)
    steps = np.arange(17, 201)
    np.testing.assert_array_equal(lengths[17:], 7)
    np.testing.assert_array_equal(followers[17:], steps - 10)


@pytest.mark.parametrize("ids", [[[0, 1]], [0.5], [True]], ids=["matrix", "float", "bool"])
def test_what_are_no_ids_is_refused(ids):
    for find in (longest_matches, match_at_end):
        with pytest.raises(VocabularyError, match="one-dimensional array of integers"):
            find(ids)
        with pytest.raises(OptionError, match="max_length is 0"):
            find([1, 2], max_length=0)
