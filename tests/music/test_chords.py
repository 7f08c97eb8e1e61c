"""Laws of chord symbols: degrees, voicing in one register, alterations."""

import pytest
from hypothesis import given, strategies as st

from seqaudio.music.chords import KINDS, chord_of_kind, chord_of_name, is_no_chord, semitones

PITCH_CLASSES = st.integers(0, 11)


@pytest.mark.parametrize(
    ("degree", "expected"), [("1", 0), ("b3", 3), ("#5", 8), ("bb7", 9), ("b7", 10), ("9", 14), ("#11", 18), ("13", 21)]
)
def test_degrees(degree: str, expected: int) -> None:
    assert semitones(degree) == expected


@given(kind=st.sampled_from(sorted(KINDS)), root=PITCH_CLASSES, bass=st.none() | PITCH_CLASSES)
def test_a_chord_is_its_pitch_classes_over_its_bass_within_an_octave(kind: str, root: int, bass: int | None) -> None:
    chord = chord_of_kind(kind, root, bass)
    assert chord is not None
    lowest = root if bass is None else bass
    assert chord.pitches[0] == 48 + lowest
    assert chord.pitches[-1] < 48 + lowest + 12
    assert {pitch % 12 for pitch in chord.pitches} == {(root + interval) % 12 for interval in chord.intervals} | {
        lowest
    }


@given(kind=st.sampled_from(sorted(KINDS)), root=PITCH_CLASSES, up=PITCH_CLASSES)
def test_transposing_the_root_transposes_the_chord(kind: str, root: int, up: int) -> None:
    one, other = chord_of_kind(kind, root), chord_of_kind(kind, root + up)
    assert one is not None
    assert other is not None
    assert {(pitch + up) % 12 for pitch in one.pitches} == {pitch % 12 for pitch in other.pitches}


@pytest.mark.parametrize(
    ("kind", "changes", "intervals"),
    [
        ("dominant", [("add", 9, -1)], (0, 4, 7, 10, 13)),
        ("dominant", [("alter", 5, -1)], (0, 4, 6, 10)),
        ("major", [("add", 7, 0)], (0, 4, 7, 10)),
        ("minor-seventh", [("alter", 3, 1)], (0, 4, 7, 10)),
        ("major", [("subtract", 3, 0), ("add", 4, 0)], (0, 5, 7)),
        ("major", [("add", 99, 0)], (0, 4, 7)),
    ],
)
def test_degrees_are_added_altered_and_subtracted(
    kind: str, changes: list[tuple[str, int, int]], intervals: tuple[int, ...]
) -> None:
    chord = chord_of_kind(kind, 0, None, tuple(changes))
    assert chord is not None
    assert chord.intervals == intervals


def test_an_unknown_kind_is_no_chord() -> None:
    assert chord_of_kind("Neapolitan", 0) is None


@pytest.mark.parametrize(
    ("name", "pitches"),
    [
        ("C", {0, 4, 7}), ("Am", {9, 0, 4}), ("G7", {7, 11, 2, 5}), ("Bb", {10, 2, 5}), ("F#m7", {6, 9, 1, 4}),
        ("Dm7b5", {2, 5, 8, 0}), ("Gd", {7, 10, 1}), ("Bdim7", {11, 2, 5, 8}), ("Eb+", {3, 7, 11}), ("E5", {4, 11}),
        ("CM7", {0, 4, 7, 11}), ("Cmaj7", {0, 4, 7, 11}), ("Asus4", {9, 2, 4}), ("A7sus4", {9, 2, 4, 7}),
        ("C6", {0, 4, 7, 9}), ("Cadd9", {0, 4, 7, 2}), ("E7b9", {4, 8, 11, 2, 5}), ("D/f+", {2, 6, 9}),
        ("C/Bb", {10, 0, 4, 7}), ("Gm/bb", {10, 2, 7}), ("F♯", {6, 10, 1}), ("A-7", {9, 0, 4, 7}),
        ("Cm7-5", {0, 3, 6, 10}), ("C7(b9)", {0, 4, 7, 10, 1}), ("Cm7♭5", {0, 3, 6, 10}),
        ("C69", {0, 4, 7, 9, 2}), ("C6/9", {0, 4, 7, 9, 2}),
    ],
)  # fmt: skip
def test_chords_by_name(name: str, pitches: set[int]) -> None:
    chord = chord_of_name(name)
    assert chord is not None
    assert {pitch % 12 for pitch in chord.pitches} == pitches
    bass = name.partition("/")[2] if name != "C6/9" else ""
    lowest = {"f+": 6, "Bb": 10, "bb": 10}.get(bass, chord.root)
    assert min(chord.pitches) % 12 == lowest


@pytest.mark.parametrize(
    "name", ["", "H", "c", "Slowly", "Cx", "C/", "C/H", "Am Em", "N.C.", "Fine", "D.C.", "Coda", "A tempo", "Do", "Fo"]
)
def test_other_words_are_no_chords(name: str) -> None:
    assert chord_of_name(name) is None
    assert is_no_chord(name) == (name == "N.C.")
