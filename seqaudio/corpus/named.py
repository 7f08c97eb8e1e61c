"""Which corpora are known by name, where are they found, and what may be done with them?

The music21 corpora are files inside the package ``music21``, which is located on disk and never imported: that would
take seconds. The others are downloaded once, verified and unpacked into the data folder: the folder given, or the one
that SEQAUDIO_DATA names, or ``seqaudio`` in the user's cache (XDG_CACHE_HOME, else ``~/.cache``).

Sources of the hashes:

- groove: SHA-256 and size of the archive in ``tensorflow_datasets/url_checksums/groove.txt`` of tensorflow/datasets.
- maestro: SHA-256 and size in ``muspy/datasets/maestro.py`` of salu133445/muspy; several public projects quote the same
  SHA-256 from the data set's page (https://magenta.tensorflow.org/datasets/maestro).
- lakh: SHA-256 and size in ``muspy/datasets/lmd.py`` of salu133445/muspy; other projects that hold the file record the
  same, its page states none. It is linked over http, so this hash alone says that the file is the right one.
- lakh-clean: SHA-256 that three public projects record, among them the package resolv_data; its page states none.
- pop909, nottingham: contents hashes of the 909 and 1,034 MIDI files used, computed by us from copies of these commits.
- openewld: contents hash of the 502 lead sheets and the database, computed by us from copies of this commit.
- jsb: SHA-256 of the file, computed by us from a copy of this commit.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seqaudio.corpus.download import Progress, no_progress
from seqaudio.corpus.openewld import public_domain_songs
from seqaudio.corpus.remote import Remote, fetched_folder, standing_folder
from seqaudio.errors import MissingDependencyError, OptionError


@dataclass(frozen=True)
class NamedCorpus:
    """A corpus that ``seqaudio prepare`` knows by name.

    Attributes:
        name: as it is asked for.
        title: what it is.
        pieces: how many.
        licence: under which the files may be used, and whom to credit.
        weights: whether weights trained on it may be given away, beginning with "yes" or "no".
        folder: inside the package music21; empty for a corpus that is downloaded.
        numbered: its books number their tunes throughout, so one number is one tune in however many versions.
        without: files of the folder that are not part of it, by their names.
        songs: what its folder says is part of it, as paths in it; None: all music.
        remote: where it is downloaded from.
    """

    name: str
    title: str
    pieces: int
    licence: str
    weights: str
    folder: str = ""
    numbered: bool = False
    without: tuple[str, ...] = ()
    songs: Callable[[Path], frozenset[str]] | None = None
    remote: Remote | None = None


MUSIC21_LICENCE = (
    "traditional tunes, in the public domain; the files state no licence for the transcriptions, which music21 "
    "distributes with the permission of their encoders (its corpus/license.txt)"
)
MAGENTA = "https://storage.googleapis.com/magentadata/datasets"
POP909_COMMIT = "d83e6edba6872a704f5d3b8b32f5cb540088dae6"
NOTTINGHAM_COMMIT = "bcb2afc67d291acdd689ed0c22ab2a8a480f38a6"
OPENEWLD_COMMIT = "9bbb6d292c96c9ab2dee64b7ff5cdba60612b7a0"
JSB_COMMIT = "9a7f733ddb4ed91f48da64ac7f0f621c34aadd4d"

IN_MUSIC21 = (
    NamedCorpus(
        "music21:oneills",
        "O'Neill's Music of Ireland (1903)",
        2009,
        MUSIC21_LICENCE,
        "yes",
        "oneills1850",
        numbered=True,
    ),
    NamedCorpus("music21:airds", "Aird's Airs (1782-1803)", 1180, MUSIC21_LICENCE, "yes", "airdsAirs", numbered=True),
    NamedCorpus(
        "music21:bach",
        "Bach: chorales in MusicXML",
        409,
        "the works are in the public domain; the files state no licence for the encodings, which music21 distributes "
        "with the permission of their encoders (its corpus/license.txt)",
        "yes",
        "bach",
        without=("bwv846.mxl",),  # a prelude, from a website with licences of its own
    ),
)
DOWNLOADED = (
    NamedCorpus(
        "groove",
        "Groove MIDI Dataset 1.0.0: human drumming, with its official split",
        1150,
        "CC BY 4.0; credit Gillick et al., Learning to Groove with Inverse Sequence Transformations (2019)",
        "yes, with credit",
        remote=Remote(
            f"{MAGENTA}/groove/groove-v1.0.0-midionly.zip",
            "groove-v1.0.0-midionly.zip",
            3_260_318,
            r"[^/]+/(.+\.mid|info\.csv)",
            archive_sha256="651cbc524ffb891be1a3e46d89dc82a1cecb09a57c748c7b45b844c4841dcc1e",
        ),
    ),
    NamedCorpus(
        "maestro",
        "MAESTRO 3.0.0: piano performances, with their official split",
        1276,
        "CC BY-NC-SA 4.0; credit Hawthorne et al., Enabling Factorized Piano Music Modeling and Generation with the "
        "MAESTRO Dataset (2019)",
        "no, not for commercial use and to be shared alike",
        remote=Remote(
            f"{MAGENTA}/maestro/v3.0.0/maestro-v3.0.0-midi.zip",
            "maestro-v3.0.0-midi.zip",
            58_416_533,
            r"[^/]+/(.+\.midi?|maestro-v3\.0\.0\.csv)",
            archive_sha256="70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c",
        ),
    ),
    NamedCorpus(
        "pop909",
        "POP909: piano arrangements of pop songs (tracks MELODY, BRIDGE, PIANO)",
        909,
        "MIT on the data; the songs are modern pop under copyright; credit Wang et al., POP909 (2020)",
        "no, the songs are under copyright",
        remote=Remote(
            f"https://github.com/music-x-lab/POP909-Dataset/archive/{POP909_COMMIT}.zip",
            f"POP909-Dataset-{POP909_COMMIT}.zip",
            50_105_665,
            r"[^/]+/POP909/\d{3}/(\d{3}\.mid)",
            contents_sha256="abaa1aa6e89c6a140a426cee0d1510b247de81a037d64e156aff834b6322bec4",
        ),
    ),
    NamedCorpus(
        "nottingham",
        "Nottingham Database: folk tunes with chords, repeats written out",
        1034,
        "GPL-3.0",
        "no, GPL-3.0",
        remote=Remote(
            f"https://github.com/jukedeck/nottingham-dataset/archive/{NOTTINGHAM_COMMIT}.zip",
            f"nottingham-dataset-{NOTTINGHAM_COMMIT}.zip",
            1_500_000,  # estimated from the files: the archive's size is stated nowhere
            r"[^/]+/MIDI/([^/]+\.mid)",
            contents_sha256="367d720d99626ffdd5b4f09fc45083d5e3bbd6ad259cdc7597b44687569aa8e5",
        ),
    ),
    NamedCorpus(
        "openewld",
        "OpenEWLD: lead sheets of old songs, melody and chord symbols, without those that may be under copyright",
        271,
        "MIT on the data; the songs were first performed before 1931, or are undated and their authors long dead, as "
        "far as database and files tell; credit Simonetta et al., Symbolic Music Similarity through a Graph-Based "
        "Representation (2018)",
        "yes, with credit",
        songs=public_domain_songs,
        remote=Remote(
            f"https://github.com/00sapo/OpenEWLD/archive/{OPENEWLD_COMMIT}.zip",
            f"OpenEWLD-{OPENEWLD_COMMIT}.zip",
            7_000_000,  # estimated from the files: the archive's size is stated nowhere
            r"[^/]+/(dataset/.+\.mxl|OpenEWLD\.db)",
            contents_sha256="c393f0a006f12d57fda56b66de1534184128038dbfe078a445f46a512bb7d86a",
        ),
    ),
    NamedCorpus(
        "jsb",
        "JSB Chorales: 382 chorales as pitches of four voices per sixteenth, split 229/76/77",
        382,
        "none stated; the works are in the public domain",
        "no, there is no licence; a benchmark only",
        remote=Remote(
            f"https://raw.githubusercontent.com/czhuang/JSB-Chorales-dataset/{JSB_COMMIT}/Jsb16thSeparated.json",
            "Jsb16thSeparated.json",
            1_666_444,
            r"(Jsb16thSeparated\.json)",
            archive_sha256="79294cc374f9252e95ef4b703161524c1c53dc1f712c236f00f1c1f5d54af5a7",
        ),
    ),
    NamedCorpus(
        "lakh",
        "Lakh MIDI Dataset, LMD-full: MIDI files from the web, a few thousand of them damaged",
        178_561,
        "CC BY 4.0 on the collection; most songs are under copyright; credit Raffel, Learning-Based Methods for "
        "Comparing Sequences (2016)",
        "no, most songs are under copyright",
        remote=Remote(
            "http://hog.ee.columbia.edu/craffel/lmd/lmd_full.tar.gz",
            "lmd_full.tar.gz",
            1_768_163_879,
            r"(?i)[^/]+/(.+\.mid)",
            archive_sha256="6fcfe2ac49ca08f3f214cec86ab138d4fc4dabcd7f27f491a838dae6db45a12b",
        ),
    ),
    NamedCorpus(
        "lakh-clean",
        "Lakh MIDI Dataset, clean subset: named by artist and title",
        17_256,
        "CC BY 4.0 on the collection; most songs are under copyright; credit Raffel, Learning-Based Methods for "
        "Comparing Sequences (2016)",
        "no, most songs are under copyright",
        remote=Remote(
            "http://hog.ee.columbia.edu/craffel/lmd/clean_midi.tar.gz",
            "clean_midi.tar.gz",
            234_283_029,
            r"(?i)[^/]+/(.+\.mid)",
            archive_sha256="de1bb64cbc0cf35545a05b5c3e786aa6890cfa144edffc4b827ff41bf8c33dc5",
        ),
    ),
)
CORPORA = {corpus.name: corpus for corpus in IN_MUSIC21 + DOWNLOADED}


def corpus_folder(name: str, data: Path | None = None, progress: Progress = no_progress) -> Path:
    """The folder that holds a named corpus; a corpus from elsewhere is downloaded if it is not there yet.

    Args:
        name: one of ``CORPORA``.
        data: the folder for downloads; by default :func:`data_folder` says where.
        progress: called with the bytes that are here and the bytes of the whole file, if known.

    Raises:
        OptionError: no corpus has this name, or the data folder cannot be used.
        MissingDependencyError: the package that carries it is not installed.
        DownloadError: it cannot be downloaded; the text says which file to put where.
        BadFileError: what came is not the corpus.
    """
    corpus = _named(name)
    if corpus.remote:
        return fetched_folder(name, corpus.remote, data or data_folder(), progress)
    return _music21_folder(corpus)


def standing_corpus(name: str, data: Path | None = None) -> Path | None:
    """The folder of a named corpus if it is here; None if it would have to be downloaded or installed first."""
    corpus = _named(name)
    if corpus.remote:
        return standing_folder(name, corpus.remote, data or data_folder())
    try:
        folder = _music21_folder(corpus)
    except MissingDependencyError:
        return None
    return folder if folder.is_dir() else None


def data_folder() -> Path:
    """Where downloads go unless a folder is given."""
    if named := os.environ.get("SEQAUDIO_DATA"):
        return Path(named).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return (cache if cache.is_absolute() else Path("~/.cache")).expanduser() / "seqaudio"


def _named(name: str) -> NamedCorpus:
    if name not in CORPORA:
        raise OptionError(f"no corpus is named {name!r}; there are {', '.join(CORPORA)}, or give a folder")
    return CORPORA[name]


def _music21_folder(corpus: NamedCorpus) -> Path:
    found = importlib.util.find_spec("music21")
    if found is None or found.origin is None:
        raise MissingDependencyError(
            f"the corpus {corpus.name} is part of the package music21, which is missing; "
            "run: pip install 'seqaudio[corpora]'"
        )
    return Path(found.origin).parent / "corpus" / corpus.folder
