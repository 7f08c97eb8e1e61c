"""Folders of recordings to files of features: each by itself, the same whatever the run, and nothing done twice."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import seqaudio
from seqaudio.corpus import extract
from seqaudio.corpus.extract import extract_features
from seqaudio.corpus.feature_options import FeatureOptions, parse_settings
from seqaudio.corpus.workers import Lost
from seqaudio.errors import BadFileError, NoSoundError, OptionError
from seqaudio.features import feature
from seqaudio.files import read_audio, write_audio
from seqaudio.files.npz import npz_bytes
from seqaudio.music import Waveform

LIGHT = FeatureOptions(kinds=("mel", "mfcc"), settings={"n_mels": 20, "mfcc.n_mfcc": 5, "hop_length": 256})


def at_once(function, items, *, prepare_worker=None, **_):
    """run_isolated, here and now: what workers add is tested elsewhere."""
    prepare_worker()
    for number, item in enumerate(items):
        yield number, function(item)


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(extract, "run_isolated", at_once)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Four recordings, one of them broken, and a file that is none."""
    folder = tmp_path / "music"
    (folder / "b").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name, channels, rate in (("a.wav", 1, 8000), ("b/a.flac", 2, 22_050), ("c.wav", 1, 16_000)):
        write_audio(Waveform(generator.uniform(-0.5, 0.5, (channels, 6000)), rate), folder / name)
    (folder / "broken.wav").write_bytes(b"no sound")
    (folder / "notes.txt").write_text("none")
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.npz")}


def test_files_hold_what_the_features_make(here, music: Path, tmp_path: Path) -> None:
    made = extract_features([str(music)], tmp_path / "out", LIGHT)
    assert made.outputs == ["a.npz", "b/a.npz", "c.npz"]
    assert (made.files, made.read, made.reused, list(made.refused)) == (4, 4, 0, ["broken.wav"])
    for name, output, rate in (("a.wav", "a.npz", 8000), ("b/a.flac", "b/a.npz", 22_050)):
        samples = torch.from_numpy(read_audio(music / name, mono=True).samples[0].copy())
        found = np.load(tmp_path / "out" / output)
        assert found["sample_rate"] == rate
        for kind, own in (("mel", {}), ("mfcc", {"n_mfcc": 5})):
            module = feature(kind, rate, n_mels=20, hop_length=256, **own)
            assert np.array_equal(found[kind], module(samples).numpy())
            assert found[f"{kind}_times"].tolist() == module.times(24).tolist()
            assert found[f"{kind}_names"].tolist() == list(module.names)
    facts = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [each["name"] for each in facts["files"]] == ["a.wav", "b/a.flac", "c.wav"]
    assert facts["files"][0]["shapes"] == {"mel": [20, 24], "mfcc": [5, 24]}
    assert "no sound that can be read" in facts["refused"]["broken.wav"]
    assert facts["options"]["settings"] == LIGHT.settings
    assert not (tmp_path / "out" / extract.JOURNAL).exists()


def test_sources_are_paths_or_text(here, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for given in ("music", Path("music"), [Path("music")], ["music"]):
        made = extract_features(given, Path("out"), LIGHT)
        assert made.outputs == ["a.npz", "b/a.npz", "c.npz"]
        assert json.loads(Path("out/manifest.json").read_text())["sources"] == ["music"]


def test_every_channel_by_itself_and_at_another_rate(here, music: Path, tmp_path: Path) -> None:
    options = FeatureOptions(kinds=("mel",), mono=False, sample_rate=11_025)
    extract_features([str(music / "b")], tmp_path / "out", options)
    samples = read_audio(music / "b" / "a.flac", 11_025).samples
    found = np.load(tmp_path / "out" / "a.npz")["mel"]
    assert found.shape == (2, 128, 6)
    assert np.array_equal(found, feature("mel", 11_025)(torch.from_numpy(samples.copy())).numpy())
    assert not np.array_equal(found[0], found[1])


def test_processes_make_the_same_bytes(here, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extract_features([str(music)], tmp_path / "one", LIGHT)
    monkeypatch.undo()
    made = extract_features([str(music)], tmp_path / "two", LIGHT, jobs=2)
    assert len(made.outputs) == 3
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


@pytest.mark.parametrize("stopped_after", [0, 1, 3])
def test_a_run_that_was_stopped_goes_on(
    here, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_after: int
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    extract_features([str(music)], whole, LIGHT)

    def stop(progress) -> None:
        if progress.done - progress.reused == stopped_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_features([str(music)], out, LIGHT, show=stop)
    if (journal := out / extract.JOURNAL).exists():
        journal.write_bytes(journal.read_bytes() + b'{"name": "c.w')  # a line that was torn
    made = extract_features([str(music)], out, LIGHT)
    assert made.reused == min(stopped_after, 2)  # the third in order is the broken one
    assert bytes_of(out) == bytes_of(whole)
    assert (out / "manifest.json").read_bytes() == (whole / "manifest.json").read_bytes()


def test_only_what_changed_is_read_again(here, music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract_features([str(music)], out, LIGHT)
    again = extract_features([str(music)], out, LIGHT)
    assert (again.read, again.reused) == (1, 3)  # what was refused is tried again
    before = bytes_of(out)
    write_audio(Waveform(np.zeros(6000), 8000), music / "a.wav")
    os.utime(music / "a.wav", ns=(1, 1))
    (out / "c.npz").unlink()
    write_audio(Waveform(np.ones(900) / 2, 8000), music / "broken.wav")
    mended = extract_features([str(music)], out, LIGHT)
    assert (mended.read, mended.reused, mended.refused) == (3, 1, {})
    after = bytes_of(out)
    assert after["c.npz"] == before["c.npz"]
    assert after["b/a.npz"] == before["b/a.npz"]
    assert after["a.npz"] != before["a.npz"]


def test_features_that_were_cut_off_are_made_anew(here, music: Path, tmp_path: Path) -> None:
    """As a loss of power leaves them."""
    out = tmp_path / "out"
    extract_features([str(music)], out, LIGHT)
    before = bytes_of(out)
    (out / "c.npz").write_bytes(before["c.npz"][:100])
    assert extract_features([str(music)], out, LIGHT).reused == 2
    assert bytes_of(out)["c.npz"] == before["c.npz"]


def test_other_recordings_join_those_that_are_there(here, music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract_features([str(music / "a.wav")], out, LIGHT)
    extract_features([str(music / "c.wav")], out, LIGHT)
    facts = json.loads((out / "manifest.json").read_text())
    assert [each["name"] for each in facts["files"]] == ["a.wav", "c.wav"]


@pytest.mark.parametrize("interrupted", [False, True])
def test_changed_options_are_refused(here, music: Path, tmp_path: Path, interrupted: bool) -> None:
    out = tmp_path / "out"
    extract_features([str(music)], out, LIGHT)
    if interrupted:
        lines = [
            json.dumps({key: json.loads((out / "manifest.json").read_text())[key] for key in ("format", "options")})
        ]
        (out / "manifest.json").unlink()
        (out / extract.JOURNAL).write_text("\n".join([*lines, ""]))
    before = bytes_of(out)
    changed = FeatureOptions(kinds=("mel",), settings={"n_mels": 21})
    with pytest.raises(OptionError, match=r"kinds mel,mfcc, now mel; settings n_mels=20 .* now n_mels=21\); ask for"):
        extract_features([str(music)], out, changed)
    assert bytes_of(out) == before


def test_another_version_makes_all_anew(here, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extract_features([str(music)], tmp_path / "out", LIGHT)
    monkeypatch.setattr(extract, "versions_of", lambda packages: {"seqaudio": "another"})
    assert extract_features([str(music)], tmp_path / "out", LIGHT).reused == 0


def test_names_that_would_be_one(here, music: Path, tmp_path: Path) -> None:
    write_audio(Waveform(np.zeros(6000), 8000), music / "a.flac")
    assert extract_features([str(music)], tmp_path / "out", LIGHT).outputs[:2] == ["a.flac.npz", "a.wav.npz"]
    other = tmp_path / "other"
    other.mkdir()
    write_audio(Waveform(np.zeros(6000), 8000), other / "c.wav")
    with pytest.raises(OptionError, match=r"music/c\.wav and .*other/c\.wav would both become c\.wav\.npz"):
        extract_features([str(music), str(other)], tmp_path / "more", LIGHT)
    same = extract_features([str(music), str(music / "c.wav")], tmp_path / "out", LIGHT)
    assert same.files == 5  # a file that is named twice counts once


def test_folders_of_others_are_left_alone(here, music: Path, tmp_path: Path) -> None:
    before = sorted(music.rglob("*"))
    with pytest.raises(OptionError, match="exists and holds other things than features"):
        extract_features([str(music)], music, LIGHT)
    assert sorted(music.rglob("*")) == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(OptionError, match="cannot be written"):
        extract_features([str(music)], tmp_path / "file", LIGHT)


def test_nothing_of_use_leaves_nothing(here, music: Path, tmp_path: Path) -> None:
    with pytest.raises(NoSoundError, match=r"none of 1 recordings can be used; the first, broken\.wav: no sound"):
        extract_features([str(music / "broken.wav")], tmp_path / "out", LIGHT)
    assert not (tmp_path / "out").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoSoundError, match="no recording inside"):
        extract_features([str(tmp_path / "empty")], tmp_path / "out", LIGHT)
    with pytest.raises(OptionError, match="name a folder or a recording"):
        extract_features([str(tmp_path / "nowhere")], tmp_path / "out", LIGHT)


def test_an_unknown_setting_stops_the_run_before_anything_is_made(here, music: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="mel has no option 'mels'"):
        extract_features([str(music)], tmp_path / "out", FeatureOptions(kinds=("mel",), settings={"mels": 3}))
    assert not (tmp_path / "out").exists()


def test_a_feature_too_high_for_one_rate_costs_one_recording(here, music: Path, tmp_path: Path) -> None:
    made = extract_features([str(music / "a.wav"), str(music / "b")], tmp_path / "out", FeatureOptions(kinds=("cqt",)))
    assert list(made.refused) == ["a.wav"]
    assert made.refused["a.wav"].startswith("cqt: "), "which of several features it is"
    assert made.outputs == ["a.flac.npz"]


def test_a_lost_process_costs_one_recording(music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def losing(function, items, **_):
        yield 1, Lost("hung", "took longer than 60 s; give more with --timeout")
        yield from ((i, function(items[i])) for i in (0, 2, 3))

    monkeypatch.setattr(extract, "run_isolated", losing)
    made = extract_features([str(music)], tmp_path / "out", LIGHT)
    assert made.refused["b/a.flac"] == "took longer than 60 s; give more with --timeout"
    assert len(made.outputs) == 2


def test_a_full_disk_stops_the_run(here, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def full(source, target):
        if str(target).endswith("c.npz"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(BadFileError, match="make room on the disk"):
            extract_features([str(music)], tmp_path / "out", LIGHT)
    assert extract_features([str(music)], tmp_path / "out", LIGHT).reused == 2


def test_a_damaged_manifest_is_told(here, music: Path, tmp_path: Path) -> None:
    extract_features([str(music)], tmp_path / "out", LIGHT)
    (tmp_path / "out" / "manifest.json").write_text("{")
    with pytest.raises(BadFileError, match=r"manifest\.json: damaged"):
        extract_features([str(music)], tmp_path / "out", LIGHT)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kinds": ["mell"]}, "'mell' is no feature; there are stft"),
        ({"kinds": []}, "no feature is named"),
        ({"kinds": ["cqt"], "preset": "torchaudio"}, "torchaudio has no cqt"),
        ({"settings": {"mel.n_mels": 3}}, "mel.n_mels is a setting of none of log_mel"),
        ({"sample_rate": 3}, "greater than or equal to 100"),
        ({"kind": "mel"}, "kind: no such setting here; did you mean kinds?"),
    ],
)
def test_options_are_checked_when_they_are_made(options, said: str) -> None:
    with pytest.raises(OptionError, match=re.escape(said)):
        FeatureOptions(**options)


def test_settings_from_words() -> None:
    pairs = [("n_mels", "40"), ("power", "1.5"), ("htk", "true"), ("fmax", "null"), ("window", "hann")]
    assert parse_settings(pairs) == {"n_mels": 40, "power": 1.5, "htk": True, "fmax": None, "window": "hann"}
    options = FeatureOptions(kinds=("mel", "mfcc"), settings={"n_mels": 40, "mel.n_mels": 30})
    assert (options.of_kind("mel"), options.of_kind("mfcc")) == ({"n_mels": 30}, {"n_mels": 40})


def test_an_archive_is_what_numpy_reads(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "yy"]), "c": np.array(3), "d": np.ones(2, "c8")}
    path = tmp_path / "a.npz"
    path.write_bytes(npz_bytes(arrays))
    assert path.read_bytes() == npz_bytes(arrays)
    with np.load(path) as found:
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            assert np.array_equal(found[name], array)


def test_public_names() -> None:
    assert seqaudio.extract_features is extract_features
    assert seqaudio.FeatureOptions is FeatureOptions
