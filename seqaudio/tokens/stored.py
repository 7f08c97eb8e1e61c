"""How is a tokenizer kept as JSON? Its name, its options, and its token names to read and to compare.

A tokenizer is a frozen dataclass whose fields are its options, so one pair of functions serves all of them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any, TypeVar

from seqaudio.errors import CheckpointError, OptionError

T = TypeVar("T")


def text_of(tokenizer: Any) -> str:
    """Everything needed to rebuild a tokenizer."""
    return json.dumps({"tokenizer": tokenizer.name, **asdict(tokenizer), "tokens": tokenizer.vocabulary.names})


def tokenizer_of(kind: type[T], text: str) -> T:
    """The tokenizer that :func:`text_of` wrote. Raises CheckpointError when it was another one."""
    made: Any = kind
    try:
        stored = json.loads(text)
        tokenizer = made(**{field.name: stored[field.name] for field in fields(made)})
        same = stored["tokenizer"] == made.name and tuple(stored["tokens"]) == tokenizer.vocabulary.names
    except (ValueError, LookupError, TypeError, RecursionError, OptionError) as problem:
        raise CheckpointError(f"not a {made.name} tokenizer: {problem!r}; save one with {made.__name__}.save") from None
    if not same:
        raise CheckpointError(
            f"this tokenizer has other tokens than the {made.name} tokenizer of this seqaudio version"
        )
    found: T = tokenizer
    return found
