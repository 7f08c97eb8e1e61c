"""Which songs of OpenEWLD are in the public domain, as far as its database and its files tell?

The data set is offered as free of copyright, and goes by one author of each song. Its database says more: of the 502
songs some were first performed in the forties, by people who died long after. A song stays here if it was first
performed before 1931, as what was published before that year is free in the United States since 2026; where 70 years
from the last death are the rule, some of these are not, and a performance is no proof that a song was published. A song
of which no day is stated stays if everybody that is named had died by 1955: those in the name of its folder, whose
deaths the database knows, and those that its lead sheet says made it. The folder of *Blue Moon* names Lorenz Hart
alone, its file Richard Rodgers, who died in 1979. Whoever is in the file and not in the folder, or whose death is not
stated, may be alive.

Source: ``OpenEWLD.db``, tables ``works`` (first_performance_date, path_leadsheet) and ``authors`` (common_name, death);
of the MusicXML files the elements ``creator``.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path, PurePosixPath

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import shown
from seqaudio.files.limits import DEFAULT_LIMITS
from seqaudio.files.musicxml.document import read_document

DATABASE = "OpenEWLD.db"
PROTECTED_FROM = 1931  # first performances
LAST_DEATH = 1955
NOBODY = "[Traditional]"
_NO_NAMES = frozenset("traditional trad music words lyrics by and".split())


def public_domain_songs(folder: Path) -> frozenset[str]:
    """The lead sheets in a folder that holds the data set, as POSIX paths in it.

    Raises:
        BadFileError: its database is missing or is none, or a lead sheet cannot be read.
    """
    path = folder / DATABASE
    try:
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            died = dict(database.execute("SELECT common_name, death FROM authors"))
            works = database.execute("SELECT path_leadsheet, first_performance_date FROM works").fetchall()
    except sqlite3.Error as problem:
        raise BadFileError(f"{shown(path)}: {problem}; remove {shown(folder)} and fetch the corpus anew") from None
    return frozenset(
        song
        for song, performed in works
        if _before(performed, PROTECTED_FROM)
        or (not _year(performed) and _long_dead(song, died) and _names_no_others(folder, song))
    )


def _authors(song: str) -> list[str]:
    """In the name of a song's folder: ``Al_Dubin-Harry_Warren`` are two."""
    return PurePosixPath(song).parent.parent.name.replace("_", " ").split("-")


def _long_dead(song: str, died: dict[str, object]) -> bool:
    """Are all authors in the name of a song's folder?"""
    return all(author == NOBODY or _before(died.get(author), LAST_DEATH + 1) for author in _authors(song))


def _names_no_others(folder: Path, song: str) -> bool:
    """Does the lead sheet name those who made it, and nobody but the authors in the name of its folder?

    Compared word by word, initials left out; spelled otherwise, or as an unknown one, it is somebody else.
    """
    path = folder / song
    if not path.is_file():
        return False
    document = read_document(path.read_bytes(), path.name, DEFAULT_LIMITS)
    named = _words(" ".join(creator.text or "" for creator in document.iter("creator")))
    return bool(named) and named <= _words(" ".join(_authors(song))) | _NO_NAMES


def _words(text: str) -> set[str]:
    """Of two letters or more."""
    return set(re.findall(r"[^\W\d_]{2,}", text.casefold()))


def _before(day: object, year: int) -> bool:
    """Is a day stated and before a year?"""
    return 0 < _year(day) < year


def _year(day: object) -> int:
    """The year of a day as the database writes it, 0 where it states none."""
    stated = str(day or "")[:4]
    return int(stated) if stated.isdecimal() else 0
