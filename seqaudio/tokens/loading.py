"""Which tokenizer did a JSON text hold?"""

from __future__ import annotations

import json
from pathlib import Path

from seqaudio.errors import CheckpointError
from seqaudio.tokens.bars import BarsTokenizer
from seqaudio.tokens.melody import MelodyTokenizer
from seqaudio.tokens.performance import PerformanceTokenizer
from seqaudio.tokens.pianoroll import PianorollTokenizer
from seqaudio.tokens.tokenizer import Tokenizer

NAMES = ("bars", "melody", "performance", "pianoroll")


def tokenizer_from_json(text: str) -> Tokenizer:
    """The tokenizer that wrote a JSON text with ``to_json``.

    Raises:
        CheckpointError: the text is no tokenizer, or one of other tokens than this version writes.
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
        case _:
            raise CheckpointError(f"no tokenizer is named {name!r}; there are {', '.join(NAMES)}")


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Read a tokenizer that its method ``save`` wrote. Raises as :func:`tokenizer_from_json`, and OSError."""
    return tokenizer_from_json(Path(path).read_text(encoding="utf-8"))
