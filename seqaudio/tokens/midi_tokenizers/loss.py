"""What did a MidiTok tokenizer lose of a score?

The notes that went in are paired with those that come out: within one program and pitch by their order, and where fewer
came out, by what is nearest. A note without a partner was merged when another one came out within a step of it, and
dropped otherwise: its pitch, program or bar is one the tokenizer does not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqaudio.music.score import DEFAULT_TEMPO_US, IntArray, Score
from seqaudio.tokens.tokenizer import Loss


def settled(score: Score) -> Score:
    """Of notes of one key struck at once the longer and louder stays; a note ends where its key is struck again."""
    voice = (2 * score.program + score.is_drum) + 256 * score.track
    order = np.lexsort((score.onset, score.pitch, voice))
    key = (voice * 128 + score.pitch)[order]
    onset, end = score.onset[order], (score.onset + score.duration)[order]
    first = np.append(True, (np.diff(key) != 0) | (np.diff(onset) != 0))[: len(order)]
    starts = np.flatnonzero(first)
    if not len(starts):
        return score
    end, velocity = (np.maximum.reduceat(column, starts) for column in (end, score.velocity[order]))
    key, onset = key[starts], onset[starts]
    until_next = np.append(np.where(np.diff(key) == 0, onset[1:], end[:-1]), end[-1])
    kept = order[starts]
    return score.replaced(
        onset=onset,
        duration=np.minimum(end, until_next) - onset,
        velocity=velocity,
        **{name: getattr(score, name)[kept] for name in ("pitch", "program", "is_drum", "track")},
    )


@dataclass(frozen=True)
class Kept:
    """What a tokenizer has tokens for."""

    programs: bool
    drums: bool
    velocities: bool
    tempos: bool
    pedals: bool
    step: float  # quarters

    @classmethod
    def by(cls, tokenizer: Any) -> Kept:
        """What a MidiTok tokenizer keeps under its configuration."""
        config = tokenizer.config
        return cls(
            programs=config.use_programs,
            drums=config.use_programs or config.use_pitchdrum_tokens,
            velocities=config.use_velocities,
            tempos=config.use_tempos,
            pedals=config.use_sustain_pedals,
            step=1 / config.max_num_pos_per_beat,
        )


def lost(score: Score, grid: Score, kept: Kept) -> Loss:
    """What became of a score that came out as ``grid``. A velocity is no loss where the tokenizer has none."""
    (ins, outs), merged, dropped = _pairs(score, grid, kept)
    unit_in, unit_out = grid.ticks_per_quarter, score.ticks_per_quarter  # ticks times these are in one unit
    return Loss(
        onsets_moved=_count(score.onset[ins] * unit_in != grid.onset[outs] * unit_out),
        durations_changed=_count(score.duration[ins] * unit_in != grid.duration[outs] * unit_out),
        velocities_rounded=_count(score.velocity[ins] != grid.velocity[outs]) if kept.velocities else 0,
        notes_merged=merged,
        notes_dropped=dropped,
        programs_dropped=_count(score.program[ins] != grid.program[outs]),
        metre_changes_replaced=_metre_changes(score, grid),
        **_tempos(score, grid, kept.tempos),
        **_pedals(score, grid, kept.pedals),
    )


def _count(mask: NDArray[np.bool_]) -> int:
    return int(mask.sum())


def _keys(score: Score, kept: Kept) -> IntArray:
    """One number for what a note must share with its partner: program, drums or not, pitch."""
    is_drum = score.is_drum & kept.drums
    program = np.where(is_drum, 0, score.program) * kept.programs
    keys: IntArray = (2 * program + is_drum) * 128 + score.pitch
    return keys


def _pairs(score: Score, grid: Score, kept: Kept) -> tuple[tuple[IntArray, IntArray], int, int]:
    """Places of paired notes in both scores, and how many of the first were merged and dropped."""
    keys_in, keys_out = _keys(score, kept), _keys(grid, kept)
    order_in, order_out = np.lexsort((score.onset, keys_in)), np.lexsort((grid.onset, keys_out))
    all_keys = np.union1d(keys_in, keys_out)
    bounds_in = np.searchsorted(keys_in[order_in], np.append(all_keys, all_keys[-1:] + 1))
    bounds_out = np.searchsorted(keys_out[order_out], np.append(all_keys, all_keys[-1:] + 1))
    one, other = [], []
    merged = dropped = 0
    for number in range(len(all_keys)):
        ins = order_in[bounds_in[number] : bounds_in[number + 1]]
        outs = order_out[bounds_out[number] : bounds_out[number + 1]]
        if len(ins) != len(outs):
            quarters = score.onset[ins] / score.ticks_per_quarter, grid.onset[outs] / grid.ticks_per_quarter
            chosen, near = _nearest(*quarters, kept.step)
            merged += near
            dropped += len(ins) - len(chosen[0]) - near
            ins, outs = ins[chosen[0]], outs[chosen[1]]
        one.append(ins)
        other.append(outs)
    empty = np.zeros(0, dtype=np.int64)
    return (np.concatenate([empty, *one]), np.concatenate([empty, *other])), merged, dropped


def _nearest(ins: NDArray[np.float64], outs: NDArray[np.float64], step: float) -> tuple[tuple[IntArray, IntArray], int]:
    """Each note out with the nearest note in that is left; and how many of the rest lie within a step of a note out."""
    free = np.ones(len(ins), dtype=bool)
    chosen = np.full(min(len(ins), len(outs)), -1)
    for place, out in enumerate(outs[: len(chosen)].tolist()):
        chosen[place] = np.argmin(np.where(free, np.abs(ins - out), np.inf))
        free[chosen[place]] = False
    others = ins[free]
    near = np.zeros(len(others), dtype=bool)
    for out in outs.tolist():
        near |= np.abs(others - out) <= step
    return (chosen, np.arange(len(chosen))), _count(near)


def _metre_changes(score: Score, grid: Score) -> int:
    """Changes of time signature inside the piece that do not come out at their place."""
    rows = [(0, 4, 4), *map(tuple, score.metre_map().tolist())]
    changes = [row for last, row in pairwise(rows) if row[1:] != last[1:] and row[0] < score.end]
    out = {(tick * score.ticks_per_quarter, n, d) for tick, n, d in grid.metre_map().tolist()}
    return sum((tick * grid.ticks_per_quarter, n, d) not in out for tick, n, d in changes)


def _tempo_changes(score: Score) -> list[int]:
    """The tempos a piece changes to, in microseconds per quarter."""
    rows = [(0, DEFAULT_TEMPO_US), *map(tuple, score.tempo_map().tolist())]
    return [row[1] for last, row in pairwise(rows) if row[1] != last[1] and row[0] < score.end]


def _tempos(score: Score, grid: Score, kept: bool) -> dict[str, int]:
    changes = _tempo_changes(score)
    out = _tempo_changes(grid) if kept else []
    missing = sum(tempo not in set(out) for tempo in changes)
    dropped = min(missing, max(0, len(changes) - len(out)))
    return {"tempo_changes_dropped": dropped, "tempos_rounded": missing - dropped}


def _pedals(score: Score, grid: Score, kept: bool) -> dict[str, int]:
    dropped = max(0, len(score.pedals) - len(grid.pedals)) if kept else len(score.pedals)
    out = {(on * score.ticks_per_quarter, long * score.ticks_per_quarter) for on, long, _ in grid.pedals.tolist()}
    spans = score.pedals[:, :2] * grid.ticks_per_quarter
    moved = sum(tuple(span) not in out for span in spans.tolist())
    return {"pedal_spans_dropped": dropped, "pedal_spans_moved": max(0, moved - dropped)}
