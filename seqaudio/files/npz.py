"""What arrays of numbers does a numpy archive hold, before anything of the size it declares is allocated?

Conventions: an ``.npz`` is a ZIP of ``.npy`` files. The header of each is read first and its shape checked; then its
numbers are read piece by piece. Arrays of objects hold pickles and are refused. Source: numpy.lib.format, NEP 1.
"""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import shown
from seqaudio.files.limits import Limits

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
ENTRY = b"PK\x01\x02"  # begins each entry of a ZIP's directory
DAMAGES = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError),  # of the archive; RuntimeError: encrypted
    *(ValueError, TypeError, SyntaxError, tokenize.TokenError),  # of the header of an array
)


def read_npz(data: bytes, name: str, limits: Limits) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name and numbers of each array in the bytes of an archive; ``name`` stands for its path in messages.

    Raises:
        BadFileError: it is no such archive, is damaged, or holds an array of anything but numbers.
        OverLimitError: it has more arrays or numbers than ``limits`` allow.
    """
    limits.check("max_pieces", data.count(ENTRY), name)
    cells = 0
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        for member in archive.infolist():
            key = shown(member.filename.removesuffix(".npy"))
            with archive.open(member) as file:
                shape, fortran, dtype = _header(file)
                if dtype.kind not in "buif":
                    raise BadFileError(_not_numbers(name, key, dtype))
                cells += math.prod(shape) * (1 + dtype.itemsize // 5)  # eight bytes a number count as two cells
                limits.check("max_cells", cells, name)
                yield key, _numbers(file, shape, fortran, dtype)
    except DAMAGES as problem:
        raise BadFileError(f"{name}: not a sound .npz archive: {problem}; save it anew with numpy.savez") from None


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays by name as an archive, uncompressed; the same bytes for the same arrays."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=array.nbytes >= 2**30) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return data.getvalue()


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"an array of format {version}")
    shape, fortran, dtype = HEADERS[version](file)
    if any(size < 0 for size in shape):
        raise ValueError(f"an array of shape {shape}")
    return shape, fortran, dtype


def _numbers(file: IO[bytes], shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any]) -> NDArray[Any]:
    size = math.prod(shape) * dtype.itemsize
    raw = file.read(size + 1)  # one more, so that the checksum of a whole array is looked at
    if len(raw) != size:
        raise ValueError(f"an array of shape {shape} has {len(raw):,} bytes where it needs {size:,}")
    return np.frombuffer(raw, dtype=dtype).reshape(shape, order="F" if fortran else "C")


def _not_numbers(name: str, key: str, dtype: np.dtype[Any]) -> str:
    if dtype.hasobject:
        return (
            f"{name}: {key} is an array of objects, a pickle, which runs whatever program is in it; "
            "use the .mat or .json form of the set, or save one array of 0 and 1 per piece"
        )
    return f"{name}: {key} is an array of {dtype}; a roll is an array of 0 and 1"
