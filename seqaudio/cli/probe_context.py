"""``seqaudio probe context``: how far back a model listens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.probed import finite, probe_options

if TYPE_CHECKING:
    from seqaudio.cli.probed import Probed
    from seqaudio.memory.contexts import ContextNats
    from seqaudio.memory.lines import Line
    from seqaudio.report.contexts import Context


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
    files: tuple[Path, ...],
    pieces: int,
    seed: int,
    plot: str | None,
    json_file: Path | None,
    limits: tuple[str, ...],
    unit: str,
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

    Without FILES a run hears its validation pieces, and a shipped model of melodies a tune that comes with seqaudio. A
    model of frames hears sets of piano rolls (.mat, .json, .npz). A file that cannot be read is named on stderr, and
    the exit code is 1.
    """
    from seqaudio.cli.probed import load_probed, write_facts
    from seqaudio.cli.terminal import console
    from seqaudio.files.limits import Limits
    from seqaudio.memory.contexts import STEP_TARGETS, TARGETS, context_nats
    from seqaudio.report.contexts import contexts

    if plot is not None:
        from seqaudio.report.pianoroll import picture_kind

        picture_kind(plot)
    subject, lines, units = _in_units(load_probed(model, files, Limits.parse(limits), pieces), unit)
    targets = targets or (TARGETS if units == "bars" else STEP_TARGETS)
    with console().status(f"{model}: {len(lines)} pieces"):
        memory = subject.checkpoint.memory()
        found = context_nats(subject.model, lines, memory, targets=targets, semitones=semitones, seed=seed)
        told = contexts(found, within=within / 100, seed=seed)
    full = float(found.full.sum() / found.steps.sum())
    click.echo("\n".join([*_heading(subject, found, units, within), "", _table(told, full, units)]))
    if json_file is not None:
        facts: dict[str, Any] = {"model": model, "music": subject.source, "pieces": subject.names, "unit": units}
        facts |= {"within": within / 100, "targets": targets, "seed": seed, "semitones": semitones}
        write_facts(json_file, facts | _facts(found, told, full))
    if plot is not None:
        from seqaudio.report.contexts import draw_contexts

        draw_contexts(told, full, plot, f"{model} hears {subject.source}", units, subject.step)
    subject.finish()


def _in_units(subject: Probed, unit: str) -> tuple[Probed, list[Line], str]:
    """The pieces in units, those of a single one left out, and the name of the units."""
    from seqaudio.errors import OptionError
    from seqaudio.memory.lines import BarLine, line_of

    lines: list[Line] = [line_of(subject.checkpoint, piece, by_steps=unit == "steps") for piece in subject.pieces]
    of_bars = isinstance(lines[0], BarLine)
    if unit == "bars" and not of_bars:
        raise OptionError(f"--unit bars: the {subject.step}s of this model tell of no bars; use --unit steps")
    units = "bars" if of_bars else f"{subject.step}s"
    lengths = [len(line.units) for line in lines]
    subject = subject.long_enough(lengths, 2, units, "try --unit steps" if of_bars else "other music")
    return subject, [line for line in lines if len(line.units) >= 2], units


def _heading(subject: Probed, found: ContextNats, units: str, within: float) -> list[str]:
    steps = f"{int(found.steps.sum()):,} {subject.step}s"
    lines = [*subject.head(), *(f"  not {name}: {reason}" for name, reason in found.left_out.items())]
    lines.append(f"nats per {subject.step} of {steps}; effective: {units} from which on they stay within {within:g} %")
    return lines if len(found.steps) > 1 else [*lines, "one piece has no intervals; give more"]


def _table(told: dict[str, Context], full: float, units: str) -> str:
    from seqaudio.cli.terminal import span, table, table_text
    from seqaudio.report.contexts import WORDS

    longest = max(context.sizes[-1] for context in told.values())
    shown = [2**power for power in range(longest.bit_length())]
    made = table(["past", "effective", *map(str, shown), "whole", f"beyond the last n {units}"], last_left=True)
    for name, context in told.items():
        nats = dict(zip(context.sizes, context.nats.tolist(), strict=True))
        cells = [f"{nats[n]:.3f}" if n in nats else "" for n in shown]
        effective = span(context.effective, context.ends, context.sizes[-1])
        made.add_row(name, effective, *cells, f"{full:.3f}", WORDS[name])
    return table_text(made)


def _facts(found: ContextNats, told: dict[str, Context], full: float) -> dict[str, Any]:
    """What is found as JSON; null for an effective context beyond the largest size."""
    return {
        "steps": found.steps.tolist(),
        "full": {"nats_per_step": full, "nats_of_pieces": found.full.tolist()},
        "left_out": found.left_out,
        "pasts": {
            name: {
                "effective": finite(context.effective),
                "interval": None if context.ends is None else [finite(end) for end in context.ends],
                "sizes": list(context.sizes),
                "nats_per_step": context.nats.tolist(),
                "nats_of_pieces": found.curves[name].nats.T.tolist(),
            }
            for name, context in told.items()
        },
    }
