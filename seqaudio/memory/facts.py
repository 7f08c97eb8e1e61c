"""What could a unit follow? Facts of the music at each step that a model hears: place, section, key, pitch, loudness.

Conventions: a fact is a number for each step, (steps,): a quantity, or a class where ``classes`` says so. What a unit
has to do with it is told within pieces: classes such as sections are numbered for each piece by itself, and are never
joined over pieces where ``of_piece`` says so. Bars before the first whole one are not counted in groups of bars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seqaudio.memory.heard import Heard
from seqaudio.music.keys import keys_of
from seqaudio.structure import Bars, boundaries
from seqaudio.structure.bars import DRUM
from seqaudio.structure.similarity import MOST_BARS

Floats = NDArray[np.float64]
IntArray = NDArray[np.int64]

PLACES_PER_QUARTER = 4
KEY_REACH = 1  # bars on either side whose notes tell the key of a bar


@dataclass(frozen=True)
class Fact:
    """Something that is known of each step.

    Attributes:
        values: a number for each step, (steps,).
        classes: the numbers name classes.
        of_piece: a class is of this piece alone, as a section is.
        cycle: after how many bars it comes again, if it does so by itself; else 0.
        rises: it rises throughout each piece.
    """

    values: Floats
    classes: bool = False
    of_piece: bool = False
    cycle: int = 0
    rises: bool = False


def facts_of(heard: Heard) -> dict[str, Fact]:
    """What is known of a piece, by name; without bars, pitches or loudness, what needs them is left out."""
    found = {"place in the piece": Fact(np.arange(len(heard), dtype=np.float64), rises=True)}
    if len(heard.bar):
        found |= _of_bars(heard)
    if (heard.pitch >= 0).any():
        pitch = _from_first(heard.pitch)
        found["pitch"] = Fact(pitch)
        if len(heard.bar):
            found["register (mean pitch of the bar)"] = Fact(_means(pitch, heard.bar))
    if len(np.unique(heard.loudness[heard.loudness >= 0])) > 1:
        found["loudness"] = Fact(_from_first(heard.loudness))
    return found


def _of_bars(heard: Heard) -> dict[str, Fact]:
    """Place in the bar and in groups of bars, section and key."""
    length = np.diff(heard.score.bars())
    pickup = len(length) > 1 and length[0] < length[1]
    number = heard.bar - int(pickup)
    place = np.rint(heard.quarters * PLACES_PER_QUARTER)
    found = {"place in the bar": Fact(place, classes=True, cycle=1)}
    for group in (4, 8):
        found[f"bar of {group}"] = Fact((number % group).astype(np.float64), classes=True, cycle=group)
    if len(length) > MOST_BARS:
        return found
    bars = Bars.of_score(heard.score)
    section_of_bar = np.searchsorted(boundaries(bars), np.arange(bars.count), side="right")
    weights = _pitch_classes(bars)
    of_section = np.zeros((int(section_of_bar.max(initial=0)) + 1, 12))
    np.add.at(of_section, section_of_bar, weights)
    around = np.stack([weights[max(0, bar - KEY_REACH) : bar + KEY_REACH + 1].sum(axis=0) for bar in range(bars.count)])
    by_bar = {
        "section": Fact(section_of_bar.astype(np.float64), classes=True, of_piece=True),
        "key of the section": Fact(keys_of(of_section)[section_of_bar].astype(np.float64), classes=True),
        "key around the bar": Fact(keys_of(around).astype(np.float64), classes=True),
    }
    return found | {name: Fact(fact.values[heard.bar], fact.classes, fact.of_piece) for name, fact in by_bar.items()}


def _pitch_classes(bars: Bars) -> Floats:
    """How long each pitch class sounds in each bar, (bars, 12); drums have none."""
    pitched = bars.pitch < DRUM
    weights = np.zeros((bars.count, 12))
    np.add.at(weights, (bars.bar[pitched], bars.pitch[pitched] % 12), (bars.stop - bars.start)[pitched])
    return weights


def _from_first(values: IntArray) -> Floats:
    """Values, with the first that is known in front of it."""
    known = np.flatnonzero(values >= 0)
    return np.where(values >= 0, values, values[known[0]]).astype(np.float64)


def _means(values: Floats, label: IntArray) -> Floats:
    """The mean over each label, at each place of it."""
    means: Floats = (np.bincount(label, weights=values) / np.maximum(np.bincount(label), 1))[label]
    return means


def blocks_of_bars(heard: Heard, cycle: int) -> IntArray:
    """A piece in blocks of two cycles of so many bars: the steps of each, from the first on.

    What is left at the end, less than two cycles, is part of the last block.
    """
    starts = 2 * cycle * np.arange(max((int(heard.bar[-1]) + 1) // (2 * cycle), 1))
    first = np.searchsorted(heard.bar, starts)
    first[0] = 0
    sizes: IntArray = np.diff(np.append(first, len(heard)))
    return sizes[sizes > 0]
