"""``seqaudio score`` of a model of frames: nats per frame of each split of a set of piano rolls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.adapting import Asked, facts_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from seqaudio.files.limits import Limits
    from seqaudio.files.rolls import Roll
    from seqaudio.models.checkpoint import Checkpoint

    NatsOf = Callable[[list[NDArray[np.bool_]]], list[NDArray[np.float64]]]


def score_rolls(
    name: str,
    checkpoint: Checkpoint,
    files: tuple[Path, ...],
    budgets: Limits,
    asked: Asked,
    as_json: bool,
) -> None:
    """Print the nats of every split. Every file is read before the first is scored."""
    from seqaudio.errors import NoNotesError
    from seqaudio.training.evaluate import piece_nats

    sets = [(path, read_rolls_for(checkpoint, path, budgets)) for path in files]
    model = checkpoint.build()
    rows: list[dict[str, Any]] = []
    for path, rolls in sets:
        for row in _rows(partial(piece_nats, model, memory=checkpoint.memory(), **asked), path, rolls):
            rows.append(row)
            if not as_json:
                click.echo(_line(row))
    if not rows:
        raise NoNotesError("no piece is longer than a frame, and the first frame of a piece is given")
    if as_json:
        click.echo(json.dumps({"model": name, **facts_of(asked), "splits": rows}, indent=1))


def read_rolls_for(checkpoint: Checkpoint, path: Path, budgets: Limits) -> list[Roll]:
    """The rolls of a file, if the model, one of frames, reads such frames."""
    from seqaudio.errors import OptionError, VocabularyError
    from seqaudio.files.atomic import shown
    from seqaudio.files.rolls import ROLL_SUFFIXES, read_rolls

    frames = checkpoint.frames
    assert frames is not None
    if path.suffix.lower() not in ROLL_SUFFIXES:
        raise OptionError(
            f"{shown(path)}: this is a model of frames ({frames}), which hears sets of piano rolls: "
            f"{', '.join(ROLL_SUFFIXES)}"
        )
    rolls = read_rolls(path, budgets)
    for roll in rolls:
        if (roll.frames.shape[1], roll.lowest_pitch) != (frames.keys, frames.lowest_pitch):
            raise VocabularyError(
                f"{shown(roll.name)}: {roll.frames.shape[1]} keys from pitch {roll.lowest_pitch}, and the model reads "
                f"{frames.keys} from {frames.lowest_pitch}; save the set with these"
            )
    return rolls


def _rows(nats_of: NatsOf, path: Path, rolls: list[Roll]) -> Iterator[dict[str, Any]]:
    """What each split of a file needs; the first frame of a piece is given, as in the polyphonic benchmark."""
    from seqaudio.files.atomic import shown

    for split in dict.fromkeys(roll.split for roll in rolls):
        of_split = [roll.frames for roll in rolls if roll.split == split]
        pieces = [nats for nats in nats_of(of_split) if len(nats)]
        count, total = sum(map(len, pieces)), float(sum(nats.sum() for nats in pieces))
        if count:
            row = {"file": shown(path), "split": split, "pieces": len(pieces), "frames": count, "nats": total}
            yield row | {"nats_per_frame": total / count}


def _line(row: dict[str, Any]) -> str:
    where, pieces = f"{row['file']} {row['split']}".rstrip(), f"{row['pieces']:,} piece{'s' * (row['pieces'] != 1)}"
    return f"{where}: {row['nats_per_frame']:.4f} nats per frame ({pieces}, {row['frames']:,} frames)"
