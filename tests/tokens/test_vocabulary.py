"""Laws of a vocabulary: names and ids are one another's inverse, kinds are slices, mistakes are named."""

import re

import numpy as np
import pytest

from seqaudio.errors import VocabularyError
from seqaudio.tokens import BarsTokenizer, Vocabulary

LEAST, MOST = BarsTokenizer(False, False, False, "drop"), BarsTokenizer(pedals="tokens")
SMALL = Vocabulary.of_kinds({"PAD": [None], "Pitch": range(60, 64), "TimeSig": ["3/4", "6/8"]})


def test_names_are_in_the_order_of_the_kinds() -> None:
    assert SMALL.names == (
        "PAD_None", "Pitch_60", "Pitch_61", "Pitch_62", "Pitch_63", "TimeSig_3/4", "TimeSig_6/8"
    )  # fmt: skip
    assert SMALL.kinds == ("PAD", "Pitch", "TimeSig")
    assert SMALL.slices == {"PAD": slice(0, 1), "Pitch": slice(1, 5), "TimeSig": slice(5, 7)}
    assert SMALL.first == {"PAD": 0, "Pitch": 1, "TimeSig": 5}
    assert SMALL.kind_of.tolist() == [0, 1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("vocabulary", [SMALL, MOST.vocabulary, LEAST.vocabulary])
def test_ids_and_names_are_inverse(vocabulary: Vocabulary) -> None:
    assert [vocabulary.id(name) for name in vocabulary.names] == list(range(len(vocabulary)))
    for i, name in enumerate(vocabulary.names):
        kind = vocabulary.kinds[vocabulary.kind_of[i]]
        assert name.startswith(kind + "_")
        assert vocabulary.slices[kind].start <= i < vocabulary.slices[kind].stop


def test_padding_is_zero_and_optional_tokens_come_last() -> None:
    """Batches pad with 0; the ids of what all options share are the same under every option."""
    least, most = LEAST.vocabulary, MOST.vocabulary
    assert least.names[:4] == ("PAD_None", "BOS_None", "EOS_None", "Bar_None")
    assert most.names[: len(least)] == least.names
    assert set(most.kinds) - set(least.kinds) == {"Program", "PitchDrum", "Velocity", "Tempo", "PedalUp", "PedalDown"}


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(VocabularyError, match=r"no token 'Pitch_64' in a vocabulary of 7 tokens of kinds .*TimeSig"):
        SMALL.id("Pitch_64")


@pytest.mark.parametrize(("ids", "message"), [([0, 7], "token id 7 at place 1"), ([-1], "token id -1 at place 0")])
def test_ids_outside_are_refused(ids: list[int], message: str) -> None:
    with pytest.raises(VocabularyError, match=re.escape(f"{message} is outside 0..6")):
        SMALL.checked(ids)


def test_ids_inside_become_one_row() -> None:
    checked = SMALL.checked(np.array([[0, 6]], dtype=np.uint16))
    assert (checked.dtype, checked.tolist()) == (np.int64, [0, 6])
    assert SMALL.checked([]).shape == (0,)


def test_a_vocabulary_shows_its_size_and_kinds() -> None:
    assert repr(SMALL) == "Vocabulary(7 tokens: PAD, Pitch, TimeSig)"
    assert repr(MOST.vocabulary) == f"Vocabulary({len(MOST.vocabulary)} tokens: {', '.join(MOST.vocabulary.kinds)})"
    many = Vocabulary(tuple(f"Word{i}_None" for i in range(500)))
    assert repr(many).startswith("Vocabulary(500 tokens: Word0, Word1, ")
    assert repr(many).endswith(", Word15, ...)")
