"""Small archives that several tests pack, and what a folder holds."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

MUSIC = r"[^/]+/(.+\.mid|info\.csv)"
FILES = {
    "set/info.csv": b"midi_filename,split\n",
    "set/a/one.mid": b"MThd one",
    "set/a/two é.mid": bytes(range(256)) * 5,
    "set/b/c/three.mid": b"",
    "set/README": b"not used",
    "set/a/run.sh": b"not used",
}
USED = {name.removeprefix("set/"): data for name, data in FILES.items() if name.endswith((".mid", ".csv"))}


def zip_of(path: Path, files: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tar_of(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def archive_of(kind: str, folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / f"archive{kind}"
    return zip_of(path, files) if kind == ".zip" else tar_of(path, files)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
