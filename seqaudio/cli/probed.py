"""Which models are probed, what do they hear meanwhile, and how is that told? The same for every probe of music.

What they hear, :mod:`seqaudio.cli.probed_music` finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from seqaudio.cli.options import limit_option

if TYPE_CHECKING:
    from seqaudio.memory.heard import Heard
    from seqaudio.models.checkpoint import Checkpoint

F = TypeVar("F", bound=Callable[..., Any])

PIECES = 16
SHOWN_REMARKS = 4


def probe_options(command: F) -> F:
    """What the probes of music share: model and music, how much of it, where to write."""
    options = [
        click.argument("model", metavar="NAME|PATH"),
        click.argument("files", nargs=-1, metavar="[FILES]..."),
        click.option(
            "--pieces",
            type=click.IntRange(1),
            default=PIECES,
            show_default=True,
            help="At most so many, evenly spread.",
        ),
        click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of all draws."),
        click.option("--plot", type=click.Path(dir_okay=False), metavar="FILE.png", help="Draw it."),
        click.option(
            "--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write all."
        ),
        limit_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


class Report(Protocol):
    """What every probe of music finds."""

    @property
    def pieces(self) -> list[Heard]:
        """As the model heard them."""
        ...

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was left out."""
        ...

    def facts(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        ...


@dataclass(frozen=True)
class Probed:
    """A model, and the music it hears.

    Attributes:
        name: as it was asked for.
        checkpoint: of the model.
        pieces: as it hears them.
        source: what they are, in words.
        problems: how many could not be read or heard.
    """

    name: str
    checkpoint: Checkpoint
    pieces: list[Heard]
    source: str
    problems: int = 0

    def head(self, report: Report) -> list[str]:
        """The first lines of what is printed: the model, the music, remarks."""
        from seqaudio.memory.heard import steps_per_bar

        config, step = self.checkpoint.config, self.checkpoint.step
        outside = ", with a memory outside of the state" if config.memory else ""
        steps, per_bar = sum(map(len, report.pieces)), steps_per_bar(report.pieces)
        bars = "" if per_bar != per_bar else f", {per_bar:.1f} to a bar"
        return [
            f"{self.name}: {config.cell} of {config.layers} x {config.hidden_size}{outside}",
            f"  hears {self.source}: {steps:,} {step}s{bars}",
            *(f"  {remark}" for remark in (*report.remarks, *_remarks(report.pieces))),
        ]

    def facts(self, report: Report) -> dict[str, Any]:
        """What JSON holds of a model: its name, its music, and what was found."""
        return {"model": self.name, "music": self.source} | report.facts()

    def finish(self) -> None:
        """Raise SeqAudioError if something could not be heard, when all else is done."""
        from seqaudio.errors import SeqAudioError

        if self.problems:
            total = self.problems + len(self.pieces)
            raise SeqAudioError(f"{self.problems} of {total} pieces could not be heard")


def load_models(
    names: Sequence[str], plot: str | None, json_file: Path | None, files: Sequence[str]
) -> list[Checkpoint]:
    """The models, before any music is read; and what is to be written can be, which is told before the work.

    Raises:
        CheckpointError: there is no such model.
        OptionError: a picture of that kind is not drawn, or what is read would be written over.
        BadFileError: nothing can be written there.
    """
    from seqaudio.files.atomic import check_writable
    from seqaudio.models.checkpoint import Checkpoint
    from seqaudio.pretrained import model_path

    checkpoints = [Checkpoint.load(model_path(name)) for name in names]
    if plot is not None:
        from seqaudio.report.pianoroll import check_picture_path

        check_picture_path(plot)
    if json_file is not None:
        _check_is_none_of(json_file, [*files, *([plot] if plot is not None else [])])
        check_writable(json_file)
    return checkpoints


def _check_is_none_of(json_file: Path, others: Sequence[str]) -> None:
    """Raise OptionError where figures would be written over music or a picture."""
    from seqaudio.errors import OptionError
    from seqaudio.files.atomic import shown

    path = json_file.resolve()
    if any(path == Path(other).resolve() for other in others):
        raise OptionError(f"--json {shown(json_file)}: would be written over a file of this command; name another")


def load_probed(
    names: Sequence[str], checkpoints: Sequence[Checkpoint], files: Sequence[str], limits: Sequence[str], most: int
) -> list[Probed]:
    """Models with the same music: that of the files; without files what the first has at hand.

    Args:
        names: of the models.
        checkpoints: of each.
        files: what they are to hear, as ``seqaudio structure`` takes it.
        limits: of a file, NAME=VALUE each.
        most: pieces.

    Raises:
        OptionError: there are no files, and no music for the first model is at hand.
        NoNotesError: nothing can be heard.
    """
    from seqaudio.cli.probed_music import hear_files, hear_own, hear_too
    from seqaudio.cli.terminal import console
    from seqaudio.errors import NoNotesError
    from seqaudio.files.limits import Limits

    budgets = Limits.parse(tuple(limits))
    told: list[object] = []

    def tell(problem: object) -> None:
        told.append(problem)
        click.echo(f"seqaudio: {problem}", err=True)

    with console().status("reading and hearing"):
        if files:
            heard = hear_files(names, checkpoints, files, budgets, most, tell)
        else:
            (name, *beside), (first, *others) = names, checkpoints
            own = hear_own(name, first, most)
            heard = [own, *(hear_too(*each, name, first, own) for each in zip(beside, others, strict=True))]
    if not all(music.pieces for music in heard):
        raise NoNotesError("no piece could be heard")
    models = zip(names, checkpoints, heard, strict=True)
    return [Probed(name, checkpoint, *music, len(told)) for name, checkpoint, music in models]


def write_facts(path: Path, facts: dict[str, Any]) -> None:
    """Facts as a JSON file, in a new folder if need be."""
    import json

    from seqaudio.files.atomic import write_bytes

    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, (json.dumps(facts, indent=1, allow_nan=False) + "\n").encode())


def _remarks(pieces: Sequence[Heard]) -> list[str]:
    """What is to be told of the pieces; of several how many each remark is of, the commonest first."""
    if len(pieces) == 1:
        return list(pieces[0].remarks)
    counts = Counter(remark for piece in pieces for remark in piece.remarks).most_common()
    said = [f"{count} of {len(pieces)} pieces: {remark}" for remark, count in counts[:SHOWN_REMARKS]]
    more = len(counts) - SHOWN_REMARKS
    return [*said, f"and {more} more remark{'s' * (more != 1)}; --json has all"] if more > 0 else said
