"""What may an import pull in? Starting quickly is a promise, and what is not imported cannot be slow."""

import subprocess
import sys
from pathlib import Path

HEAVY = (
    "torch",
    "torchaudio",
    "librosa",
    "onnxruntime",
    "onnx",
    "symusic",
    "pretty_midi",
    "matplotlib",
    "jinja2",
    "pydantic",
    "music21",
)


def modules_after(code: str, cwd: Path | None = None) -> set[str]:
    """Top-level modules that are loaded once the code has run in a new process."""
    script = f"{code}\nimport sys\nprint('LOADED', *{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=cwd)
    return set(done.stdout.splitlines()[-1].removeprefix("LOADED ").split())


def test_import_seqaudio_pulls_in_nothing() -> None:
    loaded = modules_after("import seqaudio; seqaudio.__all__")
    assert not loaded & {*HEAVY, "numpy", "click", "rich"}
    assert "seqaudio" in loaded


def test_help_pulls_in_click_alone() -> None:
    loaded = modules_after(
        "import sys; sys.argv = ['seqaudio', '--help']\nfrom seqaudio.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit as done:\n    assert done.code == 0"
    )
    assert not loaded & {*HEAVY, "numpy", "rich"}
    assert "click" in loaded


def test_help_of_every_command_pulls_in_no_torch_and_no_engine() -> None:
    code = (
        "import sys\nfrom seqaudio.cli.main import COMMANDS, run\n"
        "for name in COMMANDS:\n"
        "    try:\n        run([name, '--help'])\n"
        "    except SystemExit as done:\n        assert done.code == 0, name"
    )
    assert not modules_after(code) & set(HEAVY)


def test_continue_on_a_shipped_model_imports_no_torch(tmp_path: Path) -> None:
    primer = Path(__file__).parents[1] / "examples" / "primer.mid"
    code = (
        "from seqaudio.cli.main import run\n"
        f"run(['continue', {str(primer)!r}, '--bars', '2', '--seed', '1', '-o', {str(tmp_path / 'out.mid')!r}])"
    )
    loaded = modules_after(code, cwd=tmp_path)
    assert (tmp_path / "out.mid").is_file()
    assert "onnxruntime" in loaded
    assert not loaded & {"torch", "torchaudio", "onnx", "matplotlib", "jinja2", "pretty_midi", "music21"}


def test_a_report_needs_no_torch_and_no_matplotlib(tmp_path: Path) -> None:
    primer = Path(__file__).parents[1] / "examples" / "primer.mid"
    page = tmp_path / "page.html"
    code = (
        "from seqaudio.cli.main import run\n"
        f"run(['continue', {str(primer)!r}, '--bars', '2', '--seed', '1', '--report', {str(page)!r}, '--gates'])"
    )
    loaded = modules_after(code, cwd=tmp_path)
    assert page.is_file()
    assert "jinja2" in loaded
    assert not loaded & {"torch", "torchaudio", "onnx", "matplotlib", "scipy", "pretty_midi", "music21"}


def test_levels_in_mel_bands_need_torch_alone() -> None:
    """What librosa's filters bring with them takes as long as a thousand short files."""
    code = "from seqaudio.features.catalog import feature\nfeature('log_mel', 22050)\nfeature('spectrogram', 22050)"
    loaded = modules_after(code)
    assert "torch" in loaded
    assert not loaded & {"scipy", "numba", "sklearn", "torchaudio", "symusic", "pydantic"}


def test_who_hands_out_recordings_needs_neither_torch_nor_readers_of_notes() -> None:
    loaded = modules_after("import seqaudio.corpus.extract, seqaudio.cli.features")
    assert not loaded & (set(HEAVY) - {"pydantic"})


def test_every_public_name_is_there() -> None:
    code = "import seqaudio\nfor name in seqaudio.__all__: getattr(seqaudio, name)\nassert seqaudio.__version__"
    modules_after(code)


def test_only_the_public_names_that_train_or_run_a_model_pull_in_torch() -> None:
    with_torch = {"Run", "continue_waveform", "open_corpus", "piece_nats", "probe_context", "probe_gradients"} | {
        "probe_recall",
        "probe_task",
    }
    code = f"import seqaudio\nfor name in {{*seqaudio.__all__}} - {with_torch}: getattr(seqaudio, name)"
    assert "torch" not in modules_after(code)
