"""Melody tokens: magenta's rules written as a loop over notes, its codes, and what is counted as lost."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from seqaudio.errors import VocabularyError
from seqaudio.music import Score, find_melody
from seqaudio.tokens import MelodyTokenizer
from tests.contracts.any_scores import scores

TOKENIZER = MelodyTokenizer()


def codes_by_hand(score: Score) -> list[int]:
    """As melodies_lib adds notes: each ends the one before, fills its steps with -2, and the last -1 is left off."""
    pitched = score.notes(~score.is_drum)
    if not len(pitched):
        return []
    line = find_melody(pitched).score
    tpq = line.ticks_per_quarter
    notes = []
    for onset, duration, pitch in zip(line.onset.tolist(), line.duration.tolist(), line.pitch.tolist(), strict=True):
        start = int(onset * 4 / tpq + 0.5)
        notes.append((start, -pitch, max(int((onset + duration) * 4 / tpq + 0.5), start + 1)))
    events: list[int] = []
    last_start = -1
    for start, minus_pitch, end in sorted(notes, key=lambda note: note[:2]):
        if start == last_start:
            continue  # the highest note is already there
        last_start = start
        events = events[: start + 1] + [-2] * (end + 1 - len(events[: start + 1]))
        events[start] = -minus_pitch
        events[end] = -1
        events[start + 1 : end] = [-2] * (end - start - 1)
    return events[:-1]


@settings(max_examples=150, deadline=None)
@given(scores())
def test_the_codes_are_those_of_a_slow_loop(score: Score) -> None:
    assert TOKENIZER.codes_of(TOKENIZER.encode(score)).tolist() == codes_by_hand(score)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-2, 127), max_size=40))
def test_codes_and_ids_go_round(codes: list[int]) -> None:
    ids = TOKENIZER.ids_of(codes)
    assert TOKENIZER.codes_of(ids).tolist() == codes
    assert len(TOKENIZER.decode(ids)) == sum(code >= 0 for code in codes)


def test_codes_are_read_as_documented() -> None:
    score = TOKENIZER.decode(TOKENIZER.ids_of([-2, -1, 60, -2, 62, -1, -1, -2, 64, -2]))
    assert list(zip(score.onset.tolist(), score.duration.tolist(), score.pitch.tolist(), strict=True)) == [
        (240, 240, 60), (480, 120, 62), (960, 240, 64),
    ]  # fmt: skip
    assert (score.ticks_per_quarter, score.tempo_qpm()) == (480, 120)
    assert TOKENIZER.codes_of(TOKENIZER.encode(score)).tolist() == [-2, -2, 60, -2, 62, -1, -2, -2, 64, -2]
    assert len(TOKENIZER.vocabulary) == 3 + 130


@pytest.mark.parametrize("codes", [[-3], [60, 128], [60, -2, 999]])
def test_codes_outside_are_named(codes: list[int]) -> None:
    with pytest.raises(VocabularyError, match=rf"melody code {codes[-1]} at place {len(codes) - 1} is outside -2..127"):
        TOKENIZER.ids_of(codes)


@pytest.mark.parametrize(
    ("onset", "duration", "pitch", "more", "expected"),
    [
        ([0, 120, 480], [120, 120, 480], [60, 62, 64], {}, {}),
        ([0, 0], [480, 480], [60, 64], {}, {"notes_dropped": 1}),
        ([0, 0], [480, 480], [60, 36], {"is_drum": [False, True]}, {"drums_dropped": 1}),
        ([0, 240], [480, 240], [60, 64], {}, {"overlaps_cut": 1}),
        ([0, 40], [40, 80], [60, 64], {}, {"notes_dropped": 1, "onsets_moved": 1, "durations_changed": 2}),
        ([0, 250], [240, 230], [60, 64], {}, {"onsets_moved": 1, "durations_changed": 1}),
        ([0], [480], [60], {"program": 4, "tempos": [(0, 9)], "pedals": [(0, 9, 0)], "time_signatures": [(0, 3, 4)]},
         {"programs_dropped": 1, "tempo_changes_dropped": 1, "pedal_spans_dropped": 1, "metre_changes_dropped": 1}),
    ],
)  # fmt: skip
def test_what_is_lost_is_counted(
    onset: list[int], duration: list[int], pitch: list[int], more: dict[str, object], expected: dict[str, int]
) -> None:
    assert TOKENIZER.quantize(Score.from_notes(onset, duration, pitch, **more))[1].nonzero() == expected


def test_a_melody_track_is_found_among_others() -> None:
    rng = np.random.default_rng(0)
    low = Score.from_notes(
        [0, 480, 960, 0, 480], 480, [60, 62, 64, *rng.integers(80, 90, 2)], track=[0, 0, 0, 1, 1],
        track_names=["Melody", "Strings"],
    )  # fmt: skip
    codes = TOKENIZER.codes_of(TOKENIZER.encode(low))
    assert codes[codes >= 0].tolist() == [60, 62, 64]
