"""Which model is probed, and what does it hear meanwhile? Files, else its validation pieces, else a shipped tune."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqaudio.cli.options import limit_option

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seqaudio.files.limits import Limits
    from seqaudio.models.checkpoint import Checkpoint
    from seqaudio.models.sequence_model import SequenceModel

F = TypeVar("F", bound=Callable[..., Any])

EXAMPLE = "tune.abc"
PIECES = 16


def probe_options(command: F) -> F:
    """What the probes of a network share: model and music, how much of it, where to write."""
    options = [
        click.argument("model", metavar="NAME|PATH"),
        click.argument("files", nargs=-1, type=click.Path(path_type=Path)),
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


@dataclass(frozen=True)
class Probed:
    """A model, and the music it hears.

    Attributes:
        name: as it was asked for.
        checkpoint: it was built from.
        model: in eval mode.
        pieces: tokens (steps,) or frames (steps, keys).
        names: of the pieces.
        source: what they are, in words.
        problems: how many could not be read.
        remarks: what else to tell.
    """

    name: str
    checkpoint: Checkpoint
    model: SequenceModel
    pieces: list[NDArray[Any]]
    names: list[str]
    source: str
    problems: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def step(self) -> str:
        """What a step is: token or frame."""
        return "frame" if self.checkpoint.frames else "token"

    def head(self) -> list[str]:
        """The first lines of a report: the model, the music, remarks."""
        config = self.checkpoint.config
        outside = ", with a memory outside of the state" if config.memory else ""
        model = f"{self.name}: {config.cell} of {config.layers} x {config.hidden_size}{outside}"
        return [model, f"  hears {self.source}", *(f"  {remark}" for remark in self.remarks)]

    def long_enough(self, lengths: Sequence[int], fewest: int, unit: str, advice: str) -> Probed:
        """Without the pieces of fewer units. Raises NoNotesError where none are left.

        Args:
            lengths: of the pieces, in units.
            fewest: units that are needed.
            unit: its name, in the plural.
            advice: what to ask for instead.
        """
        from seqaudio.errors import NoNotesError

        kept = [i for i, length in enumerate(lengths) if length >= fewest]
        if not kept:
            raise NoNotesError(
                f"{self.source}: {max(lengths)} {unit} at most, and {fewest} are needed; give longer music, or {advice}"
            )
        short = len(lengths) - len(kept)
        remark = (f"{short} of {len(lengths)} pieces have fewer than {fewest} {unit} and are left out",) * bool(short)
        pieces, names = [self.pieces[i] for i in kept], [self.names[i] for i in kept]
        return replace(self, pieces=pieces, names=names, remarks=(*self.remarks, *remark))

    def finish(self) -> None:
        """Raise SeqAudioError if something could not be heard, when all else is done."""
        from seqaudio.errors import SeqAudioError

        if self.problems:
            total = self.problems + len(self.pieces)
            raise SeqAudioError(f"{self.problems} of {total} pieces could not be heard")


def load_probed(name: str, files: Sequence[Path], limits: Limits, most: int, *, quiet: bool = False) -> Probed:
    """A model with the music of some files; without files with music of its own.

    Args:
        name: of the model, or its path.
        files: what it is to hear.
        limits: of a file.
        most: pieces.
        quiet: what cannot be heard has been told already.

    Raises:
        CheckpointError: there is no such model.
        OptionError: there are no files, and no music comes with the model.
        NoNotesError: nothing in the files can be heard.
    """
    from seqaudio.errors import NoNotesError
    from seqaudio.models.checkpoint import Checkpoint
    from seqaudio.pretrained import model_path

    checkpoint = Checkpoint.load(model_path(name))
    told: list[object] = []

    def skip(problem: object) -> None:
        told.append(problem)
        if not quiet:
            click.echo(f"seqaudio: {problem}", err=True)

    if files:
        found = _of_files(checkpoint, files, limits, skip)
        source = f"{len(found)} piece{'s' * (len(found) != 1)} of {len(files)} file{'s' * (len(files) != 1)}"
    else:
        found, source = _own(name, checkpoint, limits)
    if not found:
        raise NoNotesError("no piece could be heard")
    if len(found) > most:
        found = [found[i * len(found) // most] for i in range(most)]
        source += f", {most} of them"
    if len(found) == 1:
        source = found[0][0] + f", {source}" * (not files)
    names, pieces = [piece_name for piece_name, _ in found], [piece for _, piece in found]
    return Probed(name, checkpoint, checkpoint.build(), pieces, names, source, len(told))


def _of_files(
    checkpoint: Checkpoint, files: Sequence[Path], limits: Limits, skip: Callable[[object], None]
) -> list[tuple[str, NDArray[Any]]]:
    """Every piece of the files as the model hears it; of sets of rolls that have test pieces these."""
    from seqaudio.cli.score_rolls import read_rolls_for
    from seqaudio.errors import SeqAudioError
    from seqaudio.files.atomic import shown
    from seqaudio.files.reader import read_pieces

    found: list[tuple[str, NDArray[Any]]] = []
    for path in files:
        try:
            if checkpoint.frames is not None:
                rolls = read_rolls_for(checkpoint, path, limits)
                unseen = [roll for roll in rolls if roll.split == "test"] or rolls
                found += [(shown(roll.name), roll.frames) for roll in unseen]
                continue
            pieces, unreadable = read_pieces(path, limits)
        except SeqAudioError as problem:
            skip(problem)
            continue
        for reason in unreadable:
            skip(reason)
        for piece in pieces:
            try:
                found.append((shown(piece.name), _tokens(checkpoint, piece.score)))
            except SeqAudioError as problem:
                skip(f"{shown(piece.name)}: {problem}")
    return found


def _tokens(checkpoint: Checkpoint, score: Any) -> NDArray[Any]:
    from seqaudio.continuation.likelihood import heard_tokens

    return heard_tokens(checkpoint, score)[0]


def _own(name: str, checkpoint: Checkpoint, limits: Limits) -> tuple[list[tuple[str, NDArray[Any]]], str]:
    """The validation pieces of a run, where they still lie there; for a model of melodies else a shipped tune."""
    from seqaudio.errors import OptionError, SeqAudioError
    from seqaudio.files.reader import read_pieces
    from seqaudio.pretrained import example_path

    try:
        pieces = _validation(checkpoint)
    except (SeqAudioError, LookupError, TypeError):  # of no run, of another version, or moved away
        pieces = []
    if pieces:
        return [(f"valid-{i + 1}", piece) for i, piece in enumerate(pieces)], f"{len(pieces)} of its validation pieces"
    if checkpoint.frames is None and checkpoint.of_melodies:
        found, _ = read_pieces(example_path(EXAMPLE), limits)
        return [(piece.name, _tokens(checkpoint, piece.score)) for piece in found], "a tune that comes with seqaudio"
    raise OptionError(f"{name}: no music for this model is at hand; name FILES that it can hear")


def _validation(checkpoint: Checkpoint) -> list[NDArray[Any]]:
    """Of the corpus that a model was trained on, if it is where it was and as it was."""
    from seqaudio.training.config import check_experiment
    from seqaudio.training.material import material_of, open_corpus

    experiment = check_experiment(checkpoint.facts["experiment"])
    folder = getattr(experiment.corpus, "prepared", None)
    if folder is not None and not (Path(folder) / "manifest.json").is_file():
        return []  # it is not prepared anew for a probe
    corpus = open_corpus(experiment)
    return material_of(corpus).split("valid") if corpus.fingerprint == checkpoint.facts["corpus"] else []


def write_facts(path: Path, facts: dict[str, Any]) -> None:
    """Facts as a JSON file."""
    import json

    from seqaudio.files.atomic import write_bytes

    write_bytes(path, (json.dumps(facts, indent=1, allow_nan=False) + "\n").encode())


def finite(value: float) -> float | None:
    """A figure as JSON holds it: null for what lies beyond all that was measured."""
    import math

    return value if math.isfinite(value) else None
