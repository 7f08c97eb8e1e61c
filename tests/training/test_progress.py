"""Where a run stands is read from its last save, without torch; a damaged one is named."""

import json

import pytest

from seqaudio.errors import CheckpointError
from seqaudio.training.config import check_experiment
from seqaudio.training.material import open_corpus
from seqaudio.training.progress import STATE, read_progress
from seqaudio.training.run import Run
from tests.samples import repetitive_pieces, write_corpus
from tests.test_imports import modules_after


@pytest.fixture
def run(tmp_path):
    write_corpus(tmp_path / "corpus", repetitive_pieces(6), repetitive_pieces(2, seed=5))
    settings = {
        "corpus": {"prepared": str(tmp_path / "corpus")},
        "model": {"hidden_size": 4, "layers": 1},
        "training": {"epochs": 2, "batch_size": 4, "threads": 1},
    }
    experiment = check_experiment(settings)
    run = Run(tmp_path / "run", experiment, open_corpus(experiment))
    run.train()
    return run


def test_what_is_read_is_where_it_stands(run):
    assert read_progress(run.folder) == run.progress
    assert run.progress.finished
    code = f"from seqaudio.training.progress import read_progress; assert read_progress({str(run.folder)!r}).step > 1"
    assert "torch" not in modules_after(code)


def test_a_folder_without_a_save_has_none(tmp_path):
    assert read_progress(tmp_path) is None
    assert read_progress(tmp_path / "nowhere") is None


@pytest.mark.parametrize("end", [0, 5, 30])
def test_a_damaged_save_is_named(run, end):
    path = run.folder / STATE
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(CheckpointError, match=r"state\.safetensors: damaged"):
        read_progress(run.folder)


def test_a_header_of_something_else_is_damage_too(run):
    header = json.dumps({"__metadata__": {"progress": "{}"}}).encode()
    (run.folder / STATE).write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="damaged"):
        read_progress(run.folder)
