"""Progress goes to stderr, and only when a person is watching."""

from __future__ import annotations

from rich.console import Console


def console() -> Console:
    """The console for progress bars: stderr, silent when it is no terminal."""
    shown = Console(stderr=True)
    shown.quiet = not shown.is_terminal
    return shown
