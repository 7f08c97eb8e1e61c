"""``seqaudio structure --report``: the figures that the command prints, with the notes that they are about."""

import json
from pathlib import Path

import numpy as np
import pytest

from seqaudio.cli.main import run
from seqaudio.files import write_midi
from tests.report.page.reading import Reader
from tests.samples import tune
from tests.structure.pieces import tune as of_parts


@pytest.fixture
def measured(tmp_path, monkeypatch, capsys):
    """Measure twelve tunes, three of them of the same length; what was printed as JSON, and the page."""
    monkeypatch.chdir(tmp_path)
    Path("music").mkdir()
    for i in range(12):
        write_midi(tune(8 + i % 4, seed=i), Path(f"music/{i:02}.mid"))

    def measure(*arguments):
        line = ["structure", *map(str, arguments), "--json", "--report", "page.html"]
        monkeypatch.setattr("sys.argv", ["seqaudio", *line])
        run(line)
        return json.loads(capsys.readouterr().out), Reader(Path("page.html").read_text(encoding="utf-8"))

    return measure


def test_a_piece_with_a_primer_and_real_music(measured):
    facts, page = measured("music/00.mid", "--primer-bars", 4, "--reference", "music")
    assert page.text_of("h1") == ["Structure of 00.mid"]
    drawn = page.drawings()[0]
    score = tune(8, seed=0)
    assert drawn["roll"]["pitch"] == score.pitch.tolist()
    assert drawn["roll"]["split"] == 4
    assert [kind == 2 for kind in drawn["roll"]["kind"]] == (score.onset >= score.bars()[4]).tolist()
    here, real = drawn["matrices"]
    assert (here["size"], here["split"], real["split"]) == (8, 4, None)
    assert page.text_of("h3")[1].startswith("A real piece: ")
    assert "00.mid" not in page.text_of("h3")[1]
    assert any(text == "Structure, beside 12 pieces of music" for text in page.text_of("h3"))
    ranges = facts["pieces"][0]["real"]["lz_gain"]
    assert any(text.startswith(f"{ranges['low']:.2f} to {ranges['high']:.2f}") for text in page.text_of("td"))


def test_of_many_pieces_all_are_in_the_table_and_eight_are_drawn(measured):
    facts, page = measured("music")
    assert page.text_of("h1") == ["Structure of 12 pieces"]
    assert len(page.drawings()) == 8
    assert all(drawn["roll"]["split"] is None and len(drawn["matrices"]) == 1 for drawn in page.drawings())
    rows = [text for text in page.text_of("th") if text.endswith(".mid")]
    assert rows == [f"{i:02}.mid" for i in range(12)]
    mean = np.mean([row["measures"]["lz_gain"] for row in facts["pieces"]])
    assert f"{mean:.2f}" in page.text_of("td")[:6]
    assert page.text_of("code") == ["seqaudio structure music --json --report page.html"]


def test_sections_and_warnings_are_those_that_are_printed(measured):
    write_midi(of_parts("AABA", 99), Path("aaba.mid"))
    facts, page = measured("aaba.mid")
    assert facts["pieces"][0]["boundaries"] == [8, 16, 24]
    assert any("sections begin at bars 1, 9, 17, 25" in text for text in page.text_of("p"))
    write_midi(of_parts("AAAAA", 99, part_bars=4, varied=0), Path("loop.mid"))
    facts, page = measured("loop.mid")
    (warning,) = facts["pieces"][0]["warnings"]
    assert any(warning in text for tag in ("p", "li") for text in page.text_of(tag))


def test_likeness_of_a_part_says_which_part(measured, monkeypatch):
    monkeypatch.setattr("seqaudio.cli.drawings.MEASURED_BARS", 6)
    _, page = measured("music/00.mid")
    assert page.drawings()[0]["matrices"][0]["size"] == 6
    assert page.text_of("h3")[0] == "00.mid, bars 1 to 6"


def test_a_few_real_pieces_are_said_to_be_few(measured):
    _, page = measured("music", "--reference", "music/00.mid")
    assert "Read beside 1 piece of music/00.mid: too few to say what is usual, it takes 8." in page.text_of("p")
    _, page = measured("music", "--reference", "music")
    assert not any("too few" in text for text in page.text_of("p"))


@pytest.mark.parametrize("bars", [8, 11])
def test_the_real_piece_drawn_has_nearly_as_many_bars(measured, bars):
    """There is one of each length twice or more, so the piece itself is not needed."""
    _, page = measured(f"music/{bars - 8:02}.mid", "--reference", "music")
    here, real = page.drawings()[0]["matrices"]
    assert here["size"] == real["size"] == bars


def test_a_primer_longer_than_the_piece_is_no_cut(measured):
    _, page = measured("music/00.mid", "--primer-bars", 50)
    assert page.drawings()[0]["roll"]["split"] is None


def test_a_page_that_cannot_be_is_refused_first(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        run(["structure", "gone.mid", "--report", "page.pdf"])
    assert ended.value.code == 2
    assert "end the name in .html" in capsys.readouterr().err
