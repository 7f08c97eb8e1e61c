"""How likely does a model find a piece? Exact nats, the whole piece in one go, with whichever engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.engines import CHUNK, Predictor, TokenModel, TorchEngine, checkpoint_of
from seqaudio.continuation.primer import make_readable
from seqaudio.continuation.remembering import RememberingEngine
from seqaudio.errors import NoNotesError, OptionError
from seqaudio.music.metre import with_gathered_beats
from seqaudio.music.score import Score
from seqaudio.tokens import BarsTokenizer

if TYPE_CHECKING:
    from seqaudio.training.adaptive import Cache, Dynamic


@dataclass(frozen=True)
class Likelihood:
    """Nats of a piece; BOS is given, EOS counts.

    Attributes:
        ids: tokens, (tokens,).
        nats: surprise of each token but the first, (tokens - 1,).
        notes, bars: how many the tokens hold.
        remarks: how the piece was made readable for the model: melody found, moved, folded.
    """

    ids: NDArray[np.int64]
    nats: NDArray[np.float64]
    notes: int
    bars: int
    remarks: tuple[str, ...] = ()


def score_likelihood(
    engine: Predictor, score: Score, *, cache: Cache | None = None, dynamic: Dynamic | None = None
) -> Likelihood:
    """The likelihood of a whole piece.

    A model of bar tokens hears it as it would a primer, but as it was played: its melody if it knows no more, moved
    into its range. A model of other tokens hears all that its tokens hold.

    Args:
        engine: what predicts.
        score: the piece.
        cache: of what followed in alike places of the piece, see :mod:`seqaudio.training.adaptive`; engine torch only.
        dynamic: learning from the piece on the way, likewise.

    Raises:
        NoNotesError: there are no notes.
        OptionError: another engine is to have a cache or to learn.
        DivergedError: learning ran away.
    """
    ids, grid, remarks = heard_tokens(checkpoint_of(engine), score)
    nats = adaptive_nats(engine, ids, cache, dynamic) if cache or dynamic else token_nats(engine, ids)
    return Likelihood(ids, nats, len(grid), len(grid.bars()) - 1, remarks)


def heard_tokens(checkpoint: TokenModel, score: Score) -> tuple[NDArray[np.int64], Score, tuple[str, ...]]:
    """A whole piece as a model hears it: tokens (tokens,) from BOS to EOS, the same as a score, and how it was read.

    Raises:
        NoNotesError: there are no notes.
    """
    tokenizer = checkpoint.require_tokenizer()
    score = with_gathered_beats(score)
    remarks: tuple[str, ...] = ()
    if isinstance(tokenizer, BarsTokenizer):
        readable = make_readable(score, checkpoint)
        score, remarks = readable.score, readable.remarks
    grid, _ = tokenizer.quantize(score)
    if not len(grid):
        raise NoNotesError("no notes")
    return tokenizer.encode(grid), grid, remarks


def bar_nats(tokenizer: BarsTokenizer, ids: NDArray[np.int64], nats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nats of each bar, (bars,): of its Bar token and of all up to the next one.

    Args:
        tokenizer: of the ids.
        ids: tokens, (tokens,); what stands before the first Bar belongs to none.
        nats: surprise of each token but the first, (tokens - 1,).
    """
    bar = np.cumsum(ids == tokenizer.vocabulary.id("Bar_None"))[1:]  # 0 before the first
    sums = np.zeros(int(bar.max(initial=0)) + 1)
    np.add.at(sums, bar, nats)
    return sums[1:]


def bar_means(tokenizer: BarsTokenizer, ids: NDArray[np.int64], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean of each bar, (bars,), over its Bar token and all up to the next one.

    Args:
        tokenizer: of the ids.
        ids: tokens, (tokens,); what stands before the first Bar belongs to none.
        values: a number for each token, (tokens,).
    """
    bar = np.cumsum(ids == tokenizer.vocabulary.id("Bar_None"))
    sums = np.bincount(bar, weights=values)
    means: NDArray[np.float64] = (sums / np.maximum(np.bincount(bar), 1))[1:]
    return means


def token_nats(engine: Predictor, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Nats of every token but the first, (tokens - 1,); ids of shape (tokens,)."""
    state = engine.initial_state(1)
    nats = []
    for start in range(0, len(ids) - 1, CHUNK):
        targets = ids[start + 1 : start + 1 + CHUNK]
        logits, state = engine.run(ids[None, start : start + len(targets)], state)
        rows = logits[0].astype(np.float64)  # (time, vocabulary)
        nats.append(np.logaddexp.reduce(rows, axis=1) - rows[np.arange(len(targets)), targets])
    return np.concatenate(nats) if nats else np.zeros(0)


def adaptive_nats(
    engine: Predictor, ids: NDArray[np.int64], cache: Cache | None, dynamic: Dynamic | None
) -> NDArray[np.float64]:
    """As :func:`token_nats`, (tokens - 1,), with a cache, or learning on the way.

    Raises:
        OptionError: the engine is not torch.
        DivergedError: learning ran away.
    """
    network = engine.network if isinstance(engine, RememberingEngine) else engine
    if not isinstance(network, TorchEngine):
        came = type(network).__name__
        raise OptionError(f"a cache and dynamic evaluation need the engine torch, and this is {came}; load that one")
    from seqaudio.training.evaluate import piece_nats

    return piece_nats(network.model, [ids], network.checkpoint.memory(), cache=cache, dynamic=dynamic)[0]
