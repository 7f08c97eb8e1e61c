"""Does `seqaudio structure` print what the measures say, beside real pieces, with the contract's codes and errors?"""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from seqaudio.corpus import walk
from seqaudio.files import read_midi, write_midi
from seqaudio.music import Score
from seqaudio.structure import MEASURES, evaluate, similarity_curve
from tests.cli.test_commands import fails, seqaudio  # noqa: F401
from tests.structure.pieces import bars_of_tune, joined, tune


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of real tunes, as far as a test can have them."""
    folder = tmp_path_factory.mktemp("real")
    for seed in range(24):
        write_midi(tune(("AABB", "AABA")[seed % 2], seed), folder / f"tune{seed:02}.mid")
    return folder


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    write_midi(tune("AABA", 99), tmp_path / "piece.mid")
    return tmp_path / "piece.mid"


def test_json_has_every_measure_of_the_file(seqaudio, piece: Path) -> None:  # noqa: F811
    result = seqaudio("structure", piece, "--primer-bars", 8, "--json")
    assert (result.code, result.err) == (0, "")
    facts = json.loads(result.out)
    score = read_midi(piece)
    (row,) = facts["pieces"]
    expected = evaluate(score, 8)
    assert list(row["measures"]) == list(expected) == list(MEASURES)
    for name, value in expected.items():
        assert row["measures"][name] == (None if math.isnan(value) else value)
    assert row["curve"] == similarity_curve(score).tolist()
    assert row["boundaries"] == [8, 16, 24]
    assert (row["name"], row["bars"], row["notes"], row["warnings"]) == ("piece.mid", 32, len(score), [])
    assert facts["primer_bars"] == 8
    assert "reference" not in facts


def test_one_piece_is_a_table_of_all_measures(seqaudio, piece: Path) -> None:  # noqa: F811
    lines = seqaudio("structure", piece).out.splitlines()
    assert lines[0] == f"piece.mid: 32 bars, {len(read_midi(piece))} notes"
    values = {words[0]: words[1] for line in lines if len(words := line.split()) > 1}
    expected = evaluate(read_midi(piece))
    assert float(values["far_repeat_rate"]) == pytest.approx(expected["far_repeat_rate"], abs=0.005)
    assert values["return_lag"] == f"{expected['return_lag']:g}"
    assert {name for name in MEASURES if name in values} == {n for n, v in expected.items() if not math.isnan(v)}
    assert lines[-1] == "sections begin at bars 1, 9, 17, 25"


def test_several_pieces_and_folders_are_a_row_each(seqaudio, piece: Path, real: Path) -> None:  # noqa: F811
    result = seqaudio("structure", piece, real)
    lines = result.out.splitlines()
    assert len(lines) == 1 + 25 + 1
    assert lines[0].split()[:2] == ["piece", "bars"]
    assert [line.split()[0] for line in lines[1:4]] == ["piece.mid", "tune00.mid", "tune01.mid"]
    rows = json.loads(seqaudio("structure", piece, real, "--json").out)["pieces"]
    middle = np.median([row["measures"]["far_repeat_rate"] for row in rows])
    assert lines[-1].split()[:5] == ["median", "of", "25", "32", f"{middle:.2f}"]


def test_a_reference_says_where_real_pieces_lie(seqaudio, real: Path, tmp_path: Path) -> None:  # noqa: F811
    loop = bars_of_tune("A", 200, part_bars=4) * 8
    write_midi(joined(loop), tmp_path / "loop.mid")
    write_midi(joined(bars_of_tune("ABCD", 201)), tmp_path / "through.mid")
    result = seqaudio("structure", "loop.mid", "through.mid", real / "tune03.mid", "--reference", real, "--json")
    facts = json.loads(result.out)
    looped, through, known = facts["pieces"]
    assert looped["reading"]["far_repeat_rate"] == "above"
    assert through["reading"]["far_repeat_rate"] == "below"
    assert known["reading"]["far_repeat_rate"] == "within"
    assert looped["warnings"] == ["loop: 4 bars 8 times in a row"]
    real_range = known["real"]["far_repeat_rate"]
    assert real_range["low"] < real_range["median"] < real_range["high"]
    assert real_range["pieces"] == 24
    assert known["measures"]["longest_shared_run"] < known["notes"] / 4, "a piece of the reference is no copy of itself"
    assert facts["reference"]["pieces"] == 24
    assert facts["reference"]["similarity_error"] > facts["reference"]["null"] > 0
    text = seqaudio("structure", "loop.mid", "through.mid", "--reference", real, "--primer-bars", 4).out
    assert "high" in text.splitlines()[1]
    assert "low" in text.splitlines()[2]
    assert "similarity-curve error of all 2 pieces: " in text
    one = seqaudio("structure", "loop.mid", "--reference", real, "--primer-bars", 4).out
    assert f"beside 24 pieces of {real}" in one


def test_a_copied_passage_in_another_key_is_found(seqaudio, real: Path, tmp_path: Path) -> None:  # noqa: F811
    stolen = read_midi(real / "tune07.mid").transposed(-3)
    write_midi(joined(bars_of_tune("C", 300)), tmp_path / "mine.mid")
    mine = read_midi(tmp_path / "mine.mid")
    shift = int(mine.bars()[-1])
    both = Score.from_notes(
        [*mine.onset, *(stolen.onset + shift)],
        [*mine.duration, *stolen.duration],
        [*mine.pitch, *stolen.pitch],
    )
    write_midi(both, tmp_path / "copy.mid")
    facts = json.loads(seqaudio("structure", "copy.mid", "mine.mid", "--reference", real, "--json").out)
    copy, own = facts["pieces"]
    assert copy["measures"]["longest_shared_run"] == len(stolen) - 1
    assert copy["shared_with"] == "tune07.mid"
    assert copy["reading"]["longest_shared_run"] == "above"
    assert own["measures"]["longest_shared_run"] < 16
    primer = str(len(mine.bars()) - 1)
    behind = seqaudio("structure", "copy.mid", "--reference", real, "--primer-bars", primer, "--json")
    assert json.loads(behind.out)["pieces"][0]["measures"]["longest_shared_run"] >= len(stolen) - 1


def test_a_prepared_corpus_may_be_the_reference(seqaudio, real: Path, tmp_path: Path, piece: Path) -> None:  # noqa: F811
    assert seqaudio("prepare", real, "corpus", "--melody").code == 0
    facts = json.loads(seqaudio("structure", piece, "--reference", "corpus", "--json").out)
    pieces = json.loads((tmp_path / "corpus" / "manifest.json").read_text())["pieces"]
    training = [entry for entry in pieces if entry["split"] == "train"]
    assert facts["reference"]["pieces"] == len(training) > 10
    seen = real / training[0]["name"]
    run = json.loads(seqaudio("structure", seen, "--reference", "corpus", "--json").out)["pieces"][0]
    assert run["measures"]["longest_shared_run"] == run["notes"]


def test_a_piece_is_known_by_its_place_not_by_its_name(seqaudio, real: Path, tmp_path: Path) -> None:  # noqa: F811
    """A copy of a real piece in another folder is a copy, whatever it is called."""
    copy = tmp_path / "tune07.mid"
    copy.write_bytes((real / "tune07.mid").read_bytes())
    facts = json.loads(seqaudio("structure", copy, real / "tune07.mid", "--reference", real, "--json").out)
    copied, itself = facts["pieces"]
    assert copied["measures"]["longest_shared_run"] == copied["notes"]
    assert copied["shared_with"] == "tune07.mid"
    assert itself["measures"]["longest_shared_run"] < itself["notes"] / 4


def test_a_folder_that_cannot_be_listed_is_named_with_the_reason(
    seqaudio,  # noqa: F811
    piece: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def entries(folder: Path) -> list:
        if folder.name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    listed = walk.entries
    monkeypatch.setattr(walk, "entries", entries)
    (tmp_path / "closed").mkdir()
    result = seqaudio("structure", tmp_path)
    assert result.code == 1
    assert result.out.startswith("piece.mid: 32 bars")
    said, _ = result.err.splitlines()
    assert said.startswith(f"seqaudio: {tmp_path / 'closed'}: ")
    assert "permission denied" in said


def test_a_few_real_pieces_do_not_say_what_is_usual(seqaudio, real: Path, tmp_path: Path, piece: Path) -> None:  # noqa: F811
    (tmp_path / "few").mkdir()
    for number in range(8):
        if number:
            text = seqaudio("structure", piece, real / "tune01.mid", "--reference", "few").out
            assert f"beside {number} piece{'s' * (number > 1)} of few: too few to say what is usual" in text
            assert not {"low", "high"} & set(text.split())
            facts = json.loads(seqaudio("structure", piece, "--reference", "few", "--json").out)
            assert facts["pieces"][0]["real"] == facts["pieces"][0]["reading"] == {}
            assert facts["pieces"][0]["measures"]["longest_shared_run"] > 0
            assert facts["reference"]["similarity_error"] is facts["reference"]["null"] is None
        (tmp_path / "few" / f"{number}.mid").write_bytes((real / f"tune0{number}.mid").read_bytes())
    assert "low and high are outside" in seqaudio("structure", piece, "--reference", "few").out


def test_a_real_piece_that_cannot_be_measured_is_named(
    seqaudio,  # noqa: F811
    real: Path,
    tmp_path: Path,
    piece: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "mixed").mkdir()
    for number in range(8):
        (tmp_path / "mixed" / f"{number}.mid").write_bytes((real / f"tune0{number}.mid").read_bytes())
    write_midi(Score.from_notes([0], 1920 * 1000, 60), tmp_path / "mixed" / "held.mid")
    (tmp_path / "mixed" / "broken.mid").write_bytes(b"MThd")
    monkeypatch.setattr("seqaudio.structure.bars.MOST_TIED", 999)
    result = seqaudio("structure", piece, "--reference", "mixed", "--json")
    assert result.code == 0
    assert json.loads(result.out)["reference"]["pieces"] == 8
    broken, held = result.err.splitlines()
    assert "broken.mid: " in broken
    assert held.startswith("seqaudio: held.mid: 1,000 notes when tied over bar lines")


def test_notes_beyond_what_is_measured_are_not_told_missing(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    write_midi(Score.from_notes([1920 * 5000], 480, 60), tmp_path / "late.mid")
    (row,) = json.loads(seqaudio("structure", "late.mid", "--json").out)["pieces"]
    assert row["warnings"] == [
        "late: no notes in what was measured",
        "long: the first 4,096 of 5,001 bars were measured",
    ]


def test_pieces_without_notes_or_behind_the_primer_are_measured_and_named(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    write_midi(Score.from_notes([], 1, 60), tmp_path / "empty.mid")
    write_midi(tune("A"), tmp_path / "primer.mid")
    result = seqaudio("structure", "empty.mid", "primer.mid", "--primer-bars", 8, "--json")
    assert result.code == 0
    empty, primer = json.loads(result.out)["pieces"]
    assert empty["warnings"] == ["noteless: no notes at all", "nothing behind the primer: 0 bars"]
    assert primer["warnings"] == ["nothing behind the primer: 8 bars"]
    assert empty["measures"]["polyphony"] is None
    assert primer["measures"]["primer_recall"] == 0
    assert "noteless" in seqaudio("structure", "empty.mid").out


def test_names_that_look_like_markup_are_names(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    for name in ("[bold]a.mid", "[x=1]b.mid"):
        write_midi(tune("A"), tmp_path / name)
    out = seqaudio("structure", "[bold]a.mid", "[x=1]b.mid").out
    assert "\n[bold]a.mid " in out
    assert "\n[x=1]b.mid " in out


def test_a_long_piece_is_measured_in_its_first_bars(
    seqaudio,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("seqaudio.structure.evaluation.MOST_BARS", 12)
    write_midi(tune("AB"), tmp_path / "long.mid")
    (row,) = json.loads(seqaudio("structure", "long.mid", "--json").out)["pieces"]
    assert row["bars"] == 12
    assert row["warnings"] == ["long: the first 12 of 16 bars were measured"]


def test_what_cannot_be_read_is_named_and_the_rest_measured(seqaudio, piece: Path, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "broken.mid").write_bytes(b"MThd nonsense")
    result = seqaudio("structure", "broken.mid", piece, "gone.mid")
    assert result.code == 1
    assert result.out.startswith("piece.mid: 32 bars")
    lines = result.err.splitlines()
    assert len(lines) == 3
    assert "broken.mid" in lines[0]
    assert "gone.mid" in lines[1]
    assert lines[2] == "seqaudio: 2 of 3 pieces could not be measured"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, ("FILES",)),
        (("piece.mid", "--primer-bars", 0), 2, ("--primer-bars",)),
        (("piece.mid", "--reference", "gone"), 2, ("gone", "no such folder or corpus")),
        (("piece.mid", "--reference", ""), 2, ("is empty",)),
        (("piece.mid", "--reference", "nothing"), 3, ("nothing", "no music file")),
        (("piece.mid", "--reference", "noteless"), 3, ("noteless", "no piece with notes")),
        (("piece.mid", "--limit", "max_notes=many"), 2, ("max_notes=many",)),
        (("piece.mid", "--report", "a.pdf"), 2, ("--report", ".html")),
    ],
)
def test_wrong_usage_is_one_clear_line(seqaudio, arguments: tuple, code: int, words: tuple, piece: Path) -> None:  # noqa: F811
    for name in ("nothing", "noteless"):
        (piece.parent / name).mkdir()
    write_midi(Score.from_notes([], 1, 60), piece.parent / "noteless" / "empty.mid")
    fails(seqaudio("structure", *arguments), code, *words)


def test_nothing_to_measure_is_exit_code_3(seqaudio) -> None:  # noqa: F811
    result = seqaudio("structure", "gone.mid")
    assert (result.code, result.out) == (3, "")
    assert result.err.splitlines()[-1] == "seqaudio: no piece could be measured"
