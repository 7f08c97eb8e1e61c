"""How is a tokenizer kept as JSON? Its name, its options, and its token names to read and to compare.

A tokenizer is a frozen dataclass whose fields are its options, so one way serves all of them.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from seqaudio.errors import CheckpointError, OptionError
from seqaudio.tokens.vocabulary import Vocabulary

T = TypeVar("T", bound="StoredTokenizer")


class StoredTokenizer(ABC):
    """A tokenizer that is kept as JSON."""

    name: ClassVar[str]
    unwritten: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """The values of options that older versions did not write, because they had no others."""

    @property
    @abstractmethod
    def vocabulary(self) -> Vocabulary:
        """The tokens in id order."""

    def to_json(self) -> str:
        """Everything needed to rebuild the tokenizer, with its token names to read."""
        options: Any = self
        return json.dumps({"tokenizer": self.name, **asdict(options), "tokens": self.vocabulary.names})

    @classmethod
    def from_json(cls: type[T], text: str) -> T:
        """The tokenizer that :meth:`to_json` wrote. Raises CheckpointError when it was another one."""
        made: Any = cls
        try:
            stored = {**cls.unwritten, **json.loads(text)}
            tokenizer: T = made(**{field.name: stored[field.name] for field in fields(made)})
            same = stored["tokenizer"] == cls.name and tuple(stored["tokens"]) == tokenizer.vocabulary.names
        except (ValueError, LookupError, TypeError, RecursionError, OptionError) as problem:
            raise CheckpointError(
                f"not a {cls.name} tokenizer: {problem!r}; save one with {cls.__name__}.save"
            ) from None
        if not same:
            raise CheckpointError(
                f"this tokenizer has other tokens than the {cls.name} tokenizer of this seqaudio version"
            )
        return tokenizer

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls: type[T], path: str | Path) -> T:
        """Read a tokenizer that :meth:`save` wrote."""
        return cls.from_json(Path(path).read_text(encoding="utf-8"))
