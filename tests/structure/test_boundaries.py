"""Laws of sections: they are found where parts begin, and not where nothing comes back."""

import numpy as np
import pytest

from seqaudio.music import Score
from seqaudio.structure import boundaries, novelty, similarity_matrix
from tests.structure.pieces import BAR, bars_of_tune, joined, tune


@pytest.mark.parametrize("part_bars", [6, 8, 16])
@pytest.mark.parametrize("form", ["AABB", "AABA", "AABBCC"])
def test_parts_that_come_back_are_found_to_the_bar(form: str, part_bars: int) -> None:
    true = {part_bars * i for i in range(1, len(form))}
    hits = found = 0
    for seed in range(10):
        here = set(boundaries(tune(form, seed, part_bars=part_bars, varied=0.3)).tolist())
        hits, found = hits + len(here & true), found + len(here)
    assert hits / (10 * len(true)) > 0.9
    assert hits / found > 0.9


def test_a_piece_in_which_nothing_comes_back_has_none() -> None:
    assert sum(len(boundaries(tune("ABCDEF", seed))) for seed in range(10)) == 0
    assert len(boundaries(joined([[(0, BAR, 60)]] * 32))) == 0
    for empty in (Score.from_notes([], 1, 60), Score.from_notes([0], 1, 60)):
        assert boundaries(empty).tolist() == []


def test_one_clean_return_is_one() -> None:
    part, between = bars_of_tune("A", 0), [[(0, BAR, 30 + i)] for i in range(24)]
    found = novelty(joined(part + between + part), 0.5)
    beginnings = np.argsort(found)[-2:]
    assert sorted(beginnings.tolist()) == [8, 32]
    assert found[beginnings] == pytest.approx([1, 1], abs=0.05)


def test_the_matrix_stands_for_the_piece() -> None:
    score = tune("AABA", 4)
    assert boundaries(similarity_matrix(score)).tolist() == boundaries(score).tolist() != []
