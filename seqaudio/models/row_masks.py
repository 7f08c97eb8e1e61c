"""Which rows of a batch does a call of a model see, when its batch is divided?

A batch may be read in parts: some rows now and others later, or in another process. Dropout masks belong to the rows
of the undivided batch: a layer draws the masks of all its rows and takes those it sees. Where every part begins with
the same random state, parts and processes then silence what one call on the whole batch would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_PART: ContextVar[tuple[tuple[int, ...], int] | None] = ContextVar("part", default=None)


@contextmanager
def part_of_batch(rows: Sequence[int], size: int) -> Iterator[None]:
    """Inside: calls see these rows, in this order, of a batch of ``size`` rows."""
    token = _PART.set((tuple(rows), size))
    try:
        yield
    finally:
        _PART.reset(token)


def row_masks(rows: int, shape: Sequence[int], kept: float, device: torch.device) -> Tensor:
    """Ones with probability ``kept``, else zeros, (rows, *shape), drawn from torch's random state.

    Args:
        rows: of this call.
        shape: of the mask of a row.
        kept: from 0 to 1.
        device: where to draw.
    """
    numbers, size = _PART.get() or (None, rows)
    masks = torch.bernoulli(torch.full((size, *shape), kept, device=device))
    if numbers is None or numbers == tuple(range(rows)):
        return masks[:rows]
    assert len(numbers) == rows, f"a call on {rows} rows inside a part of {len(numbers)}"
    return masks[list(numbers)]
