"""Does a tokenizer keep its promises? One law to a function: each takes a tokenizer and what to try it on.

The laws are those of ``tokenizer.py``. They know nothing of any one tokenizer's tokens but that the first three are
PAD, BOS and EOS. Each raises BrokenLawError with what should have been so; what a tokenizer itself raises passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import BrokenLawError, OptionError, VocabularyError
from seqaudio.music.score import Score
from seqaudio.tokens.chain import BOS, EOS
from seqaudio.tokens.pianoroll import PianorollTokenizer
from seqaudio.tokens.tokenizer import Tokenizer

SAMPLES, LENGTH = 20, 100  # sequences drawn under the grammar, and tokens of each before it may end
MOVES = (-12, -1, 1, 12)  # semitones


def check_tokenizer(tokenizer: Tokenizer, scores: Iterable[Score], seed: int = 0) -> None:
    """Try every law on scores, and on sequences drawn under the grammar.

    Args:
        tokenizer: one of ours, or of one's own.
        scores: what it is for, and some that it is not for: drums, chords, odd metres, long notes, no notes.
        seed: of the draws.

    Raises:
        BrokenLawError: a law does not hold; the text says which, and where.
        OptionError: there are no scores.
    """
    with _told(tokenizer, "its vocabulary"):
        sequences_have_their_frame(tokenizer)
    tried = 0
    for score in scores:
        with _told(tokenizer, f"score {tried}"):
            decoding_gives_the_score_on_the_grid(tokenizer, score)
            every_note_is_kept_or_counted(tokenizer, score)
            what_is_on_the_grid_loses_nothing(tokenizer, score)
            encoded_ids_come_back(tokenizer, score)
            ids = tokenizer.encode(score)
            grammar_accepts_what_is_encoded(tokenizer, ids)
            tokens_name_the_notes(tokenizer, ids)
            ids_outside_the_vocabulary_are_refused(tokenizer, ids)
            saving_changes_nothing(tokenizer, score)
            for semitones in MOVES:
                moving_ids_is_moving_the_score(tokenizer, score, semitones)
        tried += 1
    if not tried:
        raise OptionError("no scores to try the tokenizer on; give some")
    for number in range(SAMPLES):
        rng = np.random.default_rng([seed, number])
        with _told(tokenizer, f"sample {number} of seed {seed}"):
            ids = sampled(tokenizer, rng, LENGTH)
            tokens_name_the_notes(tokenizer, ids)
            score = tokenizer.decode(ids)
            encoded_ids_come_back(tokenizer, score)
            what_is_on_the_grid_loses_nothing(tokenizer, score)
            decoding_a_beginning_gives_the_beginning(tokenizer, ids, int(rng.integers(len(ids) + 1)))
            disorder_is_refused_or_decodes(tokenizer, rng.permutation(ids))


@contextmanager
def _told(tokenizer: Tokenizer, where: str) -> Iterator[None]:
    """Says whose law was broken, and on what."""
    try:
        yield
    except BrokenLawError as broken:
        raise BrokenLawError(f"{tokenizer.name}, {where}: {broken}") from None


def _must(holds: object, law: str) -> None:
    if not holds:
        raise BrokenLawError(law)


def sequences_have_their_frame(tokenizer: Tokenizer) -> None:
    """PAD, BOS and EOS are the first three tokens, and a sequence begins with BOS. Raises BrokenLawError."""
    names, size = tokenizer.vocabulary.names, len(tokenizer.vocabulary)
    _must(names[:3] == ("PAD_None", "BOS_None", "EOS_None"), "the first tokens must be PAD_None, BOS_None and EOS_None")
    _must(len(set(names)) == size, "no two tokens may have one name")
    first = np.flatnonzero(tokenizer.grammar(tokenizer.start())).tolist()
    _must(first == [BOS], f"nothing but BOS_None may begin, not tokens {first}")
    _must(
        tokenizer.pitch_of_token.shape == tokenizer.begins_note.shape == (size,),
        f"pitch_of_token and begins_note must have shape ({size},)",
    )


def decoding_gives_the_score_on_the_grid(tokenizer: Tokenizer, score: Score) -> None:
    """Raises BrokenLawError."""
    same = tokenizer.decode(tokenizer.encode(score)) == tokenizer.quantize(score)[0]
    _must(same, "decode(encode(score)) must be quantize(score)[0]")


def what_is_on_the_grid_loses_nothing(tokenizer: Tokenizer, score: Score) -> None:
    """Raises BrokenLawError."""
    grid = tokenizer.quantize(score)[0]
    again, loss = tokenizer.quantize(grid)
    _must(again == grid, "quantize must leave what it made as it is")
    _must(not loss.nonzero(), f"what is on the grid must lose nothing, not {loss.nonzero()}")


def every_note_is_kept_or_counted(tokenizer: Tokenizer, score: Score) -> None:
    """Raises BrokenLawError."""
    grid, loss = tokenizer.quantize(score)
    kept = len(grid) + loss.notes_merged + loss.drums_dropped + loss.notes_dropped
    _must(kept == len(score), f"notes kept, merged and dropped must be the {len(score)} there were, not {kept}")
    _must(min(asdict(loss).values()) >= 0, f"no loss may be below 0, as in {loss.nonzero()}")


def encoded_ids_come_back(tokenizer: Tokenizer, score: Score) -> None:
    """Raises BrokenLawError."""
    ids = tokenizer.encode(score)
    _must(ids.dtype == np.int64, f"encode must give int64, not {ids.dtype}")
    _must(np.array_equal(tokenizer.encode(tokenizer.decode(ids)), ids), "encode(decode(ids)) must be the ids of encode")


def grammar_accepts_what_is_encoded(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> None:
    """Raises BrokenLawError."""
    state, size = tokenizer.start(), len(tokenizer.vocabulary)
    for place, token in enumerate(ids.tolist()):
        mask = tokenizer.grammar(state)
        _must(mask.shape == (size,) and mask.dtype == np.bool_, f"grammar must give bool of shape ({size},)")
        name = tokenizer.vocabulary.names[token]
        _must(mask[token], f"the grammar must allow what encode made, and not {name} at place {place}")
        state = state.after(token)
    _must(ids[-1] == EOS, "encode must end with EOS_None")


def sampled(tokenizer: Tokenizer, rng: np.random.Generator, tokens: int) -> NDArray[np.int64]:
    """Ids drawn uniformly from what the grammar allows; EOS only once there are ``tokens`` of them.

    Raises:
        BrokenLawError: the grammar does not lead to an end.
    """
    ids: list[int] = []
    state = tokenizer.start()
    while not ids or ids[-1] != EOS:
        mask = tokenizer.grammar(state).copy()
        _must(mask.any(), f"something must be allowed at place {len(ids)}, where the sequence is not at its end")
        if len(ids) >= tokens and mask[EOS]:
            mask[:] = False
            mask[EOS] = True
        elif mask.sum() > 1:
            mask[EOS] = False
        ids.append(int(rng.choice(np.flatnonzero(mask))))
        state = state.after(ids[-1])
        _must(len(ids) < 10 * tokens + 100, f"EOS_None must be allowed at times, not never in {len(ids)} tokens")
    return np.array(ids)


def tokens_name_the_notes(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> None:
    """Each note has its token that begins one, and the pitches named are those of the pitched notes.

    Raises:
        BrokenLawError: they do not.
    """
    score = tokenizer.decode(ids)
    begun, notes = int(tokenizer.begins_note[ids].sum()), len(score)
    if isinstance(tokenizer, PianorollTokenizer):  # a roll has no onsets: every step of a note counts
        notes = int(score.duration.sum()) * tokenizer.steps_per_quarter // score.ticks_per_quarter
    _must(begun == notes, f"begins_note must name one token a note: {begun} of {notes}")
    pitches = set(score.pitch[~score.is_drum].tolist())
    beginning = set(tokenizer.pitch_of_token[ids[tokenizer.begins_note[ids]]].tolist()) - {-1}
    named = set(tokenizer.pitch_of_token[ids].tolist()) - {-1}
    _must(beginning == named == pitches, f"pitch_of_token must name the pitches {sorted(pitches)}, not {sorted(named)}")


def moving_ids_is_moving_the_score(tokenizer: Tokenizer, score: Score, semitones: int) -> str:
    """The text of the refusal where a pitch would leave the range, else nothing. Raises BrokenLawError."""
    ids = tokenizer.encode(score)
    grid = tokenizer.decode(ids)
    pitches = tokenizer.pitch_of_token[tokenizer.pitch_of_token >= 0]
    pitched = grid.pitch[~grid.is_drum] + semitones
    law = f"transpose by {semitones}"
    if ((pitched < pitches.min(initial=128)) | (pitched > pitches.max(initial=-1))).any():
        try:
            tokenizer.transpose(ids, semitones)
        except VocabularyError as problem:
            return str(problem)
        raise BrokenLawError(f"{law} must raise VocabularyError where a pitch leaves the range")
    moved = tokenizer.transpose(ids, semitones)
    there = grid.transposed(semitones)
    _must(tokenizer.decode(moved) == there, f"{law} must give what decodes to the score moved")
    _must(np.array_equal(tokenizer.encode(there), moved), f"{law} must give what encode makes of the score moved")
    _must(np.array_equal(tokenizer.transpose(moved, -semitones), ids), f"{law} and back must give the same ids")
    return ""


def saving_changes_nothing(tokenizer: Tokenizer, score: Score) -> None:
    """Raises BrokenLawError."""
    loaded = type(tokenizer).from_json(tokenizer.to_json())
    _must(loaded == tokenizer, "from_json(to_json()) must equal the tokenizer")
    _must(loaded.vocabulary.names == tokenizer.vocabulary.names, "from_json(to_json()) must have the same tokens")
    _must(np.array_equal(loaded.encode(score), tokenizer.encode(score)), "from_json(to_json()) must encode alike")


def ids_outside_the_vocabulary_are_refused(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> list[str]:
    """The texts of the refusals of ids of which one, at place 1, is outside. Raises BrokenLawError."""
    texts = []
    for bad in (-1, len(tokenizer.vocabulary), 10**9):
        text = _refusal(tokenizer, [ids[0], bad, *ids[1:]])
        _must(text is not None, f"decode must raise VocabularyError for token id {bad}, which there is not")
        texts.append(text or "")
    return texts


def disorder_is_refused_or_decodes(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> str | None:
    """The text of the VocabularyError for ids in any order; None: they decode, as a score. Raises BrokenLawError."""
    text = _refusal(tokenizer, ids)
    if text is None:
        encoded_ids_come_back(tokenizer, tokenizer.decode(ids))
    return text


def _refusal(tokenizer: Tokenizer, ids: ArrayLike) -> str | None:
    try:
        tokenizer.decode(ids)
    except VocabularyError as problem:
        return str(problem)
    return None


def decoding_a_beginning_gives_the_beginning(tokenizer: Tokenizer, ids: NDArray[np.int64], cut: int) -> None:
    """However a sequence is cut off, what is complete decodes, and those notes begin as they do in the whole.

    Raises:
        BrokenLawError: they do not.
    """
    decoded = (tokenizer.decode(ids), tokenizer.decode(ids[:cut]))
    whole, part = (set(zip(score.onset.tolist(), score.pitch.tolist(), strict=True)) for score in decoded)
    law = f"the first {cut} of {len(ids)} ids must decode to notes that begin as in the whole"
    _must(part <= whole if cut < len(ids) else part == whole, law)
