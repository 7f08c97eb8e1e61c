"""How does a score pass to MidiTok and back?

MidiTok works on ``symusic.Score`` and gives ``TokSequence`` objects: one, or one for each track. Its exceptions become
ours here, and what its files could not hold is settled: no note before tick 0, no key struck twice at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqaudio.errors import OptionError, VocabularyError
from seqaudio.files.symusic_score import score_from_symusic, symusic_from_score
from seqaudio.music.score import Score
from seqaudio.tokens.midi_tokenizers.loss import settled
from seqaudio.tokens.midi_tokenizers.params import REFUSALS, imported, silenced

SETTLING = 8  # times a score is written and read before it is taken as it stands


def written(miditok: Any, score: Score) -> list[Any]:
    """MidiTok's sequences of a score; none where no note is left. Raises OptionError when MidiTok fails on it."""
    source = symusic_from_score(score.replaced(tempos=score.tempo_map()))  # MuMIDI fails without any tempo
    if miditok.config.use_sustain_pedals and not miditok.config.use_programs:
        _pedals_of_program_0(source)
    try:
        with silenced():
            ready = miditok.preprocess_score(source)
            if not any(len(track.notes) for track in ready.tracks):
                return []
            sequences = miditok.encode(ready, no_preprocess_score=True)
    except REFUSALS as problem:
        raise OptionError(f"MidiTok's {type(miditok).__name__} cannot write this score: {problem!r}") from None
    sequences = sequences if isinstance(sequences, list) else [sequences]
    return [sequence for sequence in sequences if len(sequence.tokens)]


def _pedals_of_program_0(source: Any) -> None:
    """Without programs MidiTok has pedal tokens for program 0 alone, and fails on any other."""
    for track in source.tracks:
        if track.is_drum:
            track.pedals = track.pedals[:0]
        elif len(track.pedals):
            track.program = 0


def read(miditok: Any, tracks: list[list[Any]]) -> Score:
    """The score of MidiTok's tokens, given by name, one list for each sequence.

    Raises:
        VocabularyError: MidiTok cannot read them.
    """
    if not tracks:
        return Score.from_notes([], 1, 60, ticks_per_quarter=miditok.time_division)
    sequence = imported().TokSequence
    sequences = [sequence(ids=miditok._tokens_to_ids(tokens), tokens=list(tokens)) for tokens in tracks]
    programs = None
    if not miditok.one_token_stream and not miditok.config.use_programs:  # then its decode takes drums for a piano
        programs = [(0, any("Drum" in str(token) for token in tokens)) for tokens in tracks]
    try:
        with silenced():
            made = miditok.decode(sequences[0] if miditok.one_token_stream else sequences, programs)
    except REFUSALS as problem:
        raise VocabularyError(f"MidiTok's {type(miditok).__name__} cannot read these tokens: {problem!r}") from None
    for track in made.tracks:
        for note in track.notes if track.start() < 0 else ():  # PerTok moves notes to before the beginning
            note.time = max(note.time, 0)
    return settled(score_from_symusic(made))


def read_settled(miditok: Any, tracks: list[list[Any]]) -> Score:
    """The same, written and read again until nothing changes, so that writing it gives it back."""
    score = read(miditok, tracks)
    for _ in range(SETTLING):
        again = read(miditok, [sequence.tokens for sequence in written(miditok, score)])
        if again == score:
            break
        score = again
    return score


def probe(miditok: Any) -> None:
    """Raises OptionError when MidiTok cannot read what it wrote, or loses its place in a piece of three notes."""
    kind, config = type(miditok).__name__, miditok.config
    bars = config.additional_params.get("max_bar_embedding") or 8
    later = 4 * 480 * min(bars - 1, 2)
    piece = Score.from_notes(
        [0, later + 480, later + 960],
        480,
        sum(config.pitch_range) // 2,
        velocity=100,
        program=min((p for p in config.programs if p >= 0), default=0) if config.use_programs else 0,
        tempos=[(0, 400_000), (later, 600_000)],
        time_signatures=[(0, 4, 4)],
        pedals=[(0, 480, 0)],
    )
    try:
        back = read(miditok, [sequence.tokens for sequence in written(miditok, piece)])
    except (OptionError, VocabularyError) as problem:
        raise OptionError(f"{problem}; take other options of {kind}") from None
    quarters = back.onset / back.ticks_per_quarter - piece.onset / 480 if len(back) == 3 else np.array([np.inf])
    if np.abs(quarters).max() > 0.5:
        raise OptionError(f"MidiTok's {kind} does not read back what it writes under these options; take others")


def words(miditok: Any, sequence: Any) -> list[str]:
    """What a model learns from: one string of MidiTok's characters for each bar or beat of a sequence."""
    match miditok.config.encode_ids_split:
        case "bar":
            parts = sequence.split_per_bars()
        case "beat":
            parts = sequence.split_per_beats()
        case _:
            parts = [sequence]
    return [miditok._ids_to_bytes(part.ids, as_one_str=True) for part in parts if len(part.ids)]
