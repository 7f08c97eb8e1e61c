"""The picture of contexts, of what is reached and what is not."""

import math
from pathlib import Path

from seqaudio.memory.effective import contexts
from seqaudio.report.contexts import draw_contexts
from tests.memory.test_effective import found_of


def test_a_picture_is_drawn_of_what_is_reached_and_what_is_not(tmp_path: Path):
    told = contexts(found_of([[30, 90], [20, 80], [11, 61], [10, 60]], [10, 60]))
    assert math.isinf(told["reset"].effective)
    for name in ("a.png", "b.png", "c.svg"):
        draw_contexts(told, 3.5, tmp_path / name, "a model", "bars", "token")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "reset" in (tmp_path / "c.svg").read_text(encoding="utf-8")
