"""One self-contained HTML page of what was made or measured: rolls to see and hear, matrices, figures, settings."""

from seqaudio.report.page.content import Figure, Matrix, Page, Panel, Picture, Roll, Series, Table
from seqaudio.report.page.render import check_page_path, page_bytes, write_page
from seqaudio.report.page.rolls import roll_of

__all__ = [
    "Figure",
    "Matrix",
    "Page",
    "Panel",
    "Picture",
    "Roll",
    "Series",
    "Table",
    "check_page_path",
    "page_bytes",
    "roll_of",
    "write_page",
]
