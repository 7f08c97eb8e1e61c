"""Is a primer like the music that a model learnt? Told by what it costs beside pieces that the model had not met."""

from __future__ import annotations

from dataclasses import dataclass

from seqaudio.continuation.engines import Predictor
from seqaudio.continuation.likelihood import token_nats
from seqaudio.continuation.primer import Primer, bars_tokenizer
from seqaudio.models.beginnings import BEGINNING_BARS, Beginnings
from seqaudio.tokens.bars.excerpt import bars_of_tokens, beginning

FEWEST_BARS = 4  # a beginning costs more by the note than what follows, so fewer would often be called strange


@dataclass(frozen=True)
class Familiarity:
    """What the beginning of a primer costs a model.

    Attributes:
        nats_per_note: of its first 8 bars, or all if there are fewer, as the model hears them.
        bars: how many these are.
        usual: the same of pieces that the model had not met; None where nobody noted it.
    """

    nats_per_note: float
    bars: int
    usual: Beginnings | None

    @property
    def strange(self) -> bool:
        """Whether it surprises the model more than any of those pieces; never a primer too short to tell."""
        return self.usual is not None and self.bars >= FEWEST_BARS and self.nats_per_note > self.usual.most

    def remarks(self) -> tuple[str, ...]:
        """What to tell people of a strange one."""
        if self.usual is None or not self.strange:
            return ()
        return (
            f"unlike what this model learnt: {self.nats_per_note:.1f} nats a note, where {self.usual.pieces} pieces "
            f"of its kind have {self.usual.median:.1f} in the middle and at most {self.usual.most:.1f}; what it writes "
            "may not fit",
        )


def familiarity(engine: Predictor, primer: Primer) -> Familiarity:
    """How familiar a primer, made for this engine's checkpoint, is to it."""
    tokenizer = bars_tokenizer(engine.checkpoint)
    ids = beginning(tokenizer, primer.ids, BEGINNING_BARS)
    notes = max(1, int(tokenizer.begins_note[ids].sum()))
    bars = int(bars_of_tokens(tokenizer, ids)[-1]) + 1
    return Familiarity(float(token_nats(engine, ids).sum()) / notes, bars, engine.checkpoint.beginnings)
