"""In which order are the measures of a score played?

Conventions: measures are numbered from 0 as they are written. Repeats, endings (voltas), da capo, dal segno, coda and
fine are written out, as a musician would play them:

- A backward repeat goes back once, or as often as its ``times`` or the numbers of the endings say, to the last forward
  repeat, else to where the last repeated section ended, else to the beginning.
- D.C. and D.S. are taken once, at the end of their measure and after its repeats. From then on repeats are not taken,
  of several endings the last is played, Fine ends the piece, and "To Coda" leads to the coda, both at the end of their
  measure. Of several coda signs without "To Coda", the first says where to leave and the last where to go.
- A jump to a sign that is not there is not taken, and counted.

The ``sound`` element says these things to players; words and signs are read where it is missing.
Source: MusicXML 4.0, the elements repeat, ending and sound, https://www.w3.org/2021/06/musicxml40/
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

WORDS = (
    ("dacapo", re.compile(r"\bD\.? ?C\.?(?![a-z])|\bda capo\b", re.I)),
    ("dalsegno", re.compile(r"\bD\.? ?S\.?(?![a-z])|\bdal segno\b", re.I)),
    ("tocoda", re.compile(r"^\W*to coda\b", re.I)),
    ("fine", re.compile(r"^\W*fine\W*$", re.I)),
)
JUMPS = frozenset({"dacapo", "dalsegno"})


@dataclass(frozen=True)
class Signs:
    """What is written at one measure: repeat signs, the numbers of the ending it belongs to, and names of signs."""

    forward: bool = False
    times: int = 0  # how often the section that ends here is played; 0: no backward repeat
    endings: frozenset[int] = frozenset()
    marks: frozenset[str] = frozenset()


def play_order(parts: list[list[Element]], most: int, dropped: Counter[str]) -> list[int]:
    """Numbers of the measures in the order they are played, at most ``most + 1`` of them; counts jumps not taken."""
    signs = read_signs(parts)
    player = _Player(signs)
    while player.at < len(signs) and len(player.order) <= most:
        player.step()
    if player.lost:
        dropped["jumps to signs that are missing"] += player.lost
    return player.order


def read_signs(parts: list[list[Element]]) -> list[Signs]:
    """The signs of every measure, from all parts together."""
    found = []
    open_ending: frozenset[int] = frozenset()
    for index in range(max(map(len, parts), default=0)):
        measures = [part[index] for part in parts if index < len(part)]
        repeats = [sign for measure in measures for sign in measure.iterfind("barline/repeat")]
        backward = [sign for sign in repeats if sign.get("direction") == "backward"]
        endings = [sign for measure in measures for sign in measure.iterfind("barline/ending")]
        for sign in endings:
            if sign.get("type") == "start":
                open_ending = frozenset(int(number) for number in re.findall(r"\d{1,3}", sign.get("number") or "1"))
        found.append(
            Signs(
                forward=any(sign.get("direction") == "forward" for sign in repeats),
                times=max((_times(sign.get("times")) for sign in backward), default=0),
                endings=open_ending,
                marks=frozenset(mark for measure in measures for mark in _marks(measure)),
            )
        )
        if any(sign.get("type") in ("stop", "discontinue") for sign in endings):
            open_ending = frozenset()
    return _with_whole_endings(found)


def _with_whole_endings(signs: list[Signs]) -> list[Signs]:
    """The signs with each ending up to its repeat sign: many brackets are drawn over the first measure only."""
    whole = list(signs)
    since: list[int] = []  # measures behind a bracket that may still belong to it
    numbers: frozenset[int] = frozenset()
    for i, sign in enumerate(signs):
        if sign.endings or sign.forward:
            since, numbers = [], frozenset() if sign.times else sign.endings
            continue
        since.append(i)
        if sign.times:
            if numbers and i + 1 < len(signs) and signs[i + 1].endings:
                for belonging in since:
                    whole[belonging] = replace(signs[belonging], endings=numbers)
            since, numbers = [], frozenset()
    return whole


def _times(text: str | None) -> int:
    return min(max(int(text), 2), 10**6) if text and text.strip().isdecimal() and len(text) < 10 else 2


def _marks(measure: Element) -> list[str]:
    """Names of the signs at a measure, those of the sound element."""
    found = []
    for element in measure.iter():
        match element.tag:
            case "sound":
                names = ("dacapo", "dalsegno", "tocoda", "fine", "coda", "segno")
                found += [name for name in names if element.get(name) not in (None, "no")]
            case "segno" | "coda":
                found.append(element.tag)
            case "words":
                text = element.text or ""
                found += [name for name, pattern in WORDS if len(text) < 100 and pattern.search(text)]
    return found


def _rounds(signs: list[Signs]) -> list[tuple[int, frozenset[int]]]:
    """For each measure: how often the section it closes is played, and the numbers of its group of endings."""
    groups: list[list[int]] = []
    numbers: frozenset[int] = frozenset()
    for i, sign in enumerate(signs):
        before = signs[i - 1].endings if i else frozenset()
        if sign.endings and before and (sign.endings == before or min(sign.endings) > max(numbers)):
            groups[-1].append(i)
            numbers |= sign.endings
        else:
            groups.append([i])
            numbers = sign.endings
    rounds = []
    for group in groups:
        numbers = frozenset().union(*(signs[i].endings for i in group))
        alone = numbers <= {1}  # an ending without a second one is left out the second time
        times = max([*numbers, *(signs[i].times for i in group if alone)])
        rounds += [(times, numbers)] * len(group)
    return rounds


class _Player:
    """A reader's finger on the score: where it is, which time round, and whether it has jumped."""

    def __init__(self, signs: list[Signs]) -> None:
        self.signs = signs
        self.rounds = _rounds(signs)
        self.order: list[int] = []
        self.at = 0
        self.start = 0  # of the section under repetition
        self.round = 1
        self.jumped = False
        self.lost = 0
        codas = [i for i, sign in enumerate(signs) if "coda" in sign.marks]
        leaves = [i for i, sign in enumerate(signs) if "tocoda" in sign.marks]
        if not leaves and len(codas) > 1:
            leaves = codas[:1]
        self.leave = leaves[0] if leaves else -1
        self.coda = next((i for i in reversed(codas) if i > self.leave), -1)
        self.segno = next((i for i, sign in enumerate(signs) if "segno" in sign.marks), -1)

    def step(self) -> None:
        """Play the measure under the finger, or pass over it, and move on."""
        here, sign = self.at, self.signs[self.at]
        leaving = here > 0 and self.signs[here - 1].endings and not sign.endings
        if (sign.forward or leaving) and self.start < here:
            self.start, self.round = here, 1
        if sign.endings and not self._is_turn_of(here):
            self.at += 1
            return
        self.order.append(here)
        self.at = self._next(here, sign)

    def _is_turn_of(self, here: int) -> bool:
        """Is the ending around a measure played this time? The last one stands for every number that none has."""
        last, numbers = self.rounds[here]
        now = last if self.jumped or (self.round not in numbers and self.round > 1) else self.round
        return now in self.signs[here].endings or (now == self.round == 1 and 1 not in numbers)

    def _next(self, here: int, sign: Signs) -> int:
        if self.jumped:
            if "fine" in sign.marks:
                return len(self.signs)
            return self.coda if here == self.leave and self.coda > here else here + 1
        if sign.times:
            if self.round < self.rounds[here][0]:
                self.round += 1
                return self.start
            self.start, self.round = here + 1, 1
        if JUMPS & sign.marks:
            to = self.segno if "dalsegno" in sign.marks else 0
            self.lost += to < 0
            if to >= 0:
                self.jumped, self.start, self.round = True, 0, 1
                return to
        return here + 1
