"""Are shares of bars those that are heard, behind a pickup too, and does the page say what was measured?"""

import numpy as np
import pytest
from click.testing import CliRunner

from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import NoNotesError
from tests.recipes.loading import loaded
from tests.samples import MELODY, tune, write_corpus

BAR = 1920


@pytest.fixture(scope="module")
def recipe():
    with loaded("forms") as module:
        yield module


def in_sections(letters, *, bars=8, pickup=False, other=()):
    """A tune by the letters of its sections; bars of another tune at some places, counted behind the pickup."""
    parts = {letter: tune(bars, seed=ord(letter)) for letter in {*letters, "?"}}
    places = [(letter, bar) for letter in letters for bar in range(bars)]
    for place in other:
        places[place] = ("?", place % bars)
    notes = []
    for number, (letter, bar) in enumerate(places):
        part = parts[letter]
        here = (part.onset >= bar * BAR) & (part.onset < (bar + 1) * BAR)
        notes.append(
            np.column_stack([part.onset[here] + (number - bar + pickup) * BAR, part.duration[here], part.pitch[here]])
        )
    if pickup:
        notes.insert(0, np.array([[BAR - 240, 240, 61]]))
    onset, duration, pitch = np.concatenate(notes).T
    return tune(1).replaced(
        onset=onset, duration=duration, pitch=pitch,
        velocity=np.full(len(onset), 80), program=np.zeros(len(onset), int),
        is_drum=np.zeros(len(onset), bool), track=np.zeros(len(onset), int),
    )  # fmt: skip


@pytest.mark.parametrize("pickup", [False, True])
def test_shares_of_bars_are_those_that_are_the_same(recipe, pickup):
    asked = [("AABA", ()), ("AABA", (9, 30, 31)), ("ABCD", ()), ("AAAA", (20,))]
    found = [recipe.measured(in_sections(letters, pickup=pickup, other=other))[:3] for letters, other in asked]
    assert found == [[1, 1, 0], [7 / 8, 6 / 8, 0], [0, 0, 0], [1, 1, 7 / 8]]


def test_pieces_are_cut_behind_their_pickup_and_short_ones_left_out(recipe, tmp_path, monkeypatch):
    scores = [in_sections("AABAC"), in_sections("AABAC", pickup=True), in_sections("AAB"), in_sections("AABAA")]
    pieces = [MELODY.encode(score) for score in scores]
    corpus = PreparedCorpus.open(write_corpus(tmp_path / "prepared", pieces[:1], pieces[1:]))
    monkeypatch.setattr(PreparedCorpus, "split", lambda self, name: pieces)
    kept = recipe.long_pieces(corpus, 10)
    assert [len(score.bars()) - 1 for score in kept] == [32, 33, 32]
    assert recipe.long_pieces(corpus, 1)[0] == kept[0]
    monkeypatch.setattr(PreparedCorpus, "split", lambda self, name: pieces[2:3])
    with pytest.raises(NoNotesError, match="no test piece of 32 bars"):
        recipe.long_pieces(corpus, 10)


def test_the_page_has_a_row_for_each_way_to_go_on(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "VARIATIONS", (0.0,))
    pieces = [MELODY.encode(in_sections(letters)) for letters in ("AABBC", "ABABA", "AACCD")]
    monkeypatch.setattr(PreparedCorpus, "split", lambda self, name: pieces)
    folder = write_corpus(tmp_path / "prepared", pieces, pieces)
    done = CliRunner().invoke(recipe.main, [str(folder), "--out", str(tmp_path / "forms.md")], catch_exceptions=False)
    page = (tmp_path / "forms.md").read_text()
    assert page.strip() in done.output
    rows = {
        line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in page.splitlines() if line.startswith("| ")
    }
    assert list(rows) == [
        *("", "real pieces"),
        *(f"{words}, {way}" for words in recipe.MODELS.values() for way in ("freely", "AABA, variation 0")),
    ]  # fmt: skip
    assert rows["real pieces"][0].startswith("0.67 ")
    for words in recipe.MODELS.values():
        assert rows[f"{words}, AABA, variation 0"][:2] == ["1.00 [1.00, 1.00]"] * 2
    assert "3 test pieces" in page
    assert f"Command: `python recipes/forms.py {folder} --pieces 100 --seed 0`" in page
