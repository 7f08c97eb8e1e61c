"""What becomes of one recording? A file of features, or a line that says why there is none.

    KIND          (bins, frames), or (channels, bins, frames); float32, complex64 of transforms
    KIND_times    (frames,) float64, the middle of each frame in seconds
    KIND_names    (bins,) text, what the bins are
    sample_rate   of the samples that were heard, in Hz

The answer depends on the recording and the options alone, so that any process can find it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.corpus.feature_options import FeatureOptions
from seqaudio.corpus.recordings import SoundFile
from seqaudio.errors import OptionError, SeqAudioError
from seqaudio.files.atomic import shown, write_bytes
from seqaudio.files.audio import audio_facts, read_audio
from seqaudio.files.limits import Limits
from seqaudio.files.npz import npz_bytes
from seqaudio.music.waveform import Waveform

if TYPE_CHECKING:
    from seqaudio.features.contract import Feature

MAY_LACK = ("pyin",)  # NaN where no pitch is heard
USUAL_RATE, HIGH_RATE = 44_100, 192_000


@dataclass(frozen=True)
class Extracted:
    """What was made of a recording, or ``reason``, why nothing was.

    Attributes:
        name: its path inside the folder that was named.
        output: of its features, inside the folder of features.
        output_bytes: size of that file.
        sample_rate: in Hz, of the samples that were heard.
        seconds: how long it sounds.
        shapes: of the arrays, by kind.
        remarks: what is to be known about them.
    """

    name: str
    output: str = ""
    output_bytes: int = 0
    sample_rate: int = 0
    seconds: float = 0.0
    shapes: dict[str, list[int]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    reason: str = ""


def extract_file(options: FeatureOptions, limits: Limits, out: Path, file: SoundFile) -> Extracted:
    """Read a recording and write its features.

    Raises:
        BadFileError: they cannot be written; what is wrong with the recording raises nothing.
        MemoryError: whoever runs this says how much memory a recording may take.
    """
    if file.problem:
        return Extracted(file.name, reason=file.problem)
    try:
        waveform = read_audio(file.path, options.sample_rate, options.mono, limits)
        arrays = features_of(waveform, options)
        remarks = tuple(_remarks(waveform.sample_rate, options))
    except MemoryError:
        raise
    except SeqAudioError as problem:
        return Extracted(file.name, reason=str(problem).removeprefix(f"{shown(file.path)}: "))
    except Exception as problem:  # a mistake of ours must cost one recording, not the run
        return Extracted(file.name, reason=f"unexpected {type(problem).__name__}: {problem}; please report it")
    data = npz_bytes(arrays)
    path = out / file.output
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data, lasting=False)  # which takes ten times as long as all the rest; the run can be repeated
    shapes = {kind: list(arrays[kind].shape) for kind in options.kinds}
    return Extracted(file.name, file.output, len(data), waveform.sample_rate, waveform.seconds, shapes, remarks)


def features_of(waveform: Waveform, options: FeatureOptions) -> dict[str, NDArray[Any]]:
    """The arrays of a waveform, by their names in the file.

    Raises:
        OptionError: a feature has no such setting, the sound is too short for it, or a number comes out that is none.
    """
    import torch

    samples = torch.from_numpy(waveform.samples[0].copy() if options.mono else waveform.samples.copy())
    arrays: dict[str, NDArray[Any]] = {}
    for kind in options.kinds:
        try:
            module, _ = _feature(kind, waveform.sample_rate, options)
            with torch.inference_mode():
                frames = module(samples).numpy()
        except OptionError as problem:
            raise OptionError(f"{kind}: {str(problem).removeprefix(f'{kind}: ')}") from None
        if not np.isfinite(frames).all() and kind not in MAY_LACK:
            raise OptionError(f"{kind} has numbers that are not finite; is the recording louder than full scale?")
        arrays[kind] = frames
        arrays[f"{kind}_times"] = module.times(frames.shape[-1])
        arrays[f"{kind}_names"] = np.array(module.names)
    return arrays | {"sample_rate": np.array(waveform.sample_rate)}


def get_ready(options: FeatureOptions, sample_rate: int = USUAL_RATE) -> None:
    """What a process does before its first recording: import what takes seconds, and see that the options are known.

    Raises:
        OptionError: a feature has no such setting, at this rate and at a high one.
    """
    import torch

    torch.set_num_threads(1)  # as many processes as cores
    for kind in options.kinds:
        try:
            _feature(kind, sample_rate, options)
        except OptionError as problem:  # a band may lie too high for this rate alone
            with suppress(OptionError):
                _feature(kind, HIGH_RATE, options)
                continue
            raise problem from None


def readiness(options: FeatureOptions, files: list[SoundFile]) -> Callable[[], None]:
    """:func:`get_ready` for these recordings; it pickles."""
    for file in files:
        with suppress(SeqAudioError):
            return partial(get_ready, options, options.sample_rate or audio_facts(file.path).sample_rate)
    return partial(get_ready, options)


def _remarks(sample_rate: int, options: FeatureOptions) -> Iterator[str]:
    """What is to be known about these features at this rate."""
    for kind in options.kinds:
        for remark in _feature(kind, sample_rate, options)[1]:
            yield f"{kind} at {sample_rate:,} Hz: {remark}"


def _feature(kind: str, sample_rate: int, options: FeatureOptions) -> tuple[Feature, tuple[str, ...]]:
    """A feature, and the warnings of its making; made once."""
    return _made(kind, sample_rate, options.preset, tuple(sorted(options.of_kind(kind).items())))


@lru_cache(maxsize=64)
def _made(
    kind: str, sample_rate: int, preset: Any, settings: tuple[tuple[str, Any], ...]
) -> tuple[Feature, tuple[str, ...]]:
    from seqaudio.features.catalog import feature

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            made = feature(kind, sample_rate, preset, **dict(settings))
    except (TypeError, ValueError) as problem:  # a setting of a type that nobody foresaw
        raise OptionError(f"{kind}: {problem}; check the settings") from None
    return made, tuple(str(each.message) for each in caught if issubclass(each.category, UserWarning))
