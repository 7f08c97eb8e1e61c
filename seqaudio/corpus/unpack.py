r"""How is an archive from elsewhere unpacked without trusting it?

Conventions: an archive is a ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``; any other file counts as an archive of itself.
``members`` is a regular expression that a member's whole name must match to be used, and its first group is the name it
gets. All names are POSIX paths.

Rules: a member whose path leaves the folder (absolute, ``..``, a drive, a backslash), a link, a device or an encrypted
member, used or not, refuses the archive as a whole, and so do two members of one name that are used. Members, their
sizes and the ratio to the size of the archive are bounded, by what the archive declares before anything is read and by
what really comes while it is. Only whole, regular files are written, never by the library's own extraction.

The **contents hash** is the SHA-256 of the lines ``<SHA-256 of the bytes>  <name>`` of all members used, sorted by
name, so it does not depend on how they are packed. In a shell, for a flat folder of MIDI files:
``LC_ALL=C; ls *.mid | sort | xargs sha256sum | sha256sum``.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, NoReturn

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import shown

CHUNK = 1 << 20
DAMAGES = (
    zipfile.BadZipFile,
    tarfile.TarError,
    OSError,  # of the reading alone: a damaged offset, no gzip file
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression no one reads
    UnicodeError,
    ValueError,
    OverflowError,
    RuntimeError,
)


@dataclass(frozen=True)
class Caps:
    """The most an archive may hold; the defaults leave room for the largest corpus we know (Lakh: 178,561 files).

    Attributes:
        max_members: entries, used or not.
        max_bytes: of all members together, unpacked.
        max_member_bytes: of one member, unpacked.
        max_ratio: bytes unpacked per byte of the archive; MIDI, ABC and JSON stay below 40.
        free_bytes: below this sum the ratio does not matter.
    """

    max_members: int = 250_000
    max_bytes: int = 16 * 2**30
    max_member_bytes: int = 256 * 2**20
    max_ratio: int = 100
    free_bytes: int = 2**20


DEFAULT_CAPS = Caps()
Member = tuple[str, Callable[[], IO[bytes]]]  # its name in the archive, and how to open it


def unpack(archive: Path, members: str, folder: Path, caps: Caps = DEFAULT_CAPS) -> int:
    """Write the members that are used into ``folder``, which exists and is empty; returns how many there are.

    Raises:
        BadFileError: the archive is damaged, breaks a rule, exceeds ``caps`` or holds nothing that is used.
    """
    count, made = 0, {folder}
    for name, chunks in contents(archive, members, caps):
        target = folder / name
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        try:
            file = open(target, "xb")
        except FileExistsError:  # the names differ in case only, and the file system does not care
            raise _refused(name, "there twice on this file system", shown(archive)) from None
        with file:
            file.writelines(chunks)
        count += 1
    return count


def contents_sha256(archive: Path, members: str, caps: Caps = DEFAULT_CAPS) -> str:
    """The contents hash of the members that are used; nothing is written. Raises as :func:`unpack`."""
    lines = []
    for name, chunks in contents(archive, members, caps):
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
        lines.append((os.fsencode(name), digest.hexdigest()))
    return hashlib.sha256(b"".join(b"%s  %s\n" % (sha256.encode(), name) for name, sha256 in sorted(lines))).hexdigest()


def contents(archive: Path, members: str, caps: Caps = DEFAULT_CAPS) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and bytes of each member that is used; take the bytes before the next one. Raises as :func:`unpack`."""
    place = shown(archive)
    budget = _Budget(caps, archive.stat().st_size, place)
    taken: set[str] = set()
    folders: set[str] = set()
    with _damage_named(place):
        for name, opened in _members(archive, budget):
            _check_name(name, place)
            found = re.fullmatch(members, name)
            if not found:
                continue
            _check_place(found[1], taken, folders, place)
            with opened() as stream:
                yield found[1], budget.counted(stream)
    if not taken:
        raise BadFileError(f"{place}: holds none of the files of the corpus; get the right archive")


@contextmanager
def _damage_named(place: str) -> Iterator[None]:
    """Whatever the libraries throw at a damaged archive becomes one line."""
    try:
        yield
    except DAMAGES as problem:
        reason = " ".join(str(problem).split()) or type(problem).__name__
        raise BadFileError(f"{place}: a damaged archive ({reason}); get it again") from None


class _Budget:
    """What may still come out of an archive."""

    def __init__(self, caps: Caps, archive_bytes: int, place: str) -> None:
        self.caps = caps
        self.place = place
        self.most = min(caps.max_bytes, max(caps.free_bytes, caps.max_ratio * archive_bytes))
        self.count = self.declared = self.came = 0

    def declare(self, size: int) -> None:
        """Add a member as the archive describes it."""
        self.count += 1
        self.declared += size
        if self.count > self.caps.max_members:
            self.refuse(f"more than {self.caps.max_members:,} members")
        if size > self.caps.max_member_bytes:
            self.refuse(f"a member of {size:,} bytes, {self.caps.max_member_bytes:,} are allowed")
        if self.declared > self.most:
            self.refuse(f"{self.declared:,} bytes or more unpacked, {self.most:,} are allowed for one of its size")

    def counted(self, stream: IO[bytes]) -> Iterator[bytes]:
        """The bytes of a member as they come."""
        size = 0
        while True:
            with _damage_named(self.place):
                chunk = stream.read(CHUNK)
            if not chunk:
                return
            size += len(chunk)
            self.came += len(chunk)
            if size > self.caps.max_member_bytes or self.came > self.most:
                self.refuse(f"more bytes than it declares, {self.most:,} are allowed for one of its size")
            yield chunk

    def refuse(self, reason: str) -> NoReturn:
        """Raise the error that says what is too much."""
        raise BadFileError(f"{self.place}: refused, the archive holds {reason}; get it from its own source")


def _members(archive: Path, budget: _Budget) -> Iterator[Member]:
    name = archive.name.lower()
    if name.endswith(".zip"):
        yield from _zip_members(archive, budget)
    elif name.endswith((".tar", ".tar.gz", ".tgz")):
        yield from _tar_members(archive, budget, packed=not name.endswith(".tar"))
    else:
        budget.declare(archive.stat().st_size)
        yield archive.name, lambda: archive.open("rb")


def _zip_members(archive: Path, budget: _Budget) -> Iterator[Member]:
    """Every member is looked at before the first one is opened."""
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        for info in infos:
            budget.declare(info.file_size)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refused(info.filename, "a link or a device", budget.place)
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _refused(info.filename, "encrypted or packed in a way no corpus is", budget.place)
            _check_name(info.orig_filename, budget.place)
        for info in infos:
            if not info.is_dir():
                yield info.filename, lambda info=info: opened.open(info)  # type: ignore[misc]


def _tar_members(archive: Path, budget: _Budget, *, packed: bool) -> Iterator[Member]:
    """Read as a stream: a size is known before the bytes it announces are unpacked, headers included."""
    with gzip.open(archive) if packed else open(archive, "rb") as stream:
        bounded = _BoundedReader(stream, budget)
        with tarfile.open(fileobj=bounded, mode="r|") as opened:  # type: ignore[call-overload]
            for member in opened:
                budget.declare(member.size)
                if not (member.isreg() or member.isdir()):
                    raise _refused(member.name, "a link or a device", budget.place)
                _check_name(member.name, budget.place)
                tarfile.data_filter(member, str(archive))  # the library's own opinion, beside ours
                if member.isreg():
                    yield member.name, lambda member=member: opened.extractfile(member)  # type: ignore[misc]


class _BoundedReader:
    """The bytes of a tar, never more than the budget allows with a little for the blocks around its members."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, budget: _Budget) -> None:
        self.stream = stream
        self.left = budget.most + budget.caps.free_bytes
        self.budget = budget

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes."""
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            self.budget.refuse(f"headers and members of more than {self.budget.most:,} bytes")
        return data


def _refused(name: str, what: str, place: str) -> BadFileError:
    return BadFileError(f"{place}: refused, its member {shown(name)[:200]} is {what}; get it from its own source")


def _check_name(name: str, place: str) -> None:
    if not name or len(name) > 1000 or re.search(r"[\x00-\x1f]", name):
        raise _refused(name, "no name for a file", place)
    if name.startswith("/") or "\\" in name or PureWindowsPath(name).drive or ".." in name.split("/"):
        raise _refused(name, "outside the folder", place)


def _check_place(name: str, taken: set[str], folders: set[str], place: str) -> None:
    """A name as it is used must be plain, and no other member may have it, as a file or as a folder."""
    if not name or name.startswith("/") or PurePosixPath(name).as_posix() != name:
        raise _refused(name, "no plain path", place)
    above = {str(parent) for parent in PurePosixPath(name).parents}
    if name in taken or name in folders or above & taken:
        raise _refused(name, "there twice", place)
    taken.add(name)
    folders |= above
