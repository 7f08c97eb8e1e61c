"""Which part of the primer plays which new note, where a model knows the notes of all parts together?

Conventions: the parts of a piece are its tracks that have notes, from the lowest to the highest by the middle pitch of
their last notes. Notes that begin together are given to parts in that order, no part above one that is lower; each is
as near as may be to the last pitch of its part, and a part that still sounds, or already has a note, takes another one
only where the way to a free part is longer than an octave and a third. It is the best way through a small table, note
by note. Voices of a choir that meet on one note are one note in the tokens; so a part that hardly rests in the piece
doubles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqaudio.music.melody import find_melody_notes
from seqaudio.music.score import NOTE_COLUMNS, IntArray, Score

RECENT_NOTES = 32  # of each part tell where it lies
CLASH = 16  # semitones: what a second note at a time costs a part; with 24 a soprano took notes of the bass
SINGS_ON = 0.95  # of the onsets of a piece, at which a part sounds that hardly rests
NEAR = 12  # semitones: a part doubles no note that is farther off


def parts(voice: Score) -> IntArray:
    """The tracks with notes, the lowest part first, shape (parts,)."""
    tracks = np.unique(voice.track)
    middle = [np.median(voice.pitch[voice.track == track][-RECENT_NOTES:]) for track in tracks.tolist()]
    lowest_first: IntArray = tracks[np.argsort(middle, kind="stable")]
    return lowest_first


def handed_out(voice: Score, new: Score) -> Score:
    """The new notes in the tracks of a piece that have notes, in their order, with their programs and names.

    A part that hardly rests in the piece goes on singing: where it has no note it doubles the nearest one.
    """
    lowest_first, tracks = parts(voice), np.unique(voice.track)
    last = np.array([np.flatnonzero(voice.track == track)[-1] for track in lowest_first.tolist()])
    part = given_to(voice.pitch[last], new)
    which, part, duration = _with_unisons(
        new, part, _sings_on(voice)[np.searchsorted(tracks, lowest_first)], voice.pitch[last]
    )
    columns = {name: getattr(new, name)[which] for name in ("onset", "pitch", "velocity", "is_drum")}
    return new.replaced(
        **columns,
        duration=duration,
        track=np.searchsorted(tracks, lowest_first)[part],
        program=voice.program[last][part],
        track_names=tuple(voice.track_names[track] for track in tracks.tolist()),
    )


def handed_out_lead_sheet(voice: Score, melody: Score, chords: Score) -> Score:
    """A new melody in the track of a piece's own, and new chords in its tracks with other notes, as by `handed_out`.

    Both may be one track. The tracks are those of the piece with notes, in their order, with their programs and names.
    """
    is_melody, _ = find_melody_notes(voice)
    singer, beside, tracks = np.flatnonzero(is_melody)[-1], voice.notes(~is_melody), np.unique(voice.track)
    if len(chords):
        chords = handed_out(beside, chords)
        chords = chords.replaced(
            track=np.searchsorted(tracks, np.unique(beside.track))[chords.track],
            track_names=tuple(voice.track_names[track] for track in tracks.tolist()),
        )
    sung = {"track": np.searchsorted(tracks, voice.track[singer]), "program": voice.program[singer]}
    columns = {
        name: np.append(
            np.full(len(melody), sung[name]) if name in sung else getattr(melody, name), getattr(chords, name)
        )
        for name in NOTE_COLUMNS
    }
    both = melody.replaced(**columns, track_names=tuple(voice.track_names[track] for track in tracks.tolist()))
    return struck_once(both)


def struck_once(score: Score) -> Score:
    """No key of a track sounds twice at a time: of equal strikes the longest, each ended at the next one."""
    order = np.lexsort((-score.duration, score.onset, score.pitch, score.track))
    track, pitch, onset = (getattr(score, name)[order] for name in ("track", "pitch", "onset"))
    same = (np.diff(track) == 0) & (np.diff(pitch) == 0)  # the key of a note and the next one
    first = np.append(True, ~same | (np.diff(onset) > 0))[: len(order)]
    kept = order[first]
    following = np.append(np.flatnonzero(first)[1:], 0)[: len(kept)]
    again = (track[following] == track[first]) & (pitch[following] == pitch[first]) & (onset[following] > onset[first])
    duration = score.duration.copy()
    duration[kept[again]] = np.minimum(duration[kept], onset[following] - onset[first])[again]
    stays = np.zeros(len(score), dtype=bool)
    stays[kept] = True
    return score.notes(stays).replaced(duration=duration[stays])  # in this order: notes are sorted by their lengths too


def _sings_on(voice: Score) -> NDArray[np.bool_]:
    """Which tracks with notes sound at nearly every onset of the piece, in their order."""
    onsets = np.unique(voice.onset)
    shares = []
    for track in np.unique(voice.track).tolist():
        line = voice.notes(voice.track == track)
        began = np.searchsorted(line.onset, onsets, side="right")
        until = np.maximum.accumulate(np.append(0, line.onset + line.duration))[began]
        shares.append(np.mean(until > onsets))
    return np.array(shares) >= SINGS_ON


def _with_unisons(
    new: Score, part: IntArray, sings_on: NDArray[np.bool_], last_pitches: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Which note, its part and its duration, (notes,): the new notes, and behind them those that parts double.

    Voices on one note are one in the tokens, so a part without one may be singing another's.
    """
    which, parts_of, lasting = [*range(len(new))], part.tolist(), new.duration.tolist()
    end, longest = new.onset + new.duration, int(new.duration.max(initial=0))
    for number in np.flatnonzero(sings_on).tolist():
        own = new.notes(part == number)
        pitch, silent_from = int(last_pitches[number]), 0
        for onset in np.unique(new.onset).tolist():
            first, behind = np.searchsorted(own.onset, [onset, onset + 1]).tolist()
            if first < behind:
                pitch = int(own.pitch[first])
                silent_from = max(silent_from, onset + int(own.duration[first:behind].max()))
            if silent_from > onset:
                continue
            near = np.arange(*np.searchsorted(new.onset, [onset - longest, onset + 1]).tolist())
            sounding = near[end[near] > onset]
            note = int(sounding[np.abs(new.pitch[sounding] - pitch).argmin()])
            if abs(int(new.pitch[note]) - pitch) <= NEAR and new.onset[note] == onset:
                pitch = int(new.pitch[note])
                silent_from = min([int(end[note]), *own.onset[behind : behind + 1].tolist()])
                which.append(note)
                parts_of.append(number)
                lasting.append(silent_from - onset)
    return np.array(which), np.array(parts_of), np.array(lasting)


def given_to(last_pitches: IntArray, new: Score) -> IntArray:
    """The part of each new note, shape (notes,), given the last pitch of each part, the lowest part first."""
    part = np.zeros(len(new), dtype=np.int64)
    pitches, sounds_until = last_pitches.astype(float), np.zeros(len(last_pitches))
    order = np.lexsort((new.pitch, new.onset))
    for group in np.split(order, np.flatnonzero(np.diff(new.onset[order])) + 1):
        if not len(group):
            continue
        busy = CLASH * (sounds_until > new.onset[group[0]])
        chosen = _best(np.abs(new.pitch[group, None] - pitches) + busy)
        part[group] = chosen
        pitches[chosen] = new.pitch[group]
        sounds_until[chosen] = np.maximum(sounds_until[chosen], (new.onset + new.duration)[group])
    return part


def _best(costs: NDArray[np.float64]) -> IntArray:
    """The cheapest part of each note, never falling from note to note: (notes, parts) -> (notes,)."""
    notes, count = costs.shape
    from_part = np.triu(np.zeros((count, count)) + np.diag(np.full(count, CLASH)))  # from the lower note's part
    from_part[np.tril_indices(count, -1)] = np.inf
    total, came = costs[0], np.zeros((notes, count), dtype=np.int64)
    for note in range(1, notes):
        ways = total[:, None] + from_part
        came[note] = ways.argmin(axis=0)
        total = ways.min(axis=0) + costs[note]
    chosen = [int(total.argmin())]
    for note in range(notes - 1, 0, -1):
        chosen.append(int(came[note, chosen[-1]]))
    return np.array(chosen[::-1])
