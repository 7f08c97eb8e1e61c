"""The probes as calls: what is too short is left out and said, what is wrong is refused, and reports are JSON."""

import json

import numpy as np
import pytest

from seqaudio import hear, probe_context, probe_gates, probe_gradients, probe_recall
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.memory.gradient_probe import usual_lags
from seqaudio.memory.gradients import gradient_norms
from seqaudio.memory.heard import steps_of
from seqaudio.models.checkpoint import Checkpoint, FrameFacts, weights_of
from seqaudio.models.config import ModelConfig
from seqaudio.tokens import BarsTokenizer
from tests.samples import MELODY, random_model, tune

CONFIG = ModelConfig(cell="gru", hidden_size=6, layers=1)
MODEL = Checkpoint(CONFIG, MELODY, weights_of(random_model(CONFIG, len(MELODY.vocabulary))))
CALLS = {
    "gradients": lambda pieces: probe_gradients(MODEL, pieces, lags=20, targets=2),
    "context": lambda pieces: probe_context(MODEL, pieces, targets=1),
    "gates": lambda pieces: probe_gates(MODEL, pieces, draws=20),
    "recall": lambda pieces: probe_recall(MODEL, pieces, distances=(0, 2), places=1),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_report_tells_its_pieces_and_is_json(name):
    pieces = [hear(MODEL, tune(bars, seed=bars), f"tune {bars}") for bars in (4, 6)]
    report = CALLS[name](iter(pieces))
    facts = json.loads(json.dumps(report.facts(), allow_nan=False))
    assert facts["cell"] == "gru"
    assert facts["pieces"] == [
        {"name": piece.name, "steps": len(piece), "remarks": [*piece.remarks]} for piece in pieces
    ]
    with pytest.raises(NoNotesError, match="at most, and"):
        CALLS[name]([])


@pytest.mark.parametrize("name", ["gradients", "context", "recall"])
def test_what_is_too_short_is_left_out_and_said(name):
    pieces = [hear(MODEL, tune(bars, seed=bars), f"tune {bars}") for bars in (4, 1, 6)]
    report = CALLS[name](pieces)
    assert [piece.name for piece in report.pieces] == ["tune 4", "tune 6"]
    (remark,) = report.remarks
    assert remark.startswith("1 of 3 pieces have fewer than ")
    assert CALLS[name]([pieces[0], pieces[2]]).facts() == report.facts() | {"remarks": []}


def test_fresh_weights_are_those_of_the_seed():
    piece = hear(MODEL, tune(4))
    found = [probe_gradients(MODEL, [piece], lags=9, targets=2, untrained=True, seed=seed) for seed in (1, 1, 2)]
    norms = gradient_norms(MODEL.untrained(1), piece.piece, lags=9, targets=2)
    assert found[0].states[0].at_lag_1 == pytest.approx(np.exp(np.log(np.sqrt((norms[:, 0] ** 2).sum(-1))).mean()))
    assert found[0].facts() == found[1].facts() != found[2].facts()
    assert probe_gradients(MODEL, [piece], lags=9).facts()["untrained"] is False


def test_the_usual_lags_fit_the_longest_piece():
    short, long = hear(MODEL, tune(3)), hear(MODEL, tune(20))
    assert usual_lags([short, long]) == 128
    assert usual_lags([short]) == len(short.piece) // 2
    assert usual_lags([]) == 8


def test_wrong_numbers_and_units():
    piece = hear(MODEL, tune(4))
    with pytest.raises(OptionError, match="unit is 'beats', it must be one of auto, bars, steps"):
        probe_context(MODEL, [piece], unit="beats")
    for within in (float("nan"), -0.1, float("inf")):
        with pytest.raises(OptionError, match=r"within is .*, it must be a share, 0 or more"):
            probe_context(MODEL, [piece], within=within)
    with pytest.raises(OptionError, match="0 targets"):
        probe_context(MODEL, [piece], targets=0)
    with pytest.raises(OptionError, match="0 targets"):
        probe_gradients(MODEL, [piece], lags=4, targets=0)


@pytest.mark.parametrize("name", CALLS)
def test_what_another_model_heard_is_refused(name):
    """Its tokens are numbers of other things here."""
    other = BarsTokenizer(programs=False, velocities=True)
    weights = weights_of(random_model(CONFIG, len(other.vocabulary)))
    piece = hear(Checkpoint(CONFIG, other, weights), tune(6), "elsewhere")
    with pytest.raises(OptionError, match="elsewhere: heard by a model of other steps; hear it with this one again"):
        CALLS[name]([hear(MODEL, tune(6)), piece])
    with pytest.raises(OptionError, match=r"a Score among the pieces; give what hear\(checkpoint, score\) makes of it"):
        CALLS[name]([tune(6)])
    cut, frames = hear(MODEL, tune(6), most_steps=20), FrameFacts()
    assert steps_of(MODEL) == cut.of != piece.of
    assert steps_of(frames) == FrameFacts() != steps_of(FrameFacts(steps_per_quarter=2))
