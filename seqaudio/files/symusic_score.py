"""How does a symusic score become ours, and ours one of symusic's?

Conventions: ticks as in the source. symusic clips nothing, so what a Score cannot hold is settled here: notes and
pedals of 0 ticks last 1, velocity 0 becomes 1, and time signatures without beats are left out. Back, a track of a Score
becomes one symusic track for each program in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.errors import OptionError
from seqaudio.files.midi_scan import clean_name
from seqaudio.music.score import Score

if TYPE_CHECKING:
    from symusic.core import ScoreTick


def score_from_symusic(source: ScoreTick) -> Score:
    """A score from a ``symusic.Score`` in ticks: one track for each of its tracks, in order.

    Raises:
        OptionError: it holds ticks below 0.
    """
    tracks = source.tracks
    lengths = [len(track.notes) for track in tracks]
    notes = _columns([track.notes for track in tracks], ("time", "duration", "pitch", "velocity"))
    pedals = _columns([track.pedals for track in tracks], ("time", "duration"))
    pedal_track = np.repeat(np.arange(len(tracks)), [len(track.pedals) for track in tracks])
    metres = [(m.time, m.numerator, m.denominator) for m in source.time_signatures]
    return Score.from_notes(
        notes[0],
        np.maximum(notes[1], 1),
        notes[2],
        velocity=np.maximum(notes[3], 1),
        program=np.repeat(np.array([track.program for track in tracks], dtype=np.int64), lengths),
        is_drum=np.repeat(np.array([track.is_drum for track in tracks], dtype=np.bool_), lengths),
        track=np.repeat(np.arange(len(tracks)), lengths),
        ticks_per_quarter=source.ticks_per_quarter,
        tempos=[(tempo.time, tempo.mspq) for tempo in source.tempos if tempo.mspq > 0],
        time_signatures=[metre for metre in metres if min(metre[1:]) > 0],
        pedals=np.column_stack([pedals[0], np.maximum(pedals[1], 1), pedal_track]),
        track_names=[clean_name(track.name) for track in tracks],
    )


def symusic_from_score(score: Score) -> ScoreTick:
    """A ``symusic.Score`` in ticks; where each track has one program, :func:`score_from_symusic` gives the score back.

    Raises:
        OptionError: a tick is beyond 2^31 - 1, which symusic would wrap.
    """
    import symusic

    last = max(score.end, *(int(rows[:, 0].max(initial=0)) for rows in (score.tempos, score.time_signatures)))
    if max(last, int(score.pedals[:, :2].sum(axis=1).max(initial=0))) >= 2**31:
        raise OptionError(f"a score for symusic must end before tick {2**31}; this one ends at {last}")
    made: Any = symusic.Score(score.ticks_per_quarter)
    for tick, microseconds in score.tempos.tolist():
        made.tempos.append(symusic.Tempo(tick, mspq=microseconds))
    for signature in score.time_signatures.tolist():
        made.time_signatures.append(symusic.TimeSignature(*signature))
    for number, name in enumerate(score.track_names):
        pedals = score.pedals[score.pedals[:, 2] == number].astype(np.int32)
        for program, is_drum, notes in _parts(score, number):
            track: Any = symusic.Track(name=name, program=program, is_drum=is_drum)
            track.notes = symusic.Note.from_numpy(*notes)
            track.pedals = symusic.Pedal.from_numpy(pedals[:, 0].copy(), pedals[:, 1].copy())
            pedals = pedals[:0]  # they belong to the track, so they are told once
            made.tracks.append(track)
    result: ScoreTick = made
    return result


def _parts(score: Score, track: int) -> list[tuple[int, bool, list[NDArray[Any]]]]:
    """Program, drums or not, and the columns time, duration, pitch, velocity of each program on a track."""
    on_track = np.flatnonzero(score.track == track)
    voice = 2 * score.program[on_track] + score.is_drum[on_track]
    columns = (score.onset, score.duration, score.pitch, score.velocity)
    parts = []
    for number in np.unique(voice).tolist() if len(voice) else [0]:
        notes = on_track[voice == number]
        kinds = zip(columns, (np.int32, np.int32, np.int8, np.int8), strict=True)
        parts.append((number // 2, bool(number % 2), [column[notes].astype(kind) for column, kind in kinds]))
    return parts


def _columns(lists: list[Any], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Named columns of symusic lists, end to end, shape (names, entries)."""
    arrays = [events.numpy() for events in lists]
    empty = np.zeros(0, dtype=np.int64)
    return np.stack([np.concatenate([empty, *(array[name] for array in arrays)]) for name in names])
