"""How likely does a model find pieces it has not seen? Exact: each piece from its start, the state never cut."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from seqaudio.corpus.batches import Batch, Piece, in_order
from seqaudio.errors import DivergedError, OptionError
from seqaudio.models.encoders import TokenEmbedding
from seqaudio.models.heads import MixtureHead
from seqaudio.models.match_memory import Memory
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.training.adaptive import Cache, Dynamic, Learner, Recent

RAN_AWAY = 2.0  # times what it costs to know nothing: no piece is as unlike music as a bad rate makes it


@torch.no_grad()
def piece_nats(
    model: SequenceModel,
    pieces: Sequence[Piece],
    memory: Memory | None = None,
    *,
    cache: Cache | None = None,
    dynamic: Dynamic | None = None,
    batch_size: int = 32,
    chunk: int = 512,
) -> list[NDArray[np.float64]]:
    """Nats of every token or frame but the first of each piece, in float32: one array (steps - 1,) per piece.

    Args:
        model: left as it is.
        pieces: tokens (steps,) or frames (steps, keys), of keys or of real numbers.
        memory: of a model that has one, from :meth:`seqaudio.models.checkpoint.Checkpoint.memory`, or
            :func:`seqaudio.models.config.make_memory`.
        cache: mix in what followed alike states of the piece.
        dynamic: learn from the piece on the way; the pieces are then read one by one, in its segments.
        batch_size: pieces side by side.
        chunk: steps per call of the model.

    Raises:
        OptionError: it is no network, the memory is not its own, or a cache is asked for beside frames of real numbers.
        DivergedError: learning ran away: into numbers that are none, or a piece costs twice what it costs a model
            that knows nothing, and twice what it costs this one as it is.
    """
    if not isinstance(model, SequenceModel):
        raise OptionError(f"a {type(model).__name__} is no network; give Checkpoint.load(path).build()")
    model.check_memory(memory)
    if cache and isinstance(model.head, MixtureHead):
        raise OptionError("a cache knows what comes back exactly, and frames of real numbers do not; leave it out")
    was_training = model.training
    model.eval()
    learner = Learner(dynamic, model) if dynamic else None
    if dynamic:
        batch_size, chunk = 1, dynamic.segment
    nats: list[NDArray[np.float64]] = [np.zeros(0)] * len(pieces)
    for numbers, batch in in_order(pieces, batch_size, memory.heard if memory else None):
        together = _batch_nats(model, batch, cache, learner, chunk)  # (pieces, longest - 1)
        for number, row, length in zip(numbers, together, batch.lengths, strict=True):
            nats[number] = row[: length - 1]
    model.train(was_training)
    if dynamic:
        _check_learnt(model, pieces, memory, nats, dynamic)
    return nats


def _check_learnt(
    model: SequenceModel,
    pieces: Sequence[Piece],
    memory: Memory | None,
    nats: list[NDArray[np.float64]],
    dynamic: Dynamic,
) -> None:
    """Raise DivergedError where learning ran away: such nats say nothing of the music."""
    if not all(np.isfinite(each).all() for each in nats):
        raise DivergedError(f"dynamic evaluation at rate {dynamic.rate} ran into numbers that are none; lower the rate")
    for piece, learnt in zip(pieces, nats, strict=True):
        if len(learnt) and learnt.mean() > RAN_AWAY * _nats_of_knowing_nothing(model, piece):
            (as_it_is,) = piece_nats(model, [piece], memory)
            if learnt.mean() > RAN_AWAY * as_it_is.mean():
                raise DivergedError(
                    f"dynamic evaluation at rate {dynamic.rate} ran away, to {learnt.mean():.4g} nats a step where the "
                    f"model as it is needs {as_it_is.mean():.4g}; lower the rate"
                )


def _nats_of_knowing_nothing(model: SequenceModel, piece: Piece) -> float:
    """Of a step where all tokens, or all frames of keys, are equally likely; infinite for frames of real numbers."""
    if isinstance(model.encoder, TokenEmbedding):
        return math.log(model.encoder.num_embeddings)
    return math.inf if isinstance(model.head, MixtureHead) else piece.shape[1] * math.log(2)


def _batch_nats(
    model: SequenceModel, batch: Batch, cache: Cache | None, learner: Learner | None, chunk: int
) -> NDArray[np.float64]:
    """Nats of pieces side by side, (pieces, longest - 1); what is behind the end of each means nothing."""
    device = next(model.parameters()).device
    steps, heard = (torch.from_numpy(each).to(device) for each in (batch.steps, batch.heard))
    symbols = torch.from_numpy(_symbols(batch.steps)).to(device) if cache else steps
    recent = Recent(cache) if cache else None
    if learner:
        learner.forget()
        model = learner.model
    state = model.initial_state(len(steps))
    rows = [np.zeros((len(steps), 0))]  # a piece of one step has no nats
    for start in range(0, steps.shape[1] - 1, chunk):
        following = slice(start + 1, start + 1 + chunk)
        targets = steps[:, following]
        with torch.set_grad_enabled(learner is not None):
            outputs, hidden, state = model.outputs_and_hidden(heard[:, start : start + targets.shape[1]], state)
            nats = model.nats(outputs, targets)
            if learner and following.stop < steps.shape[1]:  # something follows that can profit
                learner.learn(nats)
        state, hidden, nats = tuple(part.detach() for part in state), hidden.detach(), nats.detach()
        mixed = recent.mixed(nats, hidden, symbols[:, following]) if recent else nats.double()
        rows.append(mixed.cpu().numpy())
    return np.concatenate(rows, axis=1)


def _symbols(steps: Piece) -> NDArray[np.int64]:
    """A number for each step, (pieces, longest), the same for the same token or frame."""
    if steps.ndim == 2:
        return steps
    packed = np.packbits(steps > 0.5, axis=-1)  # (pieces, longest, bytes)
    _, numbers = np.unique(packed.reshape(-1, packed.shape[-1]), axis=0, return_inverse=True)
    return numbers.reshape(steps.shape[:2])
