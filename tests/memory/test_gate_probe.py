"""An LSTM made by hand keeps what it was made to keep, and the probe finds it."""

import json

import numpy as np
import pytest

from seqaudio.errors import NoNotesError, OptionError
from seqaudio.memory.gate_probe import _time_constants, length_words, probe_gates
from seqaudio.memory.heard import hear
from seqaudio.models.checkpoint import Checkpoint, weights_of
from seqaudio.models.config import MemoryConfig, ModelConfig
from tests.samples import MELODY, random_model, tune as random_tune
from tests.structure.pieces import bars_of_tune, joined

UNITS, HOLDS = 6, 3
SIZE = len(MELODY.vocabulary)
INPUT, FORGET, NEW, OUTPUT = range(4)
OPENERS = (91, 92, 93, 94)  # the first pitch of a piece's sections, in turn; they sound nowhere else


def made_by_hand(levels, *, seed=0):
    """Random units, and one that each token of ``levels`` sets to its level; forget 1 and input 0 at all others."""
    rng = np.random.default_rng(seed)
    from_inputs, bias = rng.normal(size=(4, UNITS, SIZE)), rng.normal(size=(4, UNITS))
    from_hidden = rng.normal(size=(4, UNITS, UNITS))
    from_hidden[:, HOLDS] = from_inputs[:, HOLDS] = 0
    bias[:, HOLDS] = [-40, 8, 0, 0]
    for token, level in levels.items():
        from_inputs[:, HOLDS, token] = [80, -48, np.arctanh(level), 0]
    flat = {"weight_ih": (from_inputs, (-1, SIZE)), "weight_hh": (from_hidden, (-1, UNITS)), "bias_ih": (bias, (-1,))}
    weights = {f"stack.layers.0.{name}_l0": part.reshape(shape) for name, (part, shape) in flat.items()}
    weights["stack.layers.0.bias_hh_l0"] = np.zeros(4 * UNITS)
    weights["encoder.weight"] = np.eye(SIZE) / SIZE**0.5
    config = ModelConfig(hidden_size=UNITS, layers=1, embedding_size=SIZE)
    return Checkpoint(config, MELODY, {k: v.astype(np.float32) for k, v in weights.items()})


def with_openers(form, seed, openers):
    """A tune of four sections of eight bars, the first note of each another one."""
    bars = bars_of_tune(form, seed)
    for section, pitch in zip(range(0, len(bars), 8), openers, strict=True):
        (onset, length, _), *others = bars[section]
        bars[section] = [(onset, length, pitch), *others]
    return joined(bars)


def pieces(checkpoint, count=10):
    return [hear(checkpoint, with_openers("AABA", seed, OPENERS), f"tune {seed}") for seed in range(count)]


def pitch_id(pitch):
    return MELODY.vocabulary.id(f"Pitch_{pitch}")


def test_a_unit_that_one_token_sets_is_found_and_keeps_longest():
    made = made_by_hand({pitch_id(93): 0.9})
    found = probe_gates(made, pieces(made, 3), draws=20)
    assert found.holding[0].unit == HOLDS + 1
    assert found.holding[0].steps == max(found.time_constants[0]) > 50
    assert found.spans[0].longest == found.holding[0].steps
    states = found.first.states[0][:, HOLDS]
    set_at = int(np.flatnonzero(found.pieces[0].steps == pitch_id(93))[0])
    assert np.abs(states[:set_at]).max() == 0
    assert states[set_at] == pytest.approx(0.9, abs=1e-5)
    assert (states[set_at:] > 0.5).all()


def test_a_unit_that_holds_which_section_it_is_is_named_by_it():
    """Up, down, up, down: no direction over the piece, and nothing else that changes there alone."""
    made = made_by_hand(dict(zip(map(pitch_id, OPENERS), (0.9, -0.9, 0.7, -0.7), strict=True)))
    found = probe_gates(made, pieces(made), draws=60)
    first, *others = found.holding
    assert first.unit == HOLDS + 1
    assert first.follows.named
    assert first.follows.fact == "section"
    assert first.follows.closeness > 0.95
    assert not any(other.follows.named and other.follows.fact == "section" for other in others)


def test_shares_and_constants_are_counted_over_all_pieces():
    config = ModelConfig(cell="gru", hidden_size=7, layers=2)
    made = Checkpoint(config, MELODY, weights_of(random_model(config, SIZE, scale=3.0)), (48, 84))
    heard = [hear(made, random_tune(bars, seed=bars)) for bars in (3, 5)]
    found = probe_gates(made, heard, draws=20)
    from seqaudio.memory.gates import gate_trace

    for layer in range(2):
        for gate in ("reset", "update"):
            values = np.concatenate([gate_trace(made, piece.steps).gates[layer][gate] for piece in heard])
            (opening,) = [o for o in found.openings if (o.layer, o.gate) == (layer + 1, gate)]
            wanted = (values.mean(), (values < 0.1).mean(), (values > 0.9).mean())
            assert opening[2:] == pytest.approx(wanted, abs=1e-6)
            if gate == "update":
                constants = 1 / (1 - values.mean(axis=0, dtype=np.float64))
                assert found.time_constants[layer] == pytest.approx(constants)
                assert found.spans[layer].median == pytest.approx(np.median(constants))  # of seven, one of them
                assert found.spans[layer].longest == pytest.approx(constants.max())
    assert found.steps_per_bar == pytest.approx(sum(map(len, heard)) / 8)
    assert [unit.layer for unit in found.holding] == [1] * 7 + [2] * 7


def test_a_memory_says_how_much_is_new():
    config = ModelConfig(hidden_size=7, layers=1, memory=MemoryConfig(lags=(1, 2)))
    made = Checkpoint(config, MELODY, weights_of(random_model(config, SIZE)), (48, 84))
    found = probe_gates(made, [hear(made, random_tune(4))], draws=20)
    of_memory = [opening for opening in found.openings if not opening.layer]
    assert [o.gate for o in of_memory] == [
        "memory: new", "memory: longest match", "memory: 1 bar ago", "memory: 2 bars ago"
    ]  # fmt: skip
    assert sum(o.mean for o in of_memory) == pytest.approx(1, abs=1e-5)


def test_units_that_never_move_hold_nothing():
    made = made_by_hand({})
    found = probe_gates(made, pieces(made, 1), draws=20)
    assert found.spans[0].longest == max(found.time_constants[0])
    assert len(found.holding) == UNITS - 1
    assert HOLDS + 1 not in {unit.unit for unit in found.holding}


def test_constants_without_an_end():
    constants = _time_constants(np.array([0.5, 0.99, 1.0]))
    assert constants[:2] == pytest.approx([2, 100])
    assert constants[2] == np.inf
    assert [length_words(value) for value in constants] == ["2", "100", ">100,000"]


def test_facts_are_json_without_infinities():
    made = made_by_hand({pitch_id(93): 0.9})
    bias = made.weights["stack.layers.0.bias_ih_l0"]
    bias[FORGET * UNITS + 1] = 1000
    text = json.dumps(probe_gates(made, pieces(made, 2), draws=20).facts(), allow_nan=False)
    assert json.loads(text)["time_constants"][0]["longest"] is None


def test_what_cannot_be_probed():
    made = made_by_hand({})
    with pytest.raises(NoNotesError, match="0 steps at most, and 2 are needed; give longer music, or files with notes"):
        probe_gates(made, [])
    with pytest.raises(OptionError, match="units is 0"):
        probe_gates(made, pieces(made, 1), units=0)
    other = Checkpoint(ModelConfig(cell="lnlstm", hidden_size=UNITS), MELODY, made.weights)
    with pytest.raises(OptionError, match="lnlstm cells shows no gates"):
        probe_gates(other, pieces(made, 1))


def test_pieces_beyond_the_budget_are_told(monkeypatch):
    made = made_by_hand({})
    heard = pieces(made, 3)
    monkeypatch.setattr("seqaudio.memory.gate_probe.MOST_STEPS", len(heard[0]) + 1)
    found = probe_gates(made, heard, draws=20)
    assert len(found.pieces) == 1
    assert found.remarks[0].startswith("2 more pieces are not looked at")
