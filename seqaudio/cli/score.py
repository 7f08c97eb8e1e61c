"""``seqaudio score``: how likely a model finds music."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from seqaudio.cli.options import engine_option, json_option, limit_option


@click.command("score")
@click.argument("model", metavar="NAME|PATH")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@engine_option
@limit_option
@json_option
def command(model: str, files: tuple[Path, ...], engine: str, limits: tuple[str, ...], as_json: bool) -> None:
    """Nats per token, note and bar that MODEL needs for FILES; lower is likelier. Every tune of an ABC book counts.

    A model of frames scores sets of piano rolls (.mat, .json, .npz): nats per frame of each split.

    A file that cannot be read is named on stderr, the others are scored, and the exit code is 1.
    """
    from seqaudio.cli.score_rolls import score_rolls
    from seqaudio.continuation.engines import load_engine
    from seqaudio.continuation.likelihood import score_likelihood
    from seqaudio.errors import NoNotesError, SeqAudioError
    from seqaudio.files.atomic import shown
    from seqaudio.files.limits import Limits
    from seqaudio.files.reader import read_pieces
    from seqaudio.models.checkpoint import Checkpoint
    from seqaudio.pretrained import model_path

    budgets = Limits.parse(limits)
    checkpoint = Checkpoint.load(model_path(model))
    if checkpoint.frames:
        return score_rolls(model, checkpoint, files, budgets, as_json)
    loaded = load_engine(model_path(model), engine)  # type: ignore[arg-type]
    rows: list[dict[str, Any]] = []
    problems = 0

    def skip(problem: object) -> None:
        nonlocal problems
        problems += 1
        click.echo(f"seqaudio: {problem}", err=True)

    for path in files:
        try:
            pieces, unreadable = read_pieces(path, budgets)
        except SeqAudioError as problem:
            skip(problem)
            continue
        for reason in unreadable:
            skip(reason)
        for piece in pieces:
            try:
                found = score_likelihood(loaded, piece.score)
            except NoNotesError as problem:
                skip(f"{shown(path)}: {problem}")
                continue
            row = _row(piece.name, len(found.nats), found.notes, found.bars, float(found.nats.sum()))
            rows.append(row | {"remarks": list(found.remarks)})
            if not as_json:
                click.echo(_line(row) + "".join(f"\n  {remark}" for remark in found.remarks))
    if not rows:
        raise NoNotesError("no piece could be scored")
    totals = [sum(row[key] for row in rows) for key in ("tokens", "notes", "bars", "nats")]
    total = _row(f"all {len(rows)}", *totals)
    if as_json:
        click.echo(json.dumps({"model": model, "pieces": rows, "total": total}, indent=1))
    elif len(rows) > 1:
        click.echo(_line(total))
    if problems:
        raise SeqAudioError(f"{problems} of {problems + len(rows)} pieces could not be scored")


def _row(name: str, tokens: int, notes: int, bars: int, nats: float) -> dict[str, Any]:
    per = {f"nats_per_{what}": nats / count for what, count in (("token", tokens), ("note", notes), ("bar", bars))}
    return {"name": name, "tokens": tokens, "notes": notes, "bars": bars, "nats": nats, **per}


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['name']}: {row['nats_per_token']:.4f} nats per token, {row['nats_per_note']:.4f} per note, "
        f"{row['nats_per_bar']:.3f} per bar ({row['notes']} notes, {row['bars']} bars)"
    )
