"""Do the probes say what the library finds, in table, JSON and picture, with the contract's codes and errors?"""

import json
from pathlib import Path

import numpy as np
import pytest

from seqaudio.cli.probe import PROBES
from seqaudio.files import write_midi
from seqaudio.files.abc import read_abc
from seqaudio.memory.contexts import context_nats
from seqaudio.memory.effective import contexts
from seqaudio.memory.fading import fading
from seqaudio.memory.gradients import gradient_norms
from seqaudio.memory.lines import line_of
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint, FrameFacts, weights_of
from seqaudio.models.config import MemoryConfig, ModelConfig
from seqaudio.pretrained import example_path
from tests.cli.test_commands import fails, seqaudio  # noqa: F401
from tests.samples import MELODY, ROOT, model_folder, random_model, repetitive_pieces, tune, write_corpus


@pytest.fixture
def tunes(tmp_path: Path) -> list[Path]:
    """Three tunes of other lengths."""
    paths = [tmp_path / f"tune{bars}.mid" for bars in (8, 9, 10)]
    for seed, path in enumerate(paths):
        write_midi(tune(8 + seed, seed=seed), path)
    return paths


@pytest.fixture
def models(tmp_path: Path) -> tuple[Path, Path]:
    """An LSTM with a memory and a plain RNN."""
    remembering = ModelConfig(hidden_size=8, layers=2, memory=MemoryConfig(lags=(1,), features=3))
    lstm = model_folder(tmp_path / "lstm", remembering)
    return lstm, model_folder(tmp_path / "rnn", ModelConfig(cell="rnn", hidden_size=10, layers=1), scale=2.0)


def test_every_probe_has_help(seqaudio) -> None:  # noqa: F811
    shown = seqaudio("probe", "--help").out
    for name in PROBES:
        assert name in shown
        assert seqaudio("probe", name, "--help").out.startswith(f"Usage: seqaudio probe {name}")


def test_gradients_are_those_of_the_library(seqaudio, models, tunes, tmp_path: Path) -> None:  # noqa: F811
    lstm, rnn = models
    asked = ("--beside", rnn, "--init", "--lags", 16, "--targets", 5, "--seed", 3)
    result = seqaudio("probe", "gradients", lstm, *tunes, *asked, "--json", "a.json", "--plot", "a.png")
    assert (result.code, result.err) == (0, "")
    facts = json.loads((tmp_path / "a.json").read_text())
    assert [(row["model"], row["untrained"]) for row in facts["models"]] == [
        (str(folder), fresh) for folder in (lstm, rnn) for fresh in (False, True)
    ]
    for row in facts["models"]:
        checkpoint = Checkpoint.load(row["model"])
        model = checkpoint.untrained(3) if row["untrained"] else checkpoint.build()
        pieces = [MELODY.encode(tune(8 + seed, seed=seed)) for seed in range(3)]
        norms = [gradient_norms(model, piece, checkpoint.memory(), lags=16, targets=5) for piece in pieces]
        expected = fading(norms, ("h", "c") if checkpoint.config.cell == "lstm" else ("h",), seed=3)
        assert [state["state"] for state in row["states"]] == [line.name for line in expected]
        for state, line in zip(row["states"], expected, strict=True):
            assert state["ratios"] == pytest.approx(line.ratios, rel=1e-4)
            assert state["norm_at_lag_1"] == pytest.approx(line.at_lag_1, rel=1e-4)
            assert (state["half_life"] or np.inf) == pytest.approx(line.half_life, rel=1e-3)
            ends = [np.inf if end is None else end for end in state["half_life_interval"]]
            assert ends == pytest.approx(line.half_life_ends, rel=1e-3)
    assert facts["models"][0]["memory_outside_the_state"]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    table = result.out.partition("\n\n")[2].splitlines()
    assert table[0].split() == ["model", "state", "half-life", "2", "4", "8", "16"]
    assert len(table) == 1 + 2 * (1 + 4) + 2 * (1 + 1)
    ratios = facts["models"][0]["states"][0]["ratios"]
    assert float(table[1].split()[-1]) == pytest.approx(ratios[15], rel=0.5, abs=0.005)


def test_contexts_are_those_of_the_library(seqaudio, models, tunes, tmp_path: Path) -> None:  # noqa: F811
    lstm, _ = models
    result = seqaudio("probe", "context", lstm, *tunes, "--seed", 3, "--json", "a.json", "--plot", "a.svg")
    assert (result.code, result.err) == (0, "")
    facts = json.loads((tmp_path / "a.json").read_text())
    checkpoint = Checkpoint.load(lstm)
    lines = [line_of(checkpoint, MELODY.encode(tune(8 + seed, seed=seed))) for seed in range(3)]
    found = context_nats(checkpoint.build(), lines, checkpoint.memory(), seed=3)
    assert (facts["unit"], facts["left_out"], facts["steps"]) == ("bars", {}, found.steps.tolist())
    assert facts["full"]["nats_of_pieces"] == pytest.approx(found.full, rel=1e-4)
    for name, told in contexts(found, seed=3).items():
        row = facts["pasts"][name]
        assert np.array(row["nats_of_pieces"]) == pytest.approx(found.curves[name].nats.T, rel=1e-4)
        assert row["nats_per_step"] == pytest.approx(told.nats, rel=1e-4)
        assert (row["effective"] or np.inf) == told.effective
        assert [end or np.inf for end in row["interval"]] == list(told.ends)
    shown = {line.split()[0]: line for line in result.out.splitlines() if line}
    assert list(found.curves) == [name for name in shown if name in found.curves]
    assert f"{facts['full']['nats_per_step']:.3f}" in shown["cut"]
    assert "with a memory outside of the state" in result.out
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()


def test_without_files_a_shipped_model_of_melodies_hears_the_shipped_tune(seqaudio, models) -> None:  # noqa: F811
    shown = seqaudio("probe", "gradients", models[1], "--lags", 4, "--targets", 2)
    assert shown.code == 0
    assert "hears tune.abc#1, a tune that comes with seqaudio" in shown.out
    shipped = example_path("tune.abc").read_bytes()
    assert shipped == (ROOT / "examples" / "tune.abc").read_bytes()
    assert len(read_abc(example_path("tune.abc"))) == 1


def test_without_files_a_run_hears_its_validation_pieces(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    pieces = repetitive_pieces(5)
    corpus = write_corpus(tmp_path / "corpus", pieces[:2], pieces[2:])
    options = {"hidden_size": 8, "layers": 1}
    config = {"corpus": {"prepared": "corpus"}, "model": options, "training": {"epochs": 1, "batch_size": 2}}
    (tmp_path / "a.yaml").write_text(json.dumps(config), encoding="utf-8")
    assert seqaudio("train", "a.yaml", "--out", "run").code == 0
    shown = seqaudio("probe", "context", "run", "--json", "a.json", "--pieces", 2)
    assert "hears 2 of its 3 validation pieces: " in shown.out
    facts = json.loads((tmp_path / "a.json").read_text())
    assert [piece["name"] for piece in facts["pieces"]] == ["valid-1", "valid-2"]
    assert [piece["steps"] for piece in facts["pieces"]] == [len(pieces[number]) - 1 for number in (2, 3)]  # no EOS
    (corpus / "manifest.json").unlink()
    assert "a tune that comes with seqaudio" in seqaudio("probe", "gradients", "run", "--lags", 3).out


def test_a_model_of_frames_hears_rolls(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    config = ModelConfig(cell="gru", hidden_size=8, layers=1, head="bernoulli")
    model = random_model(config, keys=88, seed=1)
    Checkpoint(config, None, weights_of(model), frames=FrameFacts()).save(tmp_path / WEIGHTS)
    rolls = [np.random.default_rng(seed).random((30, 88)) < 0.1 for seed in range(3)]
    np.savez("rolls.npz", train=rolls[0], test_a=rolls[1], test_b=rolls[2])
    shown = seqaudio("probe", "context", tmp_path, "rolls.npz", "--json", "a.json")
    assert (shown.code, shown.err) == (0, "")
    facts = json.loads((tmp_path / "a.json").read_text())
    assert (facts["unit"], len(facts["pieces"])) == ("frames", 2)
    assert "lag in steps" in seqaudio("probe", "gradients", tmp_path, "rolls.npz", "--lags", 5).out.replace(
        "lags", "lag"
    )
    fails(seqaudio("probe", "context", tmp_path, "rolls.npz", "--unit", "bars"), 2, "frames of this model tell of no")


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_heard(seqaudio, models, tunes) -> None:  # noqa: F811
    result = seqaudio("probe", "gradients", models[1], tunes[0], "none.mid", "--beside", models[0], "--lags", 4)
    assert result.code == 1
    assert "half-life" in result.out
    assert result.err.startswith("seqaudio: none.mid: ")
    assert result.err.splitlines()[1:] == ["seqaudio: 1 of 2 pieces could not be heard"]


def test_pieces_too_short_are_left_out_and_said(seqaudio, models, tunes, tmp_path: Path) -> None:  # noqa: F811
    write_midi(tune(1), tmp_path / "short.mid")
    lengths = sorted(len(MELODY.encode(tune(8 + seed, seed=seed))) for seed in range(3))
    shown = seqaudio("probe", "gradients", models[1], *tunes, "short.mid", "--lags", lengths[0] - 2).out
    assert f"1 of 4 pieces have fewer than {lengths[0]} tokens and are left out" in shown
    shown = seqaudio("probe", "context", models[1], *tunes, "short.mid").out
    assert "1 of 4 pieces have fewer than 2 bars and are left out" in shown
    too_many = seqaudio("probe", "gradients", models[1], *tunes, "--lags", 2000)
    fails(too_many, 3, f"{lengths[-1]} tokens at most, and 2002 are needed", "fewer --lags")
    fails(seqaudio("probe", "context", models[1], "short.mid"), 3, "1 bars at most, and 2 are needed", "--unit steps")
    by_default = seqaudio("probe", "gradients", models[1], tunes[0]).out.partition("\n\n")[2].splitlines()[0].split()
    assert int(by_default[-1]) >= 16


@pytest.mark.parametrize("probe", ["gradients", "context"])
def test_errors_are_one_line(seqaudio, models, tunes, probe: str) -> None:  # noqa: F811
    fails(seqaudio("probe", probe, "nowhere", *tunes), 1, "no such model")
    fails(seqaudio("probe", probe, models[0], tunes[0], "--plot", "a.gif"), 2, "end the name in .png")
    fails(seqaudio("probe", probe, models[0], tunes[0], "--targets", 0), 2, "--targets")
    nothing = seqaudio("probe", probe, models[0], "none.mid")
    assert (nothing.code, nothing.out) == (3, "")
    assert nothing.err.splitlines()[-1] == "seqaudio: no piece could be heard"
