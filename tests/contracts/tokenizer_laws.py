"""What every tokenizer of ours promises: the laws of ``seqaudio/tokens/laws.py``, and more than one of others must.

Its counts by name, the words of its refusals, files that other libraries read alike, and costs that grow with length.
"""

import io
import sys
import tracemalloc
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import symusic
from numpy.typing import NDArray

from seqaudio.files import midi_bytes
from seqaudio.music import Score
from seqaudio.music.score import NOTE_COLUMNS
from seqaudio.tokens import BarsTokenizer, Tokenizer, laws
from seqaudio.tokens.laws import (
    decoding_a_beginning_gives_the_beginning as decoding_a_beginning_gives_the_beginning,
    decoding_gives_the_score_on_the_grid as decoding_gives_the_score_on_the_grid,
    encoded_ids_come_back as encoded_ids_come_back,
    grammar_accepts_what_is_encoded as grammar_accepts_what_is_encoded,
    sampled as sampled,
    tokens_name_the_notes as tokens_name_the_notes,
    what_is_on_the_grid_loses_nothing as what_is_on_the_grid_loses_nothing,
)

Rows = list[tuple[int, int, int, int]]


def what_is_left_out_is_counted(tokenizer: Tokenizer, score: Score) -> None:
    """Every note is kept or counted; so are drums, tempos, metres and pedals where a tokenizer has no room for them."""
    laws.every_note_is_kept_or_counted(tokenizer, score)
    grid, loss = tokenizer.quantize(score)
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


def moving_ids_is_moving_the_score(tokenizer: Tokenizer, score: Score, semitones: int) -> None:
    refusal = laws.moving_ids_is_moving_the_score(tokenizer, score, semitones)
    assert not refusal or f"moving by {semitones} semitones leaves the pitches" in refusal


def saving_changes_nothing(tokenizer: Tokenizer, score: Score, path: Path) -> None:
    laws.saving_changes_nothing(tokenizer, score)
    tokenizer.save(path)
    assert path.read_text(encoding="utf-8") == tokenizer.to_json()
    assert type(tokenizer).load(path) == tokenizer  # type: ignore[attr-defined]


def ids_outside_the_vocabulary_are_named(tokenizer: Tokenizer, score: Score) -> None:
    size = len(tokenizer.vocabulary)
    refusals = laws.ids_outside_the_vocabulary_are_refused(tokenizer, tokenizer.encode(score))
    for bad, text in zip((-1, size, 10**9), refusals, strict=True):
        assert f"token id {bad} at place 1 is outside 0..{size - 1}" in text


def any_disorder_is_refused_or_decodes(tokenizer: Tokenizer, ids: NDArray[np.int64]) -> bool:
    """Ids in any order end in a VocabularyError that names a token, or in a score; true when they were refused."""
    refusal = laws.disorder_is_refused_or_decodes(tokenizer, ids)
    assert refusal is None or "may not follow" in refusal
    return refusal is not None


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
