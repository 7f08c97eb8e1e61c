"""``seqaudio probe gradients``: how fast the gradient of a model fades with the lag."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from seqaudio.cli.probed import finite, probe_options

if TYPE_CHECKING:
    from seqaudio.cli.probed import Probed
    from seqaudio.models.sequence_model import SequenceModel
    from seqaudio.report.fading import Fading

SHORTEST = 8  # lags, where no piece is long enough for more


class Told(NamedTuple):
    """What is found of a model, or of its make with fresh weights."""

    name: str
    subject: Probed
    found: list[Fading]
    fresh: bool = False


@click.command("gradients")
@probe_options
@click.option("--beside", multiple=True, metavar="NAME|PATH", help="Another model on the same music; may be repeated.")
@click.option("--init", "with_init", is_flag=True, help="Also each model's make with fresh weights.")
@click.option("--lags", type=click.IntRange(2, 4096), help="The longest.  [default: 128, or half of the longest piece]")
@click.option("--targets", type=click.IntRange(1, 1024), default=32, show_default=True, help="Steps of each piece.")
def command(
    model: str,
    files: tuple[Path, ...],
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
    their geometric mean is one half. Intervals are 95 % bootstraps over pieces, so a single piece has none.

    Without FILES a run hears its validation pieces, and a shipped model of melodies a tune that comes with seqaudio. A
    model of frames hears sets of piano rolls (.mat, .json, .npz). A memory of the piece lies outside the network: no
    gradient goes through it. A file that cannot be read is named on stderr, and the exit code is 1.
    """
    from seqaudio.cli.probed import load_probed, write_facts
    from seqaudio.files.limits import Limits
    from seqaudio.memory.gradients import LAGS, fewest_steps

    if plot is not None:
        from seqaudio.report.pianoroll import picture_kind

        picture_kind(plot)
    budgets = Limits.parse(limits)
    first = load_probed(model, files, budgets, pieces)
    subjects = [first, *(load_probed(name, files, budgets, pieces, quiet=True) for name in beside)]
    if lags is None:
        longest = min(max(map(len, subject.pieces)) for subject in subjects)
        lags = LAGS if longest >= fewest_steps(LAGS) else max(SHORTEST, longest // 2)
    told: list[Told] = []
    for subject in subjects:
        told += _told(subject, lags, targets, seed, with_init)
    heading = [line for one in told if not one.fresh for line in one.subject.head()]
    heading.append(f"gradient of the nats at up to {targets} steps of each piece, relative to lag 1; lags in steps")
    click.echo("\n".join([*heading, "", _table(told, lags)]))
    if json_file is not None:
        facts = {"lags": lags, "targets": targets, "seed": seed, "models": [_facts(one) for one in told]}
        write_facts(json_file, facts)
    if plot is not None:
        from seqaudio.report.fading import Line, draw_fading

        unit = f"{first.step}s" if len({subject.step for subject in subjects}) == 1 else "steps"
        draw_fading([Line(one.name, one.found, one.fresh) for one in told], plot, unit)
    first.finish()


def _told(subject: Probed, lags: int, targets: int, seed: int, with_init: bool) -> list[Told]:
    """What is found of a model, and of fresh weights."""
    from seqaudio.cli.terminal import console
    from seqaudio.memory.gradients import fewest_steps

    lengths = list(map(len, subject.pieces))
    subject = subject.long_enough(lengths, fewest_steps(lags), f"{subject.step}s", "ask for fewer --lags")
    with console().status(f"{subject.name}: {len(subject.pieces)} pieces"):
        told = [Told(subject.name, subject, _found(subject, subject.model, lags, targets, seed))]
        if with_init:
            fresh = _found(subject, subject.checkpoint.untrained(seed), lags, targets, seed)
            told.append(Told(f"{subject.name}, untrained", subject, fresh, fresh=True))
    return told


def _found(subject: Probed, model: SequenceModel, lags: int, targets: int, seed: int) -> list[Fading]:
    from seqaudio.memory.gradients import gradient_norms
    from seqaudio.models.cells import STATE_PARTS
    from seqaudio.report.fading import fading

    memory = subject.checkpoint.memory()
    norms = [gradient_norms(model, piece, memory, lags=lags, targets=targets) for piece in subject.pieces]
    return fading(norms, STATE_PARTS[subject.checkpoint.config.cell], seed=seed)


def _table(told: Sequence[Told], lags: int) -> str:
    from rich.markup import escape

    from seqaudio.cli.terminal import span, table, table_text

    shown = [2**power for power in range(1, lags.bit_length())]
    made = table(["model", "state", "half-life", *map(str, shown)], left=2)
    for one in told:
        for place, part in enumerate(one.found):
            ratios = (_ratio(float(part.ratios[lag - 1])) for lag in shown)
            life = span(part.half_life, part.half_life_ends, lags, ".1f")
            made.add_row(escape(one.name) if place == 0 else "", part.name, life, *ratios)
    return table_text(made)


def _ratio(value: float) -> str:
    if value >= 0.01:
        return f"{value:.2f}"
    return f"{value:.0e}".replace("e-0", "e-") if value > 1e-29 else "0"


def _facts(told: Told) -> dict[str, Any]:
    config = told.subject.checkpoint.config
    return {
        "model": told.subject.name,
        "untrained": told.fresh,
        "cell": config.cell,
        "music": told.subject.source,
        "pieces": told.subject.names,
        "memory_outside_the_state": config.memory is not None,
        "states": [_of_state(part) for part in told.found],
    }


def _of_state(part: Fading) -> dict[str, Any]:
    """One line as JSON; null for a half-life beyond the longest lag."""
    return {
        "state": part.name,
        "norm_at_lag_1": part.at_lag_1,
        "half_life": finite(part.half_life),
        "half_life_interval": None if part.half_life_ends is None else [finite(end) for end in part.half_life_ends],
        "ratios": part.ratios.tolist(),
        "low": None if part.low is None else part.low.tolist(),
        "high": None if part.high is None else part.high.tolist(),
    }
