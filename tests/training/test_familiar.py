"""Does a training note what beginnings of unmet pieces cost its model, and how straight its music is?"""

import numpy as np
import pytest

from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.training.config import check_experiment
from seqaudio.training.familiar import beginnings, pieces_by_metre, share_between
from seqaudio.training.run import Run
from tests.samples import MELODY, tune, write_corpus

SIZES = {"hidden_size": 8, "layers": 1, "memory": {"lags": [1]}}


def trained(folder, train, valid):
    write_corpus(folder / "corpus", train, valid)
    asked = {"corpus": {"prepared": str(folder / "corpus")}, "training": {"epochs": 1, "threads": 1}, "model": SIZES}
    run = Run(folder / "run", check_experiment(asked), PreparedCorpus.open(folder / "corpus"))
    assert run.train().finished
    return Checkpoint.load(run.folder)


def test_a_run_notes_both(tmp_path):
    straight = [MELODY.encode(tune(9, seed=seed)) for seed in range(3)]
    late = tune(9, seed=5)
    late = MELODY.encode(late.replaced(onset=late.onset + 40, duration=late.duration - 40))  # a twelfth of a quarter
    valid = [MELODY.encode(tune(9 + seed, seed=9 + seed)) for seed in range(8)]
    checkpoint = trained(tmp_path, [*straight, late], valid)
    positions = [
        sum(MELODY.vocabulary.names[token].startswith("Position") for token in ids) for ids in (*straight, late)
    ]
    assert checkpoint.between == pytest.approx(positions[-1] / sum(positions), abs=1e-4)
    assert checkpoint.metres == {"4/4": 4}
    again = beginnings(checkpoint.build(), MELODY, valid, checkpoint.memory())
    assert checkpoint.beginnings is not None
    assert checkpoint.beginnings.pieces == 8
    assert checkpoint.beginnings.median == pytest.approx(again.median, rel=1e-3)
    assert checkpoint.beginnings.most == pytest.approx(again.most, rel=1e-3)


def test_of_few_pieces_nothing_is_noted(tmp_path):
    valid = [MELODY.encode(tune(9, seed=9 + seed)) for seed in range(7)]
    checkpoint = trained(tmp_path, [MELODY.encode(tune(9))], valid)
    assert (checkpoint.beginnings, checkpoint.between) == (None, 0.0)


def test_positions_between_are_counted():
    ids = MELODY.encode(tune(2).replaced(onset=tune(2).onset + 40, duration=tune(2).duration - 40))
    assert share_between(MELODY, [ids]) == 1.0
    assert share_between(MELODY, [MELODY.encode(tune(2))]) == 0.0
    assert share_between(MELODY, [np.zeros(0, np.int64)]) == 0.0


def test_a_piece_counts_for_the_metre_of_most_of_its_bars():
    back = tune(6, time_signatures=[(0, 2, 4), (960, 4, 4), (5 * 1920 + 960, 2, 4)])  # most bars, not most changes
    pieces = [tune(4), tune(3, (6, 8)), tune(2, (6, 8)), tune(5, time_signatures=[(0, 4, 4), (2 * 1920, 3, 4)]), back]
    assert pieces_by_metre(MELODY, map(MELODY.encode, pieces)) == {"4/4": 2, "6/8": 2, "3/4": 1}
    assert pieces_by_metre(MELODY, [np.zeros(0, np.int64), MELODY.encode(tune(1))[:1]]) == {}
