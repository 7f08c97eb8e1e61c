"""The picture of gates: of the kind its name says, the same for the same report, values where they belong."""

import numpy as np
import pytest
from matplotlib.image import imread

from seqaudio.errors import OptionError
from seqaudio.memory.gate_probe import probe_gates
from seqaudio.memory.heard import hear
from seqaudio.models.checkpoint import Checkpoint, FrameFacts, weights_of
from seqaudio.models.config import MemoryConfig, ModelConfig
from seqaudio.report.gates import SHOWN_BARS, _end, _panels, _title, draw_gates
from seqaudio.tokens import PerformanceTokenizer
from tests.samples import MELODY, random_model, tune


def report(cell="lstm", hidden=12, tokenizer=MELODY, score=None, **options):
    config = ModelConfig(cell=cell, hidden_size=hidden, layers=2, **options)
    model = random_model(config, len(tokenizer.vocabulary), scale=3.0)
    made = Checkpoint(config, tokenizer, weights_of(model), (48, 84))
    return probe_gates(made, [hear(made, score or tune(6), "a tune")], draws=20)


@pytest.fixture(scope="module")
def found():
    return report(memory=MemoryConfig(lags=(1, 2)))


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG\r\n\x1a\n"), ("svg", b"<?xml"), ("pdf", b"%PDF-")])
def test_format_and_the_same_bytes(tmp_path, found, suffix, begins):
    one, two = tmp_path / f"one.{suffix}", tmp_path / f"two.{suffix}"
    for path in (one, two):
        draw_gates(found, path, layer=1)
    assert one.read_bytes().startswith(begins)
    assert one.read_bytes() == two.read_bytes()


def test_layers_and_units_are_chosen(tmp_path, found):
    heights = []
    for number, choice in enumerate(({}, {"layer": 2}, {"layer": 2, "units": (3, 7)})):
        draw_gates(found, tmp_path / f"{number}.png", **choice)
        heights.append(imread(tmp_path / f"{number}.png").shape[0])
    assert heights[1] < heights[0]
    assert heights[2] < heights[0]


def test_rows_are_units_by_how_long_they_keep(found):
    panels = {title: values for title, values, *_ in _panels(found, 2, None)}
    order = np.argsort(-found.time_constants[1])
    assert np.array_equal(panels["layer 2\nforget"], found.first.gates[1]["forget"][:, order])
    mean_forget = panels["layer 2\nforget"].mean(axis=0)
    assert (np.diff(mean_forget) < 1e-6).all()


def test_of_many_units_none_is_passed_over():
    many = report(hidden=150)
    (_, values, labels, _), *_ = _panels(many, 1, None)
    assert values.shape[1] == 64
    gates = many.first.gates[0]["input"]
    assert np.abs(values @ np.array([3] * 22 + [2] * 42) - gates.sum(axis=1)).max() < 1e-3
    assert labels[0][0] == 0
    assert labels[-1][0] == 63


def test_chosen_units_are_shown_as_they_are(found):
    *gates, (title, state, labels, _) = _panels(found, 1, (7, 3))
    assert [text for _, text in labels] == ["unit 7", "unit 3"]
    assert title == "layer 1\ncell state"
    assert np.array_equal(gates[1][1], found.first.gates[0]["forget"][:, [6, 2]])
    wanted = found.first.states[0][:, [6, 2]]
    assert np.abs(state).max(axis=0) == pytest.approx([1, 1])
    assert np.abs(state * np.abs(wanted).max(axis=0) - wanted).max() < 1e-6


def test_a_long_piece_is_shown_from_its_beginning(tmp_path):
    long = report(score=tune(40)).pieces[0]
    end = _end(long)
    assert end in long.lines
    assert 1 <= np.searchsorted(long.lines, end) <= SHOWN_BARS
    assert _title(long, end).startswith("a tune, bars 1 to ")
    assert _title(long, end).endswith(" of 40")
    short = report().pieces[0]
    assert _end(short) == short.edges[-1] == short.lines[-1]
    assert _title(short, _end(short)) == "a tune"


def test_frames_seconds_and_grus_are_drawn(tmp_path):
    draw_gates(report("gru", tokenizer=PerformanceTokenizer()), tmp_path / "seconds.png", units=(1,))
    config = ModelConfig(hidden_size=8, layers=1, head="bernoulli")
    made = Checkpoint(config, None, weights_of(random_model(config, keys=88)), frames=FrameFacts())
    draw_gates(probe_gates(made, [hear(made, tune(4))], draws=20), tmp_path / "frames.png")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"layer": 3}, "layer 3: the model has 2"),
        ({"units": (1, 13)}, "unit 13: a layer has 12"),
        ({"units": ()}, "no units"),
    ],
)
def test_what_is_not_there(tmp_path, found, choice, message):
    with pytest.raises(OptionError, match=message):
        draw_gates(found, tmp_path / "gates.png", **choice)
    assert not list(tmp_path.iterdir())


def test_refused_suffix(tmp_path, found):
    with pytest.raises(OptionError, match=r"end the name in \.png, \.svg, \.pdf"):
        draw_gates(found, tmp_path / "gates.gif")
