"""The last word of a long sentence, in Spanish: a task of words for seqaudio.memory.recall.

    El niño que vivía en la casa azul , junto a su perro , su bicicleta , siempre fue muy travieso

The last word agrees with the first noun in gender and number, and with what that noun is: a child is naughty, a
grandparent wise. In between stand 0 to 60 things and people, each of which has a gender and a number of its own, and
people among them have another adjective. The verb tells the number once more, so who has forgotten the subject can do
no better than one in sixteen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from seqaudio.memory.tasks import Batch, TokenTask

# masculine and feminine, one and several; each pair with the adjective that goes with it, likewise
PEOPLE = (
    ("niño niña niños niñas", "travieso traviesa traviesos traviesas"),
    ("abuelo abuela abuelos abuelas", "sabio sabia sabios sabias"),
    ("maestro maestra maestros maestras", "severo severa severos severas"),
    ("médico médica médicos médicas", "atento atenta atentos atentas"),
    ("gato gata gatos gatas", "perezoso perezosa perezosos perezosas"),
    ("lobo loba lobos lobas", "fiero fiera fieros fieras"),
    ("payaso payasa payasos payasas", "divertido divertida divertidos divertidas"),
    ("marinero marinera marineros marineras", "tranquilo tranquila tranquilos tranquilas"),
)
THINGS = (
    "perro bicicleta libro guitarra sombrero lámpara reloj mesa zapatos llaves caballo manzana pan carta espejos "
    "flores barco pelota violín silla cuadernos velas paraguas maleta"
).split()
PLACES = ("casa azul", "torre blanca", "calle vieja", "isla verde")
ARTICLES = ("el", "la", "los", "las")
FORMS, PEOPLE_SHARE = 4, 0.3
START, STOP = "<s>", ","


class Sentence(NamedTuple):
    """What was drawn for a sentence.

    Attributes:
        meaning: which of the people, (rows,).
        form: masculine, feminine, and the same of several, (rows,).
    """

    meaning: NDArray[np.int64]
    form: NDArray[np.int64]


class LastWord(TokenTask):
    """Sentences whose last word agrees with their subject; the distance is the number of distracting nouns.

    Args:
        distances: nouns.
    """

    name, unit = "last word", "nouns"

    def __init__(self, distances: Sequence[int] = (0, 1, 2, 4, 8, 15, 30, 60)) -> None:
        self.distances = tuple(distances)
        nouns, adjectives = ([word for pair in PEOPLE for word in pair[i].split()] for i in (0, 1))
        places = [word for place in PLACES for word in place.split()]
        others = "que vivía vivían en junto a su sus siempre fue fueron muy".split()
        self.words = list(dict.fromkeys([START, STOP, *ARTICLES, *others, *places, *nouns, *THINGS, *adjectives]))
        self._id = {word: place for place, word in enumerate(self.words)}
        self._nouns, self._adjectives, self._things = (self._ids(words) for words in (nouns, adjectives, THINGS))
        super().__init__(len(self.words), len(adjectives) // 2)  # the verb tells the number

    def steps(self, distance: int) -> int:
        """See :class:`seqaudio.memory.tasks.Task`: from the noun to the last word."""
        return 13 + 3 * distance

    def draw(self, rows: int, distance: int, generator: Generator) -> Batch:
        """See :class:`seqaudio.memory.tasks.Task`."""
        meaning, form = generator.integers(0, len(PEOPLE), rows), generator.integers(0, FORMS, rows)
        several = form >= 2
        place = self._ids([word for place in PLACES for word in place.split()]).reshape(-1, 2)
        columns = [
            self._same(rows, START),
            self._ids(ARTICLES)[form],
            self._nouns[FORMS * meaning + form],
            self._same(rows, "que"),
            self._of_number(several, "vivía", "vivían"),
            self._same(rows, "en"),
            self._same(rows, "la"),
            *place[generator.integers(0, len(PLACES), rows)].T,
            self._same(rows, STOP),
            self._same(rows, "junto"),
            self._same(rows, "a"),
        ]
        for _ in range(distance):
            noun = self._distractor(rows, generator)
            columns += [self._of_number(self._is_several(noun), "su", "sus"), noun, self._same(rows, STOP)]
        columns += [
            self._same(rows, "siempre"),
            self._of_number(several, "fue", "fueron"),
            self._same(rows, "muy"),
            self._adjectives[FORMS * meaning + form],
        ]
        ids = np.stack(columns, axis=1)
        return Batch(ids[:, :-1], ids[:, 1:], np.arange(ids.shape[1] - 1) == ids.shape[1] - 2)

    def said(self, batch: Batch) -> Sentence:
        """What the sentences of a batch are about, by their last word."""
        adjective = np.searchsorted(self._adjectives, batch.targets[:, -1])
        return Sentence(adjective // FORMS, adjective % FORMS)

    def agrees(self, word: NDArray[np.int64], sentence: Sentence) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether words (rows,) are adjectives of the right form, and of the right meaning."""
        is_adjective = np.isin(word, self._adjectives)
        place = np.searchsorted(self._adjectives, np.where(is_adjective, word, self._adjectives[0]))
        return is_adjective & (place % FORMS == sentence.form), is_adjective & (place // FORMS == sentence.meaning)

    def text(self, ids: NDArray[np.int64]) -> list[str]:
        """Ids as words."""
        return [self.words[place] for place in ids.tolist()]

    def _distractor(self, rows: int, generator: Generator) -> NDArray[np.int64]:
        """Nouns: things, and people as often as three times in ten."""
        people = self._nouns[generator.integers(0, len(self._nouns), rows)]
        things = self._things[generator.integers(0, len(self._things), rows)]
        return np.where(generator.random(rows) < PEOPLE_SHARE, people, things)

    def _is_several(self, noun: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether nouns are plural, which in these lists their s tells."""
        plural = np.array([word.endswith("s") and word != "paraguas" for word in self.words])
        return plural[noun]

    def _of_number(self, several: NDArray[np.bool_], one: str, many: str) -> NDArray[np.int64]:
        return np.where(several, self._id[many], self._id[one])

    def _same(self, rows: int, word: str) -> NDArray[np.int64]:
        return np.full(rows, self._id[word])

    def _ids(self, words: Sequence[str]) -> NDArray[np.int64]:
        return np.array([self._id[word] for word in words])
