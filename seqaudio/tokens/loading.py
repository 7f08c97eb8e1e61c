"""Which tokenizer did a JSON text hold, or does a name with settings ask for?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from seqaudio.errors import CheckpointError, MissingDependencyError, OptionError
from seqaudio.tokens.bars import BarsTokenizer
from seqaudio.tokens.melody import MelodyTokenizer
from seqaudio.tokens.midi_tokenizers import MidiTokTokenizer
from seqaudio.tokens.own import how_to_register, is_own, registered
from seqaudio.tokens.performance import PerformanceTokenizer
from seqaudio.tokens.pianoroll import PianorollTokenizer
from seqaudio.tokens.tokenizer import Tokenizer

NAMES = ("bars", "melody", "performance", "pianoroll", "midi-tokenizers")

T = TypeVar("T")


def tokenizer_from_json(text: str) -> Tokenizer:
    """The tokenizer that wrote a JSON text with ``to_json``. Imports nothing that the text names.

    Raises:
        CheckpointError: the text is no tokenizer, or one of other tokens than this version writes.
        MissingDependencyError: a tokenizer of MidiTok, which is not installed, or of one's own, not registered here.
    """
    try:
        name = json.loads(text)["tokenizer"]
    except (ValueError, LookupError, TypeError, RecursionError) as problem:
        raise CheckpointError(f"not a tokenizer: {problem!r}; save one with its method save") from None
    match name:
        case "bars":
            return BarsTokenizer.from_json(text)
        case "melody":
            return MelodyTokenizer.from_json(text)
        case "performance":
            return PerformanceTokenizer.from_json(text)
        case "pianoroll":
            return PianorollTokenizer.from_json(text)
        case "midi-tokenizers":
            return MidiTokTokenizer.from_json(text)
        case _ if own := registered(name):
            return own.from_json(text)
        case _ if is_own(name):
            raise MissingDependencyError(how_to_register(name))
        case _:
            raise CheckpointError(f"no tokenizer is named {name!r}; there are {', '.join(NAMES)}")


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Read a tokenizer that its method ``save`` wrote. Raises as :func:`tokenizer_from_json`, and OSError."""
    return tokenizer_from_json(Path(path).read_text(encoding="utf-8"))


def make_tokenizer(name: str, settings: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a name, with its own options set; text such as ``"false"`` is understood as the option's type.

    Raises:
        OptionError: there is no such tokenizer or option, the value is not allowed, or it is one's own, not registered.
        MissingDependencyError: a tokenizer of MidiTok, which is not installed.
    """
    match name:
        case "bars":
            return _with_settings(BarsTokenizer, name, settings)
        case "melody":
            return _with_settings(MelodyTokenizer, name, settings)
        case "performance":
            return _with_settings(PerformanceTokenizer, name, settings)
        case "pianoroll":
            return _with_settings(PianorollTokenizer, name, settings)
        case "midi-tokenizers":
            return MidiTokTokenizer.from_settings(settings)
        case _ if own := registered(name):
            return _with_settings(own, name, settings)
        case _ if is_own(name):
            raise OptionError(how_to_register(name))
        case _:
            raise OptionError(f"no tokenizer is named {name!r}; there are {', '.join(NAMES)}")


def _with_settings(made: type[T], name: str, settings: Mapping[str, Any]) -> T:
    """A dataclass from values that are checked against the types of its fields."""
    from pydantic import TypeAdapter, ValidationError  # late: continuing a piece does without

    allowed = {field.name for field in fields(made) if field.init}  # type: ignore[arg-type]
    for key in settings:
        if key not in allowed:
            raise OptionError(f"the tokenizer {name} has no option {key!r}; it has {', '.join(sorted(allowed))}")
    try:
        return TypeAdapter(made).validate_python({key: _typed(value) for key, value in settings.items()})
    except ValidationError as problem:
        wrong = problem.errors()[0]
        place = ".".join(map(str, wrong["loc"]))
        raise OptionError(f"the tokenizer {name}: {place}={wrong['input']!r}: {wrong['msg']}") from None


def _typed(value: Any) -> Any:
    """A setting as it was meant: text that is a whole number is that number."""
    return int(value) if isinstance(value, str) and value.lstrip("-").isdecimal() else value
