"""How much does what a model expects now depend on the state that it had long ago? The gradient, against the lag.

Conventions: loss_t is the nats that the model needs behind step t, for step t + 1. Lag k is the state left behind step
t - k, all that step t - k + 1 and later ones hear of the past: lag 1 is the state that enters step t itself. A state is
``h`` of every layer, and ``c`` of an LSTM. A norm is that of d loss_t / d state, by layer and part.

One backward pass gives every lag of many t: the same piece lies in as many rows as steps t are looked at, each row ends
at its own t, and rows do not meet. The layers run one step a call, and the tensors between the calls are what the
gradient is asked for, so no lag is skipped. A state is cut through all layers at once: what a lower layer has handed
up by then is in the state of the layer above, and is counted there. A memory of the piece (match memory) lies outside
the network: what it tells is an input, and its path carries no gradient.

Sources: Y. Bengio, P. Simard and P. Frasconi, "Learning long-term dependencies with gradient descent is difficult",
1994; R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks", 2013.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqaudio.corpus.batches import Piece
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.models.match_memory import Memory
from seqaudio.models.recurrent import State
from seqaudio.models.sequence_model import SequenceModel

LAGS = 128
TARGETS = 32
SCALE = 2.0**40  # of the losses: what fades would soon be less than float32 can hold

Floats = NDArray[np.float64]


def gradient_norms(
    model: SequenceModel,
    piece: Piece,
    memory: Memory | None = None,
    *,
    lags: int = LAGS,
    targets: int = TARGETS,
    at_end: bool = False,
) -> Floats:
    """Norms of d loss_t / d state at lags 1 to ``lags``, (targets, lags, layers, parts of the state), in nats.

    Args:
        model: left as it is.
        piece: tokens (steps,) or frames (steps, keys), from its start.
        memory: of a model that has one, see :func:`seqaudio.models.config.make_memory`.
        lags: the longest lag.
        targets: steps t, spread evenly over those that have all lags; fewer where there are fewer.
        at_end: they are the last ones instead.

    Raises:
        OptionError: the model has no state that can be reached, or a number is below 1.
        NoNotesError: no step has all lags.
    """
    check_has_state(model)
    if min(lags, targets) < 1:
        raise OptionError(f"{lags} lags and {targets} targets: both must be 1 or more")
    if len(piece) < fewest_steps(lags):
        raise NoNotesError(f"{len(piece)} steps, and {lags} lags need {fewest_steps(lags)}; ask for fewer lags")
    device = next(model.parameters()).device
    last = len(piece) - 2
    count = min(targets, last - lags + 1)
    first = last - count + 1 if at_end else lags
    ends = np.unique(np.linspace(first, last, count).round().astype(np.int64))
    heard = torch.from_numpy(np.asarray(memory.heard(piece) if memory else _readable(piece))).to(device)
    following = torch.from_numpy(_readable(piece)[ends + 1]).to(device)[:, None]
    with _as_measured(model):
        begin = _states_behind(model, heard, ends - lags)
        windows = torch.stack([heard[end - lags + 1 : end + 1] for end in ends.tolist()])  # (targets, lags, ...)
        return _norms(model, windows, following, begin)


def fewest_steps(lags: int) -> int:
    """The length of the shortest piece in which some step has so many lags and one behind it."""
    return lags + 2


def check_has_state(model: object) -> None:
    """Raise OptionError for what has no recurrent state that a gradient could reach."""
    if not isinstance(model, SequenceModel):
        raise OptionError(
            f"{type(model).__name__} has no recurrent state that can be reached; give a SequenceModel, such as "
            "Checkpoint.load(path).build()"
        )


def _norms(model: SequenceModel, windows: Tensor, following: Tensor, begin: State) -> Floats:
    """The norms of windows (rows, lags, ...) that begin in states (layers, rows, hidden): one backward pass."""
    lags = windows.shape[1]
    state: State = tuple(part.requires_grad_() for part in begin)
    states = [state]
    for step in range(lags - 1):
        state = model.advance(windows[:, step : step + 1], state)
        states.append(state)
    outputs, _ = model(windows[:, lags - 1 :], state)
    loss = model.nats(outputs, following).sum() * SCALE
    parts = len(begin)
    flat = [part for state in states for part in state]
    gradients = torch.autograd.grad(loss, flat, allow_unused=True, materialize_grads=True)
    norms = torch.stack([gradient.double().norm(dim=-1) for gradient in gradients])  # (lags * parts, layers, rows)
    by_lag = norms.reshape(lags, parts, *norms.shape[1:]).flip(0)  # (lags, parts, layers, rows), lag 1 first
    found: Floats = (by_lag.permute(3, 0, 2, 1) / SCALE).cpu().numpy()
    return found


@torch.no_grad()
def _states_behind(model: SequenceModel, heard: Tensor, places: NDArray[np.int64]) -> State:
    """The states behind rising steps of a piece, side by side: (layers, places, hidden) each."""
    state, found, begin = model.initial_state(1), [], 0
    for place in places.tolist():
        state = model.advance(heard[None, begin : place + 1], state)
        found.append(state)
        begin = place + 1
    return tuple(torch.cat(parts, dim=1) for parts in zip(*found, strict=True))


@contextmanager
def _as_measured(model: SequenceModel) -> Iterator[None]:
    """The model without dropout, its weights asking for no gradient; as it was behind."""
    was_training, asking = model.training, [weight.requires_grad for weight in model.parameters()]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        model.train(was_training)
        for weight, ask in zip(model.parameters(), asking, strict=True):
            weight.requires_grad_(ask)


def _readable(piece: Piece) -> Piece:
    """Tokens as int64, whatever they are kept as; frames as they are."""
    return piece if piece.ndim > 1 else piece.astype(np.int64)
