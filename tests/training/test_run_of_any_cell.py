"""A run ends well with everything on, whether ONNX has operators for it or not, and can be resumed."""

import os
import signal

import numpy as np
import pytest
from safetensors.numpy import load_file

from seqaudio.continuation.engines import load_engine
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.models.checkpoint import GRAPH, WEIGHTS
from seqaudio.training.config import check_experiment
from seqaudio.training.run import Run
from tests.samples import repetitive_pieces, write_corpus

OPTIONS = {
    "layers": 2,
    "hidden_size": 8,
    "weight_drop": 0.2,
    "input_dropout": 0.1,
    "layer_dropout": 0.2,
    "residual": True,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells") / "corpus"
    return write_corpus(folder, repetitive_pieces(4), repetitive_pieces(1, seed=5))


def experiment(corpus, **model):
    training = {"epochs": 1, "batch_size": 2, "chunk": 24, "threads": 1, "seed": 3}
    return check_experiment(
        {"corpus": {"prepared": str(corpus)}, "model": OPTIONS | model, "training": training}, "test"
    )


@pytest.mark.parametrize(
    ("model", "engine"),
    [
        ({"cell": "irnn"}, "onnx"),
        ({"cell": "lnlstm", "zoneout": 0.1, "chrono": 50}, "torch"),
        ({"cell": "lstm", "memory": {"lags": [1, 2], "counters": [2], "features": 4}}, "onnx"),
    ],
    ids=lambda value: value["cell"] if isinstance(value, dict) else value,
)
def test_a_run_ends_well_and_resumed_is_uninterrupted(corpus, tmp_path, model, engine):
    def run(name, **how):
        return Run(tmp_path / name, experiment(corpus, **model), PreparedCorpus.open(corpus), **how)

    whole = run("whole")
    assert whole.train().finished
    assert (whole.folder / GRAPH).is_file() == (engine == "onnx")
    loaded = load_engine(whole.folder)
    assert loaded.name == engine
    logits, _ = loaded.run(np.arange(3)[None], loaded.initial_state(1))
    assert np.isfinite(logits).all()

    def stop(line):
        if line.get("step") == 1:
            os.kill(os.getpid(), signal.SIGTERM)  # as Ctrl-C does

    assert not run("resumed", show=stop).train().finished
    resumed = run("resumed", resume=True)
    assert 0 < resumed.progress.step < whole.progress.step
    assert resumed.train().finished
    found, expected = (load_file(one.folder / WEIGHTS) for one in (resumed, whole))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)
