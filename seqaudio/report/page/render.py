"""How does a page become one file? Jinja fills the text in, escaped; styles, scripts and drawings stand inside it.

The page asks the network for nothing and runs no script but its own: its content policy names the script by its hash,
so that even a mistake in escaping could not make a track's name run. The same page has the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from seqaudio.errors import OptionError, OverLimitError
from seqaudio.files.atomic import check_writable, shown, write_bytes
from seqaudio.report.page import words
from seqaudio.report.page.content import Figure, Page, Panel, Picture
from seqaudio.report.page.packed import packed, script_safe

PARTS = Path(__file__).parent / "html"
SCRIPTS = ("common.js", "synth.js", "roll.js", "matrix.js", "series.js", "start.js")
MOST_BYTES = 3_000_000


def check_page_path(path: str | Path) -> None:
    """See that a page may be written there, before the work that fills it.

    Raises:
        OptionError: the name does not end as a page's does.
        BadFileError: nothing can be written there.
    """
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise OptionError(f"--report {shown(path)}: the report is a page; end the name in .html")
    check_writable(path)


def write_page(page: Page, path: str | Path) -> None:
    """Write a page as one file. Raises BadFileError where it cannot be written, and as :func:`page_bytes`."""
    data = page_bytes(page)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)


def page_bytes(page: Page) -> bytes:
    """The page as HTML in UTF-8.

    Raises:
        OverLimitError: it would be larger than 3 MB; show fewer pieces.
    """
    script, style = _inside(SCRIPTS), _inside(("page.css",))
    text: str = _template().render(
        page=page,
        panels=[_view(panel) for panel in page.panels],
        data=Markup(script_safe([packed(panel) for panel in page.panels])),
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; script-src {_hash_of(script)}; style-src {_hash_of(style)}; "
        "img-src data:; base-uri 'none'",
        command=shlex.join(map(str, page.command)),
        settings=[(name, _said(value)) for name, value in page.settings.items()],
    )
    data = text.encode()
    if len(data) > MOST_BYTES:
        raise OverLimitError(
            f"the report would have {len(data):,} bytes, and at most {MOST_BYTES:,} are sent around; "
            "show fewer or shorter pieces"
        )
    return data


@cache
def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(PARTS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_clean,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": words.number, "inside": _picture}
    return environment.get_template("page.html")


@cache
def _inside(names: tuple[str, ...]) -> str:
    return "\n" + "\n".join((PARTS / name).read_text(encoding="utf-8") for name in names)


def _picture(picture: Picture) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.png).decode()}"


def _hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _clean(value: Any) -> Any:
    """Text without control characters, marks that turn its direction, or half characters that no file could hold."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else shown(value)


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_said(inner)}" for key, inner in value.items())
    return "none" if value is None else str(value)


def _view(panel: Panel) -> dict[str, Any]:
    """A panel with the words for each of its drawings."""
    heads, rows, left_out = words.bar_table(panel)
    return {
        "panel": panel,
        "roll_words": None if panel.roll is None else words.say_roll(panel.roll),
        "matrices": [(matrix, words.say_matrix(matrix)) for matrix in panel.matrices],
        "series": [(series, words.say_series(series)) for series in panel.series],
        "figures": [(figure, _places(figure)) for figure in panel.figures],
        "heads": heads,
        "rows": rows,
        "rows_left_out": left_out,
    }


def _places(figure: Figure) -> dict[str, float] | None:
    """Where value and real range stand on a strip from 0 to 100; None where there is nothing to stand beside."""
    real = figure.real
    if real is None or not np.isfinite(figure.value):
        return None
    marks = {"value": figure.value, "low": real.low, "middle": real.median, "high": real.high}
    begin, end = min(marks.values()), max(marks.values())
    if figure.percent:
        begin, end = min(begin, 0.0), max(end, 1.0)
    room = 0.08 * (end - begin) or 1.0
    return {name: round(100 * (mark - begin + room) / (end - begin + 2 * room), 2) for name, mark in marks.items()}
