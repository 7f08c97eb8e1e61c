"""Which corpora are known by name, where are they found, and what may be done with them?

The music21 corpora are files inside the package ``music21``, which is located on disk and never imported: that would
take seconds.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from seqaudio.errors import MissingDependencyError, OptionError


@dataclass(frozen=True)
class NamedCorpus:
    """A corpus that ``seqaudio prepare`` knows by name."""

    name: str
    title: str
    folder: str  # inside the package music21
    pieces: int
    licence: str


MUSIC21_LICENCE = (
    "traditional tunes, in the public domain; the files state no licence for the transcriptions, which music21 "
    "distributes with the permission of their encoders (its corpus/license.txt)"
)
CORPORA = {
    corpus.name: corpus
    for corpus in (
        NamedCorpus("music21:oneills", "O'Neill's Music of Ireland (1903)", "oneills1850", 2009, MUSIC21_LICENCE),
        NamedCorpus("music21:airds", "Aird's Airs (1782-1803)", "airdsAirs", 1180, MUSIC21_LICENCE),
    )
}


def corpus_folder(name: str) -> Path:
    """The folder that holds a named corpus.

    Raises:
        OptionError: no corpus has this name.
        MissingDependencyError: the package that carries it is not installed.
    """
    if name not in CORPORA:
        raise OptionError(f"no corpus is named {name!r}; there are {', '.join(CORPORA)}, or give a folder")
    found = importlib.util.find_spec("music21")
    if found is None or found.origin is None:
        raise MissingDependencyError(
            f"the corpus {name} is part of the package music21, which is missing; run: pip install 'seqaudio[corpora]'"
        )
    return Path(found.origin).parent / "corpus" / CORPORA[name].folder
