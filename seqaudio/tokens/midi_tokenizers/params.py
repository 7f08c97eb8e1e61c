"""How is a MidiTok tokenizer made, and which JSON rebuilds it?

MidiTok (Fradet et al. 2021) is imported here and nowhere else, and only when one of its tokenizers is asked for. Its
parameters travel as the JSON it writes itself, the model of a trained tokenizer included; of that JSON only the keys
named in ``KEYS`` are passed on, because MidiTok sets any other as an attribute. Nothing is fetched from a network.
"""

from __future__ import annotations

import inspect
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from seqaudio.errors import CheckpointError, MissingDependencyError, OptionError

KINDS = ("REMI", "TSD", "MIDILike", "Structured", "PerTok", "MMM", "CPWord", "Octuple", "MuMIDI")
KEYS = ("config", "_vocab_base", "_model", "_vocab_base_byte_to_token")
VERSIONS = ("miditok_version", "symusic_version", "hf_tokenizers_version")
ADDITIONAL = {  # options that MidiTok takes beside those of its TokenizerConfig
    "max_bar_embedding", "use_bar_end_tokens", "add_trailing_bars", "base_tokenizer", "max_duration",
    "ticks_per_quarter", "use_microtiming", "max_microtiming_shift", "num_microtiming_bins", "use_position_toks",
}  # fmt: skip
REFUSALS = (ValueError, KeyError, TypeError, AttributeError, IndexError, ZeroDivisionError)  # what MidiTok raises


@contextmanager
def silenced() -> Iterator[None]:
    """MidiTok warns of what it turns off, clips or cannot train; all of that is counted or refused here instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def imported() -> Any:
    """The package miditok. Raises MissingDependencyError when it is not installed."""
    try:
        with silenced():
            import miditok
    except ImportError as problem:
        raise MissingDependencyError(
            f"MidiTok is not installed ({problem}); pip install 'seqaudio[midi-tokenizers]' adds it"
        ) from None
    return miditok


def make(kind: str, config: Mapping[str, Any]) -> Any:
    """A MidiTok tokenizer of a kind under options of its ``TokenizerConfig``.

    Raises:
        OptionError: no such kind or option, a value that MidiTok refuses, or an option it would silently turn off.
        MissingDependencyError: MidiTok is not installed.
    """
    if kind not in KINDS:
        raise OptionError(f"no MidiTok tokenizer {kind!r} can be used here; there are {', '.join(KINDS)}")
    miditok = imported()
    known = ADDITIONAL | set(inspect.signature(miditok.TokenizerConfig.__init__).parameters) - {"self", "kwargs"}
    unknown = sorted(set(config) - known)
    if unknown:
        raise OptionError(f"MidiTok has no option {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    try:
        with silenced():
            made = getattr(miditok, kind)(miditok.TokenizerConfig(**_with_python_keys(config)))
    except REFUSALS as problem:
        raise OptionError(f"MidiTok refuses these options of {kind}: {problem}") from None
    refused = [name for name in config if isinstance(config[name], bool) and _option(made, name) != config[name]]
    if refused:
        raise OptionError(
            f"MidiTok's {kind} cannot have {', '.join(f'{n}={config[n]}' for n in refused)}; leave it out"
        )
    return made


def _option(tokenizer: Any, name: str) -> Any:
    return getattr(tokenizer.config, name, tokenizer.config.additional_params.get(name))


def _with_python_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """Options from JSON, where the keys of inner dictionaries are strings, as MidiTok wants them."""
    options = dict(config)
    for name in ("beat_res", "beat_res_rest"):
        if name in options:
            options[name] = {
                tuple(int(part) for part in key.split("_")) if isinstance(key, str) else key: value
                for key, value in options[name].items()
            }
    if "time_signature_range" in options:
        options["time_signature_range"] = {int(k): v for k, v in options["time_signature_range"].items()}
    return options


def installed_versions() -> dict[str, str]:
    """The versions that decide which tokens are written, under the names MidiTok saves them by."""
    return dict(zip(VERSIONS, map(version, ("miditok", "symusic", "tokenizers")), strict=True))


def params_of(tokenizer: Any) -> dict[str, Any]:
    """What MidiTok saves of a tokenizer, as JSON values; the text of a trained model is JSON inside JSON no longer."""
    params: dict[str, Any] = json.loads(json.dumps(tokenizer.to_dict()))
    if "_model" in params:
        params["_model"] = json.loads(params["_model"])
    return params


def from_params(params: Any) -> Any:
    """The MidiTok tokenizer of a parsed parameter file.

    Raises:
        CheckpointError: it is not one, or the installed MidiTok cannot read it.
        MissingDependencyError: MidiTok is not installed.
    """
    kind = params.get("tokenization") if isinstance(params, dict) else None
    if kind not in KINDS or not isinstance(params.get("config"), dict):
        raise CheckpointError(f"these are no parameters of a MidiTok tokenizer ({', '.join(KINDS)}); save one with it")
    miditok = imported()
    kept = {key: params[key] for key in KEYS if key in params}
    if "_model" in kept and not isinstance(kept["_model"], str):
        kept["_model"] = json.dumps(kept["_model"])
    handle, path = tempfile.mkstemp(suffix=".json")  # MidiTok reads files only
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(kept, file)
        with silenced():
            return getattr(miditok, kind)(params=path)
    except Exception as problem:  # the model's own library raises bare Exceptions
        raise CheckpointError(f"MidiTok {version('miditok')} cannot read these parameters: {problem!r}") from None
    finally:
        os.unlink(path)
