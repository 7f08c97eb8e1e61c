"""``seqaudio probe context``: how far back a model listens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seqaudio.cli.probed import load_models, load_probed, probe_options, write_facts

if TYPE_CHECKING:
    from seqaudio.cli.probed import Probed
    from seqaudio.memory.context_probe import ContextReport, Unit


@click.command("context")
@probe_options
@click.option(
    "--unit",
    type=click.Choice(["auto", "bars", "steps"]),
    default="auto",
    show_default=True,
    help="Of what is cut: bars where tokens tell of bars, else steps (tokens, frames).",
)
@click.option(
    "--within",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    metavar="%",
    help="That nats may differ by.",
)
@click.option("--targets", type=click.IntRange(1, 1024), help="Units of each piece.  [default: 8 bars, or 16 steps]")
@click.option("--semitones", type=click.IntRange(1, 12), default=6, show_default=True, help="To transpose the past by.")
def command(
    model: str,
    files: tuple[str, ...],
    pieces: int,
    seed: int,
    plot: str | None,
    json_file: Path | None,
    limits: tuple[str, ...],
    unit: Unit,
    within: float,
    targets: int | None,
    semitones: int,
) -> None:
    """Nats that MODEL needs for the same bars (or steps) of FILES when its past is cut, changed, or wiped out.

    cut: only the last n bars are heard. shuffled, replaced, transposed: those further back are in random order, another
    piece's, or in another key. reset: the state is zeroed every n bars, and a memory of the piece, which lies outside
    the state, stays. The effective context is the smallest n from which on the nats stay within 1 % (--within) of those
    with the whole piece. Targets are of the second half of each piece; intervals are 95 % bootstraps over pieces, so a
    single piece has none.

    FILES are music files, folders or sets of piano rolls (of a set with splits the test pieces). Without FILES a run
    hears its validation pieces where they still lie, a model of melodies else a tune that comes with seqaudio, any
    other 32 bars that it writes itself. A file that cannot be read is named on stderr, and the exit code is 1.
    """
    from seqaudio.cli.terminal import console
    from seqaudio.memory.context_probe import probe_context

    (subject,) = load_probed([model], load_models([model], plot, json_file, files), files, limits, pieces)
    with console().status(f"{model}: {len(subject.pieces)} pieces"):
        report = probe_context(
            subject.checkpoint,
            subject.pieces,
            unit=unit,
            within=within / 100,
            targets=targets,
            semitones=semitones,
            seed=seed,
        )
    click.echo("\n".join([*_heading(subject, report), "", _table(report)]))
    if json_file is not None:
        write_facts(json_file, {"seed": seed} | subject.facts(report))
    if plot is not None:
        from seqaudio.report.contexts import draw_contexts

        title = f"{model} hears {subject.source}"
        draw_contexts(report.pasts, report.full, plot, title, report.unit, report.step)
    subject.finish()


def _heading(subject: Probed, report: ContextReport) -> list[str]:
    found, units = report.found, report.unit
    steps = f"{int(found.steps.sum()):,} {report.step}s"
    lines = [*subject.head(report), *(f"  not {name}: {reason}" for name, reason in found.left_out.items())]
    within = f"{100 * report.within:g} %"
    lines.append(f"nats per {report.step} of {steps}; effective: {units} from which on they stay within {within}")
    return lines if len(found.steps) > 1 else [*lines, "one piece has no intervals; give more"]


def _table(report: ContextReport) -> str:
    from seqaudio.cli.terminal import span, table, table_text
    from seqaudio.memory.effective import WORDS

    longest = max(context.sizes[-1] for context in report.pasts.values())
    shown = [2**power for power in range(longest.bit_length())]
    made = table(["past", "effective", *map(str, shown), "whole", f"beyond the last n {report.unit}"], last_left=True)
    for name, context in report.pasts.items():
        nats = dict(zip(context.sizes, context.nats.tolist(), strict=True))
        cells = [f"{nats[n]:.3f}" if n in nats else "" for n in shown]
        effective = span(context.effective, context.ends, context.sizes[-1])
        made.add_row(name, effective, *cells, f"{report.full:.3f}", WORDS[name])
    return table_text(made)
