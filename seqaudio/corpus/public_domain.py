"""Which songs of OpenEWLD are in the public domain, as far as its own database tells?

The data set is offered as free of copyright, and goes by one author of each song. Its database says more: of the 502
songs some were first performed in the forties, by people who died long after. A song stays here if it was first
performed before 1931, so that it is free in the United States since 2026 at the latest, or if nobody in the name of its
folder died after 1955, so that it is free where 70 years are the rule. Whose death is not stated may be alive.

Source: ``OpenEWLD.db``, tables ``works`` (first_performance_date, path_leadsheet) and ``authors`` (common_name, death).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path, PurePosixPath

from seqaudio.errors import BadFileError
from seqaudio.files.atomic import shown

DATABASE = "OpenEWLD.db"
PROTECTED_FROM = 1931  # first performances
LAST_DEATH = 1955
NOBODY = "[Traditional]"


def public_domain_songs(folder: Path) -> frozenset[str]:
    """The lead sheets in a folder that holds the data set, as POSIX paths in it.

    Raises:
        BadFileError: its database is missing, or is none.
    """
    path = folder / DATABASE
    try:
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            died = dict(database.execute("SELECT common_name, death FROM authors"))
            works = database.execute("SELECT path_leadsheet, first_performance_date FROM works").fetchall()
    except sqlite3.Error as problem:
        raise BadFileError(f"{shown(path)}: {problem}; remove {shown(folder)} and fetch the corpus anew") from None
    return frozenset(song for song, performed in works if _before(performed, PROTECTED_FROM) or _long_dead(song, died))


def _long_dead(song: str, died: dict[str, object]) -> bool:
    """Are all authors in the name of a song's folder? ``Al_Dubin-Harry_Warren`` are two."""
    authors = PurePosixPath(song).parent.parent.name.replace("_", " ").split("-")
    return all(author == NOBODY or _before(died.get(author), LAST_DEATH + 1) for author in authors)


def _before(day: object, year: int) -> bool:
    """Is a day, as the database writes it, known and before a year?"""
    stated = str(day or "")[:4]
    return stated.isdecimal() and int(stated) < year
