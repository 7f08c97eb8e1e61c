"""Recordings, sound and broken, that tests write themselves."""

import struct
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000


def tone(seconds=1.0, hz=440.0, rate=RATE, level=0.5):
    """(samples,) of a sine."""
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def riff(
    data, *, coding=1, channels=1, rate=RATE, bits=16, align=None, size=None, before=b"", order="<", head=b"RIFF"
) -> bytes:
    """A WAV of our own making, whose header may say anything."""
    align = channels * bits // 8 if align is None else align
    fmt = struct.pack(order + "HHIIHH", coding, channels, rate, min(rate * align, 2**32 - 1), align, bits)
    length = len(data) if size is None else size
    chunks = b"WAVEfmt " + struct.pack(order + "I", 16) + fmt + before
    chunks += b"data" + struct.pack(order + "I", length) + data
    return head + struct.pack(order + "I", len(chunks) if size is None else size) + chunks


def pcm(samples) -> bytes:
    return (samples * 32767).astype("<i2").tobytes()


def flac_of(samples, folder: Path, rate=RATE) -> bytes:
    path = folder / "made.flac"
    soundfile.write(path, samples, rate)
    data = path.read_bytes()
    path.unlink()
    return data


def broken(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Files to refuse: by name the bytes, and a pattern of what is to be said."""
    good, flac = riff(pcm(tone())), flac_of(np.random.default_rng(0).normal(0, 0.1, 2 * RATE), folder)
    floats = tone()
    floats[100] = np.nan
    infinite = tone()
    infinite[-1] = np.inf
    half = len(flac) // 2
    return {
        "nothing.wav": (b"", "the file is empty"),
        "text.wav": (b"To be, or not to be. " * 40, "no sound that can be read"),
        "half.wav": (good[:10_000], "cut off, its header declares 32,000 bytes of samples and 9,956 are there"),
        "header.wav": (good[:30], "no sound that can be read"),
        "half.flac": (flac[:half], "damaged at second"),
        "flipped.flac": (
            flac[:half] + bytes(255 - byte for byte in flac[half : half + 64]) + flac[half + 64 :],
            "damaged at second",
        ),
        "magic.flac": (b"fLaC", "no sound that can be read"),
        "nan.wav": (riff(floats.tobytes(), coding=3, bits=32), "sample 100 is no finite number"),
        "infinite.wav": (riff(infinite.tobytes(), coding=3, bits=32), "sample 15,999 is no finite number"),
        "rate_0.wav": (riff(pcm(tone()), rate=0), "its header declares 1 channels at 0 Hz; export"),
        "rate_2e9.wav": (riff(pcm(tone()), rate=2_000_000_000), "2,000,000,000 sample_rate, over the budget"),
        "channels.wav": (riff(pcm(tone()), channels=65535, align=65534), "contradicts itself: 65535 channels"),
        "channels_alone.wav": (riff(pcm(tone()), channels=65535, align=2), "contradicts itself"),
        "narrow.wav": (riff(pcm(tone()), bits=24, align=2), "contradicts itself: 1 channels of 24 bits in 2 bytes"),
        "song.m4a": (b"\0\0\0\x20ftypM4A " + bytes(200), "no sound that can be read"),
        "sound.raw": (bytes(1000), "no sound that can be read"),
        "matrix.wav": (b"MATLAB 5.0 MAT-file" + bytes(500), "no sound that can be read|which is not read"),
    }


def sound(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Files to read though they are odd: by name the bytes, and how many samples a channel they have."""
    data, flac = pcm(tone()), flac_of(tone(), folder)
    aiff = folder / "made.aiff"
    soundfile.write(aiff, tone(), RATE)
    renamed = aiff.read_bytes()
    aiff.unlink()
    unknown = bytearray(flac)
    unknown[21] &= 0xF0  # where 36 bits begin that say how many samples there are
    unknown[22:26] = bytes(4)
    double = riff(tone().astype("<f8").tobytes(), coding=3, bits=64)
    return {
        "good.wav": (riff(data), RATE),
        "streamed.wav": (riff(data, size=2**32 - 1), RATE),
        "streamed_by_sox.wav": (riff(data, size=0x7FFFF000), RATE),
        "behind_other_chunks.wav": (riff(data, before=b"JUNK\3\0\0\0abc\0LIST\4\0\0\0INFO"), RATE),
        "big_end.wav": (riff(np.frombuffer(data, "<i2").astype(">i2").tobytes(), order=">", head=b"RIFX"), RATE),
        "streamed.flac": (bytes(unknown), RATE),
        "eight_channels.wav": (riff(data, channels=8), RATE // 8),
        "fast.wav": (riff(data, rate=192_000), RATE),
        "silent.wav": (riff(bytes(2 * RATE)), RATE),
        "tiny.wav": (riff((tone() * 1e-40).astype("<f4").tobytes(), coding=3, bits=32), RATE),
        "double.wav": (double, RATE),
        "eight_bits.wav": (riff(bytes([128, 255]) * (RATE // 2), bits=8), RATE),
        "aiff.wav": (renamed, RATE),
        "short.wav": (riff(data[:20]), 10),
        "ünï-曲-🎵.wav": (riff(data), RATE),
        "one_byte_short.wav": (riff(data, size=len(data) + 1), RATE),
    }
