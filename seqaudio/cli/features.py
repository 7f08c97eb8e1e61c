"""``seqaudio features``: recordings -> files of features."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.options import (
    jobs_option,
    json_option,
    limit_option,
    memory_option,
    settings_of,
    timeout_option,
    usage_error,
)

if TYPE_CHECKING:
    from seqaudio.corpus.extract import Extraction, Progress
    from seqaudio.corpus.feature_options import FeatureOptions

SHOWN_REFUSED = 10  # of more the first; the manifest has all


def _list(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from seqaudio.cli.terminal import table, table_text
        from seqaudio.features.names import FEATURES

        rows = table(["kind", "what it is"], left=2)
        for name, text in FEATURES.items():
            rows.add_row(name, text)
        click.echo(table_text(rows))
        ctx.exit()


@click.command("features")
@click.argument("audio", nargs=-1, required=True, metavar="AUDIO...")
@click.option("-o", "--output", "out", required=True, metavar="DIR", help="The folder to fill.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND,...",
    help="Which features.  [default: log_mel]",
)
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List the kinds there are."
)
@click.option(
    "--preset",
    type=click.Choice(["librosa", "torchaudio"]),
    default="librosa",
    show_default=True,
    help="Whose settings and numbers.",
)
@click.option("--sample-rate", type=click.IntRange(1), metavar="HZ", help="Resample first.  [default: as recorded]")
@click.option("--mono/--no-mono", default=True, show_default=True, help="Mix the channels, or take each by itself.")
@click.option(
    "--set", "settings", multiple=True, metavar="[KIND.]KEY=VALUE", help="A setting, by librosa's name: hop_length=256."
)
@limit_option
@jobs_option
@timeout_option
@memory_option
@click.option(
    "--plot", type=click.Path(dir_okay=False), metavar="FILE.png", help="Draw the first recording's features."
)
@json_option
def command(
    audio: tuple[str, ...],
    out: str,
    limits: tuple[str, ...],
    jobs: int,
    timeout: float,
    memory: int,
    plot: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Turn recordings, and folders of them, into features: one .npz each in DIR, and manifest.json.

    WAV, FLAC, Ogg, MP3 and AIFF are read. An .npz holds for each KIND an array (bins, frames), KIND_times in seconds
    and KIND_names of the bins. A recording that cannot be used is told, and the others go on. With the same options
    only recordings that changed are read again, and a run that was stopped goes on with the same command.
    """
    from seqaudio.corpus.extract import extract_features
    from seqaudio.files.limits import Limits

    checked, budgets = _checked(options), Limits.parse(limits)
    if plot is not None:
        from seqaudio.report.pianoroll import check_picture_path

        check_picture_path(plot)
    try:
        with _progress() as show:
            work: dict[str, Any] = {"jobs": jobs, "timeout_s": timeout, "memory_mb": memory, "limits": budgets}
            made = extract_features(audio, out, checked, **work, show=show)
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; the same command goes on where it stopped") from None
    if plot is not None:
        _draw(Path(out) / made.outputs[0], checked, plot)
    if as_json:
        click.echo(json.dumps(made.facts() | {"plot": plot}, indent=1))
    else:
        _report(made, plot)


def _checked(options: dict[str, Any]) -> FeatureOptions:
    """The options as one value; mistakes in them are mistakes of usage."""
    from pydantic import ValidationError

    from seqaudio.corpus.feature_options import FeatureOptions, parse_settings

    settings = parse_settings(settings_of(options.pop("settings"), "hop_length=256"))
    named = options.pop("kinds")
    kinds = tuple(kind.strip() for text in named for kind in text.split(",") if kind.strip())
    try:
        return FeatureOptions.model_validate({**options, "settings": settings, **({"kinds": kinds} if named else {})})
    except ValidationError as problem:
        raise usage_error(problem, kinds="kind", settings="set") from None


def _draw(features: Path, options: FeatureOptions, plot: str) -> None:
    from seqaudio.report.features import draw_features

    Path(plot).parent.mkdir(parents=True, exist_ok=True)
    draw_features(features, options.kinds, plot)


def _report(made: Extraction, plot: str | None) -> None:
    from seqaudio.files.atomic import shown

    used = made.files - len(made.refused)
    click.echo(f"{used} of {made.files} recordings, {made.seconds:,.1f} s of sound, are in {shown(made.out)} as .npz")
    click.echo(f"{made.read} were read now, {made.reused} are unchanged since they were")
    if made.refused:
        click.echo(f"{len(made.refused)} cannot be used:")
        for name in list(made.refused)[:SHOWN_REFUSED]:
            click.echo(f"  {shown(name)}: {made.refused[name]}")
        if (more := len(made.refused) - SHOWN_REFUSED) > 0:
            click.echo(f"  and {more} more")
    for remark, count in made.remarks.items():
        click.echo(f"remark ({count} x): {remark}")
    click.echo("manifest.json there says what is in each")
    if plot is not None:
        click.echo(f"drawn in {shown(plot)}: {shown(made.outputs[0])}")


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """Shows counts of recordings."""
    from seqaudio.cli.terminal import bars

    started = time.monotonic()
    with bars() as (bar, log):
        task = bar.add_task("", total=None, doing="listening")

        def show(progress: Progress) -> None:
            rate = (progress.done - progress.reused) / max(time.monotonic() - started, 1e-3)
            words = f"{progress.refused} refused, {rate:.0f} files/s"
            bar.update(task, total=progress.files, completed=progress.done, description=words)
            log(f"{progress.done} of {progress.files} recordings: {words}")

        yield show
