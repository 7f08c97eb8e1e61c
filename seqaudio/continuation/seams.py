"""How are two stretches of sound joined so that nobody hears where? Aligned, cut where it is quiet, and faded.

Stretches are arrays (channels, samples). Where sound ends and nothing follows it, linear prediction goes on with it for
some milliseconds, which is what the next stretch is faded into.

Sources: J. P. Burg, "Maximum entropy spectral analysis", 1975 (prediction that never runs away); W. Verhelst and
M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA)", 1993 (aligning); the gains of a fade whose
power is level whatever the likeness r of both sides: a, b over sqrt(a^2 + b^2 + 2 r a b).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
Floats = NDArray[np.float64]

FADE_S, END_S = 0.015, 0.005  # of one stretch into another, and of the last of a sound
ORDER = 64  # of the prediction
HEARD = 4096  # samples that it is made from
STAYING = 0.1  # of a perfect likeness: what a shift as far as it goes has to bring
DAMPING = 1e-9  # of the power: what is predicted without an error is a silence or a pure tone


def extended(sound: Sound, count: int) -> Sound:
    """A sound (channels, samples) with so many samples more behind it, as linear prediction goes on with it."""
    return np.concatenate([sound, np.stack([_predicted(row, count) for row in sound])], axis=1)


def _predicted(samples: Sound, count: int) -> Sound:
    heard = samples[-HEARD:].astype(np.float64)
    order = min(ORDER, len(heard) // 4)
    backwards = burg(heard, order)[::-1]
    line = np.concatenate([heard[-order:], np.zeros(count)]) if order else np.zeros(count)
    for place in range(order, order + count if order else 0):
        line[place] = backwards @ line[place - order : place]
    return line[order:].astype(np.float32)


def burg(samples: Floats, order: int) -> Floats:
    """Weights (order,) of the last samples, the newest first, that predict the next one."""
    weights, forward, backward = np.zeros(0), samples[1:], samples[:-1]
    least = DAMPING * float(samples @ samples) + np.finfo(np.float64).tiny
    for _ in range(order):
        reflection = 2 * float(forward @ backward) / (float(forward @ forward + backward @ backward) + least)
        weights = np.append(weights - reflection * weights[::-1], reflection)
        forward, backward = (forward - reflection * backward)[1:], (backward - reflection * forward)[:-1]
    return weights


def best_shift(before: Floats, around: Floats) -> int:
    """By how much to move a stretch so that it lies on another one as well as it can.

    Args:
        before: what is heard, (samples,).
        around: the other, with as many samples more as it may be moved by, half of them on each side.

    Returns:
        From minus to plus half of the difference; 0 is the middle. Of equal places the one nearest to it.
    """
    room = len(around) - len(before)
    shared = np.correlate(around, before, mode="valid")  # (room + 1,)
    squares = np.cumsum(np.append(0.0, around**2))
    power = np.sqrt(np.maximum(squares[len(before) :] - squares[: room + 1], 0.0))
    alike = shared / (power + 1e-3 * power.max(initial=0.0) + np.finfo(np.float64).tiny)
    shifts = np.arange(room + 1) - room // 2
    scale = max(float(np.sqrt(before @ before)), np.finfo(np.float64).tiny)
    return int(shifts[(alike / scale - STAYING * np.abs(shifts) / max(room // 2, 1)).argmax()])


def quietest(power: Floats, length: int) -> int:
    """Where a stretch of ``length`` samples with the least power begins, of (samples,); the first of equals."""
    sums = np.cumsum(np.append(0.0, power))
    return int((sums[length:] - sums[:-length]).argmin())


def faded(old: Sound, new: Sound, ceiling: float) -> Sound:
    """One stretch over into another of the same length, (channels, samples), at a level power.

    Where the sum would be louder than ``ceiling``, gains that sum to 1 are taken instead: no sample is then further out
    than the further of both.
    """
    turn = (np.arange(old.shape[1]) + 0.5) / max(old.shape[1], 1) * np.pi / 2
    down, up = np.cos(turn), np.sin(turn)
    alike = max(likeness(old, new), 0.0)
    mixed = (down * old + up * new) / np.sqrt(down**2 + up**2 + 2 * alike * down * up)
    if np.abs(mixed).max(initial=0.0) > ceiling:
        mixed = down**2 * old + up**2 * new
    return np.asarray(mixed, np.float32)


def likeness(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Of two waves of one shape, from -1 to 1; 0 beside silence."""
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    both = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / both if both > 0 else 0.0


def ended(sound: Sound, sample_rate: int) -> Sound:
    """The sound with its last moment faded out."""
    faded_out, fade = sound.copy(), min(max(1, int(END_S * sample_rate)), sound.shape[1])
    faded_out[:, sound.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return faded_out
