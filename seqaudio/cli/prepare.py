"""``seqaudio prepare``: folders of music -> a prepared corpus."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click


@click.command("prepare")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE... OUT")
@click.option("--tokenizer", type=click.Choice(["bars"]), default="bars", show_default=True, help="How to write notes.")
@click.option("--melody", is_flag=True, help="Keep only each piece's melody, without programs and velocities.")
@click.option("--min-notes", type=click.IntRange(1), default=16, show_default=True, help="Drop pieces with fewer.")
@click.option("--min-bars", type=click.IntRange(1), default=4, show_default=True, help="Drop pieces with fewer.")
@click.option("--max-tokens", type=click.IntRange(16), default=65_536, show_default=True, help="Drop longer pieces.")
@click.option("--valid-share", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Of all groups.")
@click.option("--test-share", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Of all groups.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the split.")
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Worker processes.")
def command(sources: tuple[str, ...], tokenizer: str, jobs: int, **options: object) -> None:
    """Turn folders, files or named corpora (see `seqaudio corpora`) into the prepared corpus OUT.

    Copies and versions of one piece, transposed or not, go to one side of the split. The report says what was dropped
    and by which rule, and what the tokens cannot hold.
    """
    if len(sources) < 2:
        raise click.UsageError("give at least one SOURCE and then OUT, the folder to make")
    from pydantic import ValidationError
    from rich.progress import track

    from seqaudio.cli.terminal import console
    from seqaudio.corpus.prepare import Prepared, PrepareOptions, prepare

    try:
        checked = PrepareOptions.model_validate(options)
    except ValidationError as problem:
        raise click.UsageError("; ".join(error["msg"] for error in problem.errors())) from None

    def progress(results: Iterable[list[Prepared]], total: int) -> Iterable[list[Prepared]]:
        return track(results, "reading", total, console=console())

    *folders, out = sources
    report = prepare(folders, Path(out), checked, jobs=jobs, progress=progress)
    click.echo(report + f"\nwritten to {out}")
