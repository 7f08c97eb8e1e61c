"""How does a tokenizer of one's own come in? By its class, which this process has; never by a file that names it.

A tokenizer of one's own is called ``module:Class``. :func:`register` makes its class known, and :func:`import_own`
imports it first, which only the command line asks for, where a person typed the name. What reads files (a tokenizer's
JSON, a corpus, a checkpoint, a configuration) looks a name up among the registered ones and imports nothing.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from seqaudio.errors import OptionError
from seqaudio.tokens.tokenizer import Tokenizer

T = TypeVar("T")

_OWN = re.compile(r"(?!\d)\w+(\.(?!\d)\w+)*:(?!\d)\w+", flags=re.ASCII)
_LONGEST = 200  # letters of a name
_registered: dict[str, type[Tokenizer]] = {}


def register(made: type[T]) -> type[T]:
    """Let a tokenizer of one's own be used by name, and be found by what it saved; a decorator of its class.

    The class is called ``module:Class`` from then on, which is set as its ``name``.

    Args:
        made: a dataclass, whose fields are its options, each with a default; it keeps the contract of ``Tokenizer``.

    Raises:
        OptionError: it is no class, another process could not import it, or something of the contract is missing.
    """
    if not inspect.isclass(made):
        raise OptionError(f"a {type(made).__name__} is no class; register the class of a tokenizer")
    if made.__module__ == "__main__" or made.__qualname__ != made.__name__:
        raise OptionError(
            f"no other process can import {made.__qualname__} of {made.__module__}; "
            "put it at the top of a module of its own, such as pairs.py, and import that"
        )
    name = f"{made.__module__}:{made.__name__}"
    if missing := _missing(made):
        raise OptionError(f"{name} has no {', '.join(missing)}; a tokenizer keeps the contract of docs/tokenizers.md")
    if not is_dataclass(made):
        raise OptionError(f"{name} is no dataclass; write @dataclass(frozen=True) below @register, its fields: options")
    if bare := [f.name for f in fields(made) if f.init and f.default is MISSING and f.default_factory is MISSING]:
        raise OptionError(f"{name} cannot be made without {', '.join(bare)}; give each option a default")
    known: Any = made
    known.name = name
    _registered[name] = known
    return made


def registered(name: object) -> type[Tokenizer] | None:
    """The class of that name, ``module:Class``, if this process has registered it."""
    return _registered.get(name) if isinstance(name, str) else None


def is_own(name: object) -> bool:
    """Is that a name for a tokenizer of one's own?"""
    return isinstance(name, str) and len(name) <= _LONGEST and _OWN.fullmatch(name) is not None


def how_to_register(name: str) -> str:
    """What to do about one that is not registered."""
    module, _, made = name.partition(":")
    return (
        f"{name} is none of seqaudio's tokenizers; if you trust it, import {module} and call "
        f"seqaudio.tokens.register({made}), or begin the command with seqaudio --own-tokenizer {name}"
    )


def import_own(name: str) -> type[Tokenizer]:
    """Import and register a class because its name was given by a person; never call this with what a file says.

    Raises:
        OptionError: the name is no ``module:Class``, cannot be imported, or is none of a tokenizer.
    """
    if not is_own(name):
        raise OptionError(f"{name!r} names no tokenizer of your own; give MODULE:CLASS, such as pairs:PairTokenizer")
    module_name, _, class_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as problem:  # whatever a module of others does
        if isinstance(problem, ModuleNotFoundError) and f"{module_name}.".startswith(f"{problem.name}."):
            raise OptionError(
                f"there is no module {problem.name}, which {name} is of; go to its folder, or put it into PYTHONPATH"
            ) from None
        reason = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
        raise OptionError(f"{module_name} cannot be imported ({reason}); mend it") from None
    made = getattr(module, class_name, None)
    if not inspect.isclass(made):
        there = [
            key for key, value in vars(module).items() if inspect.isclass(value) and value.__module__ == module_name
        ]
        raise OptionError(f"{module_name} has no class {class_name}; it has {', '.join(there) or 'none'}")
    if made.__module__ != module_name or made.__name__ != class_name:
        raise OptionError(f"{name} is {made.__module__}:{made.__qualname__}; give that name")
    register(made)
    return _registered[name]


def source_of(tokenizer: Tokenizer) -> bytes:
    """The module that holds a tokenizer of one's own, as text: with it changes what its tokens are. Else nothing."""
    if registered(tokenizer.name) is not type(tokenizer):
        return b""
    file = getattr(sys.modules.get(type(tokenizer).__module__), "__file__", None)
    return Path(file).read_bytes() if file and Path(file).is_file() else b""


def _missing(made: type) -> list[str]:
    """What of the contract a class lacks; what it has from the contract itself, or as abstract, does not count."""
    abstract: Iterable[str] = getattr(made, "__abstractmethods__", ())
    wanted = [name for name in vars(Tokenizer) if not name.startswith("_")]
    return [
        name
        for name in dict.fromkeys([*wanted, *sorted(abstract)])
        if name in abstract or inspect.getattr_static(made, name, None) in (None, vars(Tokenizer).get(name))
    ]
