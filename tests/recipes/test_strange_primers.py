"""Are played and strange pieces counted as such, and is what cannot be used passed over?"""

import numpy as np
import pytest
from click.testing import CliRunner

from seqaudio.files import write_midi
from seqaudio.models.config import ModelConfig
from tests.recipes.loading import loaded
from tests.samples import model_folder, tune

LATE = np.array([0, 35, 20, -30, 30])


@pytest.fixture(scope="module")
def recipe():
    with loaded("strange_primers") as module:
        yield module


@pytest.fixture
def folder(tmp_path):
    """Two tunes as they are written, two as they were played, and what is of no use."""
    (tmp_path / "mixed").mkdir()
    for number in range(4):
        score = tune(20, seed=number)
        if number % 2:
            score = score.replaced(onset=np.maximum(score.onset + np.resize(LATE, len(score)), 0))
        write_midi(score, tmp_path / "mixed" / f"{number}.mid")
    write_midi(tune(7), tmp_path / "mixed" / "short.mid")
    write_midi(tune(4).replaced(onset=tune(4).onset + 9 * 1920), tmp_path / "mixed" / "late.mid")
    (tmp_path / "mixed" / "broken.mid").write_bytes(b"MThd")
    return tmp_path


@pytest.fixture
def model(folder):
    """A model of straight lines that is surprised by whatever costs more than 5 nats a note."""
    from dataclasses import replace

    from seqaudio.models.checkpoint import WEIGHTS, Checkpoint
    from seqaudio.models.onnx_graph import write_graph

    home = model_folder(folder / "model", ModelConfig(cell="gru", hidden_size=8, layers=1))
    facts = {"between": 0.0, "beginnings": {"pieces": 9, "median": 3.0, "most": 5.0}}
    replace(Checkpoint.load(home), facts=facts).save(home / WEIGHTS)
    write_graph(home)
    return home


def test_the_page_counts_what_is_played_and_strange(recipe, folder, model):
    asked = [str(model), f"mixed={folder / 'mixed'}", "--out", str(folder / "page.md")]
    result = CliRunner().invoke(recipe.main, asked, catch_exceptions=False)
    page = (folder / "page.md").read_text()
    assert result.stdout == page + "\n"
    (row,) = (line for line in page.splitlines() if line.startswith("| mixed |"))
    pieces, _, _, strange, played, chosen = (cell.strip() for cell in row.split("|")[2:8])
    assert (pieces, strange, played, chosen) == ("4", "100%", "50%", "0%")
    before, straight = (line.split("|") for line in page.splitlines() if line.startswith("| mixed, "))
    assert before[1].strip() == "mixed, as played"
    assert straight[1].strip() == "mixed, heard straight"
    assert before[2] != straight[2]


@pytest.mark.parametrize(
    ("music", "words"), [("pop", "give NAME=SOURCE"), ("pop={folder}/nothing", "no music; name a folder")]
)
def test_wrong_sources_are_told(recipe, folder, model, music, words):
    from seqaudio.errors import SeqAudioError

    with pytest.raises(SeqAudioError, match=words):
        CliRunner().invoke(recipe.main, [str(model), music.format(folder=folder)], catch_exceptions=False)
