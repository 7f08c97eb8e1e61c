"""Is every gate of a unit drawn, with what it holds and the words that it hears?"""

import numpy as np

from seqaudio.report.units import unit_figure


def test_gates_state_and_words_are_drawn() -> None:
    words, draws = ["la", "gata", "es"], np.random.default_rng(0)
    gates = {name: draws.random(3) for name in ("input", "forget", "output")}
    above, below = unit_figure(words, gates, [-1.0, 0.5, 2.0], "unit 3").axes
    assert {line.get_label(): line.get_ydata().tolist() for line in above.lines} == {
        name: values.tolist() for name, values in gates.items()
    }
    assert [bar.get_height() for bar in below.patches] == [-1.0, 0.5, 2.0]
    assert [label.get_text() for label in below.get_xticklabels()] == words
    assert above.get_title(loc="right") == "unit 3"
