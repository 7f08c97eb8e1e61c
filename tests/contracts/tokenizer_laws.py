"""What every tokenizer promises, one law to a function: each takes a tokenizer and what to try it on.

The laws are those of ``seqaudio/tokens/tokenizer.py``. They know nothing of any one tokenizer's tokens but that
the first and last are ``BOS_None`` and ``EOS_None``.
"""

import io
import sys
import tracemalloc
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import symusic
from numpy.typing import NDArray

from seqaudio.errors import VocabularyError
from seqaudio.files import midi_bytes
from seqaudio.music import Score
from seqaudio.music.score import NOTE_COLUMNS
from seqaudio.tokens import BarsTokenizer, PianorollTokenizer, Tokenizer

Rows = list[tuple[int, int, int, int]]


def decoding_gives_the_score_on_the_grid(tokenizer: Tokenizer, score: Score) -> None:
    assert tokenizer.decode(tokenizer.encode(score)) == tokenizer.quantize(score)[0]


def what_is_on_the_grid_loses_nothing(tokenizer: Tokenizer, score: Score) -> None:
    grid = tokenizer.quantize(score)[0]
    again, loss = tokenizer.quantize(grid)
    assert again == grid
    assert loss.nonzero() == {}


def what_is_left_out_is_counted(tokenizer: Tokenizer, score: Score) -> None:
    """Every note is kept or counted; so are drums, tempos, metres and pedals where a tokenizer has no room for them."""
    grid, loss = tokenizer.quantize(score)
    assert len(grid) + loss.notes_merged + loss.drums_dropped + loss.notes_dropped == len(score)
    assert min(asdict(loss).values()) >= 0
    if not getattr(tokenizer, "programs", False):
        assert loss.drums_dropped == score.is_drum.sum()
        assert not grid.is_drum.any()
    if not getattr(tokenizer, "tempos", False):
        assert loss.tempo_changes_dropped == len(score.tempos)
        assert len(grid.tempos) == 0
    if not isinstance(tokenizer, BarsTokenizer):
        assert loss.metre_changes_dropped == len(score.time_signatures)
        assert len(grid.time_signatures) == 0
    match getattr(tokenizer, "pedals", "drop"):
        case "drop":
            assert loss.pedal_spans_dropped == len(score.pedals)
            assert len(grid.pedals) == 0
        case "durations":
            heard = set(score.track[~score.is_drum].tolist())
            assert loss.pedal_spans_dropped == sum(track not in heard for track in score.pedals[:, 2].tolist())
            assert len(grid.pedals) == 0


def encoded_ids_come_back(tokenizer: Tokenizer, score: Score) -> None:
    ids = tokenizer.encode(score)
    assert ids.dtype == np.int64
    assert tokenizer.encode(tokenizer.decode(ids)).tolist() == ids.tolist()


def grammar_accepts_what_is_encoded(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> None:
    state = tokenizer.start()
    for place, token in enumerate(ids.tolist()):
        mask = tokenizer.grammar(state)
        assert mask.shape == (len(tokenizer.vocabulary),)
        assert mask.dtype == np.bool_
        assert mask[token], f"{tokenizer.vocabulary.names[token]} at place {place} is not allowed"
        state = state.after(token)
    assert tokenizer.vocabulary.names[ids[-1]] == "EOS_None"


def sampled(tokenizer: Tokenizer, rng: np.random.Generator, tokens: int) -> NDArray[np.int64]:
    """Ids drawn uniformly from what the grammar allows; EOS only once there are ``tokens`` of them."""
    end = tokenizer.vocabulary.id("EOS_None")
    ids: list[int] = []
    state = tokenizer.start()
    while not ids or ids[-1] != end:
        mask = tokenizer.grammar(state).copy()
        assert mask.any(), "nothing may follow, and the sequence is not at its end"
        if len(ids) >= tokens and mask[end]:
            mask[:] = False
            mask[end] = True
        elif mask.sum() > 1:
            mask[end] = False
        ids.append(int(rng.choice(np.flatnonzero(mask))))
        state = state.after(ids[-1])
        assert len(ids) < 10 * tokens + 100, "EOS is never allowed"
    return np.array(ids)


def what_is_sampled_decodes_and_opens_elsewhere(tokenizer: Tokenizer, seed: int, tokens: int) -> int:
    """Returns the number of notes, so that the caller can see there were some."""
    ids = sampled(tokenizer, np.random.default_rng(seed), tokens)
    score = tokenizer.decode(ids)
    tokens_name_the_notes(tokenizer, ids)
    encoded_ids_come_back(tokenizer, score)
    what_is_on_the_grid_loses_nothing(tokenizer, score)
    data = midi_bytes(score)
    notes = sorted(rows(score))
    assert sorted(mido_rows(data)) == notes
    assert sorted(symusic_rows(data)) == notes
    assert sorted(pretty_rows(data)) == notes
    return len(score)


def tokens_name_the_notes(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> None:
    """Each note has its token that begins one, and the pitches named are those of the pitched notes."""
    score = tokenizer.decode(ids)
    begun = int(tokenizer.begins_note[ids].sum())
    if isinstance(tokenizer, PianorollTokenizer):  # a roll has no onsets: every step of a note counts
        assert begun * score.ticks_per_quarter == score.duration.sum() * tokenizer.steps_per_quarter
    else:
        assert begun == len(score)
    named = tokenizer.pitch_of_token[ids[tokenizer.begins_note[ids]]]
    assert set(named[named >= 0].tolist()) == set(score.pitch[~score.is_drum].tolist())
    assert set(tokenizer.pitch_of_token[ids].tolist()) - {-1} == set(score.pitch[~score.is_drum].tolist())
    assert tokenizer.pitch_of_token.shape == tokenizer.begins_note.shape == (len(tokenizer.vocabulary),)


def moving_ids_is_moving_the_score(tokenizer: Tokenizer, score: Score, semitones: int) -> None:
    ids = tokenizer.encode(score)
    grid = tokenizer.decode(ids)
    pitches = tokenizer.pitch_of_token[tokenizer.pitch_of_token >= 0]
    pitched = grid.pitch[~grid.is_drum] + semitones
    if ((pitched < pitches.min()) | (pitched > pitches.max())).any():
        with pytest.raises(VocabularyError, match=f"moving by {semitones} semitones leaves the pitches"):
            tokenizer.transpose(ids, semitones)
        return
    moved = tokenizer.transpose(ids, semitones)
    assert tokenizer.decode(moved) == grid.transposed(semitones)
    assert tokenizer.encode(grid.transposed(semitones)).tolist() == moved.tolist()
    assert tokenizer.transpose(moved, -semitones).tolist() == ids.tolist()


def saving_changes_nothing(tokenizer: Tokenizer, score: Score, path: Path) -> None:
    tokenizer.save(path)
    loaded = type(tokenizer).load(path)  # type: ignore[attr-defined]
    assert loaded == tokenizer
    assert loaded.vocabulary.names == tokenizer.vocabulary.names
    assert loaded.encode(score).tolist() == tokenizer.encode(score).tolist()


def ids_outside_the_vocabulary_are_named(tokenizer: Tokenizer, score: Score) -> None:
    ids = tokenizer.encode(score)
    size = len(tokenizer.vocabulary)
    for bad in (-1, size, 10**9):
        with pytest.raises(VocabularyError, match=rf"token id {bad} at place 1 is outside 0\.\.{size - 1}"):
            tokenizer.decode([ids[0], bad, *ids[1:]])


def any_disorder_is_refused_or_decodes(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> bool:
    """Ids in any order end in a VocabularyError that names a token, or in a score; true when they were refused."""
    try:
        score = tokenizer.decode(ids)
    except VocabularyError as problem:
        refusal = str(problem)
    else:
        encoded_ids_come_back(tokenizer, score)
        return False
    assert "may not follow" in refusal
    return True


def decoding_a_beginning_gives_the_beginning(tokenizer: Tokenizer, ids: NDArray[np.int64], cut: int) -> None:
    """However a sequence is cut off, what is complete decodes, and those notes begin as they do in the whole."""
    whole = {row[:1] + row[2:3] for row in rows(tokenizer.decode(ids))}
    part = {row[:1] + row[2:3] for row in rows(tokenizer.decode(ids[:cut]))}
    assert part <= whole if cut < len(ids) else part == whole


def decoding_is_linear(tokenizer: Tokenizer, score: Score, times: int = 8) -> None:
    """Decoding a piece four times as long takes at most about four times the calls and the memory: no timing.

    It does not see quadratic work inside one call of numpy that needs no quadratic memory; that is for benchmarks/.
    """
    few, many = (tokenizer.encode(repeated(score, n)) for n in (times, 4 * times))
    grown = len(many) / len(few)
    assert 3 < grown < 5
    for count in (calls_of, peak_bytes_of):
        costs = [min(count(lambda ids=ids: tokenizer.decode(ids)) for _ in range(3)) for ids in (few, many)]
        assert costs[1] < 1.3 * grown * costs[0], (count.__name__, costs)


def repeated(score: Score, times: int) -> Score:
    """The piece so many times, one after the other, each time from a bar line on."""
    length = int(score.bars()[-1])
    columns = {name: np.tile(getattr(score, name), times) for name in NOTE_COLUMNS}
    columns["onset"] = columns["onset"] + np.repeat(np.arange(times) * length, len(score))
    maps = {}
    for name in ("tempos", "time_signatures", "pedals"):
        rows = getattr(score, name)
        shift = np.repeat(np.arange(times) * length, len(rows))
        maps[name] = np.tile(rows, (times, 1)) + np.pad(shift[:, None], ((0, 0), (0, rows.shape[1] - 1)))
    return score.replaced(**columns, **maps)


def calls_of(function: Callable[[], object]) -> int:
    """How many functions are called, in Python and in C."""
    count = 0

    def seen(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def peak_bytes_of(function: Callable[[], object]) -> int:
    """The most memory held at a time."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def rows(score: Score) -> Rows:
    """Onset, duration (ticks), pitch and velocity of every note."""
    columns = (score.onset, score.duration, score.pitch, score.velocity)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def mido_rows(data: bytes) -> Rows:
    notes = []
    for track in mido.MidiFile(file=io.BytesIO(data)).tracks:
        tick, sounding = 0, defaultdict(deque)
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                sounding[message.channel, message.note].append((tick, message.velocity))
            elif message.type in ("note_on", "note_off"):
                onset, velocity = sounding[message.channel, message.note].popleft()
                notes.append((onset, tick - onset, message.note, velocity))
        assert not any(sounding.values())
    return notes


def symusic_rows(data: bytes) -> Rows:
    return [(n.time, n.duration, n.pitch, n.velocity) for t in symusic.Score.from_midi(data).tracks for n in t.notes]


def pretty_rows(data: bytes) -> Rows:
    midi = pretty_midi.PrettyMIDI(io.BytesIO(data))
    ticks = midi.time_to_tick
    return [
        (ticks(note.start), ticks(note.end) - ticks(note.start), note.pitch, note.velocity)
        for instrument in midi.instruments
        for note in instrument.notes
    ]
