"""How may a piece help to predict the rest of itself? The options of ``score`` that ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

if TYPE_CHECKING:
    from seqaudio.training.adaptive import Cache, Dynamic

F = TypeVar("F", bound=Callable[..., Any])


class Asked(TypedDict, total=False):
    """What was asked for, by the names that :func:`seqaudio.training.evaluate.piece_nats` has for it."""

    cache: Cache
    dynamic: Dynamic


def adapting_options(command: F) -> F:
    """``--cache`` and ``--dynamic``."""
    cache = click.option(
        "--cache",
        metavar="WEIGHT[,THETA[,STEPS]]",
        help="Mix in what followed in alike places of the piece: how much, how alike, up to how far back; try 0.3,1.",
    )
    dynamic = click.option(
        "--dynamic",
        metavar="RATE[,DECAY[,STEPS]]",
        help="Learn from the piece on the way: how fast, how much goes back, every how many steps; try 0.002, of a "
        "tanh RNN 0.0002.",
    )
    return cache(dynamic(command))


def adapting(cache: str | None, dynamic: str | None, engine: str) -> Asked:
    """What was asked for; {} if nothing was.

    Raises:
        click.UsageError, OptionError: something is no number, too many, or out of range.
        OptionError: the engine cannot.
    """
    if cache is None and dynamic is None:
        return {}
    from seqaudio.errors import OptionError
    from seqaudio.training.adaptive import Cache, Dynamic

    asked: Asked = {}
    if cache is not None:
        asked["cache"] = Cache(*_numbers("--cache", cache))
    if dynamic is not None:
        asked["dynamic"] = Dynamic(*_numbers("--dynamic", dynamic))
    if engine == "onnx":
        raise OptionError(f"--{' and --'.join(asked)} with --engine onnx: only torch can; leave --engine out")
    return asked


def facts_of(asked: Asked) -> dict[str, Any]:
    """What was asked for, as JSON tells it."""
    return {name: vars(options) for name, options in asked.items()}


def _numbers(option: str, text: str) -> list[Any]:
    """Up to two numbers and a whole one."""
    kinds, parts = (float, float, int), text.split(",")
    try:
        if len(parts) <= len(kinds):
            return [kind(part) for kind, part in zip(kinds, parts, strict=False)]
    except ValueError:
        pass
    raise click.UsageError(f"{option} {text}: give one, two or three numbers with commas between, the third one whole")
