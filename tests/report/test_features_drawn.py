"""A picture of features: one strip each, in their own seconds, whatever kind they are."""

from pathlib import Path

import numpy as np
import pytest

from seqaudio.errors import BadFileError, OptionError
from seqaudio.files.npz import npz_bytes
from seqaudio.report import features as drawing

FRAMES = 50


def features(folder: Path, **arrays) -> Path:
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(6, FRAMES)).astype(np.float32)
    kinds = {
        "stft": noise + 1j * noise[::-1],
        "mel": noise**2,
        "mfcc": noise,
        "silent": np.zeros((6, FRAMES)),
        "onset_strength": noise[:1],
        "beats": (noise[:1] > 1).astype(np.float32),
        "log_mel": np.stack([noise, noise]),
        "hpss": np.stack([noise**2, 2 * noise**2]),
        "pyin": np.stack([np.where(noise[0] > 0, 440, np.nan), noise[0] > 0, noise[1]]),
    } | arrays
    data = dict(kinds)
    for kind, frames in kinds.items():
        data[f"{kind}_times"] = np.arange(frames.shape[-1]) / 10
        data[f"{kind}_names"] = np.array([f"bin {i}" for i in range(frames.shape[-2])])
    path = folder / "features.npz"
    path.write_bytes(npz_bytes(data))
    return path


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch):
    made = []
    monkeypatch.setattr(drawing, "write_picture", lambda figure, path: made.append(figure))
    return made


def test_strips_and_what_they_show(tmp_path: Path, figures) -> None:
    kinds = ("stft", "mel", "mfcc", "onset_strength", "beats", "log_mel", "hpss", "pyin")
    path = features(tmp_path)
    drawing.draw_features(path, kinds, tmp_path / "picture.png")
    strips = [axes for axes in figures[0].axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in strips] == [kind.replace("_", " ") for kind in kinds]
    with np.load(path) as arrays:
        shown = strips[2].images[0].get_array()
        assert np.array_equal(shown, arrays["mfcc"])
        level = strips[1].images[0].get_array()
        assert level.max() == pytest.approx(0)
        assert level.min() >= -80
        assert level[3, 7] - level[2, 7] == pytest.approx(
            10 * np.log10(arrays["mel"][3, 7] / arrays["mel"][2, 7]), 1e-3
        )
        assert np.array_equal(strips[3].lines[0].get_ydata(), arrays["onset_strength"][0])
        beats = [segment[0, 0] for segment in strips[4].collections[0].get_segments()]
        assert beats == pytest.approx(arrays["beats_times"][arrays["beats"][0] > 0])
        assert len(beats) > 1
        assert np.array_equal(strips[7].lines[0].get_ydata(), arrays["pyin"][0], equal_nan=True)
    parts = strips[6].images[0].get_array()
    assert parts.shape == (12, FRAMES)
    assert parts[:6].max() == pytest.approx(parts[6:].max() + 10 * np.log10(4), abs=1e-4)
    assert strips[6].get_yticklabels()[0].get_text() == "percussive bin 0"
    assert strips[0].get_xlim() == pytest.approx((-0.05, 4.95))
    assert strips[2].get_yticklabels()[0].get_text() == "bin 0"


def test_long_and_silent_recordings(tmp_path: Path, figures) -> None:
    long = np.random.default_rng(1).normal(size=(3, 10_001))
    drawing.draw_features(features(tmp_path, mfcc=long), ("mfcc", "silent"), tmp_path / "picture.png")
    drawing.draw_features(features(tmp_path, mel=np.zeros((3, 1))), ("mel",), tmp_path / "picture.png")
    drawing.draw_features(features(tmp_path, pyin=np.full((3, FRAMES), np.nan)), ("pyin",), tmp_path / "picture.png")
    assert [text.get_text() for text in figures[2].axes[0].texts] == ["none heard"]
    assert figures[0].axes[0].images[0].get_array().shape == (3, 3334)
    assert np.isfinite(figures[1].axes[0].images[0].get_array()).all()


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"end the name in \.png"):
        drawing.draw_features(features(tmp_path), ("mel",), tmp_path / "picture.bmp")
    with pytest.raises(BadFileError, match=r"features\.npz: no file of features"):
        drawing.draw_features(features(tmp_path), ("chroma",), tmp_path / "picture.png")
    (tmp_path / "torn.npz").write_bytes(features(tmp_path).read_bytes()[:900])
    with pytest.raises(BadFileError, match=r"torn\.npz: no file of features"):
        drawing.draw_features(tmp_path / "torn.npz", ("mel",), tmp_path / "picture.png")
    with pytest.raises(BadFileError, match="no file of features"):
        drawing.draw_features(tmp_path / "nowhere.npz", ("mel",), tmp_path / "picture.png")
