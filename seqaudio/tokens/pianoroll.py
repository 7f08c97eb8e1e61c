"""How does a score become a binary piano roll, and the roll a line of tokens?

Conventions: frames are bool, shape (steps, keys); 88 keys begin at MIDI 21 (A0), 128 keys at 0. As tokens each step is
its keys in rising order, one Pitch token each, and a Step token behind them. Times go to the nearest step, halves up;
a note fills one step at least. A roll has no onsets, tracks, instruments, velocities or drums: notes of one key that
touch or overlap become one, and are counted as merged. Decoded scores are one piano track at velocity 80, 4/4 and 120
per minute. Source: Boulanger-Lewandowski et al. 2012 (88 keys from 21 to 108).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import OptionError
from seqaudio.files.limits import DEFAULT_LIMITS, Limits
from seqaudio.music.frames import (
    LOWEST_PITCH,
    Frames,
    frames_of_runs,
    runs_of_score,
    score_of_frames,
    score_of_runs,
    steps_of_notes,
)
from seqaudio.music.score import Score
from seqaudio.tokens.chain import BOS, EOS, Chain, ChainTokenizer
from seqaudio.tokens.tokenizer import Loss
from seqaudio.tokens.vocabulary import Vocabulary

STEP = 3  # the id of the Step token; Pitch tokens follow it
FINEST_GRID = 480  # steps per quarter


@dataclass(frozen=True)
class PianorollTokenizer(ChainTokenizer):
    """Which keys are down at each step.

    Args:
        keys: 88 (a piano's, MIDI 21 to 108) or 128 (all).
        steps_per_quarter: 1 to 480.

    Raises:
        OptionError: an option is none of these.
    """

    name: ClassVar[str] = "pianoroll"

    keys: Literal[88, 128] = 88
    steps_per_quarter: int = 4

    def __post_init__(self) -> None:
        if self.keys not in LOWEST_PITCH or not 1 <= self.steps_per_quarter <= FINEST_GRID:
            raise OptionError(
                f"a piano roll of {self.keys} keys and {self.steps_per_quarter} steps per quarter: "
                f"it may have 88 or 128 keys, and 1 to {FINEST_GRID} steps"
            )

    @property
    def lowest_pitch(self) -> int:
        """The MIDI pitch of key 0."""
        return LOWEST_PITCH[self.keys]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens in id order."""
        special = {kind: [None] for kind in ("PAD", "BOS", "EOS", "Step")}
        return Vocabulary.of_kinds({**special, "Pitch": range(self.lowest_pitch, self.lowest_pitch + self.keys)})

    def quantize(self, score: Score) -> tuple[Score, Loss]:
        """What a roll holds of a score, as a score, and what was lost on the way."""
        kept = self._kept(score)
        onset, end = steps_of_notes(kept, self.steps_per_quarter)
        runs = runs_of_score(kept, self.steps_per_quarter)
        tpq, spq = kept.ticks_per_quarter, self.steps_per_quarter
        loss = Loss(
            tempo_changes_dropped=len(score.tempos),
            metre_changes_dropped=len(score.time_signatures),
            pedal_spans_dropped=len(score.pedals),
            drums_dropped=int(score.is_drum.sum()),
            notes_dropped=int((~score.is_drum).sum()) - len(kept),
            programs_dropped=int((kept.program != 0).sum()),
            onsets_moved=int((onset * tpq != kept.onset * spq).sum()),
            durations_changed=int(((end - onset) * tpq != kept.duration * spq).sum()),
            notes_merged=len(kept) - len(runs[0]),
        )
        return score_of_runs(*runs, spq), loss

    def _kept(self, score: Score) -> Score:
        """The pitched notes that have a key."""
        has_key = (score.pitch >= self.lowest_pitch) & (score.pitch < self.lowest_pitch + self.keys)
        return score.notes(has_key & ~score.is_drum)

    def frames(self, score: Score, limits: Limits = DEFAULT_LIMITS) -> Frames:
        """The roll of a score up to the end of its last note, shape (steps, keys).

        Raises:
            OverLimitError: it would have more than ``limits.max_cells`` cells.
        """
        pitch, start, end = runs_of_score(self._kept(score), self.steps_per_quarter)
        steps = int(end.max(initial=0))
        limits.check("max_cells", steps * self.keys, "the score's piano roll")
        return frames_of_runs(pitch - self.lowest_pitch, start, end, (steps, self.keys))

    def score_of(self, frames: ArrayLike) -> Score:
        """The score of a roll; silence behind the last note is no part of a score.

        Raises:
            OptionError: the roll has another shape than (steps, keys).
        """
        return score_of_frames(self._checked(frames), self.lowest_pitch, self.steps_per_quarter)

    def _checked(self, frames: ArrayLike) -> Frames:
        array = np.asarray(frames)
        if array.ndim != 2 or array.shape[1] != self.keys or not (array == array.astype(bool)).all():
            raise OptionError(f"frames of shape {array.shape}: a roll has shape (steps, {self.keys}) of 0 and 1")
        return array.astype(bool)

    def encode(self, score: Score) -> NDArray[np.int64]:
        """Token ids from BOS to EOS, shape (tokens,). Raises OverLimitError as :meth:`frames`."""
        return self.ids_of(self.frames(score))

    def ids_of(self, frames: ArrayLike) -> NDArray[np.int64]:
        """Token ids from BOS to EOS of a roll, shape (cells on + steps + 2,). Raises OptionError as score_of."""
        frames = self._checked(frames)
        step, key = np.nonzero(frames)
        ids = np.full(len(step) + len(frames) + 2, STEP)
        ids[1 + np.arange(len(step)) + step] = key + STEP + 1  # in front of it: BOS, the keys and the steps so far
        ids[0], ids[-1] = BOS, EOS
        return ids

    def frames_of(self, ids: ArrayLike, limits: Limits = DEFAULT_LIMITS) -> Frames:
        """The roll that ids stand for, shape (steps, keys); keys without a Step token behind them are left out.

        Raises:
            VocabularyError: ids that are no roll.
            OverLimitError: more than ``limits.max_cells`` cells.
        """
        ids = self.chain.body(ids)
        is_step = ids == STEP
        steps = int(is_step.sum())
        limits.check("max_cells", steps * self.keys, "the tokens' piano roll")
        frames = np.zeros((steps + 1, self.keys), dtype=bool)
        frames[np.cumsum(is_step)[~is_step], ids[~is_step] - STEP - 1] = True
        return frames[:steps]

    def decode(self, ids: ArrayLike) -> Score:
        """The score that ids stand for. Raises as :meth:`frames_of`."""
        return self.score_of(self.frames_of(ids))

    @cached_property
    def chain(self) -> Chain:
        """Which token may follow which: within a step keys rise."""
        size = len(self.vocabulary)
        order = np.arange(size)
        follows = order[:, None] < order
        follows[[BOS, STEP], STEP:] = True
        follows[:, STEP] = True
        return Chain.between(self.vocabulary, follows, order <= STEP)
