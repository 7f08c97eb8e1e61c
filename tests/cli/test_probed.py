"""Do all probes hear the same of the same music, and of none, and tell it alike?"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from seqaudio.files import write_midi
from seqaudio.memory.heard import hear, hear_steps
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint, FrameFacts, weights_of
from seqaudio.models.config import ModelConfig
from seqaudio.music import Score
from seqaudio.tokens import BarsTokenizer, PerformanceTokenizer
from tests.cli.test_commands import fails, seqaudio  # noqa: F401
from tests.samples import MELODY, random_model, tune

PROBES = {
    "gradients": ("--lags", 4, "--targets", 2),
    "context": ("--targets", 1, "--unit", "steps"),
    "gates": ("--draws", 20, "--longest", 1),
}
WHOLE_PIECES = {"experiment": {"corpus": {"options": {"melody": False}}}}


def saved(folder: Path, tokenizer=MELODY, frames=None, facts=None) -> Path:
    """A model of tokens, or of frames."""
    head = {} if frames is None else {"head": "bernoulli"}
    config = ModelConfig(cell="gru", hidden_size=6, layers=1, **head)
    tokens = len(tokenizer.vocabulary) if frames is None else None
    parts = {} if frames is None else {"keys": frames.keys}
    folder.mkdir()
    made = weights_of(random_model(config, tokens, **parts))
    described = Checkpoint(config, None if frames else tokenizer, made, (40, 90), facts or {}, frames)
    described.save(folder / WEIGHTS)
    return folder


@pytest.fixture
def probe(seqaudio, tmp_path: Path):  # noqa: F811
    """What all probes say of a model and files: the same head, and the same music in their JSON."""

    def invoke(model: Path, *files: object, code: int = 0) -> tuple[str, dict]:
        heads, facts = set(), []
        for name, options in PROBES.items():
            shown = seqaudio("probe", name, model, *files, *options, "--json", "a.json")
            assert shown.code == code, shown.err
            assert (shown.err == "") == (code == 0)
            written = json.loads((tmp_path / "a.json").read_text())
            facts.append({"seed": written["seed"]} | written.get("models", [written])[0])
            lines = shown.out.splitlines()
            heads.add("\n".join(lines[:2]))
        (head,) = heads
        shared = [{key: each[key] for key in ("model", "music", "cell", "pieces", "remarks", "seed")} for each in facts]
        assert shared[0] == shared[1] == shared[2]
        assert list(facts[0])[:6] == list(facts[1])[:6]
        return head, shared[0]

    return invoke


def test_music_files_folders_and_what_cannot_be_read(probe, tmp_path: Path) -> None:
    model, folder = saved(tmp_path / "model"), tmp_path / "tunes" / "more"
    folder.mkdir(parents=True)
    for seed in range(3):
        write_midi(tune(3 + seed, seed=seed), (folder if seed else folder.parent) / f"{seed}.mid")
    head, facts = probe(model, "tunes")
    assert "hears 3 pieces of 3 files: " in head
    steps = {f"{seed}.mid": len(hear(Checkpoint.load(model), tune(3 + seed, seed=seed))) for seed in range(3)}
    assert {piece["name"]: piece["steps"] for piece in facts["pieces"]} == steps
    assert f"{sum(steps.values()):,} tokens, " in head
    head, facts = probe(model, "tunes", "--pieces", 2)
    assert "hears 2 of 3 pieces of 3 files: " in head
    (folder / "bad.mid").write_bytes(b"MThd")
    write_midi(Score.from_notes([], [], []), folder / "silent.mid")
    _, facts = probe(model, "tunes", code=1)
    assert len(facts["pieces"]) == 3


@pytest.mark.parametrize("name", PROBES)
def test_errors_are_told_once_a_file_and_counted(seqaudio, tmp_path: Path, name: str) -> None:  # noqa: F811
    model = saved(tmp_path / "model")
    write_midi(tune(3), tmp_path / "good.mid")
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    (tmp_path / "empty").mkdir()
    result = seqaudio("probe", name, model, "bad.mid", "good.mid", "empty", "nowhere", *PROBES[name])
    assert result.code == 1
    assert "hears good.mid: " in result.out
    first, second, third, last = result.err.splitlines()
    assert "bad.mid" in first
    assert "empty: no music file inside" in second
    assert "nowhere: no such folder or corpus" in third
    assert last == "seqaudio: 3 of 4 pieces could not be heard"
    nothing = seqaudio("probe", name, model, "bad.mid", *PROBES[name])
    assert (nothing.code, nothing.out) == (3, "")
    assert nothing.err.splitlines()[1:] == ["seqaudio: no piece could be heard"]


def test_a_set_of_rolls_is_heard_by_every_model_its_test_pieces_alone(probe, tmp_path: Path) -> None:
    rolls = [np.random.default_rng(seed).random((30 + seed, 88)) < 0.06 for seed in range(4)]
    np.savez("rolls.npz", train_a=rolls[0], train_b=rolls[1], test_a=rolls[2], test_b=rolls[3])
    own = saved(tmp_path / "own", frames=FrameFacts())
    _, facts = probe(own, "rolls.npz")
    expected = [len(hear_steps(Checkpoint.load(own), roll)) for roll in rolls[2:]]
    assert [piece["steps"] for piece in facts["pieces"]] == expected
    assert not any(piece["remarks"] for piece in facts["pieces"])
    slower = saved(tmp_path / "slower", frames=FrameFacts(steps_per_quarter=2))
    _, facts = probe(slower, "rolls.npz")
    assert [piece["steps"] for piece in facts["pieces"]] == expected
    remark = "steps of 4 to the quarter are heard as the model's, 2 to the quarter"
    assert [piece["remarks"] for piece in facts["pieces"]] == [[remark]] * 2
    other = saved(tmp_path / "other", frames=FrameFacts(40, 30, 2))
    _, facts = probe(other, "rolls.npz")
    assert [abs(piece["steps"] - steps / 2) < 3 for piece, steps in zip(facts["pieces"], expected, strict=True)]
    assert all("beyond the model's keys" in piece["remarks"][0] for piece in facts["pieces"])
    _, facts = probe(saved(tmp_path / "tokens", BarsTokenizer(), facts=WHOLE_PIECES), "rolls.npz")
    assert len(facts["pieces"]) == 2


def test_a_model_of_frames_hears_music_files(probe, tmp_path: Path) -> None:
    write_midi(tune(4), tmp_path / "tune.mid")
    head, facts = probe(saved(tmp_path / "model", frames=FrameFacts()), "tune.mid")
    assert head.endswith("hears tune.mid: 64 frames, 16.0 to a bar")
    assert facts["pieces"] == [{"name": "tune.mid", "steps": 64, "remarks": []}]


def test_without_files_a_model_of_melodies_hears_a_tune_and_any_other_what_it_writes(probe, tmp_path: Path) -> None:
    head, facts = probe(saved(tmp_path / "melodies"))
    assert "hears tune.abc#1, a tune that comes with seqaudio: " in head
    own = "32 bars that it wrote itself (seed 0)"
    head, facts = probe(saved(tmp_path / "whole", BarsTokenizer(), facts=WHOLE_PIECES))
    assert f"hears {own}: " in head
    assert [piece["name"] for piece in facts["pieces"]] == [own]
    head, facts = probe(saved(tmp_path / "frames", frames=FrameFacts(88, 21, 2)))
    assert f"hears {own}: " in head
    assert facts["pieces"][0]["steps"] == pytest.approx(32 * 8, abs=8)


@pytest.mark.parametrize("name", PROBES)
def test_what_has_no_music_is_refused_in_one_line(seqaudio, tmp_path: Path, name: str) -> None:  # noqa: F811
    model = saved(tmp_path / "model", PerformanceTokenizer(), facts=WHOLE_PIECES)
    fails(seqaudio("probe", name, model), 2, "no music for this model is at hand; name FILES")
    silent = saved(tmp_path / "silent", frames=FrameFacts())
    made = Checkpoint.load(silent)
    for key in made.weights:
        if key.startswith("head"):
            made.weights[key][...] = -100 if "bias" in key else 0
    made.save(silent / WEIGHTS)
    fails(seqaudio("probe", name, silent), 2, "what this model writes by itself is silent; name FILES")
    shutil.rmtree(silent)
    fails(seqaudio("probe", name, silent), 1, "no such model")
    fails(seqaudio("probe", name, model, "a.mid", "--limit", "nothing=1"), 2, "nothing")
    fails(seqaudio("probe", name, model, "a.mid", "--plot", "a.gif"), 2, "end the name in .png")


@pytest.mark.parametrize("name", [*PROBES, "recall"])
def test_where_nothing_can_be_written_is_told_before_the_work(seqaudio, tmp_path: Path, name: str) -> None:  # noqa: F811
    model, tune_file = saved(tmp_path / "model"), tmp_path / "a.mid"
    write_midi(tune(8), tune_file)
    before = tune_file.read_bytes()
    (tmp_path / "file").write_text("no folder")
    for option, path in (("--plot", "file/a.png"), ("--json", "file/a.json"), ("--json", "/proc/new/a.json")):
        fails(seqaudio("probe", name, model, tune_file, option, path), 1, path, "cannot be written")
    fails(seqaudio("probe", name, model, tune_file, "--json", "./a.mid"), 2, "a.mid: would be written over")
    fails(seqaudio("probe", name, model, "--json", "a.png", "--plot", "a.png"), 2, "a.png: would be written over")
    assert tune_file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mid", "file", "model"]


def test_new_folders_are_made_for_what_is_written(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    write_midi(tune(8), tmp_path / "a.mid")
    asked = (*PROBES["gates"], "--plot", "new/a.png", "--json", "other/one/a.json")
    assert seqaudio("probe", "gates", saved(tmp_path / "model"), "a.mid", *asked).code == 0
    assert (tmp_path / "new/a.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "other/one/a.json").read_text())["model"]


@pytest.mark.parametrize("command", [("score",), ("probe", "gates"), ("probe", "gradients")])
def test_drums_are_not_asked_of_pitched_notes(seqaudio, tmp_path: Path, command) -> None:  # noqa: F811
    write_midi(tune(8), tmp_path / "a.mid")
    result = seqaudio(*command, "drums", "a.mid")
    assert (result.code, result.out) == (3, "")
    why = "no drums, only pitched notes, and model drums knows nothing but drums; name another model"
    assert result.err.splitlines()[0] == f"seqaudio: a.mid: {why}"


def test_a_model_beside_that_cannot_hear_the_music_is_named(seqaudio) -> None:  # noqa: F811
    fails(seqaudio("probe", "gradients", "folk", "--beside", "drums"), 3, "--beside drums: cannot hear what folk hears")
    fails(seqaudio("probe", "gradients", "drums", "--beside", "folk"), 3, "--beside folk: cannot hear what drums hears")


def test_models_beside_each_other_hear_the_same_music(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    """Whatever their steps are, and whoever wrote it."""
    whole = saved(tmp_path / "whole", BarsTokenizer(), facts=WHOLE_PIECES)
    twin = saved(tmp_path / "twin", BarsTokenizer(), facts=WHOLE_PIECES)
    frames = saved(tmp_path / "frames", frames=FrameFacts())
    beside = ("--beside", twin, "--beside", frames, *PROBES["gradients"], "--json", "a.json")
    shown = seqaudio("probe", "gradients", whole, *beside)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.count("hears 32 bars that it wrote itself (seed 0)") == 1
    assert shown.out.count(f"hears what {whole} hears, 32 bars that it wrote itself (seed 0)") == 2
    first, second, third = json.loads((tmp_path / "a.json").read_text())["models"]
    assert first["pieces"] == second["pieces"]
    (score,) = (hear_own_score(whole),)
    assert third["pieces"][0]["steps"] == len(hear(Checkpoint.load(frames), score))


def hear_own_score(model: Path) -> Score:
    from seqaudio.continuation import Sampling, generate_score, load_engine

    (piece,) = generate_score(load_engine(model), bars=32, seed=0, sampling=Sampling())
    return hear(Checkpoint.load(model), piece.score).score
