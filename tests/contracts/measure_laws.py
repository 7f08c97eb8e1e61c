"""What every measure of a score promises, one law to a function: each takes evaluations or a score to make them of."""

import math

import numpy as np

from seqaudio.music import Score
from seqaudio.music.score import NOTE_COLUMNS
from seqaudio.structure.evaluation import MEASURES, evaluate


def all_measures(score: Score, primer_bars: int = 2) -> dict[str, float]:
    return evaluate(score, primer_bars)


def they_are_numbers_within_their_range(values: dict[str, float]) -> None:
    assert list(values) == list(MEASURES)
    for name, value in values.items():
        measure = MEASURES[name]
        assert type(value) is float, name
        if math.isnan(value):
            assert measure.undefined, name
        else:
            assert math.isfinite(value), name
            assert measure.low - 1e-9 <= value <= measure.high + 1e-9, (name, value)


def they_are_the_same(values: dict[str, float], others: dict[str, float]) -> None:
    assert list(values) == list(others)
    for name, value in values.items():
        other = others[name]
        same = math.isnan(other) if math.isnan(value) else math.isclose(value, other, abs_tol=1e-9)
        assert same, (name, value, other)


def in_another_key(score: Score) -> Score | None:
    """The score a fourth up, or down, or None where it fits neither way."""
    pitch = score.pitch[~score.is_drum]
    for semitones in (5, -5):
        if not len(pitch) or 0 <= pitch.min() + semitones <= pitch.max() + semitones <= 127:
            return score.transposed(semitones)
    return None


def at_another_resolution(score: Score, times: int) -> Score:
    """The same music in ticks that are ``times`` finer."""
    return Score(
        score.ticks_per_quarter * times,
        score.onset * times,
        score.duration * times,
        *(getattr(score, name) for name in NOTE_COLUMNS[2:]),
        tempos=score.tempos * [times, 1],
        time_signatures=score.time_signatures * [times, 1, 1],
        pedals=score.pedals * [times, times, 1],
        track_names=score.track_names,
    )


def at_another_tempo(score: Score) -> Score:
    return score.replaced(tempos=[(0, 777_777), (score.end // 2, 1_234)])


def in_another_order(score: Score, seed: int) -> Score:
    """The same notes, handed over in another order."""
    order = np.random.default_rng(seed).permutation(len(score))
    return score.replaced(**{name: getattr(score, name)[order] for name in NOTE_COLUMNS})


def louder_on_another_instrument(score: Score) -> Score:
    return score.replaced(velocity=np.full(len(score), 127), program=np.full(len(score), 40))
