"""A recipe that was interrupted in this process leaves nothing behind for the next test."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nobody_is_leaving() -> Iterator[None]:
    """A worker that was told to leave does no more work; here the same process goes on."""
    yield
    if "side_by_side" in sys.modules:
        sys.modules["side_by_side"].leaving.clear()
