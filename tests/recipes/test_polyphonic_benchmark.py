"""Do all cells meet the same search at the same size, is nothing trained twice, and is the table what the log says?"""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from seqaudio.corpus.frames import FrameCorpus
from seqaudio.errors import CheckpointError, NoNotesError, OptionError
from seqaudio.models.baselines import MarkovKeys
from tests.recipes.loading import loaded

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "recipes" / "polyphonic_benchmark.py"


@pytest.fixture(scope="module")
def recipe():
    with loaded("polyphonic_benchmark") as module:
        yield module


@pytest.fixture(scope="module")
def rolls(tmp_path_factory):
    """Pieces that walk through four chords."""
    generator = np.random.default_rng(1)
    chords = np.zeros((4, 88), bool)
    chords[np.arange(4)[:, None], [[39, 43, 46], [41, 44, 48], [43, 46, 50], [36, 39, 43]]] = True
    walks = {name: np.cumsum(generator.integers(0, 2, (count, 24)), axis=1) % 4 for name, count in SPLITS.items()}
    path = tmp_path_factory.mktemp("rolls") / "Walks.npz"
    np.savez(path, **{name: chords[walk] for name, walk in walks.items()})
    return path


SPLITS = {"train": 6, "valid": 2, "test": 3}


def test_all_cells_meet_the_same_draws_at_the_same_size(recipe, rolls):
    corpus = FrameCorpus.open(rolls)
    for head in recipe.HEADS:
        for number in range(3):
            asked = [
                recipe.experiment(corpus, cell, head, recipe.draw(number), recipe.QUICK_SMALL) for cell in recipe.CELLS
            ]
            assert len({json.dumps(each["setting"]) for each in asked}) == 1
            training = [each["experiment"]["training"] for each in asked]
            assert training[0] == training[1] == training[2]
            models = [
                recipe.ModelConfig.model_validate(each["experiment"]["model"]).model_copy(update={"cell": "?"})
                for each in asked
            ]
            assert len({model.model_copy(update={"hidden_size": 1}) for model in models}) == 1
    assert recipe.draw(0) != recipe.draw(1)


@pytest.fixture(scope="module")
def printed(recipe, rolls, tmp_path_factory):
    """The recipe's output with tiny models, and its folder of results."""
    folder = tmp_path_factory.mktemp("benchmark")
    tiny = dataclasses.replace(
        recipe.SMALL, units=64, steps=recipe.by_head(4, 4), trials=recipe.by_head(2, 1), trial_share=0.5
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "SMALL", tiny)
        patch.setenv("PYTHONPATH", str(PAGE.parent), prepend=":")
        arguments = ["--data", str(rolls), "--seeds", "2", "--jobs", "1", "--out", str(folder), "--runs"]
        first = CliRunner().invoke(recipe.main, [*arguments, str(folder / "runs")], catch_exceptions=False)
        again = CliRunner().invoke(recipe.main, [*arguments, str(folder / "other")], catch_exceptions=False)
    assert first.exit_code == again.exit_code == 0
    return folder, first, again


def test_it_goes_from_a_set_of_rolls_to_the_table(recipe, rolls, printed):
    folder, first, _ = printed
    log = json.loads((folder / "Walks.json").read_text())
    assert len(log["trainings"]) == 3 * (2 + 1) + 2 * 3 * 2  # trials, then two seeds of each cell and head
    assert len({sys.modules["trainings"].key(record) for record in log["trainings"]}) == len(log["trainings"])
    for head in recipe.HEADS:
        sizes = [record["parameters"] for record in log["trainings"] if record["head"] == head]
        assert max(sizes) - min(sizes) <= 0.04 * min(sizes)
    for record in log["trainings"]:
        assert ("test_nats" in record) == ("seed" in record)  # a trial never sees the test pieces
    for cell in recipe.CELLS:  # what validation liked best is what was trained again
        tried = [r for r in log["trainings"] if "trial" in r and recipe.of(r, cell, "independent")]
        chosen = min(tried, key=lambda record: record["valid"])["setting"]
        final = [r for r in log["trainings"] if "seed" in r and recipe.of(r, cell, "independent")]
        assert len(final) == 2
        assert all(record["setting"] == chosen for record in final)
    assert str(rolls.parent) not in (folder / "Walks.json").read_text()

    corpus = FrameCorpus.open(rolls)
    nats = [MarkovKeys(order=0).fit(corpus.split("train")).nats(piece).sum() for piece in corpus.split("test")]
    row = next(line for line in first.stdout.splitlines() if line.startswith("| per-key unigram |"))
    assert f"{sum(nats) / (3 * 23):.3f}" in row
    for words in ("**LSTM, marginal**", "**GRU, joint**", "| RNN, joint | RNN, independent |", "frame PPM"):
        assert words in first.stdout


def test_a_log_of_something_else_is_kept(recipe, rolls, printed):
    folder, _, _ = printed
    before = (folder / "Walks.json").read_bytes()
    with pytest.raises(OptionError, match=r"Walks\.json: of another plan; name another folder with --out"):
        recipe.Bench(recipe.LARGE, str(rolls), FrameCorpus.open(rolls), folder / "Walks.json", folder / "runs")
    assert (folder / "Walks.json").read_bytes() == before


def test_what_the_log_holds_is_not_trained_again(printed):
    folder, first, again = printed
    assert "seeds" in first.stderr
    assert again.stderr == ""
    assert not (folder / "other").exists()
    assert again.stdout == first.stdout == (folder / "Walks.md").read_text() + "\n"


def test_a_setting_of_later_does_not_make_old_trainings_new(printed):
    key = sys.modules["trainings"].key
    record = json.loads((printed[0] / "Walks.json").read_text())["trainings"][0]
    older, other = json.loads(json.dumps([record, record]))
    del older["experiment"]["model"]["memory"], older["experiment"]["training"]["transpose_share"]
    assert older["experiment"] != record["experiment"]
    assert key(older) == key(record)
    other["experiment"]["model"]["memory"] = {"lags": [4]}
    assert key(other) != key(record)


def test_a_table_says_that_seeds_are_missing(recipe, printed):
    log = json.loads((printed[0] / "Walks.json").read_text())
    assert "Not finished" not in recipe.table("Walks", log)
    assert "Not finished" in recipe.table("Walks", log | {"seeds": 3})
    for count in range(len(log["trainings"])):  # a run may be looked at any time
        begun = recipe.table("Walks", log | {"trainings": log["trainings"][:count]})
        assert ("No search." in begun) == (count == 0)


def cut(text, log):
    return text[: len(text) // 2]


def without_a_piece(text, log):
    next(record for record in log["trainings"] if "seed" in record)["test_nats"].pop()


def not_finite(text, log):
    log["trainings"][0]["valid"] = float("nan")


def another_cell(text, log):
    log["trainings"][0]["cell"] = "transformer"


def no_baseline(text, log):
    log["baselines"]["per-key Markov"] = 5


@pytest.mark.parametrize("damage", [cut, without_a_piece, not_finite, another_cell, no_baseline])
def test_a_damaged_log_is_refused(recipe, printed, tmp_path, damage):
    text = (printed[0] / "Walks.json").read_text()
    log = json.loads(text)
    (tmp_path / "log.json").write_text(damage(text, log) or json.dumps(log))
    with pytest.raises(CheckpointError, match=r"log.json: damaged, not a log of the benchmark .*; move it away"):
        recipe.read_log(tmp_path / "log.json")


def test_what_cannot_be_is_told_before_anything_is_trained(recipe, rolls, tmp_path):
    (tmp_path / "file").touch()
    with np.load(rolls) as stored:
        arrays = dict(stored)
    np.savez(tmp_path / "Cut.npz", train=arrays["train"], valid=arrays["valid"], test=arrays["test"][:, :1])
    for data, out, kind in ((rolls, "file", FileExistsError), (tmp_path / "Cut.npz", "new", NoNotesError)):
        arguments = ["--data", str(data), "--out", str(tmp_path / out), "--runs", str(tmp_path / "runs")]
        assert isinstance(CliRunner().invoke(recipe.main, arguments).exception, kind)
    assert CliRunner().invoke(recipe.main, ["--data", str(rolls), "--jobs", "0"]).exit_code == 2
    assert not (tmp_path / "runs").exists()


def test_a_model_is_had_however_short_the_time(recipe, rolls, tmp_path):
    plan = dataclasses.replace(recipe.SMALL, units=64, steps=recipe.by_head(4, 4))
    asked = recipe.experiment(FrameCorpus.open(rolls), "lstm", "independent", recipe.PLAIN, plan)
    record = recipe.train({"seed": 0, **asked}, str(rolls), str(tmp_path), 1e-9)
    assert record["best_epoch"] == 1
    assert len(record["test_nats"]) == 3


def test_baselines_of_any_number_of_keys(recipe):
    frames = np.random.default_rng(0).random((2, 9, 12)) < 0.3
    for make in recipe.BASELINES.values():
        assert np.isfinite(make(12).fit(frames).nats(frames[0])).all()


RESULTS = sorted((ROOT / "docs" / "results" / "polyphonic").glob("*.json"))


@pytest.mark.parametrize("log", RESULTS, ids=lambda path: path.stem)
def test_the_committed_table_is_what_its_log_says(recipe, log):
    text = recipe.table(log.stem, json.loads(log.read_text(encoding="utf-8")))
    assert text == log.with_suffix(".md").read_text(encoding="utf-8")
