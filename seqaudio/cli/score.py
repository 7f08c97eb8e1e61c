"""``seqaudio score``: how likely a model finds music."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.adapting import Asked, adapting, adapting_options, facts_of
from seqaudio.cli.options import engine_option, json_option, limit_option

if TYPE_CHECKING:
    from seqaudio.continuation.engines import Engine
    from seqaudio.files.limits import Limits


@click.command("score")
@click.argument("model", metavar="NAME|PATH")
@click.argument("files", nargs=-1, metavar="FILES...", type=click.Path(path_type=Path))
@adapting_options
@engine_option
@limit_option
@json_option
def command(
    model: str,
    files: tuple[Path, ...],
    cache: str | None,
    dynamic: str | None,
    engine: str,
    limits: tuple[str, ...],
    as_json: bool,
) -> None:
    """Nats per token, note and bar that MODEL needs for FILES; lower is likelier. Every tune of an ABC book counts.

    A model of frames scores sets of piano rolls (.mat, .json, .npz): nats per frame of each split.

    A file that cannot be read is named on stderr, the others are scored, and the exit code is 1.
    """
    from seqaudio.cli.score_rolls import score_rolls
    from seqaudio.continuation.engines import load_engine
    from seqaudio.errors import NoNotesError, OptionError, SeqAudioError
    from seqaudio.files.atomic import shown
    from seqaudio.files.limits import Limits
    from seqaudio.models.checkpoint import Checkpoint
    from seqaudio.models.config import why_no_graph
    from seqaudio.pretrained import DEFAULT_MODEL, model_path

    if not files:
        rest = f"{DEFAULT_MODEL} {shown(model)}" if Path(model).is_file() else f"{shown(model)} song.mid"
        raise click.UsageError(f"name a model and then files, as in: seqaudio score {rest}")
    budgets, asked = Limits.parse(limits), adapting(cache, dynamic, engine)
    checkpoint = Checkpoint.load(model_path(model))
    if checkpoint.frames:
        if engine == "onnx":
            raise OptionError(f"--engine onnx: {why_no_graph(checkpoint.config)}; leave it out")
        return score_rolls(model, checkpoint, files, budgets, asked, as_json)
    loaded = load_engine(model_path(model), "torch" if asked else engine)  # type: ignore[arg-type]
    rows, problems = _score_all(model, loaded, files, budgets, asked, as_json)
    if not rows:
        raise NoNotesError("no piece could be scored")
    totals = [sum(row[key] for row in rows) for key in ("tokens", "notes", "bars", "nats")]
    total = _row(f"all {len(rows)}", *totals)
    if as_json:
        click.echo(json.dumps({"model": model, **facts_of(asked), "pieces": rows, "total": total}, indent=1))
    elif len(rows) > 1:
        click.echo(_line(total))
    if problems:
        raise SeqAudioError(f"{problems} of {problems + len(rows)} pieces could not be scored")


def _score_all(
    model: str, loaded: Engine, files: tuple[Path, ...], budgets: Limits, asked: Asked, as_json: bool
) -> tuple[list[dict[str, Any]], int]:
    """A row for each piece, printed unless all is to be JSON, and how many could not be scored, named on stderr."""
    from seqaudio.continuation.likelihood import score_likelihood
    from seqaudio.errors import NoNotesError, SeqAudioError
    from seqaudio.files.atomic import shown
    from seqaudio.files.reader import read_pieces
    from seqaudio.pretrained.choice import check_fits

    rows: list[dict[str, Any]] = []
    problems: list[object] = []

    def skip(problem: object) -> None:
        problems.append(problem)
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
                check_fits(model, piece.score)
                found = score_likelihood(loaded, piece.score, **asked)
            except NoNotesError as problem:
                skip(f"{shown(path)}: {problem}")
                continue
            row = _row(piece.name, len(found.nats), found.notes, found.bars, float(found.nats.sum()))
            rows.append(row | {"remarks": list(found.remarks)})
            if not as_json:
                click.echo(_line(row) + "".join(f"\n  {remark}" for remark in found.remarks))
    return rows, len(problems)


def _row(name: str, tokens: int, notes: int, bars: int, nats: float) -> dict[str, Any]:
    per = {f"nats_per_{what}": nats / count for what, count in (("token", tokens), ("note", notes), ("bar", bars))}
    return {"name": name, "tokens": tokens, "notes": notes, "bars": bars, "nats": nats, **per}


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['name']}: {row['nats_per_token']:.4f} nats per token, {row['nats_per_note']:.4f} per note, "
        f"{row['nats_per_bar']:.3f} per bar ({row['notes']} notes, {row['bars']} bars)"
    )
