"""Which pieces do the sources of a command name? Read one after the other; what cannot be read does not stop the rest.

A source is what ``prepare`` takes: a folder, a music file, a list, or the name of a corpus. Real music to compare with
may be a prepared corpus as well, whose training pieces count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from seqaudio.errors import SeqAudioError
from seqaudio.files.atomic import shown
from seqaudio.files.limits import Limits
from seqaudio.files.reader import MUSIC_SUFFIXES, read_pieces
from seqaudio.files.rolls import Roll
from seqaudio.music.score import Score

Tell = Callable[[object], None]


class Placed(NamedTuple):
    """A piece that a source holds.

    Attributes:
        place: where it lies, the same for the same piece of two sources.
        name: what people are shown.
        score: what sounds.
        file: that it was read from.
        split: the side of the split that the file itself puts it on, if it says so.
        roll: what it was made from, of a set of rolls.
    """

    place: str
    name: str
    score: Score
    file: Path = Path()
    split: str = ""
    roll: Roll | None = None


def pieces_of(sources: Iterable[str], limits: Limits, tell: Tell) -> Iterator[Placed]:
    """Every piece of the sources; what cannot be read is told."""
    for source in sources:
        try:
            yield from _pieces(source, limits, tell)
        except SeqAudioError as problem:
            tell(problem)


def real_pieces_of(source: str, limits: Limits, tell: Tell) -> Iterator[Placed]:
    """Every piece of real music to compare with; what of it cannot be read is told.

    Raises:
        OptionError: there is no such source.
        NoNotesError: it holds no music file.
        BadFileError: a prepared corpus, or a list, is damaged.
    """
    return _prepared(source) if source and (Path(source) / "tokens.npy").is_file() else _pieces(source, limits, tell)


def _pieces(source: str, limits: Limits, tell: Tell) -> Iterator[Placed]:
    for path, closed in _files(source):
        if closed:
            tell(f"{shown(path)}: {closed}")
            continue
        try:
            pieces, unreadable = read_pieces(path, limits)
        except SeqAudioError as problem:
            tell(problem)
            continue
        for reason in unreadable:
            tell(reason)
        for piece in pieces:
            place = f"{path.resolve()}/{piece.name}"
            yield Placed(place, shown(piece.name), piece.score, path, piece.split, piece.roll)


def _files(source: str) -> list[tuple[Path, str]]:
    """The files of a source, there or not, and why one cannot be read where that is known."""
    path = Path(source)
    if path.suffix.lower() in MUSIC_SUFFIXES and not path.is_dir():  # without the corpus room: it takes time to import
        return [(path, "")]
    from seqaudio.corpus.sources import files_of

    return [(file.path, file.problem) for file in files_of(source)]


def _prepared(folder: str) -> Iterator[Placed]:
    """The training pieces of a prepared corpus."""
    from seqaudio.corpus.prepared import PreparedCorpus

    corpus = PreparedCorpus.open(folder)
    for number in corpus.of_split("train"):
        name = str(corpus.manifest["pieces"][number].get("name", number))
        yield Placed(f"{folder}#{number}", shown(name), corpus.score(corpus.piece(number)))
