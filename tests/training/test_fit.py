"""Pieces in memory are trained as a run trains them: tokens to the same weights, and real numbers to what made them."""

import numpy as np
import pytest
import torch

from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.models.checkpoint import Checkpoint, weights_of
from seqaudio.models.config import ModelConfig, build_model
from seqaudio.training.config import TrainingConfig, check_experiment
from seqaudio.training.evaluate import piece_nats
from seqaudio.training.fit import fit
from seqaudio.training.run import Run
from seqaudio.training.transposition import Unmoved, room
from tests.samples import repetitive_pieces, write_corpus


def of_numbers(**options):
    config = ModelConfig(cell="gru", hidden_size=8, layers=1, dropout=0.0, head="mixture", components=2, **options)
    return lambda: build_model(config, keys=1)


def autoregression(steps, seed, share=0.9):
    """x' = share x + noise, of deviation 1 in the long run."""
    noise = np.random.default_rng(seed).normal(size=steps) * (1 - share**2) ** 0.5
    series = np.zeros(steps)
    for step in range(1, steps):
        series[step] = share * series[step - 1] + noise[step]
    return series[:, None].astype(np.float32)


TRAINING = TrainingConfig(
    epochs=15, batch_size=8, chunk=64, learning_rate=0.02, warmup_steps=5, transpose=0, threads=1, seed=3
)


def test_tokens_are_trained_as_a_run_trains_them(tmp_path):
    folder = write_corpus(tmp_path / "corpus", repetitive_pieces(7), repetitive_pieces(2, seed=5))
    corpus = PreparedCorpus.open(folder)
    training = {"epochs": 2, "batch_size": 3, "chunk": 16, "warmup_steps": 4, "transpose": 0, "averaging": "ema"}
    model = {"cell": "lstm", "hidden_size": 12, "layers": 2, "dropout": 0.2}
    asked = check_experiment({"corpus": {"prepared": str(folder)}, "model": model, "training": training})
    run = Run(tmp_path / "run", asked, corpus)
    run.train()
    model, progress = fit(
        lambda: build_model(asked.model, len(corpus.tokenizer.vocabulary)),
        asked.training,
        list(corpus.split("train")),
        list(corpus.split("valid")),
    )
    assert progress.step == run.progress.step > 2
    assert progress.best_nats == run.progress.best_nats
    expected = Checkpoint.load(tmp_path / "run").weights
    found = weights_of(model)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert not model.training


def test_a_series_is_learnt_to_its_noise():
    train = [autoregression(200, seed) for seed in range(16)]
    valid, test = [autoregression(400, 101)], [autoregression(2000, 102)]
    model, progress = fit(of_numbers(), TRAINING, train, valid)
    assert progress.best_nats < 1
    nats = piece_nats(model, test)[0].mean()
    noise = 0.5 * np.log(2 * np.pi * np.e * (1 - 0.9**2))  # entropy of what cannot be known
    alone = 0.5 * np.log(2 * np.pi * np.e)
    assert noise - 0.1 < nats < noise + 0.15 < alone - 0.5


def test_the_best_weights_are_kept_not_the_last():
    """A rate that is far too high in the end: the last validation is worse than the best."""
    lines = []
    config = TRAINING.model_copy(
        update={"epochs": 9, "learning_rate": 1.0, "schedule": "constant", "clip": 1e9, "patience": 9}
    )
    train, valid = [autoregression(100, seed) for seed in range(4)], [autoregression(100, 9)]
    model, progress = fit(of_numbers(), config, train, valid, log=lines.append)
    judged = [line["valid_nats"] for line in lines if "valid_nats" in line]
    assert len(judged) == 9
    assert min(judged) < judged[-1]
    assert piece_nats(model, valid)[0].mean() == pytest.approx(min(judged), rel=1e-6)
    assert progress.best_nats == min(judged)


def test_the_seed_alone_decides():
    train, valid = [autoregression(60, seed) for seed in range(4)], [autoregression(60, 9)]
    config = TRAINING.model_copy(update={"epochs": 2})
    torch.manual_seed(1)
    first, _ = fit(of_numbers(), config, train, valid)
    before = torch.get_rng_state()
    again, _ = fit(of_numbers(), config, train, valid)
    assert torch.equal(before, torch.get_rng_state())
    other, _ = fit(of_numbers(), config.model_copy(update={"seed": 4}), train, valid)
    weights = [torch.cat([p.flatten() for p in model.parameters()]) for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("changes", "because"),
    [({"transpose": 3}, "no pitch"), ({"tensorboard": True}, "runs in a folder")],
)
def test_what_cannot_be_had_is_refused(changes, because):
    pieces = [autoregression(10, 0)]
    with pytest.raises(OptionError, match=because):
        fit(of_numbers(), TRAINING.model_copy(update=changes), pieces, pieces)


def test_both_kinds_of_pieces_are_needed():
    with pytest.raises(NoNotesError, match="longer than a step"):
        fit(of_numbers(), TRAINING, [autoregression(10, 0)], [autoregression(1, 0)])


def test_what_has_no_pitch_stays_where_it_is():
    piece = np.arange(5)
    assert room(Unmoved().pitch_range(piece), 11) == (0, 0)
    assert Unmoved().moved(piece, 0) is piece
    with pytest.raises(OptionError, match="cannot be moved"):
        Unmoved().moved(piece, 2)


def test_a_number_that_is_not_known_is_heard_as_the_mean_and_spoils_nothing() -> None:
    draws = np.random.default_rng(7)
    pieces = [draws.normal(size=(30, 2)).astype(np.float32) for _ in range(6)]
    holes = [piece.copy() for piece in pieces]
    for piece in holes:
        piece[10, 1] = np.nan
    config = ModelConfig(cell="lstm", hidden_size=6, layers=1, dropout=0.0, head="mixture", components=2)
    training = TrainingConfig(epochs=1, batch_size=2, chunk=10, warmup_steps=1, transpose=0)
    model, _ = fit(lambda: build_model(config, keys=2), training, holes[:4], holes[4:])
    filled = [np.nan_to_num(piece) for piece in holes]
    for nats, other in zip(piece_nats(model, holes), piece_nats(model, filled), strict=True):
        assert np.isfinite(nats).all()
        assert np.delete(nats, 9) == pytest.approx(np.delete(other, 9), rel=1e-5)  # but for the target itself
        assert nats[9] != other[9]
