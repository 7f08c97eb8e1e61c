"""What is wrong with settings that somebody gave? Every mistake, in one line, with its place and what came."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from seqaudio.errors import OptionError


class Settings(BaseModel, frozen=True, extra="forbid"):
    """Settings that are checked where they are made and never change.

    Each kind says ``frozen=True`` itself, and gives defaults by name: type checkers know of neither otherwise.

    Raises:
        OptionError: names or values are not allowed. Where a function of pydantic is called, such as
            ``model_validate``, it is pydantic's ValidationError.
    """

    def __init__(self, /, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as problem:
            raise OptionError(told(problem, type(self), type(self).__name__)) from None

    # pydantic makes settings inside others by itself, not by this __init__: so their mistakes keep their places
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


def told(problem: ValidationError, kind: type[BaseModel], name: str) -> str:
    """All mistakes that were found in settings of a kind, in one line that begins with ``name``."""
    mistakes = [f"{_place(found)}{_said(found, kind)}" for found in problem.errors()]
    plural = "s" * (len(mistakes) != 1)
    return f"{name}: {len(mistakes)} mistake{plural}: {'; '.join(mistakes)}"


def _place(mistake: ErrorDetails) -> str:
    parts = (str(part) for part in mistake["loc"] if not str(part).startswith("<"))
    path = ".".join("".join(c if c.isprintable() else repr(c)[1:-1] for c in part) for part in parts)
    return f"{path}: " * bool(path)


def _said(mistake: ErrorDetails, kind: type[BaseModel]) -> str:
    """What is wrong, and what came where that is a short value."""
    if mistake["type"] == "extra_forbidden":
        names, asked = sorted(set(_names(kind))), str(mistake["loc"][-1])
        near = [] if asked in names else get_close_matches(asked, names, n=1)
        return f"no such setting here{f'; did you mean {near[0]}?' if near else ''}"
    if mistake["type"] == "value_error":
        return mistake["msg"].removeprefix("Value error, ")
    came = mistake["input"]
    return mistake["msg"] if isinstance(came, dict) else f"{mistake['msg']} (got {' '.join(repr(came).split())[:40]})"


def _names(kind: Any) -> Iterator[str]:
    """Of all settings of a kind, and of those inside it."""
    if isinstance(kind, type(BaseModel)):
        for name, field in kind.model_fields.items():
            yield name
            yield from _names(field.annotation)
    for part in get_args(kind):
        yield from _names(part)
