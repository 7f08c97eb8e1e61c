"""How does a piece help to predict the rest of itself? Beside a trained model, while it is scored.

A cache mixes the model's prediction with what followed where the hidden state was alike:

p(y) = (1 - weight) p_model(y) + weight p_cache(y), p_cache(y) ~ sum over earlier i with y_i+1 = y of exp(theta h_t h_i)

Dynamic evaluation lets the model learn: after each segment of the piece a step down the gradient of its nats, each
weight's divided by the root of the mean of its squares so far, and a part of the way back to the trained weights.

Both are exact and causal: the mixture is normalised, and a segment is scored before it is learnt from. Both know one
piece alone and begin anew with the next. They are options of :func:`seqaudio.training.evaluate.piece_nats`.

Conventions: hidden states (batch, time, hidden); symbols are numbers (batch, time), the same for the same token or
frame; nats (batch, time).

Sources: E. Grave, A. Joulin and N. Usunier, "Improving neural language models with a continuous cache", 2017;
B. Krause et al., "Dynamic evaluation of neural sequence models", 2018, whose squares are those of training pieces.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seqaudio.errors import OptionError
from seqaudio.models.sequence_model import SequenceModel

EPSILON = 1e-5  # added to the root of the squares: weights whose gradient is below it hardly move


@dataclass(frozen=True)
class Cache:
    """A continuous cache.

    Args:
        weight: of what the cache says in the mixture, 0 up to but not 1; 0: the model alone.
        theta: how much alike hidden states must be; 0: all count the same.
        window: how many steps back it reaches; None: to the beginning of the piece.

    Raises:
        OptionError: one of them is out of range.
    """

    weight: float = 0.3
    theta: float = 1.0
    window: int | None = None

    def __post_init__(self) -> None:
        in_range = 0 <= self.weight < 1 and 0 <= self.theta < math.inf
        if not in_range or (self.window is not None and self.window < 1):
            far = "" if self.window is None else f", {self.window} steps back"
            raise OptionError(
                f"a cache with weight {self.weight:g}, theta {self.theta:g}{far}: a weight is 0 or more and below 1, "
                "theta 0 or more, and it reaches 1 step back or more"
            )


class Recent:
    """What a cache holds of a batch of pieces, read from their start, part after part."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._hidden: Tensor | None = None  # (batch, steps kept, hidden)
        self._followed: Tensor | None = None  # (batch, steps kept) the symbol behind each

    def mixed(self, nats: Tensor, hidden: Tensor, targets: Tensor) -> Tensor:
        """Nats of the targets under model and cache, in float64; all three are of the next part, (batch, time, ...)."""
        begin = 0 if self._followed is None else self._followed.shape[1]
        if self._hidden is not None and self._followed is not None:
            keys, followed = torch.cat([self._hidden, hidden], dim=1), torch.cat([self._followed, targets], dim=1)
        else:
            keys, followed = hidden, targets
        rows = [  # one by one: scores are (time, begin + time)
            _log_shares(self._cache, own, keys_of_row, targets_of_row, followed_of_row, begin)
            for own, keys_of_row, targets_of_row, followed_of_row in zip(hidden, keys, targets, followed, strict=True)
        ]
        kept = slice(None) if self._cache.window is None else slice(-self._cache.window, None)
        self._hidden, self._followed = keys[:, kept], followed[:, kept]
        return self._mixture(nats.double(), torch.stack(rows).double(), nothing=begin == 0)

    def _mixture(self, nats: Tensor, of_cache: Tensor, *, nothing: bool) -> Tensor:
        """Both together; at the very first step the cache holds nothing, and the model is asked alone."""
        weight = torch.full_like(nats, self._cache.weight)
        weight[:, : int(nothing)] = 0.0
        return -torch.logaddexp(torch.log1p(-weight) - nats, weight.log() + of_cache)


def _log_shares(cache: Cache, hidden: Tensor, keys: Tensor, targets: Tensor, followed: Tensor, begin: int) -> Tensor:
    """Logarithm of what the cache gives each target (time,), -inf where it never followed.

    Args:
        cache: what is asked.
        hidden: (time, hidden) of the steps asked about.
        keys: (begin + time, hidden) of all steps, those asked about behind.
        targets: (time,) what followed the steps asked about.
        followed: (begin + time,) what followed each.
        begin: steps before those asked about.
    """
    now = begin + torch.arange(len(hidden), device=hidden.device)[:, None]
    then = torch.arange(len(keys), device=hidden.device)
    held = then < now
    if cache.window is not None:
        held &= then >= now - cache.window
    scores = (cache.theta * hidden @ keys.T).masked_fill(~held, -math.inf)
    hits = scores.masked_fill(followed != targets[:, None], -math.inf)
    shares = hits.logsumexp(dim=1) - scores.logsumexp(dim=1)
    return shares.masked_fill(~held.any(dim=1), -math.inf)


@dataclass(frozen=True)
class Dynamic:
    """Dynamic evaluation.

    Args:
        rate: how far a weight may move after a segment, about; 0: nowhere.
        decay: which part of the way back to the trained weights it goes then, 0 to 1.
        segment: steps that are scored before they are learnt from.

    Raises:
        OptionError: one of them is out of range.
    """

    rate: float = 0.002
    decay: float = 0.0
    segment: int = 32

    def __post_init__(self) -> None:
        if not (0 <= self.rate < math.inf and 0 <= self.decay <= 1 and self.segment >= 1):
            raise OptionError(
                f"dynamic evaluation with rate {self.rate}, decay {self.decay} and segment {self.segment}: a rate is "
                "0 or more, a decay 0 to 1, a segment 1 step or more"
            )


def _in_one_block(module: nn.Module) -> None:
    """Lay the weights of a fused layer side by side, as cuDNN wants them; a copy has them apart."""
    if isinstance(module, nn.RNNBase):
        module.flatten_parameters()


class Learner:
    """A copy of a trained model that learns from one piece after the other; the given model is never touched."""

    def __init__(self, dynamic: Dynamic, trained: SequenceModel) -> None:
        self._dynamic = dynamic
        self.model = copy.deepcopy(trained).eval().requires_grad_(True).apply(_in_one_block)
        self.model.stack.layers.train()  # cuDNN has gradients in this mode alone; what drops anything is outside them
        self._weights = list(self.model.parameters())
        self._trained = [weight.detach() for weight in trained.parameters()]
        self._squares: list[Tensor] = []  # of the gradients of this piece, summed
        self._segments = 0

    @torch.no_grad()
    def forget(self) -> None:
        """A new piece begins: the trained weights again."""
        for weight, trained in zip(self._weights, self._trained, strict=True):
            weight.copy_(trained)
        self._squares = [torch.zeros_like(weight) for weight in self._weights]
        self._segments = 0

    def learn(self, nats: Tensor) -> None:
        """One step on the nats of a segment, (1, segment)."""
        gradients = torch.autograd.grad(nats.mean(), self._weights, allow_unused=True, materialize_grads=True)
        self._segments += 1
        with torch.no_grad():
            for weight, trained, gradient, squares in zip(
                self._weights, self._trained, gradients, self._squares, strict=True
            ):
                squares.addcmul_(gradient, gradient)
                size = (squares / self._segments).sqrt_().add_(EPSILON)
                weight.addcdiv_(gradient, size, value=-self._dynamic.rate).lerp_(trained, self._dynamic.decay)
