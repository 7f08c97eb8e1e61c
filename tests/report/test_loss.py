"""The picture of a training shows what stands in its log: means that are means, colours where the values are."""

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st
from matplotlib.image import imread

from seqaudio.errors import BadFileError
from seqaudio.report.loss import TRAINING, VALIDATION, draw_loss, running_mean
from tests.report.test_pianoroll import colour


def write_log(folder, nats, valid=(), per_epoch=10):
    folder.mkdir(exist_ok=True)
    lines = []
    for step, value in enumerate(nats, 1):
        lines.append({"step": step, "epoch": (step - 1) // per_epoch, "nats": value, "rate": 1e-3, "tokens": 7})
        if step % per_epoch == 0 and step // per_epoch <= len(valid):
            lines.append({"epoch": step // per_epoch - 1, "valid_nats": valid[step // per_epoch - 1], "best": True})
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def height_of(path, wanted, x_share):
    """Where a colour stands in a column of the upper panel: 0 the top of the picture, 1 its bottom."""
    image = imread(path)[:, :, :3]
    image = image[: int(0.7 * len(image))]
    image[: len(image) // 4, image.shape[1] // 2 :] = 1  # the legend
    middle = int(x_share * image.shape[1])
    near = (np.abs(image - colour(wanted)).max(axis=2) < 0.1)[:, middle - 60 : middle + 60]
    return np.flatnonzero(near.any(axis=1)).mean() / len(image)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.integers(0, 40), st.randoms())
def test_running_mean_is_a_weighted_mean(values, reach, random):
    weights = np.array([random.uniform(0.1, 3) for _ in values])
    found = running_mean(np.array(values), weights, reach)
    for i, mean in enumerate(found):
        near = slice(max(0, i - reach), i + reach + 1)
        assert mean == pytest.approx(np.average(values[near], weights=weights[near]), abs=1e-9)


def test_what_falls_is_seen_to_fall(tmp_path):
    folder = write_log(tmp_path / "run", np.linspace(3, 1, 60), [2.8, 2.6, 2.4, 2.2, 2.0, 1.8])
    path = draw_loss(folder)
    assert path == folder / "loss.png"
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    for wanted in (TRAINING, VALIDATION):
        assert height_of(path, wanted, 0.25) + 0.1 < height_of(path, wanted, 0.9)
    assert height_of(path, VALIDATION, 0.9) + 0.05 < height_of(path, TRAINING, 0.9)  # the higher is drawn higher


def test_the_same_log_the_same_bytes(tmp_path):
    one, two = (write_log(tmp_path / name, [2.0, 1.5, 1.2]) for name in ("one", "two"))
    other = write_log(tmp_path / "other", [2.0, 1.5, 1.3])
    assert draw_loss(one).read_bytes() == draw_loss(two).read_bytes() != draw_loss(other).read_bytes()


@pytest.mark.parametrize("nats", [[2.0], [1.0, 1.0], [float("nan"), 2.0, 1.0], list(np.ones(500))])
def test_runs_of_any_length(tmp_path, nats):
    assert draw_loss(write_log(tmp_path / "run", nats, [1.0], per_epoch=1)).is_file()


def test_stopped_before_the_first_step(tmp_path):
    assert draw_loss(write_log(tmp_path / "run", [])) is None
    assert not (tmp_path / "run" / "loss.png").exists()


@pytest.mark.parametrize("text", ["[1]\nx", '{"epoch": 0, "valid_nats": 1}', "3"])
def test_no_log(tmp_path, text):
    with pytest.raises(BadFileError, match="not the log"):
        draw_loss(tmp_path)
    (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(BadFileError, match="not the log"):
        draw_loss(tmp_path)
