"""How does a continuation get exactly the bars asked for?

The tokenizer's grammar, with what a continuation adds: metre and tempo stay, no end before the last bar is full, only
programs of the primer, their pedals, and pitches the model knows. Two bars in a row without a note are not written, nor
a last bar without one; how often that was refused is counted, since silence is a way for a model to fail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seqaudio.tokens.bars import BarsTokenizer
from seqaudio.tokens.bars.grammar import BarsState
from seqaudio.tokens.tokenizer import DRUMS


@dataclass(frozen=True)
class ContinuationState:
    """Where a continuation stands: the tokenizer's state, bars begun, and whether this bar and the one before sound."""

    tokens: BarsState
    bars: int = 0
    sounds: bool = False
    sounded: bool = True


@dataclass(frozen=True)
class ContinuationGrammar:
    """The grammar of a continuation of so many bars.

    Args:
        bars: how many.
        allowed: tokens that may be used at all, (vocabulary,), see :func:`allowed_tokens`.
    """

    tokenizer: BarsTokenizer
    bars: int
    allowed: NDArray[np.bool_]

    def mask(self, state: ContinuationState) -> NDArray[np.bool_]:
        """Which tokens may follow, shape (vocabulary,)."""
        mask = self.tokenizer.grammar(state.tokens) & self.allowed
        if state.bars == 0:
            only_bar = np.zeros_like(mask)
            only_bar[self.tokenizer.vocabulary.first["Bar"]] = True
            return only_bar
        if self.refuses_silence(state):
            mask[self.tokenizer.vocabulary.first["Bar"]] = False
        mask[self.tokenizer.vocabulary.first["EOS"]] = False
        if not self._leads_to_a_pitch(state.tokens, mask):
            mask[self.tokenizer.vocabulary.slices["Velocity"]] = False
        return mask

    def after(self, state: ContinuationState, token: int) -> ContinuationState:
        """The state once ``token`` is written."""
        tokens = state.tokens.after(token)
        if token == self.tokenizer.vocabulary.first["Bar"]:
            return ContinuationState(tokens, state.bars + 1, sounds=False, sounded=state.sounds or state.bars == 0)
        return replace(state, tokens=tokens, sounds=state.sounds or self._is_pitch(token))

    def refuses_silence(self, state: ContinuationState) -> bool:
        """Would a bar line now leave two silent bars in a row, or a silent last bar?"""
        return state.bars > 0 and not state.sounds and (state.bars == self.bars or not state.sounded)

    def may_be_silent(self, state: ContinuationState, token: int) -> bool:
        """Is a token the bar line of a silent bar that is not the last, which a form asks for?"""
        return token == self.tokenizer.vocabulary.first["Bar"] and state.bars < self.bars

    def wants_silence(self, state: ContinuationState, logits: NDArray[np.floating]) -> bool:
        """Is such a bar line what the model finds likeliest?"""
        return self.refuses_silence(state) and int(logits.argmax()) == self.tokenizer.vocabulary.first["Bar"]

    def is_over(self, state: ContinuationState) -> bool:
        """Has the bar line behind the last bar been written?"""
        return state.bars > self.bars

    def _leads_to_a_pitch(self, tokens: BarsState, mask: NDArray[np.bool_]) -> bool:
        """False where a velocity may follow, but behind it no pitch: all that are still higher are not allowed."""
        velocities = self.tokenizer.vocabulary.slices.get("Velocity")
        if velocities is None or not mask[velocities].any():
            return True
        velocity = velocities.start + int(mask[velocities].argmax())
        return bool((self.tokenizer.grammar(tokens.after(velocity)) & self.allowed).any())

    def _is_pitch(self, token: int) -> bool:
        kinds = self.tokenizer.vocabulary
        return kinds.kinds[kinds.kind_of[token]] in ("Pitch", "PitchDrum")


def allowed_tokens(
    tokenizer: BarsTokenizer, pitch_range: tuple[int, int], *, conducts: bool, programs: set[int] | None
) -> NDArray[np.bool_]:
    """Every token but pitches outside a range, programs (-1: drums) and their pedals outside a set, metres and tempos.

    Shape (vocabulary,). ``conducts`` allows metres and tempos, ``programs=None`` all programs.
    """
    slices = tokenizer.vocabulary.slices
    allowed = np.ones(len(tokenizer.vocabulary), dtype=bool)
    for kind in {"TimeSig", "Tempo"} & slices.keys():
        allowed[slices[kind]] = conducts
    allowed[slices["Pitch"]] = False
    low, high = pitch_range
    allowed[slices["Pitch"].start + low : slices["Pitch"].start + high + 1] = True
    if "Program" in slices and programs is not None:
        allowed[slices["Program"]] = False
        allowed[[slices["Program"].start + program - DRUMS for program in programs]] = True
        for kind in {"PedalUp", "PedalDown"} & slices.keys():
            allowed[slices[kind]] = False
            allowed[[slices[kind].start + program for program in programs if program != DRUMS]] = True
    return allowed
