"""What does ``seqaudio features`` say, and with which exit code? What it makes is tested with the corpus room."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

from seqaudio.cli.features import command
from seqaudio.cli.main import run
from seqaudio.corpus import extract
from seqaudio.corpus.extract import extract_features
from seqaudio.corpus.feature_options import FeatureOptions
from seqaudio.features.names import FEATURES
from seqaudio.files import write_audio
from seqaudio.music import Waveform
from tests.cli.test_commands import fails, seqaudio  # noqa: F401
from tests.corpus.test_extract import here  # noqa: F401

pytestmark = pytest.mark.usefixtures("here")  # no worker processes, which take seconds to begin; tests/corpus has them


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    time = np.arange(16_000) / 16_000
    for i in range(2):
        write_audio(Waveform(0.5 * np.sin(2 * np.pi * 440 * (i + 1) * time), 16_000), folder / f"{i}.wav")
    (folder / "broken.wav").write_bytes(b"RIFF")
    return folder


def test_the_defaults_are_those_of_the_functions() -> None:
    offered = command.make_context("features", ["music", "-o", "out"]).params
    options = FeatureOptions().model_dump()
    same = ("preset", "sample_rate", "mono")
    assert {name: offered[name] for name in same} == {name: options[name] for name in same}
    ways = {"jobs": "jobs", "timeout": "timeout_s", "memory": "memory_mb"}
    defaults = inspect.signature(extract_features).parameters
    assert {name: offered[name] for name in ways} == {name: defaults[ways[name]].default for name in ways}


def test_a_folder_with_a_picture_and_again(seqaudio, music: Path, tmp_path: Path) -> None:  # noqa: F811
    arguments = ("features", "music", "-o", "out", "--kind", "log_mel,mfcc", "--kind", "onset_strength", "--jobs", 2)
    first = seqaudio(*arguments, "--set", "hop_length=256", "--plot", "pictures/0.png")
    assert first.code == 0, first.err
    assert "2 of 3 recordings, 2.0 s of sound, are in out as .npz\n3 were read now, 0 are unchanged" in first.out
    assert "1 cannot be used:\n  broken.wav: no sound that can be read" in first.out
    assert "drawn in pictures/0.png: 0.npz\n" in first.out
    assert (tmp_path / "pictures" / "0.png").read_bytes().startswith(b"\x89PNG")
    with np.load("out/0.npz") as found:
        assert found["log_mel"].shape == (128, 63)
        assert found["mfcc"].shape == (20, 63)
        assert found["onset_strength"].shape == (1, 63)
    facts = json.loads(seqaudio(*arguments, "--set", "hop_length=256", "--json").out)
    assert (facts["read"], facts["reused"], list(facts["refused"])) == (1, 2, ["broken.wav"])
    fails(seqaudio(*arguments), 2, "out: made with other options (settings hop_length=256, now as by default)")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--kind", "mell"], "--kind: 'mell' is no feature; there are"),
        (["--kind", ","], "--kind: no feature is named; there are"),
        (["--preset", "torchaudio", "--kind", "cqt"], "torchaudio has no cqt"),
        (["--preset", "essentia"], "'essentia' is not one of"),
        (["--set", "hop"], "--set hop: give KEY=VALUE, such as --set hop_length=256"),
        (["--set", "hop=3"], "log_mel has no option 'hop'"),
        (["--sample-rate", "3"], "--sample-rate: Input should be greater"),
        (["--limit", "max_sample=3"], "max_sample=3"),
        (["--plot", "picture.bmp"], "end the name in .png"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(seqaudio, music: Path, options: list[str], words: str) -> None:  # noqa: F811
    fails(seqaudio("features", "music", "-o", "out", *options), 2, words)
    assert not Path("out").exists()


def test_a_picture_that_cannot_be_written_is_told_before_any_work(seqaudio, music: Path) -> None:  # noqa: F811
    fails(seqaudio("features", "music", "-o", "out", "--plot", "music/broken.wav/a.png"), 1, "broken.wav")
    assert not Path("out").exists()


def test_nothing_of_use_is_exit_3(seqaudio, music: Path) -> None:  # noqa: F811
    fails(seqaudio("features", "music/broken.wav", "-o", "out"), 3, "none of 1 recordings", "broken.wav")
    Path("empty").mkdir()
    fails(seqaudio("features", "empty", "-o", "out"), 3, "empty: no recording inside")


def test_a_remark_is_told_once_with_its_count(seqaudio, music: Path) -> None:  # noqa: F811
    told = seqaudio("features", "music", "-o", "out", "--set", "n_fft=256")
    assert told.code == 0
    assert told.out.count("remark (2 x): log_mel at 16,000 Hz: 12 of 128 mel bands lie between") == 1
    assert "Warning" not in told.err


def test_ctrl_c_says_how_to_go_on(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(function, files, **_):
        yield 1, function(files[1])
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(extract, "run_isolated", interrupted)
        with pytest.raises(SystemExit) as ended:
            run(["features", str(music), "-o", str(out)])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "seqaudio: interrupted; the same command goes on where it stopped\n"
    run(["features", str(music), "-o", str(out), "--json"])
    assert json.loads(capsys.readouterr().out)["reused"] == 1


def test_the_kinds_there_are(seqaudio) -> None:  # noqa: F811
    listed = seqaudio("features", "--list")
    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == list(FEATURES)


def test_info_of_a_recording(seqaudio, music: Path) -> None:  # noqa: F811
    told = seqaudio("info", "music/0.wav")
    assert told.out.splitlines()[1:] == [
        "format: WAV",
        "coding: PCM_16",
        "sample_rate: 16000",
        "channels: 1",
        "seconds: 1.0",
    ]
    assert json.loads(seqaudio("info", "music/0.wav", "--json").out)["seconds"] == 1.0
    fails(seqaudio("info", "music/broken.wav"), 1, "music/broken.wav: no sound that can be read")
