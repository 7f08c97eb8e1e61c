"""Laws of unpacking: what is used comes out byte for byte; a hostile archive leaves nothing outside its folder."""

from __future__ import annotations

import gzip
import hashlib
import io
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from seqaudio.corpus.unpack import DEFAULT_CAPS, Caps, contents, contents_sha256, unpack
from seqaudio.errors import BadFileError
from tests.corpus.archives import FILES, MUSIC, USED, archive_of, files_in, zip_of


def fails(archive: Path, match: str, caps: Caps = DEFAULT_CAPS, members: str = MUSIC) -> None:
    """Refused by both readers, with one line that begins with its path, and nothing comes out of the folder."""
    around = archive.parent / "around"
    folder = around / "in" / "side"
    folder.mkdir(parents=True)
    with pytest.raises(BadFileError, match=match) as caught:
        unpack(archive, members, folder, caps)
    assert str(caught.value).startswith(str(archive))
    assert "\n" not in str(caught.value)
    assert not [path for path in around.rglob("*") if path.is_file() and folder not in path.parents]
    with pytest.raises(BadFileError, match=match):
        contents_sha256(archive, members, caps)


KINDS = (".zip", ".tar", ".tar.gz", ".tgz")
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_what_is_used_comes_out_whole(tmp_path: Path, kind: str) -> None:
    archive = archive_of(kind, tmp_path, FILES)
    (tmp_path / "out").mkdir()
    assert unpack(archive, MUSIC, tmp_path / "out") == len(USED)
    assert files_in(tmp_path / "out") == USED
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.stat().st_mode & stat.S_IXUSR]


def test_a_file_is_an_archive_of_itself(tmp_path: Path) -> None:
    (tmp_path / "pitches.json").write_bytes(b"[[60]]")
    (tmp_path / "out").mkdir()
    assert unpack(tmp_path / "pitches.json", r"(pitches\.json)", tmp_path / "out") == 1
    assert files_in(tmp_path / "out") == {"pitches.json": b"[[60]]"}


def test_the_contents_hash_knows_names_and_bytes_but_not_the_packing(tmp_path: Path) -> None:
    expected = "".join(
        f"{hashlib.sha256(USED[name]).hexdigest()}  {name}\n" for name in sorted(USED, key=lambda name: name.encode())
    )
    wanted = hashlib.sha256(expected.encode()).hexdigest()
    for kind in KINDS:
        assert contents_sha256(archive_of(kind, tmp_path, FILES), MUSIC) == wanted
    shuffled = dict(reversed(FILES.items())) | {"set/LICENSE": b"new, not used"}
    stored = zip_of(tmp_path / "stored.zip", shuffled, zipfile.ZIP_STORED)
    other_root = {name.replace("set/", "set-2/", 1): data for name, data in FILES.items()}
    assert contents_sha256(stored, MUSIC) == wanted
    assert contents_sha256(zip_of(tmp_path / "root.zip", other_root), MUSIC) == wanted
    for changed in (FILES | {"set/a/one.mid": b"MThd One"}, FILES | {"set/a/more.mid": b""}):
        assert contents_sha256(zip_of(tmp_path / "changed.zip", changed), MUSIC) != wanted


def test_the_contents_hash_is_the_one_a_shell_gives(tmp_path: Path) -> None:
    flat = {f"set/{name}.mid": name.encode() for name in ("b", "a", "B", "a1", "ä")}
    (tmp_path / "out").mkdir()
    archive = zip_of(tmp_path / "flat.zip", flat)
    unpack(archive, MUSIC, tmp_path / "out")
    line = "export LC_ALL=C; ls *.mid | sort | xargs sha256sum | sha256sum"
    try:
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path / "out", capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine has no sha256sum")
    assert done.stdout.split()[0] == contents_sha256(archive, MUSIC)


@each_kind
@pytest.mark.parametrize(
    "name",
    [
        "../outside.mid",
        "set/../../outside.mid",
        "set/a/../../../outside.mid",
        "/outside.mid",
        "//outside.mid",
        "set\\..\\..\\outside.mid",
        "C:/outside.mid",
        "C:outside.mid",
        "../unused.txt",
    ],
)
def test_no_path_leaves_the_folder(tmp_path: Path, kind: str, name: str) -> None:
    fails(archive_of(kind, tmp_path, {"set/a.mid": b"x", name: b"y"}), "refused, its member .* is outside the folder")


@each_kind
@pytest.mark.parametrize("name", ["set//etc/a.mid", "set/./a.mid", "set/a//b.mid"])
def test_only_plain_names_are_used(tmp_path: Path, kind: str, name: str) -> None:
    fails(archive_of(kind, tmp_path, {name: b"y"}), "is no plain path")


@each_kind
@pytest.mark.parametrize("name", ["set/a\n.mid", "set/" + "a" * 2000 + ".mid"])
def test_names_that_are_none(tmp_path: Path, kind: str, name: str) -> None:
    fails(archive_of(kind, tmp_path, {name: b"y"}), "is no name for a file")


def test_a_name_cut_short_by_a_zero(tmp_path: Path) -> None:
    archive = tmp_path / "archive.zip"
    zip_of(archive, {"set/aXb.mid": b"y"})
    archive.write_bytes(archive.read_bytes().replace(b"set/aXb.mid", b"set/a\0b.mid"))
    fails(archive, "is no name for a file")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
@pytest.mark.parametrize("name", ["set/a.mid", "set/unused"])
def test_links_and_devices_in_a_zip(tmp_path: Path, mode: int, name: str) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        info = zipfile.ZipInfo(name)
        info.create_system = 3
        info.external_attr = (mode | 0o644) << 16
        opened.writestr(info, "/etc/passwd")
        opened.writestr("set/b.mid", b"x")
    fails(archive, "is a link or a device")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE]
)
@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "b.mid"])
def test_links_and_devices_in_a_tar(tmp_path: Path, kind: bytes, target: str) -> None:
    archive = tmp_path / "archive.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        member = tarfile.TarInfo("set/b.mid")
        opened.addfile(member, io.BytesIO())
        member = tarfile.TarInfo("set/link.mid")
        member.type, member.linkname = kind, target
        opened.addfile(member)
    if kind == tarfile.CONTTYPE:  # "contiguous", an old name for a regular file
        assert [name for name, _ in contents(archive, MUSIC)] == ["b.mid", "link.mid"]
    else:
        fails(archive, "is a link or a device")


@each_kind
@pytest.mark.parametrize(
    "names", [("set/a.mid", "set/a.mid"), ("one/a.mid", "two/a.mid"), ("set/a.mid", "set/a.mid/b.mid")]
)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_place_is_given_once(tmp_path: Path, kind: str, names: tuple[str, str], turned: bool) -> None:
    path = tmp_path / f"archive{kind}"
    ordered = names[::-1] if turned else names
    if kind == ".zip":
        with zipfile.ZipFile(path, "w") as opened:
            for name in ordered:
                opened.writestr(name, name)
    else:
        with tarfile.open(path, "w:gz" if kind.endswith("gz") else "w") as opened:
            for name in ordered:
                opened.addfile(tarfile.TarInfo(name))
    fails(path, "is there twice")


@each_kind
def test_bombs_are_refused(tmp_path: Path, kind: str) -> None:
    many = archive_of(kind, tmp_path, {f"set/{i}.mid": b"" for i in range(20)})
    fails(many, "more than 19 members", Caps(max_members=19))
    (tmp_path / "2").mkdir()
    big = archive_of(kind, tmp_path / "2", {"set/a.mid": bytes(5000), "set/unused": bytes(6000)})
    fails(big, "a member of 6,000 bytes, 5,500 are allowed", Caps(max_member_bytes=5500))
    (tmp_path / "3").mkdir()
    noise = np.random.default_rng(0).bytes(5000)
    total = archive_of(kind, tmp_path / "3", {"set/a.mid": noise, "set/b.mid": noise})
    fails(total, "10,000 bytes or more unpacked, 8,000 are allowed", Caps(max_bytes=8000))


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
@pytest.mark.parametrize("name", ["set/zeros.mid", "set/unused"])
def test_bombs_by_ratio(tmp_path: Path, kind: str, name: str) -> None:
    archive = archive_of(kind, tmp_path, {"set/a.mid": b"x", name: bytes(20 * 2**20)})
    assert archive.stat().st_size < 30_000
    fails(archive, "bytes or more unpacked, .* are allowed for one of its size")


def test_a_tar_whose_header_is_the_bomb(tmp_path: Path) -> None:
    """A long-name header is read into memory before the member is known; the stream below it is bounded."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 64 * 2**20
    archive = tmp_path / "archive.tar.gz"
    with gzip.open(archive, "wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(64 * 2**20))
    fails(archive, "headers and members of more than")


def test_a_zip_that_declares_less_than_it_holds(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "archive.zip", {"set/a.mid": bytes(100_000)})
    size = (100_000).to_bytes(4, "little")
    data = archive.read_bytes()
    assert data.count(size) == 2
    archive.write_bytes(data.replace(size, (10).to_bytes(4, "little")))
    fails(archive, "a damaged archive")


@each_kind
def test_damaged_archives_are_named(tmp_path: Path, kind: str) -> None:
    whole = archive_of(kind, tmp_path, {"set/a.mid": np.random.default_rng(0).bytes(30_000)}).read_bytes()
    refused = 0
    for number, data in enumerate(
        [b"", b"<html>404</html>", whole[:2000], whole[:15_000], whole[: len(whole) // 3 * 2]]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / f"archive{kind}").write_bytes(data)
        fails(folder / f"archive{kind}", "a damaged archive|holds none of the files")
        refused += 1
    assert refused == 5


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_flipped_bytes_change_the_hash_or_are_refused(tmp_path: Path, kind: str) -> None:
    archive = archive_of(kind, tmp_path, FILES)
    whole, generator = archive.read_bytes(), np.random.default_rng(3)
    wanted, refused = contents_sha256(archive, MUSIC), 0
    for _ in range(300):
        data = bytearray(whole)
        for place in generator.integers(0, len(data), 3):
            data[place] ^= int(generator.integers(1, 256))
        archive.write_bytes(data)
        try:
            contents_sha256(archive, MUSIC)
        except BadFileError:
            refused += 1
    assert refused > 100
    archive.write_bytes(whole)
    assert contents_sha256(archive, MUSIC) == wanted


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "archive.zip", {"set/a.mid": b"secret"})
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    fails(archive, "is encrypted")


def test_the_wrong_archive(tmp_path: Path) -> None:
    fails(zip_of(tmp_path / "archive.zip", {"set/photo.jpg": b"x"}), "holds none of the files of the corpus")
