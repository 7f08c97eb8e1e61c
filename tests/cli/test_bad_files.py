"""Does `seqaudio continue` survive broken files? Each as the manifest beside them says; one line, never a traceback."""

import os
from pathlib import Path

import pytest

from tests.cli.test_commands import seqaudio  # noqa: F401

SHARED = Path(os.environ.get("SEQAUDIO_SHARED", Path(__file__).parents[3] / "shared"))
BAD = SHARED / "bad" / "midi"
LINES = (BAD / "MANIFEST.tsv").read_text(encoding="utf-8").splitlines()[1:] if (BAD / "MANIFEST.tsv").is_file() else []
SOUND = SHARED / "bad" / "audio"
SOUNDS = (SOUND / "MANIFEST.tsv").read_text("utf-8").splitlines()[1:] if (SOUND / "MANIFEST.tsv").is_file() else []
SOUNDLESS = {"a13_silence.wav", "a25_denormal.wav", "a37_10_samples.wav"}  # whole, but nothing to continue
NOTELESS = {"m13_only_pitch_bend.mid"}  # legal and loaded, but there is nothing to continue
ALLOWED = {"OK8": {0}, "OK": {0}, "REJECT": {1}, "ANY": {0, 1, 3}}


@pytest.mark.skipif(not LINES, reason="the broken files of shared/bad are not here")
@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("\t")[0])
def test_as_the_manifest_says(seqaudio, line: str) -> None:  # noqa: F811
    name, _, _, expected = line.split("\t")
    result = seqaudio("continue", BAD / name, "--bars", 2, "--seed", 1, "-o", "out.mid")
    assert result.code in ({3} if name in NOTELESS else ALLOWED[expected])
    if result.code:
        assert result.err.count("\n") == 1
        assert name.encode("unicode_escape").decode().split("_")[0] in result.err
        assert "unexpected" not in result.err
    else:
        assert "2 bars" in result.out


@pytest.mark.skipif(not SOUNDS, reason="the broken recordings of shared/bad are not here")
@pytest.mark.parametrize("line", SOUNDS, ids=lambda line: line.split("\t")[0])
def test_recordings_as_the_manifest_says(seqaudio, line: str) -> None:  # noqa: F811
    name, _, _, expected = line.split("\t")
    result = seqaudio("continue", SOUND / name, "--seconds", 1, "--seed", 1, "-o", "out.wav")
    assert result.code in ({3} if name in SOUNDLESS else ALLOWED[expected])
    if result.code:
        assert result.err.count("\n") == 1
        assert name.split("_")[0] in result.err
        assert "unexpected" not in result.err
    else:
        assert "1.0 s" in result.out
