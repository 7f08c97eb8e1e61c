"""Pages to test: an ordinary one, one with hostile text everywhere, one as large as they come."""

import numpy as np

from seqaudio.report.page import Figure, Matrix, Page, Panel, Picture, Series, Table, roll_of
from seqaudio.structure import RealRange
from tests.samples import tune

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)
HOSTILE = (
    "</script><script>window.broken=1</script>",
    "<img src=x onerror=window.broken=1>",
    '" onfocus="window.broken=1" autofocus x=\'',
    "' onmouseover='window.broken=1",
    "<!--<script>",
    "]]></title></style></textarea><svg onload=window.broken=1>",
    "{{ 7 * 7 }}{% for x in y %}",
    "javascript:window.broken=1",
    "&lt;b&gt; &#x3c;b&#x3e;",
    "a\x00b\x1b[31mc\r\nd\u2028e\u2029f",
    "right \u202eot tfel",
    "half \udc80 a letter",
    "Ünïcödé 音楽 🎵",
    "x" * 3000,
)


def similarity(bars, seed=0):
    """A symmetric matrix with ones on its diagonal, most of it 0."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((bars, bars)) * (rng.random((bars, bars)) < 0.3), 1)
    return upper + upper.T + np.eye(bars)


def page_of(name="ordinary", *, bars=12, new=8, panels=1):
    """A page with one of everything, whose every text holds ``name``."""
    score = tune(bars + new, track_names=(name,))
    cut = int(score.bars()[bars])
    voice = score.notes((score.onset < cut) & (np.arange(len(score)) % 3 > 0))
    rng = np.random.default_rng(1)
    nats = rng.random(bars + new) * 20
    nats[0] = np.nan
    panel = Panel(
        title=name,
        facts=(name, f"{new} bars"),
        warnings=(name,),
        roll=roll_of(score, cut, voice),
        matrices=(Matrix(name, similarity(bars + new), 1, bars), Matrix(f"real: {name}", similarity(16, 1))),
        figures=(
            Figure(name, 0.1, RealRange(0.3, 0.47, 0.7, 10), name, percent=True),
            Figure("gain", 0.5, RealRange(0.3, 0.47, 0.7, 10), "what it is", unit=name),
            Figure("none", np.nan),
        ),
        series=(
            Series(name, "nats", {name: nats}, 1, bars, meaning=name),
            Series("gates", "", {f"{name} {i}": rng.random(bars + new) for i in range(3)}, 1, bars, top=1.0),
        ),
        real=name,
    )
    return Page(
        title=name,
        summary=(name,),
        panels=[panel] * panels,
        tables=(Table(name, ("model", name), (("rnn", 1.5), (name, name)), name, (Picture(PIXEL, name),)),),
        settings={name: {name: name}, "seed": 1},
        command=("seqaudio", "continue", name),
    )
