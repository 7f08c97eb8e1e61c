"""Which pieces belong together, and on which side of the split do they go?

Pieces that share a mark belong together: the whole piece up to transposition, its opening up to transposition (other
versions of one tune mostly open alike), or its number in a numbered collection. Groups are the connected pieces. The
side of a group depends on its marks and the seed alone, not on the order of the files, and a file that is added moves
no piece it has nothing in common with. A split that comes with the music goes before: its pieces stay where it puts
them, and exact or transposed copies of its validation and test pieces are kept out of training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from seqaudio.music.score import Score
from seqaudio.music.splits import SPLITS

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


def sides_with_official(
    marks_of_pieces: Sequence[Sequence[str]], official: Sequence[str], sides: Callable[[Sequence[str]], Sequence[str]]
) -> list[str]:
    """Where each piece goes: its official side, or that of its group; "" for a copy that must not be trained on.

    Args:
        marks_of_pieces: as for :func:`groups`; the first mark of a piece stands for the whole of it.
        official: the official side of each piece, "" where it has none.
        sides: the sides of the groups named, for those without official pieces.
    """
    names = groups(marks_of_pieces)
    of_group: dict[str, str] = {}
    for name, side in zip(names, official, strict=True):
        if side:  # of a group on several sides, the pieces without one go where none is trained on
            of_group[name] = max(of_group.get(name, side), side, key=SPLITS.index)
    free = [name for name in names if name not in of_group]
    of_group.update(zip(free, sides(free), strict=True))
    evaluated = {first for (first, *_), side in zip(marks_of_pieces, official, strict=True) if side in SPLITS[1:]}
    return [
        "" if first in evaluated and side not in SPLITS[1:] else side or of_group[name]
        for name, (first, *_), side in zip(names, marks_of_pieces, official, strict=True)
    ]


def sides_of(
    names: Sequence[str], seed: int, valid_share: float, test_share: float, *, need_valid: bool = True
) -> list[str]:
    """Where each piece goes by the name of its group: "train", "valid" or "test".

    Of a corpus so small that no group falls to validation, the nearest to doing so is taken, if there are two or more
    and none is there already (``need_valid``).
    """
    drawn = {name: _draw(name, seed) for name in names}
    sides = {name: _side(draw, valid_share, test_share) for name, draw in drawn.items()}
    if need_valid and valid_share and len(sides) > 1 and "valid" not in sides.values():
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
