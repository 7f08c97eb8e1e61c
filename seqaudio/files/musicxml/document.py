"""What is inside a MusicXML file, and may a parser see it? Bytes -> a checked tree of elements.

Conventions: a compressed file (.mxl) is a zip archive; ``META-INF/container.xml`` names the score in it, and where that
file is missing or damaged, as in many exports, the only other XML file is the score. Nothing is fetched and no entity
is expanded: a document type is let through when it only names the standard, and refused when it defines anything.
Elements that only say how a page looks are left out of the tree. ``score-timewise`` becomes ``score-partwise``.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from seqaudio.errors import BadFileError
from seqaudio.files.limits import Limits

MAX_DEPTH = 100  # elements within elements; scores need about 15
MAX_MEMBERS = 1000
MAX_RATIO = 300  # unpacked to packed size; scores reach 40
PLAIN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
EXPORT_AGAIN = "export the score from its notation program again"
LAYOUT = frozenset(
    "accidental accidental-text appearance arrow beam bracket clef credit dashes defaults display-text dot fingering"
    " frame key level lyric measure-style notehead ornaments part-group print slur staff-details"
    " staff-layout stem supports technical time-modification tuplet type wedge work".split()
)


def read_document(data: bytes, name: str, limits: Limits) -> Element:
    """The root element ``score-partwise`` of the bytes of a MusicXML file; ``name`` stands in the errors.

    Raises:
        BadFileError: it is damaged, hostile or something else.
        OverLimitError: it exceeds one of the budgets.
    """
    if data.startswith(b"PK"):
        data = _unpacked(data, name, limits)
    limits.check("max_unpacked_bytes", len(data), name)
    root = _Reader(name, limits).read(data)
    match root.tag:
        case "score-partwise":
            return root
        case "score-timewise":
            return _partwise(root)
    raise BadFileError(f"{name}: XML, but no score in it (its root is {root.tag[:40]!r}); give MusicXML")


def _unpacked(data: bytes, name: str, limits: Limits) -> bytes:
    """The bytes of the score in a zip archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: info for info in archive.infolist()}
            if len(members) > MAX_MEMBERS:
                raise BadFileError(f"{name}: {len(members):,} files in the archive; MusicXML has at most {MAX_MEMBERS}")
            chosen = _score_member(archive, members, name, limits)
            return _member(archive, chosen, name, limits)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,
        NotImplementedError,
    ) as problem:
        reason = str(problem).splitlines() or [type(problem).__name__]
        raise BadFileError(f"{name}: a damaged zip archive ({reason[0][:100]}); {EXPORT_AGAIN}") from None


def _score_member(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str, limits: Limits
) -> zipfile.ZipInfo:
    """The member that holds the score."""
    scores = [
        info for path, info in members.items() if re.search(r"(?i)^(?!META-INF/|__MACOSX/).*\.(musicxml|xml)$", path)
    ]
    try:
        container = _Reader(name, limits).read(_member(archive, members["META-INF/container.xml"], name, limits))
        paths = [file.get("full-path", "") for file in container.iter() if file.tag.rpartition("}")[2] == "rootfile"]
    except (KeyError, BadFileError):  # missing, or not well formed: an apostrophe in the title is enough
        paths = []
    if paths and paths[0] in members:
        return members[paths[0]]
    if paths and len(scores) != 1:
        raise BadFileError(f"{name}: the archive says that its score is {paths[0][:60]!r}, which is not in it")
    if len(scores) != 1:
        raise BadFileError(
            f"{name}: a zip archive with {len(scores) or 'no'} XML files and no index; compressed MusicXML has one"
        )
    return scores[0]


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, limits: Limits) -> bytes:
    limits.check("max_unpacked_bytes", info.file_size, name)
    if info.file_size > MAX_RATIO * max(info.compress_size, 4096):
        raise BadFileError(
            f"{name}: {info.filename[:60]!r} unpacks to more than {MAX_RATIO} times its size; no score does"
        )
    if info.compress_type not in PLAIN_METHODS or info.flag_bits & 1:
        raise BadFileError(f"{name}: encrypted or packed in a way that MusicXML does not allow; {EXPORT_AGAIN}")
    with archive.open(info) as file:
        return file.read(limits.max_unpacked_bytes + 1)


class _Reader:
    """One pass of expat over a document, which counts what it lets through."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.name, self.limits = name, limits
        self.builder = TreeBuilder()
        self.depth = self.count = 0
        self.skipping = 0  # depth at which a layout element began, else 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._entity

    def read(self, data: bytes) -> Element:
        try:
            self.parser.Parse(data, True)
            return self.builder.close()
        except expat.ExpatError as problem:
            place = f"line {problem.lineno}, column {problem.offset + 1}"
            reason = expat.ErrorString(problem.code)
        except (ValueError, LookupError) as problem:  # an encoding that Python does not know
            place, reason = "its encoding", str(problem).splitlines()[0][:100] if str(problem) else "unknown"
        raise BadFileError(f"{self.name}: XML that is not well formed ({place}: {reason}); {EXPORT_AGAIN}") from None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise BadFileError(f"{self.name}: elements nested more than {MAX_DEPTH} deep; no score is")
        if self.skipping or tag in LAYOUT:
            self.skipping = self.skipping or self.depth
            return
        self.builder.start(tag, attributes)
        self.count += 1
        if self.count > self.limits.max_elements:
            self.limits.check("max_elements", self.count, self.name)

    def _end(self, tag: str) -> None:
        if not self.skipping:
            self.builder.end(tag)
        elif self.skipping == self.depth:
            self.skipping = 0
        self.depth -= 1

    def _text(self, text: str) -> None:
        if not self.skipping:
            self.builder.data(text)

    def _doctype(self, name: str, system: str | None, public: str | None, has_internal_subset: int) -> None:
        if has_internal_subset:
            self._entity()

    def _entity(self, *_: Any) -> None:
        raise BadFileError(
            f"{self.name}: its document type defines entities of its own, which is refused; {EXPORT_AGAIN}"
        )


def _partwise(root: Element) -> Element:
    """A score ordered by measures, ordered by parts."""
    turned = Element("score-partwise")
    parts: dict[str, Element] = {}
    for child in root:
        if child.tag != "measure":
            turned.append(child)
            continue
        for part in child.iterfind("part"):
            identity = part.get("id", "")
            measure = Element("measure", child.attrib)
            measure.extend(part)
            parts.setdefault(identity, Element("part", {"id": identity})).append(measure)
    turned.extend(parts.values())
    return turned
