"""A model of frames is stored with what its frames are, comes back the same, and says so where tokens are needed."""

import json

import numpy as np
import pytest
import torch

from seqaudio.continuation import generate_score, load_engine, score_likelihood
from seqaudio.continuation.engines import TorchEngine
from seqaudio.errors import CheckpointError, OptionError
from seqaudio.models.checkpoint import KNOWN, WEIGHTS, Checkpoint, FrameFacts, weights_of
from seqaudio.models.config import ModelConfig
from seqaudio.models.heads import distinct_frames
from seqaudio.models.onnx_graph import write_graph
from tests.models.test_checkpoint import header_of, with_header
from tests.samples import MELODY, random_model, tune

KEYS = 12
FACTS = FrameFacts(KEYS, 60, 2)
HEADS = (
    {"head": "bernoulli"},
    {"head": "notes", "head_features": 5},
    {"head": "joint"},
    {"head": "joint", "escape": "notes", "embedding_size": 4},
)


def rolls(*shape):
    return np.random.default_rng(0).random((*shape, KEYS)) < 0.2


@pytest.fixture(params=HEADS, ids=lambda options: "-".join(map(str, options.values())))
def checkpoint(request):
    config = ModelConfig(cell="gru", hidden_size=6, layers=1, **request.param)
    known = distinct_frames([rolls(20)]) if config.head == "joint" else None
    model = random_model(config, keys=KEYS, known_frames=known)
    return Checkpoint(config, None, weights_of(model), (60, 71), {"steps": 3}, FACTS)


def test_it_shows_its_frames(checkpoint):
    assert repr(checkpoint).startswith(f"Checkpoint(gru of 1 x 6, head {checkpoint.config.head}, ")
    assert repr(checkpoint).endswith(" parameters, 12 keys from pitch 60, 2 steps to the quarter, pitches 60 to 71)")


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 0), (np.float16, 2**-11)])
def test_round_trip(checkpoint, tmp_path, dtype, tolerance):
    checkpoint.save(tmp_path / WEIGHTS, dtype)
    loaded = Checkpoint.load(tmp_path)
    assert (loaded.config, loaded.tokenizer, loaded.frames) == (checkpoint.config, None, FACTS)
    assert (loaded.pitch_range, loaded.facts) == ((60, 71), {"steps": 3})
    assert loaded.weights.keys() == checkpoint.weights.keys()
    for name, tensor in checkpoint.weights.items():
        assert loaded.weights[name].dtype == (bool if name == KNOWN else dtype)
        np.testing.assert_allclose(loaded.weights[name], tensor, rtol=tolerance, atol=1e-7 if tolerance else 0)


def test_the_built_model_says_the_same(checkpoint, tmp_path):
    frames = torch.from_numpy(rolls(3, 9))
    checkpoint.save(tmp_path / WEIGHTS)
    nats = []
    for built in (checkpoint.build(), Checkpoint.load(tmp_path).build()):
        outputs, _ = built(frames[:, :-1])
        nats.append(built.head.nats(outputs, frames[:, 1:]))
        assert weights_of(built).keys() == checkpoint.weights.keys()
    assert torch.equal(*nats)


def test_known_frames_are_no_parameters(checkpoint):
    assert checkpoint.parameter_count() == sum(parameter.numel() for parameter in checkpoint.build().parameters())


def test_whoever_needs_tokens_says_so(checkpoint, tmp_path):
    checkpoint.save(tmp_path / WEIGHTS)
    engine = TorchEngine(checkpoint)
    for ask in (
        lambda: load_engine(tmp_path),
        lambda: score_likelihood(engine, tune()),
        lambda: generate_score(engine, bars=1),
    ):
        with pytest.raises(
            OptionError, match=r"model of frames .12 keys from pitch 60, 2 steps to the quarter"
        ) as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_no_graph_is_written(checkpoint, tmp_path):
    checkpoint.save(tmp_path / WEIGHTS)
    assert write_graph(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS]


def test_a_model_is_of_tokens_or_of_frames(checkpoint):
    tokens = ModelConfig(cell="gru", hidden_size=6, layers=1)
    for parts in ((MELODY, None), (None, None), (MELODY, FACTS)):
        with pytest.raises(CheckpointError, match="has frame facts and no tokenizer"):
            Checkpoint(checkpoint.config, parts[0], checkpoint.weights, frames=parts[1])
    for parts in ((None, FACTS), (None, None), (MELODY, FACTS)):
        with pytest.raises(CheckpointError, match="has a tokenizer and no frame facts"):
            Checkpoint(tokens, parts[0], {}, frames=parts[1])


@pytest.mark.parametrize("facts", [(0, 21, 4), (88, 41, 4), (88, -1, 4), (88, 21, 0)])
def test_frames_are_of_midi_pitches(facts):
    with pytest.raises(CheckpointError, match="no frames of MIDI pitches"):
        FrameFacts(*facts)


@pytest.mark.parametrize(
    "frames", [None, [], 7, {"keys": "many"}, {"keys": None}, {"pedals": 3}, {"keys": 1e999}, {"keys": 13}], ids=str
)
def test_damaged_facts_are_refused_in_one_line(checkpoint, tmp_path, frames):
    checkpoint.save(tmp_path / WEIGHTS)
    data = (tmp_path / WEIGHTS).read_bytes()
    header = json.loads(header_of(data)["__metadata__"]["seqaudio"])
    (tmp_path / WEIGHTS).write_bytes(with_header(data, header | {"frames": frames}))
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.load(tmp_path).build()
    assert "\n" not in str(caught.value)


def test_known_frames_that_are_missing_or_damaged_are_refused(checkpoint, tmp_path):
    damaged = [{name: tensor for name, tensor in checkpoint.weights.items() if name != KNOWN}]
    if checkpoint.config.head != "joint":
        damaged = [checkpoint.weights | {KNOWN: rolls(5)}]
    else:
        known = checkpoint.weights[KNOWN]
        damaged += [
            checkpoint.weights | {KNOWN: wrong} for wrong in (known[:-1], known[:, 1:], known[[0] * len(known)])
        ]
    for weights in damaged:
        with pytest.raises(CheckpointError, match="do not fit"):
            Checkpoint(checkpoint.config, None, weights, frames=FACTS).build()
        with pytest.raises(CheckpointError, match="do not fit"):
            Checkpoint(checkpoint.config, None, weights, frames=FACTS).save(tmp_path / WEIGHTS)
    assert not any(tmp_path.iterdir())
