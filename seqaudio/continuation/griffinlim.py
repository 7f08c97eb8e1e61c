"""How does sound come from codes alone? The loudness that each stands for, turned into a wave by Griffin and Lim's way.

What is heard is the codebook: one sound for all units of a code, without the phases, so it is duller than the primer,
and the same in all channels but for their level. Source: D. Griffin and J. Lim, "Signal estimation from modified
short-time Fourier transform", 1984.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqaudio.continuation.seams import FADE_S, ended, extended, faded
from seqaudio.continuation.sound_units import HOP, RATE, SLICES, WINDOW, Units, slices_of
from seqaudio.features.inversion import mel_to_audio
from seqaudio.music.waveform import Waveform
from seqaudio.tokens.audio_codes import AudioCodes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Sound = NDArray[np.float32]


def griffinlim(
    primer: Waveform,
    units: Units,
    codebook: AudioCodes,
    codes: Ints,
    path: Ints,
    samples: int,
    generator: np.random.Generator,
) -> Sound:
    """The sound (channels, samples) that codes (units,) say, each as long as the unit of the primer on its path."""
    frames = _frames(units, codebook, codes, path, len(primer) - int(units.bounds[-1]))
    powers = np.exp(frames) - np.exp(units.frames.min())  # what is no louder than the floor is silence, not noise
    made = mel_to_audio(
        np.maximum(powers, 0.0).T, RATE, n_fft=WINDOW, hop_length=HOP, seed=int(generator.integers(2**31))
    )
    made = Waveform(made, RATE).resampled(primer.sample_rate).samples[0, :samples]
    made = np.pad(made, (0, samples - len(made)))
    sound: Sound = (made * _levels(made, primer.samples)[:, None]).astype(np.float32)
    ceiling = float(np.abs(primer.samples).max())
    sound *= min(1.0, ceiling / max(float(np.abs(sound).max()), 1e-12))
    fade = min(int(FADE_S * primer.sample_rate), samples)
    following = extended(primer.samples, fade)[:, -fade:]
    joined = np.concatenate([faded(following, sound[:, :fade], ceiling), sound[:, fade:]], axis=1)
    return ended(joined, primer.sample_rate)


def _frames(units: Units, codebook: AudioCodes, codes: Ints, path: Ints, tail: int) -> Floats:
    """Loudness (frames, MELS) behind the tail, between the middles of the slices in straight lines."""
    told = slices_of(codebook.decode(codebook.codes(codes))).reshape(len(codes) * SLICES, -1)
    lengths = np.diff(units.bounds)[path] / units.sample_rate
    edges = np.concatenate([[0.0], np.cumsum(np.repeat(lengths / SLICES, SLICES))]) - tail / units.sample_rate
    middles = (edges[1:] + edges[:-1]) / 2
    times = np.arange(int(edges[-1] * RATE / HOP)) * HOP / RATE
    after = np.clip(np.searchsorted(middles, times), 1, len(middles) - 1)
    share = np.clip((times - middles[after - 1]) / (middles[after] - middles[after - 1]), 0, 1)[:, None]
    frames: Floats = (1 - share) * told[after - 1] + share * told[after]
    return frames


def _levels(made: Sound, primer: Sound) -> Floats:
    """What to multiply the sound by for each channel, (channels,), so that it is as loud as the primer."""
    own = float(np.sqrt(np.mean(np.square(made, dtype=np.float64))))
    theirs = np.sqrt(np.mean(np.square(primer, dtype=np.float64), axis=1))
    levels: Floats = theirs / own if own > 0 else np.zeros(len(primer))
    return levels
