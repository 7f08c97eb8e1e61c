"""What numeric matrices does a MATLAB file hold, before anything of the size it declares is allocated?

Conventions: the format is MATLAB's level 5 (save -v5 to -v7): a header of 128 bytes, then elements of a tag (type and
length in bytes) and data, padded to eight bytes; an element may be a zlib stream of another. A variable here is a
numeric matrix of two dimensions, or a cell array of those; anything else is refused. Every length is checked against
the bytes that are there and against the budgets. Source: MathWorks, "MAT-File Format", 2019.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import shown
from seqaudio.files.limits import Limits

HEADER_BYTES = 128
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15
CELL, FIRST_NUMERIC, LAST_NUMERIC = 1, 6, 15  # classes of arrays
COMPLEX = 0x0800

Matrix = NDArray[Any]
Element = tuple[int, memoryview]
NO_ELEMENT: Element = (0, memoryview(b""))


@dataclass(frozen=True)
class MatReader:
    """Reads one file: its name for messages, the byte order ("<" or ">") and the budgets."""

    name: str
    order: str
    limits: Limits

    def variables(self, data: bytes) -> dict[str, list[Matrix]]:
        """The matrices of each variable: one, or those of its cells in order."""
        found: dict[str, list[Matrix]] = {}
        room = self.limits.max_unpacked_bytes  # that compressed data may still grow to
        for kind, payload in self._elements(memoryview(data)[HEADER_BYTES:]):
            if kind == COMPRESSED:
                inflated = self._inflated(payload, room)
                room -= len(inflated)
                kind, payload = next(self._elements(memoryview(inflated)), NO_ELEMENT)
            if kind != MATRIX:
                raise self._bad(f"an element of type {kind} where a variable must stand")
            variable, matrices = self._variable(payload)
            found[variable] = matrices
        return found

    def _bad(self, reason: str) -> BadFileError:
        return BadFileError(f"{self.name}: not a sound MATLAB file: {reason}; save the rolls anew with save -v7")

    def _inflated(self, payload: memoryview, room: int) -> bytes:
        """The data of a zlib stream, ``room`` bytes at most."""
        stream = zlib.decompressobj()
        try:
            data = stream.decompress(payload, room + 1)
        except zlib.error as problem:
            raise self._bad(f"damaged compression ({problem})") from None
        if len(data) > room:
            self.limits.check("max_unpacked_bytes", self.limits.max_unpacked_bytes + 1, self.name, and_more=True)
        if not stream.eof:
            raise self._bad("its compressed data stop short")
        return data

    def _elements(self, data: memoryview) -> Iterator[Element]:
        """Type and data of each element in turn."""
        at = 0
        while at < len(data):
            if at + 8 > len(data):
                raise self._bad(f"it stops within an element at byte {at} of {len(data)}")
            kind, size = struct.unpack_from(self.order + "II", data, at)
            start = at + 8
            if kind >> 16:  # a small element: size and type in one word, the data in the other
                kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
                at += 8
                if size > 4:
                    raise self._bad(f"a small element of {size} bytes")
            else:
                at = start + size + (-size % 8 if kind != COMPRESSED else 0)
            if start + size > len(data):
                raise self._bad(f"an element declares {size:,} bytes where {len(data) - start:,} are left")
            yield kind, data[start : start + size]

    def _variable(self, payload: memoryview) -> tuple[str, list[Matrix]]:
        class_, shape, name, rest = self._parts(payload)
        if class_ != CELL:
            return name, [self._matrix(class_, shape, rest, name)]
        count = math.prod(shape)
        self.limits.check("max_pieces", count, self.name)
        matrices = []
        for number, (kind, cell) in enumerate(islice(rest, count), start=1):
            if kind != MATRIX or not cell:
                raise self._bad(f"cell {number} of {name} is no matrix")
            class_, shape, _, parts = self._parts(cell)
            matrices.append(self._matrix(class_, shape, parts, f"cell {number} of {name}"))
        if len(matrices) != count:
            raise self._bad(f"cell array {name} declares {count:,} cells and has {len(matrices):,}")
        return name, matrices

    def _parts(self, payload: memoryview) -> tuple[int, tuple[int, ...], str, Iterator[Element]]:
        """Class, shape and name of an array, and its other elements."""
        elements = self._elements(payload)
        flags, shape, name = (next(elements, NO_ELEMENT)[1] for _ in range(3))
        if len(flags) != 8 or len(shape) % 4 or len(shape) < 8:
            raise self._bad("an array without class or dimensions")
        flag = struct.unpack(self.order + "II", flags)[0]
        if flag & COMPLEX:
            raise self._bad("an array of complex numbers")
        dimensions = struct.unpack(f"{self.order}{len(shape) // 4}i", shape)
        if min(dimensions) < 0:
            raise self._bad(f"an array of shape {dimensions}")
        return flag & 0xFF, dimensions, shown(bytes(name[:64]).decode("ascii", "replace")), elements

    def _matrix(self, class_: int, shape: tuple[int, ...], parts: Iterator[Element], where: str) -> Matrix:
        if not FIRST_NUMERIC <= class_ <= LAST_NUMERIC or len(shape) != 2:
            raise self._bad(f"{where} is no matrix of numbers")
        self.limits.check("max_cells", shape[0] * shape[1], self.name)
        kind, data = next(parts, NO_ELEMENT)
        if kind not in NUMBERS:
            raise self._bad(f"{where} has no numbers")
        numbers = np.frombuffer(data, dtype=self.order + NUMBERS[kind], count=len(data) // int(NUMBERS[kind][1]))
        if len(numbers) != shape[0] * shape[1]:
            raise self._bad(f"{where} declares {shape[0]:,} times {shape[1]:,} numbers and has {len(numbers):,}")
        return numbers.reshape(shape, order="F")


def read_mat(data: bytes, name: str, limits: Limits) -> dict[str, list[Matrix]]:
    """The numeric matrices of each variable in the bytes of a MATLAB file; ``name`` stands for its path in messages.

    Raises:
        BadFileError: it is no level 5 file, is damaged, or holds anything but matrices and cells of matrices.
        OverLimitError: a matrix, a cell array or what compressed data unpack to is larger than ``limits`` allow.
    """
    if data[:20].startswith(b"MATLAB 7.3"):
        raise BadFileError(f"{name}: a MATLAB 7.3 (HDF5) file, which is not read; save it with save -v7")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if not data.startswith(b"MATLAB 5") or order is None:
        raise BadFileError(f"{name}: not a MATLAB 5 file; save the rolls with save -v7")
    return MatReader(name, order, limits).variables(data)
