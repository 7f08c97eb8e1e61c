"""A config asks for one kind of model, and gets it from the parts that this kind is made of, and no others."""

import numpy as np
import pytest
import torch

from seqaudio.errors import OptionError
from seqaudio.models.config import ModelConfig, build_model
from seqaudio.models.heads import BernoulliHead, CategoricalHead, JointHead, MixtureHead, NotesHead

KNOWN = np.eye(88, dtype=bool)


def small(**options):
    return ModelConfig(cell="gru", hidden_size=6, layers=1, **options)


@pytest.mark.parametrize(
    ("options", "parts", "head"),
    [
        ({}, {"vocabulary_size": 9}, CategoricalHead),
        ({"head": "bernoulli"}, {"keys": 88}, BernoulliHead),
        ({"head": "notes"}, {"keys": 128}, NotesHead),
        ({"head": "joint"}, {"keys": 88, "known_frames": KNOWN}, JointHead),
        ({"head": "mixture"}, {"keys": 2}, MixtureHead),
    ],
    ids=str,
)
def test_the_head_asked_for(options, parts, head):
    config = small(**options)
    model = build_model(config, **parts)
    assert isinstance(model.head, head)
    assert config.of_frames == ("keys" in parts)


def test_sizes_of_parts():
    notes = build_model(small(head="notes", head_features=3, embedding_size=4), keys=88)
    assert notes.head.projection.out_features == 3
    assert notes.encoder.projection.out_features == 4
    assert build_model(small(head="notes"), keys=88).head.projection.out_features == 6
    joint = build_model(small(head="joint", escape="notes", head_features=3), keys=88, known_frames=KNOWN)
    assert joint.head.escape.projection.out_features == 3
    assert isinstance(build_model(small(head="joint"), keys=88, known_frames=KNOWN).head.escape, BernoulliHead)


def test_components_of_a_mixture():
    assert build_model(small(head="mixture"), keys=2).head.components == 5
    assert build_model(small(head="mixture", components=3), keys=2).head.components == 3


def test_frames_without_a_size_go_to_the_layer_as_they_are():
    model = build_model(small(head="bernoulli"), keys=88)
    assert not list(model.encoder.parameters())
    frames = torch.rand(2, 3, 88) < 0.1
    assert torch.equal(model.encoder(frames), frames.float())


@pytest.mark.parametrize(
    ("options", "because"),
    [
        ({"head": "softmax"}, "head"),
        ({"escape": "notes"}, "escape goes with the head joint, not with categorical"),
        ({"head": "notes", "escape": "bernoulli"}, "escape goes with the head joint, not with notes"),
        ({"head_features": 4}, "head_features goes with the head or escape notes, not with categorical"),
        ({"head": "joint", "head_features": 4}, "head_features goes with the head or escape notes, not with joint"),
        ({"head": "notes", "components": 2}, "components go with the head mixture, not with notes"),
        ({"head": "mixture", "memory": {}}, "memory is of what comes back exactly"),
        ({"head": "mixture", "head_features": 4}, "head_features goes with the head or escape notes, not with mixture"),
        ({"head": "bernoulli", "embedding_dropout": 0.1}, "embedding_dropout is for tokens"),
    ],
    ids=str,
)
def test_options_that_do_not_apply_are_refused(options, because):
    with pytest.raises(OptionError, match=because):
        small(**options)


@pytest.mark.parametrize(
    ("options", "parts", "because"),
    [
        ({}, {}, "give vocabulary_size, and no keys"),
        ({}, {"vocabulary_size": 9, "keys": 88}, "and no keys"),
        ({}, {"vocabulary_size": 9, "known_frames": KNOWN}, "and no keys"),
        ({"head": "notes"}, {}, "give keys, and no vocabulary_size"),
        ({"head": "notes"}, {"vocabulary_size": 9}, "give keys, and no vocabulary_size"),
        (
            {"head": "bernoulli"},
            {"keys": 88, "known_frames": KNOWN},
            "known_frames go with the heads joint and marginal",
        ),
        ({"head": "joint"}, {"keys": 88}, r"needs known_frames of shape \(known, 88\), got none"),
        ({"head": "joint"}, {"keys": 128, "known_frames": KNOWN}, r"\(known, 128\), got shape \(88, 88\)"),
    ],
    ids=str,
)
def test_parts_that_do_not_belong_to_the_head_are_refused(options, parts, because):
    with pytest.raises(OptionError, match=because):
        build_model(small(**options), **parts)
