"""Is it told of a primer that it was played, or is unlike what the model learnt, and can the first be refused?"""

import json
from pathlib import Path

import numpy as np
import pytest

from seqaudio.files import read_midi, write_midi
from seqaudio.music import Score
from seqaudio.music.straight import share_between
from tests.cli.test_commands import PRIMER, fails, seqaudio  # noqa: F401


@pytest.fixture
def played(tmp_path: Path) -> Path:
    """The example as somebody may have played it."""
    written = read_midi(PRIMER)
    unit = written.ticks_per_quarter
    late = np.resize([0.0, 0.07, 0.05, -0.06, 0.06], len(written)) * unit
    onset = np.maximum(written.onset + np.rint(late).astype(int), 0)
    write_midi(written.replaced(onset=onset), tmp_path / "played.mid")
    return tmp_path / "played.mid"


def test_what_was_played_is_heard_straight_unless_refused(seqaudio, played: Path, tmp_path: Path) -> None:  # noqa: F811
    asked = ("--bars", 16, "--seed", 1, "--json")
    straight, refused, written = (
        json.loads(seqaudio("continue", primer, *asked, *options, "-o", f"{number}.mid").out)
        for number, (primer, options) in enumerate([(played, ()), (played, ("--no-straight",)), (PRIMER, ())])
    )
    assert any(remark.startswith("played: ") for remark in straight["remarks"])
    assert not any(remark.startswith("played: ") for remark in refused["remarks"] + written["remarks"])
    assert straight["primer_nats_per_note"] == pytest.approx(written["primer_nats_per_note"], rel=0.2)
    assert refused["primer_nats_per_note"] > 2 * written["primer_nats_per_note"]
    assert straight["outputs"][0]["primer_recall"] == written["outputs"][0]["primer_recall"] > 0
    assert share_between(read_midi(tmp_path / "0.mid")) == 0
    assert (straight["heard_straight"], refused["heard_straight"]) == (True, False)
    manifest = json.loads((tmp_path / "0.mid.json").read_text())
    assert manifest["heard_straight"]
    assert manifest["primer_nats_per_note"] == straight["primer_nats_per_note"]


def test_the_primer_in_front_is_as_it_was_played(seqaudio, played: Path, tmp_path: Path) -> None:  # noqa: F811
    assert seqaudio("continue", played, "--bars", 4, "--seed", 1, "--include-primer", "-o", "all.mid").code == 0
    whole, primer = read_midi(tmp_path / "all.mid"), read_midi(played)
    assert whole.onset[: len(primer)].tolist() == primer.onset.tolist()


def test_a_primer_unlike_all_that_a_model_learnt_is_told(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    rng = np.random.default_rng(0)
    pitch = rng.integers(50, 90, 64)
    write_midi(Score.from_notes(np.arange(64) * 240, 240, pitch), tmp_path / "noise.mid")
    assert "unlike what this model learnt" in seqaudio("continue", "noise.mid", "--bars", 1, "-o", "a.mid").out
    assert "unlike" not in seqaudio("continue", PRIMER, "--bars", 1, "-o", "b.mid").out


def test_any_tune_of_a_book_is_a_primer(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    tune = (Path(PRIMER).parent / "primer.abc").read_text()
    assert tune.startswith("X:1\n")
    other = tune.replace("X:1", "X:2", 1).replace("K:", "K:C % was ", 1)
    (tmp_path / "book.abc").write_text(f"{tune}\n\n{other}")
    asked = ("continue", "book.abc", "--bars", 2, "--seed", 1)
    first, second = (json.loads(seqaudio(*asked, *which, "--json").out) for which in ((), ("--tune", 2)))
    assert (first["primer_tune"], second["primer_tune"]) == ("1", "2")
    assert first["primer_nats_per_note"] != second["primer_nats_per_note"]
    assert any(remark.endswith("the first of 2; --tune names another") for remark in first["remarks"])
    assert any(remark.startswith("tune 2 ") and remark.endswith("one of 2") for remark in second["remarks"])
    fails(seqaudio(*asked, "--tune", 3), 2, "'3' is none of its 2 pieces")
    fails(seqaudio("continue", "--primer_melody", "[60]", "--tune", 3), 2, "--tune names a piece of a file")


def test_of_a_recording_nothing_can_be_straight(seqaudio, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    fails(seqaudio("continue", "a.wav", "--straight"), 2, "--straight and --no-straight are of notes")
