"""With which settings is a feature made? librosa's, or torchaudio's, from options in librosa's words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from seqaudio.errors import OptionError
from seqaudio.features.framing import Framing, plain_frames

Preset = Literal["librosa", "torchaudio"]

OF_THE_PARTS = ("framing", "scale", "peer")  # not asked for by name: other options, and the preset, say them


class Options:
    """Options by name, from which each part of a feature takes its own.

    Attributes:
        preset: whose defaults.
        settings: what the parts were made with: every option that there is, and its value.

    Raises:
        OptionError: there is no such preset.
    """

    def __init__(self, preset: Preset, given: Mapping[str, Any]) -> None:
        if preset not in get_args(Preset):
            raise OptionError(f"preset is {preset!r}, it must be one of {', '.join(get_args(Preset))}")
        self.preset, self._left, self.settings = preset, dict(given), dict[str, Any]()
        self._given_as: dict[str, str] = {}

    def take(self, part: Callable[..., object], **defaults: Any) -> dict[str, Any]:
        """The options of what makes a part, no longer left for others; ``defaults`` where none are given."""
        usual = {
            name: parameter.default
            for name, parameter in inspect.signature(part).parameters.items()
            if parameter.default is not inspect.Parameter.empty and name not in OF_THE_PARTS
        }
        taken = defaults | {name: self._left.pop(name) for name in usual if name in self._left}
        for name, value in usual.items():
            self.settings.setdefault(self._given_as.get(name, name), taken.get(name, value))
        return taken

    def framing(self, hop_length: int = 512, precise: bool = True) -> Framing:
        """The frames of the spectra; those of torchaudio lie half a window apart."""
        if self.preset == "librosa":
            return Framing(**self.take(Framing, hop_length=hop_length, precise=precise))
        return Framing(
            **self.take(Framing, n_fft=400, hop_length=self.window_length(400) // 2, pad_mode="reflect", precise=False)
        )

    def plain_framing(self, pad_mode: str) -> Framing:
        """Frames without a window."""
        return plain_frames(**self.take(plain_frames, pad_mode=pad_mode))

    def window_length(self, n_fft: int) -> int:
        """Samples of the window, where the default of ``n_fft`` is this one."""
        return int(self._left.get("win_length") or self._left.get("n_fft", n_fft))

    def rename(self, given: str, name: str) -> None:
        """An option that a part knows by another name."""
        self._given_as[name] = given
        if given in self._left:
            self._left[name] = self._left.pop(given)

    def finish(self, feature: str) -> None:
        """Raises OptionError if an option is left that no part knew."""
        if self._left:
            raise OptionError(
                f"{feature} has no option {', '.join(map(repr, self._left))}; it has {', '.join(sorted(self.settings))}"
            )
