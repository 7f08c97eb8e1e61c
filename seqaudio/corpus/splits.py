"""Which pieces belong together, and on which side of the split do they go?

Pieces that share a mark belong together: the whole piece up to transposition, its opening up to transposition (other
versions of one tune mostly open alike), or its number in a numbered collection. Groups are the connected pieces. The
side of a group depends on its marks and the seed alone, not on the order of the files, and a file that is added moves
no piece it has nothing in common with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from seqaudio.music.score import Score

SPLITS = ("train", "valid", "test")
OPENING_NOTES = 13  # twelve intervals: two versions of a tune share them, two tunes hardly ever


def marks(grid: Score) -> list[str]:
    """What other copies and versions of a piece share with it: hashes of the whole and of the opening.

    For scores on one grid. Both are free of transposition and of where the first note falls; the opening is also free
    of rhythm, and is missing when there are too few notes to mean anything.
    """
    first = int(grid.onset.min()) if len(grid) else 0
    pitched = ~grid.is_drum
    pitch = grid.pitch - np.where(pitched, grid.pitch[pitched].min(initial=127), 0)
    whole = _hash(grid.onset - first, grid.duration, pitch, grid.is_drum)
    steps = np.diff(grid.pitch[pitched][:OPENING_NOTES])
    return [f"piece:{whole}"] + ([f"opening:{_hash(steps)}"] if len(steps) == OPENING_NOTES - 1 else [])


def _hash(*columns: np.ndarray) -> str:
    return hashlib.sha256(np.stack(columns).astype("<i8").tobytes()).hexdigest()[:32]


def groups(marks_of_pieces: Sequence[Sequence[str]]) -> list[str]:
    """One name per piece, equal for pieces connected by common marks: the least mark of the group."""
    parent: dict[str, str] = {}

    def root(mark: str) -> str:
        while parent.setdefault(mark, mark) != mark:
            parent[mark] = parent[parent[mark]]
            mark = parent[mark]
        return mark

    for first, *others in marks_of_pieces:
        for other in others:
            low, high = sorted((root(first), root(other)))
            parent[high] = low  # so the root is the least mark
    return [root(first) for first, *_ in marks_of_pieces]


def sides_of(names: Sequence[str], seed: int, valid_share: float, test_share: float) -> list[str]:
    """Where each piece goes by the name of its group: "train", "valid" or "test".

    Of a corpus so small that no group falls to validation, the nearest to doing so is taken, if there are two or more.
    """
    drawn = {name: _draw(name, seed) for name in names}
    sides = {name: _side(draw, valid_share, test_share) for name, draw in drawn.items()}
    if valid_share and len(sides) > 1 and "valid" not in sides.values():
        left = [name for name in sides if sides[name] == "train"] or list(sides)
        sides[min(left, key=lambda name: drawn[name])] = "valid"
    return [sides[name] for name in names]


def _draw(group: str, seed: int) -> float:
    """A number from 0 to 1 that depends on the group's name and the seed alone."""
    return int(hashlib.sha256(f"{seed}:{group}".encode()).hexdigest()[:16], 16) / 2**64


def _side(draw: float, valid_share: float, test_share: float) -> str:
    if draw < test_share:
        return "test"
    return "valid" if draw < test_share + valid_share else "train"
