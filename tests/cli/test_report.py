"""``--report``: a page of what was written, refused before the work if it cannot be, never at the cost of the notes."""

import base64
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from seqaudio.cli.main import run
from seqaudio.continuation import score_likelihood
from seqaudio.errors import BadFileError
from seqaudio.files import read_midi, write_midi
from seqaudio.memory.gates import gate_trace
from seqaudio.music import Score
from seqaudio.pretrained import load_model
from seqaudio.structure import Bars, similarity_curve, similarity_error
from tests.report.page.reading import Reader
from tests.report.page.samples import HOSTILE

PRIMER = Path(__file__).parents[2] / "examples" / "primer.mid"


@pytest.fixture
def seqaudio(tmp_path, monkeypatch, capsys):
    """Run a command in a folder of its own; its exit code, and what was printed."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments):
        line = [str(argument) for argument in arguments]
        monkeypatch.setattr("sys.argv", ["seqaudio", *line])
        code = 0
        try:
            run(line)
        except SystemExit as done:
            code = int(done.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return invoke


def page(name="page.html"):
    return Reader(Path(name).read_text(encoding="utf-8"))


def test_every_output_is_on_the_page_with_its_notes(seqaudio):
    code, out, err = seqaudio(
        "continue", PRIMER, "--bars", 4, "--num-outputs", 2, "--seed", 3, "-o", "out.mid", "--report", "page.html"
    )
    assert (code, err) == (0, "")
    assert "report: page.html" in out
    read = page()
    assert read.text_of("h1") == ["primer.mid, continued by folk"]
    assert read.text_of("h2") == ["out-1.mid", "out-2.mid", "Settings"]
    primer = read_midi(PRIMER)
    for number, drawn in enumerate(read.drawings(), 1):
        new = read_midi(Path(f"out-{number}.mid"))
        roll = drawn["roll"]
        kind, pitch = np.array(roll["kind"]), np.array(roll["pitch"])
        assert (pitch[kind == 2] == new.pitch).all()
        assert (pitch[kind == 1] == primer.pitch).all()
        assert roll["split"] == 8
        assert len(roll["lines"]) == 13
        assert roll["lines"][0] == 0


def test_surprise_by_bar_adds_up_to_what_score_says(seqaudio):
    """Of primer and continuation as one piece, up to the end that is not written."""
    seqaudio("continue", PRIMER, "--bars", 4, "--seed", 3, "-o", "out.mid", "--include-primer", "--report", "page.html")
    bars = page().drawings()[0]["series"][0]["lines"][0]
    assert len(bars) == 12
    found = score_likelihood(load_model("folk"), read_midi(Path("out.mid")))
    assert sum(bars) == pytest.approx(found.nats[:-1].sum(), rel=1e-4)


def test_surprise_stands_in_the_bars_it_belongs_to(seqaudio):
    """A voice that begins late and stops early: bars of silence around it have no number."""
    lines = np.arange(6) * 1920
    onset = np.concatenate([lines[2] + np.arange(4) * 480, lines[3] + np.arange(4) * 480])
    drums = Score.from_notes(
        np.append(onset, lines),
        480,
        np.append([60, 62, 64, 65, 67, 65, 64, 62], np.full(6, 36)),
        is_drum=np.repeat([False, True], [8, 6]),
        track=np.repeat([0, 1], [8, 6]),
        track_names=("flute", "drum"),
    )
    write_midi(drums, Path("late.mid"))
    assert seqaudio("continue", "late.mid", "--bars", 3, "--seed", 1, "--report", "page.html")[0] == 0
    drawn = page().drawings()[0]
    bars = drawn["series"][0]["lines"][0]
    assert [value is not None for value in bars] == [False] * 2 + [True] * 2 + [False] * 2 + [True] * 3
    assert drawn["roll"]["split"] == 6
    assert {0, 1, 2} == set(drawn["roll"]["kind"])


def test_the_command_on_the_page_makes_the_same_again(seqaudio):
    seqaudio("continue", PRIMER, "--bars", 4, "-o", "out.mid", "--report", "page.html")
    before, notes = Path("page.html").read_bytes(), Path("out.mid").read_bytes()
    program, *arguments = shlex.split(page().text_of("code")[0])
    assert program == "seqaudio"
    assert "--seed" in arguments
    assert seqaudio(*arguments)[0] == 0
    assert Path("out.mid").read_bytes() == notes
    assert Path("page.html").read_bytes() == before


def test_a_piece_from_nothing(seqaudio):
    assert seqaudio("generate", "--bars", 4, "--seed", 3, "-o", "out.mid", "--report", "page.html")[0] == 0
    drawn = page().drawings()[0]
    assert set(drawn["roll"]["kind"]) == {2}
    assert drawn["roll"]["pitch"] == read_midi(Path("out.mid")).pitch.tolist()
    assert len(drawn["series"][0]["lines"][0]) == 4


def test_json_names_the_page(seqaudio):
    _, out, _ = seqaudio("continue", PRIMER, "--bars", 2, "--seed", 1, "--json", "--report", "new/page.html")
    assert json.loads(out)["report"] == "new/page.html"
    assert Path("new/page.html").is_file()


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("page.pdf", 2, "end the name in .html"),
        ("primer.mid/page.html", 1, "cannot be written"),
        ("x.html", 2, "directory"),
    ],
)
def test_a_page_that_cannot_be_is_refused_before_anything_is_written(seqaudio, path, code, words):
    Path("primer.mid").write_bytes(PRIMER.read_bytes())
    Path("x.html").mkdir()
    result, out, err = seqaudio("continue", "primer.mid", "--bars", 2, "-o", "out.mid", "--report", path)
    assert (result, out) == (code, "")
    assert words in err
    assert err.count("\n") == 1
    assert not Path("out.mid").exists()


def test_a_page_that_fails_at_last_costs_no_notes(seqaudio, monkeypatch):
    def full(*_):
        raise BadFileError("page.html: cannot be written: the disk is full")

    monkeypatch.setattr("seqaudio.report.page.write_page", full)
    code, out, err = seqaudio("continue", PRIMER, "--bars", 2, "-o", "out.mid", "--report", "page.html")
    assert code == 1
    assert "the disk is full" in err
    assert len(read_midi(Path("out.mid")).bars()) - 1 == 2
    assert "out.mid" in out
    assert Path("out.mid.json").is_file()


@pytest.mark.parametrize("name", [HOSTILE[0].replace("/", "-"), HOSTILE[2], HOSTILE[10], "\udcff.mid"])
def test_hostile_files_and_tracks(seqaudio, name):
    primer = read_midi(PRIMER).replaced(track_names=(HOSTILE[0],))
    path = Path(f"{name}.mid")
    path.write_bytes(b"")
    write_midi(primer, path)
    assert seqaudio("continue", path, "--bars", 2, "-o", "out/", "--report", "page.html")[0] == 0
    read = page()
    assert read.tags().count("script") == 2
    assert "img" not in read.tags()
    assert all("onload" not in attributes for _, attributes in read.elements)


def test_of_many_outputs_the_first_are_shown(seqaudio):
    code, out, _ = seqaudio("continue", PRIMER, "--bars", 1, "--num-outputs", 9, "-o", "o/", "--report", "page.html")
    assert code == 0
    assert out.count(".mid\n") == 9
    read = page()
    assert len(read.drawings()) == 8
    assert any("the first 8 are shown" in text for text in read.text_of("p"))


def test_a_shipped_model_brings_what_real_tunes_reach(seqaudio):
    seqaudio("continue", PRIMER, "--bars", 16, "--seed", 1, "--report", "page.html")
    read = page()
    heads = [text for text in read.text_of("h3") if "Structure" in text]
    assert heads == [
        "Structure, beside 95 tunes of O'Neill's and Aird's collections that the model has not met, 24 bars of each, "
        "the first 8 as primer"
    ]
    assert len(read.drawings()[0]["matrices"]) == 1


def test_the_piece_that_the_primer_was_cut_from_stands_beside(seqaudio):
    pitch = np.resize(60 + np.random.default_rng(1).integers(0, 12, 64), 192)
    write_midi(Score.from_notes(np.arange(192) * 240, 240, pitch), Path("tune.mid"))  # eight bars, three times
    seqaudio("continue", "tune.mid", "--primer-bars", 8, "--bars", 16, "--seed", 1, "--report", "page.html")
    read = page()
    assert read.text_of("h3")[:2] == ["Primer and continuation", "tune.mid, as it really goes on"]
    here, real = read.drawings()[0]["matrices"]
    assert (here["size"], here["split"], real["size"], real["split"]) == (24, 8, 24, None)
    cells = [np.frombuffer(base64.b64decode(drawn["cells"]), np.uint8).reshape(24, 24) for drawn in (here, real)]
    assert (cells[0][:8, :8] == cells[1][:8, :8]).all()
    assert (np.diagonal(cells[1], 8) == 255).all()
    assert any(text.startswith("similarity-curve error") for text in read.text_of("th"))


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        (("tune.mid", "--primer-bars", 8), "tune.mid, as it really goes on, bars 1 to 12"),
        ((PRIMER, "--reference", "tune.mid"), "A real piece: tune.mid, bars 1 to 12"),
    ],
)
def test_of_a_longer_real_piece_as_many_bars_stand_beside(seqaudio, arguments, title):
    pitch = 60 + np.random.default_rng(1).integers(0, 12, 256)
    write_midi(Score.from_notes(np.arange(256) * 240, 240, pitch), Path("tune.mid"))  # of 32 bars
    seqaudio("continue", *arguments, "--bars", 4, "--seed", 1, "--report", "page.html")
    read = page()
    assert read.text_of("h3")[1] == title
    assert [drawn["bars"] for drawn in read.drawings()[0]["matrices"]] == [12, 12]


def test_the_error_of_the_curve_is_over_as_many_bars_as_were_written(seqaudio):
    pitch = 60 + np.random.default_rng(1).integers(0, 12, 128)
    pitch = np.concatenate([pitch[:64], pitch[:64], pitch])  # what comes later is not what comes first
    write_midi(Score.from_notes(np.arange(256) * 240, 240, pitch), Path("tune.mid"))
    arguments = ("--primer-bars", 8, "--bars", 4, "--seed", 1, "--include-primer", "-o", "out.mid")
    assert seqaudio("continue", "tune.mid", *arguments, "--report", "page.html")[0] == 0
    read = page()
    cells = iter(zip(read.tags(), read.texts, strict=True))
    assert any(tag == "th" and text.startswith("similarity-curve error") for tag, text in cells)
    value = next(text for tag, text in cells if tag == "td")
    own, made = (Bars.of_score(read_midi(Path(name))).part(0, 12) for name in ("tune.mid", "out.mid"))
    error = similarity_error(similarity_curve(made), similarity_curve(own))
    whole = similarity_error(similarity_curve(made), similarity_curve(read_midi(Path("tune.mid"))))
    assert value == f"{error:.2f}" != f"{whole:.2f}"


def test_files_to_compare_with(seqaudio):
    Path("real/deep").mkdir(parents=True)
    for i in range(9):
        pitch = np.resize(60 + np.random.default_rng(i).integers(0, 12, 64), 96 + 8 * i)
        write_midi(Score.from_notes(np.arange(len(pitch)) * 240, 240, pitch), Path(f"real/deep/{i}.mid"))
    Path("real/broken.mid").write_bytes(b"MThd")
    Path("real/notes.txt").write_text("no music")
    code, out, err = seqaudio("continue", PRIMER, "--bars", 4, "--report", "page.html", "--reference", "real")
    assert (code, err) == (0, "")
    assert "of the reference 1 could not be used" in out.splitlines()
    read = page()
    assert any("beside 9 real pieces, 12 bars of each" in text for text in read.text_of("h3"))
    assert read.text_of("h3")[1] == "A real piece: 0.mid"
    assert any("of the reference 1 could not be used" in text for text in read.text_of("p"))
    names = [text for text in read.text_of("th") if "primer recall" in text]
    assert len(names) == 2


def test_a_prepared_corpus_may_be_compared_with(seqaudio):
    """Its training pieces count, as for `structure`."""
    Path("real").mkdir()
    for i in range(16):
        pitch = 60 + np.random.default_rng(i).integers(0, 12, 96)
        write_midi(Score.from_notes(np.arange(96) * 240, 240, pitch), Path(f"real/{i:02}.mid"))
    assert seqaudio("prepare", "real", "corpus", "--melody")[0] == 0
    pieces = json.loads(Path("corpus/manifest.json").read_text())["pieces"]
    training = sum(piece["split"] == "train" for piece in pieces)
    code, _, err = seqaudio("continue", PRIMER, "--bars", 4, "--report", "page.html", "--reference", "corpus")
    assert (code, err) == (0, "")
    assert any(f"beside {training} real pieces, 12 bars of each" in text for text in page().text_of("h3"))
    assert 8 <= training < 16


def test_a_reference_that_is_none(seqaudio):
    Path("empty").mkdir()
    write_midi(Score.from_notes([], 1, 60), Path("noteless.mid"))
    Path("broken.mid").write_bytes(b"MThd")
    for arguments, code, words in (
        (("--reference", "empty"), 2, "give --report"),
        (("--report", "page.html", "--reference", "gone"), 2, "gone"),
        (("--report", "page.html", "--reference", ""), 2, "is empty"),
        (("--report", "page.html", "--reference", "empty"), 3, "no music file inside"),
        (("--report", "page.html", "--reference", "noteless.mid"), 3, "no piece with notes"),
        (("--report", "page.html", "--reference", "broken.mid"), 3, "(broken.mid: the file ends inside its header"),
    ):
        result, out, err = seqaudio("continue", PRIMER, "--bars", 1, "-o", "out.mid", *arguments)
        assert (result, out) == (code, "")
        assert words in err
    assert not Path("out.mid").exists()


def test_only_what_the_model_heard_is_compared(seqaudio):
    """Chords under the melody are no part of the structure of a model of melodies."""
    pitch = np.resize([60, 62, 64, 65, 67, 65, 64, 62], 64)
    both = Score.from_notes(
        np.append(np.arange(64) * 240, np.arange(8) * 1920),
        np.append(np.full(64, 240), np.full(8, 1920)),
        np.append(pitch, 30 + np.arange(8)),
        track=np.repeat([0, 1], [64, 8]),
        track_names=("melody", "bass"),
    )
    write_midi(both, Path("both.mid"))
    seqaudio("continue", "both.mid", "--model", "folk", "--bars", 2, "--seed", 1, "--report", "page.html")
    drawn = page().drawings()[0]
    cells = np.frombuffer(base64.b64decode(drawn["matrices"][0]["cells"]), np.uint8).reshape(10, 10)
    assert (cells[:8, :8] == 255).all()
    assert set(drawn["roll"]["kind"]) == {0, 1, 2}


def test_gates_by_bar_are_those_of_the_model(seqaudio):
    seqaudio(
        "continue",
        PRIMER,
        "--bars",
        4,
        "--seed",
        3,
        "-o",
        "out.mid",
        "--include-primer",
        "--report",
        "page.html",
        "--gates",
    )
    drawn = page().drawings()[0]["series"]
    assert len(drawn) == 5
    assert drawn[1]["names"][:2] == ["new", "longest match"]
    np.testing.assert_allclose(np.sum(drawn[1]["lines"], axis=0), 1, atol=0.01)  # where each bar came from
    checkpoint = load_model("folk").checkpoint
    ids = checkpoint.tokenizer.encode(read_midi(Path("out.mid")))[:-1]
    bar = np.cumsum(ids == checkpoint.tokenizer.vocabulary.id("Bar_None"))
    for series, name in zip(drawn[2:], ("input", "forget", "output"), strict=True):
        assert series["names"] == ["layer 1", "layer 2"]
        for line, layer in zip(series["lines"], gate_trace(checkpoint, ids).gates, strict=True):
            slow = [layer[name][bar == i].mean() for i in range(1, 13)]
            assert line == pytest.approx(slow, abs=1e-3)


def test_gates_are_refused_before_the_work_where_there_are_none(seqaudio):
    for model, arguments, words in (("folk", (), "give --report"), ("folk-rnn", ("--report", "page.html"), "no gates")):
        code, out, err = seqaudio("generate", "--model", model, "--bars", 1, "-o", "out.mid", "--gates", *arguments)
        assert (code, out) == (2, "")
        assert words in err
    assert not Path("out.mid").exists()
