"""``seqaudio continue`` of a recording: what it writes, what it says, what it refuses."""

import hashlib
import json
import weakref
from pathlib import Path

import numpy as np
import pytest

from seqaudio.cli.continue_audio import DEFAULT_SECONDS
from seqaudio.continuation import continue_waveform
from seqaudio.continuation.continue_waveform import PLAIN
from seqaudio.files.audio import audio_facts, read_audio, write_audio
from seqaudio.music.waveform import Waveform
from tests.cli.test_commands import fails, seqaudio  # noqa: F401
from tests.continuation.test_continue_waveform import loop

RATE = 22050


@pytest.fixture
def primer(tmp_path: Path) -> Path:
    """A stereo loop, five times."""
    left = loop(5)[: int(7.3 * RATE)]
    write_audio(Waveform(np.stack([left, 0.5 * left]), RATE), tmp_path / "loop.flac")
    return tmp_path / "loop.flac"


def test_a_recording_is_continued_as_asked(seqaudio, primer: Path, tmp_path: Path) -> None:  # noqa: F811
    result = seqaudio("continue", primer, "-o", "new/out.wav", "--seconds", 3, "--seed", 1, "--plot", "sound.png")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "new/out.wav"
    assert "3.0 s, 22050 Hz, stereo" in lines[1]
    assert "no model of sound is shipped" in lines[2]
    assert "learnt from it alone" in lines[2]
    assert "beats at " in lines[2]
    assert "decoder grains, seed 1" in lines[3]
    sound = read_audio(tmp_path / "new" / "out.wav")
    assert (sound.sample_rate, sound.channels, len(sound)) == (RATE, 2, 3 * RATE)
    assert sound.samples[1] == pytest.approx(sound.samples[0] / 2, abs=1e-3), "channels stay as they were"
    assert (tmp_path / "sound.png").read_bytes().startswith(b"\x89PNG")
    manifest = json.loads((tmp_path / "new" / "out.wav.json").read_text())
    assert manifest["sha256"] == hashlib.sha256((tmp_path / "new" / "out.wav").read_bytes()).hexdigest()
    assert manifest["primer_sha256"] == hashlib.sha256(primer.read_bytes()).hexdigest()
    assert (manifest["seed"], manifest["decoder"]) == (1, "grains")
    assert manifest["level_db"] == pytest.approx(manifest["primer_level_db"], abs=1)


def test_without_a_name_it_stands_beside_as_the_primer_is(seqaudio, primer: Path, tmp_path: Path) -> None:  # noqa: F811
    result = seqaudio("continue", primer, "--num-outputs", 2, "--seconds", 2, "--include-primer", "--json")
    facts = json.loads(result.out)
    assert [piece["file"] for piece in facts["outputs"]] == ["loop-continued-1.flac", "loop-continued-2.flac"]
    real = read_audio(primer)
    for piece in facts["outputs"]:
        joined = read_audio(tmp_path / piece["file"])
        assert len(joined) == len(real) + 2 * RATE
        np.testing.assert_array_equal(joined.samples[:, : len(real)], real.samples)
    again = seqaudio(
        "continue", primer, "--num-outputs", 2, "--seconds", 2, "--include-primer", "--json", "--seed", facts["seed"]
    )
    assert [piece["sha256"] for piece in json.loads(again.out)["outputs"]] == [
        piece["sha256"] for piece in facts["outputs"]
    ]


def test_help_says_what_options_are_of_a_recording(seqaudio) -> None:  # noqa: F811
    told = " ".join(seqaudio("continue", "--help").out.split())
    assert f"--temperature is {PLAIN.temperature:g} unless given, --plot draws a spectrogram" in told
    assert f"--seconds says how much ({DEFAULT_SECONDS:g})" in told


def test_each_output_is_written_when_it_is_made_and_kept_when_interrupted(
    seqaudio,  # noqa: F811
    primer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = ("continue", primer, "--num-outputs", 3, "--seconds", 1, "--seed", 1)
    assert seqaudio(*asked, "-o", "whole/").code == 0
    make, before, alive = continue_waveform._written, [], []

    def counted(*arguments):
        before.append(sorted(path.name for path in (tmp_path / "cut").glob("*")))
        alive.append(sum(piece() is not None for piece in made))
        if len(before) == 3:
            raise KeyboardInterrupt
        piece = make(*arguments)
        made.append(weakref.ref(piece))
        return piece

    made: list[weakref.ref] = []
    monkeypatch.setattr(continue_waveform, "_written", counted)
    fails(seqaudio(*asked, "-o", "cut/", "--plot", "sound.png"), 1, "interrupted", "2 of 3", "--seed 1")
    names = [f"loop-continued-{number}.flac{end}" for number in (1, 2) for end in ("", ".json")]
    assert before == [[], names[:2], names], "the one before is written when the next is made"
    assert max(alive) == 1, "and no other is kept"
    assert (tmp_path / "sound.png").is_file()
    for name in names[::2]:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
        facts = json.loads((tmp_path / "cut" / f"{name}.json").read_text())
        assert facts["sha256"] == hashlib.sha256((tmp_path / "cut" / name).read_bytes()).hexdigest()
        assert facts["output"] == names.index(name) // 2


def test_ten_seconds_unless_told_otherwise(seqaudio, primer: Path, tmp_path: Path) -> None:  # noqa: F811
    assert seqaudio("continue", primer, "-o", "out.ogg", "--temperature", 1).code == 0
    assert read_audio(tmp_path / "out.ogg").seconds == pytest.approx(10)


def test_bits_are_kept(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    write_audio(Waveform(loop(3), RATE), tmp_path / "deep.wav", bits=32)
    assert seqaudio("continue", "deep.wav", "-o", "out.wav", "--seconds", 2).code == 0
    assert audio_facts(tmp_path / "out.wav").coding == "PCM_24"


@pytest.mark.parametrize("name", ["out.wav", "out.flac", "out.ogg"])
def test_beyond_full_scale_the_level_is_kept_where_the_file_can(seqaudio, tmp_path: Path, name: str) -> None:  # noqa: F811
    loud = loop(3) * (1.5 / np.abs(loop(3)).max())
    write_audio(Waveform(loud, RATE), tmp_path / "loud.wav", bits=32)
    result = seqaudio("continue", "loud.wav", "-o", name, "--seconds", 2, "--include-primer", "--json")
    told, written = json.loads(result.out)["outputs"][0], read_audio(tmp_path / name).samples[0]
    gain = 1 if name == "out.wav" else 1 / 1.5
    tolerance = 0.15 if name == "out.ogg" else 1e-6  # Vorbis keeps no samples
    assert np.abs(written[: len(loud)] - gain * loud).max() < tolerance
    level = 10 * np.log10(np.square(written[len(loud) :], dtype=np.float64).mean())
    assert told["level_db"] == pytest.approx(level, abs=0.1)
    assert told["peak"] == pytest.approx(1.5 * gain, abs=1e-3)
    assert ("players may clip" if name == "out.wav" else "3.5 dB quieter; a .wav keeps") in told["warnings"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--bars", 4), ("--bars", "--seconds")),
        (("--num_steps", 4), ("--num_steps", "--seconds")),
        (("--primer-bars", 4), ("--primer-bars",)),
        (("--tune", 4), ("--tune",)),
        (("--model", "folk"), ("--model", "primer alone")),
        (("--engine", "torch"), ("--engine", "primer alone")),
        (("--gate-temperature", 0.5), ("--gate-temperature",)),
        (("--max-turns", 2), ("--max-turns", "bars")),
        (("--form", "AABA"), ("--form", "bars")),
        (("--section-bars", 4), ("--section-bars", "bars")),
        (("--variation", 0), ("--variation",)),
        (("--report", "a.html"), ("--report", "--plot")),
        (("--reference", "folk"), ("--reference",)),
        (("--gates",), ("--gates",)),
        (("-o", "out.mid"), ("out.mid", ".flac")),
        (("-o", "loop.flac"), ("overwrite the primer",)),
        (("--decoder", "loud"), ("loud", "griffinlim")),
        (("--seconds", 0), ("--seconds",)),
        (("--seconds", 1e6), ("600",)),
        (("--plot", "a.gif"), ("a.gif", ".png")),
    ],
)
def test_what_makes_no_sense_for_sound_is_one_line(seqaudio, primer, arguments, words, tmp_path) -> None:  # noqa: F811
    fails(seqaudio("continue", primer, *arguments), 2, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["loop.flac"]


def test_a_picture_that_cannot_be_written_is_told_before_any_work(seqaudio, primer, tmp_path: Path) -> None:  # noqa: F811
    fails(seqaudio("continue", primer, "--plot", "loop.flac/a.png"), 1, "loop.flac/a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["loop.flac"]


@pytest.mark.parametrize("command", ["continue", "features"])
def test_a_file_where_a_folder_is_needed_is_told_as_such(seqaudio, primer, tmp_path: Path, command) -> None:  # noqa: F811
    (tmp_path / "file").write_text("of mine")
    out = "file/out.wav" if command == "continue" else "file/out"
    code = {"continue": 1, "features": 2}[command]
    fails(seqaudio(command, primer, "-o", out), code, "file", "a file stands where a folder is needed")
    assert (tmp_path / "file").read_text() == "of mine"


def test_silence_and_files_that_are_no_sound_are_one_line(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    write_audio(Waveform(np.zeros(RATE), RATE), tmp_path / "nothing.wav")
    fails(seqaudio("continue", "nothing.wav"), 3, "nothing.wav", "silence")
    write_audio(Waveform(np.ones(100), RATE), tmp_path / "short.wav")
    fails(seqaudio("continue", "short.wav"), 3, "short.wav", "0.00 s")
    (tmp_path / "text.mp3").write_text("no sound at all")
    fails(seqaudio("continue", "text.mp3"), 1, "text.mp3")


@pytest.mark.parametrize(
    "command", [("continue", "song.m4a"), ("continue", "--primer_midi", "song.m4a"), ("info", "song.m4a")]
)
def test_other_recordings_are_told_from_notes(seqaudio, tmp_path: Path, command) -> None:  # noqa: F811
    (tmp_path / "song.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(200))
    fails(seqaudio(*command), 1, "song.m4a: no sound that can be read", "give WAV, FLAC, Ogg, MP3 or AIFF")
