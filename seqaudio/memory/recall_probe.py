"""Behind how much other music does a model still know a motif? One call, one report.

Conventions: those of :mod:`seqaudio.memory.motifs` (what is heard) and :mod:`seqaudio.memory.half_lag` (recall).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from seqaudio.memory.half_lag import Recall, recall_of_motifs
from seqaudio.memory.heard import Heard, heard_by, long_enough
from seqaudio.memory.lines import BarLine, Line, line_of
from seqaudio.memory.motifs import DISTANCES, PLACES, MotifNats, fewest_units, motif_nats
from seqaudio.models.checkpoint import Checkpoint


@dataclass(frozen=True)
class RecallReport:
    """What :func:`probe_recall` found.

    Attributes:
        cell: of the model.
        pieces: as the model heard them.
        unit: of the distances: "bars", "tokens" or "frames".
        step: what nats are counted by: "token" or "frame".
        found: nats of each piece.
        recall: the share of its nats that hearing a motif saves, by distance.
        remarks: what was left out.
    """

    cell: str
    pieces: list[Heard]
    unit: str
    step: str
    found: MotifNats
    recall: Recall
    remarks: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {
            "cell": self.cell,
            "pieces": [piece.facts() for piece in self.pieces],
            "remarks": list(self.remarks),
            "unit": self.unit,
            "steps": self.found.steps.tolist(),
            "heard": self.found.heard.tolist(),
            "control": self.found.control.tolist(),
            **self.recall.facts(),
        }


def probe_recall(
    checkpoint: Checkpoint,
    pieces: Iterable[Heard],
    *,
    distances: Sequence[int] = DISTANCES,
    places: int = PLACES,
    seed: int = 0,
) -> RecallReport:
    """What a model as it is has kept of a motif behind so many bars of other music.

    Args:
        checkpoint: of the model.
        pieces: as :func:`seqaudio.memory.heard.hear` makes them; one by itself is put among its own other bars.
        distances: bars of other music; where there are no bars, so many times 16 steps.
        places: motifs of each piece.
        seed: of random orders and draws.

    Raises:
        OptionError: a number cannot be, or a piece was heard by a model of other steps.
        NoNotesError: no piece has room for a motif and other music.
    """
    known = heard_by(checkpoint, pieces)
    lines: list[Line] = [line_of(checkpoint, piece.piece) for piece in known]
    of_bars = any(isinstance(line, BarLine) for line in lines)
    units = "bars" if of_bars else f"{checkpoint.step}s"
    rooms = [len(line.units) - line.fixed for line in lines]
    fewest = fewest_units(lines[0]) if lines else 1
    kept, remarks = long_enough(known, rooms, fewest, units, "other music")
    lines = [line for line, room in zip(lines, rooms, strict=True) if room >= fewest]
    found = motif_nats(checkpoint.build(), lines, checkpoint.memory(), distances=distances, places=places, seed=seed)
    recall = recall_of_motifs(found, seed=seed)
    return RecallReport(checkpoint.config.cell, kept, units, checkpoint.step, found, recall, remarks)
