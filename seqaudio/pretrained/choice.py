"""Which shipped model continues a primer? Its notes say so: only drums, one voice, a lead sheet, or several voices.

One voice is what is hardly thinner without all but its highest notes (:func:`seqaudio.music.melody.skyline`): a line
played legato, in unison, or with a double stop here and there, is one; with chord symbols beside it, it is a lead
sheet. Drums beside pitched notes are no voice. Several voices go to the model to which they are the least strange:
what their beginning costs it by the note, beside what it costs with pieces of its kind.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqaudio.continuation.familiar import familiarity
from seqaudio.continuation.primer import make_primer
from seqaudio.errors import NoNotesError
from seqaudio.music.melody import skyline, without_symbols
from seqaudio.music.score import Score
from seqaudio.pretrained import SHIPPED, load_model

DRUMS = "drums"
SONGS = "songs"
OF_SEVERAL_VOICES = (SONGS, "chorales")
ONE_VOICE = 0.95  # share of the notes that are its highest


class Choice(NamedTuple):
    """The name or path of a model, and why it was chosen, for people to read; None: it was asked for."""

    model: str
    why: str | None = None

    def remarks(self) -> tuple[str, ...]:
        """What to tell people: nothing of a model that they named."""
        return () if self.why is None else (f"model {self.model}, chosen for {self.why}; --model names another",)


def check_fits(model: str, score: Score, advice: str = "name another model") -> None:
    """Raises NoNotesError where a shipped model has learnt nothing of what a piece is made of: drums, or pitched notes.

    Models of other names, and pieces without notes, pass. The advice is what to do.
    """
    if model not in SHIPPED or not len(score):
        return
    if model == DRUMS and not score.is_drum.any():
        came, knows = "no drums, only pitched notes", "nothing but drums"
    elif model != DRUMS and score.is_drum.all():
        came, knows = "no pitched notes, only drums", "no drums"
    else:
        return
    raise NoNotesError(f"{came}, and model {model} knows {knows}; {advice}")


def choose_model(score: Score, *, straight: bool | None = None) -> Choice:
    """The shipped model for a piece, heard as :func:`seqaudio.continuation.primer.make_primer` would.

    Raises NoNotesError for one without notes.
    """
    if not len(score):
        raise NoNotesError("no notes to choose a model by; give a file with notes")
    pitched = without_symbols(score.notes(~score.is_drum))
    if not len(pitched):
        return Choice(DRUMS, "only drums")
    heard = np.unique(np.column_stack([pitched.onset, pitched.pitch]), axis=0)  # in unison they are one
    if len(skyline(pitched)) >= ONE_VOICE * len(heard):
        symbols = len(pitched) < np.count_nonzero(~score.is_drum)
        return Choice(SONGS, "a melody with chord symbols") if symbols else Choice("folk", "one voice")
    strangeness = {model: _strangeness(model, score, straight) for model in OF_SEVERAL_VOICES}
    least, other = sorted(OF_SEVERAL_VOICES, key=strangeness.__getitem__)
    return Choice(least, f"several voices, less strange to it than to {other}")


def _strangeness(model: str, score: Score, straight: bool | None) -> float:
    """What the beginning of a piece costs a shipped model, in times of what it costs with pieces of its kind."""
    engine = load_model(model)
    found = familiarity(engine, make_primer(score, engine.checkpoint, straight=straight))
    assert found.usual is not None, "every shipped model has it noted"
    return found.nats_per_note / found.usual.median
