"""Laws of fetching a corpus: nothing unverified is unpacked, the folder is whole or absent, once is enough."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqaudio.corpus import remote as remote_room
from seqaudio.corpus.download import Patience
from seqaudio.corpus.remote import MARKER, Remote, fetched_folder, standing_folder
from seqaudio.corpus.unpack import contents_sha256
from seqaudio.errors import BadFileError, DownloadError, OptionError
from tests.corpus.archives import FILES, MUSIC, USED, files_in, tar_of, zip_of
from tests.corpus.serving import Site, serving

QUICK = Patience(timeout_s=5, pauses_s=(0.0,))
OFFLINE = "http://127.0.0.1:9/set.zip"
NOISE = FILES | {"set/noise.mid": np.random.default_rng(1).bytes(200_000)}
NOISE_USED = USED | {"noise.mid": NOISE["set/noise.mid"]}


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return zip_of(tmp_path / "made.zip", NOISE).read_bytes()


@pytest.fixture
def site(archive: bytes) -> Iterator[Site]:
    served = Site(archive)
    with serving(served):
        yield served


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def remote_of(archive: bytes, url: str) -> Remote:
    return Remote(url, "set.zip", len(archive), MUSIC, archive_sha256=hashlib.sha256(archive).hexdigest())


def fetch(remote: Remote, data: Path) -> Path:
    return fetched_folder("set", remote, data, patience=QUICK)


def music_in(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in files_in(folder).items() if name != MARKER}


def nothing_stands(data: Path) -> None:
    assert not (data / "set").exists()
    assert not list(data.glob(".set.unpacking-*"))


@pytest.mark.parametrize("kind", ["archive", "contents"])
def test_fetched_verified_unpacked_and_trusted(site: Site, archive: bytes, data: Path, kind: str) -> None:
    remote = remote_of(archive, site.url)
    if kind == "contents":
        made = data.parent / "made.zip"
        remote = replace(remote, archive_sha256="", contents_sha256=contents_sha256(made, MUSIC))
    assert standing_folder("set", remote, data) is None
    folder = fetch(remote, data)
    assert folder == data / "set" == standing_folder("set", remote, data)
    assert music_in(folder) == NOISE_USED
    assert {path.name for path in data.iterdir()} - {".set.lock"} == {"set", "set.zip"}
    assert json.loads((folder / MARKER).read_text())["files"] == len(NOISE_USED)
    assert fetch(remote, data) == folder
    assert len(site.requests) == 1


def test_a_tar_and_a_single_file(tmp_path: Path, data: Path) -> None:
    packed = tar_of(tmp_path / "made.tar.gz", FILES).read_bytes()
    with serving(Site(packed)) as url:
        remote = replace(remote_of(packed, url), file="set.tar.gz")
        assert music_in(fetch(remote, data)) == USED
    with serving(Site(b'{"train": []}')) as url:
        remote = replace(remote_of(b'{"train": []}', url), file="set.json", members=r"(set\.json)")
        assert music_in(fetched_folder("one", remote, data)) == {"set.json": b'{"train": []}'}


def test_resumed_equals_whole(site: Site, archive: bytes, data: Path) -> None:
    site.drop_after = [50_000, 0, 0]
    remote = remote_of(archive, site.url)
    with pytest.raises(DownloadError, match="the connection ended early"):
        fetch(remote, data)
    nothing_stands(data)
    site.drop_after = []
    assert music_in(fetch(remote, data)) == NOISE_USED
    assert site.requests[-1] == "bytes=50000-"
    assert (data / "set.zip").read_bytes() == archive


def test_wrong_bytes_are_kept_aside_and_not_unpacked(site: Site, archive: bytes, data: Path, tmp_path: Path) -> None:
    other = zip_of(tmp_path / "other.zip", FILES | {"set/a/one.mid": b"another"}).read_bytes()
    site.data = other
    remote = remote_of(archive, site.url)
    with pytest.raises(BadFileError) as caught:
        fetch(remote, data)
    text = str(caught.value)
    assert hashlib.sha256(other).hexdigest() in text
    assert remote.sha256 in text
    assert site.url in text
    assert "\n" not in text
    assert (data / "set.zip.wrong").read_bytes() == other
    nothing_stands(data)
    site.data = archive  # once the server is right again, the same command works
    site.version = '"two"'
    assert music_in(fetch(remote, data)) == NOISE_USED


def test_an_error_page_is_not_unpacked(site: Site, archive: bytes, data: Path) -> None:
    site.data = b"<html>please log in</html>"
    contents = replace(remote_of(archive, site.url), archive_sha256="", contents_sha256="0" * 64)
    for remote in (remote_of(archive, site.url), contents):
        with pytest.raises(BadFileError, match=r"set\.zip\.wrong; nothing was unpacked"):
            fetch(remote, data)
        nothing_stands(data)


def test_a_part_of_another_version_costs_one_more_download(site: Site, archive: bytes, data: Path) -> None:
    """The server states no version, so only the hash shows that the two halves do not belong together."""
    site.version, site.drop_after = "", [50_000, 0, 0]
    site.data = bytes(len(archive))
    remote = remote_of(archive, site.url)
    with pytest.raises(DownloadError):
        fetch(remote, data)
    site.data, site.drop_after, site.requests = archive, [], []
    assert music_in(fetch(remote, data)) == NOISE_USED
    assert site.requests == ["bytes=50000-", ""]


def test_offline_says_which_file_to_put_where_and_then_uses_it(archive: bytes, data: Path) -> None:
    remote = remote_of(archive, OFFLINE)
    with pytest.raises(DownloadError) as caught:
        fetch(remote, data)
    text = str(caught.value)
    assert OFFLINE in text
    assert f"put it at {data / 'set.zip'} and repeat the command" in text
    assert "\n" not in text
    (data / "set.zip").write_bytes(archive)
    assert music_in(fetch(remote, data)) == NOISE_USED


def test_an_archive_put_there_by_hand_is_verified_and_never_removed(archive: bytes, data: Path) -> None:
    data.mkdir()
    (data / "set.zip").write_bytes(archive[:-1])
    remote = remote_of(archive, OFFLINE)
    with pytest.raises(BadFileError, match=f"not {remote.sha256}; remove it and get {OFFLINE} again"):
        fetch(remote, data)
    nothing_stands(data)
    assert (data / "set.zip").read_bytes() == archive[:-1]


def test_a_hostile_archive_leaves_nothing_even_if_its_hash_is_right(tmp_path: Path, data: Path) -> None:
    hostile = zip_of(tmp_path / "hostile.zip", FILES | {"../../outside.mid": b"x"}).read_bytes()
    data.mkdir()
    (data / "set.zip").write_bytes(hostile)
    with pytest.raises(BadFileError, match="outside the folder"):
        fetch(remote_of(hostile, OFFLINE), data)
    nothing_stands(data)
    assert not list(tmp_path.rglob("outside.mid"))


def test_a_folder_of_the_users_is_left_alone(archive: bytes, data: Path) -> None:
    (data / "set").mkdir(parents=True)
    (data / "set" / "mine.mid").write_bytes(b"mine")
    remote = remote_of(archive, OFFLINE)
    for marker in (None, "torn {", "[]", '{"sha256": "of an older version"}'):
        if marker is not None:
            (data / "set" / MARKER).write_text(marker)
        with pytest.raises(BadFileError, match="move it away and try again"):
            fetch(remote, data)
    assert (data / "set" / "mine.mid").read_bytes() == b"mine"


def test_a_data_folder_that_cannot_be_one(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OptionError, match="name another folder with --data or SEQAUDIO_DATA"):
        fetch(remote_of(archive, OFFLINE), tmp_path / "file" / "data")


def test_interrupted_while_unpacking(site: Site, archive: bytes, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> int:
        raise KeyboardInterrupt

    remote = remote_of(archive, site.url)
    with monkeypatch.context() as patch:
        patch.setattr(remote_room, "unpack", stopped)
        with pytest.raises(KeyboardInterrupt):
            fetch(remote, data)
    nothing_stands(data)
    assert music_in(fetch(remote, data)) == NOISE_USED
    assert len(site.requests) == 1  # the archive was verified and kept


PROCESS = """
import sys
from pathlib import Path
from seqaudio.corpus import remote, unpack
from seqaudio.corpus.remote import Remote, fetched_folder
url, sha256, members, data, die = sys.argv[1:]
if die == "die":
    whole = remote.unpack
    def unpack(*arguments):
        whole(*arguments)
        print("unpacked", flush=True)
        sys.stdin.read()
    remote.unpack = unpack
lock = remote.holding_lock
def holding_lock(*arguments):
    print("asks for its turn", file=sys.stderr, flush=True)
    return lock(*arguments)
remote.holding_lock = holding_lock
print(fetched_folder("set", Remote(url, "set.zip", 10**6, members, archive_sha256=sha256), Path(data)))
"""


def process(remote: Remote, data: Path, die: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROCESS, remote.url, remote.sha256, remote.members, str(data), die]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.name != "posix", reason="kills a process by signal")
def test_killed_while_unpacking(site: Site, archive: bytes, data: Path) -> None:
    """The lock of a killed process is free, what it had unpacked is cleared away, and the next call is whole."""
    remote = remote_of(archive, site.url)
    with process(remote, data, "die") as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == "unpacked\n"
        dying.send_signal(signal.SIGKILL)
    assert list(data.glob(".set.unpacking-*"))
    assert not (data / "set").exists()
    assert music_in(fetch(remote, data)) == NOISE_USED
    assert not list(data.glob(".set.unpacking-*"))


def test_two_processes_at_once(site: Site, archive: bytes, data: Path) -> None:
    """The second waits for the first and then finds the work done."""
    site.pause_after = 1000
    remote = remote_of(archive, site.url)
    both = [process(remote, data) for _ in range(2)]
    try:
        for one in both:
            assert one.stderr is not None
            assert one.stderr.readline() == "asks for its turn\n"
        while not site.requests:
            time.sleep(0.01)
        time.sleep(0.3)  # for the second to be refused, if it would not wait
        site.go_on.set()
        for one in both:
            out, err = one.communicate(timeout=60)
            assert (out.strip(), err) == (str(data / "set"), "")
    finally:
        site.go_on.set()
        for one in both:
            one.kill()
            one.wait()
    assert music_in(data / "set") == NOISE_USED
    assert len(site.requests) == 1
