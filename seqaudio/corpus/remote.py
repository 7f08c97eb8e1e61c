"""How does a corpus from elsewhere come to stand, verified and whole, in the data folder?

download (``<file>.part``) -> verify -> ``<file>`` -> unpack into a temporary folder -> rename to ``<name>``, which then
holds the files of the corpus and a marker with the hash they were verified by. Interrupted anywhere, the next call goes
on; a folder under its final name is always whole. An archive that a user puts in place by hand is verified and used in
the same way. Two processes that want one corpus take turns (a lock file; the system frees it when its holder dies).

What is verified: the SHA-256 of the archive where its publisher, or several who hold it, state one; else the contents
hash of the members that are used (:mod:`seqaudio.corpus.unpack`), as for GitHub, which packs a commit anew at will.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from seqaudio.corpus.download import PATIENCE, Patience, Progress, download, forget, no_progress
from seqaudio.corpus.unpack import contents_sha256, unpack
from seqaudio.errors import BadFileError, DownloadError, OptionError
from seqaudio.files.atomic import shown
from seqaudio.files.locks import HeldByAnotherError, holding_lock

MARKER = ".seqaudio"
TURN_S = 3600.0  # how long to wait for another process that fetches the same corpus


@dataclass(frozen=True)
class Remote:
    """Where a corpus comes from, and how it is recognised.

    Attributes:
        url: of the archive, or of the one file that is the corpus.
        file: its name in the data folder.
        size_bytes: of the archive, about; a download of more than twice as much and 16 MB is refused.
        members: which members are used, and under which name (:mod:`seqaudio.corpus.unpack`).
        archive_sha256: of the archive's bytes, or empty where they may vary.
        contents_sha256: the contents hash, where they may.
    """

    url: str
    file: str
    size_bytes: int
    members: str
    archive_sha256: str = ""
    contents_sha256: str = ""

    @property
    def sha256(self) -> str:
        """The hash this corpus is verified by."""
        return self.archive_sha256 or self.contents_sha256

    @property
    def max_bytes(self) -> int:
        """The most a download may bring."""
        return 2 * self.size_bytes + 2**24


def standing_folder(name: str, remote: Remote, data: Path) -> Path | None:
    """The folder of a corpus that was verified and unpacked before, or None."""
    folder = data / name
    try:
        facts = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return folder if isinstance(facts, dict) and facts.get("sha256") == remote.sha256 else None


def fetched_folder(
    name: str, remote: Remote, data: Path, progress: Progress = no_progress, patience: Patience = PATIENCE
) -> Path:
    """The folder of a corpus, fetched first if it is not there.

    Raises:
        DownloadError: it cannot be fetched; the text says which file to get by hand and where to put it.
        BadFileError: what came, or what stands there, is not the corpus.
        OptionError: the data folder cannot be used.
    """
    if found := standing_folder(name, remote, data):
        return found
    with _turn(name, data):
        if found := standing_folder(name, remote, data):  # the other process was quicker
            return found
        if (data / name).exists():
            raise BadFileError(
                f"{shown(data / name)}: is not the corpus {name} as it was verified; move it away and try again"
            )
        return _place(name, remote, data, _archive(name, remote, data, progress, patience))


@contextmanager
def _turn(name: str, data: Path) -> Iterator[None]:
    """Alone with this corpus in this data folder, which is made if it is missing."""
    lock = ExitStack()
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock.enter_context(holding_lock(data / f".{name}.lock", TURN_S))
    except HeldByAnotherError:
        raise DownloadError(f"{name}: another process has been fetching it for an hour; end it and try again") from None
    except OSError as problem:
        reason = problem.strerror or problem
        raise OptionError(
            f"{shown(data)}: cannot hold corpora ({reason}); name another folder with --data or SEQAUDIO_DATA"
        ) from None
    with lock:
        yield


def _archive(name: str, remote: Remote, data: Path, progress: Progress, patience: Patience) -> Path:
    """The verified archive, as it was put there by hand or as it is downloaded now."""
    archive = data / remote.file
    if archive.exists():
        _verify(remote, archive)
        return archive
    arriving = data / f".{name}.arriving"  # so that the file keeps its suffix, and never looks finished
    part = arriving / remote.file
    arriving.mkdir(exist_ok=True)
    for resumed in (part.exists(), False):
        try:
            download(remote.url, part, remote.max_bytes, progress, patience)
            _verify(remote, part)
            break
        except DownloadError as problem:
            raise DownloadError(
                f"{name} cannot be downloaded: {problem}; try again later, or get that file by other means, put it at "
                f"{shown(archive)} and repeat the command: it is verified and used"
            ) from None
        except BadFileError as problem:
            if resumed:  # perhaps the file had changed in between: once more, from its first byte
                forget(part)
                continue
            wrong = archive.with_name(archive.name + ".wrong")
            os.replace(part, wrong)
            raise BadFileError(
                f"{problem}; it came from {remote.url} and is kept as {shown(wrong)}; nothing was unpacked"
            ) from None
    os.replace(part, archive)
    shutil.rmtree(arriving, ignore_errors=True)
    return archive


def _verify(remote: Remote, archive: Path) -> None:
    if remote.archive_sha256:
        came, what = _file_sha256(archive), "its SHA-256"
    else:
        came, what = contents_sha256(archive, remote.members), "the contents hash of its files"
    if came != remote.sha256:
        raise BadFileError(
            f"{shown(archive)}: {what} is {came}, not {remote.sha256}; remove it and get {remote.url} again"
        )


def _file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _place(name: str, remote: Remote, data: Path, archive: Path) -> Path:
    """Unpack beside the final place and move the whole there."""
    for left_behind in data.glob(f".{name}.unpacking-*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    unpacking = Path(tempfile.mkdtemp(prefix=f".{name}.unpacking-", dir=data))
    try:
        files = unpack(archive, remote.members, unpacking)
        facts = {"corpus": name, "url": remote.url, "sha256": remote.sha256, "files": files}
        (unpacking / MARKER).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        unpacking.chmod(0o755)  # as any new folder, not as a temporary one
        unpacking.rename(data / name)
    except BaseException:
        shutil.rmtree(unpacking, ignore_errors=True)
        raise
    return data / name
