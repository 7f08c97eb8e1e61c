"""With what was this made, and what tells that a file of it is damaged?"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

TORN = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What parsing a damaged line can raise."""


def versions_of(packages: Sequence[str]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    found = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
