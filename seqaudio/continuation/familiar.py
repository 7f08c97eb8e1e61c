"""Is a primer like the music that a model learnt? By what it costs, beside pieces not met before, and by its metre."""

from __future__ import annotations

from dataclasses import dataclass

from seqaudio.continuation.engines import Predictor
from seqaudio.continuation.likelihood import token_nats
from seqaudio.continuation.primer import Primer, bars_tokenizer
from seqaudio.models.beginnings import BEGINNING_BARS, Beginnings
from seqaudio.tokens.bars.excerpt import bars_of_tokens, beginning

RARE, ENOUGH_PIECES = 0.02, 50  # a metre of fewer pieces is hardly known, where so many were learnt from
FEWEST_BARS = 4  # a beginning costs more by the note than what follows, so fewer would often be called strange


@dataclass(frozen=True)
class Familiarity:
    """What the beginning of a primer costs a model.

    Attributes:
        nats_per_note: of its first 8 bars, or all if there are fewer, as the model hears them.
        bars: how many these are.
        usual: the same of pieces that the model had not met; None where nobody noted it.
        metre: that the primer ends in, such as 6/8.
        metres: how many of the pieces that the model learnt from are in each; None where nobody noted it.
    """

    nats_per_note: float
    bars: int
    usual: Beginnings | None
    metre: str = ""
    metres: dict[str, int] | None = None

    @property
    def strange(self) -> bool:
        """Whether it surprises the model more than any of those pieces; never a primer too short to tell."""
        return self.usual is not None and self.bars >= FEWEST_BARS and self.nats_per_note > self.usual.most

    def remarks(self) -> tuple[str, ...]:
        """What to tell people of a strange one, and of a metre that the model hardly knows."""
        told = []
        if self.usual is not None and self.strange:
            told.append(
                f"unlike what this model learnt: {self.nats_per_note:.1f} nats a note, where {self.usual.pieces} "
                f"pieces of its kind have {self.usual.median:.1f} in the middle and at most {self.usual.most:.1f}; "
                "what it writes may not fit"
            )
        pieces = sum((self.metres or {}).values())
        known = (self.metres or {}).get(self.metre, 0)
        if pieces >= ENOUGH_PIECES and known < RARE * pieces:
            told.append(
                f"{self.metre} is a metre that this model hardly knows: {known} of the {pieces:,} pieces that it "
                "learnt from are in it"
            )
        return tuple(told)


def familiarity(engine: Predictor, primer: Primer) -> Familiarity:
    """How familiar a primer, made for this engine's checkpoint, is to it."""
    tokenizer = bars_tokenizer(engine.checkpoint)
    ids = beginning(tokenizer, primer.ids, BEGINNING_BARS)
    notes = max(1, int(tokenizer.begins_note[ids].sum()))
    bars = int(bars_of_tokens(tokenizer, ids)[-1]) + 1
    known, (_, *metre) = engine.checkpoint, primer.score.metre_map()[-1].tolist()
    cost = float(token_nats(engine, ids).sum()) / notes
    return Familiarity(cost, bars, known.beginnings, "{}/{}".format(*metre), known.metres)
