"""Laws of degeneracy: counts as a slow reading gives them; loops, stuck notes and silence flagged, plain tunes not."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.music import Score
from seqaudio.structure.degeneracy import HELD_BARS, LOOP_TURNS, SILENT_BARS, STUCK_NOTES, degeneracy

BAR = 1920
TUNE = [
    *(60, 62, 64, 65, 67, 65, 64, 62, 60, 64, 67, 72, 71, 69, 67, 65),
    *(64, 65, 67, 69, 71, 67, 62, 60, 59, 62, 67, 65, 64, 62, 60, 60),
]


def melody(pitches: list[int], beat: int = 480, **facts: object) -> Score:
    return Score.from_notes(np.arange(len(pitches)) * beat, beat, pitches, **facts)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    bars = draw(st.lists(st.sampled_from(["", "a", "b", "ab", "A"]), min_size=1, max_size=12))
    notes = []
    for number, bar in enumerate(bars):
        for place, letter in enumerate(bar):
            pitch, length = {"a": (60, 480), "b": (62, 480), "A": (60, 2 * BAR)}[letter]
            notes.append((number * BAR + place * 480, length, pitch))
    return Score.from_notes(*np.array(notes, dtype=np.int64).reshape(-1, 3).T)


def slow(score: Score) -> tuple[int, int, int, int]:
    """Longest stuck run, most turns of one- or two-bar cells, longest silence and held note, looked for everywhere."""
    pitches = score.pitch.tolist()
    stuck = max((n for i in range(len(pitches)) for n in range(1, len(pitches) - i + 1)
                 if len(set(pitches[i : i + n])) == 1), default=0)  # fmt: skip
    count = len(score.bars()) - 1
    notes = list(zip(score.onset.tolist(), score.duration.tolist(), pitches, strict=True))
    cells = [[(o - b * BAR, d, p) for o, d, p in notes if o // BAR == b] for b in range(count)]
    turns = 1
    for period in (1, 2):
        for start in range(count):
            cell = cells[start : start + period]
            n = 1
            while all(cell) and cells[start + n * period : start + (n + 1) * period] == cell:
                n += 1
            turns = max(turns, n)
    silent = [not any(o < (b + 1) * BAR and o + d > b * BAR for o, d, _ in notes) for b in range(count)]
    quiet = max((n for i in range(count) for n in range(1, count - i + 1) if all(silent[i : i + n])), default=0)
    held = [not cell and not still for cell, still in zip(cells, silent, strict=True)]
    sustained = max((n for i in range(count) for n in range(1, count - i + 1) if all(held[i : i + n])), default=0)
    return stuck, turns, quiet, sustained


@settings(max_examples=300, deadline=None)
@given(scores())
def test_counts_are_what_a_slow_reading_finds(score: Score) -> None:
    found = degeneracy(score)
    assert (found.longest_stuck, found.longest_loop, found.longest_silence, found.longest_held) == slow(score)


def test_a_plain_tune_is_not_flagged() -> None:
    assert degeneracy(melody(TUNE)).warnings() == []
    assert degeneracy(melody(TUNE + TUNE)).warnings() == []  # eight bars and their repeat


@pytest.mark.parametrize("semitones", [-12, 0, 5])
def test_transposition_and_resolution_change_nothing(semitones: int) -> None:
    score = melody(TUNE[:8] * 3)
    fine = melody(TUNE[:8] * 3, 96, ticks_per_quarter=96)
    assert degeneracy(score.transposed(semitones)) == degeneracy(score) == degeneracy(fine)


def test_a_stuck_note_is_flagged_just_beyond_the_limit() -> None:
    around = [[*TUNE[:5], *[70] * count, *TUNE[:5]] for count in (STUCK_NOTES, STUCK_NOTES + 1)]
    assert degeneracy(melody(around[0])).warnings() == []
    assert degeneracy(melody(around[1])).warnings() == [f"stuck: one pitch {STUCK_NOTES + 1} times in a row"]


@pytest.mark.parametrize(("bars", "words"), [(1, "1 bar"), (2, "2 bars")])
def test_a_loop_is_flagged_just_beyond_the_limit(bars: int, words: str) -> None:
    cell = TUNE[: 4 * bars]
    assert degeneracy(melody(cell * LOOP_TURNS)).warnings() == []
    stuck = degeneracy(melody(cell * (LOOP_TURNS + 1)))
    assert stuck.loop_bars == bars
    assert stuck.warnings() == [f"loop: {words} {LOOP_TURNS + 1} times in a row"]


def test_silence_is_flagged_inside_and_behind() -> None:
    def gap(bars: int) -> Score:
        return Score.from_notes([0, (bars + 1) * BAR], 480, [60, 62])

    assert degeneracy(gap(SILENT_BARS)).warnings() == []
    assert degeneracy(gap(SILENT_BARS + 1)).warnings() == [f"silence: {SILENT_BARS + 1} bars in a row"]
    held = Score.from_notes([0, 4 * BAR], [4 * BAR, 480], [60, 62])
    assert degeneracy(held).longest_silence == 0
    assert degeneracy(melody(TUNE[:4]), bars=5).longest_silence == 4
    noteless = degeneracy(Score.from_notes([], 1, 60), bars=4)
    assert noteless.warnings() == ["noteless: no notes at all", "silence: 4 bars in a row"]


def test_a_held_note_is_flagged_just_beyond_the_limit() -> None:
    def held(bars: int) -> Score:
        return Score.from_notes([0, (bars + 1) * BAR], [(bars + 1) * BAR, 480], [60, 62])

    assert degeneracy(held(HELD_BARS)).warnings() == []
    assert degeneracy(held(HELD_BARS + 1)).warnings() == ["held: nothing begins for 4 bars while notes sound on"]


def test_only_the_first_bars_count() -> None:
    score = melody(TUNE + [60] * 40)
    assert degeneracy(score).warnings() != []
    assert degeneracy(score, bars=8) == degeneracy(melody(TUNE))


def test_drums_are_other_pitches() -> None:
    score = melody([36] * 10, is_drum=[True, False] * 5)
    assert degeneracy(score).longest_stuck == 1


def test_nothing_is_not_stuck_but_noteless() -> None:
    assert degeneracy(Score.from_notes([], 1, 60)).warnings() == ["noteless: no notes at all"]
    assert degeneracy(melody([36], is_drum=True)).warnings() == []
    behind = Score.from_notes([2 * BAR], 480, 60)
    assert degeneracy(behind).noteless is False
    assert degeneracy(behind, bars=2).noteless is True
