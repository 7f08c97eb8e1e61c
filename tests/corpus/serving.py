"""A small web server of one file, with the habits of good and bad servers; tests point downloads at it."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What is served, and how.

    Attributes:
        data: the file.
        ranges: whether Range is honoured.
        version: the ETag, with its quotes; empty for none.
        drop_after: bytes after which each of the next answers breaks off.
        codes: status codes of the next answers, before the file is served at all.
        lengths: whether Content-Length is sent.
        wrong_start: whether a partial answer claims to begin one byte later.
        pause_after: bytes after which answers stand still until ``go_on`` is set.
        requests: Range header of each request so far, "" without.
    """

    data: bytes
    ranges: bool = True
    version: str = '"one"'
    drop_after: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    lengths: bool = True
    wrong_start: bool = False
    pause_after: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)
    requests: list[str] = field(default_factory=list)
    url: str = ""


@contextlib.contextmanager
def serving(site: Site) -> Iterator[str]:
    """Serve the site on a port of this machine; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, site)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/file"
    try:
        yield site.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(handler: BaseHTTPRequestHandler, site: Site) -> None:
    wanted = handler.headers.get("Range", "")
    site.requests.append(wanted)
    if site.codes:
        handler.send_error(site.codes.pop(0))
        return
    start, size = 0, len(site.data)
    same = handler.headers.get("If-Range", site.version) == site.version
    if (found := re.fullmatch(r"bytes=(\d+)-", wanted)) and site.ranges and same:
        start = int(found[1])
        if start >= size:
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{size}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206)
        said = start + 1 if site.wrong_start else start
        handler.send_header("Content-Range", f"bytes {said}-{size - 1}/{size}")
    else:
        handler.send_response(200)
    if site.version:
        handler.send_header("ETag", site.version)
    if site.lengths:
        handler.send_header("Content-Length", str(size - start))
    handler.end_headers()
    body = site.data[start:]
    if site.drop_after:
        body = body[: site.drop_after.pop(0)]
    if site.pause_after:
        handler.wfile.write(body[: site.pause_after])
        site.go_on.wait(30)
        body = body[site.pause_after :]
    with contextlib.suppress(ConnectionError):  # the other side may have been killed
        handler.wfile.write(body)
