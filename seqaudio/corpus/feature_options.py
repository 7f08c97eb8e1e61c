"""Which features of a recording are wanted, and with which settings?

A setting is ``hop_length=256``, for every kind of feature, or ``mel.n_mels=80``, for one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from seqaudio.features.names import FEATURES, IN_TORCHAUDIO
from seqaudio.settings import Settings

LEAST_RATE, MOST_RATE = 100, 1_000_000


class FeatureOptions(Settings, frozen=True):
    """What decides which numbers come out, beside the recording."""

    kinds: tuple[str, ...] = Field(
        default=("log_mel",), description="names of features, see seqaudio.features.FEATURES"
    )
    preset: Literal["librosa", "torchaudio"] = Field(default="librosa", description="whose settings and numbers")
    sample_rate: int | None = Field(
        default=None, ge=LEAST_RATE, le=MOST_RATE, description="to resample to, in Hz; None: the recording's own"
    )
    mono: bool = Field(default=True, description="hear the mean of the channels, not each")
    settings: dict[str, Any] = Field(default_factory=dict, description="KEY or KIND.KEY, by librosa's names")

    @field_validator("kinds")
    @classmethod
    def _kinds_there_are(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [kind for kind in kinds if kind not in FEATURES]:
            raise ValueError(f"{unknown[0]!r} is no feature; there are {', '.join(FEATURES)}")
        if not kinds:
            raise ValueError(f"no feature is named; there are {', '.join(FEATURES)}")
        return tuple(dict.fromkeys(kinds))

    @model_validator(mode="after")
    def _parts_that_fit(self) -> FeatureOptions:
        if self.preset == "torchaudio" and (missing := [kind for kind in self.kinds if kind not in IN_TORCHAUDIO]):
            raise ValueError(f"torchaudio has no {missing[0]}, only {', '.join(IN_TORCHAUDIO)}")
        for name in self.settings:
            kind, dot, key = name.partition(".")
            if dot and (kind not in self.kinds or not key):
                raise ValueError(f"{name} is a setting of none of {', '.join(self.kinds)}")
        return self

    def of_kind(self, kind: str) -> dict[str, Any]:
        """The settings of one feature; those for it alone come before those for all."""
        own = {name.removeprefix(f"{kind}."): v for name, v in self.settings.items() if name.startswith(f"{kind}.")}
        return {name: value for name, value in self.settings.items() if "." not in name} | own

    @property
    def facts(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return self.model_dump(mode="json")


def parse_settings(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Settings from pairs of words: numbers, true, false and null as in JSON, everything else as text."""
    return {name: _value(text) for name, text in pairs}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
