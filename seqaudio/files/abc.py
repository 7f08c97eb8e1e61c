"""How is an ABC tune book read?

Conventions: a book is split at its ``X:`` lines; each tune becomes one score at 480 ticks per quarter with repeats
written out. The parser is symusic's (it carries abc2midi). It stumbles on ornaments and decorations, prints on the
process's own stdout, and starts tunes with a pickup as if the pickup were the first beat. So the text is cleaned first
and every thing taken out is counted, what the parser prints is caught and counted, and the bar lines are recovered:
abc2midi accents the first note behind each bar line, and the accents vote on where the bars begin.

Rules: grace notes, decorations, slurs and annotations are left out; chord symbols are a track of their own
(:mod:`seqaudio.files.abc_chords`); a tune that begins with a pickup begins with the rest that completes its first bar.
Source of the notation: the ABC standard 2.1, https://abcnotation.com/wiki/abc:standard:v2.1
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import symusic

from seqaudio.errors import BadFileError
from seqaudio.files.abc_chords import ChordSymbols, with_chords, without_placeholders
from seqaudio.files.atomic import read_bytes, shown
from seqaudio.files.limits import DEFAULT_LIMITS, Limits, checked
from seqaudio.files.symusic_score import score_from_symusic
from seqaudio.music.score import IntArray, Score

DOWNBEAT_VELOCITY = 105  # abc2midi's accent on the first note behind a bar line
GRID = 15  # ticks of a 128th: every bar line stands on such
PARSER_START = 1  # the tick at which its tunes begin; it ends notes one tick early
STEADY = 3  # accents in a row that must agree before a bar line is moved
KEPT_FIELDS = "XTMLQKVP"
FIELD = r"(?![A-Ga-gxz]:[|:])[A-Za-z]:"  # a lone note and a repeat sign are none
INDENT = re.compile(rf"(?m)^[ \t]+(?={FIELD})")
FILE_FIELD = re.compile(r"(?m)^([MLQ]):([^%\n]{1,80})(?=%|$)")  # of the file header, those that say how its tunes sound
FILE_HEADER = re.compile(r"\s*((?:(?:[A-Za-z]:|%).*\n)+)(?=[ \t]*\n|\Z)")
INLINE_FIELD = re.compile(r"(\[[A-Za-z]:[^\[\]]{0,200}\])")
TOGETHER = "%%MIDI chordattack 0"  # or the parser begins the notes of a chord one after the other

COMMENT = re.compile(r"(?<!\\)%.*$")
# what is taken out of a line of notes, in this order; the name is the one it is counted under
CLEANING = (
    ("grace notes", re.compile(r"\{[^{}]*\}")),
    ("decorations", re.compile(r"![A-Za-z0-9.+<>()^-]{1,20}!|\+[a-z.]{2,12}\+|[~`$*;?@#HIJKLMNOPQRSTUVW]|\\$")),
    ("staccato dots", re.compile(r"\.(?=[\^_=(A-Ga-g\[])")),
    ("slurs", re.compile(r"\((?![\d&])|(?<!&)\)")),  # (& and &) hold further voices over several bars
)

# in the notes and in the fields that say how long things last or how often they sound
HUGE_NUMBER = re.compile(r"(?m)^(?![XTQKV]:).*?(\d{5})")


@dataclass(frozen=True)
class Tune:
    """One tune of a book: its ``X:`` number, title and score, and counts of what was left out on the way."""

    number: str
    title: str
    score: Score
    dropped: dict[str, int]


class Cleaned(NamedTuple):
    """The text of a tune for the parser, the same for the times of its chord symbols, these, and counts of the rest."""

    text: str
    marked: str
    chords: ChordSymbols
    dropped: Counter[str]


def read_abc(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> list[Tune]:
    """Every tune of an ABC file, in order.

    Raises:
        BadFileError: the file cannot be read or holds no tune.
        OverLimitError: it is larger than ``limits`` allow.
    """
    return [read_tune(text, shown(path), limits) for text in book_texts(read_bytes(path, limits), shown(path), limits)]


def book_texts(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> list[str]:
    """The text of every tune in the bytes of an ABC file; ``name`` stands in the errors; raises as :func:`read_abc`."""
    text = decode_text(data)
    limits.check("max_tunes", len(re.findall(r"(?:^|[\r\n])[ \t]*X:", text)), name)
    texts = split_book(text)
    if not texts:
        raise BadFileError(
            f"{name}: no ABC tune inside (no line begins with 'X:' or 'K:'); give a file in ABC notation"
        )
    return texts


def decode_text(data: bytes) -> str:
    """Text from bytes: UTF-8, else Latin-1, as old tune books are."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def split_book(book: str) -> list[str]:
    """The text of each tune, from its ``X:`` line to the blank line or the next ``X:`` that ends it.

    What the header of the file says of metre, unit length and tempo stands behind the ``X:`` of each tune that does not
    say it itself. A book with a key but no ``X:`` is one tune, number 1. Spaces in front of fields go.
    """
    lines = INDENT.sub("", book.replace("\r\n", "\n").replace("\r", "\n"))
    before, *parts = re.split(r"(?m)^(?=X:)", lines)
    if not parts and re.search(r"(?m)^K:", lines):
        before, parts = "", ["X:1\n" + re.split(rf"(?m)^(?={FIELD})", lines, maxsplit=1)[1]]
    header = FILE_HEADER.match(before)
    fields = dict(FILE_FIELD.findall(header[1])) if header else {}
    return [_with_fields(part[: _end_of_tune(part)], fields) for part in parts]


def _with_fields(text: str, fields: dict[str, str]) -> str:
    """A tune with the fields of the file header in front of its own, which come later and count."""
    number = text.split("\n", 1)[0]
    added = "".join(f"\n{letter}:{fields[letter].rstrip()}" for letter in "MLQ" if letter in fields)
    return number + added + text[len(number) :]


def _end_of_tune(text: str) -> int:
    """Where the first blank line stands that no further line of the tune follows."""
    for space in re.finditer(r"\s{2,}", text):
        blank = re.search(r"\n[ \t]*\n", space[0])
        if blank and not re.match(r"[A-Za-z|\[(]", text[space.end() : space.end() + 1]):
            return space.start() + blank.start()
    return len(text)


def read_tune(text: str, name: str, limits: Limits = DEFAULT_LIMITS) -> Tune:
    """One tune from its text; ``name`` stands in the errors.

    Raises:
        BadFileError: it is no sound tune.
        OverLimitError: it exceeds one of the budgets.
    """
    number, title = number_of(text), (titles_of(text) or [""])[0]
    place = f"{name}: tune {number or '?'}"
    cleaned, marked, chords, dropped = clean_tune(text)
    if not _fields(cleaned, "K"):
        raise BadFileError(
            f"{place}: no K: line, which ends the fields at the top; write one with the key, such as K:C"
        )
    if huge := HUGE_NUMBER.search(cleaned):
        raise BadFileError(
            f"{place}: a length or count of {huge[1]}..., which overflows the parser; write 9999 at most"
        )
    played, printed = _parsed(cleaned, place)
    remarks = Counter(re.findall(rb"(?m)^(Error|Warning) in line-char", printed))
    dropped.update({f"parser {kind.decode().lower()}s": count for kind, count in remarks.items()})
    score, moved = _on_bar_lines(played)
    if title and score.track_names:  # the parser's name is that of the last title, which may be another name
        score = score.replaced(track_names=(title, *score.track_names[1:]))
    marks = _marks(marked, place) if chords.count and len(score) else None
    if marks is None:
        dropped["chord symbols"] += chords.count
    else:
        times = chords.times(marks)
        *ticks, end = moved(np.array([*(tick for tick, _ in times), marks.end + 1], np.int64)).tolist()
        score = with_chords(score, zip(ticks, (chord for _, chord in times), strict=True), max(end, score.end))
    return Tune(number, title, checked(score, limits, place), dict(sorted((+dropped).items())))


def _marks(marked: str, place: str) -> Score | None:
    """The times of chord symbols; None where the parser cannot tell, for no tune is refused for its symbols."""
    try:
        return _parsed(marked, place)[0]
    except BadFileError:
        return None


def _parsed(cleaned: str, place: str) -> tuple[Score, bytearray]:
    """What the parser makes of a text, and what it printed."""
    with _caught_output() as printed:
        try:
            parsed = symusic.Score.from_abc(cleaned)
        except (RuntimeError, ValueError, UnicodeError) as problem:
            raise BadFileError(f"{place}: cannot be parsed as ABC ({_reason(problem)})") from None
    return score_from_symusic(parsed), printed  # type: ignore[arg-type]


def _reason(problem: Exception) -> str:
    """What the parser says, without the paths of its own files: they differ from run to run."""
    return re.sub(r":? \S*[/\\].*", "", (str(problem).splitlines() or ["no reason given"])[0]).strip()


def number_of(text: str) -> str:
    """What stands in the ``X:`` line of a tune."""
    return (_fields(text, "X") or [""])[0]


def titles_of(text: str) -> list[str]:
    """The titles of a tune, from its ``T:`` lines; those behind the first are other names of it."""
    return _fields(text, "T")


def _fields(text: str, letter: str) -> list[str]:
    return [found.split("%")[0].strip() for found in re.findall(rf"(?m)^{letter}:(.*)$", text)]


def clean_tune(text: str) -> Cleaned:
    """The tune text with only what the parser understands, and what was taken out of it."""
    chords, dropped = ChordSymbols(), Counter[str]()
    lines, marked = list[str](), list[str]()
    for line in text.split("\n"):
        if re.match(FIELD, line):
            kept = [line.split("%")[0].rstrip()] if line[0] in KEPT_FIELDS else []
            kept = ["K:none"] if kept == ["K:"] else kept  # as ABC 2.1 has it: no key signature
            kept += [TOGETHER] if line[0] == "X" else []
            lines += kept
            marked += map(chords.field, kept)
        elif line.strip() and not line.startswith("%"):  # a million blank lines are soon passed over
            parts = [_clean_part(part, dropped) for part in INLINE_FIELD.split(_symbols_taken(line, chords, dropped))]
            lines.append(without_placeholders("".join(parts)).strip())
            read = ((chords.field if i % 2 else chords.marked)(part) for i, part in enumerate(parts))
            marked.append("".join(read).strip())
    return Cleaned(_joined(lines), _joined(marked), chords, +(dropped + chords.dropped))


def _joined(lines: list[str]) -> str:
    return "\n".join(line for line in lines if line) + "\n"


def _symbols_taken(line: str, chords: ChordSymbols, dropped: Counter[str]) -> str:
    """A line of notes without comment, and with placeholders for its chord symbols; what goes is counted."""
    line, comments = COMMENT.subn("", line)
    dropped["comments"] += comments
    return chords.taken(line)


def _clean_part(part: str, dropped: Counter[str]) -> str:
    """A field inside a line, such as [M:3/4], or the notes between two of them; what goes is counted."""
    if INLINE_FIELD.fullmatch(part):
        dropped["fields inside lines"] += part[1] not in KEPT_FIELDS
        return part if part[1] in KEPT_FIELDS else ""
    for what, pattern in CLEANING:
        part, count = pattern.subn("", part)
        dropped[what] += count
    return part


@contextmanager
def _caught_output() -> Iterator[bytearray]:
    """Catch what C code prints on the process's own stdout and stderr; the text is there once the block ends."""
    printed = bytearray()
    flush_c_streams = ctypes.CDLL(None).fflush if os.name == "posix" else ctypes.cdll.msvcrt.fflush
    for ours in (sys.stdout, sys.stderr):
        if ours is not None:  # a process may be started without one
            ours.flush()
    kept = [os.dup(stream) for stream in (1, 2)]
    with tempfile.TemporaryFile() as sink:
        try:
            flush_c_streams(None)
            for stream in (1, 2):
                os.dup2(sink.fileno(), stream)
            yield printed
        finally:
            flush_c_streams(None)
            for stream, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, stream)
                os.close(copy)
            sink.seek(0)
            printed += sink.read()


def _on_bar_lines(score: Score) -> tuple[Score, Callable[[IntArray], IntArray]]:
    """The score with rests put in so that bar lines fall where the accents say, and where other ticks go by that.

    A pickup then ends the first bar, and a part that stops short of its bar line is filled up before the next begins.
    A pickup of rests alone is none: no bar without a note is put in front of a tune.
    """
    if not len(score):
        return score, lambda ticks: ticks
    _, numerator, denominator = score.metre_map()[0].tolist()
    bar = numerator * 4 * score.ticks_per_quarter // denominator
    accents = np.unique(score.onset[score.velocity == DOWNBEAT_VELOCITY])  # a chord is one accent
    at, rests = _rests_before_bar_lines(accents - PARSER_START, score.end + 1 - PARSER_START, bar)
    total = np.append(0, np.cumsum(rests))
    silence = int(score.onset.min()) - PARSER_START
    empty = ((silence + int(rests[at == 0].sum())) // bar - silence // bar) * bar

    def later(ticks: IntArray) -> IntArray:
        ticks = np.maximum(ticks - PARSER_START, 0)
        moved: IntArray = ticks + total[np.searchsorted(at, ticks, side="right")] - empty
        return np.maximum(moved, 0)

    def changes(rows: IntArray) -> IntArray:
        ticks = rows[:, 0] + (rows[:, 0] % GRID != PARSER_START) * PARSER_START  # only some are as late as the notes
        return np.column_stack([np.where(ticks > PARSER_START, later(ticks), 0), rows[:, 1:]])  # the first hold at once

    moved = score.replaced(
        onset=later(score.onset),
        duration=score.duration + 1,
        tempos=changes(score.tempos),
        time_signatures=changes(score.time_signatures),
    )
    return moved, later


def _rests_before_bar_lines(accents: IntArray, end: int, bar: int) -> tuple[IntArray, IntArray]:
    """Where rests go in, and how long each is (ticks), so that accents stand at multiples of ``bar``.

    One stray accent moves nothing: the place in the bar must hold for ``STEADY`` accents in a row. Behind the pickup of
    a tune, which is accented itself if no rest is in front of it, those there are must agree, and the bar be longer.
    """
    at, rests = [], []
    shift = 0
    lengths = np.diff(accents, append=end)
    for i in range(len(accents)):
        place = (accents[i : i + STEADY] + shift) % bar
        leads = i > 0 and _is_pickup(i, int(lengths[i - 1]), bar)
        enough = len(place) == STEADY or i == 0 or (i == 1 and leads and lengths[0] < lengths[1])
        if place[0] and (place == place[0]).all() and enough:
            first = i - 1 if leads else i
            at.append(int(accents[first]) if first else 0)
            rests.append(int(bar - place[0]))
            shift += rests[-1]
    return np.array(at, np.int64), np.array(rests, np.int64)


def _is_pickup(i: int, length: int, bar: int) -> bool:
    """Does the short bar in front of accent ``i`` lead into it, or end the part before? A pickup is the shorter."""
    return length < bar if i == 1 else 2 * length <= bar
