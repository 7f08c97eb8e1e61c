"""How often does a cell of one, two or four bars go round?

The longer a model with a memory has copied itself, the surer it is to go on: what it learnt the strength of an
agreement from are pieces that return, not its own. So it goes round in places where music hardly ever does: of the
training pieces of the shipped models fewer than one in a hundred have a cell more than three times in a row. Once a
cell has sounded as often as it may, nothing is copied from its turns for a bar: the bar is new, or comes from before
them. No note is forbidden, and where a primer itself goes round more often, its music does, and so may what follows.

Source: J. Xu et al., "Learning to Break the Loop", 2022: each repetition of a sentence makes a language model likelier
to repeat it. That copies alone are closed, and for a bar, is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from seqaudio.tokens.bars.grammar import BarsState

CELL_BARS = (1, 2, 4)  # those of seqaudio.structure.degeneracy, which is another room's

_Cell = tuple[tuple[int, tuple[int, int], int], ...]  # of each note its position, voice and token of duration


@dataclass(frozen=True)
class Turns:
    """The turns of a piece as it is written; a value, so that several outputs go on from one.

    Args:
        most: how often in a row a cell may sound; 0: as often as it likes.

    Attributes:
        longest: turns in a row so far, at most; 1 is no repetition.
    """

    most: int
    longest: int = 1
    _steps: int = 0  # tokens written
    _begins: tuple[int, ...] = ()  # the steps at which the last bars begin, with the one under way
    _cells: tuple[_Cell, ...] = ()  # of the same bars
    _same: tuple[int, ...] = (0,) * len(CELL_BARS)  # bars in a row that are as the one a cell before
    _first: tuple[int, ...] = (0,) * len(CELL_BARS)  # the step at which the first of their turns begins

    def after(self, token: int, state: BarsState) -> Turns:
        """Once a token is written; ``state`` is the grammar's behind it."""
        if not self.most:
            return self
        turns = self
        if state.last == "Bar":
            turns = self._ended()
        elif state.last == "Duration" and self._cells:
            *before, cell = self._cells
            turns = replace(self, _cells=(*before, (*cell, (state.position, state.floor, token))))
        return replace(turns, _steps=self._steps + 1)

    def _ended(self) -> Turns:
        """Once a bar has ended and another begins."""
        same, first, longest = list(self._same), list(self._first), self.longest
        for i, period in enumerate(CELL_BARS):
            if len(self._cells) > period and self._cells[-1] == self._cells[-1 - period] != ():
                same[i] += 1
                longest = max(longest, 1 + same[i] // period)
            elif self._begins:
                same[i], first[i] = 0, self._begins[-period:][0]
        kept = slice(-max(CELL_BARS), None)
        begins, cells = (*self._begins[kept], self._steps), (*self._cells[kept], ())
        return replace(self, longest=longest, _begins=begins, _cells=cells, _same=tuple(same), _first=tuple(first))

    def heard(self) -> Turns:
        """Once a primer is heard; one that goes round more often than allowed allows it."""
        return replace(self, most=0 if self._ended().longest > self.most else self.most)

    @property
    def closed(self) -> int | None:
        """What stands from this step on is not to be copied in this bar; None: nothing is closed."""
        gone_round = zip(self._same, self._first, CELL_BARS, strict=True)
        found = [first for same, first, period in gone_round if same >= period * (self.most - 1)]
        return min(found) if found and self.most and len(self._cells) > 1 else None
