"""A picture of a recording: tones lie at the marks of their frequencies, and the new part begins at its line."""

import numpy as np
import pytest

from seqaudio.music.waveform import Waveform
from seqaudio.report import spectrogram as drawing

RATE = 44_100


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch):
    made = []
    monkeypatch.setattr(drawing, "write_picture", lambda figure, path: made.append(figure))
    return made


@pytest.mark.parametrize("hertz", drawing.MARKS_HZ)
def test_a_tone_lies_at_its_mark(figures, hertz) -> None:
    tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(2 * RATE) / RATE)
    drawing.draw_recording(Waveform(tone, RATE), "picture.png", begins_s=1.5)
    above, below = figures[0].axes
    levels = above.images[0].get_array()
    assert above.images[0].get_extent() == [0, 2, 0, len(levels)]
    brightest = levels[:, levels.shape[1] // 2].argmax() + 0.5
    assert brightest == pytest.approx(above.get_yticks()[drawing.MARKS_HZ.index(hertz)], abs=0.6)
    assert [axes.lines[0].get_xdata()[0] for axes in (above, below)] == [1.5, 1.5]
    primer, new = (each.get_paths()[0].vertices for each in below.collections)
    assert primer[:, 0].max() < 1.5 <= new[:, 0].min()
    assert primer[:, 1].max() == pytest.approx(0.3, abs=0.01)
    assert new[:, 1].min() == pytest.approx(-0.3, abs=0.01)


def test_without_a_border_all_is_one(figures) -> None:
    drawing.draw_recording(Waveform(np.zeros((2, 100)), RATE), "picture.png")
    above, below = figures[0].axes
    assert not above.lines
    assert not below.lines
