"""Does probe recall say what the library finds, and refuse what it cannot do?"""

import json
from pathlib import Path

import pytest

from seqaudio.files import write_midi
from seqaudio.memory.half_lag import recall_of_motifs
from seqaudio.memory.lines import line_of
from seqaudio.memory.motifs import motif_nats
from seqaudio.memory.recall import Practice
from seqaudio.memory.task_probe import probe_task
from seqaudio.memory.tasks import Motif
from seqaudio.models.checkpoint import Checkpoint, FrameFacts, weights_of
from seqaudio.models.config import ModelConfig
from tests.cli.test_commands import fails, seqaudio  # noqa: F401
from tests.samples import MELODY, model_folder, random_model, tune


@pytest.fixture
def tunes(tmp_path: Path) -> list[Path]:
    """Two tunes of other lengths."""
    paths = [tmp_path / f"tune{bars}.mid" for bars in (8, 9)]
    for seed, path in enumerate(paths):
        write_midi(tune(8 + seed, seed=seed), path)
    return paths


@pytest.fixture
def models(tmp_path: Path) -> tuple[Path, Path]:
    """Two models of other cells."""
    gru = model_folder(tmp_path / "gru", ModelConfig(cell="gru", hidden_size=8, layers=1))
    return gru, model_folder(tmp_path / "rnn", ModelConfig(cell="rnn", hidden_size=10, layers=1))


def test_recall_is_that_of_the_library(seqaudio, models, tunes, tmp_path: Path) -> None:  # noqa: F811
    gru, rnn = models
    asked = ("--task", "music", "--task", "motif", "--steps", 2, "--seeds", 1, "--parameters", 6000, "--seed", 3)
    result = seqaudio("probe", "recall", gru, *tunes, "--beside", rnn, *asked, "--json", "a.json", "--plot", "a.png")
    assert (result.code, result.err) == (0, "")
    facts = json.loads((tmp_path / "a.json").read_text())
    for row, folder in zip(facts["models"], models, strict=True):
        checkpoint = Checkpoint.load(folder)
        lines = [line_of(checkpoint, MELODY.encode(tune(8 + seed, seed=seed))) for seed in range(2)]
        found = motif_nats(checkpoint.build(), lines, seed=3)
        assert row["model"] == str(folder)
        assert row["heard"] == found.heard.tolist()
        assert row["recall"] == recall_of_motifs(found, seed=3).recall.tolist()
    report = probe_task(Motif(), ["gru", "rnn"], parameters=6000, seeds=1, practice=Practice(steps=2, seed=3))
    assert facts["tasks"] == {"motif": report.facts()}
    assert "motif not heard" in result.out
    assert "gru, chrono" in result.out
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_tasks_alone_need_no_music_and_refuse_it(seqaudio, models, tunes) -> None:  # noqa: F811
    asked = ("--task", "motif", "--steps", 1, "--seeds", 1, "--parameters", 6000, "--no-chrono")
    result = seqaudio("probe", "recall", models[1], *asked)
    assert result.code == 0
    assert "hears" not in result.out
    assert "lstm " in result.out  # beside an rnn
    fails(seqaudio("probe", "recall", models[1], *tunes, *asked), 2, "FILES are heard for --task music alone")


def test_distances_of_two_kinds_cannot_stand_in_one_table(seqaudio, models, tunes, tmp_path: Path) -> None:  # noqa: F811
    config = ModelConfig(hidden_size=6, layers=1, head="bernoulli")
    frames = Checkpoint(config, None, weights_of(random_model(config, keys=88, seed=1)), frames=FrameFacts())
    frames.save(tmp_path / "frames")
    asked = ("--task", "music", "--beside", tmp_path / "frames")
    result = seqaudio("probe", "recall", models[0], *tunes, *asked)
    fails(result, 2, "its distances are in frames", "in bars")
