"""How does a melody become the codes that melody_rnn reads?

Conventions: a grid of four steps per quarter, one code a step: -2 nothing new (the note or the silence goes on), -1
the note ends, 0..127 a note begins. The tokens are PAD, BOS, EOS and the 130 codes in that order, so an id is its code
plus 5. A note lasts to the next code that is not -2, or to the end of the codes; -1 in silence says nothing. Onsets
and ends go to the nearest step (halves up), a note lasts at least one step, of notes on one step the highest stays,
and a note ends where the next begins. Decoded scores are one piano track at velocity 80, 480 ticks per quarter, 4/4
and 120 per minute, the MIDI defaults. Source: magenta's ``melodies_lib.Melody``; unlike it, silence in front of the
melody is kept, so a melody keeps its place in the bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import VocabularyError
from seqaudio.music.frames import score_of_runs, steps_of_notes
from seqaudio.music.melody import find_melody
from seqaudio.music.score import IntArray, Score
from seqaudio.tokens.chain import BOS, EOS, Chain, ChainTokenizer
from seqaudio.tokens.tokenizer import Loss
from seqaudio.tokens.vocabulary import Vocabulary

STEPS_PER_QUARTER = 4
NO_EVENT, NOTE_OFF = -2, -1
FIRST_CODE = 3  # the id of code -2


@dataclass(frozen=True)
class MelodyTokenizer(ChainTokenizer):
    """One code per sixteenth of the piece's melody, which :func:`seqaudio.music.find_melody` finds."""

    name: ClassVar[str] = "melody"

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The tokens in id order."""
        special = {kind: [None] for kind in ("PAD", "BOS", "EOS", "NoEvent", "NoteOff")}
        return Vocabulary.of_kinds({**special, "Pitch": range(128)})

    def quantize(self, score: Score) -> tuple[Score, Loss]:
        """The melody on the grid, and what was lost on the way; every note outside the melody is a note dropped."""
        lost = {
            "tempo_changes_dropped": len(score.tempos),
            "metre_changes_dropped": len(score.time_signatures),
            "pedal_spans_dropped": len(score.pedals),
            "drums_dropped": int(score.is_drum.sum()),
        }
        pitched = score.notes(~score.is_drum)
        line = find_melody(pitched).score if len(pitched) else pitched
        lost["overlaps_cut"] = int((_uncut(pitched, line) != line.duration).sum())
        lost["programs_dropped"] = int((line.program != 0).sum())
        onset, end = steps_of_notes(line, STEPS_PER_QUARTER)
        tpq = line.ticks_per_quarter
        lost["onsets_moved"] = int((onset * tpq != line.onset * STEPS_PER_QUARTER).sum())
        lost["durations_changed"] = int(((end - onset) * tpq != line.duration * STEPS_PER_QUARTER).sum())

        order = np.lexsort((line.onset, -line.pitch, onset))  # the highest first on each step
        onset, end, pitch = onset[order], end[order], line.pitch[order]
        first = np.append(True, np.diff(onset) != 0)[: len(onset)]
        onset, end, pitch = onset[first], end[first], pitch[first]
        cut = np.minimum(end, np.append(onset[1:], np.iinfo(np.int64).max)[: len(end)])
        lost["overlaps_cut"] += int((cut != end).sum())
        lost["notes_dropped"] = len(pitched) - len(onset)
        return score_of_runs(pitch, onset, cut, STEPS_PER_QUARTER), Loss(**lost)

    def encode(self, score: Score) -> NDArray[np.int64]:
        """Token ids from BOS to EOS, shape (steps + 2,)."""
        grid = self.quantize(score)[0]
        onset, end = steps_of_notes(grid, STEPS_PER_QUARTER)
        codes = np.full(int(end.max(initial=0)), NO_EVENT)
        codes[end[:-1]] = NOTE_OFF
        codes[onset] = grid.pitch  # over the end of a note that touches the next
        return self.ids_of(codes)

    def decode(self, ids: ArrayLike) -> Score:
        """The melody at 480 ticks per quarter and 120 per minute. Raises VocabularyError for ids that are no melody."""
        codes = self.codes_of(ids)
        onset = np.flatnonzero(codes >= 0)
        ends = np.append(np.flatnonzero(codes != NO_EVENT), len(codes))
        end = ends[np.searchsorted(ends, onset, side="right")]
        return score_of_runs(codes[onset], onset, end, STEPS_PER_QUARTER)

    def codes_of(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Magenta's codes of token ids, shape (steps,), without BOS and EOS. Raises VocabularyError as decode."""
        return self.chain.body(ids) - FIRST_CODE + NO_EVENT

    def ids_of(self, codes: Sequence[int] | IntArray) -> NDArray[np.int64]:
        """Token ids from BOS to EOS of magenta's codes. Raises VocabularyError for a code outside -2..127."""
        array = np.asarray(codes, dtype=np.int64).reshape(-1)
        outside = np.flatnonzero((array < NO_EVENT) | (array > 127))
        if outside.size:
            raise VocabularyError(f"melody code {array[outside[0]]} at place {outside[0]} is outside -2..127")
        return np.concatenate([[BOS], array - NO_EVENT + FIRST_CODE, [EOS]])

    @cached_property
    def chain(self) -> Chain:
        """Which token may follow which: any code any, between BOS and EOS."""
        size = len(self.vocabulary)
        return Chain.between(self.vocabulary, np.ones((size, size), dtype=bool), np.ones(size, dtype=bool))


def _uncut(score: Score, line: Score) -> IntArray:
    """The durations that the notes of a melody have in the score it was found in."""
    size = 128 * len(score.track_names)

    def places(notes: Score) -> IntArray:
        return notes.onset * size + notes.track * 128 + notes.pitch  # rising: the order of a score's notes

    return score.duration[np.searchsorted(places(score), places(line))]
