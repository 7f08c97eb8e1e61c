"""Is what is no model told so in one line, wherever one is asked for?"""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from seqaudio.continuation import continue_score, continue_scores, generate_score
from seqaudio.continuation.engines import load_engine
from seqaudio.continuation.likelihood import score_likelihood
from seqaudio.errors import OptionError
from seqaudio.memory.context_probe import probe_context
from seqaudio.memory.gate_probe import probe_gates
from seqaudio.memory.gradient_probe import probe_gradients
from seqaudio.memory.heard import hear, hear_steps
from seqaudio.memory.recall_probe import probe_recall
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.models.config import ModelConfig
from seqaudio.training.evaluate import piece_nats
from tests.samples import model_folder, tune


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_folder(tmp_path_factory.mktemp("model"), ModelConfig(cell="rnn", hidden_size=8, layers=1), seed=1)


def test_what_predicts_nothing_continues_nothing(folder: Path) -> None:
    checkpoint, score = Checkpoint.load(folder), tune(2)
    told = "a {} predicts no notes; give what seqaudio.load_model(name or folder) returns"
    for wrong in ("folk", checkpoint, checkpoint.build(), score):
        message = f"^{re.escape(told.format(type(wrong).__name__))}$"
        for use in (
            lambda model: continue_score(model, score),
            lambda model: continue_scores(model, [score]),
            lambda model: generate_score(model, bars=1),
            lambda model: score_likelihood(model, score),
        ):
            with pytest.raises(OptionError, match=message):
                use(wrong)


def test_networks_and_checkpoints_are_told_apart(folder: Path) -> None:
    engine, checkpoint = load_engine(folder, "torch"), Checkpoint.load(folder)
    for wrong in (engine, checkpoint.build(), "folk"):
        for use in (
            lambda model: hear(model, tune(2)),
            lambda model: hear_steps(model, np.zeros(3, np.int64)),
            *(partial(probe, pieces=[]) for probe in (probe_gradients, probe_context, probe_gates, probe_recall)),
        ):
            with pytest.raises(OptionError, match=rf"^a {type(wrong).__name__} is no checkpoint; give Checkpoint.load"):
                use(wrong)
    for wrong in (engine, checkpoint, "folk"):
        with pytest.raises(OptionError, match=rf"^a {type(wrong).__name__} is no network; give Checkpoint.load"):
            piece_nats(wrong, [])
