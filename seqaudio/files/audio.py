"""How does a file of sound become a waveform, and a waveform a file?

Conventions: samples are float32, full scale from -1 to 1, as libsndfile decodes them; MP3 and Ogg may go beyond. What a
file is, its content says and not its name. A file is read in blocks up to the samples it declares, so a header that
lies costs no memory; one that declares more samples than it has is cut off, and refused. Recorders that write into a
pipe declare none, or as many as fit, and mean all there are (``seqaudio/files/riff.py``).

Nothing is clipped: what is beyond full scale is no sample of 16 or 24 bits, and is refused.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import BadFileError, MissingDependencyError, NoSoundError, OptionError
from seqaudio.files.atomic import file_size, reading, shown, write_bytes
from seqaudio.files.limits import DEFAULT_LIMITS, Limits
from seqaudio.files.riff import check_lengths
from seqaudio.music.resampling import Samples, check_rates, resample, resampled_length
from seqaudio.music.waveform import Waveform

if TYPE_CHECKING:
    from soundfile import SoundFile

IntArray = NDArray[np.int32]

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64")
OTHER_SUFFIXES = (".m4a", ".aac", ".wma")  # of recordings that libsndfile does not read
FORMATS = {"WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF"}  # libsndfile knows stranger ones
BLOCK = 2**20  # samples that are read or written together
UNKNOWN = 2**62  # frames that libsndfile tells where a file declares none
FULL_SCALE = 1.0
ENCODINGS = {
    (".wav", 16): ("WAV", "PCM_16"),
    (".wav", 24): ("WAV", "PCM_24"),
    (".wav", 32): ("WAV", "FLOAT"),
    (".flac", 16): ("FLAC", "PCM_16"),
    (".flac", 24): ("FLAC", "PCM_24"),
    (".ogg", None): ("OGG", "VORBIS"),
}
USUAL_BITS = {".wav": 16, ".flac": 16, ".ogg": None}
MOST_BYTES = 2**32 - 2**16  # of samples in a WAV, whose header counts bytes in 32 bits


@dataclass(frozen=True)
class Recording:
    """What a file of sound says of itself: format and coding, rate in Hz, channels, and seconds where it tells them."""

    format: str
    coding: str
    sample_rate: int
    channels: int
    seconds: float | None


def read_audio(
    path: str | os.PathLike[str],
    sample_rate: int | None = None,
    mono: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Waveform:
    """The sound in a file: WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, AU or CAF, of any rate and number of channels.

    Args:
        path: the file.
        sample_rate: the rate to bring it to, in Hz; None: its own.
        mono: the mean of its channels in place of them.
        limits: budgets; ``max_samples``, ``max_sample_rate`` and ``max_audio_bytes`` are looked at.

    Returns:
        Samples of shape (channels, samples), float32.

    Raises:
        BadFileError: it cannot be opened, is no sound, is damaged or cut off, or has samples that are no numbers.
        OverLimitError: it exceeds one of the budgets.
        NoSoundError: it has no samples.
        OptionError: a rate below 1 Hz was asked for.
    """
    if sample_rate is not None:
        check_rates(sample_rate, sample_rate)
    name = shown(path)
    with _opened(path, limits) as file:
        own = int(file.samplerate)
        samples = _samples(file, name, mono, limits)
    wanted = own if sample_rate is None else sample_rate
    try:
        check_rates(own, wanted)
    except OptionError as problem:  # of a rate that only the file can be blamed for
        raise BadFileError(f"{name}: {problem}") from None
    limits.check("max_samples", len(samples) * resampled_length(samples.shape[1], own, wanted), name)
    return Waveform(resample(samples, own, wanted), wanted)


def is_recording(path: str | os.PathLike[str]) -> bool:
    """Whether a file is named as recordings are, those among them that :func:`read_audio` has to refuse."""
    return Path(path).suffix.lower() in AUDIO_SUFFIXES + OTHER_SUFFIXES


def audio_facts(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Recording:
    """What a file of sound says of itself, without reading it to the end. Raises as :func:`read_audio`."""
    with _opened(path, limits) as file:
        seconds = file.frames / file.samplerate if file.frames < UNKNOWN else None
        return Recording(file.format, file.subtype, int(file.samplerate), int(file.channels), seconds)


def write_audio(waveform: Waveform, path: str | os.PathLike[str], bits: int | None = None) -> None:
    """Write sound as .wav, .flac or .ogg: all of it or nothing, an existing file stays until the new one is complete.

    Numbers are rounded to the nearest, without dither. What 16 or 24 bits were read from is written back to the bit.

    Args:
        waveform: the sound; of 16 and 24 bits and in .ogg within full scale, see :meth:`Waveform.within`.
        path: the file; its suffix says what it becomes.
        bits: of a sample: 16 or 24, in .wav also 32, which are floats and may go beyond full scale; None: 16, and in
            .ogg, which has no such thing, what Vorbis takes.

    Raises:
        OptionError: another suffix or number of bits, samples beyond full scale, or more channels or a rate that the
            format does not have.
        NoSoundError: there are no samples.
        BadFileError: the file cannot be written.
    """
    write_bytes(path, audio_bytes(waveform, path, bits))


def audio_bytes(waveform: Waveform, path: str | os.PathLike[str], bits: int | None = None) -> bytes:
    """The file that :func:`write_audio` would write; ``path`` gives its suffix and its name in errors.

    Raises:
        OptionError: another suffix or number of bits, samples beyond full scale, or what the format does not have.
        NoSoundError: there are no samples.
    """
    name, suffix = shown(path), Path(path).suffix.lower()
    bits = USUAL_BITS.get(suffix) if bits is None else bits
    if (suffix, bits) not in ENCODINGS:
        raise OptionError(_no_encoding(name, suffix, bits))
    format_, coding = ENCODINGS[suffix, bits]
    if not len(waveform):
        raise NoSoundError(f"{name}: there are no samples to write")
    if coding != "FLOAT" and waveform.peak > FULL_SCALE:
        raise OptionError(
            f"{name}: samples reach {waveform.peak:.4g}, full scale is 1; write waveform.within() to make it as much "
            "quieter as that takes, or a .wav with bits=32"
        )
    if format_ == "WAV" and waveform.samples.size * (bits or 0) // 8 > MOST_BYTES:
        raise OptionError(f"{name}: longer than a .wav can be (4 GB); write a .flac, or in parts")
    return _encoded(waveform, name, format_, coding, bits)


def _encoded(waveform: Waveform, name: str, format_: str, coding: str, bits: int | None) -> bytes:
    soundfile = _soundfile()
    data = io.BytesIO()
    try:
        with soundfile.SoundFile(
            data, "w", waveform.sample_rate, waveform.channels, format=format_, subtype=coding
        ) as file:
            step = max(1, BLOCK // waveform.channels)
            for first in range(0, len(waveform), step):  # in parts: Vorbis keeps all it is given on the stack
                block = waveform.samples[:, first : first + step].T  # (samples, channels)
                file.write(_whole_numbers(block, bits) if bits in (16, 24) else np.ascontiguousarray(block))
    except (soundfile.SoundFileError, ValueError) as problem:
        raise OptionError(
            f"{name}: {waveform.channels} channels at {waveform.sample_rate:,} Hz cannot be written as {format_}: "
            f"{_words(problem)}; resample it, take fewer channels, or write a .wav"
        ) from None
    return data.getvalue()


def _whole_numbers(block: Samples, bits: int) -> IntArray:
    """Samples as the upper bits of 32, which is how libsndfile takes them; full scale upwards is one step less."""
    half = 2 ** (bits - 1)
    whole: IntArray = np.clip(np.rint(block * np.float32(half)), -half, half - 1).astype(np.int32) << (32 - bits)
    return whole


def _no_encoding(name: str, suffix: str, bits: int | None) -> str:
    if suffix not in USUAL_BITS:
        return f"{name}: sound is written as .wav, .flac or .ogg; end the name in one of them"
    allowed = [str(number) for kind, number in ENCODINGS if kind == suffix and number]
    ways = f"give {' or '.join(allowed)}" if allowed else "leave bits out"
    return f"{name}: {bits} bits a sample are none of a {suffix}; {ways}"


# Reading ----------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(path: str | os.PathLike[str], limits: Limits) -> Iterator[SoundFile]:
    """The file of sound at a path, whose header keeps what it says and is within the budgets."""
    name, soundfile = shown(path), _soundfile()
    size = file_size(path)
    if not size:
        raise BadFileError(f"{name}: the file is empty; bring it anew")
    limits.check("max_audio_bytes", size, name)
    with reading(path):
        check_lengths(path, size)
    try:
        file = soundfile.SoundFile(os.fspath(path) if os.name == "nt" else os.fsencode(path))
    except (soundfile.SoundFileError, TypeError, ValueError) as problem:  # TypeError: a name that ends in .raw
        raise BadFileError(
            f"{name}: no sound that can be read ({_words(problem)}); give WAV, FLAC, Ogg, MP3 or AIFF"
        ) from None
    with file:
        file.seekable = lambda: False  # soundfile seeks after each block, which fails where no length is declared
        if file.format not in FORMATS:
            raise BadFileError(f"{name}: a file of {file.format_info}, which is not read; save it as WAV or FLAC")
        limits.check("max_sample_rate", file.samplerate, name)
        if file.frames < UNKNOWN:
            limits.check("max_samples", file.frames * file.channels, name)
        yield file


def _samples(file: SoundFile, name: str, mono: bool, limits: Limits) -> Samples:
    """All samples of an open file, (channels, samples)."""
    blocks, count = [], 0
    for block in _blocks(file, name):
        if not np.isfinite(block).all():
            first = count + int(np.isfinite(block).all(axis=1).argmin())
            raise BadFileError(f"{name}: sample {first:,} is no finite number; save the recording anew")
        count += len(block)
        limits.check("max_samples", count * file.channels, name, and_more=file.frames >= UNKNOWN)
        blocks.append(block.mean(axis=1)[None] if mono else np.ascontiguousarray(block.T))
    if not count:
        raise NoSoundError(f"{name}: a recording of 0 samples; give one with sound")
    if count < file.frames < UNKNOWN:
        raise BadFileError(f"{name}: cut off, {count:,} of {file.frames:,} samples are there; bring the file anew")
    return np.concatenate(blocks, axis=1)


def _blocks(file: SoundFile, name: str) -> Iterator[Samples]:
    """Blocks of (samples, channels) up to the end."""
    most, count = max(1, BLOCK // file.channels), 0
    while count < file.frames:
        try:
            block = file.read(min(most, file.frames - count), dtype="float32", always_2d=True)
        except _soundfile().SoundFileError as problem:
            raise BadFileError(
                f"{name}: damaged at second {file.tell() / file.samplerate:.1f} or after it ({_words(problem)}); "
                "bring the file anew"
            ) from None
        if not len(block):
            return
        count += len(block)
        yield block


def _soundfile() -> Any:
    """The library, imported late: few commands need it."""
    try:
        import soundfile
    except (ImportError, OSError) as problem:
        raise MissingDependencyError(f"soundfile does not work here ({problem}); run: pip install soundfile") from None
    return soundfile


def _words(problem: Exception) -> str:
    """What libsndfile says, without the path and the full stop."""
    return str(getattr(problem, "error_string", problem)).rstrip(". ").removeprefix("Error : ")
