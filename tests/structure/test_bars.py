"""Laws of bars: notes cut at bar lines as a slow reading cuts them, near ones drawn to the line, nothing lost."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.errors import OptionError
from seqaudio.music import Score
from seqaudio.music.frames import score_of_frames
from seqaudio.structure import Bars
from tests.contracts.any_scores import scores


def rows(bars: Bars) -> list[tuple[int, ...]]:
    return list(zip(bars.bar.tolist(), bars.start.tolist(), bars.stop.tolist(), bars.pitch.tolist(), strict=True))


@st.composite
def on_the_grid(draw: st.DrawFn) -> Score:
    """Notes on sixteenths in a metre of whole quarters, which may change."""
    notes = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40), st.integers(60, 64)), max_size=12))
    metres = draw(st.lists(st.tuples(st.integers(0, 10), st.integers(2, 5)), max_size=3))
    return Score.from_notes(
        *np.array([(o * 120, d * 120, p) for o, d, p in notes], dtype=np.int64).reshape(-1, 3).T,
        is_drum=[p == 64 for _, _, p in notes],
        time_signatures=[(quarter * 480, beats, 4) for quarter, beats in metres],
    )


def slow(score: Score) -> list[tuple[int, ...]]:
    """Each note step by step: the bar and the place of every fortieth of a quarter that it sounds in."""
    lines = score.bars().tolist()
    found = set()
    columns = (score.onset.tolist(), score.duration.tolist(), score.pitch.tolist(), score.is_drum.tolist())
    for onset, duration, pitch, drum in zip(*columns, strict=True):
        places: dict[int, list[int]] = {}
        for step in range(onset // 40, (onset + duration) // 40):
            bar = max(i for i, line in enumerate(lines) if line <= step * 40)
            places.setdefault(bar, []).append(step - lines[bar] // 40)
        for bar, steps in places.items():
            found.add((bar, min(steps), max(steps) + 1, pitch + 128 * drum))
    return sorted(found, key=lambda row: (row[0], row[1], row[3], row[2]))


@settings(max_examples=200)
@given(on_the_grid())
def test_notes_are_cut_at_bar_lines_as_a_slow_reading_does(score: Score) -> None:
    assert rows(Bars.of_score(score)) == slow(score)
    assert len(Bars.of_score(score)) == len(score.bars()) - 1


@settings(max_examples=80)
@given(scores())
def test_any_score_has_bars_in_order_with_every_note_in_them(score: Score) -> None:
    bars = Bars.of_score(score)
    assert rows(bars) == sorted(set(rows(bars)), key=lambda row: (row[0], row[1], row[3], row[2]))
    assert (bars.start < bars.stop).all()
    assert (bars.start >= 0).all()
    if len(score):
        assert bars.bar.max() < bars.count == len(bars.length)
        assert set(bars.pitch.tolist()) == set(np.where(score.is_drum, 128, 0) + score.pitch)


def test_a_note_is_struck_once() -> None:
    held = Bars.of_score(Score.from_notes([480, 1920], [5000, 480], [60, 60]))
    assert list(zip(held.bar.tolist(), held.start.tolist(), held.begins.tolist(), strict=True)) == [
        (0, 12, True),
        (1, 0, True),
        (1, 0, False),
        (2, 0, False),
    ]


def test_a_note_just_before_the_line_is_in_the_bar_behind_it() -> None:
    early = Score.from_notes([1910, 3840], [480, 480], [60, 62])
    assert rows(Bars.of_score(early)) == [(1, 0, 12, 60), (2, 0, 12, 62)]
    late_end = Score.from_notes([1440, 1920], [490, 480], [60, 62])
    assert rows(Bars.of_score(late_end)) == [(0, 36, 48, 60), (1, 0, 12, 62)]


def test_a_roll_has_the_bars_of_its_score() -> None:
    frames = np.random.default_rng(0).random((50, 12)) < 0.3
    of_frames = Bars.of_frames(frames, 8)
    of_score = Bars.of_score(score_of_frames(frames, 0, 2))
    assert [(b, 6 * a, 6 * e, p) for b, a, e, p in rows(of_frames)] == rows(of_score)
    assert len(of_frames) == 7
    with pytest.raises(OptionError, match="steps_per_bar is 0; allowed: 1 or more"):
        Bars.of_frames(frames, 0)


def test_a_part_is_those_bars_alone() -> None:
    frames = np.random.default_rng(1).random((48, 12)) < 0.3
    assert rows(Bars.of_frames(frames, 8).part(2, 5)) == rows(Bars.of_frames(frames[16:40], 8))
    assert len(Bars.of_frames(frames, 8).part(4, 9)) == 2


def test_single_beats_are_gathered() -> None:
    score = Score.from_notes(np.arange(32) * 480, [900, 300, 500, 300] * 8, 60, time_signatures=[(0, 1, 4)])
    assert len(score.bars()) - 1 == 32
    assert len(Bars.of_score(score)) == 8


def test_too_much_to_tie_is_refused() -> None:
    long = Score.from_notes(np.zeros(90_000, np.int64), 480 * 4 * 60, np.arange(90_000) % 128)
    with pytest.raises(OptionError, match="5,400,000 notes when tied over bar lines; at most 4,000,000"):
        Bars.of_score(long)
