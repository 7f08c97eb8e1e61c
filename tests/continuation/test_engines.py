"""Which engine runs, and what is said when it cannot."""

import shutil

import numpy as np
import pytest

from seqaudio.continuation.engines import load_engine
from seqaudio.errors import CheckpointError, OptionError
from seqaudio.models.checkpoint import GRAPH, WEIGHTS
from seqaudio.models.config import ModelConfig
from tests.samples import model_folder, run_python

IDS = np.array([[1, 3, 20, 70]])


@pytest.fixture
def folder(melody_folder, tmp_path):
    return shutil.copytree(melody_folder, tmp_path / "model")


def logits(engine):
    return engine.run(IDS, engine.initial_state(1))[0]


class TestChoice:
    def test_auto_takes_onnx_where_there_is_a_graph(self, folder):
        assert load_engine(folder).name == "onnx"
        (folder / GRAPH).unlink()
        assert load_engine(folder).name == "torch"

    @pytest.mark.parametrize("name", ["onnx", "torch"])
    def test_by_name(self, folder, name):
        assert load_engine(folder, name).name == name

    def test_a_folder_and_its_weights_are_one_model(self, folder):
        for name in ("onnx", "torch"):
            assert np.array_equal(logits(load_engine(folder, name)), logits(load_engine(folder / WEIGHTS, name)))

    def test_a_graph_runs_no_other_weights(self, folder, tmp_path):
        """A graph borrows from model.safetensors; weights of another name beside it are another model."""
        other = model_folder(tmp_path / "other", seed=5) / WEIGHTS
        shutil.copy(other, folder / "other.safetensors")
        engine = load_engine(folder / "other.safetensors")
        assert engine.name == "torch"
        np.testing.assert_allclose(logits(engine), logits(load_engine(other)), atol=1e-4)
        with pytest.raises(CheckpointError, match="no ONNX graph"):
            load_engine(folder / "other.safetensors", "onnx")


class TestRefused:
    def test_no_graph(self, folder):
        (folder / GRAPH).unlink()
        with pytest.raises(CheckpointError, match=r"model\.onnx: no ONNX graph beside the weights; use --engine torch"):
            load_engine(folder, "onnx")

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"cell": "lnlstm"}, "ONNX has no operator for the cell 'lnlstm'"),
            ({"zoneout": 0.1}, "ONNX has no operator for a cell with zoneout"),
        ],
    )
    def test_a_model_that_onnx_has_no_operators_for(self, tmp_path, options, reason):
        folder = model_folder(tmp_path / "other", ModelConfig(hidden_size=8, layers=2, **options))
        engine = load_engine(folder)
        assert engine.name == "torch"
        assert logits(engine).shape == (1, 4, len(engine.checkpoint.tokenizer.vocabulary))
        with pytest.raises(CheckpointError, match=rf"has no ONNX graph, {reason}; use --engine torch") as caught:
            load_engine(folder, "onnx")
        assert "\n" not in str(caught.value)

    def test_unknown_name(self, folder):
        with pytest.raises(OptionError, match="no engine is named 'tensorrt'; there are auto, onnx, torch"):
            load_engine(folder, "tensorrt")

    def test_no_model(self, tmp_path):
        for name in ("auto", "onnx", "torch"):
            with pytest.raises(CheckpointError):
                load_engine(tmp_path, name)

    @pytest.mark.parametrize("damage", ["empty", "junk", "half"])
    def test_a_damaged_graph(self, folder, damage):
        data = (folder / GRAPH).read_bytes()
        (folder / GRAPH).write_bytes({"empty": b"", "junk": b"no graph" * 99, "half": data[: len(data) // 2]}[damage])
        with pytest.raises(CheckpointError, match=r"model\.onnx.*try --engine torch") as caught:
            load_engine(folder)
        assert "\n" not in str(caught.value)


def test_engines_agree_and_edit_no_state(folder):
    one, other = load_engine(folder, "onnx"), load_engine(folder, "torch")
    for engine in (one, other):
        _, state = engine.run(IDS, engine.initial_state(1))
        kept = [part.copy() for part in state]
        first, _ = engine.run(IDS, state)
        second, _ = engine.run(IDS, state)
        assert np.array_equal(first, second)
        assert all(np.array_equal(part, before) for part, before in zip(state, kept, strict=True))
        assert [part.shape for part in engine.initial_state(3)] == [(2, 3, 16)] * 2
    np.testing.assert_allclose(logits(one), logits(other), atol=1e-4)


def test_onnx_needs_no_torch(folder):
    code = """
import sys
from seqaudio.continuation import continue_score, load_engine
from seqaudio.music.score import Score
engine = load_engine(sys.argv[1])
primer = Score.from_notes([0, 480, 960, 1440], 480, [60, 62, 64, 65])
(continuation,) = continue_score(engine, primer, bars=2)
loaded = [name for name in ("torch", "torchaudio", "onnx", "librosa", "matplotlib") if name in sys.modules]
print(engine.name, len(continuation.score) > 0, loaded)
"""
    assert run_python(code, folder).split() == ["onnx", "True", "[]"]


@pytest.mark.parametrize("path", ["folk", "nothing/here"])
def test_where_no_model_lies_it_is_told_who_knows_names(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=f"^{path}: no model there; .* load_model a shipped name"):
        load_engine(path)
