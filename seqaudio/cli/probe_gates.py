"""``seqaudio probe gates``: how open the gates of a model are, how long its units keep, and what they follow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seqaudio.cli.options import limit_option

if TYPE_CHECKING:
    from seqaudio.files.limits import Limits
    from seqaudio.memory.gate_probe import GateReport, HoldingUnit
    from seqaudio.memory.heard import Heard
    from seqaudio.models.checkpoint import Checkpoint

OWN_BARS, OWN_SEED = 32, 0  # of the piece that a model writes itself where no file is given
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
@click.argument("model", metavar="NAME|PATH")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--longest", type=click.IntRange(1, 1000), default=8, show_default=True, help="Units of a layer to name.")
@click.option("--draws", type=click.IntRange(20, 100_000), default=200, show_default=True, help="Of shifted facts.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of the draws.")
@click.option("--plot", type=click.Path(dir_okay=False), metavar="FILE.png", help="Draw the first piece's gates.")
@click.option("--layer", type=click.IntRange(1), metavar="N", help="Draw this layer alone.")
@click.option("--units", type=Units(), metavar="N,N,...", help="Draw these units alone, with their states.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write all.")
@limit_option
def command(
    model: str,
    files: tuple[Path, ...],
    longest: int,
    draws: int,
    seed: int,
    plot: str | None,
    layer: int | None,
    units: tuple[int, ...] | None,
    json_file: Path | None,
    limits: tuple[str, ...],
) -> None:
    """How open the gates of MODEL (LSTM or GRU) are while it hears FILES, and how long its units keep what they hear.

    A unit whose forget gate (update gate of a GRU) is open to f on average keeps for about 1/(1 - f) steps. The units
    that keep longest are named by what their state follows: place in the bar, in groups of 4 and 8 bars and in the
    piece, section, key, pitch, register or loudness; each beside what chance reaches (95 % of shifted facts, over all
    units of the layer and all facts, stay below), and "nothing found" where it does not exceed that.

    Without FILES the model hears 32 bars that it writes itself. A model of frames takes music files and sets of piano
    rolls. Layers and units are numbered from 1. A file that cannot be read is named on stderr, and the exit code is 1.
    """
    from seqaudio.errors import OptionError, SeqAudioError
    from seqaudio.files.limits import Limits
    from seqaudio.memory.gate_probe import probe_gates
    from seqaudio.memory.gates import check_has_gates
    from seqaudio.models.checkpoint import Checkpoint
    from seqaudio.pretrained import model_path

    budgets, folder = Limits.parse(limits), model_path(model)
    checkpoint = Checkpoint.load(folder)
    check_has_gates(checkpoint)
    if plot is None and (layer, units) != (None, None):
        raise OptionError("--layer and --units are for the picture; give --plot FILE.png too")
    if plot is not None:
        from seqaudio.report.gates import check_layer_and_units
        from seqaudio.report.pianoroll import picture_kind

        picture_kind(plot)
        check_layer_and_units(checkpoint.config.hidden_size, checkpoint.config.layers, layer, units)
    problems: list[object] = []
    pieces = _pieces(checkpoint, files, budgets, problems) if files else _own_piece(folder, checkpoint)
    found = probe_gates(checkpoint, pieces, units=longest, draws=draws, seed=seed)
    click.echo(tables(model, found))
    if json_file is not None:
        from seqaudio.files.atomic import write_bytes

        facts = {"model": model, "draws": draws, "seed": seed} | found.facts()
        write_bytes(json_file, (json.dumps(facts, indent=1) + "\n").encode())
    if plot is not None:
        from seqaudio.report.gates import draw_gates

        draw_gates(found, plot, layer=layer, units=units)
    if problems:
        raise SeqAudioError(f"{len(problems)} of {len(problems) + len(found.pieces)} pieces could not be heard")


def _pieces(
    checkpoint: Checkpoint, files: tuple[Path, ...], budgets: Limits, problems: list[object]
) -> Iterator[Heard]:
    """Every piece of the files as the model hears it; what cannot be read or heard is told, and kept in a list."""
    from seqaudio.errors import NoNotesError, SeqAudioError
    from seqaudio.files.atomic import shown
    from seqaudio.files.reader import read_pieces
    from seqaudio.memory.heard import hear

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
                yield hear(checkpoint, piece.score, shown(piece.name))
            except NoNotesError as problem:
                skip(f"{shown(piece.name)}: {problem}")


def _own_piece(folder: Path, checkpoint: Checkpoint) -> list[Heard]:
    """What a model of bar tokens writes itself. Raises OptionError for other models."""
    from seqaudio.continuation.continue_score import generate_score
    from seqaudio.continuation.engines import load_engine
    from seqaudio.continuation.sampling import Sampling
    from seqaudio.errors import OptionError
    from seqaudio.memory.heard import hear
    from seqaudio.tokens import BarsTokenizer

    if not isinstance(checkpoint.tokenizer, BarsTokenizer):
        raise OptionError("this model cannot write a piece by itself; give FILES for it to hear")
    own = checkpoint.sampling
    sampling = Sampling(own["temperature"], gate_temperature=own["gate_temperature"])
    (piece,) = generate_score(load_engine(folder), bars=OWN_BARS, seed=OWN_SEED, sampling=sampling)
    return [hear(checkpoint, piece.score, f"{OWN_BARS} bars that the model wrote itself (seed {OWN_SEED})")]


def tables(model: str, report: GateReport) -> str:
    """A report as text."""
    steps = sum(map(len, report.pieces))
    many = f"{len(report.pieces)} pieces" if len(report.pieces) > 1 else report.pieces[0].name
    per_bar = "" if math.isnan(report.steps_per_bar) else f", {report.steps_per_bar:.1f} to a bar"
    lines = [f"{model} ({report.cell}) hears {many}: {steps:,} steps{per_bar}"]
    remarks = [*report.remarks, *(report.pieces[0].remarks if len(report.pieces) == 1 else ())]
    lines += [f"  {remark}" for remark in remarks]
    keeps = {"lstm": "forget", "gru": "update"}[report.cell]
    return "\n".join(
        [
            *lines,
            "",
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
