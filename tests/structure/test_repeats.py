"""Laws of repeats: shares as a slow reading counts them; shuffled bars, held notes and silence are not heard before."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from seqaudio.errors import OptionError
from seqaudio.music import Score
from seqaudio.structure import Bars, far_repeat_rate, primer_recall
from tests.structure.pieces import BAR, EIGHTH, bars_of_tune, joined, passage, shuffled, tune

LETTERS = {
    "a": [(0, 480, 60), (480, 480, 62), (960, 960, 64)],
    "b": [(0, 480, 67), (480, 480, 65), (960, 960, 64)],
    "A": [(0, 480, 65), (480, 480, 67), (960, 960, 69)],  # a, five up
    "d": [(0, 480, 36), (480, 480, 38)],
    "h": [(0, BAR, 60)],  # held
    "-": [],
}
words = st.text("abAhd-", min_size=1, max_size=14)


def piece(word: str) -> Score:
    bars = [LETTERS[letter] for letter in word]
    return joined(bars, is_drum=[letter == "d" for letter in word for _ in LETTERS[letter]])


def slow_phrase(word: str, bar: int, window: int, transposed: bool):
    """What is written in a phrase, None if it says nothing."""
    notes = [(i, *note, letter == "d") for i, letter in enumerate(word[bar : bar + window]) for note in LETTERS[letter]]
    chords = {}
    for i, onset, _, pitch, drum in notes:
        chords.setdefault((i, onset), set()).add((pitch, drum))
    if len(chords) < 3 or len({frozenset(chord) for chord in chords.values()}) < 2:
        return None
    low = min((note[3] for note in notes if not note[4]), default=0) if transposed else 0
    return {(i, o, d, p if drum else p - low, drum) for i, o, d, p, drum in notes}


def length(word: str) -> int:
    """Bars of the piece: those behind the last note are none."""
    return len(word.rstrip("-"))


@pytest.mark.parametrize("transposed", [False, True])
@given(word=words)
def test_far_repeats_are_those_of_a_slow_reading(transposed: bool, word: str) -> None:
    word = word[: length(word)]
    heard = set()
    for bar in range(len(word) - 1):
        phrase = slow_phrase(word, bar, 2, transposed)
        before = [slow_phrase(word, earlier, 2, transposed) for earlier in range(bar - 2)]
        if phrase is not None and phrase in before:
            heard |= {bar, bar + 1}
    assert far_repeat_rate(piece(word), transposed=transposed) == pytest.approx(len(heard) / max(len(word), 1))


@pytest.mark.parametrize("transposed", [False, True])
@given(word=words, primer=st.integers(1, 6))
def test_recall_is_that_of_a_slow_reading(transposed: bool, word: str, primer: int) -> None:
    word = word[: length(word)]
    behind = len(word) - primer
    window = min(2, primer, max(behind, 1))
    known = [slow_phrase(word, bar, window, transposed) for bar in range(primer - window + 1)]
    heard = set()
    for bar in range(primer, len(word) - window + 1):
        phrase = slow_phrase(word, bar, window, transposed)
        if phrase is not None and phrase in known:
            heard |= set(range(bar, bar + window))
    found = primer_recall(piece(word), primer, transposed=transposed)
    assert found == pytest.approx(len(heard) / max(behind, 1))


def test_real_form_is_above_shuffled_bars_and_below_a_loop() -> None:
    loop = passage(2, np.random.default_rng(0)) * 16
    for seed in range(10):
        bars = bars_of_tune("AABA", seed)
        for measure in (far_repeat_rate, lambda score: primer_recall(score, 8)):
            shuffle = measure(joined(shuffled(bars, seed, keep=8)))
            assert shuffle < measure(joined(bars)) - 0.2
            assert measure(joined(bars)) < measure(joined(loop))


def test_held_and_hammered_notes_and_silence_are_never_heard_before() -> None:
    primer = bars_of_tune("A", 0)
    degenerate = {
        "held": [[(0, BAR, 67)]],
        "held over": [[(0, 24 * BAR, 67)], *[[]] * 23],
        "hammered": [[(i * EIGHTH, EIGHTH, 67) for i in range(8)]],
        "chord hammered": [[(i * EIGHTH, EIGHTH, p) for i in range(8) for p in (60, 64, 67)]],
        "chord held": [[(0, BAR, p) for p in (60, 64, 67)]],
        "silence": [[]],
    }
    for name, bars in degenerate.items():
        score = joined(primer + (bars * 24)[:24] + [[(0, 480, 60)]])
        assert far_repeat_rate(score) == 0, name
        assert primer_recall(score, 8) == 0, name


def test_a_note_tied_over_the_bar_line_is_not_struck_again() -> None:
    tied = [[(0, 2 * BAR, 60)], [(960, 480, 64)]] + [[]] * 2  # two notes in two bars, one of which sounds in both
    assert far_repeat_rate(joined(tied * 4 + [[(0, 480, 60)]])) == 0


def test_up_to_transposition_finds_a_moved_part() -> None:
    part = bars_of_tune("A", 3)
    moved = [[(o, d, p + 5) for o, d, p in bar] for bar in part]
    score = joined(part + moved)
    assert primer_recall(score, 8) == 0
    assert primer_recall(score, 8, transposed=True) == 1
    assert far_repeat_rate(score, transposed=True) == 0.5


def test_bars_and_scores_give_the_same() -> None:
    score = tune("AABB", 1)
    assert far_repeat_rate(Bars.of_score(score)) == far_repeat_rate(score) > 0


def test_a_piece_that_is_all_primer_recalls_nothing() -> None:
    assert primer_recall(tune("A"), 8) == primer_recall(tune("A"), 20) == 0
    assert primer_recall(Score.from_notes([], 1, 60), 4) == far_repeat_rate(Score.from_notes([], 1, 60)) == 0


def test_what_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(OptionError, match="primer_bars is 0; allowed: 1 or more"):
        primer_recall(tune(), 0)
    with pytest.raises(OptionError, match="min_lag is 0; allowed: 1 or more"):
        far_repeat_rate(tune(), min_lag=0)
