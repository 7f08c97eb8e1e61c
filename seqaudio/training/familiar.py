"""Which music is familiar to a model of bars? What pieces that it has not met cost it, and where their notes lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from seqaudio.corpus.batches import Piece
from seqaudio.models.beginnings import BEGINNING_BARS, Beginnings
from seqaudio.models.match_memory import Memory
from seqaudio.models.sequence_model import SequenceModel
from seqaudio.music.straight import IS_BETWEEN, TWELFTHS
from seqaudio.tokens.bars import BarsTokenizer
from seqaudio.tokens.bars.excerpt import beginning
from seqaudio.training.evaluate import piece_nats


def beginnings(
    model: SequenceModel, tokenizer: BarsTokenizer, pieces: Sequence[Piece], memory: Memory | None
) -> Beginnings | None:
    """What the first bars of pieces cost a model, by the note; None of fewer pieces than say something."""
    heard = [beginning(tokenizer, piece, BEGINNING_BARS) for piece in pieces]
    notes = [int(tokenizer.begins_note[ids].sum()) for ids in heard]
    nats = piece_nats(model, heard, memory)
    return Beginnings.of([each.sum() / count for each, count in zip(nats, notes, strict=True) if count])


def share_between(tokenizer: BarsTokenizer, pieces: Iterable[NDArray[np.integer]]) -> float:
    """The share of all positions in pieces (tokens,) that are neither sixteenths nor triplets; 0 of none."""
    positions = tokenizer.vocabulary.slices["Position"]
    between = total = 0
    for piece in pieces:
        found = piece[(piece >= positions.start) & (piece < positions.stop)] - positions.start
        between += int(IS_BETWEEN[found % TWELFTHS].sum())
        total += len(found)
    return between / total if total else 0.0


def pieces_by_metre(tokenizer: BarsTokenizer, pieces: Iterable[NDArray[np.integer]]) -> dict[str, int]:
    """How many of the pieces (tokens,) have most of their bars in each metre, such as 6/8; the commonest first."""
    metres, bar = tokenizer.vocabulary.slices["TimeSig"], tokenizer.vocabulary.id("Bar_None")
    main = Counter[str]()
    for piece in pieces:
        told = np.flatnonzero((piece >= metres.start) & (piece < metres.stop))  # behind a bar line, where it changes
        last = np.searchsorted(told, np.flatnonzero(piece == bar) + 1, side="right") - 1
        if (last >= 0).any():
            commonest = int(np.bincount(piece[told[last[last >= 0]]].astype(np.int64)).argmax())
            main[tokenizer.vocabulary.names[commonest].partition("_")[2]] += 1
    return dict(main.most_common())
