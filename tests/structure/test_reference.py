"""Laws of a reference: like beside like, no piece beside itself, the primer left out of what is copied."""

import numpy as np
import pytest

from seqaudio.errors import OptionError
from seqaudio.music import Score
from seqaudio.structure import Reference, evaluate, real_ranges, similarity_curve
from seqaudio.structure.reference import LEAST_PIECES, SHARED_RUN, behind_primer
from tests.structure.pieces import bars_of_tune, joined, tune

SHORT, LONG = [tune("A", seed) for seed in range(22)], [tune("AABB", 50 + seed) for seed in range(21)]


def test_a_piece_is_read_beside_the_first_bars_of_long_enough_ones() -> None:
    real = Reference([*SHORT, *LONG], primer_bars=4)
    assert real.like(16) == list(range(22, 43))
    assert real.like(8) == list(range(43))
    assert real.like(99) == list(range(43)), "none is long enough, so all count"
    expected = real_ranges(evaluate(score, 4, bars=16) for score in LONG)
    found = real.ranges(16)
    assert {name: found[name] for name in expected} == expected
    assert real.ranges(32)["sections"].median > found["sections"].median, "whole pieces have more"
    assert found[SHARED_RUN].pieces == 21
    assert found[SHARED_RUN].high < 16, "no piece is beside itself"


def test_at_most_a_hundred_are_measured_evenly_spread() -> None:
    numbers = Reference([SHORT[0]] * 250).like(4)
    assert len(numbers) == 100
    assert numbers[0] == 0
    assert numbers[-1] == 249
    assert max(np.diff(numbers)) <= 3


def test_what_the_primer_shares_is_not_copied() -> None:
    real = Reference(LONG, primer_bars=8)
    own = bars_of_tune("C", 1)
    lines = LONG[3].bars()
    primer = LONG[3].notes(LONG[3].onset < lines[8])
    both = Score.from_notes(
        *([*getattr(primer, name), *(getattr(joined(own), name) + shift)]
          for name, shift in (("onset", lines[8]), ("duration", 0), ("pitch", 0))),
    )  # fmt: skip
    assert len(behind_primer(both, 8)) == len(joined(own))
    assert real.shared_run(both).length < 16
    assert Reference(LONG).shared_run(both).length == len(primer)


def test_the_error_of_a_set_is_small_for_real_pieces() -> None:
    real = Reference(LONG)
    error, null = real.curve_error([similarity_curve(tune("AABB", 90 + seed)) for seed in range(20)])
    other, _ = real.curve_error([similarity_curve(tune("ABCD", 90 + seed)) for seed in range(20)])
    assert 0 < error < 2 * null < other


def test_one_real_piece_will_do_and_none_is_refused() -> None:
    assert len(Reference(SHORT[:1]).ranges(8)) > 10
    assert Reference(SHORT[:1]).curve_error([similarity_curve(SHORT[1])])[1] == 0
    assert LEAST_PIECES > 1
    with pytest.raises(OptionError, match="no real piece has notes; give a folder of music"):
        Reference([Score.from_notes([], 1, 60)])
