"""The text of beyond_music.py: characters are tokens, passages are pieces.

A book is a file of UTF-8 whose chapters are parted by three empty lines or more: the last chapter is the test, the one
before it the validation, all others are learnt from. Paragraphs are unwrapped and joined to passages of some 800
characters, each with a line break in front, which is heard and not predicted. A character that the training chapters do
not have is one symbol, number 0, for all models alike.

What shows a long dependency: a mark that was opened (¿ ¡ ( « and the dash of an inserted clause, —so—) is to be closed
by its own mark before the paragraph ends, dozens of characters later; and the nats of characters when only the last few
before them are heard.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seqaudio.errors import BadFileError, OptionError
from seqaudio.files.atomic import read_bytes
from seqaudio.models.baselines import PPM, MatchCopy, NGram
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.training.evaluate import piece_nats

Ids = NDArray[np.int64]

BOOK = Path(__file__).parent / "data" / "quijote_I_1-8.txt"
PASSAGE = 800  # characters, at least
OTHER = "\N{REPLACEMENT CHARACTER}"
ORDERS = (2, 3, 4, 5, 6, 7, 8)  # of n-grams and PPM; validation chooses
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)  # of the characters heard, where the past is cut
EVERY = 3  # characters from one target of a cut past to the next
PROMPT = 200  # characters of a test passage that a text goes on from
PAIRS = {"¿": "?", "¡": "!", "(": ")", "«": "»"}


@dataclass(frozen=True)
class Book:
    """A text as pieces.

    Attributes:
        symbols: the characters of the training chapters; that of number i + 1 is symbols[i].
        train, valid, test: passages, ids (characters,).
        sha256: of the file.
    """

    symbols: str
    train: list[Ids]
    valid: list[Ids]
    test: list[Ids]
    sha256: str

    @property
    def vocabulary(self) -> int:
        """How many symbols there are, number 0 among them."""
        return len(self.symbols) + 1

    def text(self, ids: Iterable[int]) -> str:
        """Ids as characters."""
        known = OTHER + self.symbols
        return "".join(known[number] for number in ids)

    @property
    def words(self) -> set[str]:
        """Those of the training chapters."""
        return {word for passage in self.train for word in words_of(self.text(passage))}


@lru_cache
def open_book(path: Path) -> Book:
    """Read a book.

    Raises:
        BadFileError: it is no text in UTF-8.
        OptionError: it has fewer than three chapters, or the last is too short to be gone on from.
    """
    data = read_bytes(path)
    try:
        whole = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise BadFileError(f"{path.name}: no text in UTF-8, from byte {problem.start} on; save it as UTF-8") from None
    chapters = [passages(chapter) for chapter in re.split(r"\n(?:[ \t]*\n){3,}", whole.strip())]
    chapters = [chapter for chapter in chapters if chapter]
    if len(chapters) < 3:
        raise OptionError(f"{path.name}: {len(chapters)} chapters; it needs three, parted by three empty lines")
    *learnt, valid, test = chapters
    if max(map(len, test)) < PROMPT:
        raise OptionError(f"{path.name}: its last chapter needs {PROMPT} characters or more, to be gone on from")
    train = [passage for chapter in learnt for passage in chapter]
    symbols = "".join(sorted(set("".join(train))))
    number = {symbol: place + 1 for place, symbol in enumerate(symbols)}

    def ids(part: Sequence[str]) -> list[Ids]:
        return [np.array([number.get(symbol, 0) for symbol in passage], np.int64) for passage in part]

    return Book(symbols, ids(train), ids(valid), ids(test), hashlib.sha256(data).hexdigest())


def passages(chapter: str) -> list[str]:
    """The passages of a chapter."""
    found: list[str] = []
    gathered = ""
    for paragraph in re.split(r"\n[ \t]*\n", chapter.replace("\r", "")):
        if line := " ".join(paragraph.split()):
            gathered += f"\n{line}"
        if len(gathered) >= PASSAGE:
            found.append(f"{gathered}\n")
            gathered = ""
    if gathered and found:
        found[-1] = found[-1][:-1] + f"{gathered}\n"
    elif gathered:
        found.append(f"{gathered}\n")
    return found


def words_of(text: str) -> list[str]:
    """The words of four letters and more: shorter ones come about by chance."""
    return re.findall(r"[^\W\d_]{4,}", text.lower())


def closings(text: str) -> tuple[int, int]:
    """How many marks are opened in whole paragraphs, and how many of these are closed in them."""
    opened = closed = 0
    for paragraph in text.split("\n")[:-1]:  # behind the last line break it is not whole
        for mark, end in [*((re.escape(a), re.escape(b)) for a, b in PAIRS.items()), (r"(?<=\s)—(?=\w)", r"(?<=\S)—")]:
            for found in re.finditer(mark, paragraph):
                rest = paragraph[found.end() :]
                again = re.search(mark, rest)
                opened += 1
                closed += bool(re.search(end, rest[: again.start()] if again else rest))
    return opened, closed


def cut_nats(model: SequenceModel, pieces: Sequence[Ids], size: int) -> NDArray[np.float64]:
    """Nats of single characters when the last ``size`` before them are all that is heard, (characters,).

    The same characters for every size of SIZES: those with more than the largest before them.
    """
    excerpts = [
        piece[place - size : place + 1] for piece in pieces for place in range(max(SIZES) + 1, len(piece), EVERY)
    ]
    return np.array([nats[-1] for nats in piece_nats(model, excerpts, batch_size=256)])


def whole_nats(model: SequenceModel, pieces: Sequence[Ids]) -> NDArray[np.float64]:
    """The same when all of the passage is heard."""
    nats = piece_nats(model, pieces)
    return np.concatenate([each[max(SIZES) :: EVERY] for each in nats])  # entry i is of character i + 1


@torch.no_grad()
def network_texts(model: SequenceModel, prompts: Ids, length: int, temperature: float, seed: int) -> Ids:
    """What a network goes on with, (prompts, length), from prompts (prompts, characters)."""
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    outputs, state = model(torch.from_numpy(prompts).to(device), model.initial_state(len(prompts)))
    now, written = outputs[:, -1], []
    for _ in range(length):
        ids = model.sample(now, generator, temperature)
        written.append(ids)
        now, state = model.step(ids, state)
    return torch.stack(written, dim=1).cpu().numpy()


def counted_texts(model: NGram | PPM, prompts: Ids, length: int, temperature: float, seed: int) -> Ids:
    """The same of counts."""
    written = []
    for number, prompt in enumerate(prompts):
        generator, past = np.random.default_rng((seed, number)), prompt.tolist()
        for _ in range(length):
            said = model.log_probabilities(np.array(past[-model.order :])) / temperature
            shares = np.exp(said - said.max())
            past.append(int(generator.choice(len(shares), p=shares / shares.sum())))
        written.append(past[len(prompt) :])
    return np.array(written, np.int64)


def prompts_of(book: Book, count: int) -> Ids:
    """Beginnings of test passages, one after the other and again from the first, (count, characters)."""
    long = [passage[:PROMPT] for passage in book.test if len(passage) >= PROMPT]
    return np.stack([long[number % len(long)] for number in range(count)])


def measured_texts(book: Book, texts: Ids) -> dict[str, Any]:
    """What is told of written texts: counts of each, and the first of them to be read."""
    said = [book.text(text) for text in texts]
    words = book.words
    marks = [closings(text) for text in said]
    return {
        "opened": [opened for opened, _ in marks],
        "closed": [closed for _, closed in marks],
        "words": [len(words_of(text)) for text in said],
        "known": [sum(word in words for word in words_of(text)) for text in said],
        "sample": said[0],
    }


def ngram(vocabulary: int, order: int) -> NGram:
    """All orders have a say."""
    return NGram(order, vocabulary)


def ppm(vocabulary: int, order: int) -> PPM:
    """The longest context seen in training decides."""
    return PPM(order, vocabulary_size=vocabulary)


def measure_counts(row: str, path: Path, texts: int, length: int, temperature: float) -> dict[str, Any]:
    """What is measured of counts: "ngram", "ppm", or "copy", which is PPM with copies of the longest match."""
    book = open_book(path)
    maker: Callable[[int, int], Any] = ngram if row == "ngram" else ppm

    def valid(model: Any) -> float:
        return float(np.concatenate([model.nats(piece)[1:] for piece in book.valid]).mean())

    means = {order: valid(maker(book.vocabulary, order).fit(book.train)) for order in ORDERS}
    order = min(means, key=lambda order: means[order])
    model: Any = maker(book.vocabulary, order)
    if row == "copy":
        model = MatchCopy(partial(ppm, book.vocabulary, order))
    model.fit(book.train)
    found: dict[str, Any] = {
        "order": order,
        "valid": valid(model),
        "nats": [float(model.nats(piece)[1:].sum()) for piece in book.test],
    }
    if row != "copy":
        written = counted_texts(model, prompts_of(book, texts), length, temperature, 0)
        found["texts"] = measured_texts(book, written)
    return found


def measure_network(
    model: SequenceModel, path: Path, texts: int, length: int, temperature: float, seed: int
) -> dict[str, Any]:
    """What is measured of a trained network on the test chapter."""
    book = open_book(path)
    written = network_texts(model, prompts_of(book, texts), length, temperature, seed)
    return {
        "nats": [float(nats.sum()) for nats in piece_nats(model, book.test)],
        "cut": [float(cut_nats(model, book.test, size).mean()) for size in SIZES],
        "whole": float(whole_nats(model, book.test).mean()),
        "texts": measured_texts(book, written),
    }


def measure_real(path: Path) -> dict[str, Any]:
    """The same figures of the test chapter itself."""
    book = open_book(path)
    return measured_texts(book, [passage[1:] for passage in book.test])  # type: ignore[arg-type]
