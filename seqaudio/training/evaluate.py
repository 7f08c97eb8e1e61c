"""How likely does a model find pieces it has not seen? Exact: each piece from its start, the state never cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from seqaudio.corpus.batches import Piece, in_order
from seqaudio.models.match_memory import Memory
from seqaudio.models.sequence_model import SequenceModel


@torch.no_grad()
def piece_nats(
    model: SequenceModel,
    pieces: Sequence[Piece],
    memory: Memory | None = None,
    *,
    batch_size: int = 32,
    chunk: int = 512,
) -> list[NDArray[np.float64]]:
    """Nats of every token or frame but the first of each piece, in float32: one array (steps - 1,) per piece.

    ``memory``: of a model that has one, see :func:`seqaudio.models.config.make_memory`.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    nats: list[NDArray[np.float64]] = [np.zeros(0)] * len(pieces)
    for numbers, batch in in_order(pieces, batch_size, memory.heard if memory else None):
        steps, heard = (torch.from_numpy(each).to(device) for each in (batch.steps, batch.heard))
        state = model.initial_state(len(steps))
        rows = [np.zeros((len(steps), 0))]  # a piece of one step has no nats
        for start in range(0, steps.shape[1] - 1, chunk):
            outputs, state = model(heard[:, start : start + chunk], state)
            targets = steps[:, start + 1 : start + 1 + chunk]
            rows.append(model.nats(outputs[:, : targets.shape[1]], targets).double().cpu().numpy())
        together = np.concatenate(rows, axis=1)  # (pieces, longest - 1)
        for number, row, length in zip(numbers, together, batch.lengths, strict=True):
            nats[number] = row[: length - 1]
    model.train(was_training)
    return nats
