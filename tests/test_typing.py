"""Do type checkers of those who use the package see what it exports and what its settings take?"""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import seqaudio

PACKAGE = Path(__file__).parents[1] / "seqaudio"
LAZY = ("seqaudio", "seqaudio.features", "seqaudio.files")
USE = """
import numpy as np
import seqaudio
from seqaudio.features import Stream, feature, log_mel
from seqaudio.files import Limits, read_pieces
from seqaudio.models.config import MemoryConfig
from seqaudio.training.config import CorpusConfig, Experiment, FramesConfig, TrainingConfig
{imports}

config = seqaudio.ModelConfig(cell="gru", hidden_size=32, head="notes", memory=None)
options = seqaudio.PrepareOptions(melody=True, limits=Limits(max_notes=10))
features = seqaudio.FeatureOptions(kinds=("log_mel",))
sampling = seqaudio.Sampling(temperature=0.9)
config.layers = 3  # type: ignore[misc]
options.melody = False  # type: ignore[misc]
defaults = [MemoryConfig(), TrainingConfig(), seqaudio.ModelConfig(), seqaudio.PrepareOptions()]
experiments = [Experiment(corpus=CorpusConfig(prepared="x")), Experiment(corpus=FramesConfig(frames="x.npz"))]
print(seqaudio.FeatureOptions(), defaults, experiments)


def use(path: str) -> seqaudio.Score:
    model = seqaudio.load_model("folk")
    pieces = seqaudio.continue_score(model, seqaudio.read_midi(path), bars=16, seed=1, sampling=sampling)
    seqaudio.write_midi(pieces[0].with_primer(), "a.mid")
    ids: int = len(seqaudio.PreparedCorpus.open("x").piece(0))
    module = feature("log_mel", 22050, n_mels=64)
    print(ids, log_mel(np.zeros(9, np.float32), 22050).shape, module.bins, Stream(module), read_pieces(path))
    print(seqaudio.build_model(config, 10), seqaudio.__version__, options, features, seqaudio.structure.__name__)
    return pieces[0].score
"""


def typed_names(module: str) -> set[str]:
    """What a module exports to type checkers: names that are renamed to themselves."""
    path = PACKAGE.parent.joinpath(*module.split("."), "__init__.py")
    block = next(node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.If))
    names = [alias for imported in block.body for alias in imported.names]
    assert [alias.asname for alias in names] == [alias.name for alias in names]
    return {alias.name for alias in names}


@pytest.mark.parametrize("module", LAZY)
def test_names_for_type_checkers_are_those_that_are_there(module: str) -> None:
    assert typed_names(module) == set(importlib.import_module(module).__all__)


def test_defaults_of_settings_are_given_by_name() -> None:
    """Without pydantic's plugin, type checkers take a setting for required where its default has no name."""
    fields = [
        (path, node)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Field"
    ]
    assert len(fields) > 50
    assert [f"{path.name}:{node.lineno}" for path, node in fields if node.args] == []


@pytest.mark.slow
def test_a_strict_checker_finds_nothing_of_ours_in_the_code_of_a_user(tmp_path: Path) -> None:
    """Without this project's own settings of mypy, which nobody else has."""
    pytest.importorskip("mypy", reason="mypy is not installed; pip install 'seqaudio[dev]'")
    imports = "".join(
        f"from {module} import {', '.join(sorted(importlib.import_module(module).__all__))}\n" for module in LAZY
    )
    (tmp_path / "use.py").write_text(USE.format(imports=imports))
    (tmp_path / "empty.ini").write_text("[mypy]\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "empty.ini", "use.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_rooms_are_there_whoever_imported_what(tmp_path: Path) -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"cli"} | {"errors"}
    assert rooms == set(seqaudio._ROOMS)
    for room in ("corpus", "structure"):
        code = f"import sys, seqaudio; assert seqaudio.{room} is sys.modules['seqaudio.{room}']"
        assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path).returncode == 0, room


def test_what_a_module_lists_is_what_it_offers() -> None:
    assert [name for name in dir(seqaudio) if not name.startswith("__")] == sorted(
        {*seqaudio.__all__, *seqaudio._ROOMS}
    )
    assert "__version__" in dir(seqaudio)
    for module in map(importlib.import_module, LAZY[1:]):
        assert [name for name in dir(module) if not name.startswith("__")] == sorted(module.__all__)
        assert not [name for name in dir(module) if name.startswith("import_")], "what the house needs for itself"
    with pytest.raises(AttributeError, match="module 'seqaudio' has no attribute 'room'"):
        _ = seqaudio.room
