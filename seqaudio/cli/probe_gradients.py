"""``seqaudio probe gradients``: how fast the gradient of a model fades with the lag."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from seqaudio.cli.probed import load_models, load_probed, probe_options, write_facts

if TYPE_CHECKING:
    from seqaudio.cli.probed import Probed
    from seqaudio.memory.gradient_probe import GradientReport


class Told(NamedTuple):
    """What is found of a model, or of its make with fresh weights."""

    name: str
    subject: Probed
    report: GradientReport


@click.command("gradients")
@probe_options
@click.option("--beside", multiple=True, metavar="NAME|PATH", help="Another model on the same music; may be repeated.")
@click.option("--init", "with_init", is_flag=True, help="Also each model's make with fresh weights.")
@click.option("--lags", type=click.IntRange(2, 4096), help="The longest.  [default: 128, or half of the longest piece]")
@click.option("--targets", type=click.IntRange(1, 1024), default=32, show_default=True, help="Steps of each piece.")
def command(
    model: str,
    files: tuple[str, ...],
    pieces: int,
    seed: int,
    plot: str | None,
    json_file: Path | None,
    limits: tuple[str, ...],
    beside: tuple[str, ...],
    with_init: bool,
    lags: int | None,
    targets: int,
) -> None:
    """How much what MODEL expects now depends on its state k steps ago: the norm of d loss_t / d state_(t-k), by lag k.

    The state is h of every layer, and c of an LSTM. Norms are relative to lag 1; the half-life is the lag at which
    their geometric mean is one half. Intervals are 95 % bootstraps over pieces, so a single piece has none. A memory of
    the piece lies outside the network: no gradient goes through it.

    FILES are music files, folders or sets of piano rolls (of a set with splits the test pieces). Without FILES a run
    hears its validation pieces where they still lie, a model of melodies else a tune that comes with seqaudio, any
    other 32 bars that it writes itself. A file that cannot be read is named on stderr, and the exit code is 1.
    """
    from seqaudio.memory.gradient_probe import usual_lags

    names = [model, *beside]
    subjects = load_probed(names, load_models(names, plot, json_file, files), files, limits, pieces)
    longest = lags or min(usual_lags(subject.pieces) for subject in subjects)
    told = [one for subject in subjects for one in _told(subject, longest, targets, seed, with_init)]
    heading = [line for one in told if not one.report.untrained for line in one.subject.head(one.report)]
    heading.append(f"gradient of the nats at up to {targets} steps of each piece, relative to lag 1; lags in steps")
    click.echo("\n".join([*heading, "", _table(told, longest)]))
    if json_file is not None:
        write_facts(json_file, {"seed": seed, "models": [one.subject.facts(one.report) for one in told]})
    if plot is not None:
        from seqaudio.report.fading import Line, draw_fading

        steps = {f"{subject.checkpoint.step}s" for subject in subjects}
        lines = [Line(one.name, one.report.states, one.report.untrained) for one in told]
        draw_fading(lines, plot, steps.pop() if len(steps) == 1 else "steps")
    subjects[0].finish()


def _told(subject: Probed, lags: int, targets: int, seed: int, with_init: bool) -> list[Told]:
    """What is found of a model, and of fresh weights."""
    from seqaudio.cli.terminal import console
    from seqaudio.memory.gradient_probe import probe_gradients

    with console().status(f"{subject.name}: {len(subject.pieces)} pieces"):
        return [
            Told(
                f"{subject.name}, untrained" if untrained else subject.name,
                subject,
                probe_gradients(
                    subject.checkpoint, subject.pieces, lags=lags, targets=targets, untrained=untrained, seed=seed
                ),
            )
            for untrained in ((False, True) if with_init else (False,))
        ]


def _table(told: Sequence[Told], lags: int) -> str:
    from rich.markup import escape

    from seqaudio.cli.terminal import span, table, table_text
    from seqaudio.memory.fading import ratio_words

    shown = [2**power for power in range(1, lags.bit_length())]
    made = table(["model", "state", "half-life", *map(str, shown)], left=2)
    for one in told:
        for place, part in enumerate(one.report.states):
            ratios = (ratio_words(float(part.ratios[lag - 1])) for lag in shown)
            life = span(part.half_life, part.half_life_ends, lags, ".1f")
            made.add_row(escape(one.name) if place == 0 else "", part.name, life, *ratios)
    return table_text(made)
