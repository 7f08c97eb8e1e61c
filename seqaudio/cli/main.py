"""``seqaudio``: which command was asked for? Its module is imported only then, so ``--help`` is quick."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

import click

from seqaudio.cli.lazy import LazyGroup
from seqaudio.errors import SeqAudioError

COMMANDS = {
    "continue": ("continue_", "Continue a MIDI, ABC or MusicXML file by some bars, or a recording by some seconds."),
    "generate": ("generate", "Make a piece from nothing."),
    "prepare": ("prepare", "Turn folders of music into a prepared corpus."),
    "train": ("train", "Train a model as a YAML file says."),
    "score": ("score", "How likely a model finds music: nats per token, note and bar."),
    "structure": ("structure", "What a piece keeps: repeats, form, and whether it got stuck."),
    "features": ("features", "Turn recordings into features: mel, MFCC, chroma and others."),
    "probe": ("probe", "See what a model forgets, and what it keeps."),
    "info": ("info", "What a model is: sizes, training, versions; or a recording."),
    "models": ("models", "List the shipped models."),
    "corpora": ("corpora", "List the corpora known by name."),
    "doctor": ("doctor", "Check whether everything works on this machine."),
}

LONGEST = 400  # letters of what is wrong with a command


def _print_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"seqaudio {version('seqaudio')}")
        ctx.exit()


def _use_own_tokenizers(ctx: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> None:
    if names and not ctx.resilient_parsing:
        from seqaudio.cli.options import use_own_tokenizer

        for name in names:
            use_own_tokenizer(name)


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Show it.")
@click.option(
    "--own-tokenizer",
    multiple=True,
    expose_value=False,
    callback=_use_own_tokenizers,
    metavar="MODULE:CLASS",
    help="Import a tokenizer of your own, whose corpora and models the command can then read.",
)
def main() -> None:
    """Continue music with recurrent networks, train them, and see how likely they find it."""


def run(arguments: Sequence[str] | None = None) -> None:
    """The console script: runs a command and turns every failure into one line on stderr and an exit code."""
    try:
        main.main(arguments, prog_name="seqaudio", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.exceptions.NoArgsIsHelpError as nothing:
        click.echo(nothing.ctx.get_help() if nothing.ctx else "")
        sys.exit(2)
    except click.ClickException as problem:
        told = problem.format_message()
        told = told if len(told) <= LONGEST else f"{told[:LONGEST]} ..."  # click lists all that a wildcard stood for
        _fail(told, 2 if isinstance(problem, click.UsageError) else 1, problem)
    except SeqAudioError as problem:
        _fail(str(problem), problem.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted", 1)
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as problem:  # a full disk, a folder without permission, a name too long: the system's words
        place = f"{shown(problem.filename)}: " if isinstance(problem.filename, (str, os.PathLike)) else ""
        from seqaudio.files.atomic import reason_of

        _fail(f"{place}{reason_of(problem)}; check the path, its permissions and the disk", 1)
    except RecursionError:
        _fail("the input is nested too deeply to be read; simplify it", 1)
    except SystemExit:
        raise
    except BaseException as problem:  # a panic of a library in Rust is no Exception
        if os.environ.get("SEQAUDIO_DEBUG"):
            raise
        _fail(_reason(problem), 1)


def shown(path: object) -> str:
    """A path on one line, safe to print; imported late, so that --help stays quick."""
    from seqaudio.files.atomic import shown as shown_path

    text = shown_path(str(path))
    return text if len(text) <= 200 else f"{text[:200]}..."


def _reason(problem: BaseException) -> str:
    """What to make of an error that nobody foresaw."""
    kind, text = type(problem).__name__, str(problem)
    if kind in ("MemoryError", "OutOfMemoryError") or "can't allocate memory" in text:
        return "not enough memory; ask for a smaller model, batch_size or chunk, or read batches in parts (accumulate)"
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and re.search("[Cc]onnection (closed|reset)|Broken pipe", text):
        return "another process of this run has ended; it says why"
    return f"unexpected {kind}: {text}; set SEQAUDIO_DEBUG=1 to see where, and report it"


def _fail(text: str, exit_code: int, usage: click.ClickException | None = None) -> None:
    line = " ".join(text.split())
    context = getattr(usage, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    click.echo(f"seqaudio: {line}{hint}", err=True)
    sys.exit(exit_code)


if __name__ == "__main__":
    run()
