"""Tunes with a form, and what destroys it; everything is made from a seed."""

import numpy as np

from seqaudio.music import Score
from seqaudio.structure import Bars

STEPS = (-3, -2, -2, -1, -1, 1, 1, 2, 2, 3)
SCALE = np.array([0, 2, 4, 5, 7, 9, 11])
RHYTHMS = ((2, 2, 2, 2), (2, 1, 1, 2, 2), (1, 1, 1, 1, 2, 2), (3, 1, 2, 2), (2, 2, 3, 1), (1, 1, 2, 1, 1, 2))  # eighths
EIGHTH, BAR = 240, 1920

Bar = list[tuple[int, int, int]]  # onset in the bar, duration, pitch


def passage(bars: int, rng: np.random.Generator) -> list[Bar]:
    """Bars of a random walk over a scale; half of them in one rhythm, as tunes have it."""
    own = RHYTHMS[rng.integers(len(RHYTHMS))]
    degree, made = int(rng.integers(5, 10)), []
    for _ in range(bars):
        rhythm = own if rng.random() < 0.5 else RHYTHMS[rng.integers(len(RHYTHMS))]
        onset, bar = 0, []
        for length in rhythm:
            degree = min(max(degree + int(rng.choice(STEPS)), 0), 14)
            bar.append((onset * EIGHTH, length * EIGHTH, int(60 + 12 * (degree // 7) + SCALE[degree % 7])))
            onset += length
        made.append(bar)
    return made


def bars_of_tune(form: str, seed: int, *, part_bars: int = 8, varied: float = 0.2) -> list[Bar]:
    """A part of eight bars for each letter of the form; a share of the bars of a part that comes back is varied."""
    rng = np.random.default_rng([seed, *map(ord, form)])
    parts: dict[str, list[Bar]] = {}
    made: list[Bar] = []
    for letter in form:
        again = letter in parts
        for bar in parts.setdefault(letter, passage(part_bars, rng)):
            if again and rng.random() < varied:
                place = int(rng.integers(len(bar)))
                bar = [(o, d, p + (i == place)) for i, (o, d, p) in enumerate(bar)]
            made.append(bar)
    return made


def joined(bars: list[Bar], bar_ticks: int = BAR, **facts: object) -> Score:
    """A score of bars, in 4/4 if nothing else is said."""
    notes = [(i * bar_ticks + onset, length, pitch) for i, bar in enumerate(bars) for onset, length, pitch in bar]
    return Score.from_notes(*np.array(notes, dtype=np.int64).reshape(-1, 3).T, **facts)


def tune(form: str = "AABA", seed: int = 0, **options: object) -> Score:
    return joined(bars_of_tune(form, seed, **options))


def shuffled(bars: list[Bar], seed: int, *, keep: int = 0) -> list[Bar]:
    """The bars in another order, the first ``keep`` as they are."""
    order = keep + np.random.default_rng(seed).permutation(len(bars) - keep)
    return bars[:keep] + [bars[i] for i in order]


def markov(training: list[list[Bar]], primer: list[Bar], count: int, seed: int, bar_ticks: int = BAR) -> list[Bar]:
    """The primer and as many bars as make ``count``, drawn note by note from what followed the last three notes."""
    rng = np.random.default_rng(seed)
    follow: dict[tuple, list[tuple[int, int]]] = {}
    for bars in training:
        line = [(d, p) for bar in bars for _, d, p in bar]
        for i, note in enumerate(line):
            for order in range(4):
                follow.setdefault(tuple(line[max(0, i - order) : i]), []).append(note)
    line = [(d, p) for bar in primer for _, d, p in bar]
    time = sum(d for d, _ in line)
    while time < count * bar_ticks:
        choices = next(follow[key] for order in (3, 2, 1, 0) if (key := tuple(line[len(line) - order :])) in follow)
        line.append(choices[rng.integers(len(choices))])
        time += line[-1][0]
    made: list[Bar] = [[] for _ in range(count)]
    time = 0
    for duration, pitch in line:
        if time < count * bar_ticks:
            made[time // bar_ticks].append((time % bar_ticks, duration, pitch))
        time += duration
    return made


def bars_of_score(score: Score) -> list[Bar]:
    """The bars of a score in ticks of 480 to the quarter, notes cut at bar lines."""
    bars = Bars.of_score(score)
    made: list[Bar] = [[] for _ in range(len(bars))]
    columns = (bars.bar.tolist(), bars.start.tolist(), bars.stop.tolist(), bars.pitch.tolist())
    for bar, start, stop, pitch in zip(*columns, strict=True):
        made[bar].append((start * 40, (stop - start) * 40, pitch))
    return made


def from_bar(score, begin, end):
    """The notes of some bars by themselves, in the tempo they had."""
    lines = score.bars()
    here = score.notes((score.onset >= lines[begin]) & (score.onset < lines[end]))
    tempos = score.tempo_map()[np.searchsorted(score.tempo_map()[:, 0], lines[begin], side="right") - 1 :]
    tempos = [(max(0, tick - int(lines[begin])), tempo) for tick, tempo in tempos.tolist() if tick < lines[end]]
    return here.replaced(onset=here.onset - lines[begin], tempos=tempos)
