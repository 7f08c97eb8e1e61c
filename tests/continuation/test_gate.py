"""What lies outside the graph of a model with a memory is what torch does inside the network, number by number."""

import shutil

import numpy as np
import onnx
import pytest
import torch

from seqaudio.continuation import gate as room
from seqaudio.continuation.engines import load_engine
from seqaudio.continuation.gate import Gate
from seqaudio.errors import CheckpointError
from seqaudio.models.checkpoint import GRAPH, HEARD, Checkpoint, weights_of
from seqaudio.models.config import MemoryConfig, ModelConfig
from seqaudio.models.match_memory.memory import STRENGTHS
from tests.samples import MELODY, model_folder, random_model

MEMORIES = {
    "all": MemoryConfig(lags=(1, 2, 8), counters=(2, 4), features=5),
    "match alone": MemoryConfig(features=3),
    "lags alone": MemoryConfig(match=False, lags=(1,), counters=(3,), features=1),
}
BATCH, TIME, HIDDEN = 2, 60, 6
SYMBOLS = len(MELODY.vocabulary)


@pytest.mark.parametrize("form", ["interpreted", "machine_code"])
@pytest.mark.parametrize("memory", MEMORIES.values(), ids=MEMORIES)
def test_it_is_torchs(monkeypatch, memory, form):
    """Of rows with every strength and no guess among them, what is heard and how the gate ends."""
    config = ModelConfig(hidden_size=HIDDEN, layers=1, memory=memory)
    model = random_model(config, SYMBOLS)
    with torch.no_grad():
        model.gate.trust.normal_(generator=torch.Generator().manual_seed(1))
    generator = np.random.default_rng(2)

    def numbers(most, count):
        return generator.integers(most, size=(BATCH, TIME, count))

    strengths = numbers(STRENGTHS, memory.sources)
    assert set(np.unique(strengths)) == set(range(STRENGTHS))
    guesses = np.where(strengths > 0, numbers(SYMBOLS, memory.sources), 0)
    counters = np.stack([numbers(cycle, 1)[..., 0] for cycle in memory.counters] or [numbers(1, 1)[..., 0]], axis=-1)
    counters = counters[..., : len(memory.counters)]
    rows = np.concatenate([numbers(SYMBOLS, 1), guesses, strengths, counters], axis=-1)
    drawn = generator.normal(size=(BATCH, TIME, SYMBOLS + HIDDEN)).astype(np.float32)
    scores, hidden = torch.from_numpy(drawn).split([SYMBOLS, HIDDEN], dim=-1)
    with torch.no_grad():
        _, *told = model.gate.split(torch.from_numpy(rows))
        heard = model.gate.features(*told)
        expected = model.gate(scores, hidden, heard, *told[:2])
        weight, bias = model.gate.logits.weight[:, :HIDDEN], model.gate.logits.bias
        given = torch.cat([scores, hidden @ weight.T + bias], dim=-1).numpy()

    for name in ("_heard", "_ended"):
        monkeypatch.setattr(room, name, getattr(getattr(room, name), form))
    gate = Gate.of(Checkpoint(config, MELODY, weights_of(model)))
    np.testing.assert_array_equal(gate.heard(rows), heard.numpy())
    found = gate.ended(given, rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-6, atol=1e-5)


def test_a_model_without_a_memory_has_none():
    config = ModelConfig(hidden_size=HIDDEN, layers=1)
    assert Gate.of(Checkpoint(config, MELODY, weights_of(random_model(config, SYMBOLS)))) is None


def test_a_graph_that_does_all_of_it_inside_is_refused(tmp_path):
    """Graphs that earlier versions wrote hear whole rows."""
    folder = model_folder(tmp_path / "model", ModelConfig(hidden_size=8, memory=MEMORIES["all"]))
    graph = onnx.load(folder / GRAPH, load_external_data=False)
    heard = next(port for port in graph.graph.input if port.name == HEARD)
    heard.name = "rows"
    for node in graph.graph.node:
        node.input[:] = ["rows" if name == HEARD else name for name in node.input]
    older = shutil.copytree(folder, tmp_path / "older")
    (older / GRAPH).write_bytes(graph.SerializeToString())
    with pytest.raises(CheckpointError, match="written by another version; use --engine torch"):
        load_engine(older)
    load_engine(folder)
