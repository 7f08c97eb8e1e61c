"""How large may a file be before it is refused? Budgets that protect the process from hostile or damaged files.

Conventions: a budget is the largest value still allowed. The defaults leave room for every real piece we know of and
keep one file under 300 MB of memory and ten seconds, whatever its bytes say: an event costs up to 200 bytes while it is
read, and 100,000 quarters are 14 hours at 120 per minute, or 1.6 million bars of the shortest metre read.
"""

from __future__ import annotations

from dataclasses import dataclass

from seqaudio.errors import OverLimitError


@dataclass(frozen=True)
class Limits:
    """Budgets for one file.

    Attributes:
        max_bytes: size of the file.
        max_notes: notes in the piece.
        max_events: notes' beginnings and ends, programs, pedals, tempos and time signatures in the file.
        max_tracks: tracks in the file; a MIDI header can declare 65,535.
        max_metres: changes of time signature.
        max_tunes: tunes in an ABC book; each starts a run of the parser.
        max_unpacked_bytes: size of a compressed file's content.
        max_elements: XML elements that say how a score sounds; a note has about six, and costs 0.2 ms and 1 kB.
        max_quarters: length of the piece in quarter notes, up to the end of its last note or pedal.
    """

    max_bytes: int = 16 * 2**20
    max_notes: int = 500_000
    max_events: int = 1_200_000
    max_tracks: int = 70_000
    max_quarters: int = 100_000
    max_metres: int = 20_000
    max_tunes: int = 20_000
    max_unpacked_bytes: int = 64 * 2**20
    max_elements: int = 400_000

    def check(self, budget: str, came: float, path: str) -> None:
        """Raise OverLimitError when ``came`` exceeds the budget named, such as ``"max_notes"``."""
        allowed = getattr(self, budget)
        if came > allowed:
            what = budget.removeprefix("max_")
            raise OverLimitError(
                f"{path}: {came:,.0f} {what}, over the budget of {allowed:,}; "
                f"if the file is right, read it with Limits({budget}={int(-(-came // 1))})"
            )


DEFAULT_LIMITS = Limits()
