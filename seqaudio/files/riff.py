"""Does a WAV or AIFF file have what its header declares? libsndfile reads what is there and says nothing.

Conventions: such a file is a row of chunks behind twelve bytes: a name of four letters, the bytes of its content, the
content, padded to two bytes. RIFF counts from the little end, RIFX and AIFF's FORM from the big end. A recorder that
cannot go back to its header puts nearly 2^31 or 2^32 as the size of the samples: all that are there are meant.
Sources: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991; Apple, "Audio
Interchange File Format", 1989.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import shown

ORDERS = {b"RIFF": "<", b"RIFX": ">", b"FORM": ">"}
KINDS = (b"WAVE", b"AIFF", b"AIFC")
SAMPLES = (b"data", b"SSND")
STREAMED = 0x7FFF0000  # sizes from here on stand for "to the end"
MOST_CHUNKS = 10_000  # a file that has more before its samples is left to libsndfile
PLAIN = 1  # the coding of a WAV whose samples are whole numbers


def check_lengths(path: str | os.PathLike[str], size: int) -> None:
    """Look at the chunks of a file up to its samples; any other file passes.

    Raises:
        BadFileError: it ends before its samples do, or its header contradicts itself on how wide they are, or
            declares no channels or no rate.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(12)
        order = ORDERS.get(head[:4])
        if order is None or head[8:] not in KINDS:
            return
        width = 1
        for _ in range(MOST_CHUNKS):
            chunk = file.read(8)
            if len(chunk) < 8:
                return  # libsndfile says what is missing
            name, length = chunk[:4], struct.unpack(order + "I", chunk[4:])[0]
            if name in SAMPLES:
                _check_samples(path, length, size - file.tell(), width)
                return
            width = _width(path, file, order, length) if name == b"fmt " else width
            file.seek(length + length % 2, os.SEEK_CUR)


def _check_samples(path: str | os.PathLike[str], declared: int, there: int, width: int) -> None:
    if declared < STREAMED and declared - there >= width:
        raise BadFileError(
            f"{shown(path)}: cut off, its header declares {declared:,} bytes of samples and {there:,} are there; "
            "bring the file anew"
        )


def _width(path: str | os.PathLike[str], file: BinaryIO, order: str, length: int) -> int:
    """The bytes of a sample in all channels, from a chunk of format that begins here; leaves the file there."""
    here = file.tell()
    content = file.read(min(length, 16))
    file.seek(here)
    if len(content) < 16:
        return 1
    coding, channels, sample_rate, _, width, bits = struct.unpack(order + "HHIIHH", content)
    if not (channels and sample_rate):
        raise BadFileError(
            f"{shown(path)}: its header declares {channels} channels at {sample_rate} Hz; export the recording anew"
        )
    if coding == PLAIN and width < channels * -(-bits // 8):
        raise BadFileError(
            f"{shown(path)}: its header contradicts itself: {channels} channels of {bits} bits in {width} bytes; "
            "export the recording anew"
        )
    return max(1, int(width))
