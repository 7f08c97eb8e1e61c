"""Laws of the split: what is connected stays together, and nothing but marks and seed decides the side."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.corpus.splits import OPENING_NOTES, groups, marks, sides_of, sides_with_official
from seqaudio.music import Score
from seqaudio.music.splits import SPLITS
from seqaudio.tokens import BarsTokenizer

pieces_of_marks = st.lists(st.lists(st.sampled_from("abcdefghijkl"), min_size=1, max_size=3), max_size=15)


def slow_groups(pieces: list[list[str]]) -> list[str]:
    """The least mark that can be reached from each piece by walking from piece to piece over common marks."""
    found = []
    for piece in pieces:
        reached, waiting = set(piece), list(piece)
        while waiting:
            mark = waiting.pop()
            for other in pieces:
                if mark in other:
                    waiting += set(other) - reached
                    reached |= set(other)
        found.append(min(reached))
    return found


@settings(max_examples=400, deadline=None)
@given(pieces_of_marks)
def test_groups_are_what_a_slow_search_connects(pieces: list[list[str]]) -> None:
    assert groups(pieces) == slow_groups(pieces)


@given(pieces_of_marks, st.randoms(use_true_random=False))
def test_the_order_of_pieces_does_not_matter(pieces: list[list[str]], random: object) -> None:
    order = list(range(len(pieces)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert groups([pieces[i] for i in order]) == [groups(pieces)[i] for i in order]


@given(pieces_of_marks)
def test_a_stranger_changes_no_group(pieces: list[list[str]]) -> None:
    assert groups([*pieces, ["stranger"]])[:-1] == groups(pieces)


def test_sides_have_the_shares_asked_for() -> None:
    names = [f"piece:{i}" for i in range(20_000)]
    sides = sides_of(names, 0, 0.2, 0.1)
    for split, share in zip(SPLITS, (0.7, 0.2, 0.1), strict=True):
        assert sides.count(split) / len(names) == pytest.approx(share, abs=0.01)  # three standard deviations
    assert sides == sides_of(names, 0, 0.2, 0.1)
    assert sides != sides_of(names, 1, 0.2, 0.1)
    assert set(sides_of(names, 0, 0, 0)) == {"train"}


def test_a_larger_training_share_moves_pieces_one_way() -> None:
    names = [f"piece:{i}" for i in range(2000)]
    before, after = sides_of(names, 5, 0.05, 0.1), sides_of(names, 5, 0.3, 0.1)
    assert "test" in before
    assert [i for i, where in enumerate(before) if where == "test"] == [
        i for i, where in enumerate(after) if where == "test"
    ]


def line(pitches: list[int], at: int = 0, length: int = 480) -> Score:
    return BarsTokenizer().quantize(Score.from_notes(at + np.arange(len(pitches)) * 480, length, pitches))[0]


TUNE = [60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64, 62, 60]


def test_copies_share_the_mark_of_the_piece() -> None:
    piece = marks(line(TUNE))
    assert len(piece) == 2
    assert marks(line([p + 5 for p in TUNE])) == piece
    assert marks(line(TUNE, at=960)) == piece
    assert marks(line([*TUNE[:-1], 59])) == [marks(line([*TUNE[:-1], 59]))[0], piece[1]]
    assert marks(line([*TUNE[:-1], 59]))[0] != piece[0]


def test_versions_share_the_mark_of_the_opening() -> None:
    piece, slower = marks(line(TUNE)), marks(line(TUNE, length=240))
    assert (slower[0] != piece[0], slower[1]) == (True, piece[1])
    other_opening = marks(line([*TUNE[:5], 61, *TUNE[6:]]))
    assert not {*other_opening} & {*piece}


def test_short_pieces_have_no_opening() -> None:
    assert len(marks(line(TUNE[:OPENING_NOTES]))) == 2
    assert len(marks(line(TUNE[: OPENING_NOTES - 1]))) == 1
    assert len(marks(Score.from_notes([], 1, 60))) == 1


def test_drums_are_not_transposed() -> None:
    def beat(pitch: int) -> list[str]:
        return marks(Score.from_notes(np.arange(20) * 480, 480, pitch, is_drum=True))

    assert beat(36) != beat(38)
    assert beat(36) == beat(36)
    assert len(beat(36)) == 1


def test_two_groups_are_enough_for_a_validation_split() -> None:
    for seed in range(20):
        sides = sides_of(["a", "a", "b"], seed, 0.01, 0.0)
        assert sorted({sides[0], sides[2]}) == ["train", "valid"]
        assert sides[0] == sides[1]
    assert sides_of(["a", "b"], 0, 0.0, 0.0) == ["train", "train"]


marked = st.tuples(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=2), st.sampled_from(["", *SPLITS]))


@settings(max_examples=400)
@given(st.lists(marked, max_size=14), st.integers(0, 9))
def test_official_sides_are_kept_and_no_copy_of_what_is_evaluated_is_trained_on(
    pieces: list[tuple[list[str], str]], seed: int
) -> None:
    marks_of_pieces, official = [m for m, _ in pieces], [side for _, side in pieces]
    sides = sides_with_official(marks_of_pieces, official, lambda names: sides_of(names, seed, 0.3, 0.3))
    names = groups(marks_of_pieces)
    evaluated = {m[0] for m, side in pieces if side in ("valid", "test")}
    for (m, asked), side, name in zip(pieces, sides, names, strict=True):
        is_copy = m[0] in evaluated and asked in ("", "train")
        assert (side == "") == is_copy
        if asked and not is_copy:
            assert side == asked
        if not asked and not is_copy:  # with its group, where that is on one side
            of_group = {s for n, s in zip(names, official, strict=True) if n == name and s}
            assert len(of_group) != 1 or of_group == {side}
            assert side != "train" or of_group <= {"train"}
    free = [n for n, name in enumerate(names) if not any(s for o, s in zip(names, official, strict=True) if o == name)]
    assert [sides[n] for n in free] == sides_of([names[n] for n in free], seed, 0.3, 0.3)


def test_an_official_validation_side_is_enough() -> None:
    assert sides_of(["a", "b"], 0, 0.01, 0.0, need_valid=False) == ["train", "train"]
    assert "valid" in sides_of(["a", "b"], 0, 0.01, 0.0)
