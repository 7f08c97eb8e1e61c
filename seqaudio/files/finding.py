"""Which piece of a file is meant? By its number, by words of its title as people type them, or by its position."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from seqaudio.errors import OptionError

MOST_NAMED = 5  # of the pieces that may be meant
MOST_LETTERS = 40  # of a title
APOSTROPHES = "'’‘`´"


def find_piece(wanted: str, names: Sequence[tuple[str, ...]], file: str) -> int:
    """The position, from 0, of the piece that is wanted.

    A number, or the name of a roll, comes before titles; a whole title before words of one, and these, in any order,
    before beginnings of words. Capitals, accents and punctuation do not count.

    Args:
        wanted: ``12``, ``train-3``, ``morrison jig``, or ``#2`` for the second piece of the file.
        names: of each piece its number or name, which may be empty, and its titles.
        file: stands in the errors.

    Raises:
        OptionError: no piece is wanted so, or several are.
    """
    if position := re.fullmatch(r"#(\d{1,9})", wanted.strip()):
        if 1 <= int(position[1]) <= len(names):
            return int(position[1]) - 1
        raise OptionError(f"{file}: has no {wanted.strip()}; its pieces are #1 to #{len(names)}")
    if names == [("",)]:
        raise OptionError(f"{file}: is one piece, with no {wanted!r} in it; leave out which of its pieces")
    words = _words(wanted)
    if not words:
        raise OptionError(
            f"{file}: {wanted!r} names no piece; give a number, words of a title, or #1 for the first piece"
        )
    plain = _number(re.sub(r"^\s*X:", "", wanted))
    found = [i for i, (number, *_) in enumerate(names) if plain and _number(number) == plain]
    for fits in (_is_whole, _has_words, _has_beginnings)[: 2 if "".join(words).isdecimal() else 3]:
        found = found or [i for i, (_, *titles) in enumerate(names) if any(fits(words, title) for title in titles)]
    if len(found) == 1:
        return found[0]
    some = [f"#{i + 1}: {_label(*names[i])}" for i in found] or [_label(*name) for name in names]
    listed = ", ".join(some[:MOST_NAMED]) + ", ..." * (len(some) > MOST_NAMED)
    if found:
        raise OptionError(
            f"{file}: {wanted!r} may be {len(found)} of its {len(names):,} pieces ({listed}); give more words, "
            f"or #{found[0] + 1} for the first of them"
        )
    which = f"none of its {len(names):,} pieces" if len(names) > 1 else "not its only piece"
    raise OptionError(f"{file}: {wanted!r} is {which} ({listed}); give a name, words of a title, or #1 for the first")


def _number(text: str) -> str:
    """A number or name without what makes no difference: capitals, spaces around it, zeros in front."""
    text = text.strip().casefold()
    return str(int(text)) if re.fullmatch(r"[0-9]{1,18}", text) else text


def _words(text: str, apostrophe: str = "") -> list[str]:
    """Words without capitals and accents, and with nothing, or something else, for apostrophes."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    kept = (apostrophe if c in APOSTROPHES else c for c in letters if not unicodedata.combining(c))
    return re.findall(r"\w+", "".join(kept))


def _is_whole(words: list[str], title: str) -> bool:
    return words == _words(title)


def _has_words(words: list[str], title: str) -> bool:
    return set(words) <= _all_words(title)


def _has_beginnings(words: list[str], title: str) -> bool:
    return all(any(known.startswith(word) for known in _all_words(title)) for word in words)


def _all_words(title: str) -> set[str]:
    """Both morrisons, and morrison and s."""
    return {*_words(title), *_words(title, " ")}


def _label(number: str, *titles: str) -> str:
    title = titles[0] if titles else ""
    cut = title[:MOST_LETTERS] + "..." * (len(title) > MOST_LETTERS)
    return " ".join([*([number] if number else []), *([repr(cut)] if titles else [])]) or "without a name"
