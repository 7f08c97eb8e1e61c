"""Several processes make the run of one: the same losses with dropout on, one folder, one signal stops them all."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.training.config import check_experiment
from seqaudio.training.run import Run
from tests.samples import ROOT, repetitive_pieces, write_corpus
from tests.training.test_resume import log_of

PIECES, BATCH = 9, 4  # the last batch of an epoch has one row: fewer than there are processes


def settings_of(folder):
    training = {"epochs": 2, "batch_size": BATCH, "chunk": 24, "warmup_steps": 3, "threads": 1, "averaging": "ema"}
    return {
        "corpus": {"prepared": str(folder / "corpus")},
        "model": {"hidden_size": 10, "layers": 2, "dropout": 0.3, "embedding_dropout": 0.1},
        "training": training | {"seed": 3},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds a corpus, and ``one``: the run of one process."""
    folder = tmp_path_factory.mktemp("processes")
    write_corpus(folder / "corpus", repetitive_pieces(PIECES), repetitive_pieces(3, seed=5))
    run = Run(folder / "one", check_experiment(settings_of(folder), "test"), PreparedCorpus.open(folder / "corpus"))
    assert run.train().finished
    return folder


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def assert_same_but_for_rounding(folder, one):
    found, expected = log_of(folder), log_of(one)
    assert len(found) == len(expected) > 10
    for line, wanted in zip(found, expected, strict=True):
        assert line == pytest.approx(wanted, rel=1e-4)


ONE_OF_TWO = """
import os, signal, sys
from pathlib import Path
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.training.config import check_experiment
from seqaudio.training.run import Run
from tests.training.test_processes import settings_of
folder, process = Path(sys.argv[1]), sys.argv[2]
experiment, corpus = check_experiment(settings_of(folder), "test"), PreparedCorpus.open(folder / "corpus")
assert Run(folder / "two", experiment, corpus).train().finished
run = Run(folder / "parts", experiment, corpus)
assert run._devices.processes == 2
steps = []
def count(*_):
    steps.append(1)
    if len(steps) == 3 and process == "1":  # one signal, and not to the one that writes
        os.kill(os.getpid(), signal.SIGTERM)
run._trainer.optimizer.register_step_post_hook(count)
assert not run.train().finished
assert len(steps) == 3
assert Run(folder / "parts", experiment, corpus, resume=True).train().finished
"""


def both(folder):
    """Exit codes and complaints of two processes that find each other."""
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    processes = []
    for process in "01":
        command = [sys.executable, "-c", ONE_OF_TWO, str(folder), process]
        environment = os.environ | shared | {"RANK": process, "LOCAL_RANK": process}
        processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True))
    try:
        return [(process.communicate(timeout=300)[1], process.returncode) for process in processes]
    finally:
        for process in processes:
            process.kill()


def test_two_processes_stopped_and_resumed(folder):
    for complaint, code in both(folder):
        assert code == 0, complaint
    assert_same_but_for_rounding(folder / "two", folder / "one")
    assert log_of(folder / "parts") == log_of(folder / "two")
    states = [load_file(folder / name / "last" / "state.safetensors") for name in ("two", "parts", "one")]
    for name, tensor in states[0].items():
        np.testing.assert_array_equal(states[1][name], tensor, err_msg=name)
    assert states[0].keys() == states[2].keys()
    model = load_file(folder / "two" / "model.safetensors")
    for name, tensor in load_file(folder / "one" / "model.safetensors").items():
        np.testing.assert_allclose(model[name], tensor, atol=1e-3, err_msg=name)


@pytest.mark.slow
def test_accelerate_launch(folder):
    config = folder / "run.yaml"
    config.write_text(json.dumps(settings_of(folder)), encoding="utf-8")  # JSON is YAML
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2"]
    launch += ["--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no", f"--main_process_port={free_port()}"]
    command = [*launch, "-m", "seqaudio", "train", str(config), "--out", str(folder / "launched")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished after") == 1  # one of them speaks
    assert_same_but_for_rounding(folder / "launched", folder / "one")
