"""How does a score become a ``pretty_midi.PrettyMIDI``, and come back to the tick?

Conventions: pretty_midi counts in seconds, in floating point; a tick there is the nearest one under the tempo map it
carries. A score track is an instrument. A track with several programs becomes several instruments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seqaudio.errors import OptionError
from seqaudio.music.score import IntArray, Score
from seqaudio.music.waveform import Waveform

if TYPE_CHECKING:
    import pretty_midi

HARMONICS, BRIGHTNESS = 6, 1.3  # of a voice that pretty_midi plays: amplitudes fall with the number to this power
LEVEL = 0.7  # of full scale, the loudest sample of what is played
PEDAL = 64  # control number of the sustain pedal, and the value from which it is down


def to_pretty_midi(score: Score) -> pretty_midi.PrettyMIDI:
    """The piece as instruments with notes in seconds, tempo map, time signatures and pedals (control 64).

    Raises:
        OptionError: the score ends after 10 million ticks, which pretty_midi refuses to hold.
    """
    import pretty_midi

    last = max(int(rows.max(initial=0)) for rows in _ticks_in(score))
    if last >= pretty_midi.pretty_midi.MAX_TICK:
        raise OptionError(f"pretty_midi holds ticks below 10,000,000, the score has {last:,}; lower its resolution")
    midi = pretty_midi.PrettyMIDI(resolution=score.ticks_per_quarter)
    midi._tick_scales = [(t, us * 1e-6 / score.ticks_per_quarter) for t, us in score.tempo_map().tolist()]
    midi._update_tick_to_time(last + 1)
    metres_s = score.seconds(score.time_signatures[:, 0]).tolist()
    midi.time_signature_changes = [
        pretty_midi.TimeSignature(numerator, denominator, time_s)
        for time_s, (_, numerator, denominator) in zip(metres_s, score.time_signatures.tolist(), strict=True)
    ]
    midi.instruments = _instruments(score)
    return midi


def from_pretty_midi(midi: pretty_midi.PrettyMIDI) -> Score:
    """The piece at the resolution of ``midi``, every time at the nearest tick of its tempo map.

    Tempos are rounded to whole microseconds per quarter, which is what a MIDI file holds; ticks are taken before. A
    note that is shorter than half a tick lasts 1. A pedal that is never lifted lasts to the end of its instrument.

    Raises:
        OptionError: a value is outside what a score allows, such as a velocity of 0 or a time before 0.
    """
    times_s, qpm = midi.get_tempo_changes()
    lengths = np.rint(np.diff(times_s) * qpm[:-1] * midi.resolution / 60)  # whole ticks of a tempo
    starts = np.append(0, np.cumsum(lengths)).astype(np.int64)

    def ticks(seconds: ArrayLike) -> IntArray:
        seconds = np.asarray(seconds, dtype=np.float64)
        at = np.maximum(np.searchsorted(times_s, seconds, side="right") - 1, 0)
        since: IntArray = np.rint((seconds - times_s[at]) * qpm[at] * midi.resolution / 60).astype(np.int64)
        return starts[at] + since

    rows = [
        (note.start, note.end, note.pitch, note.velocity, instrument.program, instrument.is_drum, track)
        for track, instrument in enumerate(midi.instruments)
        for note in instrument.notes
    ]
    columns = np.array(rows, dtype=np.float64).reshape(-1, 7).T  # (7, notes)
    onset, end = ticks(columns[0]), ticks(columns[1])
    metres = [(int(ticks(m.time)), m.numerator, m.denominator) for m in midi.time_signature_changes]
    pedals = [(*span, track) for track, part in enumerate(midi.instruments) for span in _pedal_spans_s(part)]
    pedal_columns = np.array(pedals, dtype=np.float64).reshape(-1, 3).T  # (3, spans)
    pedal_start, pedal_end = ticks(pedal_columns[0]), ticks(pedal_columns[1])
    pedal_rows = np.column_stack([pedal_start, pedal_end - pedal_start, pedal_columns[2].astype(np.int64)])
    return Score.from_notes(
        onset,
        np.maximum(end - onset, 1),
        columns[2].astype(np.int64),
        velocity=columns[3].astype(np.int64),
        program=columns[4].astype(np.int64),
        is_drum=columns[5].astype(np.bool_),
        track=columns[6].astype(np.int64),
        ticks_per_quarter=midi.resolution,
        tempos=np.column_stack([starts, np.rint(6e7 / qpm).astype(np.int64)]),
        time_signatures=metres,
        pedals=pedal_rows[pedal_rows[:, 1] > 0],
        track_names=[instrument.name for instrument in midi.instruments],
    )


def _ticks_in(score: Score) -> list[NDArray[np.int64]]:
    return [np.array([score.end]), score.tempos[:, 0], score.time_signatures[:, 0], score.pedals[:, :2].sum(axis=1)]


def _instruments(score: Score) -> list[pretty_midi.Instrument]:
    """One instrument per (track, program, is_drum), in order, and one for each track without notes."""
    import pretty_midi

    ends_s = score.seconds(score.onset + score.duration)
    notes = zip(*(c.tolist() for c in (score.velocity, score.pitch, score.seconds(score.onset), ends_s)), strict=True)
    kinds = zip(*(c.tolist() for c in (score.track, score.program, score.is_drum)), strict=True)
    parts: dict[tuple[int, int, bool], list[pretty_midi.Note]] = {}
    for kind, note in zip(kinds, notes, strict=True):
        parts.setdefault(kind, []).append(pretty_midi.Note(*note))
    for track in set(range(len(score.track_names))) - {kind[0] for kind in parts}:
        parts[track, 0, False] = []
    pedals = _pedal_changes(score)
    instruments = []
    for (track, program, is_drum), part in sorted(parts.items(), key=lambda item: item[0]):
        instrument = pretty_midi.Instrument(program, is_drum, score.track_names[track])
        instrument.notes = part
        instrument.control_changes = [
            pretty_midi.ControlChange(PEDAL, value, time_s) for time_s, value in pedals.get(track, [])
        ]
        instruments.append(instrument)
    return instruments


def _pedal_changes(score: Score) -> dict[int, list[tuple[float, int]]]:
    """For each track the times in seconds and values of control 64; a lift comes before a press of the same tick."""
    start, duration, track = score.pedals.T
    times_s = score.seconds(np.append(start, start + duration)).tolist()
    values = [127] * len(start) + [0] * len(start)
    changes: dict[int, list[tuple[float, int]]] = {}
    for index, time_s, value in zip([*track.tolist(), *track.tolist()], times_s, values, strict=True):
        changes.setdefault(index, []).append((time_s, value))
    return {index: sorted(rows) for index, rows in changes.items()}


def _pedal_spans_s(instrument: pretty_midi.Instrument) -> list[tuple[float, float]]:
    """Start and end in seconds of each time the pedal is down."""
    changes = [(c.time, c.value) for c in instrument.control_changes if c.number == PEDAL]
    end_s = max([note.end for note in instrument.notes] + [time for time, _ in changes], default=0.0)
    spans, down_s = [], None
    for time_s, value in [*sorted(changes, key=lambda change: change[0]), (end_s, 0)]:
        if value >= PEDAL and down_s is None:
            down_s = time_s
        elif value < PEDAL and down_s is not None:
            spans.append((down_s, time_s))
            down_s = None
    return spans


def player() -> str:
    """What :func:`played` plays with here: ``FluidSynth`` or ``pretty_midi``."""
    try:
        to_pretty_midi(Score.from_notes([0], [1], [60])).fluidsynth()  # without a note it would not be asked for
    except ImportError:
        return "pretty_midi"
    return "FluidSynth"


def played(score: Score, sample_rate: int = 22_050) -> Waveform:
    """A piece as sound: by FluidSynth where pyfluidsynth is installed, else by pretty_midi, without drums.

    Args:
        score: the piece.
        sample_rate: of the sound, in Hz.

    Returns:
        One channel, its loudest sample at 0.7 of full scale; silence where nothing can be played.

    Raises:
        OptionError: as :func:`to_pretty_midi`.
    """
    midi = to_pretty_midi(score)
    try:
        samples = midi.fluidsynth(fs=sample_rate)
    except ImportError:
        samples = midi.synthesize(fs=sample_rate, wave=_voice)
    samples = np.asarray(samples, np.float64)
    peak = float(np.abs(samples).max(initial=0.0))
    return Waveform(samples * (LEVEL / peak if peak > 0 else 1.0), sample_rate)


def _voice(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """A wave with overtones, so that pitches have a colour: (samples,) of phases in radians."""
    wave = np.zeros_like(phase)
    for number in range(1, HARMONICS + 1):
        wave += np.sin(number * phase) / number**BRIGHTNESS
    return wave
