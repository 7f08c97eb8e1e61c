"""Where does a run stand? This needs no torch."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from seqaudio.errors import CheckpointError
from seqaudio.files.atomic import shown

STATE = Path("last") / "state.safetensors"  # in the folder of a run
LONGEST = 2**24  # bytes of a header


@dataclass
class Progress:
    """Where a run stands; with weights, optimizer, averages and the carried state, all that is needed to go on."""

    epoch: int = 0
    place: int = 0  # steps done in this epoch
    step: int = 0
    seconds: float = 0.0
    best_nats: float = math.inf
    best_epoch: int = -1
    finished: bool = False


def progress_of(header: bytes) -> tuple[Progress, str]:
    """The progress in the header of a saved state, and the fingerprint of the data it belongs to."""
    facts = json.loads(header)["__metadata__"]
    return Progress(**json.loads(facts["progress"])), str(facts["corpus"])


def read_progress(run: str | Path) -> Progress | None:
    """Where the run in a folder was last saved; None: the folder holds no saved run.

    Raises:
        CheckpointError: its state is damaged.
    """
    path = Path(run) / STATE
    if not path.is_file():
        return None
    try:
        with open(path, "rb") as file:
            return progress_of(file.read(min(int.from_bytes(file.read(8), "little"), LONGEST)))[0]
    except (OSError, ValueError, LookupError, TypeError) as problem:
        reason = " ".join(str(problem).split())
        raise CheckpointError(f"{shown(path)}: damaged ({reason}); start again in a new folder") from None
