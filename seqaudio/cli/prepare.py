"""``seqaudio prepare``: folders of music -> a prepared corpus."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.options import (
    TokenizerName,
    jobs_option,
    json_option,
    limit_option,
    memory_option,
    settings_of,
    timeout_option,
    usage_error,
)

if TYPE_CHECKING:
    from seqaudio.corpus.options import PrepareOptions
    from seqaudio.corpus.prepare import Counts

TOKENIZERS = ("bars", "melody", "performance", "pianoroll", "midi-tokenizers")  # without importing them, for --help


@click.command("prepare")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE... OUT")
@click.option(
    "--tokenizer",
    type=TokenizerName(TOKENIZERS),
    default="bars",
    show_default=True,
    help="How to write notes; or MODULE:CLASS, one of your own.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of the tokenizer.")
@click.option("--melody", is_flag=True, help="Bars: only each piece's melody, without programs and velocities.")
@click.option("--lead-sheet", is_flag=True, help="Bars: each piece's melody, and all else that is pitched as chords.")
@click.option("--min-notes", type=click.IntRange(1), default=16, show_default=True, help="Drop pieces with fewer.")
@click.option("--min-bars", type=click.IntRange(1), default=4, show_default=True, help="Drop pieces with fewer.")
@click.option("--max-tokens", type=click.IntRange(16), default=65_536, show_default=True, help="Drop longer pieces.")
@limit_option
@click.option(
    "--valid-share", type=click.FloatRange(0, 1, max_open=True), default=0.05, show_default=True, help="Of all groups."
)
@click.option(
    "--test-share", type=click.FloatRange(0, 1, max_open=True), default=0.05, show_default=True, help="Of all groups."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the split.")
@jobs_option
@click.option("--dask", default="", metavar="ADDRESS", help="Read on a Dask cluster instead: tcp://host:8786.")
@timeout_option
@memory_option
@json_option
def command(sources: tuple[str, ...], jobs: int, dask: str, timeout: float, memory: int, **options: Any) -> None:
    """Turn folders, files, lists or named corpora (see `seqaudio corpora`) into the prepared corpus OUT.

    A list is a .txt or .lst file with one path per line. Copies and versions of one piece, transposed or not, go to one
    side of the split; official splits are kept. The report says what was dropped and by which rule, and what the tokens
    cannot hold. With the same options only files that changed are read again, and a run that was stopped goes on with
    the same command.
    """
    if len(sources) < 2:
        raise click.UsageError("give at least one SOURCE and then OUT, the folder to make")
    from seqaudio.corpus.prepare import prepare
    from seqaudio.files.atomic import shown

    *folders, out = sources
    as_json = options.pop("as_json")
    checked = _checked(options)
    work: dict[str, Any] = {"jobs": jobs, "dask": dask, "timeout_s": timeout, "memory_mb": memory}
    try:
        with _progress() as (show, fetching):
            summary = prepare(folders, out, checked, **work, show=show, fetching=fetching)
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; the same command goes on where it stopped") from None
    if as_json:
        click.echo(json.dumps(summary.facts()))
    else:
        click.echo(summary.report)
        click.echo(f"{summary.files} files: {summary.read} read now, {summary.reused} unchanged since they were read")
        click.echo(f"written to {shown(out)}; every dropped piece is in its report.txt")


def _checked(options: dict[str, Any]) -> PrepareOptions:
    """The options as one value; mistakes in them are mistakes of usage."""
    from pydantic import ValidationError

    from seqaudio.corpus.options import PrepareOptions
    from seqaudio.files.limits import Limits

    settings = settings_of(options.pop("settings"), "velocities=false")
    limits = Limits.parse(list(options.pop("limits")))
    try:
        return PrepareOptions.model_validate({**options, "settings": dict(settings), "limits": limits})
    except ValidationError as problem:
        raise usage_error(problem) from None


@contextmanager
def _progress() -> Iterator[tuple[Callable[[Counts], None], Callable[[int, int | None], None]]]:
    """Shows counts of files, and of bytes before."""
    from seqaudio.cli.terminal import bars

    started = time.monotonic()
    with bars() as (bar, log):
        download = bar.add_task("MB", total=None, doing="downloading", visible=False)
        task = bar.add_task("", total=None, doing="reading")

        def fetching(done: int, size: int | None) -> None:
            here, of = done // 1_000_000, size and size // 1_000_000
            bar.update(download, completed=here, total=of, visible=True)
            log(f"downloading: {here} of {'?' if of is None else of} MB")

        def show(counts: Counts) -> None:
            rate = (counts.done - counts.reused) / max(time.monotonic() - started, 1e-3)
            words = f"{counts.kept} pieces kept, {counts.dropped} dropped, {rate:.0f} files/s"
            bar.update(task, total=counts.files, completed=counts.done, description=words)
            log(f"{counts.done} of {counts.files} files: {words}")

        yield show, fetching
