"""Does the house keep its rules? Rooms import only rooms above them; each library is imported in one room."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from seqaudio import errors

PACKAGE = Path(__file__).parents[1] / "seqaudio"
ROOMS = (
    "lazy_names",
    "errors",
    "compiled",
    "settings",
    "music",
    "files",
    "features",
    "tokens",
    "corpus",
    "models",
    "training",
    "continuation",
    "structure",
    "memory",
    "report",
    "pretrained",
    "cli",
)
ONE_ROOM = {
    "numba": "compiled",
    "llvmlite": "compiled",
    "symusic": "files",
    "pretty_midi": "music",
    "soundfile": "files",
    "soxr": "music",
    "torchaudio": "features",
    "librosa": "features",
    "onnxruntime": "continuation",
    "onnx": "models",
    "safetensors": None,  # weights in models, the training state in training
    "accelerate": "training",
    "matplotlib": "report",
    "jinja2": "report",
    "markupsafe": "report",
    "click": "cli",
    "rich": "cli",
    "yaml": "training",
    "torch.utils.tensorboard": "training",
    "filelock": "files",
    "distributed": "corpus",
    "scipy": "report",
    "music21": "files",
    "miditok": "tokens",
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    """Every module a file imports, at the top or inside functions, without those for type checkers only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            found += [node.args[0].value] if isinstance(node.args[0], ast.Constant) else []
    return tuple(found)


def test_every_folder_is_a_room() -> None:
    found = {room_of(path) for path in FILES} - {"__init__", "__main__"}
    assert found <= set(ROOMS), f"not a room: {found - set(ROOMS)}"
    assert len(found) > 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    for name in imports_of(path):
        if name.startswith("seqaudio."):
            other = name.split(".")[1]
            assert other == room or ROOMS.index(other) < ROOMS.index(room), f"{room} imports {name}"
            known = ("structure", "music", "errors", "compiled")
            assert room != "structure" or other in known, f"structure imports {name}"


@pytest.mark.parametrize("library", ONE_ROOM)
def test_each_library_is_imported_in_one_room(library: str) -> None:
    rooms = {room_of(path) for path in FILES for name in imports_of(path) if f"{name}.".startswith(f"{library}.")}
    expected = ONE_ROOM[library]
    if library == "safetensors":
        assert rooms == {"models", "training"}
    elif expected is None:
        assert not rooms
    else:
        assert rooms == {expected}


def test_nothing_is_unpickled_or_evaluated() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "pickle.load", "pickle.loads", "torch.load", "yaml.load"), path
                words = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert words.get("allow_pickle") != "True", path


def test_nothing_is_imported_by_a_name_from_data() -> None:
    """A name that is no constant is looked up in a table of ours, but for the one that a person typed."""
    by_name, by_a_person = set(), set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func).rpartition(".")[2]
                if called in ("import_module", "__import__") and not isinstance(node.args[0], ast.Constant):
                    by_name.add(str(path.relative_to(PACKAGE)))
                if called in ("import_own", "use_own_tokenizer"):
                    by_a_person.add(str(path.relative_to(PACKAGE)))
    assert by_name == {"lazy_names.py", "cli/lazy.py", "tokens/own.py"}
    assert by_a_person == {"cli/options.py", "cli/main.py"}


def test_files_and_functions_stay_readable() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 450, f"{path} is too long"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno <= 60, f"{path}: {node.name} is too long"


def public_functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Functions and methods that others may call, with their docstrings; what makes an object has its class's too."""
    for owner in (tree, *(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")):
        for node in owner.body:
            if isinstance(node, ast.FunctionDef):
                makes = node.name in ("__init__", "__post_init__")
                if makes or not node.name.startswith("_"):
                    yield (
                        node,
                        " ".join(ast.get_docstring(each) or "" for each in ((owner, node) if makes else (node,))),
                    )


def raised_by(function: ast.FunctionDef) -> set[str]:
    """The errors of the house that a function raises itself."""
    found = (node.exc.func for node in ast.walk(function) if isinstance(node, ast.Raise) and _is_call(node.exc))
    return {ast.unparse(name) for name in found} & set(vars(errors))


def _is_call(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Call)


def test_docstrings_name_the_errors_that_are_raised() -> None:
    """Or say whose errors they are."""
    count = 0
    for path in FILES:
        if room_of(path) == "cli":
            continue
        for function, text in public_functions(ast.parse(path.read_text(encoding="utf-8"))):
            raised = raised_by(function)
            count += len(raised)
            elsewhere = "raises as" in text.lower() or "errors are those of" in text
            assert elsewhere or all(name in text for name in raised), f"{path}: {function.name} raises {raised}"
    assert count > 100
