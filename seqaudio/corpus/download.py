"""How does one file come over HTTP, whole, however often the line breaks?

Conventions: sizes are bytes. What has come so far stands in the file ``part``; beside it ``<part>.json`` says from
which URL and of which version (ETag or Last-Modified) it is, so that a later call asks for the rest of the same file
and for nothing else. A server that ignores ranges, or whose file has changed, sends the whole file, which then replaces
what was there. Whether the bytes are the right ones is not judged here: the caller compares their SHA-256.

Source: RFC 9110, sections 13.1.5 (If-Range) and 14 (Range, Content-Range).
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO

from seqaudio.errors import DownloadError

CHUNK = 1 << 18
PASSING = (408, 425, 429, 500, 502, 503, 504)  # HTTP errors that may be gone in a moment
HEADERS = {"User-Agent": "seqaudio", "Accept-Encoding": "identity"}  # compressed bytes would have other ranges

Progress = Callable[[int, "int | None"], None]  # bytes that are here, bytes of the whole file if the server says


@dataclass(frozen=True)
class Patience:
    """How long to wait for a silent server, and how long before each new try that follows one without gain."""

    timeout_s: float = 30.0
    pauses_s: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0)


PATIENCE = Patience()


class _BrokenLineError(Exception):
    """The network failed, not the disk: another try may help."""


def no_progress(done: int, total: int | None) -> None:
    """For callers who do not watch."""


def download(
    url: str, part: Path, max_bytes: int, progress: Progress = no_progress, patience: Patience = PATIENCE
) -> None:
    """Bring the file at ``url`` to the path ``part``, going on where an earlier call was stopped.

    A broken line is tried again for as long as each try brings bytes, and ``len(patience.pauses_s)`` times beyond that.

    Args:
        url: ``https://`` or ``http://``.
        part: where the bytes go; also what an interrupted call leaves behind.
        max_bytes: a longer file is refused.
        progress: called with the bytes that are here and the length of the file.
        patience: time limits.

    Raises:
        DownloadError: there is no network, the server refuses, or the file is longer than ``max_bytes``.
    """
    best, failures, answered = _size(part), 0, False
    while True:
        try:
            if _receive(url, part, max_bytes, progress, patience.timeout_s):
                return
            answered, reason = True, "the connection ended early"
        except urllib.error.HTTPError as problem:
            problem.close()
            reason = f"HTTP {problem.code} {problem.reason}"
            if problem.code not in PASSING:
                raise DownloadError(f"{url}: {reason}") from None
            answered = True
        except _BrokenLineError as problem:
            reason = str(problem)
        here = _size(part)
        failures = 0 if here > best else failures + 1
        best, answered = max(best, here), answered or here > best
        if failures > len(patience.pauses_s) or not (answered or here):
            raise DownloadError(f"{url}: {reason}") from None
        time.sleep(patience.pauses_s[failures - 1] if failures else 0)


def forget(part: Path) -> None:
    """Remove what an interrupted download left behind."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _receive(url: str, part: Path, max_bytes: int, progress: Progress, timeout_s: float) -> bool:
    """One request for what is missing; is the last byte here?"""
    version = _version(part, url)
    have = 0 if version is None else _size(part)
    wanted = {"Range": f"bytes={have}-"} | ({"If-Range": version} if version else {}) if have else {}
    try:
        response = _open(url, wanted, timeout_s)
    except urllib.error.HTTPError as problem:
        if problem.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        problem.close()
        complete = problem.headers.get("Content-Range", "").strip() == f"bytes */{have}"
        if not complete:  # longer than the file: it is of another one
            forget(part)
        return complete
    with response:
        start, total = _place(response)
        if start not in (0, have):
            forget(part)
            return False
        _refuse_longer(total or 0, max_bytes, url, part)
        if start == 0:
            _keep_version(part, url, response)
        done = start
        with open(part, "r+b" if start else "wb") as file:
            file.seek(start)
            for chunk in _chunks(response):
                done += len(chunk)
                _refuse_longer(done, max_bytes, url, part)
                file.write(chunk)
                file.flush()  # so that a killed process leaves what it has
                progress(done, total)
            os.fsync(file.fileno())
    return total is None or done == total


def _open(url: str, headers: dict[str, str], timeout_s: float) -> http.client.HTTPResponse:
    try:
        request = urllib.request.Request(url, headers=HEADERS | headers)
        opened: http.client.HTTPResponse = urllib.request.build_opener().open(request, timeout=timeout_s)
        return opened
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError as problem:
        raise _BrokenLineError(_words(problem.reason)) from None
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise _BrokenLineError(_words(problem)) from None


def _chunks(response: IO[bytes] | http.client.HTTPResponse) -> Iterator[bytes]:
    """What the server sends, as it comes; only the reading is guarded, so a full disk stays a full disk."""
    while True:
        try:
            chunk = response.read1(CHUNK)  # type: ignore[union-attr]
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise _BrokenLineError(_words(problem)) from None
        if not chunk:
            return
        yield chunk


def _place(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """At which byte of the file the answer begins (-1: it does not say), and how long the file is."""
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        length = response.headers.get("Content-Length", "").strip()
        return 0, int(length) if length.isdecimal() else None
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if not found:
        return -1, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _refuse_longer(size: int, max_bytes: int, url: str, part: Path) -> None:
    if size > max_bytes:
        forget(part)
        raise DownloadError(f"{url}: sends {size:,} bytes or more, {max_bytes:,} at most are expected")


def _keep_version(part: Path, url: str, response: http.client.HTTPResponse) -> None:
    etag = response.headers.get("ETag", "")
    strong = etag if etag.startswith('"') else ""  # a weak one does not promise the same bytes
    version = strong or response.headers.get("Last-Modified", "")
    part.unlink(missing_ok=True)  # before the note, so that no note stands beside another file's bytes
    _note(part).write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")


def _version(part: Path, url: str) -> str | None:
    """Of which version of the file at ``url`` the part is; empty if the server did not say, None if unknown."""
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(note.get("version", "")) if isinstance(note, dict) and note.get("url") == url else None


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _words(problem: object) -> str:
    text = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return " ".join(str(text).split())
