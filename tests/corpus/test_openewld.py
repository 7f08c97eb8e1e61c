"""Does a song stay where its day, or everybody that it names, says so, and go where one of them is not known?"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from seqaudio.corpus.openewld import DATABASE, public_domain_songs
from seqaudio.errors import BadFileError

DIED = {"Old Hand": "1920-01-02", "Of 55": "1955-12-31", "Of 56": "1956-01-01", "Alive": None, "By Year": 1901}
SONGS = {
    "[Traditional]/Air": (None, ["Traditional"]),
    "Old_Hand/Waltz": (None, ["Old Hand (1890)", None]),
    "Old_Hand-Of_55/March": (None, ["Music by Old Hand, words by J. Of"]),
    "By_Year/Polka": (None, ["By Year"]),
    "Alive/Early": ("1930-12-31", ["Alive"]),
    "Alive-Nobody_Knows/Earlier": (1899, []),
    "Alive/Late": ("1931-01-01", ["Alive"]),
    "Old_Hand/Late": ("1934-05-06", ["Old Hand"]),  # his own, and free elsewhere
    "Old_Hand-Alive/Undated": (None, ["Old Hand"]),
    "Old_Hand-Of_56/Tango": (None, ["Old Hand", "Of"]),
    "[Traditional]-Alive/Arranged": ("", ["Traditional"]),
    "Nobody_Knows/Unknown": ("long ago", ["Nobody Knows"]),
    "Old_Hand/Blue": (None, ["Old Hand", "Somebody Else"]),
    "Old_Hand/Air": (None, ["Unknown"]),
    "Old_Hand/Nameless": (None, []),
    "Old_Hand/Lost": (None, None),  # no file of that name
}
STAY = 6  # the first of them


def path_of(song: str) -> str:
    return f"dataset/{song}/{song.partition('/')[2]}.musicxml"


def lead_sheet(creators: list[str | None]) -> bytes:
    named = "".join(f"<creator>{name or ''}</creator>" for name in creators)
    return f"<score-partwise><identification>{named}</identification></score-partwise>".encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database, database:
        database.execute("CREATE TABLE authors (common_name STRING PRIMARY KEY, birth DATE, death DATE)")
        database.execute("CREATE TABLE works (id INTEGER, first_performance_date DATE, path_leadsheet STRING)")
        database.executemany("INSERT INTO authors VALUES (?, NULL, ?)", DIED.items())
        works = [(number, day, path_of(song)) for number, (song, (day, _)) in enumerate(SONGS.items())]
        database.executemany("INSERT INTO works VALUES (?, ?, ?)", works)
    for song, (_, creators) in SONGS.items():
        if creators is not None:
            (tmp_path / path_of(song)).parent.mkdir(parents=True)
            (tmp_path / path_of(song)).write_bytes(lead_sheet(creators))
    return tmp_path


def test_songs_that_are_old_or_whose_authors_are_long_dead(folder: Path) -> None:
    before = (folder / DATABASE).read_bytes()
    assert public_domain_songs(folder) == {path_of(song) for song in list(SONGS)[:STAY]}
    assert (folder / DATABASE).read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [DATABASE, "dataset"]


@pytest.mark.parametrize("data", [None, b"", b"no database at all" * 100])
def test_a_database_that_is_none(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / DATABASE).write_bytes(data)
    with pytest.raises(BadFileError, match=r"OpenEWLD\.db: .*; remove .* and fetch the corpus anew"):
        public_domain_songs(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ([] if data is None else [DATABASE])
