"""The ONNX graph computes what torch computes, and borrows its weights from the file beside it."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from seqaudio.continuation.engines import OnnxEngine, TorchEngine
from seqaudio.models.cells import FUSED
from seqaudio.models.checkpoint import GRAPH, WEIGHTS, Checkpoint
from seqaudio.models.config import ModelConfig
from seqaudio.models.onnx_graph import state_names, write_graph
from tests.samples import MELODY, model_folder

CLOSE = 1e-4  # the promise of the engines
BATCH, TIME = 3, 7


def engines(folder):
    checkpoint = Checkpoint.load(folder)
    return TorchEngine(checkpoint), OnnxEngine(checkpoint, folder / GRAPH)


def some_ids(seed=0):
    return np.random.default_rng(seed).integers(len(MELODY.vocabulary), size=(BATCH, TIME))


def assert_close(one, other):
    np.testing.assert_allclose(one, other, rtol=0, atol=CLOSE)


def assert_same_runs(folder):
    torch_engine, onnx_engine = engines(folder)
    ids = some_ids()
    ours, our_end = torch_engine.run(ids, torch_engine.initial_state(BATCH))
    theirs, their_end = onnx_engine.run(ids, onnx_engine.initial_state(BATCH))
    assert ours.dtype == theirs.dtype == np.float32
    assert ours.shape == theirs.shape == (BATCH, TIME, len(MELODY.vocabulary))
    assert_close(ours, theirs)
    assert len(our_end) == len(their_end)
    for part, expected in zip(their_end, our_end, strict=True):
        assert_close(part, expected)
    # chunks with the state carried, of one token and of several, against torch's one call
    state = onnx_engine.initial_state(BATCH)
    pieces = []
    for start, stop in ((0, 1), (1, 4), (4, TIME)):
        logits, state = onnx_engine.run(ids[:, start:stop], state)
        pieces.append(logits)
    assert_close(np.concatenate(pieces, axis=1), ours)
    for row in range(BATCH):
        alone, _ = onnx_engine.run(ids[row : row + 1], onnx_engine.initial_state(1))
        assert_close(alone[0], ours[row])
    return ours


@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["fp32", "fp16"])
@pytest.mark.parametrize("embedding", [None, 5], ids=["tied", "projected"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", FUSED)
def test_onnx_is_torch(tmp_path, cell, layers, embedding, dtype):
    config = ModelConfig(cell=cell, hidden_size=8, layers=layers, embedding_size=embedding)
    assert_same_runs(model_folder(tmp_path, config, dtype=dtype))


@pytest.mark.parametrize("cell", FUSED)
def test_onnx_is_torch_with_sums_of_layers(tmp_path, cell):
    plain, residual = (
        assert_same_runs(
            model_folder(tmp_path / str(flag), ModelConfig(cell=cell, hidden_size=8, layers=3, residual=flag))
        )
        for flag in (False, True)
    )
    assert np.abs(plain - residual).max() > 0.1


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_onnx_is_torch_with_saturated_gates(tmp_path, cell):
    config = ModelConfig(cell=cell, hidden_size=8, layers=2)
    folder = model_folder(tmp_path, config, scale=6.0)
    assert_same_runs(folder)
    torch_engine, _ = engines(folder)
    _, state = torch_engine.run(some_ids(), torch_engine.initial_state(BATCH))
    assert (np.abs(state[0]) > 0.9).any()  # it does saturate


@pytest.mark.parametrize("cell", FUSED)
@pytest.mark.parametrize("dtype", [np.float32, np.float16], ids=["fp32", "fp16"])
def test_graph_is_valid_and_holds_no_weights(tmp_path, cell, dtype):
    config = ModelConfig(cell=cell, hidden_size=32, layers=3, embedding_size=16)
    folder = model_folder(tmp_path, config, dtype=dtype)
    onnx.checker.check_model(str(folder / GRAPH), full_check=True)
    graph = onnx.load(folder / GRAPH, load_external_data=False).graph
    header = Checkpoint.load(folder).weights
    borrowed = [tensor for tensor in graph.initializer if tensor.name in header]
    assert {tensor.name for tensor in borrowed} == set(header)
    for tensor in graph.initializer:  # what the graph holds itself: places and single numbers
        assert tensor in borrowed or tensor.data_type == TensorProto.INT64 or not tensor.dims
    for tensor in borrowed:
        assert tensor.data_location == TensorProto.EXTERNAL
        assert not tensor.raw_data
        assert {entry.key: entry.value for entry in tensor.external_data}["location"] == WEIGHTS
        assert tuple(tensor.dims) == header[tensor.name].shape
    size, weights = (folder / GRAPH).stat().st_size, (folder / WEIGHTS).stat().st_size
    assert size < 16_000 < weights
    ports = [port.name for port in (*graph.input, *graph.output)]
    states = state_names(config)
    assert ports == ["ids", *states, "logits", *(f"{name}_after" for name in states)]


def test_external_data_are_the_weights(tmp_path):
    folder = model_folder(tmp_path, dtype=np.float16)
    model = onnx.load(folder / GRAPH)  # reads the byte ranges
    weights = Checkpoint.load(folder).weights
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert weights
    for name, tensor in weights.items():
        np.testing.assert_array_equal(found[name], tensor)


def test_same_model_same_bytes(tmp_path):
    one, two = model_folder(tmp_path / "one"), model_folder(tmp_path / "two")
    assert (one / GRAPH).read_bytes() == (two / GRAPH).read_bytes()


@pytest.mark.parametrize("options", [{"cell": "lnlstm"}, {"zoneout": 0.1}, {"cell": "gru", "zoneout": 0.1}], ids=str)
def test_no_graph_without_operators(tmp_path, options):
    folder = model_folder(tmp_path, ModelConfig(hidden_size=8, **options))
    assert write_graph(folder) is None
    assert sorted(path.name for path in folder.iterdir()) == [WEIGHTS]


def test_what_is_off_when_evaluating_is_not_in_the_graph(tmp_path):
    options = {"weight_drop": 0.5, "input_dropout": 0.5, "layer_dropout": 0.5, "chrono": 50}
    assert_same_runs(model_folder(tmp_path, ModelConfig(hidden_size=8, **options)))
