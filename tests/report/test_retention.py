"""Measures beside real music: of pieces cut alike, by percentiles, and kept by a file as they are."""

import numpy as np
import pytest

from seqaudio.errors import BadFileError
from seqaudio.music.score import Score
from seqaudio.report.retention import (
    FEWEST_PIECES,
    RealPieces,
    as_json,
    figures,
    headlines,
    nearest,
    read_ranges,
    real_pieces,
)
from seqaudio.structure import RealRange, far_repeat_rate, lz_gain, primer_recall, return_strength
from tests.samples import tune


def returning(bars, period, seed=0):
    """A line of eighths that comes back every so many bars."""
    pitch = np.random.default_rng(seed).integers(60, 73, 8 * period)
    return Score.from_notes(240 * np.arange(8 * bars), 240, np.resize(pitch, 8 * bars))


def test_they_are_the_measures_of_structure():
    for score in (tune(24), returning(24, 8)):
        assert headlines(score, 8) == {
            "far_repeat_rate": far_repeat_rate(score),
            "far_repeat_rate_transposed": far_repeat_rate(score, transposed=True),
            "primer_recall": primer_recall(score, 8),
            "primer_recall_transposed": primer_recall(score, 8, transposed=True),
            "return_strength": return_strength(score),
            "lz_gain": lz_gain(score),
        }


def test_without_a_primer_nothing_is_recalled():
    names = [figure.name for figure in figures(headlines(tune(24), 0), {})]
    assert names == ["far repeat rate", "far repeat rate transposed", "return strength", "LZ gain"]


def test_a_loop_a_tune_and_noise_stand_apart():
    """Beside tunes that return every eight bars: noise is below, a loop of two bars above, another tune inside."""
    real = real_pieces([returning(24, 8, seed) for seed in range(10)], 8, 24)
    inside = {figure.name: figure.verdict() for figure in figures(headlines(returning(24, 8, 99), 8), real.ranges)}
    assert inside["primer recall"] == inside["far repeat rate"] == "in the range"
    noise = {figure.name: figure.verdict() for figure in figures(headlines(tune(24), 8), real.ranges)}
    assert set(noise.values()) == {"below the range"}
    loop = {figure.name: figure.verdict() for figure in figures(headlines(returning(24, 2), 8), real.ranges)}
    assert loop["far repeat rate"] == loop["LZ gain"] == "above the range"


def test_a_range_is_of_pieces_cut_to_one_length():
    scores = [returning(bars, 4, bars) for bars in range(8, 40)]
    real = real_pieces(scores, 4, 24, "tunes")
    assert real.count == 16
    assert real.words() == "16 tunes, 24 bars of each, the first 4 as primer"
    for name, ends in real.ranges.items():
        values = [headlines(returning(24, 4, bars), 4)[name] for bars in range(24, 40)]
        assert ends == RealRange.of(values)
    assert set(real.ranges) == set(headlines(tune(24), 4))


def test_few_pieces_are_no_range():
    assert real_pieces([returning(24, 4)] * (FEWEST_PIECES - 1), 4, 24) is None
    assert real_pieces([returning(24, 4)] * FEWEST_PIECES, 4, 24) is not None
    assert real_pieces([returning(24, 4)] * FEWEST_PIECES, 4, 25) is None


@pytest.mark.parametrize(
    ("primer", "bars", "chosen"),
    [
        (8, 24, (8, 24)),
        (8, 23, (8, 24)),
        (9, 20, (8, 24)),
        (4, 24, None),
        (8, 40, None),
        (0, 24, (8, 24)),
        (0, 13, (4, 12)),
    ],
)
def test_a_stored_range_is_used_for_lengths_near_its_own(primer, bars, chosen):
    stored = [RealPieces(9, 4, 12), RealPieces(9, 8, 24), RealPieces(9, 8, 16)]
    found = nearest(stored, primer, bars)
    assert chosen == (None if found is None else (found.primer_bars, found.bars))


def test_a_file_keeps_ranges(tmp_path):
    import json

    path = tmp_path / "real.json"
    assert read_ranges(path) == []
    ranges = [
        RealPieces(9, 4, 12, {"lz_gain": RealRange(0.1, 0.25, 0.5, 9)}, "tunes"),
        RealPieces(8, 8, 16, {}, "tunes"),
    ]
    path.write_text(json.dumps(as_json(ranges)), encoding="utf-8")
    assert read_ranges(path) == ranges


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"lengths": 1}', '{"source": "", "lengths": [{}]}', "\ud800".encode(errors="replace").decode()],
)
def test_a_damaged_file_is_named(tmp_path, text):
    path = tmp_path / "real.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadFileError, match=r"real\.json: holds no ranges"):
        read_ranges(path)
