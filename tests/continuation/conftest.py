"""Models with random weights, one per kind of tokens; every law of continuation must hold without any training."""

import pytest

from seqaudio.continuation.engines import load_engine
from seqaudio.models.config import ModelConfig
from tests.samples import FULL, PEDALS, model_folder


@pytest.fixture(scope="session")
def melody_folder(tmp_path_factory):
    return model_folder(tmp_path_factory.mktemp("melody"), pitch_range=(48, 84))


@pytest.fixture(scope="session")
def full_folder(tmp_path_factory):
    config = ModelConfig(cell="gru", hidden_size=16, layers=2, embedding_size=12)
    return model_folder(tmp_path_factory.mktemp("full"), config, FULL, pitch_range=(48, 84), seed=1)


@pytest.fixture(scope="session")
def melody_engine(melody_folder):
    return load_engine(melody_folder, "onnx")


@pytest.fixture(scope="session")
def full_engine(full_folder):
    return load_engine(full_folder, "onnx")


@pytest.fixture(scope="session")
def pedals_engine(tmp_path_factory):
    folder = model_folder(tmp_path_factory.mktemp("pedals"), tokenizer=PEDALS, pitch_range=(48, 84), seed=2)
    return load_engine(folder, "onnx")


@pytest.fixture(params=["melody", "full", "pedals"])
def engine(request, melody_engine, full_engine, pedals_engine):
    return {"melody": melody_engine, "full": full_engine, "pedals": pedals_engine}[request.param]
