"""Gates as numpy finds them: those that torch's own equations give, and the model's outputs with them."""

import numpy as np
import pytest
import torch

from seqaudio.continuation.engines import TorchEngine
from seqaudio.errors import OptionError
from seqaudio.memory.gates import KEEPS, NAMES, gate_means, gate_trace
from seqaudio.models.checkpoint import Checkpoint, FrameFacts, weights_of
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
    for layer, gates in enumerate(gate_trace(made, IDS).gates):
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
    for layer, gates in enumerate(gate_trace(made, IDS).gates):
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
                assert np.abs(gate_trace(made, IDS[: time + 1]).gates[0][name][-1] - wanted[place]).max() < 1e-5


@pytest.mark.parametrize("cell", NAMES)
def test_gates_at_a_token_do_not_depend_on_what_follows(cell):
    made, _ = checkpoint(cell)
    whole, part = gate_trace(made, IDS).gates, gate_trace(made, IDS[:17]).gates
    for all_of_it, beginning in zip(whole, part, strict=True):
        for name in all_of_it:
            assert np.abs(all_of_it[name][:17] - beginning[name]).max() < 1e-6


@pytest.mark.parametrize("cell", NAMES)
def test_chunks_are_as_one_and_means_are_means(cell, monkeypatch):
    made, _ = checkpoint(cell)
    whole = gate_trace(made, IDS).gates
    means = gate_means(made, IDS)
    monkeypatch.setattr("seqaudio.memory.gates.CHUNK", 7)
    for values, mean, parts, part_means in zip(
        whole, means, gate_trace(made, IDS).gates, gate_means(made, IDS), strict=True
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
        gate_trace(made, IDS)


def test_the_engine_reads_the_same_weights():
    """What is looked at is the model that writes."""
    made, model = checkpoint("lstm")
    engine = TorchEngine(made)
    _, state = engine.run(IDS[None], engine.initial_state(1))
    assert np.abs(state[0][:, 0] - states_by_torch(model, IDS)[-1][0]).max() < 1e-6


FRAMES = np.random.default_rng(3).random((40, 88)) < 0.05
FRAMES[20:30] = FRAMES[5:15]  # so that a memory has something to find


def frame_checkpoint(cell, **options):
    config = ModelConfig(cell=cell, hidden_size=12, layers=2, head="bernoulli", **options)
    model = random_model(config, keys=88, seed=4, scale=3.0)
    return Checkpoint(config, None, weights_of(model), (21, 108), {}, FrameFacts()), model


def cell_by_hand(cell, weights, heard, layers, *, residual):
    """Gates and states of a stack by the textbook: one step, one layer and one gate at a time, in float64."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    gates = [{name: [] for name in NAMES[cell]} for _ in range(layers)]
    kept = [[] for _ in range(layers)]
    hidden = [np.zeros(12) for _ in range(layers)]
    state = [np.zeros(12) for _ in range(layers)]
    for step in heard:
        below = step
        for n in range(layers):
            w, u, b, d = (
                weights[f"stack.layers.{n}.{part}_l0"].astype(np.float64)
                for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            ins, past = np.split(w @ below + b, len(b) // 12), np.split(u @ hidden[n] + d, len(b) // 12)
            if cell == "lstm":
                opened = {"input": sigmoid(ins[0] + past[0]), "forget": sigmoid(ins[1] + past[1])}
                opened["output"] = sigmoid(ins[3] + past[3])
                state[n] = opened["forget"] * state[n] + opened["input"] * np.tanh(ins[2] + past[2])
                hidden[n] = opened["output"] * np.tanh(state[n])
            else:
                opened = {"reset": sigmoid(ins[0] + past[0]), "update": sigmoid(ins[1] + past[1])}
                new = np.tanh(ins[2] + opened["reset"] * past[2])
                hidden[n] = (1 - opened["update"]) * new + opened["update"] * hidden[n]
                state[n] = hidden[n]
            for name, values in opened.items():
                gates[n][name].append(values)
            kept[n].append(state[n])
            below = below + hidden[n] if residual and n else hidden[n]
    return gates, kept


@pytest.mark.parametrize("cell", NAMES)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("options", [{}, {"residual": True}, {"weight_drop": 0.5}, {"embedding_size": 7}])
def test_gates_and_states_are_those_of_a_cell_run_step_by_step(cell, layers, options):
    made, model = checkpoint(cell, layers=layers, **options)
    with torch.no_grad():
        heard = model.encoder(torch.from_numpy(IDS)[None])[0].double().numpy()
    gates, kept = cell_by_hand(cell, made.weights, heard, layers, residual=options.get("residual", False))
    trace = gate_trace(made, IDS)
    assert len(trace.gates) == len(trace.states) == layers
    assert trace.memory is None
    for n in range(layers):
        assert np.abs(trace.states[n] - kept[n]).max() < 1e-5
        assert set(trace.gates[n]) == set(NAMES[cell])
        for name in NAMES[cell]:
            assert np.abs(trace.gates[n][name] - gates[n][name]).max() < 1e-5


@pytest.mark.parametrize("cell", NAMES)
@pytest.mark.parametrize("options", [{}, {"embedding_size": 9}, {"residual": True}, REMEMBERING])
def test_models_of_frames_are_seen_into_as_torch_runs_them(cell, options):
    """The state behind every step, part by part, is torch's own."""
    made, model = frame_checkpoint(cell, **options)
    heard = made.memory().heard(FRAMES) if made.memory() else FRAMES
    states = states_of(model, heard)
    trace = gate_trace(made, FRAMES)
    for n in range(2):
        assert np.abs(trace.states[n] - [state[-1][n] for state in states]).max() < 1e-5


def states_of(model, heard):
    """Parts (layers, hidden) of torch's state behind every step of what is heard."""
    state, found = model.initial_state(1), []
    with torch.no_grad():
        for step in torch.from_numpy(heard):
            _, state = model.step(step[None], state)
            found.append([part[:, 0].numpy() for part in state])
    return found


@pytest.mark.parametrize("options", [{}, {"residual": True}])
@pytest.mark.parametrize("of_frames", [False, True])
def test_the_gate_of_a_memory_is_the_models_own(options, of_frames):
    made, model = frame_checkpoint("lstm", **REMEMBERING, **options) if of_frames else checkpoint("lstm", **REMEMBERING)
    piece = FRAMES if of_frames else np.tile(IDS[:10], 4)
    with torch.no_grad():
        model.gate.trust.normal_()
        made.weights["gate.trust"] = model.gate.trust.numpy().copy()
        outputs, _ = model(torch.from_numpy(made.memory().heard(piece))[None])
        _, gate, _ = model.gate.parts(outputs)
    shares = gate_trace(made, piece).memory
    assert shares.shape == (40, 1 + made.memory().sources)
    assert np.abs(shares - gate[0].exp().numpy()).max() < 1e-5
    assert np.abs(shares.sum(axis=1) - 1).max() < 1e-5
    assert shares[0, 1] == 0  # nothing was heard before
    assert shares[:, 1].max() > 0


def test_chunks_of_a_trace_are_as_one(monkeypatch):
    made, _ = frame_checkpoint("gru", **REMEMBERING)
    whole = gate_trace(made, FRAMES)
    monkeypatch.setattr("seqaudio.memory.gates.CHUNK", 7)
    parts = gate_trace(made, FRAMES)
    assert np.abs(whole.memory - parts.memory).max() < 1e-6
    for n in range(2):
        assert np.abs(whole.states[n] - parts.states[n]).max() < 1e-5


def test_every_cell_with_gates_has_one_that_keeps():
    assert KEEPS.keys() == NAMES.keys()
    assert all(KEEPS[cell] in NAMES[cell] for cell in NAMES)


class Bare:
    """A network without a tokenizer."""

    def __init__(self, config, weights):
        self.config, self.weights = config, weights

    def memory(self):
        """None."""


def test_a_network_of_no_music_is_seen_into_too():
    made, _ = checkpoint("lstm")
    one, same = (gate_trace(each, IDS) for each in (made, Bare(made.config, made.weights)))
    assert all(np.array_equal(first, second) for first, second in zip(one.states, same.states, strict=True))
