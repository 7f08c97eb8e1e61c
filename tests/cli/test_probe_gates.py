"""Does `seqaudio probe gates` print, write and draw what Python finds, with the contract's codes and errors?"""

import json
from pathlib import Path

import numpy as np
import pytest

from seqaudio.files import read_abc, write_midi
from seqaudio.memory.gate_probe import probe_gates
from seqaudio.memory.heard import hear
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint, FrameFacts, weights_of
from seqaudio.models.config import ModelConfig
from seqaudio.pretrained import model_path
from tests.cli.test_commands import fails, seqaudio  # noqa: F401
from tests.samples import MELODY, random_model, tune

ROOT = Path(__file__).parents[2]
TUNE = ROOT / "examples" / "tune.abc"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of tokens, a GRU."""
    made = tmp_path_factory.mktemp("model")
    config = ModelConfig(cell="gru", hidden_size=12, layers=2)
    model = random_model(config, len(MELODY.vocabulary), scale=3.0)
    Checkpoint(config, MELODY, weights_of(model), (48, 84)).save(made / WEIGHTS)
    return made


def test_a_shipped_model_and_a_tune(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    result = seqaudio("probe", "gates", "folk", TUNE, "--json", "g.json", "--plot", "g.png", "--longest", 3)
    assert (result.code, result.err) == (0, "")
    checkpoint = Checkpoint.load(model_path("folk"))
    expected = probe_gates(checkpoint, [hear(checkpoint, read_abc(TUNE)[0].score, "tune.abc#1")], units=3)
    facts = json.loads((tmp_path / "g.json").read_text())
    told = {"model": "folk", "music": "tune.abc#1", "draws": 200, "seed": 0}
    assert facts == told | json.loads(json.dumps(expected.facts()))
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")
    lines = result.out.splitlines()
    assert lines[0] == "folk: lstm of 2 x 256, with a memory outside of the state"
    assert lines[1] == f"  hears tune.abc#1: {len(expected.pieces[0])} tokens, 16.6 to a bar"
    forget = next(o for o in expected.openings if (o.layer, o.gate) == (2, "forget"))
    row = next(line.split() for line in lines if line.startswith("2") and "forget" in line)
    assert row[2:] == [f"{number:.2f}" for number in forget[2:]]
    assert any("memory: new" in line for line in lines)
    following = [line.split() for line in lines[lines.index("what the units that keep longest follow") + 2 :]]
    assert [(int(row[0]), int(row[1])) for row in following] == [(h.layer, h.unit) for h in expected.holding]
    for row, unit in zip(following, expected.holding, strict=True):
        assert row[4] == f"{unit.follows.closeness:.2f}"
        assert ("nothing" in row) == (not unit.follows.named)


def test_several_files_and_a_gru(seqaudio, tmp_path: Path, folder: Path) -> None:  # noqa: F811
    for seed in range(2):
        write_midi(tune(4, seed=seed), tmp_path / f"{seed}.mid")
    result = seqaudio("probe", "gates", folder, "0.mid", "1.mid", "--draws", 20, "--plot", "g.png", "--units", "3,5")
    assert (result.code, result.err) == (0, "")
    assert ": gru of 2 x 12\n  hears 2 pieces of 2 files: " in result.out
    assert "1/(1 - mean update gate)" in result.out


def test_a_file_that_cannot_be_heard_does_not_stop_the_others(seqaudio, tmp_path: Path, folder: Path) -> None:  # noqa: F811
    write_midi(tune(4), tmp_path / "good.mid")
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    result = seqaudio("probe", "gates", folder, "bad.mid", "good.mid", "--draws", 20)
    assert result.code == 1
    assert "good.mid" in result.out
    first, last = result.err.splitlines()
    assert "bad.mid" in first
    assert last == "seqaudio: 1 of 2 pieces could not be heard"


def test_a_model_of_frames_takes_rolls_and_files(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    config = ModelConfig(hidden_size=8, layers=1, head="bernoulli")
    made = Checkpoint(config, None, weights_of(random_model(config, keys=88)), frames=FrameFacts(steps_per_quarter=4))
    made.save(tmp_path / "frames.safetensors")
    write_midi(tune(4), tmp_path / "tune.mid")
    np.savez(tmp_path / "rolls.npz", train=np.random.default_rng(1).random((64, 88)) < 0.05)
    for name in ("tune.mid", "rolls.npz"):
        result = seqaudio("probe", "gates", "frames.safetensors", name, "--draws", 20)
        assert (result.code, result.err) == (0, "")
        assert ": 64 frames, 16.0 to a bar" in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("folk-rnn", TUNE), ["a model of rnn cells shows no gates", "those of lstm, gru do"]),
        (("folk", TUNE, "--units", "3"), ["give --plot FILE.png too"]),
        (("folk", TUNE, "--plot", "g.gif"), ["end the name in .png"]),
        (("folk", TUNE, "--plot", "g.png", "--layer", 3), ["layer 3: the model has 2"]),
        (("folk", TUNE, "--plot", "g.png", "--units", "3,999"), ["unit 999: a layer has 256"]),
        (("folk", TUNE, "--plot", "g.png", "--units", "3,x"), ["'3,x' is no list of units", "3,17"]),
        (("folk", TUNE, "--longest", 0), ["--longest"]),
    ],
)
def test_wrong_usage_is_said_in_one_line(seqaudio, arguments: tuple[object, ...], words: list[str]) -> None:  # noqa: F811
    fails(seqaudio("probe", "gates", *arguments), 2, *words)


def test_nothing_to_hear(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "empty.mid").write_bytes(b"")
    result = seqaudio("probe", "gates", "folk", "empty.mid")
    assert (result.code, result.out) == (3, "")
    assert result.err.splitlines()[-1] == "seqaudio: no piece could be heard"
    fails(seqaudio("probe", "gates", "nothing-such", TUNE), 1, "no such model")


def test_help_lists_the_probes(seqaudio) -> None:  # noqa: F811
    result = seqaudio("probe", "--help")
    assert result.code == 0
    assert "gates      How open gates are" in result.out
    fails(seqaudio("probe", "gatez", "folk"), 2, "No such command")
