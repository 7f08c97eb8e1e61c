"""Is every line of recall drawn, one colour for a name in all pictures?"""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from seqaudio.errors import OptionError
from seqaudio.memory.half_lag import recall_of_seeds
from seqaudio.report.recalls import draw_recall, recall_figure

DISTANCES = (0, 1, 2, 4, 8)


def lines(*names):
    draws = np.random.default_rng(3)
    return {name: recall_of_seeds(DISTANCES, draws.random((3, 5)), 0.1) for name in names}


def test_every_line_is_drawn_with_its_interval() -> None:
    made = {"music": (lines("folk", "rnn"), "bars"), "motif": (lines("rnn"), "bars")}
    first, second = recall_figure(made).axes
    assert [axes.get_title(loc="left") for axes in (first, second)] == ["music", "motif"]
    for axes, (told, _) in zip((first, second), made.values(), strict=True):
        drawn = {line.get_label().partition(":")[0]: line for line in axes.lines}
        for name, found in told.items():
            assert drawn[name].get_ydata().tolist() == found.recall.tolist()
        assert len(axes.collections) == len(told)
    colours = [
        to_hex(line.get_color()) for axes in (first, second) for line in axes.lines if line.get_label()[:3] == "rnn"
    ]
    assert len(colours) == 2
    assert len(set(colours)) == 1


def test_it_is_written_as_its_suffix_says(tmp_path: Path) -> None:
    draw_recall({"motif": (lines("lstm"), "bars")}, tmp_path / "recall.svg")
    assert "<svg" in (tmp_path / "recall.svg").read_text()
    with pytest.raises(OptionError, match="end the name"):
        draw_recall({"motif": (lines("lstm"), "bars")}, tmp_path / "recall.txt")
