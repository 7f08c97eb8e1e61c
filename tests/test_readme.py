"""Does everything that the README and the docs tell people to type work as it stands there?"""

import importlib.util
import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml
from pydantic import BaseModel

from seqaudio.cli.main import run
from seqaudio.files import read_midi, write_audio, write_midi
from seqaudio.models.cells import Cell
from seqaudio.models.config import HeadName, ModelConfig
from seqaudio.music import Score, Waveform
from seqaudio.tokens import make_tokenizer
from seqaudio.training.config import TrainingConfig

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", flags=re.S)
BLOCKS = BLOCK.findall(README)
COMMANDS = [line for language, block in BLOCKS if language == "bash" for line in block.strip().splitlines()]

LESS = {
    "train": ["--set", "training.epochs=1"],
    "probe": ["--pieces", "2"],
    "probe context": ["--targets", "2"],
    "probe gradients": ["--lags", "16"],
    "probe recall": ["--pieces", "1"],
}
"""What a command is given besides, by its first word and by its first two, so that it does the same with less."""


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the README supposes: the project's files, and some music of one's own."""
    folder = tmp_path_factory.mktemp("newcomer")
    for name in ("examples", "configs"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "my-music").mkdir()
    generator = np.random.default_rng(1)
    for i in range(60):
        pitch = 60 + np.cumsum(generator.integers(-2, 3, 32)) % 20
        write_midi(Score.from_notes(np.arange(32) * 240, 240, pitch), folder / "my-music" / f"{i}.mid")
    (folder / "my-sounds").mkdir()
    for i in range(3):
        tone = 0.3 * np.sin(np.arange(44_100) * 0.03 * (i + 1)) + generator.normal(0, 0.01, 44_100)
        write_audio(Waveform(tone, 22_050), folder / "my-sounds" / f"{i}.wav")
    beats = np.tile(np.exp(-np.arange(11_025) / 900) * generator.normal(0, 0.2, 11_025), 8)
    write_audio(Waveform(beats, 22_050), folder / "loop.wav")
    return folder


@pytest.fixture(scope="module")
def typed() -> set[str]:
    """The lines that ran in that folder."""
    return set()


def test_every_command_runs_in_the_order_of_the_page(
    newcomer: Path, typed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(newcomer)
    ran = 0
    for line in COMMANDS:
        program, *arguments = shlex.split(line)
        if program != "seqaudio":
            continue
        with pytest.raises(SystemExit) if "--help" in arguments else _nothing_raised():
            run([*arguments, *_less(arguments)])
        typed.add(line)
        ran += 1
    assert ran == 14
    assert (newcomer / "report.html").is_file()
    assert (newcomer / "continuation.png").is_file()
    assert (newcomer / "song.png").is_file()
    assert len(list((newcomer / "ideas").glob("*.mid"))) == 3
    assert (newcomer / "runs" / "your_folder" / "model.onnx").is_file()


BLOCKS_OF_PAGES = [
    ("audio.md", 5),
    ("prepare.md", 2),
    ("tokenizers.md", 7),
    ("fine_tune.md", 2),
    ("train.md", 5),
    ("report.md", 2),
    ("structure.md", 2),
    ("score.md", 2),
    ("memory.md", 3),
    ("form.md", 2),
    ("probes.md", 2),
    ("lstm.md", 2),
    ("features.md", 3),
]


@pytest.mark.parametrize(("page", "blocks"), BLOCKS_OF_PAGES)
def test_what_the_docs_tell_people_to_type_runs(
    page: str, blocks: int, newcomer: Path, typed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(newcomer)
    monkeypatch.setattr(sys, "path", [*sys.path])  # to which a command adds the folder that a class is imported from
    ran = 0
    blocks_of_page = BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    for language, together in itertools.groupby(blocks_of_page, key=lambda found: found[0]):
        code = [block for _, block in together]
        ran += len(code)
        if language == "bash":
            _run_commands("".join(code), typed)
        else:
            assert language == "python"
            has_miditok = importlib.util.find_spec("miditok")
            _run_python([block for block in code if "MidiTok" not in block or has_miditok], newcomer)
    assert ran == blocks


def _run_commands(block: str, done: set[str]) -> None:
    """What another page told to type already ran in the same folder, and has nothing new to show."""
    for line in block.strip().splitlines():
        program, *arguments = shlex.split(line)
        assert program == "seqaudio"
        if line in done:
            continue
        done.add(line)
        if "midi-tokenizers" not in arguments or importlib.util.find_spec("miditok"):
            run([*arguments, *_less(arguments)])


def _less(arguments: list[str]) -> list[str]:
    return LESS.get(arguments[0], []) + LESS.get(" ".join(arguments[:2]), [])


def _run_python(blocks: list[str], folder: Path) -> None:
    """Each by itself, but in one process, since most of the time of a new one is imports; the modules saved before."""
    modules = {named[1]: block for block in blocks if (named := re.match(r"# (\w+\.py)\n", block))}
    for name, block in modules.items():
        (folder / name).write_text(block, encoding="utf-8")
    blocks = [block for block in blocks if block not in modules.values()]
    code = "import sys\nfor block in sys.argv[1:]: exec(compile(block, block, 'exec'), {'__name__': '__main__'})"
    command = [sys.executable, "-W", "error", "-c", code, *blocks]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "what",
    [
        BLOCK,  # so what runs of one page runs of the other
        re.compile(r"^    python .*?(?=  )", flags=re.M),
        re.compile(r"\]\(((?!lstm)[^)#]+)"),  # links and pictures
        re.compile(r"^(#+) ", flags=re.M),
        re.compile(r"\d+(?:[.,]\d+)?"),
    ],
    ids=["blocks", "recipe", "links and pictures", "headings", "numbers"],
)
def test_the_page_on_lstms_says_the_same_in_both_languages(what: re.Pattern[str]) -> None:
    english, spanish = (what.findall((ROOT / "docs" / name).read_text("utf-8")) for name in ("lstm.md", "lstm.es.md"))
    assert len(english) > 0
    if "d+" in what.pattern:  # decimals have a comma, and words another order
        english, spanish = (sorted(number.replace(",", ".") for number in page) for page in (english, spanish))
    assert english == spanish


@pytest.mark.parametrize(("group", "config"), [("model", ModelConfig), ("training", TrainingConfig)])
def test_the_page_on_training_names_every_setting_with_its_default(group: str, config: type[BaseModel]) -> None:
    page = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")
    section = page.partition(f"## Settings of `{group}`")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| \S", section, flags=re.M)
    assert len(rows) == len(config.model_fields)
    assert {name: yaml.safe_load(default) for name, default in rows} == config().model_dump()


@pytest.mark.parametrize(("values", "type_"), [("cell", Cell), ("head", HeadName)])
def test_the_page_on_training_tells_all_cells_and_heads_apart(values: str, type_: object) -> None:
    page = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")
    table = page.partition(f"\n| {values} | ")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, flags=re.M)) == sorted(get_args(type_))


class _nothing_raised:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_the_table_of_structure_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """But for the column of real music, which wants a collection. The example is a file, so no model is in it."""
    page = (ROOT / "docs" / "structure.md").read_text(encoding="utf-8")
    run(["structure", str(ROOT / "examples" / "tune.abc"), "--primer-bars", "8"])
    printed = capsys.readouterr().out.splitlines()
    real = re.compile(r"  +[\d.]+ to [\d.]+(  low|  high)? *(?=  )")
    table = re.findall("^    (.*)", page.partition("tune of two parts")[2].partition("\nThe real range")[0], flags=re.M)
    shown = [real.sub("", line) for line in table]
    words = [" ".join(line.split()) for line in shown if "real" not in line and "longest_shared_run" not in line]
    assert set(words) - {" ".join(line.split()) for line in printed} == {"..."}
    assert words[0] == printed[0]
    assert words[-1] == printed[-1]


def test_the_page_on_tokens_shows_one_bar_in_each() -> None:
    page = (ROOT / "docs" / "tokenizers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^    ([\w-]+) +(\S.*) \.\.\.$", page, flags=re.M)
    assert len(rows) == 5
    onset, pitch, drum = [0, 480, 960, 0], [60, 64, 67, 36], [False, False, False, True]
    bar = Score.from_notes(onset, 480, pitch, is_drum=drum, track=np.array(drum) * 1, track_names=["piano", "drum"])
    for name, tokens in rows:
        if name != "midi-tokenizers" or importlib.util.find_spec("miditok"):
            tokenizer = make_tokenizer(name, {})
            names = [tokenizer.vocabulary.names[i] for i in tokenizer.encode(bar).tolist()]
            assert " ".join(names[1:]).replace("_None", "").startswith(f"{tokens} ")


def test_the_page_on_reports_says_which_models_have_ranges_of_which_lengths() -> None:
    lengths = {
        path.parent.name: {(of["primer_bars"], of["bars"]) for of in json.loads(path.read_text("utf-8"))["lengths"]}
        for path in ROOT.glob("seqaudio/pretrained/*/real.json")
    }
    short, eight = {(4, 8), (4, 12), (4, 16), (8, 12), (8, 16), (8, 20)}, {(8, 24), (8, 32)}
    assert lengths.pop("chorales") == short
    assert lengths.pop("drums") == short | eight
    assert all(found == short | eight | {(16, 24), (16, 32)} for found in lengths.values())
    page = " ".join((ROOT / "docs" / "report.md").read_text(encoding="utf-8").split())
    assert (
        "4 bars in a piece of 8 to 16, one of 8 in 12 to 32 (`chorales`: 12 to 20), and one of 16 in 24 to 32" in page
    )
    assert f"24 to 32 ({', '.join(f'`{name}`' for name in sorted(lengths))})" in page


def test_the_lines_of_the_readme_are_no_longer_than_those_of_code() -> None:
    assert [line for line in README.splitlines() if len(line) > 120 and not line.startswith("|")] == []


def test_the_other_commands_are_what_we_think() -> None:
    others = [line for line in COMMANDS if not line.startswith("seqaudio ")]
    assert others == [
        "pip install .",
        "python recipes/polyphonic_benchmark.py --data JSB_Chorales.mat",
        "python recipes/rnn_vs_lstm.py --quick --report cells.html",
        "pip install '.[corpora]'",
        "python recipes/train_shipped.py folk --evaluate",
    ]
    for name in ("polyphonic_benchmark.py", "rnn_vs_lstm.py", "train_shipped.py"):
        assert (ROOT / "recipes" / name).is_file()


def test_the_python_runs(newcomer: Path) -> None:
    snippets = [block for language, block in BLOCKS if language == "python"]
    assert len(snippets) == 1
    assert len(snippets[0].strip().splitlines()) <= 14
    command = [sys.executable, "-W", "error", "-c", snippets[0]]
    done = subprocess.run(command, cwd=newcomer, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "nats per token" in done.stdout
    assert len(read_midi(newcomer / "newest.mid").bars()) - 1 == 24


def test_the_two_commands_are_targets_of_make() -> None:
    for target in ("demo", "test"):
        assert f"    make {target}\n" in README
        shown = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        expected = {"demo": "seqaudio continue examples/primer.mid --bars 16 --seed 1", "test": "-m pytest"}
        assert expected[target] in shown
    left_out = re.findall("not ([a-z]+)", shown)
    assert left_out == ["slow", "gpu", "browser"]
    sentence = README.partition("`make test` ")[2].partition(". ")[0].lower()
    assert all(word in sentence for word in left_out)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]:
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_example_is_the_tune_that_stands_beside_it() -> None:
    from seqaudio.files import read_abc

    tune = read_abc(ROOT / "examples" / "primer.abc")[0].score
    assert read_midi(ROOT / "examples" / "primer.mid") == tune
