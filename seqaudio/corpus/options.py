"""What decides which tokens come out, and what only decides where they go?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import lru_cache
from typing import Any

from pydantic import Field, field_validator, model_validator

from seqaudio.corpus.report import SPLIT_OPTIONS
from seqaudio.errors import OptionError
from seqaudio.files.limits import DEFAULT_LIMITS, Limits
from seqaudio.settings import Settings
from seqaudio.tokens import Tokenizer, make_tokenizer
from seqaudio.tokens.own import registered

MELODY_SETTINGS = {"programs": False, "velocities": False, "tempos": False, "pedals": "drop"}
LEAD_SHEET_SETTINGS = MELODY_SETTINGS | {"programs": True}  # which tell its melody from its chords


class PrepareOptions(Settings, frozen=True):
    """What to keep, as which tokens, and how to split it."""

    tokenizer: str = Field(
        default="bars", description="name of the tokenizer; of a registered one of your own, module:Class"
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="options of the tokenizer")
    melody: bool = Field(
        default=False, description="bars only: keep each piece's melody, without programs and velocities"
    )
    lead_sheet: bool = Field(
        default=False, description="bars only: keep its melody, and all else that is pitched as chords"
    )
    min_notes: int = Field(default=16, ge=1)
    min_bars: int = Field(default=4, ge=1)
    max_tokens: int = Field(default=65_536, ge=16)
    limits: Limits = Field(default=DEFAULT_LIMITS, description="budgets for one file")
    valid_share: float = Field(default=0.05, ge=0, lt=1)
    test_share: float = Field(default=0.05, ge=0, lt=1)
    seed: int = 0

    @field_validator("limits", mode="before")
    @classmethod
    def _limits_there_are(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        allowed = [field.name for field in fields(Limits)]
        if unknown := [key for key in value if key not in allowed]:
            raise ValueError(f"no limit is named {unknown[0]!r}; there are {', '.join(allowed)}")
        try:
            return Limits(**value)
        except OptionError as problem:  # as pydantic wants it, so that all mistakes are reported together
            raise ValueError(str(problem)) from None

    @model_validator(mode="after")
    def _parts_that_fit(self) -> PrepareOptions:
        if self.valid_share + self.test_share >= 1:
            raise ValueError("valid_share and test_share together must stay below 1")
        kept = [name for name in ("melody", "lead_sheet") if getattr(self, name)]
        if len(kept) > 1:
            raise ValueError("melody and lead_sheet are two ways to read a piece; leave one of them out")
        if kept and self.tokenizer != "bars":
            raise ValueError(
                f"{kept[0]} goes with the tokenizer bars, not with {self.tokenizer}; leave one of them out"
            )
        try:
            tokenizer = self.make_tokenizer()
        except OptionError as problem:
            raise ValueError(str(problem)) from None
        if self.lead_sheet and not getattr(tokenizer, "programs", True):
            raise ValueError("lead_sheet tells melody and chords apart by programs; leave programs=false out")
        # as the tokenizer understood them: "false" and False are one setting
        self.settings.update({key: getattr(tokenizer, key, value) for key, value in self.settings.items()})
        return self

    def make_tokenizer(self) -> Tokenizer:
        """The tokenizer these options ask for; the same object for the same options.

        Raises:
            OptionError: there is no such tokenizer, or it has no such setting, or it is one's own, not registered.
        """
        usual = MELODY_SETTINGS if self.melody else LEAD_SHEET_SETTINGS if self.lead_sheet else {}
        settings = usual | self.settings
        return _tokenizer(self.tokenizer, json.dumps(settings, sort_keys=True, default=str), registered(self.tokenizer))

    @property
    def of_tokens(self) -> dict[str, Any]:
        """The part that decides what becomes of one file, as JSON values."""
        return self.model_dump(mode="json", exclude={*SPLIT_OPTIONS})  # no token depends on them


def prepare_command(tokenizer: Tokenizer) -> str:
    """The ``seqaudio prepare`` that makes a corpus of a tokenizer's tokens, SOURCE and OUT left to fill in."""
    options = ["seqaudio prepare SOURCE OUT"]
    if not is_dataclass(tokenizer):  # MidiTok's come with parameters that no command line holds
        return f"{options[0]} --tokenizer {tokenizer.name} --set file=PARAMETERS.json, the file it was made from"
    settings = asdict(tokenizer)
    for option, usual in (("--melody", MELODY_SETTINGS), ("--lead-sheet", LEAD_SHEET_SETTINGS)):
        if tokenizer.name == "bars" and settings == usual:
            return f"{options[0]} {option}"
    if tokenizer.name != DEFAULTS.tokenizer:
        options.append(f"--tokenizer {tokenizer.name}")
    plain = asdict(type(tokenizer)())
    options += [f"--set {key}={str(value).lower()}" for key, value in settings.items() if value != plain[key]]
    return " ".join(options)


@lru_cache(maxsize=16)
def _tokenizer(name: str, settings: str, _own: type | None) -> Tokenizer:  # which may be registered anew, once reloaded
    return make_tokenizer(name, json.loads(settings))


DEFAULTS = PrepareOptions()
