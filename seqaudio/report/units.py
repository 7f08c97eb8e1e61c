"""What does one unit of an LSTM do, word by word: what do its gates let through, and what does it hold?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from seqaudio.report.fading import COLOURS, STYLES


def unit_figure(words: Sequence[str], gates: Mapping[str, ArrayLike], state: ArrayLike, title: str) -> Figure:
    """Gates and state of a unit behind each word.

    Args:
        words: that are heard, (steps,).
        gates: by name, 0 shut to 1 open, (steps,) each.
        state: what it holds, (steps,).
        title: of the picture.
    """
    figure = Figure(figsize=(max(8.0, 0.26 * len(words)), 4.4), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[3, 2])
    places = np.arange(len(words))
    for number, (name, values) in enumerate(gates.items()):
        style = STYLES[number % len(STYLES)]
        above.plot(places, np.asarray(values), color=COLOURS[number % len(COLOURS)], ls=style, lw=1.6, label=name)
    above.set_ylim(-0.05, 1.05)
    above.set_yticks([0, 1], ["shut", "open"])
    above.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=9, borderaxespad=0)
    above.set_title(title, loc="right", fontsize=10)
    below.bar(places, np.asarray(state), color="0.35", width=0.8)
    below.axhline(0, color="0.6", linewidth=0.8)
    below.set_ylabel("it holds")
    below.set_xticks(places, list(words), rotation=90, fontsize=8)
    below.set_xlim(-0.6, len(words) - 0.4)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
