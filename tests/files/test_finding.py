"""Is the piece found that people mean, however they type it, and is each within reach?"""

import re

import pytest
from hypothesis import given, strategies as st

from seqaudio.errors import OptionError
from seqaudio.files.finding import find_piece

BOOK = [
    ("1", "The Jig of Slurs"),
    ("2", "Kesh   Jig", "The Castle"),
    ("3", "Jig"),
    ("04", "Morrison's", "Été à l’Örsa"),
    ("5", "The Lark in the Morning"),
    ("6", "1812"),
    ("7", "Reel"),
    ("7", "Reel"),
    ("", "Wi' a 100 Pipers"),
    ("10", "1"),
]


@pytest.mark.parametrize(
    ("wanted", "position"),
    [
        ("2", 1),
        (" 02 ", 1),
        ("X:2", 1),
        ("4", 3),
        ("castle", 1),  # another name of it
        ("KESH jig", 1),
        ("jig", 2),  # a title, whole, and not words of two others
        ("of slurs", 0),
        ("morning lark", 4),
        ("Morris", 3),
        ("morrisons", 3),
        ("Morrison’s", 3),
        ("ete orsa", 3),
        ("E\u0301te\u0301", 3),  # as some systems write accents
        ("1812", 5),
        ("1", 0),  # a number comes before a title
        ("100 pipers", 8),
        ("#9", 8),
        ("#8", 7),
    ],
)
def test_a_piece_is_found_by_number_title_or_position(wanted: str, position: int) -> None:
    assert find_piece(wanted, BOOK, "b.abc") == position


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("7", "may be 2 of its 10 pieces (#7: 7 'Reel', #8: 7 'Reel'); give more words, or #7 for the first of them"),
        ("the", "'the' may be 3 of its 10 pieces (#1: 1 'The Jig of Slurs', #2: 2 'Kesh   Jig', #5: 5 'The Lark"),
        ("0", "b.abc: '0' is none of its 10 pieces (1 'The Jig of Slurs', 2 'Kesh   Jig', 3 'Jig', 04"),
        ("-3", "'-3' is none of its 10 pieces"),
        ("arson", "; give a name, words of a title, or #1 for the first"),
        ("-18", "'-18' is none of its 10 pieces"),  # the beginning of a number in a title is none
        ("X:", "'X:' is none of its 10 pieces"),  # which one of them has no number
        ("", "'' names no piece; give a number, words of a title, or #1 for the first piece"),
        ("?.*", "names no piece"),
        ("#0", "b.abc: has no #0; its pieces are #1 to #10"),
        ("#11", "has no #11"),
    ],
)
def test_what_no_piece_is_called_or_several_are_is_told(wanted: str, told: str) -> None:
    with pytest.raises(OptionError, match=re.escape(told)) as caught:
        find_piece(wanted, BOOK, "b.abc")
    assert "\n" not in str(caught.value)


def test_long_titles_and_long_lists_are_cut() -> None:
    with pytest.raises(OptionError) as caught:
        find_piece("none", [(str(i), "title " * 500) for i in range(9)], "b.abc")
    assert len(str(caught.value)) < 500
    assert "4 'title " in str(caught.value)
    assert "5 'title " not in str(caught.value)
    assert ", ...)" in str(caught.value)


def test_names_of_rolls_and_what_has_none() -> None:
    rolls = [("train-1",), ("train-10",), ("test-1",)]
    assert find_piece("Train-10", rolls, "a.json") == 1
    with pytest.raises(OptionError, match=r"'test' is none of its 3 pieces \(train-1, train-10, test-1\)"):
        find_piece("test", rolls, "a.json")
    with pytest.raises(OptionError, match=r"\(without a name, 2 ''\)"):
        find_piece("x", [("",), ("2", "")], "b.abc")
    with pytest.raises(OptionError, match=r"b\.abc: 'x' is not its only piece \(1 'Reel'\); give a name"):
        find_piece("x", [("1", "Reel")], "b.abc")
    with pytest.raises(OptionError, match=r"a\.mid: is one piece, with no '3' in it; leave out which of its pieces"):
        find_piece("3", [("",)], "a.mid")


@given(
    st.lists(st.tuples(st.integers(0, 99).map(str), st.text(max_size=8)), min_size=1, unique_by=lambda name: name[0])
)
def test_every_piece_is_within_reach(names: list[tuple[str, str]]) -> None:
    """By its position, and by a number that no other has, whatever titles there are."""
    for position, (number, _) in enumerate(names):
        assert find_piece(f"#{position + 1}", names, "b.abc") == position
        assert find_piece(number, names, "b.abc") == position
