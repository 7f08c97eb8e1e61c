"""Into which parts is a body of music divided?"""

from __future__ import annotations

from seqaudio.errors import OptionError

SPLITS = ("train", "valid", "test")


def check_split(name: str) -> None:
    """Raise OptionError for a name that is none of the splits'."""
    if name not in SPLITS:
        raise OptionError(f"no split is named {str(name)[:40]!r}; name one of {', '.join(SPLITS)}")
