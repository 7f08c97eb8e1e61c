"""Does every command do what its help says, with the exit codes and one-line errors of the contract?"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from seqaudio.cli.main import COMMANDS, run
from seqaudio.continuation.continue_score import continuations
from seqaudio.errors import BadFileError
from seqaudio.files import read_midi, write_midi
from seqaudio.files.atomic import write_bytes
from seqaudio.models.checkpoint import WEIGHTS, Checkpoint, FrameFacts, weights_of
from seqaudio.models.config import ModelConfig
from seqaudio.music import Score
from seqaudio.pretrained import model_path
from seqaudio.training.adaptive import Cache, Dynamic
from seqaudio.training.evaluate import piece_nats
from tests.samples import chorale, random_model, song

ROOT = Path(__file__).parents[2]
PRIMER = ROOT / "examples" / "primer.mid"


class Result:
    """Exit code and what was printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def seqaudio(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: object) -> Result:
        try:
            run([str(argument) for argument in arguments])
            code = 0
        except SystemExit as done:
            code = int(done.code or 0)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return invoke


def fails(result: Result, code: int, *words: str) -> None:
    """One line on stderr, nothing on stdout, the exit code, and the words that say what is wrong."""
    assert result.code == code
    assert result.out == ""
    assert result.err.startswith("seqaudio: ")
    assert result.err.count("\n") == 1
    for word in words:
        assert word in result.err


def test_continue_writes_the_bars_and_says_so(seqaudio, tmp_path: Path) -> None:
    result = seqaudio("continue", PRIMER, "--bars", 16, "--seed", 1)
    assert result.code == 0
    assert result.err == ""
    lines = result.out.splitlines()
    assert lines[0] == "primer-continued.mid"
    score = read_midi(tmp_path / "primer-continued.mid")
    assert len(score.bars()) - 1 == 16
    known = round(16 * json.loads((tmp_path / "primer-continued.mid.json").read_text())["primer_recall"])
    assert known > 0
    assert f"16 bars ({known} of them heard in the primer), {len(score)} notes, 6/8, 156 quarters a minute" in lines[1]
    assert "melody: the only track" in result.out
    own = Checkpoint.load(model_path("folk")).sampling
    assert f"temperature {own['temperature']:g}, its gate at {own['gate_temperature']:g}, seed 1" in result.out


def test_what_is_only_a_copy_is_told(seqaudio, tmp_path: Path) -> None:
    """A warning where every bar was heard in the primer, and of no other output; a form asks for it."""
    asked = ("continue", PRIMER, "--temperature", 0, "--gate-temperature", 0.1, "--seed", 1, "--json")
    told = json.loads(seqaudio(*asked, "--bars", 8, "-o", "copy.mid").out)["outputs"][0]
    assert told["primer_recall"] == 1
    assert told["warnings"] == [
        "copy: every bar was heard in the primer; another --seed, a higher --temperature or --form brings others"
    ]
    for few in (("--form", "AA", "-o", "form.mid"), ("--bars", 1, "-o", "bar.mid")):
        told = json.loads(seqaudio(*asked, *few).out)["outputs"][0]
        assert (told["primer_recall"], told["warnings"]) == (1, [])
    told = json.loads(seqaudio("continue", PRIMER, "--temperature", 3, "--seed", 1, "--json", "-o", "new.mid").out)
    assert told["outputs"][0]["primer_recall"] < 1
    assert not any("copy" in warning for warning in told["outputs"][0]["warnings"])


def test_how_often_a_cell_may_come_is_asked_for_and_noted(seqaudio, tmp_path: Path) -> None:
    """The manifest says how often it may, and in how many bars it was not let; a model without a memory refuses."""
    for turns, given in ((1, ("--max-turns", 1)), (0, ("--max-turns", 0)), (3, ())):
        result = seqaudio("continue", PRIMER, "--bars", 8, "--seed", 1, "-o", f"{turns}.mid", *given)
        assert result.code == 0
        told = json.loads((tmp_path / f"{turns}.mid.json").read_text())
        assert told["sampling"]["max_turns"] == turns
        assert (told["refused_turns"] > 0) == (turns == 1)
    fails(seqaudio("continue", PRIMER, "--max-turns", 2, "--model", "folk-rnn"), 2, "max_turns", "none; leave it out")


def test_it_is_told_how_many_bars_are_the_primers(seqaudio, tmp_path: Path) -> None:
    """The same share that `structure` finds in the file; with this seed the tune begins again."""
    asked = ("continue", PRIMER, "--bars", 16, "--seed", 1, "--model", "folk", "--include-primer", "-o", "whole.mid")
    assert seqaudio(*asked).code == 0
    told = json.loads((tmp_path / "whole.mid.json").read_text())["primer_recall"]
    found = json.loads(seqaudio("structure", "whole.mid", "--primer-bars", 8, "--json").out)
    assert told == pytest.approx(found["pieces"][0]["measures"]["primer_recall"], abs=1e-3)
    assert told > 0
    alone = json.loads(seqaudio("generate", "--bars", 2, "--json").out)
    assert "primer_recall" not in alone["outputs"][0]


def primers_of_each_kind(folder: Path) -> dict[str, Path]:
    """A primer for each model that the choice knows, by the model's name."""
    steps = np.arange(32)
    drums = Score.from_notes(steps * 240, 120, 36 + 2 * (steps % 4), is_drum=True)
    made = {"songs": song(), "chorales": chorale(), "drums": drums}
    for name, score in made.items():
        write_midi(score, folder / f"{name}.mid")
    return {"folk": PRIMER} | {name: folder / f"{name}.mid" for name in made}


def test_the_primer_chooses_the_model(seqaudio, tmp_path: Path) -> None:
    why = {"folk": "one voice", "drums": "only drums"}
    for name, other in (("songs", "chorales"), ("chorales", "songs")):
        why[name] = f"several voices, less strange to it than to {other}"
    for name, primer in primers_of_each_kind(tmp_path).items():
        result = seqaudio("continue", primer, "--bars", 4, "--seed", 1, "-o", "out.mid")
        assert result.code == 0, result.err
        assert f"model {name}, chosen for {why[name]}; --model names another" in result.out
        manifest = json.loads((tmp_path / "out.mid.json").read_text())
        assert (manifest["model"], manifest["chosen_for"]) == (name, why[name])
        made = read_midi(tmp_path / "out.mid")
        assert len(made.bars()) - 1 == 4
        assert made.is_drum.all() == (name == "drums")
        named = json.loads(
            seqaudio("continue", primer, "--bars", 4, "--seed", 1, "-o", "b.mid", "--model", name, "--json").out
        )
        assert (named["model"], named["chosen_for"]) == (name, None)
        assert not any("chosen" in remark for remark in named["remarks"])
        assert (tmp_path / "b.mid").read_bytes() == (tmp_path / "out.mid").read_bytes()


def test_only_the_bars_that_are_heard_choose_the_model(seqaudio, tmp_path: Path) -> None:
    line, bass = Score.from_notes(np.arange(32) * 480, 480, 67), Score.from_notes(np.arange(16, 32) * 480, 480, 48)
    onset, pitch = np.append(line.onset, bass.onset), np.append(line.pitch, bass.pitch)
    write_midi(Score.from_notes(onset, 480, pitch), tmp_path / "grows.mid")
    for options, alone in ((("--primer-bars", 4), True), ((), False)):
        found = json.loads(seqaudio("continue", "grows.mid", "--bars", 1, "-o", "o.mid", "--json", *options).out)
        assert (found["model"] == "folk") == alone


def test_default_names_never_overwrite(seqaudio, tmp_path: Path) -> None:
    for _ in range(3):
        assert seqaudio("continue", PRIMER, "--bars", 1, "--seed", 1).code == 0
    names = {path.name for path in tmp_path.glob("*.mid")}
    assert names == {"primer-continued.mid", "primer-continued-2.mid", "primer-continued-3.mid"}


def test_json_and_manifest_agree_with_the_file(seqaudio, tmp_path: Path) -> None:
    result = seqaudio("continue", PRIMER, "--bars", 4, "--num-outputs", 2, "--seed", 5, "-o", "out.mid", "--json")
    facts = json.loads(result.out)
    assert [piece["file"] for piece in facts["outputs"]] == ["out-1.mid", "out-2.mid"]
    for index, piece in enumerate(facts["outputs"]):
        manifest = json.loads((tmp_path / f"{piece['file']}.json").read_text())
        assert manifest["sha256"] == piece["sha256"]
        assert (manifest["seed"], manifest["output"], manifest["bars"]) == (5, index, 4)
        assert len(read_midi(tmp_path / piece["file"])) == piece["notes"]


def test_a_drawn_seed_is_shown_and_repeats_the_piece(seqaudio, tmp_path: Path) -> None:
    seed = json.loads(seqaudio("continue", PRIMER, "--bars", 2, "-o", "a.mid", "--json").out)["seed"]
    seqaudio("continue", PRIMER, "--bars", 2, "-o", "b.mid", "--seed", seed)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_same_seed_same_bytes_in_two_processes(tmp_path: Path) -> None:
    for name in ("a.mid", "b.mid"):
        arguments = ["continue", str(PRIMER), "--bars", "8", "--seed", "3", "-o", str(tmp_path / name)]
        subprocess.run([sys.executable, "-m", "seqaudio", *arguments], check=True, capture_output=True)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_both_engines_write_the_same(seqaudio, tmp_path: Path) -> None:
    for engine in ("onnx", "torch"):
        result = seqaudio("continue", PRIMER, "--bars", 8, "--seed", 2, "--engine", engine, "-o", f"{engine}.mid")
        assert f"({engine})" in result.out
    assert (tmp_path / "onnx.mid").read_bytes() == (tmp_path / "torch.mid").read_bytes()


def test_include_primer_puts_it_in_front_and_is_off_by_default(seqaudio, tmp_path: Path) -> None:
    told = seqaudio("continue", PRIMER, "--bars", 4, "--seed", 1, "-o", "alone.mid").out.splitlines()[1].strip()
    result = seqaudio("continue", PRIMER, "--bars", 4, "--seed", 1, "-o", "both.mid", "--include-primer")
    assert result.out.splitlines()[1] == f"  behind 8 bars of the primer: {told}"
    assert told.startswith("4 bars")
    primer, alone, both = (read_midi(path) for path in (PRIMER, tmp_path / "alone.mid", tmp_path / "both.mid"))
    assert len(both) == len(primer) + len(alone)
    assert (both.onset[: len(primer)] == primer.onset).all()
    assert (both.onset[len(primer) :] == alone.onset + primer.bars()[-1]).all()


def test_seconds_and_primer_bars(seqaudio, tmp_path: Path) -> None:
    result = seqaudio("continue", PRIMER, "--seconds", 4, "--primer-bars", 4, "--seed", 1, "-o", "o.mid", "--json")
    facts = json.loads(result.out)
    assert facts["primer_bars"] == 4
    assert facts["outputs"][0]["bars"] == 4  # a bar lasts 1.154 s
    assert "bars 1 to 4 of 8" in facts["remarks"]


def notes_by_bar(score: Score) -> list[list[tuple[int, int, int]]]:
    """Of each bar where its notes begin in it, how long they last, and their pitches."""
    lines = score.bars()
    columns = zip(score.onset.tolist(), score.duration.tolist(), score.pitch.tolist(), strict=True)
    bars: list[list[tuple[int, int, int]]] = [[] for _ in lines[1:]]
    for onset, duration, pitch in sorted(columns):
        bar = int(np.searchsorted(lines, onset, side="right")) - 1
        bars[bar].append((onset - int(lines[bar]), duration, pitch))
    return bars


def test_a_form_is_written_to_its_end_and_told(seqaudio, tmp_path: Path) -> None:
    """Each return, with how many of its bars are the same: as the file itself has it."""
    asked = ("--form", "aaba", "--primer-bars", 6, "--seed", 1, "--include-primer", "-o", "f.mid", "--report", "f.html")
    lines = seqaudio("continue", PRIMER, *asked).out.splitlines()
    manifest = json.loads((tmp_path / "f.mid.json").read_text())
    assert manifest["form"] == {"letters": "AABA", "section_bars": 8, "variation": 0.1, "pickup_bars": 0}
    bars = notes_by_bar(read_midi(tmp_path / "f.mid"))
    assert len(bars) == 32
    returns = [
        {
            "bars": [first + 1, first + 8],
            "of_bars": [1, 8],
            "same": sum(bars[first + number] == bars[number] for number in range(8)),
        }
        for first in (8, 24)
    ]
    assert manifest["returns"] == returns
    assert sum(each["same"] for each in returns) > 8
    for first, each in zip((9, 25), returns, strict=True):
        assert f"  bars {first}-{first + 7} return to 1-8, {each['same']} of 8 the same" in lines
    assert "form AABA, 8 bars a section, variation 0.1" in lines
    told = "Asked for: the form AABA, 8 bars a section. Here bars 9-16 return to 1-8, "
    assert told in (tmp_path / "f.html").read_text(encoding="utf-8")
    assert lines[1].startswith("  behind 6 bars of the primer: 26 bars")
    result = seqaudio("generate", "--form", "AAB", "--section-bars", 2, "--variation", 0, "--seed", 2, "--json")
    (piece,) = json.loads(result.out)["outputs"]
    pickup = piece["form"]["pickup_bars"]
    back = {"bars": [3 + pickup, 4 + pickup], "of_bars": [1 + pickup, 2 + pickup], "same": 2}
    assert (piece["bars"], piece["returns"]) == (6 + pickup, [back])


def stopped_after(count: int, problem: BaseException):
    """What makes outputs, until it meets a problem behind so many."""

    def some(*arguments: object, **options: object):
        for number, found in enumerate(continuations(*arguments, **options)):
            if number == count:
                raise problem
            yield found

    return some


@pytest.mark.parametrize("command", [("continue", PRIMER), ("generate",)])
def test_outputs_are_written_one_by_one_and_stay(seqaudio, tmp_path: Path, monkeypatch, command: tuple) -> None:
    """Interrupted: what there is can be used, and the same seed makes the same and the others."""
    asked = (*command, "--bars", 2, "--num-outputs", 4, "--seed", 5)
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[continuations.__module__], "continuations", stopped_after(2, KeyboardInterrupt()))
        fails(seqaudio(*asked, "-o", "part/"), 1, "interrupted", "2 of 4 outputs are written", "--seed 5")
    assert seqaudio(*asked, "-o", "whole/").code == 0
    part, whole = (
        {path.name: path.read_bytes() for path in (tmp_path / name).glob("*.mid")} for name in ("part", "whole")
    )
    assert (len(part), len(whole)) == (2, 4)
    assert part.items() < whole.items()
    assert all((tmp_path / "part" / f"{name}.json").is_file() for name in part)


def test_numbered_names_take_the_place_of_what_was_written_so_and_of_nothing_else(seqaudio) -> None:
    asked = (
        "continue",
        PRIMER,
        "--bars",
        2,
        "--num-outputs",
        2,
        "--temperature",
        3,
        "--gate-temperature",
        9,
        "-o",
        "mine.mid",
    )
    Path("mine-2.mid").write_bytes(b"a song of mine")
    fails(seqaudio(*asked, "--seed", 1), 2, "mine-2.mid", "was not made so", "name another file")
    assert Path("mine-2.mid").read_bytes() == b"a song of mine"
    assert not Path("mine-1.mid").exists()
    Path("mine-2.mid").unlink()
    Path("mine-2.mid.json").write_text('{"of": "another program"}')
    fails(seqaudio(*asked, "--seed", 1), 2, "mine-2.mid", "was not made so")
    Path("mine-2.mid.json").unlink()
    assert seqaudio(*asked, "--seed", 1).code == 0
    first = Path("mine-2.mid").read_bytes()
    assert seqaudio(*asked, "--seed", 2).code == 0
    assert Path("mine-2.mid").read_bytes() != first
    Path("mine-1.mid").write_bytes(first)  # edited since
    fails(seqaudio(*asked, "--seed", 3), 2, "mine-1.mid", "changed since", "name another file")
    shutil.copy(PRIMER, "own-1.mid")
    fails(seqaudio("continue", "own-1.mid", "--num-outputs", 2, "-o", "own.mid"), 2, "overwrite the primer")


def test_a_full_disk_says_what_is_written(seqaudio, tmp_path: Path, monkeypatch) -> None:
    """Whole outputs stay, each with its manifest, and are counted; nothing of the next one is there."""
    written: list[Path] = []

    def onto_a_small_disk(path: Path, data: bytes) -> None:
        if len(written) == 4:  # two pieces and their manifests
            raise BadFileError(f"{path}: cannot be written: No space left on device")
        write_bytes(path, data)
        written.append(path)

    monkeypatch.setattr("seqaudio.cli.writing.write_bytes", onto_a_small_disk)
    result = seqaudio("continue", PRIMER, "--bars", 2, "--num-outputs", 3, "-o", "out/")
    fails(result, 1, "No space left", "; 2 of 3 outputs are written")
    assert sorted((tmp_path / "out").iterdir()) == sorted(tmp_path / path for path in written)
    assert len({path.name.removesuffix(".json") for path in written}) == 2


def test_what_cannot_be_written_is_told_before_any_work(seqaudio, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(
        sys.modules[continuations.__module__], "continuations", stopped_after(0, AssertionError("work was done"))
    )
    (tmp_path / "file").touch()
    for command in (("continue", PRIMER), ("generate",)):
        fails(seqaudio(*command, "--num-outputs", 3, "-o", "file/"), 1, "file", "cannot be written")


def test_equal_outputs_are_told(seqaudio, tmp_path: Path) -> None:
    asked = ("continue", PRIMER, "--bars", 2, "--seed", 1, "-o", "o/", "--json")
    remark = "1 of the 3 outputs are different"
    equal = json.loads(seqaudio(*asked, "--num-outputs", 3, "--temperature", 0).out)
    assert [each for each in equal["remarks"] if each.startswith(remark)]
    one = json.loads(seqaudio(*asked, "--temperature", 0).out)
    assert not [each for each in one["remarks"] if "outputs" in each]


def test_the_settings_of_sampling_matter(seqaudio, tmp_path: Path) -> None:
    settings = {
        "plain": (),
        "hot": ("--temperature", 2),
        "greedy": ("--temperature", 0),
        "top-k": ("--top-k", 2),
        "top-p": ("--top-p", 0.3),
        "min-p": ("--min-p", 0.5),
    }
    pieces = {}
    unsure = ("continue", PRIMER, "--model", "folk-rnn", "--bars", 8)  # one with a memory often has a single choice
    for name, options in settings.items():
        assert seqaudio(*unsure, "--seed", 1, "-o", f"{name}.mid", *options).code == 0
        pieces[name] = (tmp_path / f"{name}.mid").read_bytes()
    assert len(set(pieces.values())) == len(settings)
    seqaudio(*unsure, "--seed", 2, "-o", "again.mid", "--temperature", 0)
    assert (tmp_path / "again.mid").read_bytes() == pieces["greedy"]


def test_magentas_spellings(seqaudio, tmp_path: Path) -> None:
    codes = "[60, -2, 62, -2, 64, -2, 65, -2, 67, -2, 65, -2, 64, -2, 62, -1]"
    arguments = ("--primer_melody", codes, "--num_outputs", 2, "--num_steps", 48, "--output_dir", "there", "--seed", 1)
    for command in ("continue", "generate"):
        result = seqaudio(command, *arguments, "--json")
        assert result.code == 0, result.err
        outputs = json.loads(result.out)["outputs"]
        assert [piece["bars"] for piece in outputs] == [2, 2]  # 48 steps, 16 of them the primer's: 32 are two bars
        assert all(Path(piece["file"]).parent == Path("there") for piece in outputs)
    assert seqaudio("generate", "--primer_midi", PRIMER, "--bars", 2, "--seed", 1).code == 0
    assert "--num_steps" not in seqaudio("continue", "--help").out
    fails(seqaudio("continue", "--primer_melody", codes, "--num_steps", 16), 2, "counts the primer")
    fails(seqaudio("continue", "--primer_melody", "[1, 'x']"), 2, "codes -2 to 127")


def test_generate_names_its_file_after_model_and_seed(seqaudio, tmp_path: Path) -> None:
    result = seqaudio("generate", "--bars", 8, "--seed", 11)
    assert result.out.splitlines()[0] == "folk-11.mid"
    assert "model folk, chosen for a piece without a primer" in result.out
    assert len(read_midi(tmp_path / "folk-11.mid").bars()) - 1 == 8


@pytest.mark.parametrize("command", [("info",), ("score",), ("probe", "gates")])
def test_auto_is_of_continue_alone(seqaudio, command: tuple[str, ...]) -> None:
    files = () if command == ("info",) else (PRIMER,)
    fails(seqaudio(*command, "auto", *files), 2, "auto: a primer chooses, in `seqaudio continue` alone; name one: folk")


def test_plot_draws_a_picture(seqaudio, tmp_path: Path) -> None:
    assert seqaudio("continue", PRIMER, "--bars", 2, "--seed", 1, "--plot", "roll.png").code == 0
    assert (tmp_path / "roll.png").read_bytes().startswith(b"\x89PNG")
    fails(seqaudio("continue", PRIMER, "--bars", 2, "--plot", "roll.gif"), 2, "roll.gif", ".png")
    asked = ("continue", PRIMER, "--bars", 2, "-o", "new/", "--plot", "roll.png/a.png")
    fails(seqaudio(*asked), 1, "roll.png/a.png: cannot be written")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, ("give one primer", "seqaudio continue --help")),
        (("gone.mid",), 1, ("gone.mid", "No such file")),
        (("song.wav",), 1, ("song.wav", "No such file")),
        ((PRIMER, "--decoder", "grains"), 2, ("--decoder", "recordings")),
        ((PRIMER, "--bars", 0), 2, ("--bars",)),
        ((PRIMER, "--bars", 2, "--seconds", 3), 2, ("--bars", "--seconds")),
        ((PRIMER, "--primer-bars", 99), 2, ("99", "8")),
        ((PRIMER, "--form", "ß"), 2, ("'ß'", "A to Z")),
        ((PRIMER, "--form", "A-A"), 2, ("'A-A'", "A to Z", "AABA")),
        ((PRIMER, "--form", "A"), 2, ("form A", "bar 8", "primer has 8")),
        ((PRIMER, "--form", "AA", "--bars", 2), 2, ("--form", "--bars")),
        ((PRIMER, "--form", "AA", "--seconds", 2), 2, ("--form", "--seconds")),
        ((PRIMER, "--section-bars", 4), 2, ("--section-bars without a form", "--form AABA")),
        ((PRIMER, "--variation", 0), 2, ("--variation without a form",)),
        ((PRIMER, "--temperature", -1), 2, ("--temperature",)),
        ((PRIMER, "--top-p", 0), 2, ("--top-p",)),
        ((PRIMER, "--engine", "tpu"), 2, ("tpu", "onnx")),
        ((PRIMER, "--model", "jazz"), 1, ("jazz", "folk")),
        ((PRIMER, "-o", "out.wav"), 2, ("out.wav", ".mid")),
        ((PRIMER, "-o", PRIMER), 2, ("overwrite the primer",)),
        ((PRIMER, "--frobnicate"), 2, ("--frobnicate",)),
        ((PRIMER, PRIMER), 2, ("unexpected extra argument",)),
    ],
)
def test_wrong_usage_is_one_clear_line(seqaudio, arguments: tuple, code: int, words: tuple, tmp_path: Path) -> None:
    before = PRIMER.read_bytes()
    fails(seqaudio("continue", *arguments), code, *words)
    assert PRIMER.read_bytes() == before
    assert not list(tmp_path.iterdir())


def test_nothing_to_continue_is_exit_code_3(seqaudio, tmp_path: Path) -> None:
    write_midi(Score.from_notes([], [], []), tmp_path / "empty.mid")
    drums = Score.from_notes([0, 480], 240, [36, 38], is_drum=True)
    write_midi(drums, tmp_path / "drums.mid")
    fails(seqaudio("continue", "empty.mid"), 3, "empty.mid", "no notes")
    fails(seqaudio("continue", "drums.mid", "--model", "folk"), 3, "drums.mid", "only drums", "without --model")
    fails(seqaudio("continue", PRIMER, "--model", "drums"), 3, "no drums, only pitched notes", "without --model")


def test_a_hostile_name_cannot_write_to_the_terminal(seqaudio) -> None:
    result = seqaudio("continue", "a\x1b[31mb\n.mid")
    fails(result, 1, r"\x1b")
    assert "\x1b" not in result.err


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (MemoryError(), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory"),
        (RuntimeError("gloo: Connection closed by peer"), "another process of this run has ended"),
        (type("PanicException", (BaseException,), {})("null"), "PanicException: null; set SEQAUDIO_DEBUG=1"),
    ],
)
def test_what_ends_a_process_is_one_line(seqaudio, monkeypatch: pytest.MonkeyPatch, problem, words: str) -> None:
    def fail(*_: object) -> None:
        raise problem

    monkeypatch.setattr("seqaudio.files.reader.read_bytes", fail)
    monkeypatch.setenv("WORLD_SIZE", "2")
    fails(seqaudio("continue", PRIMER), 1, words)


def test_a_bug_is_one_line_too(seqaudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqaudio.files.reader.read_bytes", lambda *_: 1 / 0)
    fails(seqaudio("continue", PRIMER), 1, "ZeroDivisionError", "SEQAUDIO_DEBUG")


def test_what_the_system_refuses_is_one_line_with_the_path(seqaudio, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    fails(seqaudio("continue", PRIMER, "--bars", 1, "-o", "file/out.mid"), 1, "file")
    fails(seqaudio("prepare", ROOT / "examples", "x" * 300), 2, "name too long")


def test_of_a_long_primer_the_last_bars_are_heard(seqaudio, tmp_path: Path) -> None:
    long = Score.from_notes(np.arange(1200) * 480, 480, 60 + np.arange(1200) % 12)
    write_midi(long, tmp_path / "long.mid")
    result = seqaudio("continue", "long.mid", "--bars", 1, "--seed", 1)
    assert result.code == 0
    assert "of 300 bars the last 256 are heard" in result.out


def test_plain_seqaudio_shows_the_help(seqaudio) -> None:
    result = seqaudio()
    assert result.code == 2
    assert "Commands:" in result.out
    assert result.out.count("\n") > 10


def test_score_prints_each_file_and_the_sum(seqaudio, tmp_path: Path) -> None:
    abc = ROOT / "examples" / "primer.abc"
    result = seqaudio("score", "folk", PRIMER, abc, "--json")
    facts = json.loads(result.out)
    assert [piece["name"] for piece in facts["pieces"]] == ["primer.mid", "primer.abc#1"]
    assert facts["pieces"][0]["nats"] == pytest.approx(facts["pieces"][1]["nats"])
    assert facts["total"]["notes"] == 2 * len(read_midi(PRIMER))
    lines = [line for line in seqaudio("score", "folk", PRIMER, abc).out.splitlines() if not line.startswith(" ")]
    assert len(lines) == 3
    assert "per note" in lines[-1]


def test_what_says_how_much_is_told_by_what_was_given(seqaudio) -> None:
    asked = ("continue", PRIMER, "--bars", 4, "--seconds", 4)
    fails(seqaudio(*asked), 2, "--bars and --seconds each say how much to write; give one of them")
    fails(
        seqaudio("continue", PRIMER, "--seconds", 1e9), 2, "--seconds 1e+09 are", "bars of this primer; at most 10,000"
    )
    fails(seqaudio("continue", PRIMER, "--form", "A"), 2, "give more letters, or let fewer bars of the primer be heard")


def test_what_a_wildcard_stood_for_is_not_listed_whole(seqaudio) -> None:
    done = seqaudio("continue", *[f"{i}.mid" for i in range(999)])
    fails(done, 2, "Got unexpected extra arguments (1.mid 2.mid", " ...", "seqaudio continue --help")
    assert len(done.err) < 500


def test_a_command_that_there_is_not_names_the_nearest(seqaudio) -> None:
    fails(seqaudio("fetures", "x.wav"), 2, "No such command 'fetures'. Did you mean features?")
    fails(seqaudio("sing"), 2, "No such command 'sing'. There are continue, generate, ", "doctor")
    fails(seqaudio("probe", "gate"), 2, "No such command 'gate'. Did you mean gates?")


def test_score_says_what_of_a_model_and_files_is_missing(seqaudio) -> None:
    fails(seqaudio("score", PRIMER), 2, f"as in: seqaudio score folk {PRIMER}")
    fails(seqaudio("score", "folk"), 2, "as in: seqaudio score folk song.mid")


def test_score_lets_the_piece_help(seqaudio, tmp_path: Path) -> None:
    def nats(*options: str) -> tuple[float, dict]:
        facts = json.loads(seqaudio("score", "folk", PRIMER, "--json", *options).out)
        return facts["total"]["nats"], facts

    plain, facts = nats()
    assert not {"cache", "dynamic"} & facts.keys()
    assert nats("--cache", "0", "--engine", "torch")[0] == pytest.approx(plain, rel=1e-4)
    both, facts = nats("--cache", "0.2,1.5,40", "--dynamic", "0.001,0.1")
    assert facts["cache"] == {"weight": 0.2, "theta": 1.5, "window": 40}
    assert facts["dynamic"] == {"rate": 0.001, "decay": 0.1, "segment": 32}
    found = {
        nats("--cache", "0.2,1.5,40")[0],
        nats("--dynamic", "0.001,0.1")[0],
        nats("--cache", "0.2")[0],
        plain,
        both,
    }
    assert len(found) == 5


def test_score_refuses_help_that_cannot_be(seqaudio) -> None:
    for option, text in (("--cache", "much"), ("--cache", ""), ("--dynamic", "1,0,2.5"), ("--dynamic", "1,0,2,3")):
        fails(seqaudio("score", "folk", PRIMER, option, text), 2, f"{option} {text}: give one, two or three numbers")
    fails(seqaudio("score", "folk", PRIMER, "--cache", "1.5"), 2, "weight 1.5", "below 1")
    fails(seqaudio("score", "folk", PRIMER, "--dynamic", "-1"), 2, "rate -1.0", "0 or more")
    refused = seqaudio("score", "folk", PRIMER, "--cache", "0.1", "--dynamic", "0.1", "--engine", "onnx")
    fails(refused, 2, "--cache and --dynamic with --engine onnx: only torch can")


def test_score_goes_on_after_a_bad_file(seqaudio, tmp_path: Path) -> None:
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    result = seqaudio("score", "folk", "bad.mid", PRIMER)
    assert result.code == 1
    assert "primer.mid" in result.out
    assert "bad.mid" in result.err
    assert "1 of 2 pieces" in result.err


def test_the_model_likes_music_better_than_noise(seqaudio, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    noise = Score.from_notes(np.arange(64) * 240, 240, generator.integers(55, 90, 64), time_signatures=[[0, 6, 8]])
    write_midi(noise, tmp_path / "noise.mid")
    rows = json.loads(seqaudio("score", "folk", PRIMER, "noise.mid", "--json").out)["pieces"]
    assert rows[0]["nats_per_note"] + 1 < rows[1]["nats_per_note"]


def test_info_models_corpora_doctor(seqaudio) -> None:
    facts = json.loads(seqaudio("info", "folk", "--json").out)
    assert facts["model"]["cell"] == "lstm"
    assert facts["parameters"] <= 5_000_000
    assert "hidden_size" in seqaudio("info", "folk").out
    assert "folk: " in seqaudio("models").out
    assert "music21:oneills" in seqaudio("corpora").out
    doctor = seqaudio("doctor")
    assert doctor.code == 0, doctor.out
    assert "everything works" in doctor.out


def test_a_model_of_frames_says_what_it_is(seqaudio, tmp_path: Path) -> None:
    config = ModelConfig(cell="gru", hidden_size=4, layers=1, head="joint")
    model = random_model(config, keys=88, known_frames=np.eye(88, dtype=bool))
    Checkpoint(config, None, weights_of(model), frames=FrameFacts(88, 21, 2)).save(tmp_path / WEIGHTS)
    shown = seqaudio("info", tmp_path)
    assert shown.code == 0
    assert "frames: 88 keys from pitch 21, 2 steps to the quarter\nknown_frames: 88\n" in shown.out
    facts = json.loads(seqaudio("info", tmp_path, "--json").out)
    assert facts["model"]["head"] == "joint"
    assert facts["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert "tokenizer" not in facts
    words = ("model of frames", "seqaudio info", "Checkpoint.load")
    for engine in ("auto", "onnx", "torch"):
        fails(seqaudio("continue", PRIMER, "--model", tmp_path, "--engine", engine), 2, *words)
    fails(seqaudio("generate", "--model", tmp_path), 2, *words)
    fails(seqaudio("score", tmp_path, PRIMER), 2, "model of frames", ".mat, .json, .npz")
    np.savez("wide.npz", train=np.zeros((3, 128)))
    fails(seqaudio("score", tmp_path, "wide.npz"), 1, "128 keys from pitch 0", "88 from 21")
    np.savez("short.npz", test=np.zeros((1, 88)))
    fails(seqaudio("score", tmp_path, "short.npz"), 3, "longer than a frame")


def test_a_model_of_frames_scores_each_split_of_a_set_of_rolls(seqaudio, tmp_path: Path) -> None:
    config = ModelConfig(cell="gru", hidden_size=4, layers=1, head="notes")
    model = random_model(config, keys=88).eval()
    Checkpoint(config, None, weights_of(model), frames=FrameFacts()).save(tmp_path / WEIGHTS)
    frames = np.random.default_rng(1).random((3, 9, 88)) < 0.1
    np.savez("rolls.npz", train=frames[:2], test_a=frames[2], test_b=frames[2, :1])
    found = json.loads(seqaudio("score", tmp_path, "rolls.npz", "--json").out)["splits"]
    assert [(row["split"], row["pieces"], row["frames"]) for row in found] == [("train", 2, 16), ("test", 1, 8)]
    with torch.no_grad():
        steps = torch.from_numpy(frames[2:])
        expected = model.head.nats(model(steps[:, :-1])[0], steps[:, 1:]).mean().item()
    assert found[1]["nats_per_frame"] == pytest.approx(expected, rel=1e-5)
    asked = seqaudio("score", tmp_path, "rolls.npz", "--cache", "0.5", "--dynamic", "0.01,0,4", "--json")
    facts = json.loads(asked.out)
    assert (facts["cache"]["weight"], facts["dynamic"]["segment"]) == (0.5, 4)
    (other,) = piece_nats(model, [frames[2]], cache=Cache(0.5), dynamic=Dynamic(0.01, 0, 4))
    assert facts["splits"][1]["nats"] == pytest.approx(other.sum())
    assert other.sum() != pytest.approx(8 * expected)
    fails(seqaudio("score", tmp_path, "rolls.npz", "--engine", "onnx"), 2, "graphs read tokens")
    shown = seqaudio("score", tmp_path, "rolls.npz")
    assert f"rolls.npz test: {expected:.4f} nats per frame (1 piece, 8 frames)" in shown.out


def test_doctor_names_what_is_broken_and_the_cure(seqaudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = seqaudio("doctor")
    assert result.code == 1
    assert "continue with onnxruntime: BROKEN" in result.out
    assert "pip install --force-reinstall onnxruntime" in result.out


def test_every_command_has_help(seqaudio) -> None:
    for name in COMMANDS:
        result = seqaudio(name, "--help")
        assert result.code == 0
        assert f"seqaudio {name}" in result.out or "Usage" in result.out
    assert all(name in seqaudio("--help").out for name in COMMANDS)
    assert seqaudio("--version").out.startswith("seqaudio ")
    assert seqaudio("frobnicate").code == 2


def test_prepare_train_and_continue_with_your_own_model(seqaudio, tmp_path: Path) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(40):
        pitch = 60 + np.cumsum(generator.integers(-2, 3, 48)) % 20
        write_midi(Score.from_notes(np.arange(48) * 240, 240, pitch, ticks_per_quarter=480), folder / f"{i}.mid")
    (folder / "broken.mid").write_bytes(b"MThd\0\0")
    result = seqaudio("prepare", "music", "ready", "--melody", "--valid-share", 0.2, "--jobs", 2)
    assert result.code == 0, result.err
    assert "40 of 41 pieces kept" in result.out
    assert "unreadable: 1" in result.out
    (tmp_path / "small.yaml").write_text(
        "corpus: {prepared: ready}\nmodel: {hidden_size: 16, layers: 1}\ntraining: {epochs: 2, batch_size: 8}\n"
    )
    result = seqaudio("train", "small.yaml", "--set", "model.layers=2")
    assert result.code == 0, result.err
    assert "lstm of 2 x 16, head categorical, 11,322 parameters; 29 training and 9 validation pieces" in result.err
    assert "finished" in result.out
    assert json.loads((tmp_path / "runs/small/experiment.json").read_text())["model"]["layers"] == 2
    assert (tmp_path / "runs/small/loss.png").read_bytes().startswith(b"\x89PNG")
    for engine in ("onnx", "torch"):
        made = seqaudio("continue", PRIMER, "--model", "runs/small", "--bars", 4, "--engine", engine, "-o", "mine.mid")
        assert made.code == 0, made.err
    fails(seqaudio("train", "small.yaml"), 2, "--resume")
    again = seqaudio("train", "small.yaml", "--set", "model.layers=2", "--resume")
    assert again.code == 0, again.err
    assert "begins anew" not in again.err
    tuned = seqaudio("train", "small.yaml", "--set", "init=folk", "--out", "tuned", "--set", "model={}", "--resume")
    assert tuned.code == 0, tuned.err
    assert "nothing to go on with in tuned: it begins anew" in tuned.err
    facts = json.loads(seqaudio("info", "tuned", "--json").out)
    assert facts["facts"]["init"] == "folk"
    assert (facts["run"]["finished"], facts["run"]["epochs"]) == (True, 2)
    shown = yaml.safe_load(seqaudio("info", "tuned").out)
    assert shown["run"] == facts["run"]
    assert shown["facts"]["experiment"]["training"] == {"epochs": 2, "batch_size": 8}
    assert shown["model"] == {name: value for name, value in facts["model"].items() if value}
    (tmp_path / "tuned/last/state.safetensors").write_bytes(b"")
    assert "damaged" in yaml.safe_load(seqaudio("info", "tuned").out)["run"]
    fails(seqaudio("train", "small.yaml", "--set", "init=folk", "--out", "x"), 2, "hidden_size is 16", "256")
    fails(seqaudio("train", "small.yaml", "--set", "model.sizes=3", "--set", "training.clip=-1"), 2, "sizes", "clip")
    fails(seqaudio("prepare", "music", "music"), 2, "no prepared corpus")
    fails(seqaudio("prepare", "music"), 2, "OUT")
    fails(seqaudio("prepare", "nowhere", "x"), 2, "nowhere")
