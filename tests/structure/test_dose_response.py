"""Do the measures see structure? Real tunes against their bars shuffled, a Markov chain, loops and held notes.

A headline measure tells all of them from the real ones, a blind one says nothing of the bars' order: which is which is
what ``MEASURES`` says, and so what tables and docs show. The same with folk tunes of music21, where it is installed.
"""

import importlib.util

import numpy as np
import pytest

from seqaudio.corpus.sources import source_files
from seqaudio.files import read_pieces
from seqaudio.structure.evaluation import MEASURES, evaluate
from seqaudio.structure.real_range import auc
from tests.structure.pieces import BAR, Bar, bars_of_score, bars_of_tune, joined, markov, shuffled

PRIMER = 8
FORMS = ("AABB", "AABA", "ABAC", "AABB")
HEADLINES = [name for name, measure in MEASURES.items() if measure.trust == "headline"]
BLIND = [name for name, measure in MEASURES.items() if measure.trust == "blind"]


def made_tunes() -> list[tuple[list[Bar], int]]:
    return [(bars_of_tune(FORMS[seed % 4], seed), BAR) for seed in range(32)]


def folk_tunes() -> list[tuple[list[Bar], int]]:
    """Jigs of O'Neill's: 6/8, and long enough for a primer and as much again."""
    files = source_files(["music21:oneills"])[20:22]
    scores = [piece.score for file in files for piece in read_pieces(file.path)[0]]
    jigs = [s for s in scores if s.metre_map().tolist() == [[0, 6, 8]] and len(s.bars()) > 4 * PRIMER]
    return [(bars_of_score(score), 1440) for score in jigs[:32]]


def values_of(sets: dict[str, list[tuple[list[Bar], int]]]) -> dict[str, dict[str, np.ndarray]]:
    found: dict[str, dict[str, np.ndarray]] = {}
    for kind, pieces in sets.items():
        metre = {1920: (4, 4), 1440: (6, 8)}
        rows = [evaluate(joined(b, ticks, time_signatures=[(0, *metre[ticks])]), PRIMER) for b, ticks in pieces]
        found[kind] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return found


@pytest.fixture(
    scope="module",
    params=[
        "made",
        pytest.param(
            "folk",
            marks=pytest.mark.skipif(not importlib.util.find_spec("music21"), reason="the folk tunes are in music21"),
        ),
    ],
)
def values(request: pytest.FixtureRequest) -> dict[str, dict[str, np.ndarray]]:
    real = made_tunes() if request.param == "made" else folk_tunes()
    assert len(real) >= 20
    training = [bars for bars, _ in real]
    return values_of({
        "real": real,
        "shuffled": [(shuffled(bars, i), ticks) for i, (bars, ticks) in enumerate(real)],
        "markov": [
            (markov(training[:i] + training[i + 1 :], bars[:PRIMER], len(bars), i, ticks), ticks)
            for i, (bars, ticks) in enumerate(real)
        ],
        "loop": [((bars[:4] * len(bars))[: len(bars)], ticks) for bars, ticks in real],
        "held": [
            (bars[:PRIMER] + [[(0, ticks, bars[PRIMER - 1][-1][2])]] * (len(bars) - PRIMER), ticks)
            for bars, ticks in real
        ],
    })  # fmt: skip


@pytest.mark.parametrize("name", HEADLINES)
def test_a_headline_tells_real_tunes_from_all_the_rest(name: str, values: dict) -> None:
    told = {kind: auc(values["real"][name], rows[name]) for kind, rows in values.items()}
    assert told["real"] == 0.5
    assert told["shuffled"] > 0.7, told
    assert told["markov"] > 0.9, told
    assert told["held"] > 0.8, told  # flagged as too little
    assert told["loop"] < 0.2, told  # flagged as too much
    mean = {kind: rows[name].mean() for kind, rows in values.items()}
    assert mean["real"] > mean["shuffled"] > mean["markov"] - 0.02


@pytest.mark.parametrize("name", BLIND)
def test_a_blind_measure_knows_nothing_of_the_order_of_bars(name: str, values: dict) -> None:
    real, mixed = values["real"][name], values["shuffled"][name]
    there = ~np.isnan(real)
    if there.any():
        assert 0.3 < auc(real[there], mixed[there]) < 0.7


def test_held_notes_and_loops_are_named(values: dict) -> None:
    assert (values["loop"]["longest_loop"] > values["real"]["longest_loop"].max()).mean() > 0.9
    assert (values["held"]["longest_stuck"] > 8).all()
