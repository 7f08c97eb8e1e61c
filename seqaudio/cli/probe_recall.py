"""``seqaudio probe recall``: behind how much else a model, and networks of its make, still know what they heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from seqaudio.cli.probed import load_models, load_probed, probe_options, write_facts

if TYPE_CHECKING:
    from seqaudio.cli.probed import Probed
    from seqaudio.memory.half_lag import Recall
    from seqaudio.memory.recall_probe import RecallReport
    from seqaudio.memory.task_probe import TaskReport
    from seqaudio.models.cells import Cell
    from seqaudio.models.checkpoint import Checkpoint

    Drawn = dict[str, tuple[dict[str, Recall], str]]

OWN = "music"
USUAL = (OWN, "motif")  # the others take minutes
TASKS = {
    "motif": "a motif of four notes, so many bars of others, a cue, the motif again",
    "copy": "ten symbols, so many blanks, the symbols again; a network for each number of blanks",
    "adding": "the sum of two marked numbers among so many, right within 0.04; a network for each length",
}


@click.command("recall")
@probe_options
@click.option(
    "--task", "asked", type=click.Choice([OWN, *TASKS]), multiple=True, help="May be repeated.  [default: music, motif]"
)
@click.option("--beside", multiple=True, metavar="NAME|PATH", help="Another model, and its cell; may be repeated.")
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True, help="Networks of each cell.")
@click.option(
    "--parameters", type=click.IntRange(2000, 10**7), default=17_000, show_default=True, help="Of each network."
)
@click.option("--steps", type=click.IntRange(1, 10**6), default=1200, show_default=True, help="Of practice.")
@click.option(
    "--chrono/--no-chrono",
    default=True,
    show_default=True,
    help="Gates begin with memories as long as the task (Tallec & Ollivier 2018).",
)
def command(
    model: str,
    files: tuple[str, ...],
    pieces: int,
    seed: int,
    plot: str | None,
    json_file: Path | None,
    limits: tuple[str, ...],
    asked: tuple[str, ...],
    beside: tuple[str, ...],
    seeds: int,
    parameters: int,
    steps: int,
    chrono: bool,
) -> None:
    """Behind how many bars MODEL still knows a motif of FILES, and what networks of its make can learn to hold.

    music: MODEL as it is hears two bars of a piece, other music, and the first of them again. The share that it saves
    of the second one's nats, beside a past without them, is its recall.

    motif, copy, adding: new networks of MODEL's cell and layers practise a task, and so do those of the cells of
    --beside (without it: of tanh RNNs, of an rnn LSTMs), with as many parameters, over --seeds. Recall is the share of
    right answers beyond chance. A motif takes a minute or two, the others some.

    The 50 % lag is the distance at which recall falls to one half. Intervals are 95 % bootstraps over pieces, or seeds.
    FILES are as in the other probes, and so is what is heard without them. A file that cannot be read is named on
    stderr, and the exit code is 1.
    """
    from seqaudio.errors import OptionError

    asked = asked or USUAL
    tasks, own = [task for task in TASKS if task in asked], OWN in asked
    if files and not own:
        raise OptionError(f"FILES are heard for --task {OWN} alone; without it, leave them out")
    names, wanted = [model, *beside], Wanted(tasks, seeds, parameters, steps, chrono, seed)
    checkpoints = load_models(names, plot, json_file, files)
    facts: dict[str, Any] = {"seed": seed}
    drawn: Drawn = {}
    subjects = load_probed(names, checkpoints, files, limits, pieces) if own else []
    if own:
        reports = _of_music(subjects, seed)
        told = list(zip(subjects, reports, strict=True))
        facts["models"] = [one.facts(report) for one, report in told]
        drawn[OWN] = ({one.name: report.recall for one, report in told}, reports[0].unit)
    if tasks:
        click.echo("\n" * own + wanted.heading(model, checkpoints[0]))
        facts |= {"parameters": parameters, "tasks": _of_tasks(wanted, checkpoints, drawn)}
    if json_file is not None:
        write_facts(json_file, facts)
    if plot is not None:
        from seqaudio.report.recalls import draw_recall

        draw_recall(drawn, plot)
    for subject in subjects[:1]:
        subject.finish()


class Wanted(NamedTuple):
    """Which networks are to practise what."""

    tasks: list[str]
    seeds: int
    parameters: int
    steps: int
    chrono: bool
    seed: int

    def heading(self, model: str, checkpoint: Checkpoint) -> str:
        """What they are, in words."""
        layers, seeds = checkpoint.config.layers, self.seeds
        return (
            f"new networks of {layers} layer{'s' * (layers != 1)} as {model} has, about {self.parameters:,} "
            f"parameters; {seeds} seed{'s' * (seeds != 1)}, {self.steps:,} steps of practice"
        )


def _of_tasks(wanted: Wanted, checkpoints: Sequence[Checkpoint], drawn: Drawn) -> dict[str, Any]:
    """What networks learn to hold: told, put among what is drawn, and as JSON."""
    facts: dict[str, Any] = {}
    cells = _cells(checkpoints)
    with _progress() as begin:
        for name in wanted.tasks:
            report = _of_task(name, checkpoints[0], cells, wanted, begin)
            click.echo(f"\n{name}: {TASKS[name]}\n{_task_table(report)}")
            facts[name] = report.facts()
            drawn[name] = ({each.name: each.recall for each in report.networks}, report.task.unit)
    return facts


def _of_music(subjects: Sequence[Probed], seed: int) -> list[RecallReport]:
    """What the models as they are keep of motifs, and that told."""
    from seqaudio.cli.terminal import console
    from seqaudio.memory.recall_probe import probe_recall

    reports = []
    for subject in subjects:
        with console().status(f"{subject.name}: {len(subject.pieces)} pieces"):
            reports.append(probe_recall(subject.checkpoint, subject.pieces, seed=seed))
    _check_units(subjects, reports)
    heading = [line for one, report in zip(subjects, reports, strict=True) for line in one.head(report)]
    first = reports[0]
    heading.append(f"motifs of {int(first.found.steps.sum()):,} {first.step}s, heard again behind other {first.unit}")
    if len(first.pieces) == 1:
        heading.append("one piece has no intervals; give more")
    click.echo("\n".join([*heading, "", _music_table(subjects, reports)]))
    return reports


def _check_units(subjects: Sequence[Probed], reports: Sequence[RecallReport]) -> None:
    """Raise OptionError for models whose distances are not of one kind: they cannot stand in one table."""
    from seqaudio.errors import OptionError

    first = reports[0]
    for subject, report in zip(subjects, reports, strict=True):
        if (report.unit, report.found.distances) != (first.unit, first.found.distances):
            raise OptionError(
                f"--beside {subject.name}: its distances are in {report.unit}, those of {subjects[0].name} in "
                f"{first.unit}; probe it by itself"
            )


def _music_table(subjects: Sequence[Probed], reports: Sequence[RecallReport]) -> str:
    from rich.markup import escape

    from seqaudio.cli.terminal import table, table_text

    first = reports[0]
    made = table(["model", "", f"50 % lag, {first.unit}", *map(str, first.found.distances)], left=2)
    for subject, report in zip(subjects, reports, strict=True):
        found, steps = report.found, report.found.steps.sum()
        heard, control = ((nats.sum(axis=0) / steps).tolist() for nats in (found.heard, found.control))
        made.add_row(escape(subject.name), f"nats per {report.step}", "", *(f"{nats:.3f}" for nats in heard))
        made.add_row("", "motif not heard", "", *(f"{nats:.3f}" for nats in control))
        made.add_row(
            "", "recall", report.recall.lag_words(), *(f"{share + 0:.2f}" for share in report.recall.recall.round(2))
        )
    return table_text(made)


def _cells(checkpoints: Sequence[Checkpoint]) -> list[Cell]:
    """The cells to compare: those of the models; of one model also the plainest, or what should beat that."""
    cells = list(dict.fromkeys(checkpoint.config.cell for checkpoint in checkpoints))
    if len(cells) == 1:
        cells.append("rnn" if cells != ["rnn"] else "lstm")
    return cells


@contextmanager
def _progress() -> Iterator[Callable[[str, int], Callable[[], None]]]:
    """A bar for a person who watches: called with a name and a number of steps, it gives what to call behind each."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from seqaudio.cli.terminal import console

    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console(), transient=True
    ) as bar:

        def begin(name: str, steps: int) -> Callable[[], None]:
            task = bar.add_task(name, total=steps)
            return lambda: bar.advance(task)

        yield begin


def _of_task(
    name: str,
    checkpoint: Checkpoint,
    cells: Sequence[Cell],
    wanted: Wanted,
    begin: Callable[[str, int], Callable[[], None]],
) -> TaskReport:
    """How networks do a task."""
    from seqaudio.memory import tasks
    from seqaudio.memory.recall import Practice
    from seqaudio.memory.task_probe import probe_task

    task = tasks.TASKS[name]()
    each = len(task.distances) if task.apart else 1
    config = checkpoint.config
    return probe_task(
        task,
        cells,
        parameters=wanted.parameters,
        layers=config.layers,
        chrono=wanted.chrono,
        residual=config.residual,
        seeds=wanted.seeds,
        practice=Practice(steps=wanted.steps, seed=wanted.seed),
        on_step=begin(name, len(cells) * wanted.seeds * each * wanted.steps),
    )


def _task_table(report: TaskReport) -> str:
    from seqaudio.cli.terminal import table, table_text

    task = report.task
    made = table(["share right", "units", f"50 % lag, {task.unit}", *map(str, task.distances)])
    for each in report.networks:
        shares = (f"{share:.2f}" for share in each.shares)
        made.add_row(each.name, str(each.config.hidden_size), each.recall.lag_words(), *shares)
    made.add_row("holding nothing", "", "", *[f"{task.chance:.2f}"] * len(task.distances))
    return table_text(made)
