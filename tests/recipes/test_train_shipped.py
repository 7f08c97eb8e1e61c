"""Do the shipped weights give the figures of their tables and cards, and does the recipe make what it says?"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from seqaudio.corpus.named import standing_corpus
from seqaudio.errors import CheckpointError, OptionError
from seqaudio.files import write_midi
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.models.config import build_model
from seqaudio.models.size import count_parameters
from seqaudio.music.score import Score
from seqaudio.pretrained import SHIPPED, load_model
from seqaudio.report.retention import RANGES, read_ranges
from seqaudio.training.config import check_experiment, load_experiment
from tests.recipes.loading import loaded
from tests.structure.pieces import tune

ROOT = Path(__file__).parents[2]
MODELS, RESULTS = ROOT / "seqaudio" / "pretrained", ROOT / "docs" / "results" / "shipped"
NAMES = ("folk", "songs", "chorales", "drums")
GROOVE = Path(os.environ.get("SEQAUDIO_SHARED", ROOT.parent / "shared")) / "data" / "midi" / "groove"
ROW = re.compile(r"^\| (.+?) \| [\d. M]* \| ([\d.]+) \[", flags=re.M)
SMALL = {
    "model": {"hidden_size": 12, "layers": 1, "dropout": 0.1},
    "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.02, "warmup_steps": 5, "transpose": 2, "threads": 1},
}


@pytest.fixture(scope="module")
def recipe():
    with loaded("train_shipped") as module:
        yield module


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.slow  # corpora are prepared anew; the law itself is tested below on a small folder
@pytest.mark.parametrize("name", NAMES)
def test_evaluate_gives_the_table_again(recipe, name: str, tmp_path: Path) -> None:
    pytest.importorskip("music21", reason="the corpora come with music21")
    if name == "drums" and not GROOVE.is_dir():
        pytest.skip("the Groove MIDI Dataset of shared/data is not here")
    if name == "songs" and standing_corpus("openewld") is None:
        pytest.skip("the corpus openewld is not here; run: seqaudio corpora --fetch openewld")
    shutil.copytree(MODELS / name, tmp_path / "models" / name)
    shutil.copytree(RESULTS, tmp_path / "results")
    command = [sys.executable, str(ROOT / "recipes" / "train_shipped.py"), name, "--evaluate", "--nats-only"]
    command += ["--out", "models", "--results", "results", "--runs", "runs"]
    command += ["--source", str(GROOVE)] if name == "drums" else []
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found, committed = (dict(ROW.findall(text)) for text in (done.stdout, read(RESULTS / f"{name}.md")))
    plain = {plain.row for plain in recipe.SHIPPED[name].plain}
    assert {name, *plain, "PPM", "PPM + copy", "unigram"} <= set(found) == set(committed)
    for row, nats in committed.items():
        assert float(found[row]) == pytest.approx(float(nats), abs=2e-3)
    assert read_ranges(tmp_path / "models" / name / RANGES) == read_ranges(MODELS / name / RANGES)
    assert float(found[name]) < min(float(found[row]) for row in found if row != name)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_and_the_table_are_what_the_log_says(recipe, name: str) -> None:
    page = sys.modules["shipped_page"]
    model, log = recipe.SHIPPED[name], page.read_log(RESULTS / f"{name}.json")
    assert page.table(model, log) == read(RESULTS / f"{name}.md")
    assert page.model_card(model, Checkpoint.load(MODELS / name), log) == read(MODELS / name / "MODEL_CARD.md")
    plain = {plain.row for plain in model.plain}
    assert "plain LSTM" in plain
    assert {"real pieces", "loop", name, *plain} <= {row for row, found in log["rows"].items() if "kept" in found}
    assert len(read_ranges(MODELS / name / RANGES)) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_it_is_sampled_from_as_its_log_chooses(recipe, name: str) -> None:
    log = sys.modules["shipped_page"].read_log(RESULTS / f"{name}.json")
    chosen = sys.modules["shipped_measures"].Measures.chosen(log["choice"])
    assert load_model(name).checkpoint.sampling == {**chosen, "max_turns": 3}


def test_of_several_voices_pairs_without_chords_are_not_chosen(recipe) -> None:
    def tried(gate: float, far: float, chords: float) -> dict:
        kept = {
            "far_repeat_rate": far,
            "primer_recall": 0.2,
            "chord_rate": chords,
            "degenerate": 0.1,
            "curve_error": 0.0,
        }
        return {"sampling": {"gate_temperature": gate}, **kept}

    real = {"far_repeat_rate": 0.2, "primer_recall": 0.2, "chord_rate": 0.9, "degenerate": 0.0}
    pairs = [tried(1.0, 0.2, 0.85), tried(0.5, 0.5, 0.86), tried(0.4, 0.6, 0.9)]
    chosen = sys.modules["shipped_measures"].Measures.chosen
    assert chosen([real, *pairs]) == {"gate_temperature": 0.5}
    assert chosen([real, pairs[0]]) == {"gate_temperature": 1.0}  # the nearest where none has enough


def test_what_cards_say_of_temperature_1_stands_in_the_logs(recipe) -> None:
    rows = {}
    for name in ("songs", "chorales", "drums"):
        log = sys.modules["shipped_page"].read_log(RESULTS / f"{name}.json")
        rows[name] = {found["row"]: found for found in log["choice"]}
    chords = [rows["chorales"][row]["chord_rate"] for row in ("1, gate 1", "real pieces")]
    assert (
        "chords on {:.2f} of the beats of validation pieces, real {:.2f}".format(*chords)
        in recipe.SHIPPED["chorales"].is_not
    )
    error = rows["drums"]["1, gate 1"]["curve_error"]
    assert f"at temperature 1 it has {error:.2f} on validation pieces" in recipe.SHIPPED["drums"].is_not
    words = {"primer recall": "primer_recall", "chords": "chord_rate", "far repeats": "far_repeat_rate"}
    for said, measure in words.items():
        three = [rows["songs"][row][measure] for row in ("0.8, gate 1", "0.9, gate 1", "real pieces")]
        assert (
            f"{said} {three[0]:.2f} in place of {three[1]:.2f} (real {three[2]:.2f})" in recipe.SHIPPED["songs"].is_not
        )


def test_what_the_card_of_songs_says_of_test_pieces_stands_in_its_log(recipe) -> None:
    rows = sys.modules["shipped_page"].read_log(RESULTS / "songs.json")["rows"]

    def mean(row: str, measure: str) -> float:
        return float(np.mean(rows[row]["kept"]["measures"][measure]))

    recall, chords = (
        [mean(row, measure) for row in ("songs", "real pieces")] for measure in ("primer_recall", "chord_rate")
    )
    said = recipe.SHIPPED["songs"].is_not
    assert "({:.2f} of the new bars, real {:.2f})".format(*recall) in said
    assert "have chords ({:.2f}, real {:.2f})".format(*chords) in said


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_small_and_tells_nothing_of_where_it_was_made(name: str) -> None:
    assert name in SHIPPED
    folder = MODELS / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 12e6
    checkpoint = load_model(name).checkpoint
    assert checkpoint.config.cell == "lstm"
    assert checkpoint.memory() is not None
    assert set(checkpoint.facts["sampling"]) == {"temperature", "gate_temperature"}
    config = load_experiment(ROOT / "configs" / f"{name}.yaml")
    assert checkpoint.config == config.model
    assert tuple(checkpoint.facts["sources"]) == config.corpus.sources
    told = json.dumps(checkpoint.facts) + read(folder / "MODEL_CARD.md") + read(RESULTS / f"{name}.json")
    assert not re.search(r"/(work|home|root|tmp|shared)\b", told)


@pytest.mark.parametrize("name", ["songs", "chorales", "drums"])
def test_plain_networks_are_as_large_as_the_model(recipe, name: str) -> None:
    def parameters(asked) -> int:
        vocabulary = len(asked.corpus.options.make_tokenizer().vocabulary)
        with torch.device("meta"):
            return count_parameters(build_model(asked.model, vocabulary))

    wanted, cells = recipe.experiment(name), []
    for plain in recipe.SHIPPED[name].plain:
        asked = recipe.experiment(plain.config, plain.changes)
        assert asked.model.memory is None
        assert asked.training.epochs == wanted.training.epochs
        assert parameters(asked) == pytest.approx(parameters(wanted), rel=0.02)
        cells.append(asked.model.cell)
    assert cells == ["lstm", "rnn"]


def test_drums_are_measured_on_sixteenths(recipe) -> None:
    view = recipe.SHIPPED["drums"].view
    played = Score.from_notes(
        [3, 115, 245, 361], [20, 70, 11, 5], [36, 42, 38, 42], is_drum=True, ticks_per_quarter=480
    )
    seen = view(played)
    assert seen.onset.tolist() == [0, 120, 240, 360]
    assert seen.duration.tolist() == [120] * 4
    assert seen.pitch.tolist() == played.pitch.tolist()
    assert view(seen) == seen


def test_the_temperatures_nearest_to_real_pieces_are_chosen(recipe) -> None:
    def found(far: float, recall: float, error: float, temperature: float, degenerate: float = 0.1) -> dict:
        sampling = {"temperature": temperature, "gate_temperature": 1.0}
        kept = {"far_repeat_rate": far, "primer_recall": recall, "curve_error": error, "degenerate": degenerate}
        return {**kept, "sampling": sampling}

    real = {"far_repeat_rate": 0.5, "primer_recall": 0.4, "degenerate": 0.1}
    tried = [found(0.3, 0.3, 0.02, 0.8), found(0.48, 0.45, 0.03, 0.9), found(0.9, 0.9, 0.0, 1.0)]
    assert recipe.Measures.chosen([real, *tried])["temperature"] == 0.9
    assert recipe.Measures.chosen([real, *tried[::2]])["temperature"] == 0.8  # too much is as wrong as too little
    for loops in (0.25, -0.05):  # more than real pieces, or fewer
        looping = found(0.5, 0.4, 0.0, 1.0, 0.1 + loops)
        assert (recipe.Measures.chosen([real, *tried, looping])["temperature"] == 0.9) == (loops > 0.1)


def test_a_model_is_made_from_a_folder_and_measured_again(recipe, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "tunes").mkdir()
    for seed in range(24):
        write_midi(tune("ABAB", seed=seed), tmp_path / "tunes" / f"{seed:02}.mid")

    def small(config: str, changes: tuple[str, ...] = (), source: str | None = None):
        options = {"melody": True, "valid_share": 0.25, "test_share": 0.25}
        corpus = {"prepared": "prepared/small", "sources": [source or "music21:oneills"], "options": options}
        memory = {"lags": [2], "counters": [2]} if config == "folk" else None
        return check_experiment({**SMALL, "corpus": corpus, "model": {**SMALL["model"], "memory": memory}})

    measures = sys.modules["shipped_measures"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recipe, "experiment", small)
    monkeypatch.setattr(measures, "TRIED", 2)
    monkeypatch.setattr(measures, "OUTPUTS", 1)
    monkeypatch.setattr(measures, "GATE_TEMPERATURES", (0.7, 1.0))
    monkeypatch.setattr(sys.modules["shipped_page"], "RESAMPLES", 50)
    folk = recipe.SHIPPED["folk"]
    monkeypatch.setitem(
        recipe.SHIPPED, "folk", recipe.replace(folk, bars=4, lengths=((4, 8), (8, 12)), temperatures=(0.8,))
    )
    command = ["folk", "--source", "tunes", "--runs", "runs", "--out", "models", "--results", "results"]
    done = CliRunner().invoke(recipe.main, command)
    assert done.exit_code == 0, done.output
    checkpoint = Checkpoint.load("models/folk")
    assert checkpoint.facts["sources"] == ["music21:oneills"] == checkpoint.facts["experiment"]["corpus"]["sources"]
    assert checkpoint.sampling["temperature"] == 0.8
    log = json.loads(read(Path("results/folk.json")))
    assert [tried["row"] for tried in log["choice"]] == ["real pieces", "0.8, gate 0.7", "0.8, gate 1"]
    assert checkpoint.facts["sampling"] == recipe.Measures.chosen(log["choice"])
    assert log["rows"]["folk"]["nats"] != log["rows"]["plain LSTM"]["nats"]
    card = read(Path("models/folk/MODEL_CARD.md"))
    assert f"temperature 0.8, its gate at {checkpoint.sampling['gate_temperature']:g}" in card
    assert str(tmp_path) not in card

    shutil.rmtree("runs")  # the plain networks are in the log alone now
    again = CliRunner().invoke(recipe.main, [*command, "--evaluate", "--nats-only"])
    assert again.exit_code == 0, again.output
    after = json.loads(read(Path("results/folk.json")))
    assert after["rows"].keys() == log["rows"].keys()
    for row, found in log["rows"].items():
        assert after["rows"][row].get("kept") == found.get("kept")
        np.testing.assert_allclose(after["rows"][row].get("nats", []), found.get("nats", []), atol=0.02)

    monkeypatch.setattr(measures, "GATE_TEMPERATURES", (0.5,))
    anew = CliRunner().invoke(recipe.main, [*command, "--evaluate", "--choose"])
    assert anew.exit_code == 0, anew.output
    assert [tried["row"] for tried in json.loads(read(Path("results/folk.json")))["choice"]][1:] == ["0.8, gate 0.5"]
    chosen, weights = Checkpoint.load("models/folk"), checkpoint.build().state_dict()
    assert chosen.facts["sampling"] == {"temperature": 0.8, "gate_temperature": 0.5}
    assert all(torch.equal(value, weights[name]) for name, value in chosen.build().state_dict().items())
    assert "its gate at 0.5" in read(Path("models/folk/MODEL_CARD.md"))

    os.remove("results/folk.json")
    with pytest.raises(CheckpointError, match="neither a run in runs nor a row of the log"):
        CliRunner().invoke(recipe.main, [*command, "--evaluate"], catch_exceptions=False)
    for option in ("--nats-only", "--choose"):
        with pytest.raises(OptionError, match="goes with --evaluate"):
            CliRunner().invoke(recipe.main, ["folk", option], catch_exceptions=False)


def test_a_damaged_log_is_refused(recipe, tmp_path: Path) -> None:
    (tmp_path / "folk.json").write_text('{"rows": {"folk": {"nats": [1]}}, "test": {"notes": [1, 2]}}')
    with pytest.raises(CheckpointError, match="damaged, not a log of train_shipped"):
        sys.modules["shipped_page"].read_log(tmp_path / "folk.json")
