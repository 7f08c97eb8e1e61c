"""What does ``seqaudio prepare`` say, and with which exit code?"""

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seqaudio.cli import terminal
from seqaudio.cli.main import run
from seqaudio.cli.prepare import TOKENIZERS, command
from seqaudio.corpus import sources
from seqaudio.corpus.options import PrepareOptions
from seqaudio.corpus.prepare import prepare
from seqaudio.files import write_midi
from seqaudio.tokens.loading import NAMES
from tests.samples import tune

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[2].parent / "shared"))


def seqaudio(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seqaudio", "prepare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for seed in range(3):
        write_midi(tune(8, seed=seed), folder / f"{seed}.mid")
    (folder / "broken.mid").write_bytes(b"MThd")
    return folder


def test_the_tokenizers_offered_are_those_there_are() -> None:
    assert sorted(NAMES) == sorted(TOKENIZERS)


def test_the_defaults_are_those_of_the_functions() -> None:
    offered = command.make_context("prepare", ["music", "out"]).params
    options = PrepareOptions().model_dump()
    assert {name: offered[name] for name in options if name not in ("settings", "limits")} == {
        name: value for name, value in options.items() if name not in ("settings", "limits")
    }
    ways = {"jobs": "jobs", "dask": "dask", "timeout": "timeout_s", "memory": "memory_mb"}
    defaults = inspect.signature(prepare).parameters
    assert {name: offered[name] for name in ways} == {name: defaults[ways[name]].default for name in ways}


def test_facts_as_json_and_what_was_reused(music: Path, tmp_path: Path) -> None:
    first = seqaudio(music, tmp_path / "out", "--json", "--set", "velocities=false", "--limit", "max_notes=900")
    assert first.returncode == 0, first.stderr
    facts = json.loads(first.stdout)
    assert (facts["files"], facts["read"], facts["reused"]) == (4, 4, 0)
    assert sum(facts["pieces"].values()) == 3
    assert facts["dropped"] == {"unreadable": 1}
    again = seqaudio(music, tmp_path / "out", "--set", "velocities=False", "--limit", "max_notes=900", "--jobs", 2)
    assert "4 files: 0 read now, 4 unchanged" in again.stdout
    assert "tokenizer: bars, velocities=False\n" in again.stdout
    assert "max_notes is 900" in again.stdout


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--set", "velocities"], "give KEY=VALUE"),
        (["--set", "tempo=1"], "the tokenizer bars has no option 'tempo'; it has"),
        (["--limit", "max_note=1"], "max_note=1"),
        (["--melody", "--tokenizer", "performance"], "melody goes with the tokenizer bars"),
        (["--melody", "--lead-sheet"], "melody and lead_sheet are two ways to read a piece"),
        (["--valid-share", "0.6", "--test-share", "0.6"], "must stay below 1"),
        (["--valid-share", "1"], "--valid-share"),
        (["--test-share", "nan"], "--test-share: Input should be"),
        (["--tokenizer", "remi"], "'remi' is not one of"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(music: Path, tmp_path: Path, options: list[str], text: str) -> None:
    done = seqaudio(music, tmp_path / "out", *options)
    assert done.returncode == 2
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_no_usable_piece_says_how_to_keep_more(music: Path, tmp_path: Path) -> None:
    done = seqaudio(music, tmp_path / "out", "--min-notes", 900)
    assert done.returncode == 3
    assert "3 x too few notes; 1 x unreadable; the first: 0.mid: " in done.stderr
    assert done.stderr.endswith("to keep more, lower --min-notes (now 900)\n")


def test_ctrl_c_says_how_to_go_on(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(function, files, **_):
        yield 2, function(files[2])
        yield 0, function(files[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["seqaudio.corpus.prepare"], "run_isolated", interrupted)
    with pytest.raises(SystemExit) as ended:
        run(["prepare", str(music), str(tmp_path / "out")])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "seqaudio: interrupted; the same command goes on where it stopped\n"
    assert not (tmp_path / "out").exists()
    done = seqaudio(music, tmp_path / "out", "--json")
    assert json.loads(done.stdout)["reused"] == 2


@pytest.mark.skipif(not (SHARED / "bad" / "midi").is_dir(), reason="no folder of broken files here")
@pytest.mark.parametrize("lowest", [1, 16])
def test_a_folder_of_broken_files_ends_in_a_report_or_in_exit_3(tmp_path: Path, lowest: int) -> None:
    done = seqaudio(SHARED / "bad" / "midi", tmp_path / "out", "--min-notes", lowest, "--min-bars", 1)
    assert done.returncode in (0, 3), done.stderr
    assert "Traceback" not in done.stderr
    if lowest == 1:
        dropped = json.loads((tmp_path / "out" / "manifest.json").read_text())["dropped"]
        assert dropped
        assert all(entry["rule"] not in ("unexpected error", "crashed", "hung") for entry in dropped)


def test_a_download_is_shown(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetched(name: str, data: Path | None = None, progress: Callable[[int, int | None], None] | None = None) -> Path:
        assert progress is not None
        progress(5_000_000, None)
        progress(12_000_000, 90_000_000)
        return music

    monkeypatch.setattr(sources, "corpus_folder", fetched)
    monkeypatch.setattr(terminal, "LINE_EVERY_S", 0.0)
    run(["prepare", "groove", str(tmp_path / "out"), "--min-notes", "1"])
    said = capsys.readouterr()
    assert "downloading: 5 of ? MB\ndownloading: 12 of 90 MB\n" in said.err
    assert "every dropped piece is in its report.txt" in said.out
