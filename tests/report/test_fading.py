"""The picture of fading gradients: of the kind its name says, the same twice, other where it shows something else."""

from pathlib import Path

import numpy as np
import pytest

from seqaudio.errors import OptionError
from seqaudio.memory.fading import fading
from seqaudio.report.fading import Line, draw_fading, fading_figure
from tests.memory.test_fading import norms_of


def test_a_picture_is_the_same_twice_and_differs_by_what_it_shows(tmp_path: Path):
    one, two = (fading(norms_of([rate, rate + 0.05]), ("h", "c"), resamples=50) for rate in (0.9, 0.6))
    pictures = {
        "one": [Line("a", one)],
        "again": [Line("a", one)],
        "two": [Line("a", one), Line("b", two)],
        "fresh": [Line("a", one), Line("b", two, fresh=True)],
    }
    for name, lines in pictures.items():
        draw_fading(lines, tmp_path / f"{name}.png")
    read = {name: (tmp_path / f"{name}.png").read_bytes() for name in pictures}
    assert read["one"] == read["again"]
    assert len(set(read.values())) == 3
    assert all(data.startswith(b"\x89PNG") for data in read.values())
    draw_fading([Line("nothing", fading([np.zeros((3, 1, 1, 1))], ("h",)))], tmp_path / "n.svg")
    with pytest.raises(OptionError, match="end the name in"):
        draw_fading([Line("a", one)], tmp_path / "a.gif")


def test_the_legend_says_what_the_table_says():
    figure = fading_figure([Line("a", fading(norms_of([0.9]), ("h",)))])
    label = figure.axes[0].lines[0].get_label()
    lags = norms_of([0.9])[0].shape[1]
    assert label == f"a: half-life 7.6, {0.9 ** (lags - 1):.2f} left at lag {lags}"
