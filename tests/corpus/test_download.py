"""Laws of downloading: resumed equals whole, whatever the server does; a network that fails ends in one line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from seqaudio.corpus.download import Patience, download
from seqaudio.errors import DownloadError
from tests.corpus.serving import Site, serving

DATA = np.random.default_rng(7).bytes(300_000)
QUICK = Patience(timeout_s=5, pauses_s=(0.0, 0.0))
MOST = 10**6


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site(DATA)
    with serving(served):
        yield served


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "file.part"


def interrupted(site: Site, part: Path, after: int) -> None:
    """Leave behind what a download has that ends in the middle."""
    site.drop_after = [after, 0, 0, 0]
    with pytest.raises(DownloadError, match="the connection ended early"):
        download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == site.data[:after]
    site.drop_after = []
    site.requests.clear()


def test_a_whole_file(site: Site, part: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    download(site.url, part, MOST, lambda done, total: seen.append((done, total)), QUICK)
    assert part.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_broken_line_is_resumed_in_the_same_call(site: Site, part: Path) -> None:
    site.drop_after = [100_000, 1, 50_000]
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA
    assert site.requests == ["", "bytes=100000-", "bytes=100001-", "bytes=150001-"]


def test_a_later_call_asks_for_the_rest_only(site: Site, part: Path) -> None:
    interrupted(site, part, 123_456)
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA
    assert site.requests == ["bytes=123456-"]


def test_a_server_that_ignores_ranges_starts_over(site: Site, part: Path) -> None:
    interrupted(site, part, 123_456)
    site.ranges = False
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA


def test_a_file_that_has_changed_is_fetched_anew(site: Site, part: Path) -> None:
    interrupted(site, part, 123_456)
    site.data, site.version = DATA[::-1], '"two"'
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA[::-1]


def test_without_a_version_the_rest_is_asked_for_all_the_same(site: Site, part: Path) -> None:
    site.version = ""
    interrupted(site, part, 99)
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA
    assert site.requests == ["bytes=99-"]


def test_bytes_of_unknown_origin_are_not_gone_on_with(site: Site, part: Path) -> None:
    part.write_bytes(b"anything")
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA
    interrupted(site, part.with_name("other"), 1000)
    note = part.with_name("other.json")
    note.write_text(note.read_text()[:-5])  # torn by a crash
    download(site.url, part.with_name("other"), MOST, patience=QUICK)
    assert part.with_name("other").read_bytes() == DATA
    assert site.requests == [""]


def test_a_complete_part_is_recognised(site: Site, part: Path) -> None:
    download(site.url, part, MOST, patience=QUICK)
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA
    assert site.requests[1:] == [f"bytes={len(DATA)}-"]
    site.data = DATA[:1000]  # what is here is longer than the file: of another version
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA[:1000]


def test_an_answer_that_begins_elsewhere_is_not_appended(site: Site, part: Path) -> None:
    interrupted(site, part, 1000)
    site.wrong_start = True
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA
    assert site.requests == ["bytes=1000-", ""]


def test_a_server_that_states_no_length(site: Site, part: Path) -> None:
    site.lengths = False
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA


@pytest.mark.parametrize("lengths", [True, False])
def test_a_file_without_end_is_cut_off(site: Site, part: Path, lengths: bool) -> None:
    site.lengths = lengths
    with pytest.raises(DownloadError, match=r"sends .* bytes or more, 1,000 at most are expected"):
        download(site.url, part, 1000, patience=QUICK)
    assert not part.exists()


def test_passing_errors_are_tried_again_and_lasting_ones_named(site: Site, part: Path) -> None:
    site.codes = [503, 500]
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA
    for code, tries in ((404, 1), (403, 1), (503, 3)):
        site.codes, site.requests = [code] * 9, []
        with pytest.raises(DownloadError, match=f"/file: HTTP {code} "):
            download(site.url, part.with_name("new"), MOST, patience=QUICK)
        assert len(site.requests) == tries


def test_tries_without_gain_end(site: Site, part: Path) -> None:
    site.ranges = False
    site.drop_after = [1000] * 50
    with pytest.raises(DownloadError, match="the connection ended early"):
        download(site.url, part, MOST, patience=QUICK)
    assert len(site.requests) == 2 + len(QUICK.pauses_s)  # the first brought something


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/file", "http://no-such-host.invalid/file", "http://[bad/file"])
def test_no_network_is_one_line_at_once(part: Path, url: str) -> None:
    with pytest.raises(DownloadError) as caught:
        download(url, part, MOST, patience=Patience(timeout_s=5, pauses_s=(1e6,)))  # a pause would never end
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(url)


def test_a_broken_proxy_is_one_line(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="Connection refused"):
        download("http://example.invalid/file", part, MOST, patience=QUICK)


def test_a_silent_server_is_not_waited_for_for_ever(part: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/file"
        with pytest.raises(DownloadError, match="timed out"):
            download(url, part, MOST, patience=Patience(timeout_s=0.2, pauses_s=()))


def test_a_full_disk_is_no_network_error(site: Site, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        download(site.url, tmp_path / "missing" / "part", MOST, patience=QUICK)


@pytest.mark.skipif(os.name != "posix", reason="kills a process by signal")
def test_killed_in_the_middle_and_resumed(site: Site, part: Path) -> None:
    """What a killed process had is kept, and the next one asks for the rest."""
    code = (
        "import sys; from pathlib import Path; from seqaudio.corpus.download import download\n"
        "download(sys.argv[1], Path(sys.argv[2]), 10**6, lambda done, total: print(done, flush=True))"
    )
    site.pause_after = 150_000
    command = [sys.executable, "-c", code, site.url, str(part)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        came = 0
        while came < site.pause_after:
            came = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    site.pause_after = 0
    site.go_on.set()
    assert part.read_bytes() == DATA[:150_000]
    download(site.url, part, MOST, patience=QUICK)
    assert part.read_bytes() == DATA
    assert site.requests == ["", "bytes=150000-"]
