"""How large may a file be before it is refused? Budgets that protect the process from hostile or damaged files.

Conventions: a budget is the largest value still allowed, and is checked before memory for what it bounds is taken. The
defaults leave room for every real piece we know of and keep one file under 300 MB of memory and ten seconds, whatever
its bytes say: an event costs up to 200 bytes while it is read, and 100,000 quarters are 14 hours at 120 per minute, or
1.6 million bars of the shortest metre read. A recording takes eight bytes a sample while it is read: an hour of one
channel at 44,100 Hz, or half an hour of two, is within the budget, and takes 1.3 GB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from seqaudio.errors import OptionError, OverLimitError
from seqaudio.music.score import DEFAULT_TEMPO_US, Score

MOST_EVENTS = 2**25  # so many score tracks can be told apart while a file is read


@dataclass(frozen=True)
class Limits:
    """Budgets for one file.

    Attributes:
        max_bytes: size of the file.
        max_notes: notes in the piece; in a file of rolls, in each.
        max_events: notes' beginnings and ends, programs, pedals, tempos and time signatures in the file; and pedal
            spans in the piece, where a pedal counts once for each score track of its channel. In MusicXML, everything
            with a place that is no note, as often as it is played; in a file of rolls, the notes of all together. At
            most 33,554,432.
        max_tracks: tracks in the file; a MIDI header can declare 65,535.
        max_metres: changes of time signature.
        max_tunes: tunes in an ABC book; each starts a run of the parser.
        max_unpacked_bytes: size of a compressed file's content.
        max_elements: XML elements that say how a score sounds; a note has about six, and costs 0.2 ms and 1 kB.
        max_quarters: length of the piece in quarter notes, up to the end of its last note or pedal.
        max_seconds: the same in seconds under its tempos; 360,000 are 100 hours.
        max_cells: cells (steps times keys) of a piano roll, or of all rolls in one file.
        max_pieces: pieces in one file of rolls.
        max_samples: samples of a recording, those of all channels together; also after it was resampled.
        max_sample_rate: samples a second of a recording, in Hz.
        max_audio_bytes: size of a file of sound, which is read block by block.

    Raises:
        OptionError: a budget is negative, no whole number, or more than is possible.
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
    max_seconds: int = 360_000
    max_cells: int = 50_000_000
    max_pieces: int = 100_000
    max_samples: int = 160_000_000
    max_sample_rate: int = 1_000_000
    max_audio_bytes: int = 2 * 2**30

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise OptionError(f"limit {name}={value!r}; give a whole number from 0, such as {name}=1000000")
        if self.max_events > MOST_EVENTS:
            raise OptionError(f"limit max_events={self.max_events:,}; at most {MOST_EVENTS:,} is possible")

    @classmethod
    def parse(cls, pairs: Sequence[str]) -> Limits:
        """Limits from pairs like ``"max_notes=600000"``, the rest as usual; of several for one budget the last counts.

        Raises:
            OptionError: a pair is not of this form, or names no budget.
        """
        budgets = asdict(DEFAULT_LIMITS)
        for pair in pairs:
            name, _, value = (part.strip() for part in pair.partition("="))
            if name not in budgets:
                raise OptionError(f"limit {pair!r}; give NAME=NUMBER, where NAME is one of {', '.join(budgets)}")
            try:
                budgets[name] = int(value)
            except ValueError:
                raise OptionError(f"limit {pair!r}; give a whole number from 0, such as {name}=1000000") from None
        return cls(**budgets)

    def check(self, budget: str, came: float, path: str, *, and_more: bool = False) -> None:
        """Raise OverLimitError when ``came`` exceeds the budget named, such as ``"max_notes"``.

        Args:
            budget: its name.
            came: what the file has.
            path: what the message calls the file.
            and_more: nobody counted to the end, so that twice as much is what the message tells to allow.
        """
        allowed = getattr(self, budget)
        if came > allowed:
            what, count = budget.removeprefix("max_"), int(-(-came // 1))  # rounded up
            enough, least = (2 * count, "at least ") if and_more else (count, "")
            raise OverLimitError(
                f"{path}: {least}{count:,} {what}, over the budget of {allowed:,}; if the file is right, "
                f"raise it with --limit {budget}={enough} (in Python Limits({budget}={enough}))"
            )


DEFAULT_LIMITS = Limits()


def checked(score: Score, limits: Limits, path: str) -> Score:
    """The score just read, if it keeps within the budgets of a piece: every reader ends with this.

    It checks max_notes, max_metres, max_quarters and max_seconds. What takes memory is to be checked before.

    Raises:
        OverLimitError: it does not.
    """
    limits.check("max_notes", len(score), path)
    limits.check("max_metres", len(score.time_signatures), path)
    end = max(score.end, int(score.pedals[:, :2].sum(axis=1).max(initial=0)))
    limits.check("max_quarters", end / score.ticks_per_quarter, path)
    slowest_us = max(int(score.tempos[:, 1].max(initial=0)), DEFAULT_TEMPO_US)
    if end * slowest_us * 1e-6 > limits.max_seconds * score.ticks_per_quarter:  # else the tempos need no look
        limits.check("max_seconds", float(score.seconds(end)), path)
    return score
