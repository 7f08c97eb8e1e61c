"""What does a prepared corpus hold? Pieces as token ids, by split, mapped from disk and not loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import BadFileError, CheckpointError
from seqaudio.files.atomic import shown
from seqaudio.music.lead_sheet import with_names
from seqaudio.music.score import Score
from seqaudio.music.splits import SPLITS, check_split
from seqaudio.tokens import Tokenizer, load_tokenizer, register
from seqaudio.tokens.own import registered

# what reading and checking a folder that somebody has tampered with can raise
DAMAGE = (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, RecursionError, CheckpointError)

BLOCK = 2**20  # bytes that are looked at together, a multiple of every id's size


@dataclass(frozen=True)
class PreparedCorpus:
    """A corpus that ``prepare`` wrote.

    As a sequence it is its pieces in order, those of all splits: ``corpus[i]`` is :meth:`piece` i.

    Two are equal when tokenizer and manifest are, which has the token file's hash. A copy, and a pickle for another
    process, is its folder, opened anew but not hashed anew: so it is small whatever the corpus holds. BadFileError is
    raised there when the folder is gone or holds another corpus by then.

    Attributes:
        tokens: (tokens,) ids of all pieces in a row, memory-mapped.
        index: (pieces + 1,): piece i is ``tokens[index[i]:index[i + 1]]``.
        manifest: as in manifest.json; ``manifest["pieces"][i]`` belongs to piece i.
    """

    tokenizer: Tokenizer
    tokens: NDArray[np.unsignedinteger] = field(compare=False)
    index: NDArray[np.int64] = field(compare=False)
    manifest: dict[str, Any]

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(self.of_split(name))} {name}" for name in SPLITS)
        return f"PreparedCorpus({len(self)} pieces ({sizes}), {len(self.tokens):,} {self.tokenizer.name} tokens)"

    def __len__(self) -> int:
        """Number of pieces."""
        return len(self.index) - 1

    def __getitem__(self, i: int) -> NDArray[np.unsignedinteger]:
        return self.piece(i)

    def __iter__(self) -> Iterator[NDArray[np.unsignedinteger]]:
        return map(self.piece, range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return reopened, (self.token_file[0].parent, self.fingerprint, registered(self.tokenizer.name))

    @classmethod
    def open(cls, folder: str | Path) -> PreparedCorpus:
        """Open a prepared corpus.

        Raises:
            BadFileError: the folder is none, or is damaged.
            MissingDependencyError: its tokenizer is of MidiTok, which is not installed, or one's own, not registered.
        """
        return _read(Path(folder), hashed=True)

    def split(self, name: str) -> list[NDArray[np.unsignedinteger]]:
        """The pieces of "train", "valid" or "test", each (tokens,). Raises OptionError for another name."""
        return [self.piece(i) for i in self.of_split(name)]

    def of_split(self, name: str) -> list[int]:
        """The numbers of the pieces of a split. Raises OptionError for a name that is no split's."""
        check_split(name)
        return [i for i, piece in enumerate(self.manifest["pieces"]) if piece["split"] == name]

    def piece(self, i: int) -> NDArray[np.unsignedinteger]:
        """The ids of one piece. Raises IndexError for a number below 0 or behind the last piece."""
        if not 0 <= i < len(self):
            raise IndexError(f"piece {i} of a corpus of {len(self)} pieces")
        return self.tokens[self.index[i] : self.index[i + 1]]

    def score(self, ids: ArrayLike) -> Score:
        """What ids of this corpus, (tokens,), stand for; melody and chords of a lead sheet by their names."""
        score = self.tokenizer.decode(np.asarray(ids, dtype=np.int64))
        return with_names(score) if self.manifest["options"].get("lead_sheet", False) else score

    @property
    def token_file(self) -> tuple[Path, int]:
        """The file that ``tokens`` maps, and the byte where its ids begin."""
        mapped = self.tokens
        assert isinstance(mapped, np.memmap), "tokens are mapped from a file"
        return Path(str(mapped.filename)), int(mapped.offset)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the token file."""
        return str(self.manifest["tokens_sha256"])


def reopened(folder: Path, fingerprint: str, own: type[Tokenizer] | None = None) -> PreparedCorpus:
    """A corpus that was opened before, without hashing it again; with the tokenizer of one's own that it had there.

    Raises:
        BadFileError: it is not there, is damaged, or has another fingerprint.
    """
    if own is not None:
        register(own)
    corpus = _read(folder, hashed=False)
    if corpus.fingerprint != fingerprint:
        raise BadFileError(f"{shown(folder)}: prepared anew since it was opened; open it again")
    return corpus


def _read(folder: Path, *, hashed: bool) -> PreparedCorpus:
    """What a folder holds, checked; the tokens too if ``hashed``."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        tokens = np.load(folder / "tokens.npy", mmap_mode="r")
        index = np.load(folder / "index.npy")
        tokenizer = load_tokenizer(folder / "tokenizer.json")
        whole = (
            index.ndim == tokens.ndim == 1
            and index.dtype.kind == tokens.dtype.kind.replace("u", "i") == "i"
            and len(index) == len(manifest["pieces"]) + 1
            and (index[0], index[-1]) == (0, len(tokens))
            and (np.diff(index) > 0).all()
            and {piece["split"] for piece in manifest["pieces"]} <= set(SPLITS)
            and isinstance(manifest["tokens_sha256"], str)
        )
        if hashed:
            sha256, largest = _hash_and_largest(folder / "tokens.npy", tokens)
            whole = whole and largest < len(tokenizer.vocabulary) and sha256 == manifest["tokens_sha256"]
    except DAMAGE as problem:
        raise BadFileError(
            f"{shown(folder)}: not a prepared corpus ({problem}); make one with seqaudio prepare"
        ) from None
    if not whole:
        raise BadFileError(f"{shown(folder)}: damaged, its files do not fit together; run seqaudio prepare again")
    return PreparedCorpus(tokenizer, tokens, index, manifest)


def _hash_and_largest(path: Path, mapped: NDArray[np.unsignedinteger]) -> tuple[str, int]:
    """SHA-256 of a token file and its largest id, read in blocks: pages of the map would count as memory of ours."""
    largest = 0
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(mapped.offset if isinstance(mapped, np.memmap) else 0))
        while block := file.read(BLOCK):
            digest.update(block)
            largest = max(largest, int(np.frombuffer(block, mapped.dtype).max()))
    return digest.hexdigest(), largest
