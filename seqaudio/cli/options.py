"""Which options do several commands share? One spelling, one default, one check each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seqaudio.pretrained import AUTO

if TYPE_CHECKING:
    from pydantic import ValidationError

F = TypeVar("F", bound=Callable[..., Any])

model_option = click.option(
    "--model",
    default=AUTO,
    show_default=True,
    metavar="NAME|PATH",
    help="A shipped model, or a run's folder; auto: the shipped one that fits the primer.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "onnx", "torch"]),
    default="auto",
    show_default=True,
    help="What runs the network; auto takes onnx where the model has it.",
)
limit_option = click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=VALUE",
    help="Raise a budget for one file, as its error names it: max_notes=1000000.",
)
jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Worker processes."
)
timeout_option = click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), default=60.0, show_default=True, help="Seconds a file."
)
memory_option = click.option(
    "--memory", type=click.IntRange(1), default=2048, show_default=True, help="MB a file may take."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")


def use_own_tokenizer(name: str) -> str:
    """Import a tokenizer of one's own, of the current folder too, as ``python`` would; gives its name back."""
    from seqaudio.tokens.own import import_own

    if not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())  # last: nothing here takes the place of what is installed
    import_own(name)
    return name


class TokenizerName(click.Choice[str]):
    """One of the choices, or MODULE:CLASS, which is imported."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name. Raises BadParameter for one that is none, OptionError for a class that cannot be used."""
        return use_own_tokenizer(value) if ":" in str(value) else super().convert(value, param, ctx)


def _sampling_options() -> list[Callable[[F], F]]:
    """How the next token is drawn."""
    return [
        click.option(
            "--temperature", type=click.FloatRange(0, 10), help="0: likeliest.  [default: the model's own, else 1]"
        ),
        click.option(
            "--gate-temperature",
            type=click.FloatRange(0.1, 10),
            help="Of a model with a memory: how freely it leaves a return.  [default: the model's own, else 1]",
        ),
        click.option(
            "--max-turns",
            type=click.IntRange(0),
            help="Of a model with a memory: how often in a row it brings the same 1, 2 or 4 bars; 0: as often as it "
            "likes.  [default: the model's own, else 3]",
        ),
        click.option("--top-k", type=click.IntRange(0), default=0, help="Only the K likeliest tokens; 0: all."),
        click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="Nucleus; 1: all."),
        click.option(
            "--min-p",
            type=click.FloatRange(0, 1, max_open=True),
            default=0.0,
            help="Only tokens with so large a share of the likeliest's chance; 0.1: plainer, with fewer wrong notes.",
        ),
        click.option(
            "--seed", type=click.IntRange(0, 2**63 - 1), help="Same seed, same notes.  [default: drawn, shown]"
        ),
    ]


def writing_options(command: F) -> F:
    """What ``continue`` and ``generate`` share: how much, how adventurous, where to."""
    options = [
        click.option("-o", "--output", "out", metavar="OUT", help="File to write, or a folder ending in '/'."),
        model_option,
        click.option("--bars", type=click.IntRange(1, 10_000), help="Bars to write.  [default: 16]"),
        click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Or: bars to fill so many seconds."),
        click.option(
            "--form",
            metavar="AABA",
            help="Or: to the end of this form; where a letter comes again, its section returns.",
        ),
        click.option("--section-bars", type=click.IntRange(1, 32), help="Bars of a section of the form.  [default: 8]"),
        click.option(
            "--variation",
            type=click.FloatRange(0, 1),
            help="How freely sections return; 0: note by note.  [default: 0.1]",
        ),
        click.option("--num-outputs", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many."),
        *_sampling_options(),
        engine_option,
        click.option("--plot", type=click.Path(dir_okay=False), metavar="FILE.png", help="Draw the piano roll."),
        click.option(
            "--report",
            type=click.Path(dir_okay=False),
            metavar="FILE.html",
            help="Write a page to see, hear and judge.",
        ),
        click.option(
            "--reference",
            metavar="SOURCE",
            help="Real music for the report to compare with: a folder, file or corpus.",
        ),
        click.option("--gates", is_flag=True, help="Show in the report how open the model's gates are (LSTM, GRU)."),
        json_option,
        # the spellings of magenta's melody_rnn_generate, for scripts that come from there
        click.option("--num_outputs", "num_outputs", type=click.IntRange(1, 10_000), hidden=True),
        click.option("--num_steps", type=click.IntRange(1), hidden=True),
        click.option("--output_dir", type=click.Path(file_okay=False), hidden=True),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def settings_of(texts: Sequence[str], example: str) -> list[tuple[str, str]]:
    """The pairs of several ``--set KEY=VALUE``. Raises UsageError for one that is none."""
    pairs = [text.partition("=") for text in texts]
    for key, equals, _ in pairs:
        if not (key and equals):
            raise click.UsageError(f"--set {key}: give KEY=VALUE, such as --set {example}")
    return [(key, value) for key, _, value in pairs]


def usage_error(problem: ValidationError, **names: str) -> click.UsageError:
    """Every mistake in options that pydantic found, under the names of the options, where those are other ones."""
    texts = [
        "".join(f"--{names.get(str(part), str(part)).replace('_', '-')}: " for part in error["loc"][:1])
        + error["msg"].removeprefix("Value error, ")
        for error in problem.errors()
    ]
    return click.UsageError("; ".join(texts))
