"""Can a tokenizer of one's own be used as ours are, and is nothing imported because a file names it?"""

import importlib
import json
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from seqaudio.corpus.loader import _Pieces
from seqaudio.corpus.options import PrepareOptions, prepare_command
from seqaudio.corpus.prepare import prepare
from seqaudio.corpus.prepared import PreparedCorpus
from seqaudio.errors import CheckpointError, MissingDependencyError, OptionError
from seqaudio.files import write_midi
from seqaudio.models.checkpoint import Checkpoint
from seqaudio.models.config import ModelConfig, build_model
from seqaudio.tokens import (
    MelodyTokenizer,
    Tokenizer,
    load_tokenizer,
    make_tokenizer,
    own,
    register,
    tokenizer_from_json,
)
from seqaudio.training.config import check_experiment
from seqaudio.training.material import open_corpus
from tests.samples import tune

NAME = "mine:MineTokenizer"
MINE = """
from dataclasses import dataclass
from pathlib import Path
from seqaudio.tokens import MelodyTokenizer, register

Path(__file__).with_suffix(".ran").touch()

@register
@dataclass(frozen=True)
class MineTokenizer(MelodyTokenizer):
    colour: int = 0
    plain: bool = True
"""
COMMAND = "from seqaudio.cli.main import run; run()"
WAY = "if you trust it, import mine and call .*register.MineTokenizer.*, or begin .* --own-tokenizer mine:MineTokenizer"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where mine.py lies, and music; this process can import it and has not."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "music").mkdir()
    for seed in range(20):
        write_midi(tune(8, seed=seed), tmp_path / "music" / f"{seed}.mid")
    monkeypatch.setattr(own, "_registered", {})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return tmp_path


def seqaudio(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """As the console script: the current folder is not on Python's path."""
    script = folder / "bin" / "seqaudio"
    script.parent.mkdir(exist_ok=True)
    script.write_text(COMMAND)
    command = [sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def was_imported(folder: Path) -> bool:
    return "mine" in sys.modules or (folder / "mine.ran").exists()


def test_it_is_made_with_its_settings_and_saved_and_loaded_as_ours_are(folder: Path) -> None:
    import mine

    made = make_tokenizer(NAME, {"colour": "3", "plain": "false"})
    assert made == mine.MineTokenizer(3, False)
    made.save(folder / "mine.json")
    assert json.loads(made.to_json())["tokenizer"] == made.name == NAME
    assert load_tokenizer(folder / "mine.json") == made
    with pytest.raises(CheckpointError, match=f"not a {NAME} tokenizer"):
        tokenizer_from_json(made.to_json().replace('"colour"', '"color"'))
    with pytest.raises(
        OptionError, match="the tokenizer mine:MineTokenizer has no option 'color'; it has colour, plain"
    ):
        make_tokenizer(NAME, {"color": 1})
    assert PrepareOptions(tokenizer=NAME, settings={"colour": "3"}).make_tokenizer() == mine.MineTokenizer(3)
    assert prepare_command(made) == f"seqaudio prepare SOURCE OUT --tokenizer {NAME} --set colour=3 --set plain=false"


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_workers_of_a_corpus_have_it(folder: Path, jobs: int) -> None:
    import mine

    prepare("music", "out", PrepareOptions(tokenizer=NAME, settings={"colour": 2}), jobs=jobs)
    corpus = PreparedCorpus.open("out")
    assert corpus.tokenizer == mine.MineTokenizer(2)
    plain = prepare("music", "plain", PrepareOptions(tokenizer="melody"))
    assert corpus.fingerprint == plain.fingerprint


def test_a_pickled_corpus_and_its_pieces_find_it_in_another_process(folder: Path) -> None:
    import mine

    prepare("music", "out", PrepareOptions(tokenizer=NAME, settings={"colour": 2}))
    corpus = PreparedCorpus.open("out")
    (folder / "pickled").write_bytes(pickle.dumps((_Pieces(corpus, "train"), corpus)))
    code = "import pickle\na, b = pickle.load(open('pickled', 'rb'))\nprint(len(a.lengths), b.tokenizer)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{len(corpus.of_split('train'))} {mine.MineTokenizer(2)}\n"


def test_a_reloaded_class_is_the_one_that_is_used(folder: Path) -> None:
    import mine

    assert type(PrepareOptions(tokenizer=NAME).make_tokenizer()) is mine.MineTokenizer
    importlib.reload(mine)
    assert type(PrepareOptions(tokenizer=NAME).make_tokenizer()) is mine.MineTokenizer


def test_it_is_named_on_the_command_line(folder: Path) -> None:
    made = seqaudio(folder, "prepare", "music", "out", "--tokenizer", NAME, "--set", "colour=2", "--json")
    assert made.returncode == 0, made.stderr
    options = {"tokenizer": NAME, "settings": {"colour": 2}}
    experiment = {
        "corpus": {"prepared": "out", "sources": ["music"], "options": options},
        "model": {"hidden_size": 8, "layers": 1},
        "training": {"epochs": 1},
    }
    (folder / "mine.yaml").write_text(json.dumps(experiment))  # JSON is YAML
    for command in (["train", "mine.yaml", "--out", "run"], ["score", "run", "music/1.mid"]):
        done = seqaudio(folder, "--own-tokenizer", NAME, *command)
        assert done.returncode == 0, done.stderr
        (folder / "mine.ran").unlink()
        refused = seqaudio(folder, *command)
        assert refused.returncode != 0
        assert f"begin the command with seqaudio --own-tokenizer {NAME}" in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert not was_imported(folder)


def test_what_it_wrote_is_read_anew_once_its_code_has_changed(folder: Path) -> None:
    def reused() -> int:
        done = seqaudio(folder, "prepare", "music", "out", "--tokenizer", NAME, "--json")
        assert done.returncode == 0, done.stderr
        return int(json.loads(done.stdout)["reused"])

    assert (reused(), reused()) == (0, 20)
    (folder / "mine.py").write_text(MINE + "\n# other rules\n")
    assert (reused(), reused()) == (0, 20)


def test_nothing_is_imported_because_a_file_names_it(folder: Path) -> None:
    """Neither for a tokenizer's JSON, a corpus or a checkpoint, nor for the options that stand in a configuration."""
    prepare("music", "out", PrepareOptions(tokenizer="melody"))
    tokenizer = MelodyTokenizer()
    config = ModelConfig(hidden_size=8, layers=1)
    model = build_model(config, len(tokenizer.vocabulary))
    weights = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    stored = Checkpoint(config, _Renamed(), weights, (0, 127), {})
    stored.save("model.safetensors")
    text = tokenizer.to_json().replace('"melody"', f'"{NAME}"')
    for reading in (
        lambda: tokenizer_from_json(text),
        lambda: Checkpoint.load("model.safetensors"),
        lambda: (Path("out/tokenizer.json").write_text(text), PreparedCorpus.open("out")),
    ):
        with pytest.raises(MissingDependencyError, match=WAY) as refused:
            reading()
        assert "\n" not in str(refused.value)
    for made in (make_tokenizer, lambda name, settings: PrepareOptions(tokenizer=name, settings=settings)):
        with pytest.raises(OptionError, match=WAY):
            made(NAME, {})
    assert not was_imported(folder)


class _Renamed(MelodyTokenizer):
    def to_json(self) -> str:
        return super().to_json().replace('"melody"', f'"{NAME}"')


def test_a_manifest_cannot_have_a_module_imported_either(folder: Path) -> None:
    prepare("music", "out", PrepareOptions())
    manifest = folder / "out" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"tokenizer": "bars"', f'"tokenizer": "{NAME}"'))
    assert NAME in manifest.read_text()
    with pytest.raises(OptionError, match="prepared from other sources or with other options"):
        open_corpus(check_experiment({"corpus": {"prepared": "out", "sources": ["music"]}}))
    assert not was_imported(folder)


@pytest.mark.parametrize(
    "name", ["os:system", "mine:A.b", "mine", "mine:", ":A", "mi ne:A", "\x1b[2J:A", "m" * 300 + ":A", 3, ["mine:A"]]
)
def test_other_names_in_a_file_are_no_tokenizers(folder: Path, name: object) -> None:
    with pytest.raises((CheckpointError, MissingDependencyError)) as refused:
        tokenizer_from_json(json.dumps({"tokenizer": name}))
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nowhere:A", "there is no module nowhere, which nowhere:A is of; go to its folder, or put it into PYTHONPATH"),
        ("mine.deep:A", "there is no module mine.deep, which mine.deep:A is of; go to its folder"),
        ("broken:A", "broken cannot be imported .SyntaxError: .*; mend it"),
        ("needy:A", "needy cannot be imported .ModuleNotFoundError: No module named 'unheard_of'.; mend it"),
        ("mine:Other", "mine has no class Other; it has MineTokenizer"),
        ("mine:Path", "mine:Path is pathlib.*:Path; give that name"),
        ("mine:register", "mine has no class register; it has MineTokenizer"),
        ("mine", "'mine' names no tokenizer of your own; give MODULE:CLASS, such as pairs:PairTokenizer"),
    ],
)
def test_a_name_that_leads_nowhere_is_one_line(folder: Path, name: str, text: str) -> None:
    (folder / "broken.py").write_text("class A(:\n")
    (folder / "needy.py").write_text("import unheard_of\n")
    with pytest.raises(OptionError, match=text) as refused:
        own.import_own(name)
    assert "\n" not in str(refused.value)


class Nothing:
    """Keeps no contract."""


class Stubs(Tokenizer):
    """Has the contract's own empty methods."""


class NoData(Nothing):
    """Has all there must be, but no options."""


for _name in ("vocabulary", "encode", "decode", "quantize", "start", "grammar", "pitch_of_token", "begins_note",
              "transpose", "to_json", "from_json", "save"):  # fmt: skip
    setattr(NoData, _name, vars(MelodyTokenizer).get(_name, lambda self: None))


@dataclass(frozen=True)
class Bare(MelodyTokenizer):
    colour: int


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (
            Nothing,
            r"test_own:Nothing has no vocabulary, encode, decode, .*from_json, save; a tokenizer keeps the contract",
        ),
        (Stubs, r"test_own:Stubs has no vocabulary, encode"),
        (NoData, r"test_own:NoData is no dataclass; write @dataclass.frozen=True. below @register"),
        (Bare, r"test_own:Bare cannot be made without colour; give each option a default"),
        (MelodyTokenizer(), "a MelodyTokenizer is no class; register the class of a tokenizer"),
    ],
)
def test_what_is_no_tokenizer_is_told_what_it_lacks(made: type, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        register(made)
    assert not own._registered.keys() & {f"{__name__}:{getattr(made, '__name__', '')}"}


def test_what_no_other_process_could_import_is_refused() -> None:
    @dataclass(frozen=True)
    class Inside(MelodyTokenizer):
        """In a function."""

    with pytest.raises(OptionError, match=r"no other process can import .*Inside of .*; put it at the top of a module"):
        register(Inside)
    code = (
        "from seqaudio.tokens import MelodyTokenizer, register\nfrom dataclasses import dataclass\n"
        "@dataclass(frozen=True)\nclass Here(MelodyTokenizer): ...\nregister(Here)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "no other process can import Here of __main__" in done.stderr
