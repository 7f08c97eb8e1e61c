"""The picture of a continuation: of the kind its name says, the same for the same notes, the notes in their places."""

import re
import time

import numpy as np
import pytest
from matplotlib.image import imread

from seqaudio.errors import BadFileError, OptionError
from seqaudio.music.score import Score
from seqaudio.report.pianoroll import NEW, PRIMER, draw_continuation
from tests.samples import tune

BEGINS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}


@pytest.mark.parametrize("suffix", BEGINS)
@pytest.mark.parametrize("primer", [None, tune(3), tune(40), tune(2, (6, 8), tpq=96), Score.from_notes([], [], [])])
def test_format(tmp_path, suffix, primer):
    path = tmp_path / f"roll.{suffix}"
    draw_continuation(tune(4), path, primer)
    assert path.read_bytes().startswith(BEGINS[suffix])


def test_suffix_in_capitals(tmp_path):
    draw_continuation(tune(2), tmp_path / "ROLL.PNG")
    assert (tmp_path / "ROLL.PNG").read_bytes().startswith(BEGINS["png"])


@pytest.mark.parametrize("suffix", BEGINS)
def test_same_notes_same_bytes(tmp_path, suffix):
    one, two, other = (tmp_path / f"{name}.{suffix}" for name in ("one", "two", "other"))
    draw_continuation(tune(4), one, tune(2))
    time.sleep(1.1)  # a date inside would differ, even one to the second
    draw_continuation(tune(4), two, tune(2))
    draw_continuation(tune(4, seed=1), other, tune(2))
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("name", ["roll.gif", "roll", "roll.png.txt", "roll.jpg"])
def test_refused_suffix(tmp_path, name):
    with pytest.raises(OptionError, match=r"end the name in \.png, \.svg, \.pdf"):
        draw_continuation(tune(2), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_made(tmp_path):
    draw_continuation(tune(2), tmp_path / "new" / "rolls" / "roll.png")
    assert (tmp_path / "new" / "rolls" / "roll.png").is_file()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "none").write_text("a file")
    with pytest.raises(BadFileError, match="cannot be written"):
        draw_continuation(tune(2), tmp_path / "none" / "roll.png")


def colour(text):
    return np.array([int(text[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def columns_of(path, wanted):
    """Which columns of the notes' area hold a colour."""
    image = imread(path)[60:, :, :3]  # below the legend
    return np.flatnonzero((np.abs(image - colour(wanted)).max(axis=2) < 0.02).any(axis=0))


def test_primer_to_the_left_and_new_notes_to_the_right(tmp_path):
    draw_continuation(tune(4), tmp_path / "roll.png", tune(4))
    primer, new = columns_of(tmp_path / "roll.png", PRIMER), columns_of(tmp_path / "roll.png", NEW)
    assert len(primer)
    assert primer.max() < new.min()
    assert np.ptp(primer) == pytest.approx(np.ptp(new), rel=0.05)  # four bars each


def test_without_primer_only_new_notes(tmp_path):
    draw_continuation(tune(4), tmp_path / "roll.png")
    assert not len(columns_of(tmp_path / "roll.png", PRIMER))
    assert len(columns_of(tmp_path / "roll.png", NEW))


def test_only_the_end_of_a_long_primer(tmp_path):
    """16 bars of it, so that four new bars are a fifth of the picture."""
    draw_continuation(tune(4), tmp_path / "roll.png", tune(200))
    primer, new = columns_of(tmp_path / "roll.png", PRIMER), columns_of(tmp_path / "roll.png", NEW)
    assert np.ptp(new) / np.ptp(primer) == pytest.approx(4 / 16, rel=0.1)


def test_each_section_of_a_form_has_its_letter_where_it_begins(tmp_path):
    """And none that lies before what is drawn."""
    path, primer = tmp_path / "roll.svg", tune(20)
    draw_continuation(tune(8), path, primer, sections=[(0, "A"), (8, "Q"), (20, "B"), (24, "C")])
    text = path.read_text()
    assert [letter for letter in "AQBC" if re.search(rf"<!--  {letter} -->", text)] == ["Q", "B", "C"]
    lines = re.findall(r'd="M ([\d.]+) [\d.]+ *\n? *L \1 [\d.]+ *\n?" [^>]*stroke-dasharray', text)
    bar = (float(lines[2]) - float(lines[1])) / 4
    assert (float(lines[1]) - float(lines[0])) / bar == pytest.approx(12, abs=0.01)


def test_every_note_is_drawn(tmp_path):
    path = tmp_path / "roll.svg"
    draw_continuation(tune(4), path)
    boxes = re.findall(rf"fill: {NEW}", path.read_text())
    assert len(boxes) >= len(tune(4))
