"""``seqaudio probe gates``: how open the gates of a model are, how long its units keep, and what they follow."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.probed import load_models, load_probed, probe_options, write_facts

if TYPE_CHECKING:
    from seqaudio.memory.gate_probe import GateReport, HoldingUnit

WEAK = 0.3  # closeness: below it a tenth of the state's variance is told


class Units(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.2
    """Numbers with commas between."""

    name = "units"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The numbers, from 1."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isdecimal() and int(part) >= 1 for part in parts):
            self.fail(
                f"{value!r} is no list of units; write their numbers, from 1, with commas between: 3,17", param, ctx
            )
        return tuple(map(int, parts))


@click.command("gates")
@probe_options
@click.option("--longest", type=click.IntRange(1, 1000), default=8, show_default=True, help="Units of a layer to name.")
@click.option("--draws", type=click.IntRange(20, 100_000), default=200, show_default=True, help="Of shifted facts.")
@click.option("--layer", type=click.IntRange(1), metavar="N", help="Draw this layer alone.")
@click.option("--units", type=Units(), metavar="N,N,...", help="Draw these units alone, with their states.")
def command(
    model: str,
    files: tuple[str, ...],
    pieces: int,
    seed: int,
    plot: str | None,
    json_file: Path | None,
    limits: tuple[str, ...],
    longest: int,
    draws: int,
    layer: int | None,
    units: tuple[int, ...] | None,
) -> None:
    """How open the gates of MODEL (LSTM or GRU) are while it hears FILES, and how long its units keep what they hear.

    A unit whose forget gate (update gate of a GRU) is open to f on average keeps for about 1/(1 - f) steps. The units
    that keep longest are named by what their state follows: place in the bar, in groups of 4 and 8 bars and in the
    piece, section, key, pitch, register or loudness; each beside what chance reaches (95 % of shifted facts, over all
    units of the layer and all facts, stay below), and "nothing found" where it does not exceed that.

    Layers and units are numbered from 1. The picture shows the first piece.

    FILES are music files, folders or sets of piano rolls (of a set with splits the test pieces). Without FILES a run
    hears its validation pieces where they still lie, a model of melodies else a tune that comes with seqaudio, any
    other 32 bars that it writes itself. A file that cannot be read is named on stderr, and the exit code is 1.
    """
    from seqaudio.cli.terminal import console
    from seqaudio.errors import OptionError
    from seqaudio.memory.gate_probe import probe_gates
    from seqaudio.memory.gates import check_has_gates

    (checkpoint,) = load_models([model], plot, json_file, files)
    check_has_gates(checkpoint)
    if plot is None and (layer, units) != (None, None):
        raise OptionError("--layer and --units are for the picture; give --plot FILE.png too")
    if plot is not None:
        from seqaudio.report.gates import check_layer_and_units

        check_layer_and_units(checkpoint.config.hidden_size, checkpoint.config.layers, layer, units)
    (subject,) = load_probed([model], [checkpoint], files, limits, pieces)
    with console().status(f"{model}: {len(subject.pieces)} pieces"):
        report = probe_gates(checkpoint, subject.pieces, units=longest, draws=draws, seed=seed)
    click.echo("\n".join([*subject.head(report), "", _tables(report)]))
    if json_file is not None:
        write_facts(json_file, {"seed": seed, "draws": draws} | subject.facts(report))
    if plot is not None:
        from seqaudio.report.gates import draw_gates

        draw_gates(report, plot, layer=layer, units=units)
    subject.finish()


def _tables(report: GateReport) -> str:
    """A report as text."""
    keeps = {"lstm": "forget", "gru": "update"}[report.cell]
    return "\n".join(
        [
            _openings(report),
            "",
            f"how long units keep: 1/(1 - mean {keeps} gate)",
            _spans(report),
            "",
            "what the units that keep longest follow",
            _holding(report),
        ]
    )


def _openings(report: GateReport) -> str:
    from seqaudio.cli.terminal import table, table_text

    made = table(["layer", "gate", "mean", "below .1", "above .9"], left=2)
    for layer, gate, *numbers in report.openings:
        made.add_row(str(layer or ""), gate, *(f"{number:.2f}" for number in numbers))
    return table_text(made)


def _spans(report: GateReport) -> str:
    from seqaudio.cli.terminal import table, table_text
    from seqaudio.memory.gate_probe import length_words

    in_bars = not math.isnan(report.steps_per_bar)
    made = table(["layer", "in", "median", "90 %", "longest"], left=2)
    for layer, *spans in report.spans:
        made.add_row(str(layer), "steps", *map(length_words, spans))
        if in_bars:
            made.add_row("", "bars", *(length_words(span / report.steps_per_bar) for span in spans))
    return table_text(made)


def _holding(report: GateReport) -> str:
    from seqaudio.cli.terminal import table, table_text
    from seqaudio.memory.gate_probe import length_words

    bars = [] if math.isnan(report.steps_per_bar) else ["bars"]
    made = table(["layer", "unit", "steps", *bars, "closeness", "chance", "follows"], left=1, last_left=True)
    for unit in report.holding:
        per_bar = [length_words(unit.steps / report.steps_per_bar)] if bars else []
        made.add_row(str(unit.layer), str(unit.unit), length_words(unit.steps), *per_bar, *_follows(unit))
    return table_text(made) if report.holding else "no unit moves"


def _follows(unit: HoldingUnit) -> tuple[str, str, str]:
    """Closeness, chance, and the fact in words."""
    found = unit.follows
    if found is None:
        return "", "", "nothing to look at: the music is too short"
    if not found.named:
        more = "; more pieces could tell" if found.chance == 1 else ""
        return f"{found.closeness:.2f}", f"{found.chance:.2f}", f"nothing found (nearest: {found.fact}{more})"
    weakly = ", weakly" if found.closeness < WEAK else ""
    return f"{found.closeness:.2f}", f"{found.chance:.2f}", f"{found.fact}{weakly}"
