"""Gates as numpy finds them: those that torch's own equations give, and the model's outputs with them."""

import numpy as np
import pytest
import torch

from seqaudio.continuation.engines import TorchEngine
from seqaudio.errors import OptionError
from seqaudio.memory.gates import NAMES, gate_means, gate_values
from seqaudio.models.checkpoint import Checkpoint, weights_of
from seqaudio.models.config import MemoryConfig, ModelConfig
from tests.samples import MELODY, random_model

REMEMBERING = {"memory": MemoryConfig(lags=(1, 2), counters=(2, 4), features=5)}
IDS = np.random.default_rng(1).integers(0, len(MELODY.vocabulary), 40)


def checkpoint(cell, layers=3, **options):
    config = ModelConfig(cell=cell, hidden_size=12, layers=layers, **options)
    model = random_model(config, len(MELODY.vocabulary), seed=2, scale=3.0)
    return Checkpoint(config, MELODY, weights_of(model), (48, 84), {}), model


def states_by_torch(model, ids, memory=None):
    """The state behind every token, one step at a time: a list of parts (layers, hidden)."""
    state, found = model.initial_state(1), [model.initial_state(1)]
    heard = torch.from_numpy(memory.heard(ids) if memory else ids)
    with torch.no_grad():
        for step in heard:
            _, state = model.step(step[None], state)
            found.append(state)
    return [[part[:, 0].numpy() for part in state] for state in found]


@pytest.mark.parametrize("options", [{}, {"residual": True}, {"embedding_size": 7}, {"dropout": 0.5}, REMEMBERING])
def test_the_gates_of_an_lstm_explain_its_states(options):
    """c' = f c + i g and h' = o tanh(c'), with g free in (-1, 1): f, i and o must fit torch's states."""
    made, model = checkpoint("lstm", **options)
    states = states_by_torch(model, IDS, made.memory())
    for layer, gates in enumerate(gate_values(made, IDS)):
        assert set(gates) == {"input", "forget", "output"}
        for time in range(len(IDS)):
            before, (hidden, cell) = states[time][1][layer], (part[layer] for part in states[time + 1])
            assert np.abs(gates["output"][time] * np.tanh(cell) - hidden).max() < 1e-5
            new = (cell - gates["forget"][time] * before) / gates["input"][time]
            assert np.abs(new).max() < 1 + 1e-3


@pytest.mark.parametrize("options", [{}, {"residual": True}, REMEMBERING])
def test_the_gates_of_a_gru_explain_its_states(options):
    """h' = (1 - z) n + z h, with n in (-1, 1); and n is what the reset gate lets through of the past."""
    made, model = checkpoint("gru", **options)
    states = states_by_torch(model, IDS, made.memory())
    for layer, gates in enumerate(gate_values(made, IDS)):
        assert set(gates) == {"reset", "update"}
        for time in range(len(IDS)):
            before, after = states[time][0][layer], states[time + 1][0][layer]
            update = gates["update"][time]
            open_ = update < 0.999
            new = (after - update * before)[open_] / (1 - update[open_])
            assert np.abs(new).max() < 1 + 1e-3


@pytest.mark.parametrize("cell", NAMES)
def test_gates_are_those_of_torchs_cell(cell):
    """The lowest layer, gate by gate, from torch's states and the weights by the textbook."""
    made, model = checkpoint(cell, layers=1)
    states = states_by_torch(model, IDS, made.memory())
    layer = model.stack.layers[0]
    with torch.no_grad():
        inputs = model.encoder(torch.from_numpy(IDS)[None])[0]
        for time in range(len(IDS)):
            hidden = torch.from_numpy(states[time][0][0])
            sums = layer.weight_ih_l0 @ inputs[time] + layer.bias_ih_l0 + layer.weight_hh_l0 @ hidden + layer.bias_hh_l0
            wanted = torch.sigmoid(sums).reshape(-1, 12).numpy()
            for name, place in NAMES[cell].items():
                assert np.abs(gate_values(made, IDS[: time + 1])[0][name][-1] - wanted[place]).max() < 1e-5


@pytest.mark.parametrize("cell", NAMES)
def test_gates_at_a_token_do_not_depend_on_what_follows(cell):
    made, _ = checkpoint(cell)
    whole, part = gate_values(made, IDS), gate_values(made, IDS[:17])
    for all_of_it, beginning in zip(whole, part, strict=True):
        for name in all_of_it:
            assert np.abs(all_of_it[name][:17] - beginning[name]).max() < 1e-6


@pytest.mark.parametrize("cell", NAMES)
def test_chunks_are_as_one_and_means_are_means(cell, monkeypatch):
    made, _ = checkpoint(cell)
    whole = gate_values(made, IDS)
    means = gate_means(made, IDS)
    monkeypatch.setattr("seqaudio.memory.gates.CHUNK", 7)
    for values, mean, parts, part_means in zip(
        whole, means, gate_values(made, IDS), gate_means(made, IDS), strict=True
    ):
        for name in values:
            assert values[name].shape == (40, 12)
            assert np.abs(values[name] - parts[name]).max() < 1e-6
            assert np.abs(values[name].mean(axis=1) - mean[name]).max() < 1e-6
            assert np.abs(mean[name] - part_means[name]).max() < 1e-6


@pytest.mark.parametrize("cell", ["rnn", "irnn", "lnlstm"])
def test_other_cells_are_refused(cell):
    made, _ = checkpoint(cell)
    with pytest.raises(OptionError, match=f"{cell} cells shows no gates"):
        gate_values(made, IDS)


def test_the_engine_reads_the_same_weights():
    """What is looked at is the model that writes."""
    made, model = checkpoint("lstm")
    engine = TorchEngine(made)
    _, state = engine.run(IDS[None], engine.initial_state(1))
    assert np.abs(state[0][:, 0] - states_by_torch(model, IDS)[-1][0]).max() < 1e-6
