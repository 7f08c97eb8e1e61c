"""What real music is a continuation seen beside? The rest of its own piece, files that were named, or stored ranges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from seqaudio.cli.reading import Tell, real_pieces_of
from seqaudio.continuation.primer import make_readable
from seqaudio.errors import BadFileError, NoNotesError
from seqaudio.files.atomic import shown
from seqaudio.files.limits import Limits
from seqaudio.models.checkpoint import Checkpoint, weights_path
from seqaudio.music.metre import with_gathered_beats
from seqaudio.music.score import Score
from seqaudio.report.retention import RANGES, RealPieces, nearest, read_ranges, real_pieces
from seqaudio.structure import Bars

MOST_PIECES = 1000

Named = tuple[str, Score]


@dataclass(frozen=True)
class RealMusic:
    """Real pieces, as the model would hear them.

    Attributes:
        own: the piece that the primer was cut from, if more of it is there.
        pieces: those that were named to compare with.
        stored: ranges that were measured before.
        remarks: what of the files could not be used.
    """

    own: Named | None
    pieces: tuple[Named, ...]
    stored: tuple[RealPieces, ...]
    remarks: tuple[str, ...] = ()

    def of_length(self, primer_bars: int, bars: int) -> RealPieces | None:
        """What real pieces of these lengths reach: of the pieces named if they are enough, else as stored."""
        if self.pieces:
            return real_pieces([score for _, score in self.pieces], primer_bars, bars)
        return nearest(self.stored, primer_bars, bars)

    def beside(self, bars: int) -> Named | None:
        """The real piece to draw: how the primer's own goes on, or the one that has nearest to so many bars."""
        if self.own is not None:
            name, own = self.own
            return f"{name}, as it really goes on", own
        if not self.pieces:
            return None
        name, score = min(self.pieces, key=lambda named: abs(len(Bars.of_score(named[1])) - bars))
        return f"A real piece: {name}", score


def read_real_music(
    checkpoint: Checkpoint, model: Path, reference: str | None, limits: Limits, whole: tuple[str, Score] | None
) -> RealMusic:
    """Read what there is to compare with.

    Args:
        checkpoint: of the model, which says what it would hear.
        model: its folder, or weights file.
        reference: a folder, a file, a prepared corpus or the name of one; None: the ranges stored with the model.
        limits: budgets for each file.
        whole: the primer's name and all of its piece.

    Raises:
        OptionError: there is no such reference.
        NoNotesError: nothing of it can be used.
        BadFileError: the stored ranges, or a prepared corpus, are damaged.
    """
    own = None if whole is None else (whole[0], _heard(checkpoint, whole[1]))
    if reference is None:
        return RealMusic(own, (), tuple(read_ranges(weights_path(model).parent / RANGES)))
    unusable: list[object] = []
    pieces = list(islice(_all_heard(checkpoint, reference, limits, unusable.append), MOST_PIECES))
    if not pieces:
        why = next((f" ({problem})" for problem in unusable if isinstance(problem, BadFileError)), "")
        raise NoNotesError(
            f"--reference {shown(reference)}: no piece with notes; name a folder, a music file or a corpus{why}"
        )
    remarks = [f"of the reference {len(unusable)} could not be used"] if unusable else []
    remarks += [f"of the reference the first {MOST_PIECES} are used"] if len(pieces) >= MOST_PIECES else []
    return RealMusic(own, tuple(pieces), (), tuple(remarks))


def _all_heard(checkpoint: Checkpoint, reference: str, limits: Limits, tell: Tell) -> Iterator[Named]:
    """The pieces of a reference, as a model would hear them; what it cannot is told."""
    for piece in real_pieces_of(reference, limits, tell):
        try:
            yield piece.name, _heard(checkpoint, piece.score)
        except NoNotesError as problem:
            tell(problem)


def _heard(checkpoint: Checkpoint, score: Score) -> Score:
    """What a model would hear of a piece. Raises NoNotesError."""
    return make_readable(with_gathered_beats(score), checkpoint).voice
