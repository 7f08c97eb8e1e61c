"""A page is one file that is whole, asks nobody for anything, runs nothing but its own, and says what it was given."""

import base64
import hashlib
import itertools
import json
import re

import numpy as np
import pytest

from seqaudio.cli.drawings import SHOWN_NOTES, SHOWN_PIECES
from seqaudio.errors import BadFileError, OptionError, OverLimitError
from seqaudio.music import Score
from seqaudio.report.page import (
    Figure,
    Matrix,
    Page,
    Panel,
    Series,
    Table,
    check_page_path,
    page_bytes,
    roll_of,
    write_page,
)
from seqaudio.report.page.packed import pooled, script_safe
from seqaudio.report.page.render import MOST_BYTES, PARTS, SCRIPTS, _places
from seqaudio.report.page.rolls import SHOWN_BARS, SHOWN_BARS_BEFORE
from seqaudio.report.page.words import ALIKE, bar_table, pitch_name, say_matrix, say_series
from seqaudio.structure import RealRange
from tests.report.page.reading import Reader
from tests.report.page.samples import HOSTILE, PIXEL, page_of, similarity
from tests.samples import tune


@pytest.fixture(scope="module")
def ordinary():
    return Reader(page_bytes(page_of(panels=3)).decode())


def test_every_element_is_closed_and_every_reference_leads_somewhere(ordinary):
    identifiers = [attributes["id"] for _, attributes in ordinary.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers)) > 5
    pointed = [attributes["aria-labelledby"] for _, attributes in ordinary.elements if "aria-labelledby" in attributes]
    pointed += [attributes["href"].removeprefix("#") for tag, attributes in ordinary.elements if tag == "a"]
    assert len(pointed) > 5
    assert set(pointed) <= set(identifiers)


def test_nothing_comes_from_elsewhere(ordinary):
    for tag, attributes in ordinary.elements:
        if tag == "img":
            assert attributes["src"].startswith("data:image/png;base64,")
            continue
        assert not attributes.keys() & {"src", "srcset", "data", "action", "style"}, tag
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        assert attributes.get("href", "#").startswith("#")
    text = page_bytes(page_of()).decode()
    assert not re.search(r"https?:|url\(|@import|import\(|fetch\(|XMLHttp|WebSocket|localStorage|cookie", text)


def test_its_policy_names_its_own_script_and_style_alone(ordinary):
    policy = next(attributes["content"] for _, attributes in ordinary.elements if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        digest = hashlib.sha256(ordinary.text_of(tag)[-1].encode()).digest()
        assert f"{kind} 'sha256-{base64.b64encode(digest).decode()}'" in policy
    handlers = [name for _, attributes in ordinary.elements for name in attributes if name.startswith("on")]
    assert not handlers


def test_every_drawing_has_words(ordinary):
    canvases = [attributes for tag, attributes in ordinary.elements if tag == "canvas"]
    assert len(canvases) == 3 * (1 + 2 + 2)
    for attributes in canvases:
        assert attributes["role"] == "img"
        assert len(attributes["aria-label"]) > 20
    for tag, attributes in ordinary.elements:
        if tag == "svg":
            assert attributes["aria-hidden"] == "true"  # the cells beside it say the same
        if tag == "button":
            assert attributes["type"] == "button"


def test_a_picture_stands_inside_the_page_with_its_words(ordinary):
    (image,) = (attributes for tag, attributes in ordinary.elements if tag == "img")
    kind, _, data = image["src"].partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == PIXEL
    assert image["alt"]
    policy = next(attributes["content"] for _, attributes in ordinary.elements if "http-equiv" in attributes)
    assert "img-src data:;" in policy


def test_there_is_one_h1_and_no_level_is_skipped(ordinary):
    levels = [int(tag[1]) for tag in ordinary.tags() if re.fullmatch(r"h\d", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_change_no_element(name, ordinary):
    data = page_bytes(page_of(name, panels=3))
    page = Reader(data.decode("utf-8", errors="strict"))
    assert page.tags() == ordinary.tags()
    assert [sorted(attributes) for _, attributes in page.elements] == [sorted(a) for _, a in ordinary.elements]
    assert page.text_of("script")[-1] == ordinary.text_of("script")[-1]
    shown = page.text_of("h1")[0]
    assert shown.isprintable()
    if name.isprintable():
        assert shown == page.text_of("title")[0] == name
        assert page.drawings()[0]["series"][0]["names"] == [name]
    assert not re.search(rb"[\x00-\x09\x0b-\x1f]|\xe2\x80[\xa8-\xae]", data)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_json_cannot_leave_its_element(text):
    safe = script_safe({"name": text})
    assert not set("<>&\u2028\u2029") & set(safe)
    assert json.loads(safe) == {"name": text}


def test_the_same_page_has_the_same_bytes():
    assert page_bytes(page_of()) == page_bytes(page_of())
    assert page_bytes(page_of()) != page_bytes(page_of("other"))


def test_notes_arrive_to_the_millisecond():
    score = tune(6, (6, 8), seed=3, tempos=[(0, 400_000), (1000, 700_001)])
    roll = roll_of(score, int(score.bars()[2]))
    data = Reader(page_bytes(Page("x", panels=[Panel("y", roll=roll)])).decode()).drawings()[0]["roll"]
    assert np.abs(np.cumsum(data["onset"]) / 1000 - score.seconds(score.onset)).max() <= 0.00051
    ends = score.seconds(score.onset + score.duration) - score.seconds(score.onset)
    assert np.abs(np.array(data["duration"]) / 1000 - ends).max() <= 0.00051
    assert data["pitch"] == score.pitch.tolist()
    assert np.abs(np.cumsum(data["lines"]) / 1000 - score.seconds(score.bars())).max() <= 0.00051
    assert data["split"] == 2


@pytest.mark.parametrize("size", [1, 7, 192, 193, 500])
def test_a_matrix_arrives_whole_or_by_the_likest_pair_of_a_block(size):
    values = similarity(size)
    data = Reader(page_bytes(Page("x", panels=[Panel("y", matrices=[Matrix("m", values)])])).decode()).drawings()
    drawn = data[0]["matrices"][0]
    cells = np.frombuffer(base64.b64decode(drawn["cells"]), np.uint8).reshape(drawn["size"], drawn["size"]) / 255
    span = drawn["span"]
    slow = np.array(
        [[values[i : i + span, j : j + span].max() for j in range(0, size, span)] for i in range(0, size, span)]
    )
    assert cells.shape == slow.shape
    assert len(cells) <= 192
    assert np.abs(cells - slow).max() <= 0.5 / 255 + 1e-9
    assert (pooled(values, 192)[0] == slow).all()


def test_a_long_series_arrives_by_means_and_holes_stay_holes():
    values = np.arange(4000.0)
    values[30:60] = np.nan
    drawn = Reader(
        page_bytes(Page("x", panels=[Panel("y", series=[Series("s", "nats", {"a": values})])])).decode()
    ).drawings()[0]["series"][0]
    span = drawn["span"]
    assert span == 7
    slow = [
        None if np.isnan(block).all() else round(float(np.nanmean(block)), 4)
        for block in (values[i : i + span] for i in range(0, 4000, span))
    ]
    assert drawn["lines"] == [slow]
    assert None in slow


def test_the_table_by_bar_says_what_the_drawings_show():
    panel = page_of(bars=12, new=8).panels[0]
    heads, rows, left_out = bar_table(panel)
    assert heads[:2] == ["bar", "notes"]
    assert heads[-1] == "most like bar"
    assert heads[2:4] == ["ordinary (nats)", "gates, ordinary 0"]
    assert [row.number for row in rows] == list(range(1, 21))
    assert [row.is_new for row in rows] == [False] * 12 + [True] * 8
    assert left_out == 0
    score, roll = tune(20), panel.roll
    lines = score.bars()
    for bar in range(12, 20):
        inside = (score.onset >= lines[bar]) & (score.onset < lines[bar + 1])
        assert rows[bar].cells[0] == " ".join(pitch_name(p) for p in score.pitch[inside].tolist())
    heard = sum(len(row.cells[0].split()) for row in rows)
    assert heard == (roll.kind > 0).sum() < len(roll.kind)
    assert rows[0].cells[1] == ""  # a bar without a number
    assert rows[1].cells[1] == f"{panel.series[0].lines['ordinary'][1]:.2f}"
    values = panel.matrices[0].values
    for bar, row in enumerate(rows):
        best = values[bar, :bar].max(initial=0)
        assert bool(row.cells[-1]) == (best >= ALIKE)
        if best >= ALIKE:
            earlier = int(row.cells[-1].split()[0]) - 1
            assert values[bar, earlier] == best


def test_a_matrix_in_words():
    values = np.eye(6)
    values[4, 1] = values[1, 4] = 0.5
    values[5, 3] = values[3, 5] = 0.49
    assert say_matrix(Matrix("m", values)) == "6 by 6 bars. Of the bars, 1 of 6 are at least half like an earlier bar."
    assert "Of the new bars, 1 of 3" in say_matrix(Matrix("m", values, 1, 3))
    assert "Of the new bars, 0 of 1" in say_matrix(Matrix("m", values, 1, 5))


def test_a_series_in_words():
    said = say_series(Series("s", "nats", {"surprise": np.array([1.0, np.nan, 3.0, 8.0])}, 1, 3))
    assert said == (
        "Surprise of the primer: mean 2.00 nats, highest 3.00 nats; surprise of the continuation: mean 8.00 nats, "
        "highest 8.00 nats."
    )
    assert say_series(Series("s", "", {"a": np.array([np.nan])})) == "No bar has a number."


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.1, "below the range"), (0.3, "in the range"), (0.7, "in the range"), (0.9, "above the range")],
)
def test_measures_are_read_both_ways(value, verdict):
    assert Figure("m", value, RealRange(0.3, 0.5, 0.7, 10)).verdict() == verdict


def test_a_measure_without_real_music_claims_nothing():
    assert Figure("m", 0.5).verdict() == ""
    assert Figure("m", float("nan"), RealRange(0, 0.5, 1, 10)).verdict() == "not measured"


def test_refused_contents():
    with pytest.raises(OptionError, match="square"):
        Matrix("m", np.zeros((2, 3)))
    with pytest.raises(OptionError, match="0 to 1"):
        Matrix("m", np.full((2, 2), np.nan))
    with pytest.raises(OptionError, match="0 to 1"):
        Matrix("m", np.full((2, 2), 1.01))
    with pytest.raises(OptionError, match="one length"):
        Series("s", "", {"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(OptionError, match="one length"):
        Series("s", "", {})
    with pytest.raises(OptionError, match="2 cells"):
        Table("t", ("a", "b"), ((1,),))


def test_a_page_of_nothing_is_a_page():
    page = Reader(page_bytes(Page("empty")).decode())
    assert page.text_of("h1") == ["empty"]
    assert page.drawings() == []


def test_the_largest_that_a_command_shows_fits():
    """Eight continuations of ten thousand bars, a note in every second, beside a long real piece."""
    bars = SHOWN_BARS_BEFORE + SHOWN_BARS
    count = SHOWN_NOTES // SHOWN_PIECES
    score = Score.from_notes(np.arange(0, bars, 2) * 1920, 3840, 60 + np.arange(bars // 2) % 12)
    nats = np.random.default_rng(1).random(bars) * 100
    matrices = [Matrix("m", similarity(400, i)) for i in (1, 2)]
    panel = Panel(
        "x" * 100,
        roll=roll_of(score, int(score.bars()[SHOWN_BARS_BEFORE]), most_notes=count),
        matrices=matrices,
        series=[Series("surprise", "nats", {"nats": nats})],
    )
    assert count >= len(panel.roll.pitch) > 0.95 * count
    assert panel.roll.bars > 0.95 * SHOWN_BARS
    assert 1_000_000 < len(page_bytes(Page("x", panels=[panel] * SHOWN_PIECES))) < MOST_BYTES


def test_a_page_beyond_its_size_is_refused():
    with pytest.raises(OverLimitError, match="show fewer"):
        page_bytes(Page("x" * MOST_BYTES))


def test_every_script_and_style_that_lies_there_is_used():
    assert {path.name for path in PARTS.iterdir()} == {*SCRIPTS, "page.css", "page.html"}


def test_writing(tmp_path):
    path = tmp_path / "new" / "folder" / "page.html"
    check_page_path(path)
    assert not list(tmp_path.iterdir())
    write_page(page_of(), path)
    assert path.read_bytes() == page_bytes(page_of())
    check_page_path(path)
    assert path.read_bytes() == page_bytes(page_of())


@pytest.mark.parametrize("name", ["page.pdf", "page", "page.html.txt", ".html"])
def test_other_suffixes_are_refused(tmp_path, name):
    with pytest.raises(OptionError, match=r"end the name in \.html"):
        check_page_path(tmp_path / name)


def test_asking_leaves_everything_as_it_is(tmp_path):
    (tmp_path / "old.html").write_text("old")
    (tmp_path / "link.html").symlink_to("away.html")
    for name in ("old.html", "link.html", "new.html", "folder/new.html"):
        check_page_path(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.html", "old.html"]
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "old.html").read_text() == "old"


def test_places_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.html").mkdir()
    for place in ("file/page.html", "folder.html", "x" * 300 + ".html", "nu\0ll.html"):
        with pytest.raises(BadFileError, match="cannot be written"):
            check_page_path(tmp_path / place)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder.html"}


def test_shares_stand_on_a_strip_from_none_to_all():
    """Others on one from the least mark to the highest."""
    real = RealRange(0.4, 0.5, 0.6, 9)
    at = {}
    for percent in (True, False):
        at[percent] = _places(Figure("a", 0.45, real, percent=percent))
        assert at[percent]["low"] < at[percent]["value"] < at[percent]["middle"] < at[percent]["high"]
    assert at[True]["middle"] == 50
    assert at[True]["high"] - at[True]["low"] == pytest.approx(100 * 0.2 / 1.16, abs=0.02)
    assert at[False]["high"] - at[False]["low"] == pytest.approx(100 / 1.16, abs=0.02)
    assert _places(Figure("a", np.nan, real)) is _places(Figure("a", 0.45)) is None
