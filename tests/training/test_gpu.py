"""On a CUDA GPU: runs train and go on there, cuDNN has a layer's weights in one block, long pieces are read in chunks.

cuDNN adds in no fixed order, so a resumed run is the uninterrupted one but for rounding. A layer whose weights are not
in one block warns, and warnings are errors here.
"""

import json

import numpy as np
import pytest
import torch

from seqaudio.corpus.frames import FrameCorpus
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.models.config import MemoryConfig, ModelConfig, make_memory
from seqaudio.training.adaptive import Cache, Dynamic
from seqaudio.training.config import check_experiment
from seqaudio.training.evaluate import piece_nats
from seqaudio.training.run import Run
from tests.samples import random_model
from tests.training.test_frames import arpeggios

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("gpu") / "rolls.npz"
    named = {f"train_{i}": piece for i, piece in enumerate(arpeggios(7))}
    np.savez(path, **named, valid_1=arpeggios(1, seed=4)[0])
    return FrameCorpus.open(path)


def make_run(folder, corpus, head="bernoulli", precision="fp32", **options):
    training = {"epochs": 3, "batch_size": 3, "chunk": 16, "warmup_steps": 3, "averaging": "ema", "accumulate": 2}
    values = {
        "corpus": {"frames": corpus.name},
        "model": {"head": head, "hidden_size": 16, "layers": 2, "dropout": 0.3},
        "training": training | {"precision": precision},
    }
    return Run(folder, check_experiment(values, "test"), corpus, **options)


def nats_of(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line.get("nats", line.get("valid_nats")) for line in lines]


def validations(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["valid_nats"] for line in lines if "valid_nats" in line]


@pytest.mark.parametrize("head", ["bernoulli", "notes", "joint", "marginal"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_trains_stops_and_goes_on(corpus, tmp_path, head, precision):
    whole = make_run(tmp_path / "whole", corpus, head, precision)
    assert whole.train().finished
    parameters = list(whole._trainer.model.parameters())
    assert {parameter.device.type for parameter in parameters} == {"cuda"}
    assert {parameter.dtype for parameter in parameters} == {torch.float32}
    first = make_run(tmp_path / "parts", corpus, head, precision)
    first._trainer.should_stop = lambda: bool(first._trainer.state)  # inside a batch
    assert not first._trainer.run().finished
    assert make_run(tmp_path / "parts", corpus, head, precision, resume=True).train().finished
    found, expected = nats_of(tmp_path / "parts"), nats_of(tmp_path / "whole")
    np.testing.assert_allclose(found, expected, rtol=1e-3 if precision == "fp32" else 3e-2)
    judged = validations(tmp_path / "whole")
    assert judged[-1] < judged[0]


def test_the_model_is_the_same_on_the_cpu(corpus, tmp_path):
    make_run(tmp_path / "run", corpus).train()
    model, pieces = Checkpoint.load(tmp_path / "run").build(), corpus.split("train")
    here = np.concatenate(piece_nats(model, pieces))
    there = np.concatenate(piece_nats(model.to("cuda"), pieces))
    np.testing.assert_allclose(there, here, rtol=1e-3, atol=1e-3)


def test_very_long_pieces_are_scored_in_chunks(corpus, tmp_path):
    run = make_run(tmp_path / "run", corpus)
    model, used = run._trainer.model, []
    for repeats in (2, 64):
        piece = np.tile(np.eye(88, dtype=bool), (repeats * 8, 1))
        torch.cuda.reset_peak_memory_stats()
        (nats,) = piece_nats(model, [piece])
        assert np.isfinite(nats).all()
        used.append(torch.cuda.max_memory_allocated() - 2 * piece.size)
    assert used[1] < 2 * used[0]


def test_randomness_of_the_device_is_left_alone(corpus, tmp_path):
    before = torch.cuda.get_rng_state()
    make_run(tmp_path / "run", corpus).train()
    assert torch.equal(torch.cuda.get_rng_state(), before)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "lnlstm"])
def test_a_piece_helps_as_on_the_cpu(cell):
    """cuDNN gives gradients in training mode alone, and guesses of frames are packed into numbers without rounding."""
    config = ModelConfig(cell=cell, hidden_size=16, layers=2, head="notes", memory=MemoryConfig(lags=(4, 16)))
    model, memory = random_model(config, keys=88), make_memory(config)
    options = {"cache": Cache(0.3, 1.0), "dynamic": Dynamic(1e-3, 0.1, 16)}
    expected = piece_nats(model, arpeggios(3), memory, **options)
    found = piece_nats(model.cuda(), arpeggios(3), memory, **options)
    plain = piece_nats(model, arpeggios(3), memory)
    for one, other, without in zip(found, expected, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=5e-3, atol=5e-3)
        assert np.abs(one - without).max() > 0.1
